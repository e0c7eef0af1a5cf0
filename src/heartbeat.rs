//! The poller's heartbeat, by which a watchdog notices that the poller hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::time::Uptime;

/// How often the poller beats when nobody watches it.
const UNWATCHED_BEAT_INTERVAL: Duration = Duration::from_hours(1);

/// Beaten by the poller at each turn of its loop, felt by the watchdog's feeder.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    every: Duration,
    /// Milliseconds of uptime at the last beat.
    last: Arc<AtomicU64>,
}

impl Default for Heartbeat {
    /// One that nobody feels.
    fn default() -> Self {
        Self { every: UNWATCHED_BEAT_INTERVAL, last: Arc::default() }
    }
}

impl Heartbeat {
    /// One for a watchdog that bites after so long: four beats fit into that.
    pub fn for_watchdog(timeout: Duration) -> Self {
        Self { every: (timeout / 4).min(UNWATCHED_BEAT_INTERVAL), ..Self::default() }
    }

    /// Beats, and says when the next beat is due.
    pub fn beat(&self, now: Uptime) -> Uptime {
        self.last.store(millis(now - Uptime::ZERO), Ordering::Relaxed);
        now + self.every
    }

    /// Time between two beats.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Whether it was heard lately: one beat may be missed, not two.
    pub fn is_alive(&self, now: Uptime) -> bool {
        let silence = millis(now - Uptime::ZERO).saturating_sub(self.last.load(Ordering::Relaxed));
        silence <= millis(self.every * 2)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_beat_may_be_missed_and_not_two() {
        let heart = Heartbeat::for_watchdog(Duration::from_secs(40));
        let at = |seconds| Uptime::after(Duration::from_secs(seconds));
        assert_eq!(heart.beat(at(100)), at(110));
        for (seconds, alive) in [(100, true), (120, true), (121, false), (3_600, false)] {
            assert_eq!(heart.is_alive(at(seconds)), alive, "{seconds}");
        }
        heart.beat(at(3_600));
        assert!(heart.is_alive(at(3_600)));
    }
}
