//! Chance that a seed decides.

use marketing_messages_exporter::simulate::model::{mix, uniform};

/// Throws that follow from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    seed: u64,
    thrown: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, thrown: 0 }
    }

    /// Throws of its own, which do not shift ours.
    pub(crate) fn fork(&mut self, salt: u64) -> Self {
        Self::new(mix(self.seed ^ 0x5EED, salt))
    }

    /// In 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.thrown += 1;
        uniform(mix(self.seed, self.thrown))
    }

    /// From the first number to the last.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the product is below `most`")]
    pub(crate) fn number(&mut self, least: u64, most: u64) -> u64 {
        least + (self.unit() * (most - least + 1) as f64) as u64
    }

    /// Once in so many throws.
    pub(crate) fn once_in(&mut self, throws: u64) -> bool {
        self.number(1, throws) == 1
    }

    pub(crate) fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.index(among.len())]
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.number(0, len as u64 - 1)).unwrap()
    }
}
