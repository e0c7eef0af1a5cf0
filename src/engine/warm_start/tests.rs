//! What is written of the targets, and what a later life makes of it.

use super::super::effect::Effect;
use super::super::event::PollPlan;
use super::super::tests::parts::Parts;
use super::super::tests::play::{INTERVAL, SECOND, account, accounts, campaign_id, plan, rows, single, terms};
use super::*;
use crate::domain::facts::{AccountFacts, CampaignFacts, Listing};
use crate::domain::fault::{Fault, Reason};
use crate::domain::fleet::{Fleet, FleetChannel, WantedCampaigns};
use crate::domain::freshness::Staleness;
use crate::domain::lane::LaneKey;
use crate::domain::rows::Rows;
use crate::domain::saved::SavedRows;
use crate::domain::status::TargetStatus;
use crate::domain::target::{AccountId, PageId};

const ROWS: &str = "meta/main/7/account/today";

fn saved(parts: &Parts) -> SavedState {
    state(&parts.targets, &parts.schedule, &Membership::default(), parts.now)
}

/// A state of account 7, polled once, and the parts of a later life with the same plan.
fn lives(fault: Option<&Fault>) -> (Parts, SavedState, Parts) {
    let mut earlier = Parts::new(accounts([7]));
    earlier.poll_all(fault);
    let state = saved(&earlier);
    (earlier, state, Parts::new(accounts([7])))
}

fn go_on(parts: &mut Parts, state: SavedState) -> usize {
    let (targets, mut with) = parts.planning();
    restore(targets, state, &mut with)
}

/// Has a target's state say that it had these rows, until so many seconds from now.
fn put_rows(state: &mut SavedState, key: &TargetKey, now: Moment, seconds: u32) {
    let rows = rows(7, &[1]).rows;
    let expires = now.wall_at(now.uptime + seconds * SECOND);
    state.targets.get_mut(key).unwrap().rows =
        Some(SavedRows { account: None, expires, older: Vec::new(), rows: Arc::new(Rows::new(rows)) });
}

fn restored_rows(parts: &mut Parts) -> Vec<PolledRows> {
    let rows = parts.changes().into_iter().filter_map(|change| match change {
        Change::Rows(rows) => Some(rows),
        _ => None,
    });
    rows.collect()
}

#[test]
fn a_state_is_due_when_something_was_polled_and_not_sooner_than_the_last_but_for_its_pause() {
    let mut timer = SaveTimer::from(Uptime::ZERO);
    assert_eq!(timer.due(), None, "there is nothing to write");
    timer.note_news();
    assert_eq!(timer.due(), Some(Uptime::ZERO + SAVE_EVERY));
    assert_eq!(SaveTimer::from(Uptime::ZERO + SECOND).due(), None, "what was written is no news");
}

#[test]
fn what_was_answered_is_written_with_its_instant_its_failures_and_its_question() {
    let mut parts = Parts::new(accounts([7]));
    assert!(saved(&parts).targets.is_empty(), "what was never answered starts at once");
    parts.poll_all(Some(&Fault::new(Reason::Unavailable, "down")));
    let key = parts.key(ROWS);
    let state = saved(&parts);
    assert_eq!(state.targets.len(), 3);
    let target = &state.targets[&key];
    assert_eq!((target.failures, &target.asks), (1, &parts.targets.by_key(&key).unwrap().asks));
    assert_eq!(target.due, parts.now.wall_at(parts.due(&key)));
    assert!(target.due > parts.now.wall, "by the wall clock");
}

#[test]
fn a_target_goes_on_where_it_was() {
    let (earlier, state, mut later) = lives(Some(&Fault::new(Reason::Unavailable, "down")));
    let key = later.key(ROWS);
    later.now.wall = earlier.now.wall_at(earlier.now.uptime + 10 * SECOND);
    assert_eq!(go_on(&mut later, state), 1, "lookups are not counted");
    let wait = (earlier.due(&key) - earlier.now.uptime).saturating_sub(10 * SECOND);
    let gap = (later.due(&key) - later.now.uptime).abs_diff(wait);
    assert!(gap < Duration::from_millis(1), "{gap:?}: it waits for the rest");
    assert_eq!(later.schedule.failures(later.targets.ticket(&key).unwrap()), 1);
}

