//! Ages of rows and names: what is too old leaves, and what changes hands grows no younger.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Full, Learned, Published, Snapshot};
use crate::domain::facts::Listing;
use crate::domain::freshness::{Freshness, SampleTerms};
use crate::domain::lane::LaneKey;
use crate::domain::rows::Rows;
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

    /// Rows that another target shows from now on keep their age.
    pub(super) fn hand_over(
        &mut self,
        from: &[TargetKey],
        to: TargetKey,
        only: Option<&BTreeSet<CampaignId>>,
        terms: SampleTerms,
    ) -> Option<Full> {
        let moves = |campaign: Option<CampaignId>| {
            only.is_none_or(|only| campaign.is_some_and(|campaign| only.contains(&campaign)))
        };
        let mut home = self.homes.get(&to).copied().or(to.account.map(|account| (to.source, Some(account))));
        let mut brought: Vec<_> = self.published(&to).into_iter().cloned().collect();
        for key in from {
            let Some(at) = self.homes.get(key).copied() else { continue };
            let Some(former) = self.published(key).cloned() else { continue };
            let taken = former.rows.only(moves);
            // A single campaign's account shows only in its answer; one of another account stays where it is.
            if taken.is_empty() || *home.get_or_insert(at) != at {
                continue;
            }
            self.set_rows(key, former.rows.only(|campaign| !moves(campaign)));
            brought.push(Published { rows: Arc::new(taken), ..former });
        }
        brought.retain(|shown| !shown.rows.is_empty());
        let campaigns = |shown: &Published| shown.rows.campaigns().iter().flatten().copied().collect();
        let parts: Vec<_> = brought.iter().map(|shown| (&shown.freshness, campaigns(shown))).collect();
        let freshness = Freshness::joined(&parts)?;
        let rows = Rows::new(brought.iter().flat_map(|shown| shown.rows.rows()).collect());
        self.publish(to, home?, Published::new(rows, terms, freshness))
    }

    /// The same for names: the listing of an account takes over those that were read one by one.
    pub(super) fn hand_over_names(
        &mut self,
        from: &[TargetKey],
        to: TargetKey,
        only: Option<&BTreeSet<CampaignId>>,
        terms: SampleTerms,
    ) {
        let wanted = |campaign| only.is_none_or(|only| only.contains(&campaign));
        let known = |key: &TargetKey| self.groups.get(self.homes.get(key)?)?.listings.get(key).cloned();
        let home = match to.account {
            Some(account) => Some((to.source, Some(account))),
            None => from.iter().find_map(|key| self.homes.get(key)).copied(),
        };
        let Some(home) = home else { return };
        let here = |key: &&TargetKey| self.homes.get(*key) == Some(&home);
        let parts: Vec<_> = std::iter::once(&to).chain(from).filter(here).filter_map(known).collect();
        let mut listing = Listing::default();
        let mut aged = Vec::new();
        for part in &parts {
            let fresh = part.what.only(|campaign| wanted(campaign) && !listing.contains(campaign));
            aged.push((&part.freshness, fresh.iter().map(|listed| listed.campaign).collect()));
            listing = listing.with(&fresh);
        }
        if let Some(freshness) = Freshness::joined(&aged).filter(|_| !listing.is_empty()) {
            self.set_names(to, home, Learned { what: Arc::new(listing), terms, freshness });
        }
    }
}
