//! The configuration as it is typed: every key, with its meaning. What the keys may hold is in
//! `leaf.rs`; what they mean together is decided in `meta.rs` and `cams.rs`.

use std::path::PathBuf;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator};
use serde_json::{Value as Json, json};

use super::address::BaseUrl;
use super::choice::{CampaignState, ChannelCampaigns, RangeName};
use super::defaults;
use super::entry::{Entry, Holds, List, Named, quoted, schema};
use super::leaf::{ApiVersion, DefaultChain, Digits, Extra, RequestsPerSecond, Share, Size, Space, Variable, Whole};
use super::log_level::LogLevel;
use super::names::{CredentialName, LabelName, LabelValue};
use super::nearest::nearest;
use super::node::{Node, Scalar, Value};
use super::secret::{Hidden, keys_of};
use super::section::sections;
use super::span::{Interval, Span};

use crate::domain::budget::Tier;
use crate::domain::filter::Glob;
use crate::domain::target::{AccountId, CampaignId, Currency, Level, PRESETS, PageId, Window};

sections! {
    /// A configuration.
    Raw {
        /// How targets are polled.
        poll: Poll,
        /// What is shown.
        exposition: Exposition,
        /// What survives a restart.
        state: State,
        /// How much is logged; a reload applies changes.
        log: Log,
        /// Meta's Graph API: credentials by a name of your choice, of a-z, 0-9 and -.
        meta: Named<CredentialName, Meta>,
        /// Alibaba Cloud CAMS: credentials by a name of your choice, of a-z, 0-9 and -.
        cams: Named<CredentialName, Cams>,
    }

    /// How targets are polled.
    Poll {
        /// How often each target is polled.
        #[schemars(extend("default" = span(defaults::INTERVAL)))]
        interval: Interval,
        /// One API request, from connect to the last byte.
        #[schemars(extend("default" = span(defaults::TIMEOUT)))]
        timeout: Span,
        /// A target's samples are dropped from /metrics this long after its last success.
        stale_after: Interval,
        /// Concurrent API requests, in total.
        #[schemars(extend("default" = defaults::CONCURRENCY))]
        concurrency: Whole<1, 256>,
        /// Larger bodies are rejected.
        #[schemars(extend("default" = format!("{}MiB", defaults::MAX_RESPONSE_BYTES >> 20)))]
        max_response: Size,
    }

    /// What is shown.
    Exposition {
        /// Campaign series; beyond this, whole targets are left out.
        #[schemars(extend("default" = defaults::MAX_SERIES))]
        max_series: Whole<1, 1_000_000_000>,
    }

    /// What survives a restart.
    State {
        /// Where the last good samples and the schedule are kept.
        file: PathBuf,
    }

    /// How much is logged.
    Log {
        /// The lowest level to log; the flag `--log.level` takes precedence.
        level: LogLevel,
        /// Levels of the lines about single ad accounts, by their ids.
        accounts: Named<AccountId, LogLevel>,
    }

    /// A credential for Meta's Graph API and what is polled with it.
    #[schemars(extend("allOf" = one_place_each(&["token", "app_secret"])))]
    Meta {
        /// The access token itself; prefer `token_file`.
        token: Hidden,
        /// A file with the access token; it is re-read when it changes.
        token_file: PathBuf,
        /// An environment variable with the access token.
        token_env: Variable,
        /// The app's id; with its secret, the exporter looks up when the token expires.
        app_id: Digits,
        /// The app's secret itself; prefer `app_secret_file`.
        app_secret: Hidden,
        /// A file with the app's secret; with it, each request carries a proof.
        app_secret_file: PathBuf,
        /// An environment variable with the app's secret.
        app_secret_env: Variable,
        /// The Graph API's version.
        #[schemars(extend("default" = defaults::META_API_VERSION))]
        api_version: ApiVersion,
        /// Where the API is; http only to loopback.
        #[schemars(extend("default" = defaults::META_BASE_URL))]
        base_url: BaseUrl,
        /// Share of the API's allowance that this exporter may use.
        #[schemars(extend("default" = defaults::META_BUDGET))]
        budget: Share,
        /// The app's access tier, `limited` or `full`: assumed until an answer names it.
        tier: Tier,
        /// Overrides `poll.interval`.
        interval: Interval,
        /// The days that figures cover.
        #[schemars(extend("default" = defaults::WINDOWS))]
        #[schemars(extend("minItems" = 1))]
        windows: List<WindowChoice>,
        /// Families that are off by default.
        extra_metrics: List<Extra>,
        /// Static labels on this credential's samples.
        labels: Named<LabelName, LabelValue>,
        /// Ad accounts.
        accounts: List<Account>,
        /// Single campaigns, without their account.
        campaigns: List<Campaign>,
    }

    /// A Meta ad account.
    #[schemars(extend("allOf" = given(&["id"])))]
    Account {
        /// The account's id, with or without `act_`.
        id: AccountId,
        /// Also poll the account's own figures: one more request per window.
        #[schemars(extend("default" = true))]
        totals: bool,
        /// What a campaign id refers to: `ad` or `campaign`.
        #[schemars(extend("default" = Level::Ad.label()))]
        level: Level,
        /// `all`, a list of ids, or a filter by name and status.
        #[schemars(extend("default" = "all"))]
        campaigns: AccountCampaigns,
        /// Overrides the credential's windows.
        #[schemars(extend("minItems" = 1))]
        windows: List<WindowChoice>,
        /// Overrides the credential's interval.
        interval: Interval,
        /// Static labels; they override those of the credential.
        labels: Named<LabelName, LabelValue>,
    }

    /// Campaigns by name and status; both keys must match.
    #[schemars(extend("anyOf" = [present("name"), present("status")]))]
    Filter {
        /// Pattern for the whole name, including case; `*` matches any text and `?` any single character.
        name: Glob,
        /// Effective statuses, as Meta names them.
        #[schemars(extend("minItems" = 1))]
        status: List<CampaignState>,
    }

    /// A single Meta campaign.
    #[schemars(extend("allOf" = given(&["id"])))]
    Campaign {
        /// The campaign's id.
        id: CampaignId,
        /// Overrides the credential's windows.
        #[schemars(extend("minItems" = 1))]
        windows: List<WindowChoice>,
        /// Overrides the credential's interval.
        interval: Interval,
        /// Static labels; they override those of the credential.
        labels: Named<LabelName, LabelValue>,
    }

    /// A window of fixed days.
    #[schemars(extend("allOf" = given(&["name", "since", "until"])))]
    Range {
        /// The value of the label `window`.
        name: RangeName,
        /// First day.
        since: jiff::civil::Date,
        /// Last day.
        until: jiff::civil::Date,
    }

    /// A credential for Alibaba Cloud CAMS and what is polled with it.
    #[schemars(extend("allOf" = one_place_each(&["access_key_id", "access_key_secret", "security_token"])))]
    Cams {
        /// The access key's id itself; prefer `access_key_id_file`.
        access_key_id: Hidden,
        /// A file with the access key's id.
        access_key_id_file: PathBuf,
        /// An environment variable with the access key's id.
        access_key_id_env: Variable,
        /// The access key's secret itself; prefer `access_key_secret_file`.
        access_key_secret: Hidden,
        /// A file with the access key's secret.
        access_key_secret_file: PathBuf,
        /// An environment variable with the access key's secret.
        access_key_secret_env: Variable,
        /// The security token of temporary access keys itself; prefer `security_token_file`.
        security_token: Hidden,
        /// A file with the security token.
        security_token_file: PathBuf,
        /// An environment variable with the security token.
        security_token_env: Variable,
        /// `default`: keys from the environment, instead of access keys.
        credentials: DefaultChain,
        /// Where the API is; http only to loopback.
        #[schemars(extend("default" = defaults::CAMS_ENDPOINT))]
        endpoint: BaseUrl,
        /// Maximum number of requests per second.
        #[schemars(extend("default" = defaults::CAMS_REQUESTS_PER_SECOND))]
        requests_per_second: RequestsPerSecond,
        /// Overrides `poll.interval`.
        interval: Interval,
        /// Static labels on this credential's samples.
        labels: Named<LabelName, LabelValue>,
        /// Pages and ad accounts.
        channels: List<Channel>,
    }

    /// A CAMS channel's page and ad account.
    #[schemars(extend("allOf" = given(&["cust_space_id", "page_id", "ad_account_id"])))]
    Channel {
        /// Space id of an ISV's customer, or instance id of a direct customer.
        cust_space_id: Space,
        /// The Messenger page.
        page_id: PageId,
        /// The Meta ad account behind it.
        ad_account_id: AccountId,
        /// The account's currency; looked up when absent.
        currency: Currency,
        /// `all`, or a list of ids.
        #[schemars(extend("default" = "all"))]
        campaigns: ChannelCampaigns,
        /// Overrides the credential's interval.
        interval: Interval,
        /// Static labels; they override those of the credential.
        labels: Named<LabelName, LabelValue>,
    }
}