#[test]
fn what_is_over_is_due_now_and_nothing_is_put_off_beyond_the_interval_in_force() {
    for (due, wait) in [(-3600.0, Duration::ZERO), (1e9, INTERVAL.mul_f64(1.5)), (f64::NAN, Duration::ZERO)] {
        let (_, mut state, mut later) = lives(None);
        let key = later.key(ROWS);
        let wall = later.now.wall.as_f64();
        state.targets.get_mut(&key).unwrap().due = UnixSeconds::new(wall + due);
        go_on(&mut later, state);
        assert_eq!(later.due(&key) - later.now.uptime, wait, "{due}");
    }
}

#[test]
fn a_target_that_asks_otherwise_by_now_starts_over() {
    let (_, mut state, mut later) = lives(None);
    let key = later.key(ROWS);
    put_rows(&mut state, &key, later.now, 60);
    let target = state.targets.get_mut(&key).unwrap();
    (target.asks, target.due) = ("another".to_owned(), later.now.wall_at(later.now.uptime + INTERVAL));
    assert_eq!(go_on(&mut later, state), 0);
    assert!(restored_rows(&mut later).is_empty());
    assert!(later.due(&key) <= later.now.uptime + SECOND);
}

#[test]
fn rows_come_back_with_the_labels_of_now_and_never_younger_than_they_were() {
    let fixed = Staleness::Fixed;
    for (left, staleness, expected) in
        [(60, Staleness::FollowsInterval, 60), (7200, Staleness::FollowsInterval, 3600), (60, fixed(30 * SECOND), 30)]
    {
        let (_, mut state, _) = lives(None);
        let mut labelled = account(7);
        labelled.terms.labels = [("team".to_owned(), "b".to_owned())].into();
        labelled.terms.staleness = staleness;
        let labels = labelled.terms.labels.clone();
        let mut later = Parts::new(plan(Fleet { accounts: vec![labelled], ..Fleet::default() }));
        let key = later.key(ROWS);
        put_rows(&mut state, &key, later.now, left);
        state.targets.get_mut(&key).unwrap().rows.as_mut().unwrap().account = AccountId::parse("8").ok();
        go_on(&mut later, state);
        let [rows] = &restored_rows(&mut later)[..] else { panic!("one target has rows") };
        assert_eq!((&rows.key, rows.whole, &rows.terms.labels), (&key, true, &labels));
        assert_eq!((rows.account, rows.rows.len()), (AccountId::parse("8").ok(), 1));
        let bound = rows.freshness.bound(&rows.terms, 1.0);
        assert_eq!(rows.freshness.expires(None, bound), later.now.uptime + expected * SECOND);
    }
}

#[test]
fn the_state_of_a_target_comes_back() {
    let (_, mut state, mut later) = lives(None);
    let key = later.key(ROWS);
    let before = TargetStatus { up: Some(false), failures: Some(4), ..TargetStatus::default() };
    state.targets.get_mut(&key).unwrap().status = Some(before.clone());
    go_on(&mut later, state);
    let shown = later.changes().into_iter().filter_map(|change| match change {
        Change::Status { key: of, status } if of == key => Some(status),
        _ => None,
    });
    assert_eq!(shown.collect::<Vec<_>>(), [before]);
}

#[test]
fn a_restart_is_no_way_past_a_block() {
    let (mut earlier, _, mut later) = lives(None);
    let lane = LaneKey::of(&later.key(ROWS));
    let until = earlier.now.uptime + 600 * SECOND;
    earlier.schedule.block(&lane, until);
    let state = saved(&earlier);
    assert_eq!(state.blocked, [(lane.clone(), earlier.now.wall_at(until))]);

    later.now.wall = earlier.now.wall_at(earlier.now.uptime + 60 * SECOND);
    go_on(&mut later, state);
    let expected = later.now.uptime + 540 * SECOND;
    let blocked: Vec<_> = later.schedule.blocked(later.now.uptime).map(|(lane, until)| (lane.clone(), until)).collect();
    assert_eq!(blocked, [(lane.clone(), expected)]);
    let shown = later.changes().into_iter().any(|change| {
        matches!(change, Change::Lane { lane: of, status: Some(status) }
            if of == lane && status.blocked_until == Some(later.now.wall_at(expected)))
    });
    assert!(shown, "gauge and page say so before the first request");
}

