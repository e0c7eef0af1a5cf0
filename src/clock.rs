//! The two clocks, each read in one place.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::domain::time::{UnixSeconds, Uptime};

/// Deadlines and schedules: monotonic time since the process started.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the monotonic clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn uptime(self) -> Uptime {
        Uptime::after(self.0.elapsed())
    }

    /// The instant of an uptime, for the runtime's timers.
    pub fn instant(self, uptime: Uptime) -> Instant {
        // An uptime of centuries cannot be represented; a year is as good.
        const YEAR: Duration = Duration::from_hours(8760);
        self.0 + (uptime.min(self.uptime() + YEAR) - Uptime::ZERO)
    }

    /// The wall-clock instant of an uptime, as the wall clock stands now.
    pub fn wall_at(self, uptime: Uptime) -> UnixSeconds {
        wall_seconds().of_uptime(uptime, self.uptime())
    }
}

/// Exported instants and signatures: wall-clock time.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// The same, where it is shown or saved.
pub fn wall_seconds() -> UnixSeconds {
    wall().into()
}
