//! The last good answer of every target: rows are replaced target by target, whole, and leave when
//! they are stale.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::schedule::Uptime;
use super::target::{AccountId, CampaignId, Currency, Labels, Source, Subject, TargetKey};

/// What one campaign, or the account itself, did in one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The account, where the answer or the configuration names it.
    pub account: Option<AccountId>,
    /// The campaign; `None` for the account's own figures.
    pub campaign: Option<CampaignId>,
    /// The currency of money, where the row says it.
    pub currency: Option<Currency>,
    /// First and last day of the figures, both inclusive, in the account's time zone.
    pub days: Option<(Date, Date)>,
    /// The figures that the row holds, sorted by metric and action.
    pub figures: Vec<Figure>,
}

/// One number of a row, in base units, finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Index in [`super::metric::METRICS`].
    pub metric: u8,
    /// Index in [`super::metric::ACTIONS`], for families that are told apart by action.
    pub action: Option<u8>,
    /// The number.
    pub value: f64,
}

/// What is known of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its name, as its owner wrote it.
    pub name: String,
    /// The currency of its money.
    pub currency: Option<Currency>,
    /// Its time zone's IANA name.
    pub timezone: String,
    /// Its state in the API's words.
    pub status: String,
}

/// What is known of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CampaignFacts {
    /// Its name, as its owner wrote it.
    pub name: String,
    /// Its state in the API's words.
    pub status: String,
    /// Whether it is known to be a marketing-message campaign; others are shown only with rows.
    pub marketing: bool,
}

/// An account whose samples stand together in the exposition; `None` collects what has no account.
pub type GroupKey = (Source, Option<AccountId>);

/// Everything known of one account.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The account's own facts and their static labels.
    pub facts: Option<(AccountFacts, Labels)>,
    /// Its campaigns, by the discovery that found them.
    pub listings: BTreeMap<TargetKey, (BTreeMap<CampaignId, CampaignFacts>, Labels)>,
    /// Its rows by target.
    pub targets: BTreeMap<TargetKey, Published>,
}

/// The rows of one target.
#[derive(Clone, Debug)]
pub struct Published {
    /// Sorted by campaign, each campaign once.
    pub rows: Arc<[Row]>,
    /// Static labels.
    pub labels: Labels,
    /// When they leave unless they are replaced.
    pub expires: Uptime,
}

/// The rows of a target that would exceed the bound on series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Series left out.
    pub left_out: usize,
}

/// All groups.
#[derive(Clone, Debug)]
pub struct Snapshot {
    groups: BTreeMap<GroupKey, Group>,
    /// Where a target's rows stand: a single campaign's account shows only in its answer.
    homes: BTreeMap<TargetKey, GroupKey>,
    series: usize,
    max_series: usize,
}

impl Snapshot {
    /// An empty snapshot that will not hold more than `max_series` samples.
    pub fn new(max_series: usize) -> Self {
        Self { groups: BTreeMap::new(), homes: BTreeMap::new(), series: 0, max_series }
    }

    /// The groups in order.
    pub fn groups(&self) -> &BTreeMap<GroupKey, Group> {
        &self.groups
    }

    /// Samples held, over all targets.
    pub fn series(&self) -> usize {
        self.series
    }

    /// Replaces a target's rows and says which groups changed. Rows beyond the bound on series are
    /// left out as a whole; the target's former rows leave all the same.
    pub fn publish(
        &mut self,
        key: &TargetKey,
        rows: Vec<Row>,
        labels: &Labels,
        expires: Uptime,
    ) -> (Vec<GroupKey>, Option<Full>) {
        let rows = one_row_per_campaign(rows);
        let account = key.account.or_else(|| rows.first().and_then(|row| row.account));
        let home = (key.source, account);
        let mut changed: Vec<_> = self.remove(key).into_iter().filter(|group| *group != home).collect();
        changed.push(home);

        let size = rows.iter().map(series_of).sum();
        if self.series.saturating_add(size) > self.max_series {
            return (changed, Some(Full { left_out: size }));
        }
        let group = self.groups.entry(home).or_default();
        let (rows, freed) = group.unshadowed(key, rows);
        self.series = self.series + rows.iter().map(series_of).sum::<usize>() - freed;
        group.targets.insert(key.clone(), Published { rows: rows.into(), labels: labels.clone(), expires });
        self.homes.insert(key.clone(), home);
        (changed, None)
    }

    /// The rows of a target as they are.
    pub fn rows(&self, key: &TargetKey) -> Option<&Arc<[Row]>> {
        let home = self.homes.get(key)?;
        Some(&self.groups.get(home)?.targets.get(key)?.rows)
    }

