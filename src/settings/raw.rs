//! The configuration as it is typed: every key, with its meaning. What the keys may hold is in
//! `leaf.rs`; what they mean together is decided in `meta.rs` and `cams.rs`.

use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::address::BaseUrl;
use super::choice::{CampaignState, Campaigns, Listed, RangeName, WindowChoice};
use super::entry::{Entry, Holds, List, Named, section, section_keys};
use super::leaf::{ApiVersion, DefaultChain, Digits, Extra, LabelValue, Rate, Share, Size, Space, Span};
use super::leaf::{Variable, Whole};
use super::log::LogLevel;
use super::secret::Hidden;
use super::{cams, cascade, meta};

use crate::domain::budget::Tier;
use crate::domain::filter::Glob;
use crate::domain::target::{AccountId, CampaignId, Currency, Level, PageId};

/// A configuration.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Raw {
    /// How targets are asked.
    pub(super) poll: Entry<Poll>,
    /// What is shown.
    pub(super) exposition: Entry<Exposition>,
    /// What survives a restart.
    pub(super) state: Entry<State>,
    /// How much is logged; a reload puts it into force.
    pub(super) log: Entry<Log>,
    /// Meta's Graph API: credentials by a name of your own of a-z, 0-9 and -.
    pub(super) meta: Entry<Named<Meta>>,
    /// Alibaba Cloud CAMS: credentials by a name of your own of a-z, 0-9 and -.
    pub(super) cams: Entry<Named<Cams>>,
}

/// How targets are asked.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Poll {
    /// How often each target is asked.
    #[schemars(extend("default" = span(cascade::DEFAULT_INTERVAL)))]
    pub(super) interval: Entry<Span>,
    /// One API request, from connect to the last byte.
    #[schemars(extend("default" = span(super::TIMEOUT)))]
    pub(super) timeout: Entry<Span>,
    /// A target's samples leave /metrics this long after its last success.
    pub(super) stale_after: Entry<Span>,
    /// API requests in flight, over everything.
    #[schemars(extend("default" = super::CONCURRENCY))]
    pub(super) concurrency: Entry<Whole<1, 256>>,
    /// A larger body is refused.
    #[schemars(extend("default" = format!("{}MiB", super::MAX_RESPONSE >> 20)))]
    pub(super) max_response: Entry<Size>,
}

/// What is shown.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Exposition {
    /// Campaign series; beyond it whole targets are left out.
    #[schemars(extend("default" = super::MAX_SERIES))]
    pub(super) max_series: Entry<Whole<1, 1_000_000_000>>,
}

/// What survives a restart.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct State {
    /// Where the last good samples and the schedule are kept.
    pub(super) file: Entry<PathBuf>,
}

/// How much is logged.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Log {
    /// The least severity that is logged; the flag `--log.level` goes before it.
    pub(super) level: Entry<LogLevel>,
    /// Levels of the lines about single ad accounts, by their ids.
    pub(super) accounts: Entry<Named<LogLevel>>,
}

/// A credential of Meta's Graph API and what is asked with it.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("allOf" = one_place_each(&["token", "app_secret"])))]
pub(super) struct Meta {
    /// The access token itself; prefer `token_file`.
    pub(super) token: Entry<Hidden>,
    /// A file that holds the access token; it is read again when it changes.
    pub(super) token_file: Entry<PathBuf>,
    /// An environment variable that holds the access token.
    pub(super) token_env: Entry<Variable>,
    /// The app's id; with its secret, the token's health is read.
    pub(super) app_id: Entry<Digits>,
    /// The app's secret itself; prefer `app_secret_file`.
    pub(super) app_secret: Entry<Hidden>,
    /// A file that holds the app's secret; with it each request carries a proof.
    pub(super) app_secret_file: Entry<PathBuf>,
    /// An environment variable that holds the app's secret.
    pub(super) app_secret_env: Entry<Variable>,
    /// The Graph API's version.
    #[schemars(extend("default" = meta::API_VERSION))]
    pub(super) api_version: Entry<ApiVersion>,
    /// Where the API is; http only to loopback.
    #[schemars(extend("default" = meta::BASE_URL))]
    pub(super) base_url: Entry<BaseUrl>,
    /// Share of the API's allowance that this exporter may use.
    #[schemars(extend("default" = meta::BUDGET))]
    pub(super) budget: Entry<Share>,
    /// The app's access tier, `limited` or `full`: what counts until an answer tells it.
    pub(super) tier: Entry<Tier>,
    /// Overrides `poll.interval`.
    pub(super) interval: Entry<Span>,
    /// Over which days figures are summed.
    #[schemars(extend("default" = cascade::DEFAULT_WINDOWS))]
    pub(super) windows: Entry<List<WindowChoice>>,
    /// Families that are off by default.
    pub(super) extra_metrics: Entry<List<Extra>>,
    /// Static labels on this credential's samples.
    pub(super) labels: Entry<Named<LabelValue>>,
    /// Ad accounts.
    pub(super) accounts: Entry<List<Account>>,
    /// Single campaigns, without their account.
    pub(super) campaigns: Entry<List<Campaign>>,
}

/// A Meta ad account.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("required" = ["id"]))]
pub(super) struct Account {
    /// The account's id, with or without `act_`.
    pub(super) id: Entry<AccountId>,
    /// Also the account's own figures, for one request more a window.
    #[schemars(extend("default" = true))]
    pub(super) totals: Entry<bool>,
    /// What a campaign id means: `ad` or `campaign`.
    #[schemars(extend("default" = Level::Ad.label()))]
    pub(super) level: Entry<Level>,
    /// `all`, a list of ids, or a filter by name and state.
    #[schemars(extend("default" = "all"))]
    pub(super) campaigns: Entry<Campaigns>,
    /// Overrides the credential's windows.
    pub(super) windows: Entry<List<WindowChoice>>,
    /// Overrides the credential's interval.
    pub(super) interval: Entry<Span>,
    /// Static labels, over those of the credential.
    pub(super) labels: Entry<Named<LabelValue>>,
}

