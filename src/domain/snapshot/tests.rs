//! What the snapshot holds after which changes.

use std::time::Duration;

use super::*;
use crate::domain::facts::CampaignFacts;
use crate::domain::freshness::Staleness;
use crate::domain::lane::LaneKey;
use crate::domain::rows::{Column, Figure, Row};
use crate::domain::status::LaneStatus;

fn key(account: Option<u32>, subject: Subject) -> TargetKey {
    TargetKey {
        source: Source::META,
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
        account: None,
        campaign: Some(campaign(id)),
        currency: None,
        days: None,
        figures: vec![Figure { column: Column { metric: 0, action: None }, value }],
    }
}

const LATER: Uptime = minute(1);

const fn minute(minute: u64) -> Uptime {
    Uptime::after(Duration::from_mins(minute))
}

/// Samples are shown for a minute.
fn a_minute() -> SampleTerms {
    SampleTerms { staleness: Staleness::Fixed(Duration::from_mins(1)), ..SampleTerms::default() }
}

fn brought(key: &TargetKey, rows: Vec<Row>, whole: bool, expires: Uptime) -> Change {
    let account = Some(account_id(7));
    Change::Rows(PolledRows {
        key: key.clone(),
        account,
        rows: vec![Rows::new(rows)],
        whole,
        terms: a_minute(),
        freshness: Freshness::new(Uptime::ZERO + (expires - LATER), 1.0),
    })
}

/// Publishes all rows of a target.
fn publish(snapshot: &mut Snapshot, key: &TargetKey, rows: Vec<Row>) -> Option<Full> {
    snapshot.apply(brought(key, rows, true, LATER))
}

fn shown(snapshot: &Snapshot, key: &TargetKey) -> Vec<Row> {
    snapshot.published(key).map(|published| published.rows.rows().collect()).unwrap_or_default()
}

#[test]
fn a_vanished_campaign_vanishes() {
    let mut snapshot = Snapshot::new(10);
    let key = key(Some(7), Subject::Campaigns);
    publish(&mut snapshot, &key, vec![row(2, 1.0), row(1, 1.0)]);
    assert_eq!(snapshot.series(), 2);
    publish(&mut snapshot, &key, vec![row(2, 5.0)]);
    assert_eq!(shown(&snapshot, &key), [row(2, 5.0)]);
    assert_eq!(snapshot.series(), 1);
}

#[test]
fn what_stays_the_same_is_no_change_but_grows_younger() {
    let mut snapshot = Snapshot::new(10);
    let key = key(Some(7), Subject::Campaigns);
    publish(&mut snapshot, &key, vec![row(1, 1.0)]);
    assert_eq!(snapshot.take_changed().groups, BTreeSet::from([(Source::META, Some(account_id(7)))]));
    snapshot.apply(brought(&key, vec![row(1, 1.0)], true, minute(2)));
    assert_eq!(snapshot.take_changed(), Changed::default());
    assert!(snapshot.expire(LATER).is_empty());
    assert_eq!(snapshot.expire(minute(2)), [key]);
    assert_eq!(snapshot.take_changed().groups.len(), 1);
}

#[test]
fn the_accounts_row_stands_before_the_single_campaigns_in_either_order() {
    let account = key(Some(7), Subject::Campaigns);
    let single = key(None, Subject::Campaign(campaign(1)));
    for order in [[&account, &single], [&single, &account]] {
        let mut snapshot = Snapshot::new(10);
        for target in order {
            publish(&mut snapshot, target, vec![row(1, 1.0)]);
        }
        assert_eq!(shown(&snapshot, &account).len(), 1);
        assert_eq!(shown(&snapshot, &single).len(), 0);
        assert_eq!(snapshot.series(), 1);
    }
}

#[test]
fn of_two_credentials_that_read_a_campaign_one_is_shown() {
    let first = key(None, Subject::Campaign(campaign(1)));
    let second = TargetKey { credential: "other".into(), ..first.clone() };
    let mut snapshot = Snapshot::new(10);
    for target in [&first, &second] {
        publish(&mut snapshot, target, vec![row(1, 1.0)]);
    }
    assert_eq!((shown(&snapshot, &first).len(), shown(&snapshot, &second).len()), (1, 0));
    let samples: Vec<_> =
        snapshot.samples().iter().map(|(credential, samples)| (&*credential.name, *samples)).collect();
    assert_eq!(samples, [("main", 1), ("other", 0)]);
}

#[test]
fn a_campaign_that_moves_to_another_request_of_its_account_is_shown_once() {
    let first = key(Some(7), Subject::Campaigns);
    let second = TargetKey { part: 1, ..first.clone() };
    let mut snapshot = Snapshot::new(10);
    publish(&mut snapshot, &first, vec![row(1, 1.0), row(2, 1.0)]);
    publish(&mut snapshot, &second, vec![row(2, 5.0)]);
    assert_eq!(shown(&snapshot, &first), [row(1, 1.0)]);
    assert_eq!(shown(&snapshot, &second), [row(2, 5.0)]);
    assert_eq!(snapshot.series(), 2);
}

#[test]
fn what_a_poll_did_not_bring_stays_and_grows_no_younger() {
    let key = key(Some(7), Subject::Campaigns);
    let mut snapshot = Snapshot::new(10);
    publish(&mut snapshot, &key, vec![row(1, 1.0), row(2, 1.0)]);
    snapshot.apply(brought(&key, vec![row(2, 5.0)], false, minute(9)));
    assert_eq!(shown(&snapshot, &key), [row(1, 1.0), row(2, 5.0)]);
    assert_eq!(snapshot.expire(LATER), [key]);
}

