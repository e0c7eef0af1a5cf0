//! The schedule: which target's request goes out next, and when.
//!
//! A request is the unit. Targets wait in their lane's queue, ordered by when they are due; a lane
//! opens when its budget, its credential and its requests under way let it (`gates.rs`). All instants are
//! [`Uptime`], so a jump of the wall clock changes no schedule, and a day can be played in a test.

mod gates;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backoff;
use super::budget::{Grant, Usage};
use super::fault::{Fault, Reason};
use super::lane::{CredentialGate, Lane, LaneKey, LaneLoad};
pub use super::lane::{Priority, Ticket};
use super::target::Source;
use super::time::Uptime;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send the next request of this target now.
    Ask(Ticket),
    /// Nothing before this instant; `None` when every target waits for an answer.
    Sleep(Option<Uptime>),
}

/// How a poll ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// All pages were read.
    Fresh,
    /// It failed.
    Failed(&'a Fault),
}

#[derive(Debug)]
struct ScheduledTarget {
    lane: usize,
    priority: Priority,
    interval: Duration,
    /// Requests that its last poll took.
    requests: u32,
    /// Requests of the poll that is under way.
    asked: u32,
    /// The instant of its steady phase that it was last due at.
    anchor: Uptime,
    /// Its instant in the lane's queue; `None` while a request is under way.
    queued: Option<Uptime>,
    /// How many times its interval it waits for that instant.
    stretch: f64,
    failures: u32,
    /// Whether it was answered or refused once.
    settled: bool,
    /// Where in the interval its steady phase lies, 0..1.
    phase: f64,
    /// Taken out while a request was under way.
    gone: bool,
}

/// Decides which request goes out next: `next(now)` names a target or an instant to sleep until.
///
/// A target that was just enlisted is due at once; after its first answer it gets a phase of its own, so that a
/// thousand targets of one interval do not come due together. Its later pages go before new polls, and figures before
/// names. A failed poll is due again after its back-off, a refused credential after its probe.
#[derive(Debug, Default)]
pub struct Schedule {
    slots: Vec<ScheduledTarget>,
    free: Vec<Ticket>,
    lanes: Vec<Lane>,
    credentials: Vec<CredentialGate>,
    by_key: BTreeMap<LaneKey, usize>,
    /// Requests that went out so far.
    turns: u64,
}

/// The golden ratio's fraction spreads any number of phases evenly without knowing how many there are.
const GOLDEN_FRACTION: f64 = 0.618_033_988_749_895;

/// Due instant of a target in the middle of its pages: before everything that starts over, because
/// cursors are short-lived and a finished answer frees its memory.
const AT_ONCE: Uptime = Uptime::ZERO;

impl ScheduledTarget {
    /// Requests an hour that it wants.
    fn demand(&self) -> f64 {
        3600.0 * f64::from(self.requests) / self.interval.as_secs_f64()
    }
}

impl Schedule {
    /// Adds a target, due now. `grant` counts for the first target of a lane.
    pub fn enlist(
        &mut self,
        lane: &LaneKey,
        grant: Grant,
        priority: Priority,
        interval: Duration,
        now: Uptime,
    ) -> Ticket {
        let lane = self.lane(lane, grant);
        // By order of arrival, not by dice: the same configuration is spread alike after each restart.
        let phase = (f64::from(self.lanes[lane].members) * GOLDEN_FRACTION).fract();
        self.lanes[lane].members += 1;
        self.credentials[self.lanes[lane].credential].targets += 1;
        let slot = ScheduledTarget {
            lane,
            priority,
            interval,
            requests: 1,
            asked: 0,
            anchor: now,
            queued: None,
            stretch: 1.0,
            failures: 0,
            settled: false,
            phase,
            gone: false,
        };
        self.lanes[lane].demand += slot.demand();
        // Tickets are used again, so a channel with coming and going campaigns does not grow the list.
        let ticket = self.free.pop().unwrap_or(Ticket(self.slots.len()));
        if ticket.0 == self.slots.len() {
            self.slots.push(slot);
        } else {
            self.slots[ticket.0] = slot;
        }
        // Pages of a started poll, at AT_ONCE, stay before it.
        self.queue(ticket, now + Duration::from_nanos(1));
        ticket
    }

    /// Takes a target out. Its ticket is void, but for landing an answer that is still under way.
    pub fn remove(&mut self, ticket: Ticket) {
        let slot = &mut self.slots[ticket.0];
        // The demand goes at once: the lane's other targets need not stretch for one that left.
        slot.gone = true;
        let lane = slot.lane;
        self.lanes[lane].demand -= slot.demand();
        self.credentials[self.lanes[lane].credential].targets -= 1;
        if let Some(at) = slot.queued.take() {
            self.lanes[lane].remove(slot.priority, at, ticket);
            self.free.push(ticket);
            self.refresh(lane);
        }
    }

    /// A target that was just added was polled in an earlier life: it goes on where it was.
    pub fn resume(&mut self, ticket: Ticket, due: Uptime, failures: u32) {
        let slot = &mut self.slots[ticket.0];
        (slot.settled, slot.failures, slot.anchor) = (true, failures, due);
        self.reschedule(ticket, due);
    }

