//! A statistical model of campaigns: what they deliver, cost and earn at any instant, with noise.
//!
//! A [`Profile`] says how a kind of campaign behaves, a [`Course`] is one campaign of the kind, by
//! seed and id, with what happens to it. Figures are functions of these and of the instant: one of
//! them can be asked for alone ([`Course::window`]), or all in order ([`Course::replay`]), and they
//! are the same.
//!
//! ```
//! use marketing_messages_exporter::simulate::model::{CampaignEvent, DayShape, Lag, Model, Profile};
//! use marketing_messages_exporter::simulate::model::{Tick, TrailingDays};
//!
//! let profile = Profile { shape: DayShape::blast(10), lag: Lag::minutes(30.0), ..Profile::clicks_per_day(500.0) };
//! let course = Model::new(&profile).course(7, 1).with(CampaignEvent::cost_step(Tick { day: 40, slot: 44 }, 2.0));
//! for (now, [today, week]) in course.replay(0..60, [TrailingDays::TODAY, TrailingDays::last(7)]) {
//!     assert_eq!(week, course.window(TrailingDays::last(7), now));
//!     assert_eq!(today, course.window(TrailingDays::TODAY, now));
//! #   if now.day > 2 { break }
//! }
//! ```
//!
//! Messages go out as the profile's shape says, without noise, and are paid at once. Each makes
//! clicks and reads with a lag, so that these arrive as a Poisson process whose intensity is the
//! shape folded with the lag. They count on the day on which they come. A day has 96 slots of a
//! quarter of an hour.

mod chance;
mod course;
mod profile;
mod replay;
mod wave;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use chance::{Path, mix, normal, uniform};
pub use course::Course;
pub use profile::{CampaignEvent, DayShape, EventEffect, Lag, Profile, Quantity, Revision};
pub use replay::Replay;
use wave::{Kernel, Wave};

/// Slots of a day.
const SLOTS_PER_DAY: usize = Tick::SLOTS_PER_DAY as usize;

/// Slots of an hour.
const SLOTS_PER_HOUR: u16 = 4;

/// An instant on the grid of the model, in the account's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tick {
    /// Days since 2020-01-01, or since any Wednesday.
    pub day: i64,
    /// Slots of the day that have passed, 0 to 96.
    pub slot: u16,
}

impl Tick {
    /// Slots of a day.
    pub const SLOTS_PER_DAY: u16 = 96;

    /// Minutes of a slot.
    pub const SLOT_MINUTES: f64 = 15.0;
}

/// What a campaign did, as the API knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Messages delivered.
    pub delivered: f64,
    /// Messages read.
    pub read: f64,
    /// Link clicks.
    pub clicks: f64,
    /// Money spent.
    pub spend: f64,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.read += other.read;
        self.clicks += other.clicks;
        self.spend += other.spend;
    }
}

/// A number of days before and up to an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrailingDays {
    /// Its first day, counted back from today.
    pub oldest: u32,
    /// Its last day, counted back from today.
    pub newest: u32,
}

impl TrailingDays {
    /// Today so far.
    pub const TODAY: Self = Self { oldest: 0, newest: 0 };

    /// Yesterday.
    pub const YESTERDAY: Self = Self::last(1);

    /// From the campaign's first day to now.
    pub const LIFETIME: Self = Self { oldest: u32::MAX, newest: 0 };

    /// `last_Nd`: so many days, without today.
    pub const fn last(days: u32) -> Self {
        Self { oldest: days, newest: 1 }
    }

    /// So many days, today as the last of them.
    pub const fn sliding(days: u32) -> Self {
        Self { oldest: days.saturating_sub(1), newest: 0 }
    }
}

/// A kind of campaign; clones share what was computed of it.
#[derive(Clone, Debug)]
pub struct Model {
    profile: Arc<Profile>,
    kernel: Arc<Kernel>,
    /// By hour at which a day's messages begin.
    waves: Arc<BTreeMap<u8, Arc<Wave>>>,
}

impl Model {
    /// Prepares what all campaigns of a profile share.
    pub fn new(profile: &Profile) -> Self {
        let kernel = Kernel::new(profile.lag);
        let wave = |hour| (hour, Arc::new(Wave::new(&profile.shape.shares(hour), &kernel)));
        let waves = profile.shape.hours().map(wave).collect();
        Self { profile: Arc::new(profile.clone()), waves: Arc::new(waves), kernel: Arc::new(kernel) }
    }

    /// A kind of campaign that differs in numbers, but not in shape and lag.
    pub fn variant(&self, change: impl FnOnce(Profile) -> Profile) -> Self {
        let Profile { shape, lag, .. } = *self.profile;
        let profile = Profile { shape, lag, ..change((*self.profile).clone()) };
        Self { profile: Arc::new(profile), ..self.clone() }
    }

    /// One campaign, which begins on day 0 and to which nothing happens.
    pub fn course(&self, seed: u64, campaign: u64) -> Course {
        Course::new(self.clone(), mix(seed, campaign))
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "figures of one model are the same to the bit")]
mod tests;
