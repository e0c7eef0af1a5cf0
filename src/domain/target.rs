//! What can be asked for: ids, windows, and the key of a target.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use jiff::civil::Date;

mod source;

pub use source::{LaneScope, Source};

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 19 digits without a leading zero")]
pub struct NotAnId;

/// Reads the digits of an id. 64 bits hold every id that Meta gives out, and cannot break a label,
/// a URL or a file name.
fn digits(text: &str) -> Result<NonZeroU64, NotAnId> {
    let plain = !text.is_empty() && text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(id) if plain && !text.starts_with('0') => Ok(id),
        _ => Err(NotAnId),
    }
}

/// An ad account's id, without `act_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(NonZeroU64);

impl AccountId {
    /// Reads digits, with or without `act_` before them.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        digits(text.strip_prefix("act_").unwrap_or(text)).map(Self)
    }

    /// The number that the digits are.
    pub fn number(self) -> u64 {
        self.0.get()
    }
}

/// A campaign's id, as the user knows it: on Meta the id that `message_campaign` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CampaignId(NonZeroU64);

impl CampaignId {
    /// Reads digits.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        digits(text).map(Self)
    }

    /// The number that the digits are.
    pub fn number(self) -> u64 {
        self.0.get()
    }
}

/// A Messenger page's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageId(NonZeroU64);

impl PageId {
    /// Reads digits.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        digits(text).map(Self)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The value of the label `account_id`: empty where the account is unknown.
pub fn account_label(account: Option<AccountId>) -> String {
    account.map(|account| account.to_string()).unwrap_or_default()
}

impl fmt::Display for CampaignId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a campaign id means in an account's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The row's `ad_id`.
    Ad,
    /// The row's `campaign_id`.
    Campaign,
}

impl Level {
    /// The value of Meta's parameter `level`, and the object's name in filters.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ad => "ad",
            Self::Campaign => "campaign",
        }
    }

    /// The effective statuses that an object of this level can have.
    pub fn states(self) -> &'static [&'static str] {
        match self {
            Self::Ad => &AD_STATES,
            Self::Campaign => &CAMPAIGN_STATES,
        }
    }
}

/// Effective statuses of ads, in Meta's words, sorted.
const AD_STATES: [&str; 12] = [
    "ACTIVE",
    "ADSET_PAUSED",
    "ARCHIVED",
    "CAMPAIGN_PAUSED",
    "DELETED",
    "DISAPPROVED",
    "IN_PROCESS",
    "PAUSED",
    "PENDING_BILLING_INFO",
    "PENDING_REVIEW",
    "PREAPPROVED",
    "WITH_ISSUES",
];
/// Those of campaigns, all of which ads have too.
const CAMPAIGN_STATES: [&str; 6] = ["ACTIVE", "ARCHIVED", "DELETED", "IN_PROCESS", "PAUSED", "WITH_ISSUES"];

/// Meta's window presets: the values of `date_preset`.
pub const PRESETS: [&str; 20] = [
    "today",
    "yesterday",
    "this_month",
    "last_month",
    "this_quarter",
    "maximum",
    "data_maximum",
    "last_3d",
    "last_7d",
    "last_14d",
    "last_28d",
    "last_30d",
    "last_90d",
    "last_week_mon_sun",
    "last_week_sun_sat",
    "last_quarter",
    "last_year",
    "this_week_mon_today",
    "this_week_sun_today",
    "this_year",
];

/// A span of days over which figures are summed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Window {
    /// One of [`PRESETS`]; it moves with the account's midnight.
    Preset(&'static str),
    /// From the first to the last day, both inclusive, under a name of the user's.
    Range {
        /// The value of the label `window`.
        name: Arc<str>,
        /// First day.
        since: Date,
        /// Last day.
        until: Date,
    },
    /// CAMS offers no choice.
    Unspecified,
}

impl Window {
    /// The preset of this name.
    pub fn preset(name: &str) -> Option<Self> {
        PRESETS.iter().find(|preset| **preset == name).map(|preset| Self::Preset(preset))
    }

    /// The value of the label `window`.
    pub fn label(&self) -> &str {
        match self {
            Self::Preset(name) => name,
            Self::Range { name, .. } => name,
            Self::Unspecified => "unspecified",
        }
    }

