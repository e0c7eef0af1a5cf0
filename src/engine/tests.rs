//! The engine played without a clock: events in, effects out.

mod answers;
mod fingerprint;
pub(super) mod parts;
mod plans;
pub(super) mod play;
mod third_source;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::budget::Usage;
use crate::domain::change::Change;
use crate::domain::facts::Listing;
use crate::domain::fault::{Fault, Reason, Scope};
use crate::domain::fleet::Fleet;
use crate::domain::metric::{METRICS, MetricSet};
use crate::domain::saved::{SavedNames, SavedState};
use crate::domain::target::{Labels, Subject};
use crate::source::{Cursor, Page, ServedVersion, TokenHealth};
use play::*;

#[test]
fn nothing_is_sent_before_the_plan_is_published_and_then_every_lane_at_once() {
    let mut play = Play::new(accounts(1..=10));
    assert!(play.take_sent().is_empty());
    assert!(
        play.changes().iter().any(|change| matches!(change, Change::Status { .. })),
        "targets show before they are polled"
    );
    assert_eq!(play.engine.timeout(), Uptime::ZERO, "the requests are due");
    play.pass(Duration::from_nanos(1));
    assert_eq!(play.take_sent().len(), 10, "one a lane");
}

#[test]
fn no_more_requests_are_in_flight_than_the_plan_allows() {
    let mut play = Play::new(PollPlan { concurrency: 3, ..accounts(1..=10) });
    play.pass(60 * SECOND);
    let sent = play.take_sent();
    assert_eq!(sent.len(), 3);
    play.answer(&sent[0], Ok(Page::default()));
    assert_eq!(play.take_sent().len(), 1);
}

#[test]
fn pages_are_asked_for_one_after_the_other_and_published_together() {
    let mut play = Play::new(accounts([7]));
    let first = play.insights();
    assert_eq!(first.cursor, None);
    play.changes();
    play.answer(&first, Ok(Page { next: Some(Cursor("b".into())), ..rows(7, &[1]) }));
    assert!(play.brought().is_empty(), "half an answer is not shown while the other half is on its way");
    play.pass(SECOND);
    let second = play.take_sent().into_iter().find(|outgoing| outgoing.ticket == first.ticket).unwrap();
    assert_eq!(second.cursor, Some(Cursor("b".into())));
    play.answer(&second, Ok(rows(7, &[2])));
    let brought = play.brought();
    assert_eq!(brought.len(), 1);
    assert!(brought[0].whole && brought[0].rows.len() == 2);
}

#[test]
fn what_was_read_before_a_fault_is_published_and_counts_as_partial() {
    let mut play = Play::new(accounts([7]));
    let first = play.insights();
    play.answer(&first, Ok(Page { next: Some(Cursor("b".into())), ..rows(7, &[1]) }));
    play.pass(SECOND);
    let second = play.take_sent().into_iter().find(|outgoing| outgoing.ticket == first.ticket).unwrap();
    play.others.clear();
    play.answer(&second, Err(Fault::new(Reason::Timeout, "late")));
    let partial =
        |effect: &Effect| matches!(effect, Effect::Observe(Measurement::Poll { reason: Some(Reason::Partial), .. }));
    assert!(play.others.iter().any(partial));
    assert!(play.brought().iter().any(|brought| !brought.whole && brought.rows.len() == 1));
}

#[test]
fn a_refused_credential_is_read_each_second_and_new_content_is_tried_at_once() {
    let mut play = Play::new(accounts([7, 8]));
    play.read_keys();
    let asked = play.insights();
    play.answer(&asked, Err(refusal()));
    play.others.clear();
    play.pass(60 * SECOND);
    assert!(play.take_sent().is_empty(), "a dead credential is left alone");
    let reads = play.count(|effect| matches!(effect, Effect::ReadKeys(credential) if *credential == main_id()));
    assert!((59..=61).contains(&reads), "{reads}");
    play.generation = 2;
    play.read_keys();
    assert!(!play.take_sent().is_empty());
}

#[test]
fn a_late_refusal_of_replaced_keys_says_nothing_about_the_new_ones() {
    let mut play = Play::new(accounts([7]));
    play.read_keys();
    let asked = play.insights();
    let answer = Answer {
        ticket: asked.ticket,
        generation: Some(Generation(1)),
        result: Err(refusal()),
        status: Some(400),
        usage: Vec::new(),
        served: None,
        took: Some(SECOND),
    };
    play.generation = 2;
    play.read_keys();
    play.others.clear();
    play.handle(Event::Answer(Box::new(answer)));
    assert_eq!(
        play.count(|effect| matches!(effect, Effect::Observe(Measurement::Accepted { accepted: false, .. }))),
        0
    );
    play.pass(SECOND);
    assert!(
        play.take_sent().iter().any(|outgoing| outgoing.ticket == asked.ticket),
        "it is asked again, with the new keys"
    );
}

