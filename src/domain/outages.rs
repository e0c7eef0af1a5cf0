//! What fails, reported in few lines: a few members by name, many by number.
//!
//! A log that repeats every failed poll is of no use on the day on which it is read: an API that is down
//! fails every target, four times an hour. So the first members that fail for one cause are named, each
//! with the sentence of its own fault; from then on the cause has a line that counts, after a moment in
//! which more can come, and again when the number changes or an hour has passed. Where even these would
//! be too many, one line sums everything up. [`MAX_LINES_PER_HOUR`] bounds what an hour can bring, and
//! [`TOLD_WITHIN`] how long a change can go untold, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::quota::Quota;
use super::time::Uptime;

/// Members of one cause that are logged by name; a reader does not act on longer lists one by one.
pub const MAX_NAMED: usize = 3;

/// How long a count waits for others that fail for the same cause: an API that goes down takes the polls
/// of some seconds with it.
const SETTLE_TIME: Duration = Duration::from_secs(30);

/// Time between two counts of one cause, unless nothing fails for it any more.
const COUNT_GAP: Duration = Duration::from_mins(5);

/// Time between two lines that sum everything up.
const SUMMARY_GAP: Duration = Duration::from_mins(10);

/// A persisting fault is logged again this often.
const STILL_EVERY: Duration = Duration::from_hours(1);

/// Lines in an hour that name a member.
const NAMING_LINES_PER_HOUR: usize = 15;

/// Lines in an hour that count the members of a cause.
const COUNTING_LINES_PER_HOUR: usize = 15;

/// Most lines in any hour: those that name, those that count, and a summary every `SUMMARY_GAP`.
pub const MAX_LINES_PER_HOUR: usize = NAMING_LINES_PER_HOUR + COUNTING_LINES_PER_HOUR + 7;

/// Longest that the log says something that is not true any more.
pub const TOLD_WITHIN: Duration = Duration::from_secs(SETTLE_TIME.as_secs() + SUMMARY_GAP.as_secs());

/// Something to say. `D` is what is known of a fault beside its cause.
#[derive(Clone, Debug, PartialEq)]
pub enum Line<C, M, D> {
    /// A member fails, which it did not, or for another cause.
    Began {
        /// Why.
        cause: C,
        /// Who.
        member: M,
        /// The fault.
        detail: D,
    },
    /// A member has failed for an hour more.
    Still {
        /// Why.
        cause: C,
        /// Who.
        member: M,
        /// The latest fault.
        detail: D,
        /// How many times since it began.
        times: u64,
        /// For how long.
        time: Duration,
    },
    /// A member that was named does not fail any more.
    Ended {
        /// Why it failed.
        cause: C,
        /// Who.
        member: M,
        /// How many times it failed.
        times: u64,
    },
    /// How many fail for a cause.
    Count(Count<C, M, D>),
    /// How many fail for each cause, when there are too many changes to tell each.
    Summary(Vec<(C, usize)>),
}

/// How many fail for a cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Count<C, M, D> {
    /// Why.
    pub cause: C,
    /// Who; nobody when it is over.
    pub members: Vec<M>,
    /// The latest fault.
    pub latest: D,
    /// How many began to fail since the last line that counted, be it over or not.
    pub began: usize,
}

/// Keeps what fails for which cause, and what the log has said of it. `note` is called at the end of every poll and
/// gives at most one line; `due` gives the counts and summaries that waited for others to join them.
#[derive(Debug)]
pub struct Outages<C, M, D> {
    causes: BTreeMap<C, Outage<M, D>>,
    /// Whoever fails, and why.
    members: BTreeMap<M, C>,
    naming: Quota,
    counting: Quota,
    /// When the next summary may be given.
    summary: Uptime,
}

/// Everything that fails for one cause.
#[derive(Debug)]
struct Outage<M, D> {
    failing: BTreeMap<M, MemberStreak<D>>,
    /// Those of whom a line of their own was the last word; empty once they were counted.
    named: BTreeSet<M>,
    /// How many fail, as the log last said.
    told: usize,
    /// Since when the log lags behind.
    untold: Option<Uptime>,
    /// When they were last counted.
    counted: Option<Uptime>,
    began: usize,
    latest: D,
}

/// The faults of one member in a row.
#[derive(Debug)]
struct MemberStreak<D> {
    detail: D,
    times: u64,
    since: Uptime,
    told: Uptime,
}

