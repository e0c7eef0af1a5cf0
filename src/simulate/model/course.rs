//! One campaign: its days, and its figures at an instant.

use std::ops::Range;
use std::sync::Arc;

use super::chance::{Path, mix, normal, uniform};
use super::profile::{CampaignEvent, Quantity};
use super::wave::{Curve, Kernel, REACH_DAYS, Wave};
use super::{Figures, Model, SLOTS_PER_DAY, Tick, TrailingDays};

/// What is drawn of a day, apart.
mod drawn {
    pub(super) const COST: u64 = 1;
    pub(super) const VOLUME: u64 = 2;
    pub(super) const SENDING: u64 = 3;
    pub(super) const SLOTS_PER_HOUR: u64 = 4;
    pub(super) const REVISION_DAY: u64 = 5;
    pub(super) const REVISION_SLOT: u64 = 6;
    pub(super) const CLICKS: u64 = 7;
    pub(super) const READS: u64 = 8;
    pub(super) const REVISED_CLICKS: u64 = 9;
    pub(super) const REVISED_READS: u64 = 10;
}

/// One campaign of a [`Model`].
#[derive(Clone, Debug)]
pub struct Course {
    model: Model,
    key: u64,
    first: i64,
    events: Vec<CampaignEvent>,
}

/// A wave so many times as large.
#[derive(Clone, Debug)]
struct Scaled {
    wave: Arc<Wave>,
    times: f64,
}

impl Scaled {
    fn sent(&self, slot: usize) -> f64 {
        self.times * self.wave.sent.get(slot).copied().unwrap_or_default()
    }
}

/// What goes out on a day, and what comes of it.
#[derive(Clone, Debug)]
pub(super) struct Sends {
    messages: Scaled,
    spend: Scaled,
    clicks: Scaled,
    reads: Scaled,
}

impl Sends {
    /// What so many messages, the first of the day, cost.
    fn paid(&self, count: f64) -> f64 {
        let Scaled { wave, times } = &self.messages;
        // The slot in which the last of them went out.
        let end = wave.sent.partition_point(|sent| times * sent < count - HAIR).min(SLOTS_PER_DAY);
        let Some(begin) = end.checked_sub(1) else { return 0.0 };
        let [before, after] = [begin, end].map(|slot| self.messages.sent(slot));
        let part = if after > before { (count - before) / (after - before) } else { 1.0 };
        self.spend.sent(begin) + part * (self.spend.sent(end) - self.spend.sent(begin))
    }
}

/// The last [`REACH_DAYS`] days, the newest first.
pub(super) type Recent = std::collections::VecDeque<Sends>;

/// A day of a campaign, slot by slot.
#[derive(Clone, Debug)]
pub(super) struct Day {
    /// What goes out on it.
    sends: Option<Sends>,
    clicks: Curve,
    reads: Curve,
    key: u64,
    share: f64,
    /// When what was too much is taken back.
    pub(super) revised: Option<Tick>,
}

impl Course {
    pub(super) fn new(model: Model, key: u64) -> Self {
        Self { model, key, first: 0, events: Vec::new() }
    }

    /// Begins on another day.
    pub fn from(self, first: i64) -> Self {
        Self { first, ..self }
    }

    /// Lets something happen to it.
    pub fn with(mut self, event: CampaignEvent) -> Self {
        self.events.push(event);
        self
    }

    /// Its figures over a window, as the API knows them at an instant.
    pub fn window(&self, window: TrailingDays, now: Tick) -> Figures {
        self.days(now.day.saturating_sub(window.oldest.into())..now.day.saturating_sub(window.newest.into()) + 1, now)
    }

    /// Its figures over days, as the API knows them at an instant.
    pub fn days(&self, days: Range<i64>, now: Tick) -> Figures {
        let days = days.start.max(self.first)..days.end.min(now.day + 1);
        let mut sum = Figures::default();
        let mut recent = self.recent(days.start);
        for number in days {
            self.advance(&mut recent, number);
            sum += if number == now.day {
                let slot = usize::from(now.slot);
                self.day(&recent, number, &[slot]).figures(slot, now)
            } else {
                self.day(&recent, number, &[SLOTS_PER_DAY]).figures(SLOTS_PER_DAY, now)
            };
        }
        sum
    }

