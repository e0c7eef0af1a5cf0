//! A limit on events in any hour: the bound on log lines.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Uptime;

const HOUR: Duration = Duration::from_hours(1);

/// Lets at most `most` of something happen within any 60 minutes, not within each clock hour. It remembers as many
/// instants as it allows.
#[derive(Clone, Debug)]
pub struct Quota {
    most: usize,
    taken: VecDeque<Uptime>,
}

impl Quota {
    /// One of which nothing is taken.
    pub fn new(most: usize) -> Self {
        Self { most, taken: VecDeque::new() }
    }

    /// Takes one, if there is any.
    pub fn take(&mut self, now: Uptime) -> bool {
        let free = self.ready() <= now;
        if free {
            if self.taken.len() == self.most {
                self.taken.pop_front();
            }
            self.taken.push_back(now);
        }
        free
    }

    /// When there is one.
    pub fn ready(&self) -> Uptime {
        if self.taken.len() < self.most {
            return Uptime::ZERO;
        }
        self.taken.front().map_or(Uptime::MAX, |first| *first + HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hour_has_more_and_an_hour_later_there_are_others() {
        let mut quota = Quota::new(3);
        let minutes: Vec<u64> =
            (0..200).filter(|minute| quota.take(Uptime::after(Duration::from_mins(*minute)))).collect();
        assert_eq!(minutes, [0, 1, 2, 60, 61, 62, 120, 121, 122, 180, 181, 182]);
        assert!(!Quota::new(0).take(Uptime::ZERO));
    }
}