#[test]
fn a_request_without_keys_waits_for_them_and_for_nothing_else() {
    let mut play = Play::new(accounts([7]));
    let asked = play.insights();
    play.handle(Event::NotSent(asked.ticket));
    play.pass(60 * SECOND);
    assert!(play.take_sent().iter().all(|outgoing| outgoing.ticket != asked.ticket));
    play.read_keys();
    assert!(play.take_sent().iter().any(|outgoing| outgoing.ticket == asked.ticket));
}

#[test]
fn expired_keys_are_renewed_once_a_poll_and_what_does_not_come_is_a_refusal() {
    for better in [true, false] {
        let mut play = Play::new(accounts([7]));
        play.read_keys();
        let asked = play.insights();
        play.others.clear();
        let expired = Fault { code: Some("expired"), ..refusal() };
        play.answer(&asked, Err(expired.clone()));
        assert_eq!(play.count(|effect| matches!(effect, Effect::RenewKeys { refused: Generation(1), .. })), 1);
        play.generation += u64::from(better);
        play.read_keys();
        let again: Vec<_> = play.take_sent().into_iter().filter(|sent| sent.ticket == asked.ticket).collect();
        assert_eq!(again.len(), usize::from(better));
        if better {
            play.answer(&again[0], Err(expired));
            assert_eq!(play.count(|effect| matches!(effect, Effect::RenewKeys { .. })), 0, "once is enough");
        }
        assert!(play.engine.schedule.is_rejected(&main_id()));
    }
}

#[test]
fn a_refused_field_is_left_out_and_the_request_repeated() {
    let mut play = Play::new(accounts([7]));
    let asked = play.insights();
    let fault = Fault { fields: vec![METRICS[0].snake().clone()], ..Fault::new(Reason::InvalidRequest, "(#100)") };
    play.answer(&asked, Err(fault.clone()));
    play.pass(SECOND);
    let again = play.take_sent().into_iter().find(|outgoing| outgoing.ticket == asked.ticket).unwrap();
    assert_eq!(again.metrics, asked.metrics.minus(MetricSet::NONE.with(0)));
    play.others.clear();
    play.answer(&again, Err(fault));
    let failed = |effect: &Effect| matches!(effect, Effect::Observe(Measurement::Poll { reason: Some(_), .. }));
    assert_eq!(play.count(failed), 1, "a refusal of what was not asked for is a fault");
}

#[test]
fn an_answer_to_a_removed_target_still_tells_of_its_allowance() {
    let mut play = Play::new(accounts([7, 8]));
    let asked = play.insights();
    play.handle(Event::Plan(Box::new(accounts([8]))));
    play.others.clear();
    let throttled = Fault {
        scope: Scope::Credential,
        wait: Some(Duration::from_mins(10)),
        ..Fault::new(Reason::Throttled, "spent")
    };
    play.answer_with(&asked, Err(throttled), vec![Usage { limit: "app", ratio: 1.0, regain: None, tier: None }]);
    let counted = |effect: &Effect| matches!(effect, Effect::Observe(Measurement::Request { .. }));
    assert!(play.others.iter().any(counted), "it was a request");
    let blocked = |effect: &Effect| matches!(effect, Effect::Observe(Measurement::Blocked(lanes)) if !lanes.is_empty());
    assert!(play.others.iter().any(blocked), "the block shows though its target is gone");
    assert!(play.brought().is_empty(), "what it holds is not wanted any more");
    play.take_sent();
    play.pass(Duration::from_mins(9));
    assert!(play.take_sent().is_empty(), "the app is blocked for the other account as well");
}

#[test]
fn other_labels_are_shown_without_a_request() {
    let mut play = Play::new(accounts([7]));
    play.answer_all(60 * SECOND);
    play.changes();
    let labels: Labels = Arc::new([("team".into(), "growth".into())]);
    let mut other = accounts([7]);
    other.fleet.accounts[0].terms.labels = labels.clone();
    play.handle(Event::Plan(Box::new(other)));
    let changes = play.changes();
    let relabelled = |change: &&Change| matches!(change, Change::Terms { terms, .. } if terms.labels == labels);
    assert_eq!(changes.iter().filter(relabelled).count(), 3, "rows, names, account");
    assert!(!changes.iter().any(|change| matches!(change, Change::Gone(_))));
    play.pass(60 * SECOND);
    assert!(play.take_sent().is_empty());
}

