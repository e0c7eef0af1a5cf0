//! The last good answer of every target: rows are replaced target by target, whole, and leave when
//! they are stale.

mod ages;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change::{Change, GroupKey, PolledRows};
use super::facts::{AccountFacts, Listing};
use super::freshness::{Freshness, SampleTerms};
use super::metric::MetricSet;
use super::rows::Rows;
use super::status::{FleetHealth, LaneStatus, TargetStatus};
use super::target::{AccountId, CampaignId, CredentialId, Source, Subject, TargetKey, Window};
use super::time::Uptime;

/// Everything known of one account.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The account's own facts, by the discovery that found them.
    pub facts: BTreeMap<TargetKey, Learned<AccountFacts>>,
    /// Its campaigns, by the discovery that found them.
    pub listings: BTreeMap<TargetKey, Learned<Arc<Listing>>>,
    /// Its rows by target.
    pub targets: BTreeMap<TargetKey, Published>,
}

/// The rows of one target.
#[derive(Clone, Debug)]
pub struct Published {
    /// The rows.
    pub rows: Arc<Rows>,
    /// On which terms they are shown.
    pub terms: SampleTerms,
    /// How old they are.
    pub freshness: Freshness,
}

/// What a discovery found.
#[derive(Clone, Debug)]
pub struct Learned<T> {
    /// What it is.
    pub what: T,
    /// On which terms it is shown.
    pub terms: SampleTerms,
    /// How old it is.
    pub freshness: Freshness,
}

/// What of a snapshot changed since it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Accounts.
    pub groups: BTreeSet<GroupKey>,
    /// Whether the state of any target did.
    pub statuses: bool,
}

/// A target whose rows would exceed the bound on series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full {
    /// Which.
    pub key: TargetKey,
    /// Series left out.
    pub left_out: usize,
}

/// What is shown: the rows of every target, by account. Each answer replaces its target's rows whole.
#[derive(Clone, Debug)]
pub struct Snapshot {
    groups: BTreeMap<GroupKey, Group>,
    statuses: BTreeMap<TargetKey, TargetStatus>,
    /// Shared with whoever shows it.
    health: Arc<FleetHealth>,
    /// Where a target's rows stand: a single campaign's account shows only in its answer.
    homes: BTreeMap<TargetKey, GroupKey>,
    /// Figures held, by credential.
    samples: BTreeMap<CredentialId, usize>,
    series: usize,
    max_series: usize,
    /// No target expires before.
    next_expiry: Option<Uptime>,
    changed: Changed,
}

impl Snapshot {
    /// An empty snapshot that will not hold more than `max_series` samples.
    pub fn new(max_series: usize) -> Self {
        Self {
            groups: BTreeMap::new(),
            statuses: BTreeMap::new(),
            health: Arc::default(),
            homes: BTreeMap::new(),
            samples: BTreeMap::new(),
            series: 0,
            max_series,
            next_expiry: None,
            changed: Changed::default(),
        }
    }

    /// The groups in order.
    pub fn groups(&self) -> &BTreeMap<GroupKey, Group> {
        &self.groups
    }

    /// How each target fares.
    pub fn statuses(&self) -> &BTreeMap<TargetKey, TargetStatus> {
        &self.statuses
    }

    /// How the lanes and the credentials fare.
    pub fn health(&self) -> &Arc<FleetHealth> {
        &self.health
    }

    /// Figures held, by credential.
    pub fn samples(&self) -> &BTreeMap<CredentialId, usize> {
        &self.samples
    }

    /// Series held, over all targets. A window's bounds, which several targets of an account may share,
    /// count for each.
    pub fn series(&self) -> usize {
        self.series
    }

    /// What changed since this was last asked.
    pub fn take_changed(&mut self) -> Changed {
        std::mem::take(&mut self.changed)
    }

