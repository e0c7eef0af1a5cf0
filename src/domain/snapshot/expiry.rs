//! What leaves because it is too old.

use std::sync::Arc;
use std::time::Duration;

use super::{Learned, Snapshot};
use crate::domain::freshness::Freshness;
use crate::domain::lane::LaneKey;
use crate::domain::target::{CampaignId, TargetKey};
use crate::domain::time::Uptime;

impl Snapshot {
    /// Takes everything out that expired by `now`, and says whose rows left whole.
    pub fn expire(&mut self, now: Uptime) -> Vec<TargetKey> {
        if self.next_expiry.is_none_or(|expiry| expiry > now) {
            return Vec::new();
        }
        self.next_expiry = None;
        let mut next: Option<Uptime> = None;
        let mut stale = Vec::new();
        let mut older = Vec::new();
        let mut names = Vec::new();
        for group in self.groups.values() {
            let rows = group.targets.iter().map(|(key, shown)| (key, &shown.terms, &shown.freshness, true));
            let listed = group.listings.iter().map(|(key, known)| (key, &known.terms, &known.freshness, false));
            let facts = group.facts.iter().map(|(key, known)| (key, &known.terms, &known.freshness, false));
            for (key, terms, freshness, is_rows) in rows.chain(listed).chain(facts) {
                let bound = freshness.bound(terms, self.stretch(key));
                if freshness.expires(None, bound) <= now {
                    if is_rows { &mut stale } else { &mut names }.push(key.clone());
                    continue;
                }
                if freshness.first_expires(bound) <= now {
                    older.push((key.clone(), bound));
                }
                let each = freshness.older.keys().map(|campaign| freshness.expires(Some(*campaign), bound));
                let left = each.chain([freshness.expires(None, bound)]).filter(|expires| *expires > now);
                next = next.into_iter().chain(left).min();
            }
        }
        for (key, bound) in older {
            self.drop_older(&key, bound, now);
        }
        for key in stale.iter().chain(&names) {
            self.remove(key);
        }
        self.next_expiry = next;
        stale
    }

    /// Takes out what of a target changed hands and is too old by now.
    fn drop_older(&mut self, key: &TargetKey, bound: Duration, now: Uptime) {
        let stays = |freshness: &Freshness, campaign: Option<CampaignId>| freshness.expires(campaign, bound) > now;
        let Some(home) = self.homes.get(key).copied() else { return };
        let Some(group) = self.groups.get_mut(&home) else { return };
        if let Some(Learned { what, freshness, .. }) = group.listings.get_mut(key) {
            *what = Arc::new(what.only(|campaign| stays(freshness, Some(campaign))));
            let left = std::mem::take(&mut freshness.older);
            freshness.older = left.into_iter().filter(|(campaign, _)| what.contains(*campaign)).collect();
            self.changed.groups.insert(home);
        }
        let Some(mut shown) = self.published(key).cloned() else { return };
        let rows = shown.rows.only(|campaign| stays(&shown.freshness, campaign));
        shown.freshness.older.retain(|campaign, _| rows.contains(*campaign));
        shown.rows = Arc::new(rows);
        self.take_out(key);
        self.insert(key.clone(), home, shown);
    }

    /// How many times longer than configured the intervals of a target's lane are.
    pub fn stretch(&self, key: &TargetKey) -> f64 {
        self.health.lanes.get(&LaneKey::of(key)).and_then(|lane| lane.stretch).unwrap_or(1.0)
    }

    /// Has the next look find out when to look again.
    pub(super) fn look_for_expired(&mut self) {
        self.next_expiry = Some(Uptime::ZERO);
    }

    /// When to look for expired targets next; it may be earlier than any expires.
    pub fn next_expiry(&self) -> Option<Uptime> {
        self.next_expiry
    }
}