    /// Whether any message was delivered on these days.
    pub fn delivers(&self, days: Range<i64>, now: Tick) -> bool {
        (days.start.max(self.first)..days.end.min(now.day + 1)).any(|day| {
            let slot = if day == now.day { usize::from(now.slot) } else { SLOTS_PER_DAY };
            let revised = self.revised(day, mix(self.key, day.cast_unsigned())).is_some_and(|revised| now < revised);
            let share = if revised { self.model.profile.revision.share } else { 0.0 };
            whole(self.sends(day).messages.sent(slot) * (1.0 + share)) > 0.0
        })
    }

    /// The day on which it begins.
    pub fn first(&self) -> i64 {
        self.first
    }

    /// What was sent before a day and still has its effects.
    pub(super) fn recent(&self, day: i64) -> Recent {
        let reach = i64::try_from(REACH_DAYS).unwrap_or_default();
        let mut recent = Recent::with_capacity(REACH_DAYS);
        ((day - reach + 1).max(self.first)..day).for_each(|day| self.advance(&mut recent, day));
        recent
    }

    /// A day further.
    pub(super) fn advance(&self, recent: &mut Recent, day: i64) {
        recent.truncate(REACH_DAYS - 1);
        recent.push_front(self.sends(day));
    }

    /// The newest of these days, at some of its slots.
    pub(super) fn day(&self, recent: &Recent, number: i64, slots: &[usize]) -> Day {
        let key = mix(self.key, number.cast_unsigned());
        let mut day = Day {
            sends: recent.front().cloned(),
            clicks: [0.0; SLOTS_PER_DAY + 1],
            reads: [0.0; SLOTS_PER_DAY + 1],
            key,
            share: self.model.profile.revision.share.max(0.0),
            revised: self.revised(number, key),
        };
        let sum = |curve: &mut Curve, of: fn(&Sends) -> &Scaled| {
            for (days, sends) in recent.iter().enumerate() {
                let Scaled { wave, times } = of(sends);
                let Some(come) = wave.come.get(days).filter(|_| *times > 0.0) else { continue };
                for &slot in slots {
                    if let (Some(sum), Some(part)) = (curve.get_mut(slot), come.get(slot)) {
                        *sum += times * part;
                    }
                }
            }
        };
        sum(&mut day.clicks, |sends| &sends.clicks);
        sum(&mut day.reads, |sends| &sends.reads);
        day
    }

    fn revised(&self, day: i64, key: u64) -> Option<Tick> {
        let revision = self.model.profile.revision;
        if revision.share <= 0.0 {
            return None;
        }
        let later = uniform(mix(key, drawn::REVISION_DAY)) * f64::from(revision.within_days.max(1));
        let slot = uniform(mix(key, drawn::REVISION_SLOT)) * f64::from(Tick::SLOTS_PER_DAY);
        Some(Tick { day: day + 1 + floor(later), slot: u16::try_from(floor(slot)).unwrap_or_default() })
    }