    /// When a target's rows leave, where it has any.
    pub fn expires(&self, key: &TargetKey) -> Option<Uptime> {
        let home = self.homes.get(key)?;
        let published = self.groups.get(home)?.targets.get(key)?;
        (!published.rows.is_empty()).then_some(published.expires)
    }

    /// Takes a target's rows and listings out, and says where they stood.
    pub fn remove(&mut self, key: &TargetKey) -> Option<GroupKey> {
        let home = self.homes.remove(key)?;
        if let Some(group) = self.groups.get_mut(&home) {
            if let Some(published) = group.targets.remove(key) {
                self.series -= published.rows.iter().map(series_of).sum::<usize>();
            }
            group.listings.remove(key);
        }
        Some(home)
    }

    /// Takes everything out that expired by `now`, and says whose it was and where it stood.
    pub fn expire(&mut self, now: Uptime) -> Vec<(TargetKey, GroupKey)> {
        let stale: Vec<_> = self
            .groups
            .values()
            .flat_map(|group| &group.targets)
            .filter(|(_, published)| published.expires <= now)
            .map(|(key, _)| key.clone())
            .collect();
        stale.into_iter().filter_map(|key| self.remove(&key).map(|home| (key, home))).collect()
    }

    /// When the next target expires.
    pub fn next_expiry(&self) -> Option<Uptime> {
        self.groups.values().flat_map(|group| group.targets.values()).map(|published| published.expires).min()
    }

    /// Replaces what is known of an account.
    pub fn learn_account(&mut self, home: GroupKey, facts: AccountFacts, labels: &Labels) {
        self.groups.entry(home).or_default().facts = Some((facts, labels.clone()));
    }

    /// Replaces what a discovery knows of an account's campaigns.
    pub fn learn_campaigns(
        &mut self,
        key: &TargetKey,
        home: GroupKey,
        facts: BTreeMap<CampaignId, CampaignFacts>,
        labels: &Labels,
    ) {
        self.groups.entry(home).or_default().listings.insert(key.clone(), (facts, labels.clone()));
        self.homes.insert(key.clone(), home);
    }
}

impl Group {
    /// Whether a campaign is among the rows of an account-wide target of this window.
    fn lists(&self, window: &str, campaign: CampaignId) -> bool {
        self.targets
            .iter()
            .filter(|(key, _)| key.subject == Subject::Campaigns && key.window.label() == window)
            .any(|(_, published)| published.rows.binary_search_by_key(&Some(campaign), |row| row.campaign).is_ok())
    }

    /// Keeps every series unique where a campaign is read by itself and with its account, or moves
    /// from one request of the account to another: the account's row stands, and of several the
    /// newest. Gives back the rows to show and the number of series taken from others.
    fn unshadowed(&mut self, key: &TargetKey, rows: Vec<Row>) -> (Vec<Row>, usize) {
        let window = key.window.label();
        match key.subject {
            Subject::Campaign(campaign) => {
                let twin = self.targets.range(..key.clone()).any(|(other, published)| {
                    other.subject == key.subject && other.window.label() == window && !published.rows.is_empty()
                });
                let hidden = twin || self.lists(window, campaign);
                (if hidden { Vec::new() } else { rows }, 0)
            }
            Subject::Campaigns => {
                let listed = |row: &&Row| rows.binary_search_by_key(&row.campaign, |row| row.campaign).is_ok();
                let mut freed = 0;
                for (other, published) in self.targets.iter_mut().filter(|(other, _)| *other != key) {
                    let rival = matches!(other.subject, Subject::Campaign(_) | Subject::Campaigns);
                    if rival && other.window.label() == window && published.rows.iter().any(|row| listed(&row)) {
                        freed += published.rows.iter().filter(listed).map(series_of).sum::<usize>();
                        published.rows = published.rows.iter().filter(|row| !listed(row)).cloned().collect();
                    }
                }
                (rows, freed)
            }
            _ => (rows, 0),
        }
    }
}

/// Samples that a row gives: its figures, and both ends of its window for a campaign.
fn series_of(row: &Row) -> usize {
    row.figures.len() + if row.campaign.is_some() && row.days.is_some() { 2 } else { 0 }
}