    /// Whether it begins with each campaign, so that its days are each campaign's own. Those of any
    /// other window are the same for all campaigns of an account.
    pub fn begins_with_campaign(&self) -> bool {
        matches!(self, Self::Preset("maximum" | "data_maximum") | Self::Unspecified)
    }

    /// Whether its days may differ between the campaigns that stand together. Without an account, those
    /// may be of several, with time zones of their own.
    pub fn is_of_each(&self, account: Option<AccountId>) -> bool {
        account.is_none() || self.begins_with_campaign()
    }
}

/// A currency's ISO 4217 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads three capital letters.
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Static labels of a target, sorted by name; values as the user wrote them.
pub type Labels = Arc<[(String, String)]>;

/// What of an account is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The account's name, currency and time zone.
    AccountFacts,
    /// The names and states of its campaigns.
    Listing,
    /// Name and state of one campaign whose account is unknown.
    CampaignFacts(CampaignId),
    /// The health of the credential's token.
    Token,
    /// The ad accounts that the credential's user can see.
    VisibleAccounts,
    /// The ad accounts that the credential's system user was assigned.
    AssignedAccounts,
    /// The rows of its campaigns.
    Campaigns,
    /// The account's own figures.
    Totals,
    /// The rows of one campaign.
    Campaign(CampaignId),
}

impl Subject {
    /// Whether the answer describes what is known rather than what was delivered. Such requests
    /// are repeated rarely and are no target in the sense of the label.
    pub fn is_discovery(self) -> bool {
        !matches!(self, Self::Campaigns | Self::Totals | Self::Campaign(_))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountFacts => f.write_str("account_facts"),
            Self::Listing => f.write_str("listing"),
            Self::Token => f.write_str("token"),
            Self::VisibleAccounts => f.write_str("visible_accounts"),
            Self::AssignedAccounts => f.write_str("assigned_accounts"),
            Self::CampaignFacts(id) => write!(f, "campaign_facts_{id}"),
            Self::Campaigns => f.write_str("account"),
            Self::Totals => f.write_str("totals"),
            Self::Campaign(id) => id.fmt(f),
        }
    }
}

/// The identity of a target over reloads and restarts, and the order of its samples.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetKey {
    /// Whose API.
    pub source: Source,
    /// The configured account; `None` for a single campaign.
    pub account: Option<AccountId>,
    /// What is asked for. It stands before the credential, so that rivals for a series are neighbours.
    pub subject: Subject,
    /// The credential's name in the configuration.
    pub credential: Arc<str>,
    /// Which part of a subject that takes several requests; 0 when there is one.
    pub part: u32,
    /// Over which days; [`Window::Unspecified`] for discovery.
    pub window: Window,
}

/// A credential: its name alone may be that of another source's as well.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId {
    /// Whose API.
    pub source: Source,
    /// The credential's name in the configuration.
    pub name: Arc<str>,
}

/// As people find it: `meta/main`.
impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source.label(), self.name)
    }
}

impl TargetKey {
    /// In whose name it is asked.
    pub fn credential_id(&self) -> CredentialId {
        CredentialId { source: self.source, name: self.credential.clone() }
    }

    /// The value of the label `target`: `account`, `totals`, or a campaign's id, and which part it is. Log,
    /// page and tables call it the same; what is looked up beside figures has names of its own.
    pub fn label(&self) -> String {
        if self.part == 0 { self.subject.to_string() } else { format!("{}_{}", self.subject, self.part) }
    }

    /// What names it in samples and in the log, in the order of both.
    pub fn labels(&self) -> [(&'static str, Cow<'_, str>); 5] {
        [
            ("source", self.source.label().into()),
            ("credential", (*self.credential).into()),
            ("account_id", account_label(self.account).into()),
            ("target", self.label().into()),
            ("window", self.window.label().into()),
        ]
    }
}

/// As people find it: `meta/main/2398765432/account/last_7d`.
impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source.label(), self.credential)?;
        if let Some(account) = self.account {
            write!(f, "/{account}")?;
        }
        write!(f, "/{}", self.label())?;
        match self.window {
            // There is no choice, or none that matters: it would be noise.
            Window::Unspecified => Ok(()),
            _ => write!(f, "/{}", self.window.label()),
        }
    }
}

#[cfg(test)]
mod tests;
