//! Instants: monotonic time and wall-clock time.

use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use jiff::Timestamp;

/// An instant of the monotonic clock, as the time since the process started. Instants and spans do not mix: a span
/// later is another instant, and between two instants lies a span.
///
/// ```
/// # use std::time::Duration;
/// # use marketing_messages_exporter::domain::time::Uptime;
/// let due = Uptime::ZERO + Duration::from_secs(90);
/// assert_eq!(due - Uptime::ZERO, Duration::from_secs(90));
/// assert_eq!(Uptime::ZERO - due, Duration::ZERO, "what is over is no wait");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uptime(Duration);

impl Uptime {
    /// The start of the process.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// Never.
    pub const MAX: Self = Self(Duration::MAX);

    /// The instant so long after the start.
    pub const fn after(start: Duration) -> Self {
        Self(start)
    }

    /// Seconds since the start.
    pub fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }
}

impl Add<Duration> for Uptime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0 + span)
    }
}

impl AddAssign<Duration> for Uptime {
    fn add_assign(&mut self, span: Duration) {
        self.0 += span;
    }
}

/// The time since an earlier instant; none since a later one.
impl Sub for Uptime {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// An instant of the wall clock, in seconds since 1970: what is shown and saved. It has nothing in common with an
/// [`Uptime`], and only [`UnixSeconds::of_uptime`] leads from one to the other.
///
/// ```
/// # use std::time::Duration;
/// # use marketing_messages_exporter::domain::time::{UnixSeconds, Uptime};
/// let (now, wall) = (Uptime::after(Duration::from_secs(60)), UnixSeconds::new(1_000_060.0));
/// assert_eq!(wall.of_uptime(Uptime::ZERO, now), UnixSeconds::new(1_000_000.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct UnixSeconds(f64);

impl UnixSeconds {
    /// The instant so many seconds after the start of 1970.
    pub const fn new(seconds: f64) -> Self {
        Self(seconds)
    }

    /// As files, samples and pages have it.
    pub const fn as_f64(self) -> f64 {
        self.0
    }

    /// What the wall clock reads at an uptime, when it reads this now.
    pub fn of_uptime(self, uptime: Uptime, now: Uptime) -> Self {
        Self(self.0 + uptime.as_secs_f64() - now.as_secs_f64())
    }
}

impl From<Timestamp> for UnixSeconds {
    fn from(instant: Timestamp) -> Self {
        Self(instant.as_duration().as_secs_f64())
    }
}

/// Seconds since an earlier instant; negative since a later one.
impl Sub for UnixSeconds {
    type Output = f64;

    fn sub(self, earlier: Self) -> f64 {
        self.0 - earlier.0
    }
}