#[test]
fn another_version_is_asked_for_from_the_next_request_on() {
    let mut play = Play::new(accounts([7]));
    let served = |play: &mut Play, outgoing: &Outgoing| {
        let served = Some(ServedVersion { version: "v1".into(), warning: None });
        let answer = Answer {
            ticket: outgoing.ticket,
            generation: None,
            result: Ok(Page::default()),
            status: Some(200),
            usage: Vec::new(),
            served,
            took: Some(SECOND),
        };
        play.handle(Event::Answer(Box::new(answer)));
    };
    let asked = play.insights();
    served(&mut play, &asked);
    play.answer_all(60 * SECOND);
    play.others.clear();
    let mut other = accounts([7]);
    other.credentials[0].api = Arc::new(Made("v2"));
    other.changed = BTreeSet::from([main_id()]);
    play.handle(Event::Plan(Box::new(other)));
    let forgotten = |effect: &Effect| matches!(effect, Effect::Observe(Measurement::Version { served: None, .. }));
    assert_eq!(play.count(forgotten), 1, "what the former version said is over");
    play.pass(2 * INTERVAL);
    let next = play.take_sent().into_iter().find(|outgoing| outgoing.ticket == asked.ticket).unwrap();
    served(&mut play, &next);
    let shown = |effect: &Effect| matches!(effect, Effect::Observe(Measurement::Version { requested, served: Some(_), .. }) if **requested == *"v2");
    assert_eq!(play.count(shown), 1);
}

#[test]
fn a_credential_that_leaves_takes_its_targets_along_first() {
    let mut play = Play::new(accounts([7]));
    play.answer_all(60 * SECOND);
    play.changes();
    play.handle(Event::Plan(Box::new(PollPlan { credentials: Vec::new(), ..plan(Fleet::default()) })));
    let changes = play.changes();
    let gone = changes.iter().rposition(|change| matches!(change, Change::Gone(_))).unwrap();
    let credential = changes.iter().position(|change| matches!(change, Change::CredentialGone(..))).unwrap();
    assert!(gone < credential);
}

#[test]
fn a_single_campaign_joins_its_account_and_keeps_being_shown() {
    let mut play = Play::new(plan(Fleet { campaigns: vec![single(1), single(2)], ..Fleet::default() }));
    for _ in 0..20 {
        play.pass(SECOND);
        for outgoing in play.take_sent() {
            let key = play.engine.targets.get(outgoing.ticket).map(|target| target.planned.key.clone());
            let Some(key) = key else { continue };
            let page = match key.subject {
                Subject::Campaign(id) => rows(7, &[u32::try_from(id.number()).unwrap()]),
                _ => Page::default(),
            };
            play.answer(&outgoing, Ok(page));
        }
    }
    let keys: Vec<_> = play.engine.targets.iter().map(|(key, _)| key.to_string()).collect();
    assert!(keys.contains(&"meta/main/7/account/today".to_owned()), "{keys:?}");
    assert!(!keys.contains(&"meta/main/1/today".to_owned()), "{keys:?}");
    let moved = |change: &Change| matches!(change, Change::Move { .. });
    assert!(play.changes().iter().any(moved), "its rows are shown by the account until that is polled");
}

#[test]
fn a_token_that_changes_is_looked_at_at_once_and_what_was_known_of_the_former_goes() {
    let fleet = Fleet { accounts: vec![account(7)], tokens: vec![terms()], ..Fleet::default() };
    let mut play = Play::new(plan(fleet));
    play.read_keys();
    let expires = Some(jiff::Timestamp::from_second(2_000_000).unwrap());
    let health = TokenHealth { expires, data_access_expires: None };
    for _ in 0..10 {
        play.pass(SECOND);
        for outgoing in play.take_sent() {
            play.answer(&outgoing, Ok(Page { token: Some(health), ..Page::default() }));
        }
    }
    let known = |effect: &Effect| matches!(effect, Effect::Observe(Measurement::Expiry { expires: Some(_), .. }));
    assert_eq!(play.count(known), 1);
    play.generation = 2;
    play.read_keys();
    let unknown = |effect: &Effect| matches!(effect, Effect::Observe(Measurement::Expiry { expires: None, .. }));
    assert_eq!(play.count(unknown), 1);
    play.pass(2 * SECOND);
    assert_eq!(play.take_sent().len(), 1, "the token's health is asked for");
}

