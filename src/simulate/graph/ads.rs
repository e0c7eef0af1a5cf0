//! The ads of an account, each with the ad set and the campaign that it stands under.

use super::super::WorldTime;
use super::super::figures::{Days, Totals};
use super::super::ledger::Now;
use super::super::spec::{Account, Campaign};
use super::super::world::World;

/// What rows and objects are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GraphLevel {
    Ad,
    AdSet,
    Campaign,
    Account,
}

/// Any ad.
#[derive(Clone, Copy, Debug)]
pub(super) enum AnyAd<'a> {
    /// Of a marketing-message campaign.
    Message(&'a Campaign),
    /// Another one, by its number in the account.
    Ordinary(&'a Account, u32),
}

/// What every ad has, whatever it advertises.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PlainFigures {
    pub(super) impressions: f64,
    pub(super) clicks: f64,
    pub(super) reach: f64,
    pub(super) spend: f64,
}

/// From an ad's id to those of what stands above it.
const ORDINARY_ADSET: u64 = 30_000;
const ORDINARY_CAMPAIGN: u64 = 60_000;

/// Of an ordinary ad, each day.
const ORDINARY_DAY: PlainFigures = PlainFigures { impressions: 1000.0, clicks: 20.0, reach: 900.0, spend: 12.34 };

impl GraphLevel {
    /// Its name in parameters.
    pub(super) const ALL: [(&'static str, Self); 4] =
        [("ad", Self::Ad), ("adset", Self::AdSet), ("campaign", Self::Campaign), ("account", Self::Account)];

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
    }

    /// Effective statuses that its objects can have.
    pub(super) fn statuses(self) -> &'static [&'static str] {
        const CAMPAIGN: &[&str] = &["ACTIVE", "ARCHIVED", "DELETED", "IN_PROCESS", "PAUSED", "WITH_ISSUES"];
        const ADSET: &[&str] =
            &["ACTIVE", "ARCHIVED", "CAMPAIGN_PAUSED", "DELETED", "IN_PROCESS", "PAUSED", "WITH_ISSUES"];
        const AD: &[&str] = &[
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
        match self {
            Self::Ad => AD,
            Self::AdSet => ADSET,
            Self::Campaign | Self::Account => CAMPAIGN,
        }
    }
}

impl<'a> AnyAd<'a> {
    /// Every ad of an account.
    pub(super) fn of(account: &'a Account) -> impl Iterator<Item = Self> {
        let ordinary = (0..account.ordinary_ads).map(move |n| Self::Ordinary(account, n));
        account.campaigns.iter().map(Self::Message).chain(ordinary)
    }

    /// The id of the ad, or of what stands above it.
    pub(super) fn id(self, level: GraphLevel) -> u64 {
        match (self, level) {
            (Self::Message(campaign), GraphLevel::Ad) => campaign.id,
            (Self::Message(campaign), GraphLevel::AdSet) => campaign.adset(),
            (Self::Message(campaign), _) => campaign.parent,
            (Self::Ordinary(account, n), GraphLevel::Ad) => account.ordinary(n),
            (Self::Ordinary(account, n), GraphLevel::AdSet) => account.ordinary(n) + ORDINARY_ADSET,
            (Self::Ordinary(account, n), _) => account.ordinary(n) + ORDINARY_CAMPAIGN,
        }
    }

    /// What its id says that it is, if it is one of this ad.
    pub(super) fn level_of(self, id: u64) -> Option<GraphLevel> {
        [GraphLevel::Ad, GraphLevel::AdSet, GraphLevel::Campaign].into_iter().find(|level| self.id(*level) == id)
    }

    /// Its name, which is also that of what stands above it.
    pub(super) fn name(self, moment: WorldTime) -> String {
        match self {
            Self::Message(campaign) => campaign.name_at(moment.elapsed),
            Self::Ordinary(_, n) => format!("Ordinary ad {n}"),
        }
    }

    /// Its effective status.
    pub(super) fn status(self) -> &'a str {
        match self {
            Self::Message(campaign) => &campaign.status,
            Self::Ordinary(..) => "ACTIVE",
        }
    }