    /// Makes a change. Rows beyond the bound on series are left out as a whole, and reported; the
    /// target's former rows leave all the same.
    pub fn apply(&mut self, change: Change) -> Option<Full> {
        match change {
            Change::Rows(brought) => return self.take_in(brought),
            Change::Move { from, to, only, terms } if to.subject.is_discovery() => {
                self.hand_over_names(&from, to, only.as_deref(), terms);
            }
            Change::Move { from, to, only, terms } => return self.hand_over(&from, to, only.as_deref(), terms),
            Change::Narrow { key, only, metrics } => self.narrow(&key, only.as_deref(), metrics),
            Change::Gone(key) => {
                self.changed.statuses |= self.statuses.remove(&key).is_some();
                self.remove(&key);
            }
            Change::CredentialGone(credential) => {
                self.samples.remove(&credential);
                Arc::make_mut(&mut self.health).credentials.remove(&credential);
            }
            Change::Terms { key, terms } => self.set_terms(&key, &terms),
            Change::Bound(max_series) => self.max_series = max_series,
            Change::Account { key, home, facts, terms, freshness } => {
                let group = self.groups.entry(home).or_default();
                let known = group.facts.insert(key.clone(), Learned { what: facts, terms, freshness });
                if !known.is_some_and(|known| group.facts.get(&key).is_some_and(|now| now.reads_as(&known))) {
                    self.changed.groups.insert(home);
                }
                self.homes.insert(key, home);
                self.look_for_expired();
            }
            Change::Campaigns { key, home, listing, terms, freshness } => {
                self.set_names(key, home, Learned { what: Arc::new(listing), terms, freshness });
            }
            Change::Lane { lane, status } => {
                let blocked = |status: Option<&Arc<LaneStatus>>| status.and_then(|status| status.blocked_until);
                // Until when it is stopped is part of when its targets are polled next.
                self.changed.statuses |= blocked(self.health.lanes.get(&lane)) != blocked(status.as_ref());
                Arc::make_mut(&mut self.health).set_lane(lane, status);
            }
            Change::Credential { credential, status } => {
                Arc::make_mut(&mut self.health).credentials.insert(credential, status);
            }
            Change::Status { key, status } => {
                let samples = self.statuses.get(&key).and_then(|former| former.samples);
                let samples = samples.or_else(|| self.published(&key).map(|published| published.rows.samples()));
                let status = TargetStatus { samples, ..status };
                if self.statuses.get(&key) != Some(&status) {
                    self.statuses.insert(key, status);
                    self.changed.statuses = true;
                }
            }
        }
        None
    }

    fn published(&self, key: &TargetKey) -> Option<&Published> {
        self.groups.get(self.homes.get(key)?)?.targets.get(key)
    }

    fn take_in(&mut self, brought: PolledRows) -> Option<Full> {
        let PolledRows { key, account, rows, whole, terms, freshness } = brought;
        let rows = Rows::joined(rows);
        let home = (key.source, key.account.or(account));
        let former = self.published(&key).filter(|former| !whole && !former.rows.is_empty());
        let Some(former) = former else { return self.publish(key, home, Published::new(rows, terms, freshness)) };
        let shown = Published::new(former.rows.updated(&rows), terms, former.freshness.clone());
        let home = self.homes.get(&key).copied().filter(|_| account.is_none()).unwrap_or(home);
        self.publish(key, home, shown)
    }

    fn publish(&mut self, key: TargetKey, home: GroupKey, mut shown: Published) -> Option<Full> {
        let group = self.groups.entry(home).or_default();
        // Hidden and not refused: the target stays published, so that it goes stale, and shows how it fares.
        if group.hides(home, &key) {
            shown.rows = Arc::default();
        }
        let bound = shown.freshness.bound(&shown.terms, 1.0);
        let expires = shown.freshness.first_expires(bound);
        self.next_expiry = Some(self.next_expiry.map_or(expires, |next| next.min(expires)));
        let group = self.groups.entry(home).or_default();
        if let Some(former) = group.targets.get_mut(&key).filter(|former| former.reads_as(&shown)) {
            (former.terms, former.freshness) = (shown.terms, shown.freshness);
            return None;
        }
        self.remove(&key);
        let size = shown.rows.series(key.window.is_of_each(home.1));
        if self.series.saturating_add(size) > self.max_series {
            return Some(Full { key, left_out: size });
        }
        self.reveal(home, &key, &shown.rows);
        self.insert(key, home, shown);
        None
    }

    /// Where a campaign is in the rows of several targets of its account, the newest answer stands.
    fn reveal(&mut self, home: GroupKey, key: &TargetKey, rows: &Rows) {
        if key.subject != Subject::Campaigns {
            return;
        }
        let Some(group) = self.groups.get(&home) else { return };
        let listed = |campaign: &Option<CampaignId>| campaign.is_some_and(|campaign| rows.contains(campaign));
        let rivals = group.targets.iter().filter(|(other, published)| {
            matches!(other.subject, Subject::Campaign(_) | Subject::Campaigns)
                && *other != key
                && other.window.label() == key.window.label()
                && published.rows.campaigns().iter().any(listed)
        });
        let rivals: Vec<_> = rivals.map(|(other, published)| (other.clone(), published.clone())).collect();
        for (other, published) in rivals {
            self.set_rows(&other, published.rows.only(|campaign| !listed(&campaign)));
        }
    }

    fn set_terms(&mut self, key: &TargetKey, terms: &SampleTerms) {
        let home = self.homes.get(key).copied().unwrap_or((key.source, key.account));
        let Some(group) = self.groups.get_mut(&home) else { return };
        let held = [
            group.targets.get_mut(key).map(|shown| &mut shown.terms),
            group.listings.get_mut(key).map(|known| &mut known.terms),
            group.facts.get_mut(key).map(|known| &mut known.terms),
        ];
        for held in held.into_iter().flatten() {
            *held = terms.clone();
            self.changed.groups.insert(home);
        }
        self.look_for_expired();
    }

    fn set_names(&mut self, key: TargetKey, home: GroupKey, names: Learned<Arc<Listing>>) {
        let group = self.groups.entry(home).or_default();
        let former = group.listings.insert(key.clone(), names);
        if !former.is_some_and(|former| group.listings.get(&key).is_some_and(|now| now.reads_as(&former))) {
            self.changed.groups.insert(home);
        }
        self.homes.insert(key, home);
        self.look_for_expired();
    }

