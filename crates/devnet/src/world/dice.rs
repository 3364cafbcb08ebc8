//! Chance, all of it from one seed: the same seed gives the same world.

use alloy_primitives::{Address, B256};
use domain::Wallet;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The source of all chance.
#[derive(Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A source of its own for each turn of a seed: what is drawn in one changes nothing in another.
    pub(crate) fn of_turn(seed: u64, turn: u64) -> Self {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        // The turns of the past, which has none, are stream zero.
        source.set_stream(turn.wrapping_add(1));
        Self(source)
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// Uniform in `[low, high)`; `low` where that is empty.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low).max(0.0) * self.unit()
    }

    /// Uniform in `low..high`; `low` where that is empty.
    pub(crate) fn moment(&mut self, low: i64, high: i64) -> i64 {
        if low < high { self.0.random_range(low..high) } else { low }
    }

    /// Uniform in `0..count`; 0 where that is empty.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        if count > 1 { self.0.random_range(0..count) } else { 0 }
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of them; `None` of none.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// Standard normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Lognormal: half of all draws lie below `median`.
    pub(crate) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// Poisson with a small mean, by counting uniform draws.
    pub(crate) fn poisson(&mut self, mean: f64) -> usize {
        let floor = (-mean).exp();
        let mut product = self.unit();
        let mut count = 0;
        while product > floor && count < 1_000 {
            product *= self.unit();
            count += 1;
        }
        count
    }

    pub(crate) fn word(&mut self) -> B256 {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        B256::from(bytes)
    }

    pub(crate) fn wallet(&mut self) -> Wallet {
        let mut bytes = [0; 20];
        self.0.fill_bytes(&mut bytes);
        Wallet(Address::from(bytes))
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// The nearest whole number; the ends of 64 bits for what lies beyond them, zero for NaN.
#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, which is what is promised")]
pub(crate) fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// The nearest count; zero for what is negative or NaN.
pub(crate) fn count(value: f64) -> usize {
    usize::try_from(whole(value)).unwrap_or(0)
}
