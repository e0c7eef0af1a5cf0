//! A lane's allowance: when its next request may go.

use std::time::Duration;

use super::schedule::Uptime;

/// How a lane may be used before anything was heard of its allowance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Time between two requests.
    pub spacing: Duration,
    /// Requests under way at once.
    pub parallel: usize,
}

impl Pace {
    /// Meta advises against several insights queries of one account at once; at the start a lane's
    /// requests follow each other at this distance.
    pub const META: Self = Self { spacing: Duration::from_millis(200), parallel: 1 };

    /// So many requests a second, with as many under way as an answer of a second allows.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "settings bound the rate to 0..=1000")]
    pub fn per_second(requests: f64) -> Self {
        Self { spacing: Duration::from_secs_f64(1.0 / requests), parallel: (requests.ceil() as usize).max(1) }
    }
}

/// What one lane has used, and whether it is blocked.
#[derive(Clone, Debug)]
pub struct Budget {
    pace: Pace,
    next: Uptime,
    blocked: Option<Uptime>,
    blocks: u32,
}

impl Budget {
    /// An unused allowance.
    pub fn new(pace: Pace) -> Self {
        Self { pace, next: Uptime::ZERO, blocked: None, blocks: 0 }
    }

    /// Requests that may be under way at once.
    pub fn parallel(&self) -> usize {
        self.pace.parallel
    }

    /// The earliest instant for the next request.
    pub fn earliest(&self) -> Uptime {
        self.next.max(self.blocked.unwrap_or_default())
    }

    /// Counts a request that goes out now.
    pub fn spend(&mut self, now: Uptime) {
        self.next = now + self.pace.spacing;
    }

    /// Stops the lane until an instant; never shortens a longer stop.
    pub fn block(&mut self, until: Uptime) {
        self.blocked = Some(self.blocked.map_or(until, |blocked| blocked.max(until)));
    }

    /// Counts a refusal and says how often in a row there was one.
    pub fn refused(&mut self) -> u32 {
        self.blocks += 1;
        self.blocks
    }

    /// A request was answered: whatever blocked the lane is over.
    pub fn answered(&mut self) {
        self.blocks = 0;
    }

    /// Until when the lane is stopped.
    pub fn blocked_until(&self, now: Uptime) -> Option<Uptime> {
        self.blocked.filter(|until| *until > now)
    }
}
