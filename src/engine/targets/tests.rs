//! What becomes of targets when the plan, or what is known of a channel, changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::event::PollPlan;
use super::super::health::PollEnd;
use super::super::poll::Poll;
use super::super::tests::parts::Parts;
use super::super::tests::play::{INTERVAL, Made, SECOND, account, accounts, campaign_id, main_id, plan, single, terms};
use crate::domain::change::Change;
use crate::domain::fault::{Fault, Reason};
use crate::domain::fleet::{Fleet, FleetAccount, FleetChannel, WantedCampaigns};
use crate::domain::lane::LaneKey;
use crate::domain::schedule::Next;
use crate::domain::target::{AccountId, CampaignId, Level, PageId, Subject, TargetKey, Window};
use crate::source::TokenHealth;

const ROWS: &str = "meta/main/7/account/today";
const LISTING: &str = "meta/main/7/listing";

/// Names of the targets that left, in order.
fn gone(changes: &[Change]) -> Vec<String> {
    let gone = changes.iter().filter_map(|change| match change {
        Change::Gone(key) => Some(key.to_string()),
        _ => None,
    });
    gone.collect()
}

/// What was handed over: from whom to whom.
fn moved(changes: &[Change]) -> Vec<(Vec<String>, String)> {
    let moved = changes.iter().filter_map(|change| match change {
        Change::Move { from, to, .. } if !to.subject.is_discovery() => {
            Some((from.iter().map(ToString::to_string).collect(), to.to_string()))
        }
        _ => None,
    });
    moved.collect()
}

fn fleet(accounts: Vec<FleetAccount>) -> PollPlan {
    plan(Fleet { accounts, ..Fleet::default() })
}

/// Account 7 with these campaigns alone.
fn only(ids: &[u32]) -> FleetAccount {
    FleetAccount { wanted: WantedCampaigns::Only(ids.iter().map(|id| campaign_id(*id)).collect()), ..account(7) }
}

#[test]
fn a_target_that_asks_the_same_keeps_its_schedule_whatever_else_changes() {
    let mut parts = Parts::new(accounts([7]));
    parts.poll_all(None);
    let key = parts.key(ROWS);
    let (ticket, due) = (parts.targets.ticket(&key), parts.due(&key));
    let mut labelled = account(7);
    labelled.terms.labels = [("team".to_owned(), "b".to_owned())].into();
    assert_eq!(parts.take(fleet(vec![labelled.clone()])), 0);
    assert_eq!((parts.targets.ticket(&key), parts.due(&key)), (ticket, due));
    let changes = parts.changes();
    let relabelled = changes
        .iter()
        .filter(|change| matches!(change, Change::Terms { terms, .. } if terms.labels == labelled.terms.labels));
    assert_eq!((relabelled.count(), gone(&changes).len()), (3, 0), "rows, names and account");

    assert_eq!(parts.take(fleet(vec![labelled])), 0);
    assert!(!parts.changes().iter().any(|change| matches!(change, Change::Terms { .. })), "it has them already");
}

#[test]
fn another_interval_moves_what_is_due_later_and_shows() {
    let mut parts = Parts::new(accounts([7]));
    parts.poll_all(None);
    let key = parts.key(ROWS);
    let mut sooner = account(7);
    sooner.terms.interval = 30 * SECOND;
    parts.take(fleet(vec![sooner]));
    assert!(parts.due(&key) <= parts.now.uptime + 30 * SECOND);
    let shown = parts.changes().into_iter().find_map(|change| match change {
        Change::Status { key: of, status } if of == key => Some(status.interval),
        _ => None,
    });
    assert_eq!(shown, Some(30 * SECOND));
    assert_eq!(parts.targets.by_key(&key).unwrap().planned.terms.interval, 30 * SECOND);
}

