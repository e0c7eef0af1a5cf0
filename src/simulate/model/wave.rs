//! What follows from a day's messages: when their clicks and reads come.

use super::profile::Lag;
use super::{SLOTS_PER_DAY, Tick};

/// Days in which clicks may come, the day of the message among them. What would come later comes
/// in the last slot of these.
pub(super) const REACH_DAYS: usize = 8;

/// Sub-intervals of a slot over which the instant of a message is averaged.
const SLOT_PARTS: u32 = 8;

/// Cumulated figures at the begin of each slot, and at the end of the day.
pub(super) type Curve = [f64; SLOTS_PER_DAY + 1];

/// The share of clicks that comes so many slots after the slot of the message.
#[derive(Clone, Debug)]
pub(super) struct Kernel(Vec<f64>);

impl Kernel {
    /// All of it in the slot of the message.
    pub(super) fn at_once() -> Self {
        Self(vec![1.0])
    }

    pub(super) fn new(lag: Lag) -> Self {
        if lag.median_minutes <= 0.0 {
            return Self::at_once();
        }
        let until = |slots: f64| {
            let minutes = slots * Tick::SLOT_MINUTES;
            if minutes <= 0.0 { 0.0 } else { normal_cdf((minutes / lag.median_minutes).ln() / lag.sigma.max(1e-9)) }
        };
        // A message goes out at any instant of its slot.
        let until = |slots: u32| {
            let parts = (0..SLOT_PARTS).map(|part| (f64::from(part) + 0.5) / f64::from(SLOT_PARTS));
            parts.map(|part| until(f64::from(slots) - part)).sum::<f64>() / f64::from(SLOT_PARTS)
        };
        let longest = u32::try_from((REACH_DAYS - 1) * SLOTS_PER_DAY).unwrap_or_default();
        let mut shares: Vec<_> = (0..longest).map(|slots| until(slots + 1) - until(slots)).collect();
        let rest = 1.0 - shares.iter().sum::<f64>();
        if let Some(last) = shares.last_mut() {
            *last += rest;
        }
        Self(shares)
    }
}

/// Something sent over a day, and what comes of it on that day and on those after it.
#[derive(Clone, Debug)]
pub(super) struct Wave {
    /// Sent until each slot.
    pub(super) sent: Curve,
    /// Come until each slot, of the same day, of the next, and so on.
    pub(super) come: Box<[Curve; REACH_DAYS]>,
}

impl Wave {
    pub(super) fn new(shares: &[f64; SLOTS_PER_DAY], kernel: &Kernel) -> Self {
        let mut flat = [0.0; REACH_DAYS * SLOTS_PER_DAY];
        for (slot, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            let arrivals = flat.iter_mut().skip(slot);
            arrivals.zip(&kernel.0).for_each(|(sum, part)| *sum += share * part);
        }
        let mut come = Box::new([[0.0; SLOTS_PER_DAY + 1]; REACH_DAYS]);
        for (curve, slots) in come.iter_mut().zip(flat.chunks_exact(SLOTS_PER_DAY)) {
            *curve = cumulated(slots);
        }
        Self { sent: cumulated(shares), come }
    }
}

fn cumulated(slots: &[f64]) -> Curve {
    let mut curve = [0.0; SLOTS_PER_DAY + 1];
    let mut sum = 0.0;
    for (until, slot) in curve.iter_mut().skip(1).zip(slots) {
        sum += slot;
        *until = sum;
    }
    curve
}

/// The normal distribution, to within 7.5e-8 (Abramowitz and Stegun 26.2.17).
fn normal_cdf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let series = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530];
    let sum = series.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    let tail = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt() * sum;
    if x > 0.0 { 1.0 - tail } else { tail }
}
