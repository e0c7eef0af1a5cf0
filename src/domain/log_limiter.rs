//! When a persisting fault is logged again: once an hour, with a count.

use std::time::Duration;

use super::fault::Reason;
use super::time::Uptime;

/// A persisting fault is logged this often.
const REPEAT_EVERY: Duration = Duration::from_hours(1);

/// What a target's polls, or other attempts, came to since their state last changed.
#[derive(Clone, Debug)]
pub struct LogLimiter<R = Reason> {
    fault: Option<Streak<R>>,
}

impl<R> Default for LogLimiter<R> {
    fn default() -> Self {
        Self { fault: None }
    }
}

/// Failed polls in a row, of one reason.
#[derive(Clone, Debug)]
struct Streak<R> {
    reason: R,
    polls: u64,
    since: Uptime,
    told: Uptime,
}

/// What is to be said of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogDecision {
    /// It succeeded, as the one before.
    Fine,
    /// It succeeded after so many that failed for the last reason.
    Recovered(u64),
    /// It failed, and the one before did not, or for another reason.
    Changed,
    /// It failed for an hour more.
    Still {
        /// How many times since it began.
        times: u64,
        /// For how long.
        time: Duration,
    },
    /// It failed as the one before, which was logged.
    Known,
}

impl<R: PartialEq> LogLimiter<R> {
    /// Notes how a poll ended.
    pub fn note(&mut self, reason: Option<R>, now: Uptime) -> LogDecision {
        let Some(reason) = reason else {
            return self.fault.take().map_or(LogDecision::Fine, |streak| LogDecision::Recovered(streak.polls));
        };
        match &mut self.fault {
            Some(streak) if streak.reason == reason => {
                streak.polls += 1;
                if now - streak.told < REPEAT_EVERY {
                    return LogDecision::Known;
                }
                streak.told = now;
                LogDecision::Still { times: streak.polls, time: now - streak.since }
            }
            other => {
                *other = Some(Streak { reason, polls: 1, since: now, told: now });
                LogDecision::Changed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_on_change_and_then_hourly() {
        let mut limiter = LogLimiter::default();
        let (timeout, malformed) = (Some(Reason::Timeout), Some(Reason::Malformed));
        let hour = Duration::from_hours(1);
        for (minute, reason, decision) in [
            (0, None, LogDecision::Fine),
            (15, timeout, LogDecision::Changed),
            (30, timeout, LogDecision::Known),
            (74, timeout, LogDecision::Known),
            (75, timeout, LogDecision::Still { times: 4, time: hour }),
            (90, timeout, LogDecision::Known),
            (136, timeout, LogDecision::Still { times: 6, time: Duration::from_mins(121) }),
            (140, malformed, LogDecision::Changed),
            (141, None, LogDecision::Recovered(1)),
            (142, None, LogDecision::Fine),
            (143, malformed, LogDecision::Changed),
        ] {
            assert_eq!(limiter.note(reason, Uptime::after(Duration::from_mins(minute))), decision, "minute {minute}");
        }
    }
}