#[test]
fn an_edited_list_keeps_what_is_asked_for_before_and_after_and_is_asked_at_once() {
    let mut parts = Parts::new(accounts([7]));
    parts.poll_all(Some(&Fault::new(Reason::Unavailable, "down")));
    let key = parts.key(ROWS);
    assert_eq!(parts.take(fleet(vec![only(&[1])])), 0);
    let changes = parts.changes();
    assert_eq!(gone(&changes), [""; 0]);
    let listed = Some(Arc::new([campaign_id(1)].into()));
    let narrowed =
        |change: &&Change| matches!(change, Change::Narrow { key: of, only, .. } if *of == key && *only == listed);
    assert_eq!(changes.iter().filter(narrowed).count(), 1);
    assert!(parts.due(&key) <= parts.now.uptime + SECOND, "it is asked at once");
}

#[test]
fn rows_that_mean_something_else_after_a_reload_start_over() {
    let mut parts = Parts::new(accounts([7]));
    parts.poll_all(Some(&Fault::new(Reason::Unavailable, "down")));
    let key = parts.key(ROWS);
    assert_eq!(parts.schedule.failures(parts.targets.ticket(&key).unwrap()), 1);
    let mut other = account(7);
    other.level = Level::Campaign;
    assert_eq!(parts.take(fleet(vec![other])), 1, "lookups are not counted");
    assert!(gone(&parts.changes()).contains(&ROWS.to_owned()));
    assert_eq!(parts.schedule.failures(parts.targets.ticket(&key).unwrap()), 0);
    assert!(parts.due(&key) <= parts.now.uptime + SECOND, "it is asked at once");
}

#[test]
fn the_version_is_no_other_question_and_the_next_request_is_of_the_new_one() {
    let mut parts = Parts::new(accounts([7]));
    let key = parts.key(ROWS);
    let before = parts.targets.by_key(&key).unwrap().wire.clone();
    let mut newer = accounts([7]);
    newer.credentials[0].api = Arc::new(Made("v2"));
    assert_eq!(parts.take(newer), 0);
    assert!(!Arc::ptr_eq(&before, &parts.targets.by_key(&key).unwrap().wire));
}

#[test]
fn rows_of_single_campaigns_are_handed_to_the_request_that_takes_their_place_before_they_leave() {
    let mut parts =
        Parts::new(plan(Fleet { campaigns: vec![single(1), single(2), single(3), single(4)], ..Fleet::default() }));
    parts.plan.fleet.accounts = vec![only(&[1, 2])];
    parts.plan.fleet.campaigns = vec![single(3)];
    parts.replan();
    let changes = parts.changes();
    let from = vec!["meta/main/1/today".to_owned(), "meta/main/2/today".to_owned()];
    assert_eq!(moved(&changes), [(from, ROWS.to_owned())]);
    let leave = changes.iter().position(|change| matches!(change, Change::Gone(_))).unwrap();
    assert!(changes[..leave].iter().any(|change| matches!(change, Change::Move { .. })));
    assert!(parts.targets.keys().any(|key| key.to_string() == "meta/main/3/today"), "it is wanted as before");
}

#[test]
fn a_request_that_was_there_takes_the_rows_of_a_campaign_that_joins_it() {
    let fleet = |account, campaigns| plan(Fleet { accounts: vec![account], campaigns, ..Fleet::default() });
    let mut parts = Parts::new(fleet(only(&[1]), vec![single(2)]));
    parts.plan = fleet(only(&[1, 2]), Vec::new());
    parts.replan();
    assert_eq!(moved(&parts.changes()), [(vec!["meta/main/2/today".to_owned()], ROWS.to_owned())]);
}

#[test]
fn a_target_that_left_is_neither_asked_nor_failing() {
    let mut parts = Parts::new(accounts([7]));
    let key = parts.key(ROWS);
    let fault = Fault::new(Reason::Timeout, "late");
    let end = PollEnd {
        started: parts.now.uptime,
        fault: Some((&fault, fault.reason)),
        rows: None,
        interval: INTERVAL,
        leaves_early: None,
        next_poll: parts.now.uptime,
        failures: 1,
    };
    parts.health.note_poll(&key, &end, parts.now, &mut parts.out);
    assert!(parts.health.is_failing(&key));
    parts.take(accounts([]));
    assert!(!parts.health.is_failing(&key));
    assert_eq!(parts.schedule.next(parts.now.uptime + INTERVAL, 8), Next::Sleep(None));
}

