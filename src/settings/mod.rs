//! Settings: defaults, files, environment and overrides become types that cannot be wrong.
//!
//! What is typed (`raw.rs`) and what is meant ([`Settings`]) are different types, and the way from
//! one to the other reports every problem at once, each with its path and remedy.

mod address;
mod cams;
mod cascade;
mod choice;
mod defaults;
mod discreet;
mod document;
mod draft;
mod entry;
mod environment;
#[cfg(test)]
mod exactness;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod fuzz;
mod json;
mod layers;
mod leaf;
mod log;
mod log_level;
mod meta;
mod names;
mod nearest;
mod node;
mod number;
mod paths;
mod raw;
mod reading;
mod report;
mod schema;
mod secret;
mod section;
mod span;
mod state;
mod toml;
mod variables;
mod windows;
mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use address::BaseUrl;
pub(crate) use discreet::{NOT_SHOWN, discreet, is_like_a_secret};
pub use environment::environment;
pub use log::Log;
pub use log_level::LogLevel;
pub use nearest::nearest;
pub use report::{Problem, Problems};
pub use schema::{key_variables, schema};
pub use secret::{Secret, SecretError};

use secrecy::{ExposeSecret as _, SecretString};

use self::cascade::Cascade;
use self::draft::Draft;
use self::entry::{Entry, Holds, Named};
use self::leaf::{Size, Whole};
use self::names::CredentialName;
use self::raw::Raw;
use self::report::{Location, Report};
use self::span::{Interval, Span};
use crate::domain::budget::Tier;
use crate::domain::fleet::Fleet;
use crate::domain::target::{CredentialId, Source};

/// Everything that the configuration says.
#[derive(Debug)]
pub struct Settings {
    /// How targets are asked.
    pub poll: PollSettings,
    /// Most campaign series in the exposition.
    pub max_series: usize,
    /// Where samples and schedule survive a restart.
    pub state_file: Option<PathBuf>,
    /// How much is logged.
    pub log: Log,
    /// Meta's credentials by name, then those of CAMS by name. The two may share a name.
    pub credentials: Vec<CredentialSettings>,
    /// What is asked for.
    pub fleet: Fleet,
    /// What is allowed but hardly meant, each with its path.
    pub warnings: Vec<String>,
    /// The configuration in force as YAML: all layers, the defaults, and no secret.
    pub printed: String,
}

/// Bounds of an API request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollSettings {
    /// From connect to the last byte.
    pub timeout: Duration,
    /// Requests in flight, over everything.
    pub concurrency: usize,
    /// Most bytes of a body.
    pub max_response: usize,
}

/// A named way into one of the APIs.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialSettings {
    /// The label `credential`.
    pub name: Arc<str>,
    /// The way in.
    pub access: Access,
}

impl CredentialSettings {
    /// Its identity.
    pub fn id(&self) -> CredentialId {
        CredentialId { source: self.access.source(), name: self.name.clone() }
    }
}

/// What a source needs to be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// Meta's Graph API.
    Meta {
        /// The access token.
        token: Secret,
        /// The app's id, digits; only ever with a secret.
        app_id: Option<String>,
        /// The app's secret, for proofs.
        app_secret: Option<Secret>,
        /// Such as `v26.0`.
        api_version: String,
        /// Where the API is.
        base_url: BaseUrl,
        /// Share of the allowance that may be used: above 0, up to 1.
        budget: f64,
        /// The app's tier, where the user says it: what counts until an answer tells it.
        tier: Option<Tier>,
    },
    /// Alibaba Cloud CAMS.
    Cams {
        /// The access keys.
        keys: AccessKeySource,
        /// Where the API is.
        endpoint: BaseUrl,
        /// Most requests in a second: above 0, up to 1000.
        requests_per_second: f64,
    },
}

impl Access {
    /// Whose API it opens.
    pub fn source(&self) -> Source {
        match self {
            Self::Meta { .. } => Source::META,
            Self::Cams { .. } => Source::CAMS,
        }
    }

    /// Whether what the API knows us by is in the same places, whatever else differs.
    pub fn has_content_of(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Meta { token, app_id, app_secret, .. },
                Self::Meta { token: other_token, app_id: other_id, app_secret: other_secret, .. },
            ) => (token, app_id, app_secret) == (other_token, other_id, other_secret),
            (Self::Cams { keys, .. }, Self::Cams { keys: other_keys, .. }) => keys == other_keys,
            _ => false,
        }
    }
}

/// Where access keys of Alibaba Cloud come from.
#[derive(Clone, Debug)]
pub enum AccessKeySource {
    /// From the configuration.
    Static {
        /// The access key's id.
        id: Secret,
        /// The access key's secret.
        secret: Secret,
        /// The token of temporary access keys.
        security_token: Option<Secret>,
    },
    /// The default credentials: environment, role of the machine or workload. Holds the environment's
    /// variables that say which.
    Default(BTreeMap<String, SecretString>),
}