#[test]
fn a_saved_state_goes_on_where_it_was() {
    let mut play = Play::new(accounts([7, 8]));
    play.handle(Event::Restore(None));
    play.answer_all(Duration::from_mins(2));
    let due = |play: &Play| {
        let targets = play.engine.targets.iter();
        targets
            .map(|(key, ticket)| (key.clone(), play.now.wall_at(play.engine.schedule.due(ticket)).as_f64().round()))
            .collect::<Vec<_>>()
    };
    let before = due(&play);
    play.others.clear();
    play.handle(Event::Stop);
    let saved = play.others.into_iter().find_map(|effect| match effect {
        Effect::Save(state) => Some(*state),
        _ => None,
    });
    let mut state: SavedState = saved.unwrap();
    // Names are added by whoever publishes them; whoever has none asks for them at once.
    let expires = play.now.wall_at(play.now.uptime + Duration::from_hours(9));
    for key in state.targets.keys().filter(|key| key.subject.is_discovery()).cloned().collect::<Vec<_>>() {
        let home = (key.source, key.account);
        state.listings.push(SavedNames { key, home, what: Listing::default(), expires });
    }
    let wall = play.now.wall_at(play.now.uptime + 60 * SECOND);

    let mut later = Play::new(accounts([7, 8]));
    later.now.wall = wall;
    later.handle(Event::Restore(Some(state)));
    assert_eq!(due(&later), before);
    assert!(later.engine.ready, "whatever was polled a minute ago is served");
    later.pass(60 * SECOND);
    assert!(later.take_sent().is_empty());
}

proptest! {
    /// Whatever happens in whatever order: the same events lead to the same effects, no more is in flight than may
    /// be, and once the API answers again everything is polled again.
    #[test]
    fn the_same_events_lead_to_the_same_effects_and_nothing_stays_stuck(
        steps in proptest::collection::vec((0_u8..9, 0_usize..8, 0_u64..400), 1..60),
    ) {
        let run = |steps: &[(u8, usize, u64)]| {
            let mut play = Play::new(PollPlan { concurrency: 4, ..accounts([7, 8, 9]) });
            let mut log = Vec::new();
            for (step, which, seconds) in steps {
                play.now.dice = (*seconds as f64 / 400.0).clamp(0.0, 1.0);
                let outgoing = (!play.sent.is_empty()).then(|| play.sent.remove(which % play.sent.len()));
                match (step, outgoing) {
                    (0, Some(outgoing)) => play.answer(&outgoing, Err(refusal())),
                    (1, Some(outgoing)) => play.answer(&outgoing, Err(Fault::new(Reason::Unavailable, "down"))),
                    (2, Some(outgoing)) => play.answer(&outgoing, Err(Fault { scope: Scope::Credential, ..Fault::new(Reason::Throttled, "spent") })),
                    (3, Some(outgoing)) => play.handle(Event::NotSent(outgoing.ticket)),
                    (4, Some(outgoing)) => play.answer(&outgoing, Ok(Page { next: Some(Cursor(seconds.to_string())), ..Page::default() })),
                    (5, outgoing) => {
                        play.sent.extend(outgoing);
                        play.handle(Event::Plan(Box::new(PollPlan { concurrency: 4, ..accounts([7, 8, 9].into_iter().take(which % 4)) })));
                    }
                    (6, outgoing) => {
                        play.sent.extend(outgoing);
                        play.generation += 1;
                        play.read_keys();
                    }
                    (_, Some(outgoing)) => play.answer(&outgoing, Ok(Page::default())),
                    (_, None) => {}
                }
                play.pass(Duration::from_secs(*seconds));
                assert!(play.engine.in_flight <= 4);
                assert_eq!(play.engine.in_flight, play.sent.len());
                log.push(play.others.len());
            }
            // The world is well again.
            play.handle(Event::Plan(Box::new(PollPlan { concurrency: 4, ..accounts([7, 8, 9]) })));
            play.generation += 1;
            play.read_keys();
            for outgoing in play.take_sent() {
                play.answer(&outgoing, Ok(Page::default()));
            }
            play.answer_all(Duration::from_hours(1) + 2 * INTERVAL);
            let effects: Vec<_> = play.others.iter().map(|effect| format!("{effect:?}")).collect();
            (log, effects, play.engine.failed().targets, play.engine.is_settled())
        };
        let (log, effects, failed, settled) = run(&steps);
        prop_assert_eq!((failed, settled), (0, true));
        let again = run(&steps);
        prop_assert_eq!((log, effects), (again.0, again.1));
    }
}
