//! A timetable played without a clock.

use super::*;
use crate::domain::fault::Scope;
use crate::domain::target::Source;
use crate::domain::target::{AccountId, CredentialId};

const MINUTE: Duration = Duration::from_mins(1);
/// One request a second, one under way.
const PACE: Grant = Grant::Rate { per_second: 1.0 };

fn lane(credential: &str, account: u32) -> LaneKey {
    let account = AccountId::parse(&account.to_string()).ok();
    LaneKey { source: Source::META, credential: credential.into(), account }
}

fn at(seconds: u64) -> Uptime {
    Duration::from_secs(seconds)
}

/// Moves to the next request and says when it goes out.
fn ask(timetable: &mut Timetable, now: &mut Uptime) -> Ticket {
    loop {
        match timetable.next(*now) {
            Next::Ask(ticket) => return ticket,
            Next::Sleep(Some(until)) => *now = until,
            Next::Sleep(None) => panic!("nothing to ask for"),
        }
    }
}

fn fault(reason: Reason, scope: Scope, wait: Option<Duration>) -> Fault {
    Fault { scope, wait, ..Fault::new(reason, "as the test wants it") }
}

#[test]
fn every_lane_starts_at_once_and_its_others_follow_spaced() {
    let mut timetable = Timetable::default();
    let a = [(); 3].map(|()| timetable.enlist(&lane("main", 1), PACE, 15 * MINUTE, at(10)));
    let b = timetable.enlist(&lane("main", 2), PACE, 15 * MINUTE, at(10));
    let mut now = at(11);
    assert_eq!([ask(&mut timetable, &mut now), ask(&mut timetable, &mut now)], [a[0], b]);
    assert_eq!(timetable.next(now), Next::Sleep(None), "one request of a lane at a time");
    timetable.settle(a[0], Outcome::Fresh, now, 0.5);
    assert_eq!((ask(&mut timetable, &mut now), now), (a[1], at(12)));
}

#[test]
fn a_phase_is_steady_and_missed_ticks_are_left_out() {
    let mut timetable = Timetable::default();
    let ticket = timetable.enlist(&lane("main", 1), PACE, MINUTE, at(0));
    let mut now = at(1);
    ask(&mut timetable, &mut now);
    timetable.settle(ticket, Outcome::Fresh, now, 0.5);
    ask(&mut timetable, &mut now);
    assert_eq!(now, at(31));
    timetable.settle(ticket, Outcome::Fresh, at(36), 0.5);
    assert_eq!(timetable.due(ticket), at(91));
    now = at(91);
    ask(&mut timetable, &mut now);
    timetable.settle(ticket, Outcome::Fresh, at(500), 0.5);
    assert_eq!(timetable.due(ticket), at(571), "on its phase, and not sooner than half an interval");
}

#[test]
fn pages_go_before_other_targets_of_the_lane() {
    let mut timetable = Timetable::default();
    let first = timetable.enlist(&lane("main", 1), PACE, MINUTE, at(0));
    let second = timetable.enlist(&lane("main", 1), PACE, MINUTE, at(0));
    let mut now = at(1);
    assert_eq!(ask(&mut timetable, &mut now), first);
    timetable.next_page(first, now);
    assert_eq!((ask(&mut timetable, &mut now), now), (first, at(2)));
    timetable.settle(first, Outcome::Fresh, now, 0.5);
    assert_eq!(ask(&mut timetable, &mut now), second);
}

#[test]
fn a_throttled_lane_waits_and_another_goes_on() {
    let mut timetable = Timetable::default();
    let a = timetable.enlist(&lane("main", 1), PACE, MINUTE, at(0));
    let b = timetable.enlist(&lane("main", 2), PACE, MINUTE, at(0));
    let mut now = at(1);
    ask(&mut timetable, &mut now);
    timetable.settle(a, Outcome::Failed(&fault(Reason::Throttled, Scope::Lane, Some(10 * MINUTE))), now, 0.0);
    assert_eq!(ask(&mut timetable, &mut now), b);
    timetable.settle(b, Outcome::Fresh, now, 0.0);
    assert_eq!(timetable.blocked(now).map(|(key, until)| (key.account, until)).collect::<Vec<_>>().len(), 1);
    for _ in 0..9 {
        assert_eq!(ask(&mut timetable, &mut now), b);
        timetable.settle(b, Outcome::Fresh, now, 0.0);
    }
    now = at(601);
    assert_eq!(ask(&mut timetable, &mut now), b, "due before the block ended");
    assert_eq!(ask(&mut timetable, &mut now), a);
}

#[test]
fn an_app_wide_throttle_stops_every_account_of_the_credential_alone() {
    let mut timetable = Timetable::default();
    let a = timetable.enlist(&lane("main", 1), PACE, MINUTE, at(0));
    timetable.enlist(&lane("main", 2), PACE, MINUTE, at(0));
    let other = timetable.enlist(&lane("growth", 3), PACE, MINUTE, at(0));
    let mut now = at(1);
    ask(&mut timetable, &mut now);
    timetable.settle(a, Outcome::Failed(&fault(Reason::Throttled, Scope::Credential, Some(10 * MINUTE))), now, 0.0);
    assert_eq!(ask(&mut timetable, &mut now), other);
    assert_eq!(timetable.next(now), Next::Sleep(Some(at(601))));
}