#[test]
fn what_changes_hands_grows_no_younger() {
    let single = key(None, Subject::Campaign(campaign(1)));
    let account = key(Some(7), Subject::Campaigns);
    let mut snapshot = Snapshot::new(10);
    publish(&mut snapshot, &single, vec![row(1, 1.0)]);
    snapshot.apply(brought(&account, vec![row(2, 1.0)], true, minute(9)));
    snapshot.apply(Change::Move { from: vec![single.clone()], to: account.clone(), only: None, terms: a_minute() });
    snapshot.apply(Change::Gone(single));
    assert_eq!(shown(&snapshot, &account), [row(1, 1.0), row(2, 1.0)]);
    assert_eq!((snapshot.expire(minute(8)), snapshot.next_expiry()), (Vec::new(), Some(minute(9))));
    assert_eq!(shown(&snapshot, &account), [row(2, 1.0)], "the others are younger");
    assert_eq!(snapshot.expire(minute(9)), [account]);
}

fn lane_of(key: &TargetKey, stretch: f64) -> Change {
    let status = LaneStatus { stretch: Some(stretch), ..LaneStatus::default() };
    Change::Lane { lane: LaneKey::of(key), status: Some(Arc::new(status)) }
}

#[test]
fn rows_stay_as_long_as_their_lane_stretches_its_intervals() {
    let key = key(Some(7), Subject::Campaigns);
    let mut snapshot = Snapshot::new(10);
    let terms = SampleTerms { interval: Duration::from_mins(15), ..SampleTerms::default() };
    let Change::Rows(polled) = brought(&key, vec![row(1, 1.0)], true, LATER) else { unreachable!() };
    snapshot.apply(Change::Rows(PolledRows { terms: terms.clone(), ..polled }));
    snapshot.apply(lane_of(&key, 3.0));
    assert!(snapshot.expire(minute(60)).is_empty(), "the interval in force is 45 minutes by now");
    assert_eq!(snapshot.next_expiry(), Some(minute(180)));
    let fixed = SampleTerms { staleness: Staleness::Fixed(Duration::from_mins(90)), ..terms };
    snapshot.apply(Change::Terms { key: key.clone(), terms: fixed });
    assert!(snapshot.expire(minute(60)).is_empty());
    assert_eq!(snapshot.expire(minute(90)), [key], "what is written wins");
}

#[test]
fn names_change_hands_and_leave_like_rows() {
    let listing = key(Some(7), Subject::Listing);
    let facts = TargetKey { account: None, subject: Subject::CampaignFacts(campaign(1)), ..listing.clone() };
    let mut snapshot = Snapshot::new(10);
    let home = (listing.source, listing.account);
    let named = |id: u32| Listing::new(&[(campaign(id), CampaignFacts::default())].into());
    let known = |key: &TargetKey, id, answered| Change::Campaigns {
        key: key.clone(),
        home,
        listing: named(id),
        terms: a_minute(),
        freshness: Freshness::new(answered, 1.0),
    };
    snapshot.apply(known(&facts, 1, Uptime::ZERO));
    snapshot.apply(known(&listing, 2, minute(8)));
    let from = vec![facts.clone()];
    snapshot.apply(Change::Move { from, to: listing.clone(), only: None, terms: a_minute() });
    snapshot.apply(Change::Gone(facts));
    let shown = |snapshot: &Snapshot| {
        let known = snapshot.groups().get(&home).and_then(|group| group.listings.get(&listing));
        known.map_or(0, |known| known.what.len())
    };
    assert_eq!(shown(&snapshot), 2);
    assert!(snapshot.expire(minute(8)).is_empty());
    assert_eq!(shown(&snapshot), 1, "the older name is stale");
    assert!(snapshot.expire(minute(9)).is_empty(), "no rows left");
    assert_eq!(shown(&snapshot), 0);
}

#[test]
fn whole_targets_are_left_out_beyond_the_bound() {
    let mut snapshot = Snapshot::new(2);
    let (first, second) = (key(Some(7), Subject::Campaigns), key(Some(8), Subject::Campaigns));
    assert_eq!(publish(&mut snapshot, &first, vec![row(1, 1.0), row(2, 1.0)]), None);
    let full = Full { key: second.clone(), left_out: 1 };
    assert_eq!(publish(&mut snapshot, &second, vec![row(3, 1.0)]), Some(full));
    assert_eq!(publish(&mut snapshot, &first, vec![row(1, 1.0)]), None);
    assert_eq!(publish(&mut snapshot, &second, vec![row(3, 1.0)]), None);
}

#[test]
fn stale_rows_leave() {
    let mut snapshot = Snapshot::new(10);
    let key = key(Some(7), Subject::Campaigns);
    publish(&mut snapshot, &key, vec![row(1, 1.0)]);
    assert_eq!(snapshot.next_expiry(), Some(LATER));
    assert!(snapshot.expire(Uptime::after(Duration::from_secs(59))).is_empty());
    assert_eq!(snapshot.expire(LATER), [key]);
    assert_eq!((snapshot.series(), snapshot.next_expiry()), (0, None));
}

#[test]
fn a_target_that_is_gone_leaves_with_everything() {
    let mut snapshot = Snapshot::new(10);
    let key = key(Some(7), Subject::Campaigns);
    publish(&mut snapshot, &key, vec![row(1, 1.0)]);
    snapshot.apply(Change::Status { key: key.clone(), status: TargetStatus::default() });
    snapshot.take_changed();
    snapshot.apply(Change::Gone(key));
    assert_eq!((snapshot.series(), snapshot.statuses().len()), (0, 0));
    let changed = snapshot.take_changed();
    assert_eq!((changed.groups.len(), changed.statuses), (1, true));
}
