//! What exists in a world: accounts, campaigns, tokens, keys.

use serde::{Deserialize, Serialize};

use super::allowance::Allowance;
use super::model::{CampaignEvent, Profile};

/// A world. Every figure in it follows from this and from the time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each turns one thing on, told apart by its name")]
pub struct Spec {
    /// Seed of the figures.
    pub seed: u64,
    /// Meta ad accounts.
    pub accounts: Vec<Account>,
    /// CAMS channels.
    pub channels: Vec<Channel>,
    /// Meta tokens.
    pub tokens: Vec<Token>,
    /// Alibaba Cloud access keys.
    pub keys: Vec<Key>,
    /// How campaigns behave, with all noise; but the messages of a day, the ratios and the price are
    /// each campaign's own. `None` is exact figures.
    pub noise: Option<Profile>,
    /// Messages delivered each second since the world began, so that figures move between polls.
    /// With noise, 0 lets them move as on any day instead.
    pub pace: f64,
    /// The only window of CAMS is a campaign's whole life, and not the last 31 days.
    pub cams_lifetime: bool,
    /// Every figure of every window moves with each second: for load.
    pub restless: bool,
    /// Versions of the Graph API that are dead before their time.
    pub dead_versions: Vec<String>,
    /// Answers calls to dead versions as the oldest one that lives, with a warning, and does not refuse them.
    pub upgrades_versions: bool,
    /// Fields that the API refuses although the table has them.
    pub refused_fields: Vec<String>,
    /// Rows times fields of a page beyond which the API asks for less.
    pub most_cells: Option<usize>,
    /// The app's id and secret.
    pub app: Option<(String, String)>,
    /// Whether requests must carry the proof of that secret; one that is sent must be right in any case.
    pub proof: Proof,
    /// Puts an empty page with a next one before every last page.
    pub empty_pages: bool,
    /// The demo's story: an account that is throttled, a token that expires, a renamed campaign.
    pub demo: bool,
}

/// Whether an app takes requests without the proof of its secret, as its settings say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It refuses them.
    #[default]
    Required,
    /// It takes them.
    Optional,
}

/// A Meta ad account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Digits of its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// IANA name.
    pub timezone: String,
    /// Its marketing-message campaigns.
    pub campaigns: Vec<Campaign>,
    /// Ordinary ads beside them.
    pub ordinary_ads: u32,
    /// What may be asked; `None` is without bounds.
    pub allowance: Option<Allowance>,
}

impl Account {
    /// Id of one of its ordinary ads.
    pub(super) fn ordinary(&self, n: u32) -> u64 {
        self.id * 1_000_000 + 900_000 + u64::from(n)
    }
}

/// A marketing-message campaign. On Meta it is an ad under a campaign of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Campaign {
    /// The id that users know: the ad's.
    pub id: u64,
    /// The id of the campaign object above it.
    pub parent: u64,
    /// Its name.
    pub name: String,
    /// Its effective status.
    pub status: String,
    /// Messages a day.
    pub daily: f64,
    /// Its first day, counted back from today.
    pub age_days: i64,
    /// What becomes of it.
    pub story: Story,
    /// What happens to it, in a world with noise.
    #[serde(default)]
    pub events: Vec<CampaignEvent>,
}

/// What becomes of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Story {
    /// Nothing.
    Steady,
    /// Its cost per click climbs for ten minutes and falls back.
    Climbing,
    /// It stops delivering after two minutes.
    Stopped,
    /// It has no delivery at all.
    Silent,
    /// Its name changes every two minutes.
    Renamed,
}

/// A CAMS channel's page and ad account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Channel {
    /// `CustSpaceId`.
    pub space: String,
    /// `PageId`.
    pub page: u64,
    /// `AdAccountId`, with its currency and campaigns.
    pub account: Account,
}

/// A Meta token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// A name for the control.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The accounts that it may read.
    pub accounts: Vec<u64>,
    /// Unix seconds of its expiry, for `debug_token`; `None` is never.
    #[serde(default)]
    pub expires: Option<i64>,
    /// The subcode of code 190 with which it is refused; `None` while it lives.
    pub refused: Option<i64>,
}

/// An Alibaba Cloud access key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// `AccessKeyId`.
    pub id: String,
    /// `AccessKeySecret`.
    pub secret: String,
    /// The security token that temporary keys need.
    pub security_token: Option<String>,
    /// Calls in one second beyond which it is throttled.
    pub per_second: Option<u32>,
}

impl Campaign {
    /// The id of the ad set between the ad and the campaign.
    pub(super) fn adset(&self) -> u64 {
        self.parent + 250_000_000_000
    }
}

impl Spec {
    /// A world for load and tests: so many accounts with so many campaigns each, one token `main`
    /// whose text is `token-main`. Account ids begin at 1001, campaign ids of account n at
    /// n * 1,000,000 + 1.
    pub fn fleet(accounts: u32, campaigns: u32) -> Self {
        let accounts: Vec<_> = (0..u64::from(accounts))
            .map(|index| {
                let id = 1001 + index;
                Account {
                    id,
                    name: format!("Account {id}"),
                    currency: "EUR".into(),
                    timezone: "Europe/Berlin".into(),
                    campaigns: (1..=u64::from(campaigns)).map(|n| Campaign::steady(id * 1_000_000 + n)).collect(),
                    ordinary_ads: 0,
                    allowance: Some(Allowance::FULL),
                }
            })
            .collect();
        let ids = accounts.iter().map(|account| account.id).collect();
        let token =
            Token { name: "main".into(), text: "token-main".into(), accounts: ids, expires: None, refused: None };
        Self { seed: 1, accounts, tokens: vec![token], pace: 5.0, ..Self::default() }
    }

    /// The world that `demo` runs against.
    pub fn demo() -> Self {
        super::demo::world()
    }
}

impl Campaign {
    /// A campaign of half a year that delivers steadily.
    pub fn steady(id: u64) -> Self {
        Self {
            id,
            parent: id + 500_000_000_000,
            name: format!("Campaign {id}"),
            status: "ACTIVE".into(),
            daily: 120.0 + f64::from(u16::try_from(id % 97).unwrap_or_default()) * 13.0,
            age_days: 180,
            story: Story::Steady,
            events: Vec::new(),
        }
    }
}