#[test]
fn names_come_back_where_their_lookup_asks_the_same() {
    let (_, mut state, mut later) = lives(None);
    let (account, listing) = (later.key("meta/main/7/account_facts"), later.key("meta/main/7/listing"));
    let home = (account.source, account.account);
    let facts = AccountFacts { name: "Shop".to_owned(), ..AccountFacts::default() };
    let campaigns = Listing::new(&[(campaign_id(1), CampaignFacts::default())].into());
    let expires = later.now.wall_at(later.now.uptime + INTERVAL);
    state.accounts.push(SavedNames { key: account.clone(), home, what: facts, expires });
    state.listings.push(SavedNames { key: listing.clone(), home, what: campaigns, expires });
    let mut other = state.clone();

    go_on(&mut later, state);
    let changes = later.changes();
    assert!(changes.iter().any(|change| matches!(change, Change::Account { key, facts, .. }
        if *key == account && facts.name == "Shop")));
    assert!(changes.iter().any(|change| matches!(change, Change::Campaigns { key, listing: of, .. }
        if *key == listing && of.iter().count() == 1)));

    for key in [&account, &listing] {
        other.targets.get_mut(key).unwrap().asks = "another".to_owned();
    }
    let mut later = Parts::new(accounts([7]));
    go_on(&mut later, other);
    let named =
        later.changes().into_iter().any(|change| matches!(change, Change::Account { .. } | Change::Campaigns { .. }));
    assert!(!named);
}

/// A channel of which all campaigns are wanted.
fn channel() -> PollPlan {
    let channel = FleetChannel {
        space: "space".into(),
        page: PageId::parse("1").unwrap(),
        account: AccountId::parse("7").unwrap(),
        currency: None,
        wanted: WantedCampaigns::All,
        terms: terms(),
    };
    plan(Fleet { channels: vec![channel], ..Fleet::default() })
}

#[test]
fn the_campaigns_of_a_channel_are_polled_without_waiting_for_its_listing() {
    let mut earlier = Parts::new(channel());
    earlier.poll_all(None);
    let key = earlier.key("meta/main/7/listing");
    let mut state = saved(&earlier);
    let campaigns = Listing::new(&[(campaign_id(5), CampaignFacts::default())].into());
    let (home, expires) = ((key.source, key.account), earlier.now.wall_at(earlier.now.uptime + INTERVAL));
    state.listings.push(SavedNames { key: key.clone(), home, what: campaigns, expires });

    let mut later = Parts::new(channel());
    restore_listings(&mut later.targets, &later.plan, &state, earlier.now);
    assert_eq!(later.targets.listed(&later.plan.fleet.channels[0].id()), [campaign_id(5)]);

    state.targets.get_mut(&key).unwrap().asks = "another".to_owned();
    let mut later = Parts::new(channel());
    restore_listings(&mut later.targets, &later.plan, &state, earlier.now);
    assert!(later.targets.listed(&later.plan.fleet.channels[0].id()).is_empty());
}

#[test]
fn what_is_not_wanted_any_more_is_left_out() {
    let (_, mut state, _) = lives(None);
    let mut later = Parts::new(plan(Fleet { campaigns: vec![single(1)], ..Fleet::default() }));
    let key = Parts::new(accounts([7])).key(ROWS);
    put_rows(&mut state, &key, later.now, 60);
    assert_eq!(go_on(&mut later, state), 0);
    assert!(restored_rows(&mut later).is_empty());
    assert!(!std::iter::from_fn(|| later.out.next()).any(|effect| matches!(effect, Effect::Report(_))));
}

#[test]
fn a_block_of_a_clock_that_was_wrong_ends_within_a_day() {
    let (_, mut state, mut later) = lives(None);
    let lane = LaneKey::of(&later.key(ROWS));
    state.blocked = vec![(lane, later.now.wall_at(later.now.uptime + 1_000_000 * SECOND))];
    go_on(&mut later, state);
    let until: Vec<_> = later.schedule.blocked(later.now.uptime).map(|(_, until)| until).collect();
    assert_eq!(until, [later.now.uptime + MAX_RESTORED_WAIT]);
}
