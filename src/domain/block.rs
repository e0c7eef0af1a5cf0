//! A stop after refusals for want of allowance, of one lane or of all lanes of a credential.

use super::time::Uptime;

/// Until when nothing is asked, and how many refusals in a row led to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThrottleBlock {
    until: Uptime,
    refusals: u32,
}

impl ThrottleBlock {
    /// When it is over; long ago where there was none.
    pub fn until(self) -> Uptime {
        self.until
    }

    /// Whether it lasts.
    pub fn lasts(self, now: Uptime) -> bool {
        self.until > now
    }

    /// Stops until an instant; never shortens a longer stop.
    pub fn extend(&mut self, until: Uptime) {
        self.until = self.until.max(until);
    }

    /// Counts a refusal and says how often in a row there was one.
    pub fn refused(&mut self, now: Uptime) -> u32 {
        // What comes back while it lasts left before it began: it is no further refusal, and no answer.
        if self.refusals == 0 || !self.lasts(now) {
            self.refusals += 1;
        }
        self.refusals
    }

    /// A request was answered: the next refusal is the first one again.
    pub fn answered(&mut self, now: Uptime) {
        if !self.lasts(now) {
            self.refusals = 0;
        }
    }
}