    /// Another interval from now on; who is due later than that is due then.
    pub fn retime(&mut self, ticket: Ticket, interval: Duration, now: Uptime) {
        let slot = &mut self.slots[ticket.0];
        let lane = &mut self.lanes[slot.lane];
        lane.demand -= slot.demand();
        slot.interval = interval;
        lane.demand += slot.demand();
        // A target that backs off keeps its wait: a shorter interval is no reason to ask a failing API sooner.
        if slot.failures == 0 && slot.queued.is_some_and(|at| at > now + interval) {
            (slot.anchor, slot.stretch) = (now + interval.mul_f64(slot.phase), 1.0);
            let due = slot.anchor;
            self.reschedule(ticket, due);
        }
    }

    /// Moves a target that waits to another instant.
    pub fn reschedule(&mut self, ticket: Ticket, due: Uptime) {
        let slot = &mut self.slots[ticket.0];
        if let Some(at) = slot.queued.take() {
            self.lanes[slot.lane].remove(slot.priority, at, ticket);
            self.queue(ticket, due);
        }
    }

    /// The next request to send where `places` are left for one, or how long to sleep.
    ///
    /// Credentials take turns, and so do APIs: one that never answers must not hold all places while another waits.
    pub fn next(&mut self, now: Uptime, places: usize) -> Next {
        let mut wake = None;
        let mut first = None;
        for (at, credential) in self.credentials.iter().enumerate() {
            let Some(&(opens, lane)) = credential.openings.first() else { continue };
            if opens > now {
                wake = Some(wake.map_or(opens, |wake: Uptime| wake.min(opens)));
            } else if self.may_take_a_place(credential.source, places) {
                let turn = (self.under_way(credential.source), credential.under_way, credential.last_turn);
                first = first.into_iter().chain([(turn, at, lane)]).min();
            }
        }
        let Some((_, credential, lane)) = first else { return Next::Sleep(wake) };
        let Some(ticket) = self.lanes[lane].pop(now) else { return Next::Sleep(wake) };
        self.turns += 1;
        self.slots[ticket.0].queued = None;
        self.slots[ticket.0].asked += 1;
        self.lanes[lane].under_way += 1;
        // Spent when it goes out and not when it is answered: the API counts requests that time out, too.
        self.lanes[lane].budget.spend(now);
        let gate = &mut self.credentials[credential];
        gate.under_way += 1;
        gate.last_turn = self.turns;
        if let Some(rejection) = &mut gate.rejected {
            rejection.probing = true;
            self.refresh_credential(credential);
        }
        self.refresh(lane);
        Next::Ask(ticket)
    }

    /// An API's first request takes any place; its others leave one for each API that has none under way.
    fn may_take_a_place(&self, source: Source, places: usize) -> bool {
        let others = self.credentials.iter().filter(|gate| gate.source != source && gate.targets > 0);
        let idle: BTreeSet<_> = others.map(|gate| gate.source).filter(|other| self.under_way(*other) == 0).collect();
        places > idle.len() || self.under_way(source) == 0
    }

    fn under_way(&self, source: Source) -> usize {
        self.credentials.iter().filter(|gate| gate.source == source).map(|gate| gate.under_way).sum()
    }

    /// The answer had a next page: ask for it as soon as the lane allows.
    pub fn next_page(&mut self, ticket: Ticket, now: Uptime) {
        self.came_back(ticket, Outcome::Fresh, now);
        self.queue(ticket, AT_ONCE);
    }

    /// Nothing was learned from a request that was let out, and it is worth repeating: it is next, as the gates allow.
    pub fn hand_back(&mut self, ticket: Ticket) {
        let slot = &mut self.slots[ticket.0];
        slot.asked = slot.asked.saturating_sub(1);
        let lane = &mut self.lanes[slot.lane];
        lane.under_way = lane.under_way.saturating_sub(1);
        let credential = lane.credential;
        self.credentials[credential].under_way = self.credentials[credential].under_way.saturating_sub(1);
        self.credentials[credential].rejected.iter_mut().for_each(|rejection| rejection.probing = false);
        self.queue(ticket, AT_ONCE);
        self.refresh_credential(credential);
    }

