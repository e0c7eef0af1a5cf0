//! Outages and recoveries as the log tells them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::effect::{Effect, Severity};
use super::*;
use crate::domain::budget::Usage;
use crate::domain::lane::LaneKey;
use crate::domain::status::Expiry;
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
