//! How lanes and credentials fare: as gauges, and for the status page.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Poller;
use crate::clock;
use crate::domain::budget::Usage;
use crate::domain::fault::{Fault, Reason};
use crate::domain::lane::LaneKey;
use crate::domain::schedule::{Ticket, Uptime};
use crate::domain::snapshot::Change;
use crate::domain::status::{CredentialStatus, LaneStatus};
use crate::domain::target::{Source, TargetKey, account_label};

/// A block that ends this much later is another one; less is the wall clock's doing.
const SAME: f64 = 1.0;

impl Poller {
    /// What the end of a poll says of its lane and of its credential.
    pub(super) fn note_standing(
        &mut self,
        key: &TargetKey,
        ticket: Ticket,
        fault: Option<(&Fault, Reason)>,
        now: Uptime,
    ) {
        let refusal = match fault {
            None => Some(None),
            Some((fault, Reason::Unauthorized)) => Some(Some(&*fault.message)),
            Some(_) => None,
        };
        if let Some(refusal) = refusal {
            let labels = [key.source.label(), &*key.credential];
            self.telemetry.credential_valid.with_label_values(&labels).set(i64::from(refusal.is_none()));
            let at = clock::wall_seconds();
            self.note_credential(key.source, &key.credential, |status| status.note(refusal, at));
        }
        self.note_blocked(now);
        self.note_load(ticket);
    }

    /// What is wanted of a target's lane, and what it may.
    fn note_load(&mut self, ticket: Ticket) {
        let load = self.timetable.load(ticket);
        let (lane, tier) = (load.lane.clone(), load.tier);
        let (allowance, demand, stretch) = (load.allowance, load.demand, load.stretch);
        let account = account_label(lane.account);
        let labels = [lane.source.label(), &lane.credential, &account];
        self.telemetry.api_allowance.with_label_values(&labels).set(allowance);
        self.telemetry.api_demand.with_label_values(&labels).set(demand);
        self.note_lane(&lane, |status| {
            (status.allowance, status.demand, status.stretch) = (Some(allowance), Some(demand), Some(stretch));
            status.tier = tier;
        });
    }

    /// Lanes that came are shown before they are asked, those that left no more.
    pub(super) fn note_lanes(&mut self) {
        let lanes: BTreeMap<_, _> = self.tickets.iter().map(|(key, ticket)| (LaneKey::of(key), *ticket)).collect();
        let gone: Vec<_> = self.standing.lanes.keys().filter(|lane| !lanes.contains_key(lane)).cloned().collect();
        for lane in gone {
            self.telemetry.forget_lane(&lane);
            self.report.forget_lane(&lane, self.clock.uptime());
            self.set_lane(lane, None);
        }
        for (lane, ticket) in lanes {
            if !self.standing.lanes.contains_key(&lane) {
                self.set_lane(lane, Some(Arc::default()));
            }
            self.note_load(ticket);
        }
    }

    /// Which lanes are stopped. A refusal may stop others beside the one that met it.
    pub(super) fn note_blocked(&mut self, now: Uptime) {
        let blocked: Vec<_> =
            self.timetable.blocked(now).map(|(lane, until)| (lane.clone(), self.clock.wall_at(until))).collect();
        self.telemetry.set_blocked(blocked.iter().map(|(lane, until)| (lane, *until)));
        for (lane, until) in blocked {
            self.note_lane(&lane, |status| {
                if status.blocked_until.is_none_or(|former| (former - until).abs() > SAME) {
                    status.blocked_until = Some(until);
                }
            });
        }
    }

    /// What an answer's headers tell of the allowances.
    pub(super) fn note_usage(&mut self, key: &TargetKey, usages: &[Usage]) {
        // A header may name one allowance twice; the worst entry is the one that blocks.
        let mut worst: BTreeMap<_, f64> = BTreeMap::new();
        for usage in usages {
            let ratio = worst.entry(usage.limit).or_default();
            *ratio = ratio.max(usage.ratio);
        }
        let account = account_label(key.account);
        for (limit, ratio) in &worst {
            let labels = [key.source.label(), &*key.credential, &account, limit];
            self.telemetry.api_usage.with_label_values(&labels).set(*ratio);
        }
        self.note_lane(&LaneKey::of(key), |status| status.usage.extend(worst));
    }

    fn note_lane(&mut self, lane: &LaneKey, change: impl FnOnce(&mut LaneStatus)) {
        let Some(held) = self.standing.lanes.get(lane) else { return };
        let mut status = LaneStatus::clone(held);
        change(&mut status);
        if **held != status {
            self.set_lane(lane.clone(), Some(Arc::new(status)));
        }
    }

    fn set_lane(&mut self, lane: LaneKey, status: Option<Arc<LaneStatus>>) {
        self.standing.set_lane(lane.clone(), status.clone());
        self.news.changes.push(Change::Lane(lane, status));
    }

    /// Changes what is known of a credential.
    pub(super) fn note_credential(&mut self, source: Source, name: &str, change: impl FnOnce(&mut CredentialStatus)) {
        let key = (source, Arc::from(name));
        let held = self.standing.credentials.get(&key);
        let mut status = held.map(|held| CredentialStatus::clone(held)).unwrap_or_default();
        change(&mut status);
        if held.is_none_or(|held| **held != status) {
            let status = Arc::new(status);
            self.standing.credentials.insert(key.clone(), status.clone());
            self.news.changes.push(Change::Credential(source, key.1, status));
        }
    }
}