#[test]
fn rows_of_another_window_are_not_handed_over() {
    let mut parts = Parts::new(plan(Fleet { campaigns: vec![single(1)], ..Fleet::default() }));
    let yesterday = FleetAccount { windows: vec![Window::Preset("yesterday")], ..only(&[1]) };
    parts.plan.fleet = Fleet { accounts: vec![yesterday], ..Fleet::default() };
    parts.replan();
    assert_eq!(moved(&parts.changes()), []);
}

#[test]
fn a_longer_list_is_asked_for_without_starting_over_and_its_names_at_once() {
    let mut parts = Parts::new(fleet(vec![only(&[1])]));
    parts.poll_all(None);
    let (rows, listing) = (parts.key(ROWS), parts.key(LISTING));
    let (ticket, due) = (parts.targets.ticket(&rows), parts.due(&rows));
    let asked = parts.targets.by_key(&rows).unwrap().asks.clone();
    parts.plan.fleet.accounts = vec![only(&[1, 2])];
    parts.replan();
    assert_eq!((parts.targets.ticket(&rows), parts.due(&rows)), (ticket, due));
    assert_eq!(gone(&parts.changes()).len(), 0);
    let target = parts.targets.by_key(&rows).unwrap();
    assert!(target.asks != asked, "a state that is saved now must say what is asked from now on");
    assert!(!target.outgrown, "no poll of it is under way");
    assert_eq!(parts.due(&listing), parts.now.uptime);
}

#[test]
fn a_poll_under_way_is_of_the_shorter_list() {
    let mut parts = Parts::new(fleet(vec![only(&[1])]));
    let ticket = parts.targets.ticket(&parts.key(ROWS)).unwrap();
    parts.targets.get_mut(ticket).unwrap().poll = Some(Poll::new(parts.now.uptime));
    parts.plan.fleet.accounts = vec![only(&[1, 2])];
    parts.replan();
    assert!(parts.targets.get(ticket).unwrap().outgrown);
}

#[test]
fn a_target_that_leaves_during_a_request_is_kept_aside_until_the_answer_comes() {
    let mut parts = Parts::new(accounts([7, 8]));
    let key = parts.key("meta/main/8/account/today");
    let ticket = parts.ask(&key);
    parts.take(accounts([7]));
    assert!(parts.targets.get(ticket).is_none() && parts.targets.ticket(&key).is_none());
    assert_eq!(parts.targets.take_departed(ticket).unwrap().planned.key, key);
    assert!(parts.targets.take_departed(ticket).is_none(), "there is one answer");

    let mut waiting = Parts::new(accounts([7]));
    let ticket = waiting.targets.ticket(&waiting.key(ROWS)).unwrap();
    waiting.take(accounts([]));
    assert!(waiting.targets.take_departed(ticket).is_none(), "no answer is awaited");
}

#[test]
fn a_lane_leaves_with_its_last_target() {
    let mut parts = Parts::new(accounts([7, 8]));
    let lane = LaneKey::of(&parts.key("meta/main/8/account/today"));
    parts.take(accounts([7]));
    let changes = parts.changes();
    let left = changes.iter().filter(|change| matches!(change, Change::Lane { status: None, .. })).count();
    assert!(changes.iter().any(|change| matches!(change, Change::Lane { lane: of, status: None } if *of == lane)));
    assert_eq!(left, 1, "the other account's stays");
}

#[test]
fn lookups_are_not_counted_as_targets() {
    let parts = Parts::new(accounts([7, 8]));
    assert_eq!((parts.targets.count(), parts.targets.keys().count()), (2, 6));
    let keys: BTreeSet<&TargetKey> = parts.targets.iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 6);
    assert!(keys.iter().any(|key| key.subject == Subject::Listing));
}

#[test]
fn a_credential_that_is_not_configured_has_no_targets() {
    let mut nobody = accounts([7]);
    nobody.credentials.clear();
    assert_eq!(Parts::new(nobody).targets.keys().count(), 0);
}