impl<C, M, D> Default for Outages<C, M, D> {
    fn default() -> Self {
        Self {
            causes: BTreeMap::new(),
            members: BTreeMap::new(),
            naming: Quota::new(NAMING_LINES_PER_HOUR),
            counting: Quota::new(COUNTING_LINES_PER_HOUR),
            summary: Uptime::ZERO,
        }
    }
}

impl<C: Ord + Clone, M: Ord + Clone, D: Clone> Outages<C, M, D> {
    /// Notes how a member fares: why it fails, or that it does not. Gives the line to write at once, if
    /// there is one; [`Outages::due`] gives the others.
    pub fn note(&mut self, member: &M, fault: Option<(C, D)>, now: Uptime) -> Option<Line<C, M, D>> {
        match (self.members.get(member).cloned(), fault) {
            (None, None) => None,
            (Some(former), None) => self.end(&former, member, now),
            (Some(former), Some((cause, detail))) if former == cause => {
                self.repeat(&former, member, detail);
                None
            }
            (former, Some((cause, detail))) => {
                self.members.insert(member.clone(), cause.clone());
                // Before it leaves the former cause: that it fails otherwise now also says that it does not fail as
                // before.
                let line = self.begin(cause, member, detail, now);
                if let Some(former) = former {
                    self.leave(&former, member, line.is_some(), now);
                }
                line
            }
        }
    }

    /// A member is not watched any more.
    pub fn forget(&mut self, member: &M, now: Uptime) {
        if let Some(cause) = self.members.remove(member) {
            self.leave(&cause, member, false, now);
        }
    }

    /// Whether a member fails.
    pub fn is_failing(&self, member: &M) -> bool {
        self.members.contains_key(member)
    }

    /// When [`Outages::due`] will have something to say.
    pub fn next(&self) -> Option<Uptime> {
        let countable = self.counting.ready().min(self.summary);
        let when = |outage: &Outage<M, D>| outage.ready().map(|ready| ready.max(countable)).or_else(|| outage.again());
        self.causes.values().filter_map(when).min()
    }

    /// What is to be written now: what goes on for an hour more, and how many fail for each cause of
    /// which that has changed.
    pub fn due(&mut self, now: Uptime) -> Vec<Line<C, M, D>> {
        let mut lines = Vec::new();
        for (cause, outage) in &mut self.causes {
            if outage.again().is_some_and(|again| again <= now) {
                outage.go_on(cause, &mut self.naming, now, &mut lines);
            }
        }
        for (cause, outage) in &mut self.causes {
            // Beyond the quota nothing is dropped: what stays late goes into the summary below.
            if outage.ready().is_some_and(|ready| ready <= now) && self.counting.take(now) {
                lines.push(Line::Count(outage.count(cause.clone(), now)));
            }
        }
        let late = self.causes.values().any(|outage| outage.ready().is_some_and(|ready| ready <= now));
        if late && self.summary <= now {
            self.summary = now + SUMMARY_GAP;
            lines.push(self.sum_up(now));
        }
        self.causes.retain(|_, outage| !outage.is_over());
        lines
    }

    /// Everything that is untold, at the end of the program.
    pub fn rest(&mut self, now: Uptime) -> Vec<Line<C, M, D>> {
        let untold = self.causes.iter_mut().filter(|(_, outage)| outage.untold.is_some());
        let mut lines: Vec<_> = untold.map(|(cause, outage)| Line::Count(outage.count(cause.clone(), now))).collect();
        // The last hour may already have had its lines: the bound holds for the end of the program, too.
        if lines.len() > COUNTING_LINES_PER_HOUR {
            lines = vec![self.sum_up(now)];
        }
        self.causes.retain(|_, outage| !outage.is_over());
        lines
    }

    fn begin(&mut self, cause: C, member: &M, detail: D, now: Uptime) -> Option<Line<C, M, D>> {
        let outage = self.causes.entry(cause.clone()).or_insert_with(|| Outage::new(detail.clone()));
        let streak = MemberStreak { detail: detail.clone(), times: 1, since: now, told: now };
        outage.failing.insert(member.clone(), streak);
        outage.began += 1;
        outage.latest = detail.clone();
        // Once a cause was counted it stays counted: names would no longer add up to what was said.
        let nameable = outage.is_named() && outage.failing.len() <= MAX_NAMED;
        if nameable && self.naming.take(now) {
            outage.named.insert(member.clone());
            outage.told += 1;
            return Some(Line::Began { cause, member: member.clone(), detail });
        }
        outage.untold.get_or_insert(now);
        None
    }

