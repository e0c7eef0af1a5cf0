//! The state of targets as text.

use super::family::{self, FAMILIES, FamilySet, Other};
use super::line;
use crate::domain::status::TargetStatus;
use crate::domain::target::TargetKey;
use crate::domain::time::UnixSeconds;

/// A run of targets.
#[derive(Debug, PartialEq)]
pub(super) struct States(pub(super) Vec<(TargetKey, TargetStatus)>);

const SHOWN: [Other; 7] = [
    Other::TargetUp,
    Other::TargetLastSuccess,
    Other::TargetLastAttempt,
    Other::TargetNextPoll,
    Other::TargetPollInterval,
    Other::TargetConsecutiveFailures,
    Other::TargetRows,
];

impl States {
    pub(super) fn families(&self) -> FamilySet {
        let mut families = FamilySet::default();
        for shown in SHOWN {
            let family = family::other(shown);
            if self.0.iter().any(|(_, status)| value(status, family).is_some()) {
                families.insert(family);
            }
        }
        families
    }

    /// Whether a family reads as it did.
    pub(super) fn same(&self, former: &Self, family: usize) -> bool {
        self.0.len() == former.0.len()
            && self
                .0
                .iter()
                .zip(&former.0)
                .all(|((key, status), (other, was))| key == other && value(status, family) == value(was, family))
    }

    /// Appends the samples of a family.
    pub(super) fn write(&self, family: usize, out: &mut Vec<u8>) {
        let mut text = String::new();
        for (key, status) in &self.0 {
            let Some(value) = value(status, family) else { continue };
            text.clear();
            text.push_str(&FAMILIES[family].name);
            text.push('{');
            for (name, value) in key.labels() {
                line::label(name, &value, &mut text);
            }
            text.push_str("} ");
            out.extend_from_slice(text.as_bytes());
            line::number(value, out);
            out.push(b'\n');
        }
    }
}

fn value(status: &TargetStatus, family: usize) -> Option<f64> {
    match SHOWN.into_iter().find(|shown| family::other(*shown) == family)? {
        Other::TargetUp => status.up.map(|up| f64::from(u8::from(up))),
        Other::TargetLastSuccess => status.last_success.map(UnixSeconds::as_f64),
        Other::TargetLastAttempt => status.last_attempt.map(UnixSeconds::as_f64),
        Other::TargetNextPoll => status.next_poll.map(UnixSeconds::as_f64),
        Other::TargetPollInterval => Some(status.interval.as_secs_f64()),
        Other::TargetConsecutiveFailures => status.failures.map(f64::from),
        _ => status.rows.map(|rows| rows as f64),
    }
}
