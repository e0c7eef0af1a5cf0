//! A schedule played without a clock.

use super::*;
use crate::domain::fault::Scope;
use crate::domain::target::Source;
use crate::domain::target::{AccountId, CredentialId};

const MINUTE: Duration = Duration::from_mins(1);
/// Places that are never all taken.
const PLACES: usize = 1000;
/// One request a second, one under way.
const PACE: Grant = Grant::Rate { per_second: 1.0 };

fn lane(credential: &str, account: u32) -> LaneKey {
    let account = AccountId::parse(&account.to_string()).ok();
    LaneKey { source: Source::META, credential: credential.into(), account }
}

fn at(seconds: u64) -> Uptime {
    Uptime::after(Duration::from_secs(seconds))
}

/// Moves to the next request and says when it goes out.
fn ask(schedule: &mut Schedule, now: &mut Uptime) -> Ticket {
    loop {
        match schedule.next(*now, PLACES) {
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
    let mut schedule = Schedule::default();
    let a = [(); 3].map(|()| schedule.enlist(&lane("main", 1), PACE, Priority::Figures, 15 * MINUTE, at(10)));
    let b = schedule.enlist(&lane("main", 2), PACE, Priority::Figures, 15 * MINUTE, at(10));
    let mut now = at(11);
    assert_eq!([ask(&mut schedule, &mut now), ask(&mut schedule, &mut now)], [a[0], b]);
    assert_eq!(schedule.next(now, PLACES), Next::Sleep(None), "one request of a lane at a time");
    schedule.settle(a[0], Outcome::Fresh, now, 0.5);
    assert_eq!((ask(&mut schedule, &mut now), now), (a[1], at(12)));
}

#[test]
fn a_phase_is_steady_and_missed_ticks_are_left_out() {
    let mut schedule = Schedule::default();
    let ticket = schedule.enlist(&lane("main", 1), PACE, Priority::Figures, MINUTE, at(0));
    let mut now = at(1);
    ask(&mut schedule, &mut now);
    schedule.settle(ticket, Outcome::Fresh, now, 0.5);
    ask(&mut schedule, &mut now);
    assert_eq!(now, at(31));
    schedule.settle(ticket, Outcome::Fresh, at(36), 0.5);
    assert_eq!(schedule.due(ticket), at(91));
    now = at(91);
    ask(&mut schedule, &mut now);
    schedule.settle(ticket, Outcome::Fresh, at(500), 0.5);
    assert_eq!(schedule.due(ticket), at(571), "on its phase, and not sooner than half an interval");
}

#[test]
fn pages_go_before_other_targets_of_the_lane() {
    let mut schedule = Schedule::default();
    let first = schedule.enlist(&lane("main", 1), PACE, Priority::Figures, MINUTE, at(0));
    let second = schedule.enlist(&lane("main", 1), PACE, Priority::Figures, MINUTE, at(0));
    let mut now = at(1);
    assert_eq!(ask(&mut schedule, &mut now), first);
    schedule.next_page(first, now);
    assert_eq!((ask(&mut schedule, &mut now), now), (first, at(2)));
    schedule.settle(first, Outcome::Fresh, now, 0.5);
    assert_eq!(ask(&mut schedule, &mut now), second);
}

#[test]
fn a_throttled_lane_waits_and_another_goes_on() {
    let mut schedule = Schedule::default();
    let a = schedule.enlist(&lane("main", 1), PACE, Priority::Figures, MINUTE, at(0));
    let b = schedule.enlist(&lane("main", 2), PACE, Priority::Figures, MINUTE, at(0));
    let mut now = at(1);
    ask(&mut schedule, &mut now);
    schedule.settle(a, Outcome::Failed(&fault(Reason::Throttled, Scope::Lane, Some(10 * MINUTE))), now, 0.0);
    assert_eq!(ask(&mut schedule, &mut now), b);
    schedule.settle(b, Outcome::Fresh, now, 0.0);
    assert_eq!(schedule.blocked(now).map(|(key, until)| (key.account, until)).collect::<Vec<_>>().len(), 1);
    for _ in 0..9 {
        assert_eq!(ask(&mut schedule, &mut now), b);
        schedule.settle(b, Outcome::Fresh, now, 0.0);
    }
    now = at(601);
    assert_eq!(ask(&mut schedule, &mut now), b, "due before the block ended");
    assert_eq!(ask(&mut schedule, &mut now), a);
}

#[test]
fn an_app_wide_throttle_stops_every_account_of_the_credential_alone() {
    let mut schedule = Schedule::default();
    let a = schedule.enlist(&lane("main", 1), PACE, Priority::Figures, MINUTE, at(0));
    schedule.enlist(&lane("main", 2), PACE, Priority::Figures, MINUTE, at(0));
    let other = schedule.enlist(&lane("growth", 3), PACE, Priority::Figures, MINUTE, at(0));
    let mut now = at(1);
    ask(&mut schedule, &mut now);
    schedule.settle(a, Outcome::Failed(&fault(Reason::Throttled, Scope::Credential, Some(10 * MINUTE))), now, 0.0);
    assert_eq!(ask(&mut schedule, &mut now), other);
    assert_eq!(schedule.next(now, PLACES), Next::Sleep(Some(at(601))));
}

#[test]
fn refusals_without_a_time_double_until_an_answer_comes() {
    // Two at a time.
    const QUICK: Grant = Grant::Rate { per_second: 2.0 };
    for scope in [Scope::Lane, Scope::Credential] {
        let mut schedule = Schedule::default();
        let a = schedule.enlist(&lane("main", 1), QUICK, Priority::Figures, MINUTE, at(0));
        let b = schedule.enlist(&lane("main", 1), QUICK, Priority::Figures, MINUTE, at(0));
        let refused = fault(Reason::Throttled, scope, None);
        let mut now = at(1);
        let mut waits = Vec::new();
        for _ in 0..3 {
            let both = [ask(&mut schedule, &mut now), ask(&mut schedule, &mut now)];
            let before = now;
            schedule.settle(both[0], Outcome::Failed(&refused), now, 0.0);
            // The other one left before the lane was stopped, and says nothing about how long it is to be.
            if waits.len() == 1 {
                schedule.settle(both[1], Outcome::Fresh, now, 0.0);
            } else {
                schedule.settle(both[1], Outcome::Failed(&refused), now, 0.0);
            }
            let until = schedule.blocked(now).map(|(_, until)| until).max().unwrap();
            waits.push((until - before).as_secs());
            now = until.max(now + 2 * MINUTE);
        }
        assert_eq!(waits, [60, 120, 240], "{scope:?}");
        let first = ask(&mut schedule, &mut now);
        schedule.settle(first, Outcome::Fresh, now, 0.0);
        let second = if first == a { b } else { a };
        assert_eq!(ask(&mut schedule, &mut now), second);
        schedule.settle(second, Outcome::Failed(&refused), now, 0.0);
        let until = schedule.blocked(now).map(|(_, until)| until).max().unwrap();
        assert_eq!((until - now).as_secs(), 60, "{scope:?}");
    }
}

#[test]
fn waits_of_a_stretched_lane_shrink_when_it_may_ask_more() {
    let mut schedule = Schedule::default();
    let slow = Grant::Rate { per_second: 0.001 };
    let tickets = [(); 20].map(|()| schedule.enlist(&lane("main", 1), slow, Priority::Figures, 15 * MINUTE, at(0)));
    let mut now = at(1);
    for _ in 0..30 {
        let ticket = ask(&mut schedule, &mut now);
        schedule.settle(ticket, Outcome::Fresh, now, 0.5);
    }
    let stretch = schedule.load(tickets[0]).stretch;
    assert!(stretch > 15.0, "{stretch}");
    let latest = tickets.map(|ticket| schedule.due(ticket)).into_iter().max().unwrap();
    assert!(latest > now + 120 * MINUTE);
    let before = tickets.map(|ticket| schedule.due(ticket));

    let id = CredentialId { source: Source::META, name: "main".into() };
    schedule.regrant(&id, Grant::Rate { per_second: 0.5 });
    let next = ask(&mut schedule, &mut now);
    schedule.settle(next, Outcome::Fresh, now, 0.5);
    assert!((schedule.load(next).stretch - 1.0).abs() < 1e-9);
    for (ticket, before) in tickets.into_iter().zip(before).filter(|(ticket, _)| *ticket != next) {
        let due = schedule.due(ticket);
        assert!(due <= now + 2 * 15 * MINUTE, "{due:?}");
        assert!(due <= before && (before <= now || due > now), "in the order in which they were due, and not at once");
    }
}

#[test]
fn a_dead_credential_is_probed_by_one_request_at_a_time() {
    let mut schedule = Schedule::default();
    let a = schedule.enlist(&lane("main", 1), PACE, Priority::Figures, MINUTE, at(0));
    let b = schedule.enlist(&lane("main", 2), PACE, Priority::Figures, MINUTE, at(0));
    let dead = fault(Reason::Unauthorized, Scope::Lane, None);
    let mut now = at(1);
    assert_eq!([ask(&mut schedule, &mut now), ask(&mut schedule, &mut now)], [a, b]);
    schedule.settle(a, Outcome::Failed(&dead), now, 0.0);
    schedule.settle(b, Outcome::Failed(&dead), now, 0.0);
    let probe = ask(&mut schedule, &mut now);
    assert_eq!(now, at(301));
    assert_eq!(schedule.next(now, PLACES), Next::Sleep(None), "the others wait for the probe's answer");
    schedule.settle(probe, Outcome::Failed(&dead), now, 0.0);
    assert_eq!(schedule.next(now, PLACES), Next::Sleep(Some(at(901))));
    schedule.credential_changed(&CredentialId { source: Source::META, name: "main".into() });
    let recovered = ask(&mut schedule, &mut now);
    assert_eq!(now, at(301), "the other account's lane is free at once");
    schedule.settle(recovered, Outcome::Fresh, now, 0.0);
    assert_eq!(schedule.rejected().count(), 0);
}

#[test]
fn what_is_handed_back_goes_next_and_passes_the_same_gates() {
    let mut schedule = Schedule::default();
    let a = schedule.enlist(&lane("main", 1), PACE, Priority::Figures, MINUTE, at(0));
    let b = schedule.enlist(&lane("main", 1), PACE, Priority::Figures, MINUTE, at(0));
    let mut now = at(1);
    assert_eq!(ask(&mut schedule, &mut now), a);
    schedule.hand_back(a);
    assert_eq!((ask(&mut schedule, &mut now), now), (a, at(2)), "before the lane's other target, on its pace");
    schedule.settle(a, Outcome::Failed(&fault(Reason::Unauthorized, Scope::Lane, None)), now, 0.0);
    let probe = ask(&mut schedule, &mut now);
    schedule.hand_back(probe);
    assert_eq!(ask(&mut schedule, &mut now), probe, "it is the probe again");
    assert_eq!(schedule.next(now, PLACES), Next::Sleep(None), "and the only one");
    schedule.remove(probe);
    schedule.hand_back(probe);
    let other = if probe == a { b } else { a };
    assert_eq!(ask(&mut schedule, &mut now), other, "a removed one is gone");
}

#[test]
fn a_removed_target_is_never_asked_for_again() {
    let mut schedule = Schedule::default();
    let a = schedule.enlist(&lane("main", 1), PACE, Priority::Figures, MINUTE, at(0));
    let b = schedule.enlist(&lane("main", 1), PACE, Priority::Figures, MINUTE, at(0));
    let mut now = at(1);
    assert_eq!(ask(&mut schedule, &mut now), a);
    schedule.remove(a);
    schedule.remove(b);
    schedule.settle(a, Outcome::Fresh, now, 0.0);
    assert_eq!(schedule.next(now, PLACES), Next::Sleep(None));
    assert!(schedule.all_settled(now));
}

#[test]
fn intervals_that_do_not_fit_stretch_alike() {
    let mut schedule = Schedule::default();
    let grant = Grant::Rate { per_second: 0.1 };
    let slow = schedule.enlist(&lane("main", 1), grant, Priority::Figures, Duration::from_secs(8), at(0));
    let quick = schedule.enlist(&lane("main", 1), grant, Priority::Figures, Duration::from_secs(4), at(0));
    let (mut now, mut polls) = (at(1), [0, 0]);
    while now < at(3600) {
        let ticket = ask(&mut schedule, &mut now);
        polls[usize::from(ticket == quick)] += 1;
        schedule.settle(ticket, Outcome::Fresh, now, 0.5);
    }
    assert!(schedule.load(slow).stretch > 3.0);
    let [slow, quick] = polls.map(f64::from);
    assert!(slow + quick >= 340.0, "what may be asked is asked: {slow} + {quick} of 360");
    assert!((1.7..2.3).contains(&(quick / slow)), "the proportion stays: {slow} {quick}");
}

#[test]
fn no_stretch_is_longer_than_clocks_count() {
    let mut schedule = Schedule::default();
    let grant = Grant::Rate { per_second: 0.001 };
    let century = Duration::from_hours(876_600);
    let rare = schedule.enlist(&lane("main", 1), grant, Priority::Figures, century, at(0));
    schedule.enlist(&lane("main", 1), grant, Priority::Figures, Duration::from_nanos(1), at(0));
    let mut now = at(1);
    assert_eq!(ask(&mut schedule, &mut now), rare);
    for outcome in [Outcome::Fresh, Outcome::Fresh, Outcome::Failed(&fault(Reason::Forbidden, Scope::Lane, None))] {
        schedule.settle(rare, outcome, now, 1.0);
        assert!(schedule.due(rare) >= now);
    }
}

#[test]
fn names_wait_while_figures_are_due_and_have_one_request_in_ten() {
    let mut schedule = Schedule::default();
    let listing = schedule.enlist(&lane("main", 1), PACE, Priority::Names, MINUTE, at(0));
    let figures = schedule.enlist(&lane("main", 1), PACE, Priority::Figures, MINUTE, at(0));
    let mut now = at(1);
    let mut order = Vec::new();
    for _ in 0..20 {
        let ticket = ask(&mut schedule, &mut now);
        // Both have a next page, always.
        schedule.next_page(ticket, now);
        order.push(ticket);
    }
    let named: Vec<_> = (0..20).filter(|turn| order[*turn] == listing).collect();
    assert_eq!(named, [9, 19]);
    ask(&mut schedule, &mut now);
    schedule.settle(figures, Outcome::Fresh, now, 0.5);
    assert!(schedule.figures_settled(now) && !schedule.all_settled(now), "names are outstanding");
    assert_eq!(ask(&mut schedule, &mut now), listing, "no figure is due");
}

#[test]
fn an_api_that_never_answers_leaves_a_place_to_the_other() {
    let mut schedule = Schedule::default();
    for account in 1..=30 {
        schedule.enlist(&lane("main", account), PACE, Priority::Figures, MINUTE, at(0));
    }
    let other = LaneKey { source: Source::CAMS, ..lane("sg", 1) };
    let late = schedule.enlist(&other, PACE, Priority::Figures, MINUTE, at(5));
    let places = 4;
    let mut out = Vec::new();
    while let Next::Ask(ticket) = schedule.next(at(1), places - out.len()) {
        out.push(ticket);
    }
    assert_eq!(out.len(), 3, "the last place is the other one's");
    assert_eq!(schedule.next(at(1), 1), Next::Sleep(Some(at(5) + Duration::from_nanos(1))));
    assert_eq!(schedule.next(at(6), 1), Next::Ask(late));
    assert_eq!(schedule.next(at(6), 1), Next::Ask(Ticket(3)), "it has one now: any place is free");
    schedule.remove(late);
    schedule.settle(late, Outcome::Fresh, at(7), 0.5);
    assert_eq!(schedule.next(at(7), 1), Next::Ask(Ticket(4)), "whoever has no targets needs no place");
}

#[test]
fn credentials_take_turns_and_one_place_is_enough_for_all() {
    let mut schedule = Schedule::default();
    for account in 1..=9 {
        schedule.enlist(&lane("a", account), PACE, Priority::Figures, MINUTE, at(0));
    }
    let b = schedule.enlist(&lane("b", 20), PACE, Priority::Figures, MINUTE, at(0));
    let c = schedule.enlist(&LaneKey { source: Source::CAMS, ..lane("c", 21) }, PACE, Priority::Figures, MINUTE, at(0));
    let mut order = Vec::new();
    let mut now = at(1);
    for _ in 0..4 {
        let Next::Ask(ticket) = schedule.next(now, 1) else { panic!("somebody is due") };
        now += 30 * Duration::from_secs(1);
        schedule.settle(ticket, Outcome::Failed(&fault(Reason::Timeout, Scope::Lane, None)), now, 0.5);
        order.push(ticket);
    }
    assert!(order[..3].contains(&b) && order[..3].contains(&c), "{order:?}");
}
