//! Randomness by counting: every draw is a function of a key, so that any figure can be computed
//! without those before it.

use std::sync::LazyLock;

/// Expected events of one block of a [`Path`].
const BLOCK_EVENTS: f64 = 256.0;

/// How often a block is halved at most; what is finer than that comes a moment later.
const HALVINGS: usize = 48;

/// So few events are placed one by one instead of being halved further.
const PLACED_SINGLY: u64 = 8;

/// A key of its own for each pair of key and salt: the finalizer of `SplitMix64`.
pub fn mix(key: u64, salt: u64) -> u64 {
    let mut mixed = key.wrapping_add(salt.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Evenly distributed in 0..1.
pub fn uniform(key: u64) -> f64 {
    (mix(key, 0) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Normally distributed, mean 0 and standard deviation 1 (Box and Muller).
pub fn normal(key: u64) -> f64 {
    let (radius, angle) = (1.0 - uniform(mix(key, 1)), uniform(mix(key, 2)));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// One path of a Poisson process of rate 1: [`Path::at`] counts its events up to a time. With the
/// cumulated intensity for time it is a process of any intensity.
///
/// Blocks of `BLOCK_EVENTS` expected events are drawn whole. Within one, the events of either half are
/// binomial, so that halving leads close to any time in a few draws.
///
/// What was halved last is kept, so that times in order cost little.
#[derive(Clone, Debug)]
pub struct Path {
    key: u64,
    blocks: u64,
    events: u64,
    /// Parts of the running block, each a half of the one before it, down to the last time.
    parts: Vec<BlockPart>,
}

/// A part of a block.
#[derive(Clone, Copy, Debug)]
struct BlockPart {
    key: u64,
    /// Where it begins and how long it is; a block is 1.
    begin: f64,
    size: f64,
    /// Events of the block before it.
    before: u64,
    events: u64,
}

impl Path {
    /// The path of a key.
    pub fn new(key: u64) -> Self {
        Self { key, blocks: 0, events: 0, parts: Vec::new() }
    }

    /// Events up to a time. Cheapest when times come in order.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time is not negative")]
    pub fn at(&mut self, time: f64) -> u64 {
        let blocks = (time.max(0.0) / BLOCK_EVENTS).floor();
        let within = (time.max(0.0) - blocks * BLOCK_EVENTS) / BLOCK_EVENTS;
        let blocks = blocks as u64;
        if blocks < self.blocks {
            *self = Self::new(self.key);
        }
        while self.blocks < blocks {
            self.events += self.parts.first().map_or_else(|| block(mix(self.key, self.blocks)), |whole| whole.events);
            self.parts.clear();
            self.blocks += 1;
        }
        if self.parts.is_empty() {
            let key = mix(self.key, self.blocks);
            self.parts.push(BlockPart { key, begin: 0.0, size: 1.0, before: 0, events: block(key) });
        }
        self.events + self.until(within)
    }

    /// Events of the running block up to a time in it.
    fn until(&mut self, time: f64) -> u64 {
        while let Some(part) = self.parts.last().copied() {
            if time < part.begin || time >= part.begin + part.size {
                self.parts.pop();
            } else if part.events <= PLACED_SINGLY || self.parts.len() > HALVINGS {
                return part.before + part.until(time);
            } else {
                self.parts.push(part.half(time));
            }
        }
        0
    }
}

impl BlockPart {
    /// Its events up to a time in it: each comes at any instant.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 53 bits")]
    fn until(self, time: f64) -> u64 {
        let share = ((time - self.begin) / self.size * (1_u64 << 53) as f64) as u64;
        (0..self.events).filter(|event| mix(self.key, 8 + event) >> 11 < share).count() as u64
    }

    /// The half that holds a time.
    fn half(self, time: f64) -> Self {
        let (size, first) = (self.size / 2.0, heads(mix(self.key, 4), self.events));
        let middle = self.begin + size;
        if time < middle {
            Self { key: mix(self.key, 6), size, events: first, ..self }
        } else {
            let (before, events) = (self.before + first, self.events - first);
            Self { key: mix(self.key, 5), begin: middle, size, before, events }
        }
    }
}

/// Events of a block: Poisson, by the inverse of its distribution.
fn block(key: u64) -> u64 {
    static CUMULATED: LazyLock<Vec<f64>> = LazyLock::new(|| {
        let mut logarithm = -BLOCK_EVENTS;
        let mut sum = 0.0;
        (0..1024_u32)
            .map(|events| {
                if events > 0 {
                    logarithm += BLOCK_EVENTS.ln() - f64::from(events).ln();
                }
                sum += logarithm.exp();
                sum
            })
            .collect()
    });
    let chance = uniform(mix(key, 3));
    CUMULATED.partition_point(|&sum| sum <= chance) as u64
}

/// Heads of so many coins.
fn heads(key: u64, coins: u64) -> u64 {
    let words = (0..coins / 64).map(|word| mix(key, word).count_ones());
    let rest = mix(key, u64::MAX - 1) & ((1 << (coins % 64)) - 1);
    u64::from(words.sum::<u32>() + rest.count_ones())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Mean and variance.
    fn moments(values: impl Iterator<Item = f64>) -> (f64, f64) {
        let values: Vec<_> = values.collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64)
    }

    #[test]
    fn counts_are_poisson_at_any_mean_and_independent_of_those_before() {
        for (begin, mean) in [(0.0, 0.03), (0.0, 1.0), (100.3, 5.0), (200.0, 100.0), (0.0, 256.0), (1000.7, 900.0)] {
            let pairs: Vec<_> = (0..20_000)
                .map(|key| {
                    let mut path = Path::new(mix(11, key));
                    let (first, second) = (path.at(begin) as f64, path.at(begin + mean) as f64);
                    (first, second - first)
                })
                .collect();
            let (found, variance) = moments(pairs.iter().map(|pair| pair.1));
            // Five standard errors of a Poisson sample's mean and variance.
            let errors = (mean / 20_000.0_f64).sqrt();
            assert!((found - mean).abs() < 5.0 * errors, "mean {found} instead of {mean}");
            let errors = ((mean + 2.0 * mean * mean) / 20_000.0_f64).sqrt();
            assert!((variance - mean).abs() < 5.0 * errors, "variance {variance} instead of {mean}");
            if begin > 0.0 {
                let (first, _) = moments(pairs.iter().map(|pair| pair.0));
                let covariance = pairs.iter().map(|pair| (pair.0 - first) * (pair.1 - found)).sum::<f64>() / 20_000.0;
                let errors = (begin * mean / 20_000.0_f64).sqrt();
                assert!(covariance.abs() < 5.0 * errors, "covariance {covariance} after {begin}");
            }
        }
    }

    #[test]
    fn no_event_at_all_is_as_likely_as_it_should_be() {
        let none = (0..20_000).filter(|key| Path::new(mix(12, *key)).at(2.0) == 0).count() as f64;
        let expected = 20_000.0 * (-2.0_f64).exp();
        assert!((none - expected).abs() < 5.0 * expected.sqrt(), "{none} instead of {expected}");
    }

    #[test]
    fn normal_draws_have_mean_0_and_variance_1() {
        let (mean, variance) = moments((0..20_000).map(|key| normal(mix(13, key))));
        assert!(mean.abs() < 0.036 && (variance - 1.0).abs() < 0.05, "{mean}, {variance}");
        let tail = (0..20_000).filter(|key| normal(mix(13, *key)) > 1.96).count();
        assert!((400..600).contains(&tail), "{tail} of 20000 beyond 1.96");
    }

    proptest! {
        #[test]
        fn a_path_never_falls_and_is_the_same_in_any_order(key: u64, mut times in prop::collection::vec(0.0..3000.0_f64, 1..20)) {
            let mut path = Path::new(key);
            let shuffled: Vec<_> = times.iter().map(|&time| (time, path.at(time))).collect();
            times.sort_by(f64::total_cmp);
            let mut path = Path::new(key);
            let mut former = 0;
            for time in times {
                let events = path.at(time);
                prop_assert!(events >= former, "{} after {}", events, former);
                prop_assert!(shuffled.contains(&(time, events)));
                former = events;
            }
        }
    }
}