impl PartialEq for AccessKeySource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Static { id, secret, security_token }, Self::Static { id: i, secret: s, security_token: t }) => {
                id == i && secret == s && security_token == t
            }
            (Self::Default(one), Self::Default(other)) => {
                let known = |variables: &BTreeMap<String, SecretString>| -> Vec<(String, String)> {
                    let exposed =
                        |(name, value): (&String, &SecretString)| (name.clone(), value.expose_secret().to_owned());
                    variables.iter().map(exposed).collect()
                };
                known(one) == known(other)
            }
            _ => false,
        }
    }
}

/// Loads the files in order, the environment over them, and the overrides over both. A key of an
/// override is a path: `meta.main.base_url`.
pub fn load(
    files: &[PathBuf],
    environment: &BTreeMap<String, String>,
    overrides: &[(String, String)],
) -> Result<Settings, Problems> {
    load_for(Purpose::Polling, files, environment, overrides)
}

/// The same for a configuration that may hold credentials alone.
pub fn load_for_discovery(files: &[PathBuf], environment: &BTreeMap<String, String>) -> Result<Settings, Problems> {
    load_for(Purpose::Discovery, files, environment, &[])
}

/// What a configuration is loaded for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Something must be there to ask.
    Polling,
    /// A credential is enough.
    Discovery,
}

fn load_for(
    purpose: Purpose,
    files: &[PathBuf],
    environment: &BTreeMap<String, String>,
    overrides: &[(String, String)],
) -> Result<Settings, Problems> {
    let report = Report::default();
    let settings = layers::merge(files, environment, overrides, &report).map(|tree| {
        let top = report.place("");
        // Before it is read: reading takes the tree apart, and what is printed is what was typed.
        let printed = schema::printed(&tree);
        let raw = top.open(Raw::read(tree)).unwrap_or_default();
        Settings { printed, ..read(&top, raw, environment, purpose) }
    });
    let warnings = report.finish()?;
    settings.map(|settings| Settings { warnings, ..settings }).ok_or_else(|| Problems(Vec::new()))
}

fn read(top: &Location<'_>, raw: Raw, environment: &BTreeMap<String, String>, purpose: Purpose) -> Settings {
    let at = top.key("poll");
    let raw_poll = at.open(raw.poll).unwrap_or_default();
    let poll = PollSettings {
        timeout: at.take("timeout", raw_poll.timeout).map_or(defaults::TIMEOUT, |Span(timeout)| timeout),
        concurrency: at.take("concurrency", raw_poll.concurrency).map_or(defaults::CONCURRENCY, |Whole(number)| number),
        max_response: at
            .take("max_response", raw_poll.max_response)
            .map_or(defaults::MAX_RESPONSE_BYTES, |Size(bytes)| bytes),
    };
    let stale_after = at.take("stale_after", raw_poll.stale_after).map(|Interval(stale_after)| stale_after);
    let base = Cascade::new(&at, raw_poll.interval, stale_after, poll.timeout);

    let at = top.key("exposition");
    let exposition = at.open(raw.exposition).unwrap_or_default();
    let max_series = at.take("max_series", exposition.max_series).map_or(defaults::MAX_SERIES, |Whole(number)| number);

    let at = top.key("state");
    let state_file = at.take("file", at.open(raw.state).unwrap_or_default().file);
    if let Some(file) = &state_file {
        state::warn(&at.key("file"), file);
    }

    let at = top.key("log");
    let raw_log = at.open(raw.log).unwrap_or_default();

    let mut draft = Draft::default();
    for (at, name, raw) in named(&top.key("meta"), raw.meta) {
        meta::read(&at, raw, base.of(name), environment, &mut draft);
    }
    for (at, name, raw) in named(&top.key("cams"), raw.cams) {
        cams::read(&at, raw, base.of(name), environment, &mut draft);
    }
    draft.check_unique();
    let credentials = std::mem::take(&mut draft.credentials);
    let fleet = draft.into_fleet();
    let log = log::read(&at, raw_log, &fleet);
    match purpose {
        // Only of a clean configuration: an account that is wrong is no account, and that was said already.
        Purpose::Polling if fleet.is_empty() && top.is_clean() => {
            top.problem("there is nothing to poll; add an account or a campaign under meta, or a channel under cams");
        }
        Purpose::Discovery if credentials.is_empty() && top.is_clean() => {
            top.problem("there is no credential; add one with its token under meta, or with its access key under cams");
        }
        _ => {}
    }
    Settings { poll, max_series, state_file, log, credentials, fleet, warnings: Vec::new(), printed: String::new() }
}

/// The credentials of a source, sorted by name.
fn named<'r, T>(at: &Location<'r>, entries: Entry<Named<CredentialName, T>>) -> Vec<(Location<'r>, Arc<str>, T)> {
    let mut sections = Vec::new();
    for (name, entry) in at.open(entries).unwrap_or_default().0 {
        let at = at.key(&name);
        if let Some(section) = at.open(entry) {
            sections.push((at, name.as_str().into(), section));
        }
    }
    sections
}
