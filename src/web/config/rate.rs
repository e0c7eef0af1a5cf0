//! `rate_limit`: a bound on requests per interval, over all clients.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::document::Section;

/// A bucket that a token drips into at each interval, and every request takes one of.
#[derive(Debug)]
pub(in super::super) struct RateLimit {
    interval: Duration,
    burst: u32,
    /// When it will be full, if nobody takes any more.
    full: Mutex<Option<Instant>>,
}

/// Longest interval: times the largest burst, it is a time that clocks can count.
const MAX_RATE_INTERVAL: Duration = Duration::from_hours(366 * 24);

/// Reads the section; `None` without a limit.
pub(super) fn read(mut at: Section<'_>) -> Option<RateLimit> {
    if at.is_empty() {
        return None;
    }
    let interval = at.text("interval").and_then(|text| {
        let interval = humantime::parse_duration(&text).ok().filter(|interval| *interval <= MAX_RATE_INTERVAL);
        if interval.is_none() {
            at.problem("interval", "this is not a duration of up to a year; write one such as 1s, or 0 for no limit");
        }
        interval
    });
    let burst = at.text("burst").map(|text| text.parse::<u32>().unwrap_or(0));
    let limited = interval.is_some_and(|interval| !interval.is_zero());
    if limited && burst.is_none_or(|burst| burst == 0) {
        at.problem("burst", "nothing would be answered; write how many requests may come at once, 1 or more");
    }
    at.finish();
    limited.then(|| RateLimit {
        interval: interval.unwrap_or_default(),
        burst: burst.unwrap_or(1),
        full: Mutex::default(),
    })
}

impl RateLimit {
    /// The time between two requests, and how many may come at once.
    pub(super) fn asks(&self) -> (Duration, u32) {
        (self.interval, self.burst)
    }

    /// Takes a token if there is one.
    pub(in super::super) fn allows(&self, now: Instant) -> bool {
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        // One instant instead of a counter and a timer: the bucket is full when it has passed.
        let next = full.map_or(now, |full| full.max(now)) + self.interval;
        let allowed = next <= now + self.interval * self.burst;
        if allowed {
            *full = Some(next);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_one_an_interval() {
        let rate = RateLimit { interval: Duration::from_secs(2), burst: 3, full: Mutex::default() };
        let start = Instant::now();
        let mut allowed = |after: f64| rate.allows(start + Duration::from_secs_f64(after));
        assert_eq!([0.0, 0.0, 0.0, 0.0, 1.9].map(&mut allowed), [true, true, true, false, false]);
        assert_eq!([2.0, 2.0, 100.0, 100.0].map(&mut allowed), [true, false, true, true]);
        let patient = RateLimit { interval: MAX_RATE_INTERVAL, burst: u32::MAX, full: Mutex::default() };
        assert!(patient.allows(start) && patient.allows(start));
    }
}
