//! Outages and recoveries as the log tells them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::effect::{Effect, Severity};
use super::*;
use crate::domain::budget::{Basis, BelievedTier, Tier, Usage};
use crate::domain::change::Change;
use crate::domain::lane::{LaneKey, LaneLoad};
use crate::domain::status::{CredentialStatus, Expiry, LaneStatus};
use crate::domain::target::{CredentialId, Source, Subject, Window};
use crate::domain::time::UnixSeconds;
use crate::source::TokenHealth;

const NOW: Moment =
    Moment { uptime: Uptime::after(Duration::from_secs(100)), wall: UnixSeconds::new(1_000_100.0), dice: 0.5 };

fn key(subject: Subject) -> TargetKey {
    TargetKey {
        source: Source::META,
        account: None,
        subject,
        credential: "main".into(),
        part: 0,
        window: Window::Unspecified,
    }
}

fn lane() -> LaneKey {
    LaneKey::of(&key(Subject::Totals))
}

fn end(fault: Option<&Fault>) -> PollEnd<'_> {
    PollEnd {
        started: Uptime::after(Duration::from_secs(98)),
        fault: fault.map(|fault| (fault, fault.reason)),
        rows: fault.is_none().then_some(3),
        interval: Duration::from_mins(15),
        leaves_early: None,
        next_poll: Uptime::after(Duration::from_secs(1000)),
        failures: 0,
    }
}

/// What came out: statuses, lines by severity, measurements.
fn drain(out: &mut Outbox) -> (Vec<TargetStatus>, Vec<Severity>, Vec<Measurement>) {
    out.flush();
    let (mut statuses, mut lines, mut measured) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(effect) = out.next() {
        match effect {
            Effect::Publish(update) => statuses.extend(update.changes.into_iter().filter_map(|change| match change {
                Change::Status { status, .. } => Some(status),
                _ => None,
            })),
            Effect::Report(report) => lines.push(report.severity),
            Effect::Observe(measurement) => measured.push(measurement),
            _ => {}
        }
    }
    (statuses, lines, measured)
}

#[test]
fn a_target_shows_before_it_is_polled_and_then_how_its_last_poll_went() {
    let (mut health, mut out, key) = (Health::default(), Outbox::default(), key(Subject::Totals));
    health.expect(&key, Duration::from_mins(15), &mut out);
    assert_eq!(drain(&mut out).0[0].up, None);
    health.note_poll(&key, &end(None), NOW, &mut out);
    let (statuses, _, measured) = drain(&mut out);
    assert_eq!(
        (statuses[0].up, statuses[0].rows, statuses[0].next_poll),
        (Some(true), Some(3), Some(UnixSeconds::new(1_001_000.0)))
    );
    assert!(matches!(measured[..], [Measurement::Poll { reason: None, took, .. }] if took.as_secs() == 2));
    assert!(!health.is_failing(&key));

    let fault = Fault::new(Reason::Timeout, "late");
    health.note_poll(&key, &end(Some(&fault)), NOW, &mut out);
    let (statuses, ..) = drain(&mut out);
    assert_eq!(
        (statuses[0].up, statuses[0].rows),
        (Some(false), Some(3)),
        "the rows are those of the last good answer"
    );
    assert!(health.is_failing(&key));
}

#[test]
fn discovery_is_no_target_of_the_page_and_counts_as_a_poll() {
    let (mut health, mut out, key) = (Health::default(), Outbox::default(), key(Subject::Listing));
    health.expect(&key, Duration::from_mins(15), &mut out);
    health.note_poll(&key, &end(None), NOW, &mut out);
    let (statuses, _, measured) = drain(&mut out);
    assert_eq!((statuses.len(), measured.len()), (0, 1));
}

#[test]
fn a_lane_shows_while_it_has_targets_and_the_worst_of_two_entries_counts() {
    let (mut health, mut out, lane) = (Health::default(), Outbox::default(), lane());
    health.lanes.set(&BTreeSet::from([lane.clone()]), &mut out);
    let usage = |ratio| Usage { limit: "account", ratio, regain: None, tier: None };
    health.lanes.note_usage(&lane, &[usage(0.2), usage(0.9), usage(0.4)], &mut out);
    let measured = drain(&mut out).2;
    assert!(matches!(measured[..], [Measurement::Usage { ratio, .. }] if ratio > 0.85), "{measured:?}");
    health.lanes.set(&BTreeSet::new(), &mut out);
    assert!(matches!(drain(&mut out).2[..], [Measurement::LaneGone(_)]));
}

#[test]
fn a_token_that_ends_soon_is_warned_of_and_forgotten_when_it_is_replaced() {
    let (mut health, mut out) = (Health::default(), Outbox::default());
    let credential = CredentialId { source: Source::META, name: Arc::from("main") };
    let after = |days: i64| jiff::Timestamp::from_second(1_000_100 + days * 86_400).ok();
    health.credentials.expect(&credential, Expiry::Awaited, &mut out);
    drain(&mut out);
    for (days, lines) in [(15, 0), (13, 1)] {
        health.credentials.note_token(
            &credential,
            TokenHealth { expires: after(days), data_access_expires: None },
            NOW,
            &mut out,
        );
        assert_eq!(drain(&mut out).1.len(), lines, "{days} days");
    }
    health.credentials.forget_token(&credential, &mut out);
    assert!(matches!(drain(&mut out).2[..], [Measurement::Expiry { expires: None, .. }]));
    health.credentials.forget_token(&credential, &mut out);
    assert!(drain(&mut out).2.is_empty(), "there is nothing left to forget");
}

