//! What a campaign is like, and what becomes of it.

use serde::{Deserialize, Serialize};

use super::{SLOTS_PER_HOUR, Tick};

/// How a campaign behaves. All of its noise is here; a figure left at its default is exact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Messages a day, on average over the days of a week.
    pub delivered_per_day: f64,
    /// Price of a message, paid when it is delivered.
    pub cost_per_delivered: f64,
    /// Clicks a message, sooner or later. Clicks are Poisson.
    pub click_ratio: f64,
    /// Reads a message, sooner or later. Reads are Poisson.
    pub read_ratio: f64,
    /// When in the day messages go out.
    pub shape: DayShape,
    /// Share of each day of the week, Monday first, against an average day.
    pub weekdays: [f64; 7],
    /// The share of days on which anything goes out; which ones is drawn, and those that do carry
    /// the others' messages too.
    pub sending_days: f64,
    /// How late clicks and reads come.
    pub lag: Lag,
    /// Day-to-day spread of the true cost per click: standard deviation of its logarithm.
    pub cost_spread: f64,
    /// Day-to-day spread of the messages a day: standard deviation of their logarithm.
    pub volume_spread: f64,
    /// What is taken back of past days.
    pub revision: Revision,
    /// Spend a day at which delivery ends until midnight.
    pub budget: Option<f64>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            delivered_per_day: 5000.0,
            cost_per_delivered: 0.015,
            click_ratio: 0.1,
            read_ratio: 0.75,
            shape: DayShape::Flat,
            weekdays: [1.0; 7],
            sending_days: 1.0,
            lag: Lag::NONE,
            cost_spread: 0.0,
            volume_spread: 0.0,
            revision: Revision::NONE,
            budget: None,
        }
    }
}

impl Profile {
    /// Weekly rhythm of shops: strongest on Friday, weakest on Sunday.
    pub const WEEK: [f64; 7] = [0.97, 0.96, 0.98, 1.04, 1.15, 1.02, 0.88];

    /// A campaign of so many clicks a day, at 0.15 each.
    pub fn clicks_per_day(clicks: f64) -> Self {
        let default = Self::default();
        Self { delivered_per_day: clicks / default.click_ratio, ..default }
    }

    /// The true cost of a click when nothing has happened to it.
    pub fn cost_per_click(&self) -> f64 {
        self.cost_per_delivered / self.click_ratio
    }
}

/// When in the day messages go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayShape {
    /// Evenly around the clock.
    Flat,
    /// Little at night, most in the evening.
    DayCurve,
    /// All at once, within a number of slots.
    Blast {
        /// Earliest hour of the day, 0 to 23.
        earliest: u8,
        /// Latest hour; the hour of each day is drawn from earliest to latest.
        latest: u8,
        /// How long it takes, in slots.
        slots: u16,
    },
}

impl DayShape {
    /// One send a day, within a quarter of an hour, always at the same hour.
    pub const fn blast(hour: u8) -> Self {
        Self::Blast { earliest: hour, latest: hour, slots: 1 }
    }
}

/// How long after the message a click or a read comes: log-normal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// Half of them have come after so many minutes; 0 is at once.
    pub median_minutes: f64,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

impl Lag {
    /// At once.
    pub const NONE: Self = Self { median_minutes: 0.0, sigma: 0.0 };

    /// The usual spread, about a median.
    pub const fn minutes(median_minutes: f64) -> Self {
        Self { median_minutes, sigma: 1.3 }
    }
}

/// What is taken back of a past day, once, of messages, spend, clicks and reads alike: the API
/// revises its figures for 28 days.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// Which share of the lasting figures is shown in addition at first.
    pub share: f64,
    /// It is taken back on one of so many days after the day, at any time of it.
    pub within_days: u16,
}

impl Revision {
    /// Nothing.
    pub const NONE: Self = Self { share: 0.0, within_days: 0 };
}

/// Something that happens to a campaign. A story is a list of these; their effects multiply.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignEvent {
    /// What changes.
    pub of: Quantity,
    /// From when on; what was sent before is not affected.
    pub from: Tick,
    /// Until when; `None` is for good.
    #[serde(default)]
    pub until: Option<Tick>,
    /// How much it changes.
    pub effect: EventEffect,
}

/// What an event changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Messages a day, and with them spend, clicks and reads.
    Volume,
    /// Price of a message.
    Price,
    /// Clicks a message.
    ClickRatio,
    /// Reads a message.
    ReadRatio,
}