    fn narrow(&mut self, key: &TargetKey, only: Option<&BTreeSet<CampaignId>>, metrics: MetricSet) {
        if let Some(only) = only {
            self.narrow_names(key, only);
        }
        let Some(former) = self.published(key) else { return };
        let rows = former.rows.narrowed(only, metrics);
        if rows != *former.rows {
            self.set_rows(key, rows);
        }
    }

    fn narrow_names(&mut self, key: &TargetKey, only: &BTreeSet<CampaignId>) {
        let Some(home) = self.homes.get(key).copied() else { return };
        let Some(known) = self.groups.get_mut(&home).and_then(|group| group.listings.get_mut(key)) else { return };
        known.what = Arc::new(known.what.only(|campaign| only.contains(&campaign)));
        self.changed.groups.insert(home);
    }

    /// A target shows other rows, which are no younger than those that it had.
    fn set_rows(&mut self, key: &TargetKey, rows: Rows) {
        let Some((home, former)) = self.homes.get(key).copied().zip(self.published(key).cloned()) else { return };
        self.take_out(key);
        self.insert(key.clone(), home, Published { rows: Arc::new(rows), ..former });
    }

    fn insert(&mut self, key: TargetKey, home: GroupKey, published: Published) {
        let samples = published.rows.samples();
        self.series += published.rows.series(key.window.is_of_each(home.1));
        *self.samples.entry(key.credential_id()).or_default() += samples;
        self.note_samples(&key, Some(samples));
        self.groups.entry(home).or_default().targets.insert(key.clone(), published);
        self.homes.insert(key, home);
        self.changed.groups.insert(home);
    }

    /// Takes a target's rows, listing and facts out.
    fn remove(&mut self, key: &TargetKey) {
        let Some(home) = self.homes.get(key).copied() else { return };
        self.take_out(key);
        self.homes.remove(key);
        let Some(group) = self.groups.get_mut(&home) else { return };
        group.listings.remove(key);
        group.facts.remove(key);
        if group.is_empty() {
            self.groups.remove(&home);
        }
        self.changed.groups.insert(home);
        self.note_samples(key, None);
    }

    /// Takes a target's rows out.
    fn take_out(&mut self, key: &TargetKey) {
        let Some(home) = self.homes.get(key).copied() else { return };
        let Some(published) = self.groups.get_mut(&home).and_then(|group| group.targets.remove(key)) else { return };
        self.series -= published.rows.series(key.window.is_of_each(home.1));
        if let Some(samples) = self.samples.get_mut(&key.credential_id()) {
            *samples -= published.rows.samples();
        }
    }

    fn note_samples(&mut self, key: &TargetKey, samples: Option<usize>) {
        if let Some(status) = self.statuses.get_mut(key).filter(|status| status.samples != samples) {
            status.samples = samples;
            self.changed.statuses = true;
        }
    }
}

impl Published {
    fn new(rows: Rows, terms: SampleTerms, freshness: Freshness) -> Self {
        Self { rows: Arc::new(rows), terms, freshness }
    }

    /// Whether a scrape shows the same.
    fn reads_as(&self, other: &Self) -> bool {
        self.rows == other.rows && self.terms.labels == other.terms.labels
    }
}

impl<T: PartialEq> Learned<T> {
    /// Whether a scrape shows the same.
    fn reads_as(&self, other: &Self) -> bool {
        self.what == other.what && self.terms.labels == other.terms.labels
    }
}

impl Group {
    /// What is known of the account itself. Of several discoveries, the first one's word counts.
    pub fn account(&self) -> Option<&Learned<AccountFacts>> {
        self.facts.values().next()
    }

    fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.listings.is_empty() && self.facts.is_empty()
    }

    /// Whether a single campaign is shown by another target of its account already: one that reads
    /// the whole account, or an earlier one that reads the same campaign.
    fn hides(&self, (source, account): GroupKey, key: &TargetKey) -> bool {
        let Subject::Campaign(campaign) = key.subject else { return false };
        let window = key.window.label();
        [None, account].into_iter().any(|account| {
            let reads =
                |subject| self.reading(source, account, subject).filter(|(other, _)| other.window.label() == window);
            reads(Subject::Campaigns).any(|(_, published)| published.rows.contains(campaign))
                || reads(key.subject).any(|(other, published)| other < key && !published.rows.is_empty())
        })
    }

    /// The targets of a subject, whatever credential reads it.
    fn reading(
        &self,
        source: Source,
        account: Option<AccountId>,
        subject: Subject,
    ) -> impl Iterator<Item = (&TargetKey, &Published)> {
        let first = TargetKey { source, account, subject, credential: "".into(), part: 0, window: Window::Preset("") };
        self.targets.range(first..).take_while(move |(key, _)| key.account == account && key.subject == subject)
    }
}

#[cfg(test)]
mod tests;