#[test]
fn a_dead_credential_is_probed_by_one_request_at_a_time() {
    let mut timetable = Timetable::default();
    let a = timetable.enlist(&lane("main", 1), PACE, MINUTE, at(0));
    let b = timetable.enlist(&lane("main", 2), PACE, MINUTE, at(0));
    let dead = fault(Reason::Unauthorized, Scope::Lane, None);
    let mut now = at(1);
    assert_eq!([ask(&mut timetable, &mut now), ask(&mut timetable, &mut now)], [a, b]);
    timetable.settle(a, Outcome::Failed(&dead), now, 0.0);
    timetable.settle(b, Outcome::Failed(&dead), now, 0.0);
    let probe = ask(&mut timetable, &mut now);
    assert_eq!(now, at(301));
    assert_eq!(timetable.next(now), Next::Sleep(None), "the others wait for the probe's answer");
    timetable.settle(probe, Outcome::Failed(&dead), now, 0.0);
    assert_eq!(timetable.next(now), Next::Sleep(Some(at(901))));
    timetable.credential_changed(&CredentialId { source: Source::META, name: "main".into() });
    let recovered = ask(&mut timetable, &mut now);
    assert_eq!(now, at(301), "the other account's lane is free at once");
    timetable.settle(recovered, Outcome::Fresh, now, 0.0);
    assert_eq!(timetable.rejected().count(), 0);
}

#[test]
fn what_is_handed_back_goes_next_and_passes_the_same_gates() {
    let mut timetable = Timetable::default();
    let a = timetable.enlist(&lane("main", 1), PACE, MINUTE, at(0));
    let b = timetable.enlist(&lane("main", 1), PACE, MINUTE, at(0));
    let mut now = at(1);
    assert_eq!(ask(&mut timetable, &mut now), a);
    timetable.hand_back(a);
    assert_eq!((ask(&mut timetable, &mut now), now), (a, at(2)), "before the lane's other target, on its pace");
    timetable.settle(a, Outcome::Failed(&fault(Reason::Unauthorized, Scope::Lane, None)), now, 0.0);
    let probe = ask(&mut timetable, &mut now);
    timetable.hand_back(probe);
    assert_eq!(ask(&mut timetable, &mut now), probe, "it is the probe again");
    assert_eq!(timetable.next(now), Next::Sleep(None), "and the only one");
    timetable.remove(probe);
    timetable.hand_back(probe);
    let other = if probe == a { b } else { a };
    assert_eq!(ask(&mut timetable, &mut now), other, "a removed one is gone");
}

#[test]
fn a_removed_target_is_never_asked_for_again() {
    let mut timetable = Timetable::default();
    let a = timetable.enlist(&lane("main", 1), PACE, MINUTE, at(0));
    let b = timetable.enlist(&lane("main", 1), PACE, MINUTE, at(0));
    let mut now = at(1);
    assert_eq!(ask(&mut timetable, &mut now), a);
    timetable.remove(a);
    timetable.remove(b);
    timetable.settle(a, Outcome::Fresh, now, 0.0);
    assert_eq!(timetable.next(now), Next::Sleep(None));
    assert!(timetable.all_settled(now));
}

#[test]
fn intervals_that_do_not_fit_stretch_alike() {
    let mut timetable = Timetable::default();
    let grant = Grant::Rate { per_second: 0.1 };
    let slow = timetable.enlist(&lane("main", 1), grant, at(8), at(0));
    let quick = timetable.enlist(&lane("main", 1), grant, at(4), at(0));
    let (mut now, mut polls) = (at(1), [0, 0]);
    while now < at(3600) {
        let ticket = ask(&mut timetable, &mut now);
        polls[usize::from(ticket == quick)] += 1;
        timetable.settle(ticket, Outcome::Fresh, now, 0.5);
    }
    assert!(timetable.load(slow).stretch > 3.0);
    let [slow, quick] = polls.map(f64::from);
    assert!(slow + quick >= 340.0, "what may be asked is asked: {slow} + {quick} of 360");
    assert!((1.7..2.3).contains(&(quick / slow)), "the proportion stays: {slow} {quick}");
}

#[test]
fn no_stretch_is_longer_than_clocks_count() {
    let mut timetable = Timetable::default();
    let grant = Grant::Rate { per_second: 0.001 };
    let century = Duration::from_hours(876_600);
    let rare = timetable.enlist(&lane("main", 1), grant, century, at(0));
    timetable.enlist(&lane("main", 1), grant, Duration::from_nanos(1), at(0));
    let mut now = at(1);
    assert_eq!(ask(&mut timetable, &mut now), rare);
    for outcome in [Outcome::Fresh, Outcome::Fresh, Outcome::Failed(&fault(Reason::Forbidden, Scope::Lane, None))] {
        timetable.settle(rare, outcome, now, 1.0);
        assert!(timetable.due(rare) >= now);
    }
}
