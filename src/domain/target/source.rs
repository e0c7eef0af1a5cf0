//! The APIs that figures come from, and what tells them apart for whoever schedules.

use std::time::Duration;

/// Whose API, and what tells it apart for whoever schedules and shows it. What its requests and answers look like is in
/// `source/`. A further source is a further constant; nothing matches on these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    label: &'static str,
    lanes: LaneScope,
    throttle_wait: (Duration, Duration),
}

/// What shares an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LaneScope {
    /// Everything of an ad account.
    Account,
    /// Everything of a credential.
    Credential,
}

impl Source {
    /// Alibaba Cloud CAMS.
    ///
    /// Its limit is one of requests a second: a few seconds are over soon, and ten minutes are long.
    pub const CAMS: Self = Self::new("cams", LaneScope::Credential, (Duration::from_secs(5), Duration::from_mins(10)));
    /// Meta's Graph API.
    ///
    /// Its blocks last from a minute to an hour, and calls made while blocked push the release out.
    pub const META: Self = Self::new("meta", LaneScope::Account, (Duration::from_mins(1), Duration::from_hours(1)));
    /// Every source, in the order of the exposition.
    pub const ALL: [Self; 2] = [Self::CAMS, Self::META];

    /// A source with this value of the label `source`. `throttle_wait` is the first and the longest wait after a
    /// refusal that names no time.
    pub const fn new(label: &'static str, lanes: LaneScope, throttle_wait: (Duration, Duration)) -> Self {
        Self { label, lanes, throttle_wait }
    }

    /// The value of the label `source`.
    pub const fn label(self) -> &'static str {
        self.label
    }

    /// The source of a label.
    pub fn of_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.label == label)
    }

    /// What shares an allowance of it.
    pub fn lanes(self) -> LaneScope {
        self.lanes
    }

    /// First and longest wait when it refuses for want of allowance and does not say until when.
    pub fn throttle_wait(self) -> (Duration, Duration) {
        self.throttle_wait
    }
}