#[test]
fn a_credential_is_refused_by_its_own_refusal_alone() {
    let (mut health, mut out) = (Health::default(), Outbox::default());
    let credential = CredentialId { source: Source::META, name: Arc::from("main") };
    let fault = |reason| Fault::new(reason, "no");
    for (fault, accepted) in [
        (Some(fault(Reason::Unavailable)), None),
        (Some(fault(Reason::Unauthorized)), Some(false)),
        (Some(fault(Reason::Timeout)), None),
        (Some(fault(Reason::Forbidden)), Some(true)),
        (None, Some(true)),
    ] {
        health.credentials.note_acceptance(
            &credential,
            fault.as_ref().map(|fault| (fault, fault.reason)),
            NOW,
            &mut out,
        );
        let measured = drain(&mut out).2;
        let said =
            measured.first().map(|measurement| matches!(measurement, Measurement::Accepted { accepted: true, .. }));
        assert_eq!(said, accepted, "{fault:?}");
    }
}

/// The statuses of lanes and credentials that were published.
fn published(out: &mut Outbox) -> (Vec<LaneStatus>, Vec<CredentialStatus>) {
    out.flush();
    let (mut lanes, mut credentials) = (Vec::new(), Vec::new());
    for effect in std::iter::from_fn(|| out.next()) {
        let Effect::Publish(update) = effect else { continue };
        for change in update.changes {
            match change {
                Change::Lane { status: Some(status), .. } => lanes.push(LaneStatus::clone(&status)),
                Change::Credential { status, .. } => credentials.push(CredentialStatus::clone(&status)),
                _ => {}
            }
        }
    }
    (lanes, credentials)
}

fn main_credential() -> CredentialId {
    CredentialId { source: Source::META, name: Arc::from("main") }
}

#[test]
fn the_load_of_a_lane_is_measured_each_time_and_published_when_it_changes() {
    let (mut health, mut out, lane) = (Health::default(), Outbox::default(), lane());
    health.lanes.set(&BTreeSet::from([lane.clone()]), &mut out);
    published(&mut out);
    let tier = Some(BelievedTier { tier: Tier::Full, basis: Basis::Told });
    let load = || LaneLoad { lane: &lane, allowance: 100.0, tier, demand: 120.0, stretch: 1.2 };
    health.lanes.note_load(load(), &mut out);
    let shown = published(&mut out).0;
    assert_eq!((shown.len(), shown[0].tier, shown[0].stretch), (1, tier, Some(1.2)));
    health.lanes.note_load(load(), &mut out);
    assert!(published(&mut out).0.is_empty(), "nothing changed");
    health.lanes.note_load(load(), &mut out);
    assert!(matches!(drain(&mut out).2[..], [Measurement::Load { .. }]));
}

#[test]
fn a_block_is_measured_each_time_and_no_other_for_half_a_second() {
    let (mut health, mut out, lane) = (Health::default(), Outbox::default(), lane());
    health.lanes.set(&BTreeSet::from([lane.clone()]), &mut out);
    published(&mut out);
    let until = NOW.uptime + Duration::from_mins(5);
    for (later, shown) in [(Duration::ZERO, 1), (Duration::from_millis(500), 0), (Duration::from_secs(5), 1)] {
        health.lanes.note_blocked([(&lane, until + later)].into_iter(), NOW, &mut out);
        assert_eq!(published(&mut out).0.len(), shown, "{later:?}");
    }
    health.lanes.note_blocked(std::iter::empty(), NOW, &mut out);
    let measured = drain(&mut out).2;
    assert!(
        matches!(&measured[..], [Measurement::Blocked(none)] if none.is_empty()),
        "that is how the gauge goes away"
    );
}

#[test]
fn what_is_known_of_a_tokens_end_stays_until_it_cannot_be_known_any_more() {
    let (mut health, mut out, credential) = (Health::default(), Outbox::default(), main_credential());
    let credentials = &mut health.credentials;
    let expires = jiff::Timestamp::from_second(9_000_000).ok();
    credentials.expect(&credential, Expiry::Awaited, &mut out);
    credentials.note_token(&credential, TokenHealth { expires, data_access_expires: None }, NOW, &mut out);
    published(&mut out);
    credentials.note_token_fault(&credential, &mut out);
    credentials.set_expiry_kind(&credential, Expiry::Awaited, &mut out);
    assert!(published(&mut out).1.is_empty(), "neither a failed lookup nor a reload changes a date that is known");
    credentials.set_expiry_kind(&credential, Expiry::Unknown, &mut out);
    credentials.forget_token(&credential, &mut out);
    let last = published(&mut out).1.pop().unwrap();
    assert_eq!((last.expires, last.expiry), (None, Expiry::Unknown));
}

#[test]
fn a_credential_shows_from_the_start_whether_it_can_be_read_and_when_it_was() {
    let (mut health, mut out, credential) = (Health::default(), Outbox::default(), main_credential());
    let credentials = &mut health.credentials;
    credentials.expect(&credential, Expiry::None, &mut out);
    assert!(matches!(drain(&mut out).2[..], [Measurement::CredentialExpected(_)]));
    credentials.note_readable(&credential, Some("gone"), NOW, &mut out);
    assert!(matches!(drain(&mut out).2[..], [Measurement::Readable { readable: false, .. }]));
    assert_eq!(credentials.unreadable().count(), 1);
    credentials.note_readable(&credential, None, NOW, &mut out);
    credentials.note_keys_read(&credential, NOW, &mut out);
    let shown = published(&mut out).1;
    assert_eq!(shown.last().unwrap().last_read, Some(NOW.wall));
    credentials.note_acceptance(&credential, None, NOW, &mut out);
    assert_eq!(published(&mut out).1.len(), 1);
    credentials.note_acceptance(&credential, None, NOW, &mut out);
    assert!(published(&mut out).1.is_empty(), "each poll comes by; only a change is a new page");
}