    fn repeat(&mut self, cause: &C, member: &M, detail: D) {
        let Some(outage) = self.causes.get_mut(cause) else { return };
        outage.latest = detail.clone();
        if let Some(streak) = outage.failing.get_mut(member) {
            streak.times += 1;
            streak.detail = detail;
        }
    }

    fn end(&mut self, cause: &C, member: &M, now: Uptime) -> Option<Line<C, M, D>> {
        self.members.remove(member);
        let outage = self.causes.get_mut(cause)?;
        let times = outage.failing.get(member).map_or(1, |streak| streak.times);
        let told = outage.is_named() && self.naming.take(now);
        self.leave(cause, member, told, now);
        told.then(|| Line::Ended { cause: cause.clone(), member: member.clone(), times })
    }

    /// A member does not fail for a cause any more; `told` when a line has just said so.
    fn leave(&mut self, cause: &C, member: &M, told: bool, now: Uptime) {
        let Some(outage) = self.causes.get_mut(cause) else { return };
        outage.failing.remove(member);
        if told && outage.named.remove(member) {
            outage.told -= 1;
        } else {
            outage.untold.get_or_insert(now);
        }
        if outage.is_over() {
            self.causes.remove(cause);
        }
    }

    fn sum_up(&mut self, now: Uptime) -> Line<C, M, D> {
        let mut numbers = Vec::new();
        for (cause, outage) in &mut self.causes {
            numbers.push((cause.clone(), outage.count(cause.clone(), now).members.len()));
        }
        Line::Summary(numbers)
    }
}

impl<M: Ord + Clone, D: Clone> Outage<M, D> {
    fn new(latest: D) -> Self {
        let (failing, named) = Default::default();
        Self { failing, named, told: 0, untold: None, counted: None, began: 0, latest }
    }

    /// Whether everything that was said of it was said by name.
    fn is_named(&self) -> bool {
        self.untold.is_none() && self.told == self.named.len()
    }

    fn is_over(&self) -> bool {
        self.failing.is_empty() && self.untold.is_none()
    }

    /// When it may be counted, where that is needed. That all is well again does not wait.
    fn ready(&self) -> Option<Uptime> {
        let settled = self.untold? + SETTLE_TIME;
        let gap = self.counted.filter(|_| !self.failing.is_empty()).map(|counted| counted + COUNT_GAP);
        Some(gap.map_or(settled, |gap| settled.max(gap)))
    }

    /// When a persisting fault is to be logged again.
    fn again(&self) -> Option<Uptime> {
        if self.untold.is_some() || self.failing.is_empty() {
            return None;
        }
        let named = || self.named.iter().filter_map(|member| self.failing.get(member)).map(|streak| streak.told).min();
        let last = if self.is_named() { named() } else { self.counted };
        last.map(|last| last + STILL_EVERY)
    }

    /// Repeats the lines of those that are known by name; the others are to be counted.
    fn go_on<C: Clone>(&mut self, cause: &C, naming: &mut Quota, now: Uptime, lines: &mut Vec<Line<C, M, D>>) {
        if !self.is_named() {
            self.untold = Some(now);
            return;
        }
        for (member, streak) in self.failing.iter_mut().filter(|(_, streak)| streak.told + STILL_EVERY <= now) {
            // Out of names for this hour: the next line gives the number instead.
            if !naming.take(now) {
                self.untold = Some(now);
                return;
            }
            streak.told = now;
            let time = now - streak.since;
            lines.push(Line::Still {
                cause: cause.clone(),
                member: member.clone(),
                detail: streak.detail.clone(),
                times: streak.times,
                time,
            });
        }
    }

    /// From here on the log has said the number, and no names.
    fn count<C>(&mut self, cause: C, now: Uptime) -> Count<C, M, D> {
        self.named.clear();
        (self.told, self.untold, self.counted) = (self.failing.len(), None, Some(now));
        Count {
            cause,
            members: self.failing.keys().cloned().collect(),
            latest: self.latest.clone(),
            began: std::mem::take(&mut self.began),
        }
    }
}

#[cfg(test)]
mod tests;
