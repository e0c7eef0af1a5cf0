//! How a target fares: what its gauges show.

use std::time::Duration;

/// The state of a target after its last poll. Instants are Unix seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetStatus {
    /// Whether the last poll succeeded; `None` before the first.
    pub up: Option<bool>,
    /// When it was last polled with success.
    pub last_success: Option<f64>,
    /// When it was last polled.
    pub last_attempt: Option<f64>,
    /// When it is due next; its lane may make it wait longer.
    pub next_poll: Option<f64>,
    /// Time between two polls that is in force.
    pub interval: Duration,
    /// Failed polls since its last success; `None` before the first poll.
    pub failures: Option<u32>,
    /// Rows of marketing messages in the last good answer.
    pub rows: Option<usize>,
}