    /// Whether it belongs to a marketing-message campaign.
    pub(super) fn is_message(self) -> bool {
        matches!(self, Self::Message(_))
    }

    /// Whether it delivered anything on some days; without delivery there is no row.
    pub(super) fn delivers(self, world: &World, days: Days, now: Now) -> bool {
        match self {
            Self::Message(campaign) => world.ledger.delivers(&world.spec, campaign, days, now),
            Self::Ordinary(..) => days.0 <= now.today,
        }
    }

    /// What it did on some days: its messages, if it is about any, and what every ad has.
    pub(super) fn figures(self, world: &World, days: Days, now: Now) -> (Option<Totals>, PlainFigures) {
        match self {
            Self::Message(campaign) => {
                let totals = world.ledger.totals(&world.spec, campaign, days, now);
                (Some(totals), PlainFigures::of(&totals))
            }
            Self::Ordinary(..) => {
                let last = days.1.min(now.today);
                let count = (last - days.0).get_days() + 1;
                (None, ORDINARY_DAY.times(f64::from(count.max(0))))
            }
        }
    }
}

impl PlainFigures {
    fn of(totals: &Totals) -> Self {
        Self { impressions: totals.delivered, clicks: totals.clicks, reach: totals.delivered, spend: totals.spend }
    }

    fn times(self, count: f64) -> Self {
        Self {
            impressions: self.impressions * count,
            clicks: self.clicks * count,
            reach: self.reach * count,
            spend: self.spend * count,
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            impressions: self.impressions + other.impressions,
            clicks: self.clicks + other.clicks,
            reach: self.reach + other.reach,
            spend: self.spend + other.spend,
        }
    }

    /// The value of a field as the wire writes it; `None` where it cannot be computed.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let per = |a: f64, b: f64| (b > 0.0).then(|| format!("{:.6}", a / b));
        match name {
            "impressions" => Some(format!("{:.0}", self.impressions)),
            "clicks" => Some(format!("{:.0}", self.clicks)),
            "reach" => Some(format!("{:.0}", self.reach)),
            "spend" => Some(format!("{:.2}", self.spend)),
            "ctr" => per(100.0 * self.clicks, self.impressions),
            "cpc" => per(self.spend, self.clicks),
            "cpm" => per(1000.0 * self.spend, self.impressions),
            "frequency" => per(self.impressions, self.reach),
            _ => None,
        }
    }
}

/// A node that was named by its id.
#[derive(Clone, Copy, Debug)]
pub(super) enum NamedNode {
    /// The account at this place of the world.
    Account(usize),
    /// An object of it.
    Object(usize, GraphLevel, u64),
}

impl NamedNode {
    /// Where a node stands in the world.
    pub(super) fn find(world: &World, node: &str) -> Option<Self> {
        let mut accounts = world.spec.accounts.iter();
        if let Some(id) = node.strip_prefix("act_") {
            let id: u64 = id.parse().ok()?;
            return accounts.position(|account| account.id == id).map(Self::Account);
        }
        let id: u64 = node.parse().ok()?;
        accounts.enumerate().find_map(|(at, account)| {
            let level = AnyAd::of(account).find_map(|ad| ad.level_of(id))?;
            Some(Self::Object(at, level, id))
        })
    }

    /// The account that it is, or stands in.
    pub(super) fn account(self) -> usize {
        match self {
            Self::Account(at) | Self::Object(at, ..) => at,
        }
    }

    /// What it is.
    pub(super) fn level(self) -> GraphLevel {
        match self {
            Self::Account(_) => GraphLevel::Account,
            Self::Object(_, level, _) => level,
        }
    }

    /// The ads that belong to it.
    pub(super) fn ads(self, account: &Account) -> Vec<AnyAd<'_>> {
        match self {
            Self::Account(_) => AnyAd::of(account).collect(),
            Self::Object(_, level, id) => AnyAd::of(account).filter(|ad| ad.id(level) == id).collect(),
        }
    }
}