/// Sorts by campaign. A campaign that moved between pages while they were read stands twice in an
/// answer; the later row is the newer one.
fn one_row_per_campaign(mut rows: Vec<Row>) -> Vec<Row> {
    rows.reverse();
    rows.sort_by_key(|row| row.campaign);
    rows.dedup_by_key(|row| row.campaign);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::target::Window;
    use std::time::Duration;

    fn key(account: Option<u32>, subject: Subject) -> TargetKey {
        TargetKey {
            source: Source::Meta,
            account: account.map(account_id),
            credential: "main".into(),
            subject,
            part: 0,
            window: Window::Preset("today"),
        }
    }

    fn account_id(id: u32) -> AccountId {
        AccountId::parse(&id.to_string()).unwrap()
    }

    fn campaign(id: u32) -> CampaignId {
        CampaignId::parse(&id.to_string()).unwrap()
    }

    fn row(id: u32, value: f64) -> Row {
        Row {
            account: Some(account_id(7)),
            campaign: Some(campaign(id)),
            currency: None,
            days: None,
            figures: vec![Figure { metric: 0, action: None, value }],
        }
    }

    fn labels() -> Labels {
        Arc::new([])
    }

    const LATER: Uptime = Duration::from_mins(1);

    #[test]
    fn a_vanished_campaign_vanishes() {
        let mut snapshot = Snapshot::new(10);
        let key = key(Some(7), Subject::Campaigns);
        snapshot.publish(&key, vec![row(2, 1.0), row(1, 1.0)], &labels(), LATER);
        assert_eq!(snapshot.series(), 2);
        snapshot.publish(&key, vec![row(2, 5.0)], &labels(), LATER);
        assert_eq!(snapshot.rows(&key).unwrap().as_ref(), [row(2, 5.0)]);
        assert_eq!(snapshot.series(), 1);
    }

    #[test]
    fn a_campaign_that_moved_between_pages_is_shown_once() {
        let mut snapshot = Snapshot::new(10);
        let key = key(Some(7), Subject::Campaigns);
        snapshot.publish(&key, vec![row(1, 1.0), row(2, 2.0), row(1, 3.0)], &labels(), LATER);
        assert_eq!(snapshot.rows(&key).unwrap().as_ref(), [row(1, 3.0), row(2, 2.0)]);
    }

    #[test]
    fn the_accounts_row_stands_before_the_single_campaigns_in_either_order() {
        let account = key(Some(7), Subject::Campaigns);
        let single = key(None, Subject::Campaign(campaign(1)));
        for order in [[&account, &single], [&single, &account]] {
            let mut snapshot = Snapshot::new(10);
            for target in order {
                snapshot.publish(target, vec![row(1, 1.0)], &labels(), LATER);
            }
            assert_eq!(snapshot.rows(&account).unwrap().len(), 1);
            assert_eq!(snapshot.rows(&single).unwrap().len(), 0);
            assert_eq!(snapshot.series(), 1);
        }
    }

    #[test]
    fn a_campaign_that_moves_to_another_request_of_its_account_is_shown_once() {
        let first = key(Some(7), Subject::Campaigns);
        let second = TargetKey { part: 1, ..first.clone() };
        let mut snapshot = Snapshot::new(10);
        snapshot.publish(&first, vec![row(1, 1.0), row(2, 1.0)], &labels(), LATER);
        snapshot.publish(&second, vec![row(2, 5.0)], &labels(), LATER);
        assert_eq!(snapshot.rows(&first).unwrap().as_ref(), [row(1, 1.0)]);
        assert_eq!(snapshot.rows(&second).unwrap().as_ref(), [row(2, 5.0)]);
        assert_eq!(snapshot.series(), 2);
    }

    #[test]
    fn whole_targets_are_left_out_beyond_the_bound() {
        let mut snapshot = Snapshot::new(2);
        let (first, second) = (key(Some(7), Subject::Campaigns), key(Some(8), Subject::Campaigns));
        assert_eq!(snapshot.publish(&first, vec![row(1, 1.0), row(2, 1.0)], &labels(), LATER).1, None);
        assert_eq!(snapshot.publish(&second, vec![row(3, 1.0)], &labels(), LATER).1, Some(Full { left_out: 1 }));
        assert_eq!(snapshot.publish(&first, vec![row(1, 1.0)], &labels(), LATER).1, None);
        assert_eq!(snapshot.publish(&second, vec![row(3, 1.0)], &labels(), LATER).1, None);
    }

    #[test]
    fn stale_rows_leave() {
        let mut snapshot = Snapshot::new(10);
        let key = key(Some(7), Subject::Campaigns);
        snapshot.publish(&key, vec![row(1, 1.0)], &labels(), LATER);
        assert_eq!(snapshot.next_expiry(), Some(LATER));
        assert!(snapshot.expire(Duration::from_secs(59)).is_empty());
        assert_eq!(snapshot.expire(LATER), [(key, (Source::Meta, Some(account_id(7))))]);
        assert_eq!((snapshot.series(), snapshot.next_expiry()), (0, None));
    }
}
