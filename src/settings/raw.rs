//! The configuration as it is typed: every key, with its meaning. What the keys may hold is in
//! `leaf.rs`; what they mean together is decided in `meta.rs` and `cams.rs`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::choice::{Campaigns, RangeName, WindowChoice};
use super::entry::{Entry, Holds, List, Named, section, section_keys};
use super::leaf::{ApiVersion, BaseUrl, DefaultChain, Digits, Extra, LabelValue, Rate, Share, Size, Space, Span};
use super::leaf::{Variable, Whole};
use super::secret::Hidden;

use crate::domain::target::{AccountId, CampaignId, Currency, Level, PageId};

/// A configuration.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Raw {
    /// How targets are asked.
    pub(super) poll: Entry<Poll>,
    /// What is shown.
    pub(super) exposition: Entry<Exposition>,
    /// What survives a restart.
    pub(super) state: Entry<State>,
    /// Meta's Graph API: credentials by a name of your own of a-z, 0-9 and -.
    pub(super) meta: Entry<Named<Meta>>,
    /// Alibaba Cloud CAMS: credentials by a name of your own of a-z, 0-9 and -.
    pub(super) cams: Entry<Named<Cams>>,
}

/// How targets are asked.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Poll {
    /// How often each target is asked.
    pub(super) interval: Entry<Span>,
    /// One API request, from connect to the last byte.
    pub(super) timeout: Entry<Span>,
    /// A target's samples leave /metrics this long after its last success.
    pub(super) stale_after: Entry<Span>,
    /// API requests in flight, over everything.
    pub(super) concurrency: Entry<Whole<1, 256>>,
    /// A larger body is refused.
    pub(super) max_response: Entry<Size>,
}

/// What is shown.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Exposition {
    /// Campaign series; beyond it whole targets are left out.
    pub(super) max_series: Entry<Whole<1, 1_000_000_000>>,
}

/// What survives a restart.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct State {
    /// Where the last good samples and the schedule are kept.
    pub(super) file: Entry<PathBuf>,
}

/// A credential of Meta's Graph API and what is asked with it.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
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
    pub(super) api_version: Entry<ApiVersion>,
    /// Where the API is; http only to loopback.
    pub(super) base_url: Entry<BaseUrl>,
    /// Share of the API's allowance that this exporter may use.
    pub(super) budget: Entry<Share>,
    /// Overrides `poll.interval`.
    pub(super) interval: Entry<Span>,
    /// Over which days figures are summed.
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
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Account {
    /// The account's id, with or without `act_`.
    pub(super) id: Entry<AccountId>,
    /// Also the account's own figures, for one request more a window.
    pub(super) totals: Entry<bool>,
    /// What a campaign id means: `ad` or `campaign`.
    pub(super) level: Entry<Level>,
    /// `all`, or a list of ids.
    pub(super) campaigns: Entry<Campaigns>,
    /// Overrides the credential's windows.
    pub(super) windows: Entry<List<WindowChoice>>,
    /// Overrides the credential's interval.
    pub(super) interval: Entry<Span>,
    /// Static labels, over those of the credential.
    pub(super) labels: Entry<Named<LabelValue>>,
}

/// A single Meta campaign.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
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
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Range {
    /// The value of the label `window`.
    pub(super) name: Entry<RangeName>,
    /// First day.
    pub(super) since: Entry<jiff::civil::Date>,
    /// Last day.
    pub(super) until: Entry<jiff::civil::Date>,
}

/// A credential of Alibaba Cloud CAMS and what is asked with it.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
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
    pub(super) endpoint: Entry<BaseUrl>,
    /// How many requests are sent in a second at most.
    pub(super) requests_per_second: Entry<Rate>,
    /// Overrides `poll.interval`.
    pub(super) interval: Entry<Span>,
    /// Static labels on this credential's samples.
    pub(super) labels: Entry<Named<LabelValue>>,
    /// Pages and ad accounts.
    pub(super) channels: Entry<List<Channel>>,
}

/// A CAMS channel's page and ad account.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
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
    pub(super) campaigns: Entry<Campaigns>,
    /// Overrides the credential's interval.
    pub(super) interval: Entry<Span>,
    /// Static labels, over those of the credential.
    pub(super) labels: Entry<Named<LabelValue>>,
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
        }
    )*};
}

sections!(Raw Poll Exposition State Meta Account Campaign Range Cams Channel);
