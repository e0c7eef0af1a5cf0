//! One value for each step of the grid: what a series was at all times at once.

use std::sync::Arc;

/// Marks a step at which a series has no sample. It is the bit pattern that Prometheus itself uses for this; a division of
/// zero by zero makes another NaN, which is a value.
const ABSENT_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The marker as a number.
pub const ABSENT: f64 = f64::from_bits(ABSENT_BITS);

/// Whether there is a sample.
pub fn is_present(value: f64) -> bool {
    value.to_bits() != ABSENT_BITS
}

/// The values of a series. Many never change, thresholds above all, and those are not spelled out.
#[derive(Clone, Debug)]
pub enum Column {
    Same(f64),
    Each(Arc<[f64]>),
}

impl Column {
    pub fn at(&self, step: usize) -> f64 {
        match self {
            Self::Same(value) => *value,
            Self::Each(values) => values[step],
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Self::Same(value) => !is_present(*value),
            Self::Each(values) => !values.iter().copied().any(is_present),
        }
    }

    /// Spelled out for a grid of so many steps.
    pub fn values(&self, steps: usize) -> Arc<[f64]> {
        match self {
            Self::Same(value) => std::iter::repeat_n(*value, steps).collect(),
            Self::Each(values) => values.clone(),
        }
    }

    /// A function of each sample; no sample stays none.
    pub fn map(&self, apply: impl Fn(f64) -> f64) -> Self {
        let apply = |value: f64| if is_present(value) { apply(value) } else { ABSENT };
        match self {
            Self::Same(value) => Self::Same(apply(*value)),
            Self::Each(values) => Self::Each(values.iter().map(|value| apply(*value)).collect()),
        }
    }

    /// A function of two columns at each step, of missing samples too.
    pub fn zip(&self, other: &Self, apply: impl Fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::Same(a), Self::Same(b)) => Self::Same(apply(*a, *b)),
            (Self::Same(a), Self::Each(b)) => Self::Each(b.iter().map(|b| apply(*a, *b)).collect()),
            (Self::Each(a), Self::Same(b)) => Self::Each(a.iter().map(|a| apply(*a, *b)).collect()),
            (Self::Each(a), Self::Each(b)) => Self::Each(a.iter().zip(b.iter()).map(|(a, b)| apply(*a, *b)).collect()),
        }
    }

    /// A function of two samples; where either is missing there is none.
    pub fn zip_present(&self, other: &Self, apply: impl Fn(f64, f64) -> f64) -> Self {
        self.zip(other, |a, b| if is_present(a) && is_present(b) { apply(a, b) } else { ABSENT })
    }

    /// This column where the other has a sample, or where it has none.
    pub fn masked(&self, other: &Self, wanted: bool) -> Self {
        self.zip(other, |a, b| if is_present(b) == wanted { a } else { ABSENT })
    }

    /// This column, and the other where this has no sample.
    pub fn or(&self, other: &Self) -> Self {
        self.zip(other, |a, b| if is_present(a) { a } else { b })
    }

    /// Whether both have a sample at one step.
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.masked(other, true).is_empty()
    }

    /// What it was so many steps ago.
    pub fn shifted(&self, by: usize, steps: usize) -> Self {
        let values = self.values(steps);
        Self::Each((0..steps).map(|step| step.checked_sub(by).map_or(ABSENT, |step| values[step])).collect())
    }
}