/// Campaigns by name and state; what both keys say must hold.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("anyOf" = [present("name"), present("status")]))]
pub(super) struct Filter {
    /// The whole name, upper and lower case apart; `*` is any text and `?` any one character.
    pub(super) name: Entry<Glob>,
    /// Effective statuses, in Meta's words.
    pub(super) status: Entry<List<CampaignState>>,
}

/// A single Meta campaign.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("required" = ["id"]))]
pub(super) struct Campaign {
    /// The campaign's id.
    pub(super) id: Entry<CampaignId>,
    /// Overrides the credential's windows.
    pub(super) windows: Entry<List<WindowChoice>>,
    /// Overrides the credential's interval.
    pub(super) interval: Entry<Span>,
    /// Static labels, over those of the credential.
    pub(super) labels: Entry<Named<LabelValue>>,
}

/// A window of fixed days.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("required" = ["name", "since", "until"]))]
pub(super) struct Range {
    /// The value of the label `window`.
    pub(super) name: Entry<RangeName>,
    /// First day.
    pub(super) since: Entry<jiff::civil::Date>,
    /// Last day.
    pub(super) until: Entry<jiff::civil::Date>,
}

/// A credential of Alibaba Cloud CAMS and what is asked with it.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("allOf" = one_place_each(&["access_key_id", "access_key_secret", "security_token"])))]
pub(super) struct Cams {
    /// The access key's id itself; prefer `access_key_id_file`.
    pub(super) access_key_id: Entry<Hidden>,
    /// A file that holds the access key's id.
    pub(super) access_key_id_file: Entry<PathBuf>,
    /// An environment variable that holds the access key's id.
    pub(super) access_key_id_env: Entry<Variable>,
    /// The access key's secret itself; prefer `access_key_secret_file`.
    pub(super) access_key_secret: Entry<Hidden>,
    /// A file that holds the access key's secret.
    pub(super) access_key_secret_file: Entry<PathBuf>,
    /// An environment variable that holds the access key's secret.
    pub(super) access_key_secret_env: Entry<Variable>,
    /// The security token of temporary access keys itself; prefer `security_token_file`.
    pub(super) security_token: Entry<Hidden>,
    /// A file that holds the security token.
    pub(super) security_token_file: Entry<PathBuf>,
    /// An environment variable that holds the security token.
    pub(super) security_token_env: Entry<Variable>,
    /// `default`: instead of access keys, what the surroundings offer.
    pub(super) credentials: Entry<DefaultChain>,
    /// Where the API is; http only to loopback.
    #[schemars(extend("default" = cams::ENDPOINT))]
    pub(super) endpoint: Entry<BaseUrl>,
    /// How many requests are sent in a second at most.
    #[schemars(extend("default" = cams::REQUESTS_PER_SECOND))]
    pub(super) requests_per_second: Entry<Rate>,
    /// Overrides `poll.interval`.
    pub(super) interval: Entry<Span>,
    /// Static labels on this credential's samples.
    pub(super) labels: Entry<Named<LabelValue>>,
    /// Pages and ad accounts.
    pub(super) channels: Entry<List<Channel>>,
}

/// A CAMS channel's page and ad account.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("required" = ["cust_space_id", "page_id", "ad_account_id"]))]
pub(super) struct Channel {
    /// Space id of an ISV's customer, or instance id of a direct customer.
    pub(super) cust_space_id: Entry<Space>,
    /// The Messenger page.
    pub(super) page_id: Entry<PageId>,
    /// The Meta ad account behind it.
    pub(super) ad_account_id: Entry<AccountId>,
    /// The account's currency; asked for when absent.
    pub(super) currency: Entry<Currency>,
    /// `all`, or a list of ids.
    #[schemars(extend("default" = "all"))]
    pub(super) campaigns: Entry<Listed>,
    /// Overrides the credential's interval.
    pub(super) interval: Entry<Span>,
    /// Static labels, over those of the credential.
    pub(super) labels: Entry<Named<LabelValue>>,
}

/// A length of time as it is typed.
fn span(span: Duration) -> String {
    humantime::format_duration(span).to_string()
}

/// Says that a key is given, and not as null.
fn present(key: &str) -> Json {
    json!({"required": [key], "properties": {key: {"not": {"type": "null"}}}})
}

/// Forbids that a secret is given in two places. That it is given in one cannot be said of a single
/// file: it may come from another layer.
fn one_place_each(stems: &[&str]) -> Vec<Json> {
    let pairs = stems.iter().flat_map(|stem| {
        let keys = [(*stem).to_owned(), format!("{stem}_file"), format!("{stem}_env")];
        [(0, 1), (0, 2), (1, 2)].map(|(one, other)| [keys[one].clone(), keys[other].clone()])
    });
    pairs.map(|[one, other]| json!({"not": {"allOf": [present(&one), present(&other)]}})).collect()
}

macro_rules! sections {
    ($($name:ident)*) => {$(
        impl Holds for $name {
            fn read(json: Json) -> Entry<Self> {
                section(json)
            }

            fn keys() -> Json {
                section_keys::<Self>()
            }

            fn schema(generator: &mut SchemaGenerator) -> Schema {
                generator.subschema_for::<Self>()
            }
        }
    )*};
}

sections!(Raw Poll Exposition State Log Meta Account Filter Campaign Range Cams Channel);