    /// What goes out on a day.
    fn sends(&self, day: i64) -> Sends {
        let profile = &self.model.profile;
        let key = mix(self.key, day.cast_unsigned());
        let spread = |what, deviation: f64| {
            if deviation > 0.0 { (deviation * normal(mix(key, what))).exp() } else { 1.0 }
        };
        let sending = profile.sending_days.clamp(0.0, 1.0);
        let goes_out = sending > 0.0 && uniform(mix(key, drawn::SENDING)) < sending;
        // Day 0 is a Wednesday.
        let weekday = usize::try_from((day + 2).rem_euclid(7)).unwrap_or_default();
        let messages = if goes_out { profile.delivered_per_day / sending } else { 0.0 }
            * profile.weekdays.get(weekday).copied().unwrap_or(1.0)
            * spread(drawn::VOLUME, profile.volume_spread);
        let click_ratio = profile.click_ratio / spread(drawn::COST, profile.cost_spread);
        let hours = profile.shape.hours();
        let drawn = uniform(mix(key, drawn::SLOTS_PER_HOUR)) * f64::from(hours.end() - hours.start() + 1);
        let hour = hours.start() + u8::try_from(floor(drawn)).unwrap_or_default();
        let factor = |of, slot| {
            let events = self.events.iter().filter(|event| event.of == of);
            events.map(|event| event.factor(day, slot)).product::<f64>()
        };
        let usual = |of, times: f64| Scaled {
            wave: Arc::clone(&self.model.waves[&hour]),
            times: times * factor(Quantity::Volume, 0) * of,
        };
        let price = profile.cost_per_delivered * factor(Quantity::Price, 0);
        let even = Sends {
            messages: usual(1.0, messages),
            spend: usual(price, messages),
            clicks: usual(click_ratio * factor(Quantity::ClickRatio, 0), messages),
            reads: usual(profile.read_ratio * factor(Quantity::ReadRatio, 0), messages),
        };
        let changes = self.events.iter().any(|event| event.changes_within(day));
        let exhausted = profile.budget.is_some_and(|budget| even.spend.sent(SLOTS_PER_DAY) > budget);
        if !changes && !exhausted {
            return even;
        }
        let mut left = profile.budget.unwrap_or(f64::INFINITY);
        let mut shares = profile.shape.shares(hour);
        let (mut spends, mut clicks, mut reads) = (shares, shares, shares);
        for (slot, share) in shares.iter_mut().enumerate() {
            let at = u16::try_from(slot).unwrap_or_default();
            let price = profile.cost_per_delivered * factor(Quantity::Price, at);
            let spend = (*share * messages * factor(Quantity::Volume, at) * price).min(left);
            left -= spend;
            *share = if price > 0.0 { spend / price } else { *share * messages * factor(Quantity::Volume, at) };
            spends[slot] = spend;
            clicks[slot] = *share * click_ratio * factor(Quantity::ClickRatio, at);
            reads[slot] = *share * profile.read_ratio * factor(Quantity::ReadRatio, at);
        }
        let own =
            |shares: &[f64; SLOTS_PER_DAY], kernel| Scaled { wave: Arc::new(Wave::new(shares, kernel)), times: 1.0 };
        let (at_once, late) = (Kernel::at_once(), &*self.model.kernel);
        Sends {
            messages: own(&shares, &at_once),
            spend: own(&spends, &at_once),
            clicks: own(&clicks, late),
            reads: own(&reads, late),
        }
    }
}

impl Day {
    /// The figures at the begin of a slot, or at the end of the day, as they are known at an instant.
    pub(super) fn figures(&self, slot: usize, now: Tick) -> Figures {
        self.counted(&mut self.paths(), slot, now)
    }

    /// The paths of its clicks and reads.
    pub(super) fn paths(&self) -> [Path; 4] {
        [drawn::CLICKS, drawn::READS, drawn::REVISED_CLICKS, drawn::REVISED_READS]
            .map(|what| Path::new(mix(self.key, what)))
    }

    /// The same along paths, which is cheap in order.
    pub(super) fn counted(&self, paths: &mut [Path; 4], slot: usize, now: Tick) -> Figures {
        let at = |curve: &Curve| curve.get(slot).copied().unwrap_or_default();
        let [clicks, reads, revised_clicks, revised_reads] = paths;
        let mut counted = [clicks.at(at(&self.clicks)), reads.at(at(&self.reads))];
        let mut share = 1.0;
        if self.revised.is_some_and(|revised| now < revised) {
            share += self.share;
            counted[0] += revised_clicks.at(self.share * at(&self.clicks));
            counted[1] += revised_reads.at(self.share * at(&self.reads));
        }
        // Only whole messages are paid, and each what it cost when it went out: a price that falls takes nothing back.
        let (delivered, spend) = self.sends.as_ref().map_or((0.0, 0.0), |sends| {
            let delivered = whole(share * sends.messages.sent(slot));
            (delivered, share * sends.paid(delivered / share))
        });
        Figures { delivered, read: counted[1] as f64, clicks: counted[0] as f64, spend }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "days and slots are small")]
fn floor(value: f64) -> i64 {
    value.floor() as i64
}

/// By how much a sum of shares may miss a whole number.
const HAIR: f64 = 1e-6;

/// Whole messages.
fn whole(messages: f64) -> f64 {
    (messages + HAIR).floor()
}
