//! The parts that targets work with, without an engine around them.

use super::super::effect::Effect;
use super::super::event::{Moment, PollPlan};
use super::super::health::Health;
use super::super::outbox::Outbox;
use super::super::targets::{Planning, Targets, WantedTarget};
use super::play::SECOND;
use crate::domain::change::Change;
use crate::domain::fault::Fault;
use crate::domain::schedule::{Next, Outcome, Schedule, Ticket};
use crate::domain::target::TargetKey;
use crate::domain::time::{UnixSeconds, Uptime};

/// Targets with their schedule and their state, under a plan.
pub(in crate::engine) struct Parts {
    pub(in crate::engine) plan: PollPlan,
    pub(in crate::engine) targets: Targets,
    pub(in crate::engine) schedule: Schedule,
    pub(in crate::engine) health: Health,
    pub(in crate::engine) out: Outbox,
    pub(in crate::engine) now: Moment,
}

impl Parts {
    /// The targets of a plan, none of them asked yet.
    pub(in crate::engine) fn new(plan: PollPlan) -> Self {
        let now = Moment { uptime: Uptime::ZERO + 100 * SECOND, wall: UnixSeconds::new(1_000_000.0), dice: 0.5 };
        let mut parts = Self {
            plan,
            targets: Targets::default(),
            schedule: Schedule::default(),
            health: Health::default(),
            out: Outbox::default(),
            now,
        };
        parts.replan();
        parts.changes();
        parts
    }

    /// The targets, and what a change of them goes by.
    pub(in crate::engine) fn planning(&mut self) -> (&mut Targets, Planning<'_>) {
        let Self { plan, targets, schedule, health, out, now } = self;
        (targets, Planning { plan, schedule, health, out, now: *now })
    }

    /// What the plan wants.
    pub(in crate::engine) fn wanted(&self) -> Vec<WantedTarget> {
        let planned = self.plan.fleet.targets(|channel| self.targets.listed(&channel.id()));
        planned.into_iter().map(|planned| (planned, false)).collect()
    }

    /// Brings the targets in line with the plan.
    pub(in crate::engine) fn replan(&mut self) {
        let wanted = self.wanted();
        let (targets, mut with) = self.planning();
        targets.replan(wanted, &mut with);
    }

    /// Another plan is in force. Says how many targets start over.
    pub(in crate::engine) fn take(&mut self, plan: PollPlan) -> usize {
        self.plan = plan;
        let wanted = self.wanted();
        let (targets, mut with) = self.planning();
        targets.reload(wanted, &mut with)
    }

    /// Sends the next request of a target; whatever goes out before it is answered.
    pub(in crate::engine) fn ask(&mut self, key: &TargetKey) -> Ticket {
        let wanted = self.targets.ticket(key).unwrap();
        loop {
            match self.schedule.next(self.now.uptime, 8) {
                Next::Ask(ticket) if ticket == wanted => return ticket,
                Next::Ask(ticket) => self.schedule.settle(ticket, Outcome::Fresh, self.now.uptime, self.now.dice),
                Next::Sleep(until) => self.now.uptime = until.unwrap(),
            }
        }
    }

    /// Has each target polled once, with success or with the same fault.
    pub(in crate::engine) fn poll_all(&mut self, fault: Option<&Fault>) {
        while !self.targets.iter().all(|(_, ticket)| self.schedule.is_settled(ticket)) {
            match self.schedule.next(self.now.uptime, 8) {
                Next::Ask(ticket) => {
                    let outcome = fault.map_or(Outcome::Fresh, Outcome::Failed);
                    self.schedule.settle(ticket, outcome, self.now.uptime, self.now.dice);
                }
                Next::Sleep(until) => self.now.uptime = until.unwrap(),
            }
        }
    }

    /// The changes so far, taken.
    pub(in crate::engine) fn changes(&mut self) -> Vec<Change> {
        self.out.flush();
        let mut changes = Vec::new();
        while let Some(effect) = self.out.next() {
            if let Effect::Publish(update) = effect {
                changes.extend(update.changes);
            }
        }
        changes
    }

    /// The key that is written like this.
    pub(in crate::engine) fn key(&self, text: &str) -> TargetKey {
        let known: Vec<_> = self.targets.keys().map(ToString::to_string).collect();
        let key = self.targets.keys().find(|key| key.to_string() == text);
        key.unwrap_or_else(|| panic!("{text} is none of {known:?}")).clone()
    }

    /// When a target is due.
    pub(in crate::engine) fn due(&self, key: &TargetKey) -> Uptime {
        self.schedule.due(self.targets.ticket(key).unwrap())
    }
}
