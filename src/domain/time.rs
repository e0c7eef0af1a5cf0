//! Instants: of the clock that never jumps, and of the wall.

use std::time::Duration;

/// Monotonic time since the process started.
pub type Uptime = Duration;

/// Wall time, in seconds since 1970.
pub type UnixSeconds = f64;
