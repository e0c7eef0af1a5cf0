//! Instants: monotonic time and wall-clock time.

use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

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

/// Wall time, in seconds since 1970.
pub type UnixSeconds = f64;
