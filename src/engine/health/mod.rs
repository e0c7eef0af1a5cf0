//! The state of targets, lanes and credentials: the only source of gauges, log lines and the status page.

mod credentials;
mod lanes;
mod trouble;

use std::collections::BTreeMap;
use std::time::Duration;

use credentials::Credentials;
use lanes::Lanes;
use trouble::TroubleLog;

use super::effect::Measurement;
use super::event::Moment;
use super::outbox::Outbox;
use crate::domain::change::Change;
use crate::domain::fault::{Fault, Reason};
use crate::domain::status::TargetStatus;
use crate::domain::target::TargetKey;
use crate::domain::time::Uptime;

/// The state of targets, lanes and credentials, kept once. Gauges, log lines and the status page learn of
/// changes from here, so that they cannot contradict each other.
#[derive(Debug, Default)]
pub(super) struct Health {
    targets: BTreeMap<TargetKey, TargetHealth>,
    pub(super) lanes: Lanes,
    pub(super) credentials: Credentials,
    /// What the log says of all of them.
    pub(super) trouble: TroubleLog,
}

#[derive(Debug, Default)]
struct TargetHealth {
    status: TargetStatus,
    /// Why its last poll failed; `None` after a success, and before the first poll.
    last: Option<Reason>,
}

/// How a poll ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct PollEnd<'a> {
    pub(super) started: Uptime,
    /// Why it failed; a poll that got some of its pages failed partly, whatever stopped it.
    pub(super) fault: Option<(&'a Fault, Reason)>,
    /// Rows of a whole answer.
    pub(super) rows: Option<usize>,
    /// Time between two polls that is in force.
    pub(super) interval: Duration,
    /// How long samples are shown, where that is less than two of these.
    pub(super) leaves_early: Option<Duration>,
    pub(super) next_poll: Uptime,
    /// Failed polls in a row.
    pub(super) failures: u32,
}

impl Health {
    /// A target that is to be polled: it shows before it was.
    pub(super) fn expect(&mut self, key: &TargetKey, interval: Duration, out: &mut Outbox) {
        let status = TargetStatus { interval, ..TargetStatus::default() };
        publish(key, &status, out);
        self.targets.insert(key.clone(), TargetHealth { status, ..TargetHealth::default() });
    }

    /// A target goes on as an earlier life left it.
    pub(super) fn restore(&mut self, key: &TargetKey, status: TargetStatus, out: &mut Outbox) {
        publish(key, &status, out);
        self.targets.entry(key.clone()).or_default().status = status;
    }

    /// Another interval is in force.
    pub(super) fn set_interval(&mut self, key: &TargetKey, interval: Duration, out: &mut Outbox) {
        let Some(target) = self.targets.get_mut(key) else { return };
        target.status.interval = interval;
        publish(key, &target.status, out);
    }

    /// The target is gone.
    pub(super) fn forget(&mut self, key: &TargetKey, now: Moment) {
        self.trouble.forget(key, now.uptime);
        self.targets.remove(key);
    }

    /// Whether a target's last poll failed.
    pub(super) fn is_failing(&self, key: &TargetKey) -> bool {
        self.targets.get(key).is_some_and(|target| target.last.is_some())
    }

    /// A poll of a target ended.
    pub(super) fn note_poll(&mut self, key: &TargetKey, end: &PollEnd<'_>, now: Moment, out: &mut Outbox) {
        let target = self.targets.entry(key.clone()).or_default();
        let reason = end.fault.map(|(_, reason)| reason);
        out.observe(Measurement::Poll { credential: key.credential_id(), reason, took: now.uptime - end.started });
        target.last = reason;
        let status = &mut target.status;
        status.note(end.fault.map(|(fault, reason)| (reason, &*fault.message)), now.wall);
        status.interval = end.interval;
        status.leaves_early = end.leaves_early;
        status.next_poll = Some(now.wall_at(end.next_poll));
        status.failures = Some(end.failures);
        // A failed poll brought no number; what the last good one brought is still shown.
        status.rows = end.rows.or(status.rows);
        publish(key, status, out);
    }
}

/// Discovery is not shown as a target.
fn publish(key: &TargetKey, status: &TargetStatus, out: &mut Outbox) {
    if !key.subject.is_discovery() {
        out.change(Change::Status { key: key.clone(), status: status.clone() });
    }
}

#[cfg(test)]
mod tests;
