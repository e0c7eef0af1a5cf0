//! What survives a restart. Instants are wall-clock time, because the monotonic clock ends with the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::GroupKey;
use super::facts::{AccountFacts, Listing};
use super::lane::LaneKey;
use super::rows::Rows;
use super::snapshot::Snapshot;
use super::status::TargetStatus;
use super::target::{AccountId, CampaignId, Level, TargetKey};
use super::time::{UnixSeconds, Uptime};

/// Everything that survives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedState {
    /// Every target that is polled.
    pub targets: BTreeMap<TargetKey, SavedTarget>,
    /// What is known of accounts.
    pub accounts: Vec<(TargetKey, GroupKey, AccountFacts)>,
    /// What discoveries know of campaigns.
    pub listings: Vec<(TargetKey, GroupKey, Listing)>,
    /// The accounts of single campaigns, by credential; `None` for those that are read by themselves.
    pub members: Vec<SavedMember>,
    /// Lanes that the API stopped, and until when.
    pub blocked: Vec<(LaneKey, UnixSeconds)>,
}

/// A single campaign of a credential, and where it belongs.
pub type SavedMember = (Arc<str>, CampaignId, Option<(AccountId, Level)>);

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
    /// The rows.
    pub rows: Arc<Rows>,
}

impl SavedState {
    /// What a schedule does not know: rows, names, and how each target fares. `wall` tells the
    /// wall-clock time of an uptime.
    #[must_use]
    pub fn with(mut self, snapshot: &Snapshot, wall: impl Fn(Uptime) -> UnixSeconds) -> Self {
        for (home, group) in snapshot.groups() {
            for (key, published) in &group.targets {
                if let Some(saved) = self.targets.get_mut(key) {
                    let expires = wall(published.expires);
                    saved.rows = Some(SavedRows { account: home.1, expires, rows: published.rows.clone() });
                }
            }
            self.accounts.extend(group.facts.iter().map(|(key, (facts, _))| (key.clone(), *home, facts.clone())));
            let listings = group.listings.iter();
            self.listings.extend(listings.map(|(key, (listing, _))| (key.clone(), *home, (**listing).clone())));
        }
        for (key, status) in snapshot.statuses() {
            if let Some(saved) = self.targets.get_mut(key) {
                saved.status = Some(status.clone());
            }
        }
        self
    }
}
