//! What survives a restart. Instants are wall-clock time, because the monotonic clock ends with the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::GroupKey;
use super::facts::{AccountFacts, Listing};
use super::freshness::{Freshness, SampleTerms};
use super::lane::LaneKey;
use super::rows::Rows;
use super::snapshot::{Learned, Snapshot};
use super::status::TargetStatus;
use super::target::{AccountId, CampaignId, Level, TargetKey};
use super::time::{UnixSeconds, Uptime};

/// Everything that survives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedState {
    /// Every target that is polled.
    pub targets: BTreeMap<TargetKey, SavedTarget>,
    /// What is known of accounts.
    pub accounts: Vec<SavedNames<AccountFacts>>,
    /// What discoveries know of campaigns.
    pub listings: Vec<SavedNames<Listing>>,
    /// The accounts of single campaigns, by credential; `None` for those that are read by themselves.
    pub members: Vec<SavedMember>,
    /// Lanes that the API stopped, and until when.
    pub blocked: Vec<(LaneKey, UnixSeconds)>,
}

/// A single campaign of a credential, and where it belongs.
pub type SavedMember = (Arc<str>, CampaignId, Option<(AccountId, Level)>);

/// What a discovery found.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedNames<T> {
    /// Which discovery.
    pub key: TargetKey,
    /// Of which account.
    pub home: GroupKey,
    /// What it found.
    pub what: T,
    /// When that leaves unless it is replaced.
    pub expires: UnixSeconds,
}

/// What survives of a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedTarget {
    /// What it asked for; another question is another target.
    pub asks: String,
    /// When it is due.
    pub due: UnixSeconds,
    /// Failed polls since its last success.
    pub failures: u32,
    /// How it fared; nothing for discovery.
    pub status: Option<TargetStatus>,
    /// Its last good rows.
    pub rows: Option<SavedRows>,
}

/// Rows that survive.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedRows {
    /// The account that they named.
    pub account: Option<AccountId>,
    /// When they leave unless they are replaced.
    pub expires: UnixSeconds,
    /// Campaigns that leave earlier.
    pub older: Vec<(CampaignId, UnixSeconds)>,
    /// The rows.
    pub rows: Arc<Rows>,
}

impl SavedState {
    /// What a schedule does not know: rows, names, and how each target fares. `wall` tells the
    /// wall-clock time of an uptime.
    #[must_use]
    pub fn with(mut self, snapshot: &Snapshot, wall: impl Fn(Uptime) -> UnixSeconds) -> Self {
        let expires = |key: &TargetKey, terms: &SampleTerms, freshness: &Freshness| {
            let bound = freshness.bound(terms, snapshot.stretch(key));
            let of = |campaign| wall(freshness.expires(campaign, bound));
            let older = freshness.older.keys().map(|campaign| (*campaign, of(Some(*campaign))));
            (of(None), older.collect::<Vec<_>>())
        };
        for (home, group) in snapshot.groups() {
            for (key, shown) in &group.targets {
                if let Some(saved) = self.targets.get_mut(key) {
                    let (expires, older) = expires(key, &shown.terms, &shown.freshness);
                    saved.rows = Some(SavedRows { account: home.1, expires, older, rows: shown.rows.clone() });
                }
            }
            for (key, Learned { what, terms, freshness }) in &group.facts {
                let (expires, _) = expires(key, terms, freshness);
                self.accounts.push(SavedNames { key: key.clone(), home: *home, what: what.clone(), expires });
            }
            for (key, Learned { what, terms, freshness }) in &group.listings {
                let (expires, _) = expires(key, terms, freshness);
                self.listings.push(SavedNames { key: key.clone(), home: *home, what: (**what).clone(), expires });
            }
        }
        for (key, status) in snapshot.statuses() {
            if let Some(saved) = self.targets.get_mut(key) {
                saved.status = Some(status.clone());
            }
        }
        self
    }
}