#[test]
fn the_campaigns_of_a_channel_are_news_once_and_forgotten_with_it() {
    let mut targets = super::Targets::default();
    let channel = |space: &str| {
        let (page, account) = (PageId::parse("1").unwrap(), AccountId::parse("7").unwrap());
        let (wanted, terms) = (WantedCampaigns::All, terms());
        FleetChannel { space: space.into(), page, account, currency: None, wanted, terms }
    };
    let fleet = |channels: Vec<FleetChannel>| Fleet { channels, ..Fleet::default() };
    let [a, b] = ["a", "b"].map(channel);
    let campaigns: Vec<CampaignId> = vec![campaign_id(1), campaign_id(2)];
    assert!(targets.listed(&a.id()).is_empty());
    assert!(targets.note_listed(a.id(), campaigns.clone()));
    assert!(!targets.note_listed(a.id(), campaigns.clone()), "the same list again");
    assert!(targets.note_listed(a.id(), vec![campaign_id(1)]), "a campaign is gone");
    assert!(targets.note_listed(b.id(), campaigns.clone()));
    targets.keep_listed(&fleet(vec![a.clone(), b.clone()]), &fleet(vec![b.clone()]));
    assert!(targets.listed(&a.id()).is_empty());
    assert_eq!(targets.listed(&b.id()), campaigns);
    let some = FleetChannel { wanted: WantedCampaigns::Only([campaign_id(2)].into()), ..b.clone() };
    targets.keep_listed(&fleet(vec![some]), &fleet(vec![b.clone()]));
    assert_eq!(targets.listed(&b.id()), [campaign_id(2)], "all are wanted, and this one is known");
}

#[test]
fn a_reload_hands_rows_over_as_a_new_member_does_and_never_to_another_account() {
    let fleet = |accounts, campaigns| plan(Fleet { accounts, campaigns, ..Fleet::default() });
    let mut parts = Parts::new(fleet(Vec::new(), vec![single(1), single(2)]));
    parts.take(fleet(vec![account(7)], Vec::new()));
    let from = vec!["meta/main/1/today".to_owned(), "meta/main/2/today".to_owned()];
    assert_eq!(moved(&parts.changes()), [(from, ROWS.to_owned())], "a request for all takes them, too");

    let mut parts = Parts::new(fleet(vec![account(7)], Vec::new()));
    parts.take(fleet(vec![account(8)], Vec::new()));
    assert_eq!(moved(&parts.changes()), []);
}

#[test]
fn rows_of_another_window_are_not_handed_to_a_request_for_all() {
    let mut parts = Parts::new(plan(Fleet { campaigns: vec![single(1)], ..Fleet::default() }));
    let yesterday = FleetAccount { windows: vec![Window::Preset("yesterday")], ..account(7) };
    parts.take(fleet(vec![yesterday]));
    assert_eq!(moved(&parts.changes()), []);
}

#[test]
fn a_list_that_is_edited_during_its_request_is_asked_again_after_it() {
    let mut parts = Parts::new(fleet(vec![only(&[1])]));
    let ticket = parts.ask(&parts.key(ROWS));
    parts.take(fleet(vec![only(&[1, 2])]));
    assert!(parts.targets.get(ticket).unwrap().ask_again);
}

#[test]
fn what_is_known_of_a_token_goes_with_the_lookup_of_it() {
    let tokens = |tokens| plan(Fleet { accounts: vec![account(7)], tokens, ..Fleet::default() });
    let mut parts = Parts::new(tokens(vec![terms()]));
    let expires = jiff::Timestamp::from_second(9_000_000).ok();
    let health = TokenHealth { expires, data_access_expires: None };
    parts.health.credentials.note_token(&main_id(), health, parts.now, &mut parts.out);
    parts.changes();
    parts.take(tokens(Vec::new()));
    let expires = parts.changes().into_iter().filter_map(|change| match change {
        Change::Credential { status, .. } => Some(status.expires),
        _ => None,
    });
    assert_eq!(expires.last(), Some(None));
}

#[test]
fn what_a_lane_may_shows_before_its_first_request() {
    let mut parts = Parts::new(accounts([7]));
    parts.take(accounts([7, 8]));
    let lane = LaneKey::of(&parts.key("meta/main/8/account/today"));
    let shown = parts.changes().into_iter().any(|change| {
        matches!(change, Change::Lane { lane: of, status: Some(status) } if of == lane && status.allowance.is_some())
    });
    assert!(shown);
}