/// A length of time as it is typed.
fn span(span: Duration) -> String {
    humantime::format_duration(span).to_string()
}

/// Says that a key is given, and not as null.
fn present(key: &str) -> Json {
    json!({"required": [key], "properties": {key: {"not": {"type": "null"}}}})
}

/// Says that all of the keys are given.
fn given(keys: &[&str]) -> Vec<Json> {
    keys.iter().map(|key| present(key)).collect()
}

/// Forbids that a secret is given in two places. That it is given in one cannot be said of a single
/// file: it may come from another layer.
fn one_place_each(stems: &[&str]) -> Vec<Json> {
    let pairs = stems.iter().flat_map(|stem| {
        let keys = keys_of(stem);
        [(0, 1), (0, 2), (1, 2)].map(|(one, other)| [keys[one].clone(), keys[other].clone()])
    });
    pairs.map(|[one, other]| json!({"not": {"allOf": [present(&one), present(&other)]}})).collect()
}

/// A window as it is typed.
pub(super) enum WindowChoice {
    /// By the API's name.
    Preset(Window),
    /// By its days.
    Range(Box<Range>),
}

impl Holds for WindowChoice {
    fn read(node: Node) -> Entry<Self> {
        let shown = match &node.value {
            Value::Map(_) => return Range::read(node).map(|range| Self::Range(Box::new(range))),
            Value::Scalar(Scalar { text, .. }) => match Window::preset(text) {
                Some(window) => return Entry::sound(Self::Preset(window)),
                None => match nearest(text, PRESETS) {
                    Some(preset) => {
                        return Entry::wrong(format!("{} is not a window; did you mean `{preset}`?", quoted(text)));
                    }
                    None => quoted(text),
                },
            },
            _ => node.kind().to_owned(),
        };
        let presets = PRESETS.join(", ");
        Entry::wrong(format!("{shown} is not a window; write {{name, since, until}} or one of {presets}"))
    }

    fn keys() -> Json {
        Range::keys()
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        schema(json!({"anyOf": [{"enum": PRESETS}, Range::schema(generator)]}))
    }
}

/// Campaigns of an ad account, as typed.
pub(super) enum AccountCampaigns {
    /// All, or some by their ids.
    Listed(ChannelCampaigns),
    /// Those of certain names and states.
    Filter(Box<Filter>),
}

impl Holds for AccountCampaigns {
    fn read(node: Node) -> Entry<Self> {
        if matches!(node.value, Value::Map(_)) {
            return Filter::read(node).map(|filter| Self::Filter(Box::new(filter)));
        }
        ChannelCampaigns::read_or(node, "write all, a list of campaign ids, or {name: \"Spring*\", status: [ACTIVE]}")
            .map(Self::Listed)
    }

    fn keys() -> Json {
        Filter::keys()
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        schema(json!({"anyOf": [ChannelCampaigns::schema(generator), Filter::schema(generator)]}))
    }
}
