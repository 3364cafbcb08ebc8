//! How much of the trade is whose, counted while it is made: what a benchmark's world must say of itself.

use super::crowd::BUSIEST;

/// Distances up to which the parts are told, in fills: a power of two each.
const OCTAVES: usize = 40;

/// Fills by wallet.
#[derive(Debug)]
pub(crate) struct Shares {
    /// By wallet: how many fills, and which was the last.
    wallets: Vec<(u32, u64)>,
    fills: u64,
    /// How many came so many fills after the wallet's last one, by the power of two that is not below it.
    distances: [u64; OCTAVES],
}

impl Shares {
    pub(crate) fn new(wallets: u32) -> Self {
        Self { wallets: vec![(0, 0); wallets as usize], fills: 0, distances: [0; OCTAVES] }
    }

    /// Counts a fill.
    pub(crate) fn count(&mut self, wallet: u32) {
        self.fills += 1;
        let (count, last) = &mut self.wallets[wallet as usize];
        if *count > 0 {
            let octave = (self.fills - *last).next_power_of_two().trailing_zeros() as usize;
            self.distances[octave.min(OCTAVES - 1)] += 1;
        }
        (*count, *last) = (count.saturating_add(1), self.fills);
    }

    /// The parts of the busiest, in percent of wallets and of fills.
    pub(crate) fn busiest(&self) -> Vec<(f64, f64)> {
        let mut counts: Vec<u64> = self.wallets.iter().map(|(count, _)| u64::from(*count)).collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        let part = |thousandths: u32| {
            let people = counts.len() * thousandths as usize / 1_000;
            let made: u64 = counts[..people].iter().sum();
            (f64::from(thousandths) / 10.0, 100.0 * made as f64 / self.fills.max(1) as f64)
        };
        BUSIEST.iter().map(|(people, _)| part(*people)).collect()
    }

    /// How many wallets made none.
    pub(crate) fn idle(&self) -> usize {
        self.wallets.iter().filter(|(count, _)| *count == 0).count()
    }

    /// Within how many fills of the wallet's last one this part of all that have one comes, to a power of two.
    pub(crate) fn within(&self, part: f64) -> u64 {
        let all: u64 = self.distances.iter().sum();
        let mut sum = 0;
        let found = self.distances.iter().position(|count| {
            sum += count;
            sum as f64 >= part * all as f64
        });
        1 << found.unwrap_or(0)
    }
}