/// How much an event changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventEffect {
    /// So many times the usual.
    Times(f64),
    /// So many times the day before, at each midnight.
    TimesPerDay(f64),
}

impl CampaignEvent {
    const fn new(of: Quantity, from: Tick, effect: EventEffect) -> Self {
        Self { of, from, until: None, effect }
    }

    /// Ends it.
    pub const fn until(self, until: Tick) -> Self {
        Self { until: Some(until), ..self }
    }

    /// Clicks cost so many times as much: fewer of them for the same money.
    pub const fn cost_step(from: Tick, times: f64) -> Self {
        Self::new(Quantity::ClickRatio, from, EventEffect::Times(1.0 / times))
    }

    /// Clicks cost this share more each day: 0.02 is 2 % a day. Fewer of them for the same money.
    pub const fn cost_creep(from: Tick, share: f64) -> Self {
        Self::new(Quantity::ClickRatio, from, EventEffect::TimesPerDay(1.0 / (1.0 + share)))
    }

    /// Messages cost so many times as much; as many of them, as many clicks.
    pub const fn price_step(from: Tick, times: f64) -> Self {
        Self::new(Quantity::Price, from, EventEffect::Times(times))
    }

    /// So many times the messages, spend, clicks and reads.
    pub const fn runaway(from: Tick, times: f64) -> Self {
        Self::new(Quantity::Volume, from, EventEffect::Times(times))
    }

    /// This share of the clicks is left, of as many messages.
    pub const fn click_collapse(from: Tick, share: f64) -> Self {
        Self::new(Quantity::ClickRatio, from, EventEffect::Times(share))
    }

    /// This share of the reads is left, of as many messages.
    pub const fn read_collapse(from: Tick, share: f64) -> Self {
        Self::new(Quantity::ReadRatio, from, EventEffect::Times(share))
    }

    /// Nothing goes out any more.
    pub const fn stop(from: Tick) -> Self {
        Self::new(Quantity::Volume, from, EventEffect::Times(0.0))
    }

    /// Its factor on what is sent in a slot.
    pub(super) fn factor(&self, day: i64, slot: u16) -> f64 {
        let now = Tick { day, slot };
        if now < self.from || self.until.is_some_and(|until| now >= until) {
            return 1.0;
        }
        match self.effect {
            EventEffect::Times(times) => times,
            EventEffect::TimesPerDay(times) => times.powf((day - self.from.day) as f64),
        }
    }

    /// Whether its factor changes within a day.
    pub(super) fn changes_within(&self, day: i64) -> bool {
        let within = |tick: Tick| tick.day == day && tick.slot > 0;
        within(self.from) || self.until.is_some_and(within)
    }
}

/// Messages of each hour of a usual day, against each other.
pub(super) const DAY_CURVE: [f64; 24] = [
    0.5, 0.3, 0.2, 0.15, 0.15, 0.25, 0.5, 0.8, 1.0, 1.2, 1.3, 1.35, 1.4, 1.3, 1.2, 1.2, 1.25, 1.35, 1.55, 1.75, 1.85,
    1.7, 1.3, 0.85,
];

impl DayShape {
    /// The share of a day's messages that goes out in each slot, with the hour of a blast.
    pub(super) fn shares(self, hour: u8) -> [f64; Tick::SLOTS_PER_DAY as usize] {
        let mut shares = [0.0; Tick::SLOTS_PER_DAY as usize];
        let begin = usize::from(hour) * usize::from(SLOTS_PER_HOUR);
        for (slot, share) in shares.iter_mut().enumerate() {
            *share = match self {
                Self::Flat => 1.0,
                Self::DayCurve => DAY_CURVE.get(slot / usize::from(SLOTS_PER_HOUR)).copied().unwrap_or_default(),
                Self::Blast { slots, .. } => {
                    f64::from(u8::from((begin..begin + usize::from(slots.max(1))).contains(&slot)))
                }
            };
        }
        let sum: f64 = shares.iter().sum();
        shares.map(|share| share / sum)
    }

    /// The hours at which a day's messages may begin.
    pub(super) fn hours(self) -> std::ops::RangeInclusive<u8> {
        match self {
            Self::Flat | Self::DayCurve => 0..=0,
            Self::Blast { earliest, latest, .. } => earliest.min(23)..=latest.clamp(earliest.min(23), 23),
        }
    }
}
