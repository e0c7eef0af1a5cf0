//! What changes hands: rows and names that another target shows from now on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Full, Learned, Published, Snapshot};
use crate::domain::facts::Listing;
use crate::domain::freshness::{Freshness, SampleTerms};
use crate::domain::rows::Rows;
use crate::domain::target::{CampaignId, TargetKey};

impl Snapshot {
    /// What changes hands grows no younger by it.
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
