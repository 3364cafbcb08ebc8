//! Return on cost that one lucky longshot does not make: single returns are cut off, large stakes count no more
//! than the wallet's usual ones, and what is left is shrunken by its own sampling variance.

use domain::Usd;

use crate::half_lives::{fixed, unfixed};
use crate::population::Population;
use crate::quantile::Sizes;
use crate::sizing;

/// The least and the most one decision may have returned on its cost.
const LOST_ALL: f64 = -1.0;
const WON_ENOUGH: f64 = 4.0;
/// A stake counts with no more than what this part of the wallet's stakes stay below.
const USUAL_STAKE: f64 = 0.80;

/// A wallet's closed decisions by the size of their stake: some 24 bytes for each size, a quarter of an octave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoiSums(Sizes<Stakes>);

/// Decisions of about the same stake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stakes {
    decisions: u32,
    /// Σr in units of 2⁻³².
    returns: i64,
    /// Σ(1 − c)/c, the variance of a return at a fair price c, in the same units.
    variance: i64,
}

/// The return as the decisions show it, before any prior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawRoi {
    /// Σωr / Σω.
    pub roi: f64,
    /// Σω²(1 − c)/c / (Σω)²: what chance alone makes of it.
    pub variance: f64,
}

impl RoiSums {
    /// Counts a closed decision: what it cost and brought, fees included, and the price paid for a share.
    pub fn add(&mut self, cost: Usd, proceeds: Usd, paid: f64) {
        if !(0.0 < paid && paid < 1.0 && cost.is_positive()) {
            return;
        }
        let gain = (proceeds - cost).to_f64() / cost.to_f64();
        if let Some(stakes) = self.0.bin(cost.to_f64()) {
            stakes.decisions = stakes.decisions.saturating_add(1);
            stakes.returns = stakes.returns.saturating_add(fixed(gain.clamp(LOST_ALL, WON_ENOUGH)));
            stakes.variance = stakes.variance.saturating_add(fixed((1.0 - paid) / paid));
        }
    }

    /// The evidence; `None` before the first decision.
    #[must_use]
    pub fn raw(&self) -> Option<RawRoi> {
        let usual = self.0.quantile(USUAL_STAKE, |stakes| stakes.decisions)?;
        let (mut weights, mut returns, mut variance) = (0.0, 0.0, 0.0);
        for (stake, stakes) in self.0.iter() {
            let weight = stake.min(usual);
            weights += weight * f64::from(stakes.decisions);
            returns += weight * unfixed(stakes.returns);
            variance += weight * weight * unfixed(stakes.variance);
        }
        Some(RawRoi { roi: returns / weights, variance: variance / (weights * weights) })
    }

    /// What half of the decisions cost less than, within 19 %; `None` before the first.
    #[must_use]
    pub fn median_cost(&self) -> Option<Usd> {
        self.0.quantile(0.50, |stakes| stakes.decisions).map(sizing::estimated)
    }

    /// The return to believe in.
    #[must_use]
    pub fn estimate(&self, population: &Population) -> f64 {
        self.raw().map_or(population.roi_mean, |raw| raw.shrunk(population))
    }
}

impl RawRoi {
    /// `(τ²·ROI + v·μ) / (τ² + v)`.
    #[must_use]
    pub fn shrunk(self, population: &Population) -> f64 {
        let spread = population.roi_deviation * population.roi_deviation;
        (spread * self.roi + self.variance * population.roi_mean) / (spread + self.variance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(dollars: f64) -> Usd {
        format!("{dollars:.6}").parse().unwrap()
    }

    /// `decisions` of $100 each at a price, of which some win.
    fn record(decisions: u32, wins: u32, paid: f64) -> RoiSums {
        let mut sums = RoiSums::default();
        for decision in 0..decisions {
            let proceeds = if decision < wins { usd(100.0 / paid) } else { Usd::ZERO };
            sums.add(usd(100.0), proceeds, paid);
        }
        sums
    }

    #[test]
    fn a_return_and_its_variance_are_the_formulas() {
        let sums = record(100, 60, 0.50);
        let raw = sums.raw().unwrap();
        assert!((raw.roi - 0.20).abs() < 1e-6);
        assert!((raw.variance - 0.01).abs() < 1e-6);
        // τ² = v = 0.01: half the evidence, half the prior.
        assert!((sums.estimate(&Population::default()) - (0.20 - 0.02) / 2.0).abs() < 1e-6);
    }

    #[test]
    fn a_lottery_winner_is_not_believed() {
        let sums = record(100, 10, 0.05);
        assert!(sums.estimate(&Population::default()) < 0.0);
        let returned = sums.raw().unwrap().roi;
        assert!((returned - (0.1 * 4.0 - 0.9)).abs() < 1e-6, "{returned}");
    }

    #[test]
    fn the_median_is_what_half_of_them_stay_below() {
        let mut sums = RoiSums::default();
        assert_eq!(sums.median_cost(), None);
        for cost in [20.0, 30.0, 100.0, 5_000.0, 90_000.0] {
            sums.add(usd(cost), usd(cost), 0.5);
        }
        let median = sums.median_cost().unwrap().to_f64();
        assert!((100.0 / 1.19..100.0 * 1.19).contains(&median), "{median}");
    }

    #[test]
    fn one_huge_stake_does_not_speak_for_all() {
        let mut sums = record(99, 49, 0.50);
        sums.add(usd(1_000_000.0), usd(2_000_000.0), 0.50);
        assert!(sums.raw().unwrap().roi.abs() < 0.02);
    }

    #[test]
    fn evidence_wins_as_it_grows_and_nothing_is_the_prior() {
        let population = Population::default();
        assert!((record(1_000_000, 600_000, 0.5).estimate(&population) - 0.2).abs() < 1e-3);
        assert!((RoiSums::default().estimate(&population) + 0.02).abs() < 1e-12);
    }

    #[test]
    fn order_does_not_matter() {
        let bets = [(5.0, 0.3), (700.0, 0.6), (31.0, 0.9), (80_000.0, 0.45), (31.0, 0.2)];
        let all = |bets: &mut dyn Iterator<Item = &(f64, f64)>| {
            let mut sums = RoiSums::default();
            bets.for_each(|(cost, paid)| sums.add(usd(*cost), usd(2.0 * cost), *paid));
            sums
        };
        assert_eq!(all(&mut bets.iter()), all(&mut bets.iter().rev()));
    }
}
