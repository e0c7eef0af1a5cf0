//! When we ask again: in a steady phase after a good poll, later after a failed one. Every wait between a
//! failure and the next try is computed here. Only a refused field is tried again elsewhere (`engine/quirks.rs`): it
//! fails no poll.

use std::time::Duration;

use super::fault::Reason;
use super::target::Source;
use super::time::Uptime;

/// First and longest wait after a transient fault. Names are read every six hours; that is no reason to wait so long
/// for them when a proxy was in the way.
const RETRY_WAIT: (Duration, Duration) = (Duration::from_secs(15), Duration::from_mins(15));

/// Longest wait for something that can never be read as it is: deleted, forbidden, misspelt.
const RARE_PROBE: Duration = Duration::from_hours(6);

/// First and longest wait before a refused credential is tried again.
const CREDENTIAL_PROBE: (Duration, Duration) = (Duration::from_mins(5), Duration::from_hours(1));

/// The jitter of a blocked lane is a tenth of its wait, of so much at most.
const THROTTLE_JITTER_OF: Duration = Duration::from_mins(5);

/// First and longest wait after temporary keys could not be had.
const KEYS_WAIT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(5));

/// Wait after a poll that failed `failures` times in a row (1 the first time). `dice` in 0..1
/// spreads the retries of many targets.
pub fn after_fault(reason: Reason, failures: u32, interval: Duration, dice: f64) -> Duration {
    match reason {
        // Whoever is throttled or unauthorized waits for the lane or credential, not for itself.
        Reason::Throttled | Reason::Unauthorized => Duration::ZERO,
        Reason::Unavailable | Reason::Timeout | Reason::Malformed | Reason::TooLarge | Reason::Partial => {
            // Never later than the next poll would have been: a fault that passes must not cost a whole interval
            // more.
            jittered(doubled(RETRY_WAIT.0.min(interval), failures, RETRY_WAIT.1.min(interval)), dice)
        }
        Reason::Forbidden | Reason::NotFound | Reason::InvalidRequest | Reason::ApiVersion => {
            // Somebody has to act; until then each try is a request wasted, and Meta lowers quotas for errors.
            jittered(doubled(interval, failures, RARE_PROBE.max(interval)), dice)
        }
    }
}

/// Wait of a refused credential before its next probe, after `failures` of them.
pub fn after_rejection(failures: u32) -> Duration {
    doubled(CREDENTIAL_PROBE.0, failures, CREDENTIAL_PROBE.1)
}

/// Wait of a blocked lane: what the API asked for, never less; else our own doubling, `blocks` times in a row (1 the
/// first time). Jitter is only added, so that nothing goes out while the block stands.
pub fn after_throttle(source: Source, asked: Option<Duration>, blocks: u32, dice: f64) -> Duration {
    let (first, longest) = source.throttle_wait();
    let wait = asked.unwrap_or_else(|| doubled(first, blocks, longest));
    wait + wait.min(THROTTLE_JITTER_OF).mul_f64(0.1 * dice.clamp(0.0, 1.0))
}

/// Wait until temporary keys are asked for again that could not be had `failures` times in a row.
pub fn after_missing_keys(failures: u32, dice: f64) -> Duration {
    jittered(doubled(KEYS_WAIT.0, failures, KEYS_WAIT.1), dice)
}

/// The next instant of the target's phase: missed ones are left out, and a late poll does not make
/// the following one come after less than half the interval.
pub fn steady(due: Uptime, interval: Duration, now: Uptime) -> Uptime {
    let behind = now + interval / 2 - due;
    let periods = behind.as_nanos().div_ceil(interval.as_nanos().max(1)).max(1);
    due + interval.saturating_mul(u32::try_from(periods).unwrap_or(u32::MAX))
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    let factor = 1_u32 << times.saturating_sub(1).min(16);
    first.saturating_mul(factor).min(longest)
}

/// A fifth more or less.
fn jittered(wait: Duration, dice: f64) -> Duration {
    wait.mul_f64(0.8 + 0.4 * dice.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUARTER: Duration = Duration::from_mins(15);

    #[test]
    fn transient_faults_are_retried_soon_and_never_slower_than_the_interval() {
        let waits: Vec<_> = (1..=8).map(|n| after_fault(Reason::Unavailable, n, QUARTER, 0.5).as_secs()).collect();
        assert_eq!(waits, [15, 30, 60, 120, 240, 480, 900, 900]);
    }

    #[test]
    fn what_cannot_be_read_is_asked_for_rarely() {
        let waits: Vec<_> = (1..=6).map(|n| after_fault(Reason::NotFound, n, QUARTER, 0.5).as_secs()).collect();
        assert_eq!(waits, [900, 1800, 3600, 7200, 14400, 21600]);
    }

    #[test]
    fn a_dead_credential_is_probed_from_five_minutes_to_an_hour() {
        let waits: Vec<_> = (1..=6).map(|n| after_rejection(n).as_secs()).collect();
        assert_eq!(waits, [300, 600, 1200, 2400, 3600, 3600]);
    }

    #[test]
    fn a_block_without_a_time_doubles_from_what_is_usual_for_the_source() {
        let waits = |source| [1, 2, 3, 4, 7, 8, 99].map(|blocks| after_throttle(source, None, blocks, 0.0).as_secs());
        assert_eq!(waits(Source::META), [60, 120, 240, 480, 3600, 3600, 3600]);
        assert_eq!(waits(Source::CAMS), [5, 10, 20, 40, 320, 600, 600]);
    }

    #[test]
    fn missing_keys_are_asked_for_again_within_minutes() {
        let waits = [1, 2, 3, 8, 9, 99].map(|failures| after_missing_keys(failures, 0.5).as_secs());
        assert_eq!(waits, [2, 4, 8, 256, 300, 300]);
    }

    proptest! {
        #[test]
        fn every_wait_is_bounded(failures in 0_u32..100, interval in 1_u64..100_000, dice in -1.0..2.0, reason in 0..Reason::ALL.len()) {
            let interval = Duration::from_secs(interval);
            let longest = RARE_PROBE.max(interval).mul_f64(1.2);
            prop_assert!(after_fault(Reason::ALL[reason], failures, interval, dice) <= longest);
            prop_assert!(after_rejection(failures) <= CREDENTIAL_PROBE.1);
            for source in Source::ALL {
                let longest = source.throttle_wait().1 + THROTTLE_JITTER_OF.mul_f64(0.1);
                prop_assert!(after_throttle(source, None, failures, dice) <= longest);
                prop_assert!(after_throttle(source, Some(interval), failures, dice) >= interval);
            }
        }
    }
}
