//! When a fault that goes on is told again: each hour, with a count.

use std::time::Duration;

use super::fault::Reason;
use super::schedule::Uptime;

/// A fault that goes on is told this often.
const AGAIN: Duration = Duration::from_hours(1);

/// What a target's polls, or other attempts, came to since their state last changed.
#[derive(Clone, Debug)]
pub struct Repeats<R = Reason> {
    fault: Option<Spell<R>>,
}

impl<R> Default for Repeats<R> {
    fn default() -> Self {
        Self { fault: None }
    }
}

/// Failed polls in a row, of one reason.
#[derive(Clone, Debug)]
struct Spell<R> {
    reason: R,
    polls: u64,
    since: Uptime,
    told: Uptime,
}

/// What is to be said of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// It succeeded, as the one before.
    Fine,
    /// It succeeded after so many that failed for the last reason.
    Recovered(u64),
    /// It failed, and the one before did not, or for another reason.
    Changed,
    /// It failed for an hour more: so many polls, for so long.
    Still(u64, Duration),
    /// It failed as the one before, which was told.
    Known,
}

impl<R: PartialEq> Repeats<R> {
    /// Notes how a poll ended.
    pub fn note(&mut self, reason: Option<R>, now: Uptime) -> Telling {
        let Some(reason) = reason else {
            return self.fault.take().map_or(Telling::Fine, |spell| Telling::Recovered(spell.polls));
        };
        match &mut self.fault {
            Some(spell) if spell.reason == reason => {
                spell.polls += 1;
                if now.saturating_sub(spell.told) < AGAIN {
                    return Telling::Known;
                }
                spell.told = now;
                Telling::Still(spell.polls, now.saturating_sub(spell.since))
            }
            other => {
                *other = Some(Spell { reason, polls: 1, since: now, told: now });
                Telling::Changed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_on_change_and_then_hourly() {
        let mut repeats = Repeats::default();
        let (timeout, malformed) = (Some(Reason::Timeout), Some(Reason::Malformed));
        let hour = Duration::from_hours(1);
        for (minute, reason, telling) in [
            (0, None, Telling::Fine),
            (15, timeout, Telling::Changed),
            (30, timeout, Telling::Known),
            (74, timeout, Telling::Known),
            (75, timeout, Telling::Still(4, hour)),
            (90, timeout, Telling::Known),
            (136, timeout, Telling::Still(6, Duration::from_mins(121))),
            (140, malformed, Telling::Changed),
            (141, None, Telling::Recovered(1)),
            (142, None, Telling::Fine),
            (143, malformed, Telling::Changed),
        ] {
            assert_eq!(repeats.note(reason, Duration::from_mins(minute)), telling, "minute {minute}");
        }
    }
}