    /// A poll ended: decides when the target is due again and what its lane and credential do.
    pub fn settle(&mut self, ticket: Ticket, outcome: Outcome<'_>, now: Uptime, dice: f64) {
        self.came_back(ticket, outcome, now);
        let slot = &mut self.slots[ticket.0];
        let lane = slot.lane;
        let asked = std::mem::take(&mut slot.asked).max(1);
        if matches!(outcome, Outcome::Fresh) && !slot.gone {
            self.lanes[lane].demand -= slot.demand();
            // Only a whole poll shows how many pages a target takes; one that broke off would make demand look
            // small.
            slot.requests = asked;
            self.lanes[lane].demand += slot.demand();
        }
        let stretch = self.lanes[lane].stretch();
        slot.stretch = 1.0;
        let due = match outcome {
            Outcome::Fresh => {
                (slot.failures, slot.stretch) = (0, stretch);
                let interval = slot.interval.mul_f64(stretch);
                // The second poll settles the phase; it comes half to one and a half intervals after the first.
                slot.anchor = if slot.settled {
                    backoff::steady(slot.anchor, interval, now)
                } else {
                    now + interval.mul_f64(0.5 + slot.phase)
                };
                slot.anchor
            }
            Outcome::Failed(fault) => {
                slot.failures = slot.failures.saturating_add(1);
                // From now and not from its phase: the phase comes back with the first success.
                let asked = fault.wait.filter(|_| fault.reason == Reason::Unavailable).unwrap_or_default();
                now + backoff::after_fault(fault.reason, slot.failures, slot.interval, dice).max(asked)
            }
        };
        slot.settled = true;
        if let Outcome::Failed(fault) = outcome
            && fault.reason == Reason::Throttled
        {
            self.throttle(lane, fault, now, dice);
        }
        self.queue(ticket, due);
        self.hasten(lane, now);
    }

    /// Whoever waits for a stretched interval waits less as soon as the lane may ask more: by hours, where a throttle
    /// of everybody else is over.
    fn hasten(&mut self, lane: usize, now: Uptime) {
        let Some(stretch) = self.lanes[lane].note_stretch() else { return };
        for (at, ticket) in self.lanes[lane].waiting() {
            let slot = &mut self.slots[ticket.0];
            if at > now && slot.stretch > stretch {
                // What is left shrinks as a whole interval does, so that nobody is asked twice in one.
                let due = now + (at - now).mul_f64(stretch / slot.stretch);
                (slot.anchor, slot.stretch) = (due, stretch);
                self.reschedule(ticket, due);
            }
        }
    }

    /// Takes in what the headers of a target's answer tell of its lane.
    pub fn observe(&mut self, ticket: Ticket, usages: &[Usage], now: Uptime) {
        let lane = self.slots[ticket.0].lane;
        self.lanes[lane].budget.observe(usages, now);
        self.refresh(lane);
    }

    /// The load of a target's lane.
    pub fn load(&self, ticket: Ticket) -> LaneLoad<'_> {
        self.lanes[self.slots[ticket.0].lane].load()
    }

    /// When a target is due by its own interval and back-off; its lane may make it wait longer.
    pub fn due(&self, ticket: Ticket) -> Uptime {
        self.slots[ticket.0].queued.unwrap_or(self.slots[ticket.0].anchor)
    }

    /// Whether a request of a target is under way.
    pub fn is_under_way(&self, ticket: Ticket) -> bool {
        self.slots[ticket.0].queued.is_none()
    }

    /// When a target's lane opens; `None` while a request of it is under way.
    pub fn opens(&self, ticket: Ticket) -> Option<Uptime> {
        self.lanes[self.slots[ticket.0].lane].noted_opening
    }

    /// How often in a row a target failed.
    pub fn failures(&self, ticket: Ticket) -> u32 {
        self.slots[ticket.0].failures
    }

    /// Whether every target was answered or refused once. Refused is also whoever was not asked yet
    /// because its credential is dead or its lane is stopped.
    pub fn all_settled(&self, now: Uptime) -> bool {
        self.settled_where(now, |_| true)
    }

    /// The same of those that figures depend on.
    pub fn figures_settled(&self, now: Uptime) -> bool {
        self.settled_where(now, |priority| priority == Priority::Figures)
    }

    fn settled_where(&self, now: Uptime, counts: impl Fn(Priority) -> bool) -> bool {
        let refused = |lane: &Lane| {
            let credential = &self.credentials[lane.credential];
            // Without this one refused credential would keep the exporter from ever being ready.
            credential.rejected.is_some() || credential.block.lasts(now) || lane.budget.blocked_until(now).is_some()
        };
        let mut counted = self.slots.iter().filter(|slot| counts(slot.priority));
        counted.all(|slot| slot.settled || slot.gone || refused(&self.lanes[slot.lane]))
    }

    /// Whether a target was answered or refused itself.
    pub fn is_settled(&self, ticket: Ticket) -> bool {
        self.slots[ticket.0].settled
    }

    fn lane(&mut self, key: &LaneKey, grant: Grant) -> usize {
        if let Some(lane) = self.by_key.get(key) {
            return *lane;
        }
        let credential = self.credentials.iter().position(|c| c.source == key.source && c.name == key.credential);
        let credential = credential.unwrap_or_else(|| {
            self.credentials.push(CredentialGate::new(key.source, key.credential.clone()));
            self.credentials.len() - 1
        });
        let lane = self.lanes.len();
        self.credentials[credential].lanes.push(lane);
        self.lanes.push(Lane::new(key.clone(), credential, grant));
        self.by_key.insert(key.clone(), lane);
        lane
    }

    fn queue(&mut self, ticket: Ticket, at: Uptime) {
        let slot = &mut self.slots[ticket.0];
        if slot.gone {
            self.free.push(ticket);
            return;
        }
        slot.queued = Some(at);
        let lane = slot.lane;
        self.lanes[lane].insert(slot.priority, at, ticket);
        self.refresh(lane);
    }
}

#[cfg(test)]
mod tests;
