//! What wallets are like before one looks at any of them: the mean and spread of skill and return that single
//! records are shrunken toward, found from all records by the method of moments.

use domain::{RawSkill, Skill};

use crate::half_lives::fixed;
use crate::roi::RawRoi;

/// Fewer eligible wallets than this leave the spread of skill too uncertain to beat the published constants.
const ENOUGH_WALLETS: u32 = 500;
/// τ of skill is at least 1/20 (at most 400 pseudo-decisions), and no more than 1/5.
const KAPPA_SPREAD: std::ops::RangeInclusive<f64> = 0.05..=0.20;
const ROI_SPREAD: std::ops::RangeInclusive<f64> = 0.05..=0.20;
/// The average wallet is not believed to have an edge, whatever a farm of wallets has made it look like.
const KAPPA_MEAN: std::ops::RangeInclusive<f64> = -0.15..=0.0;
const ROI_MEAN: std::ops::RangeInclusive<f64> = -0.15..=0.0;

/// The priors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Population {
    /// μ0: the mean of κ.
    pub kappa_mean: f64,
    /// k0 = 1/τ²: how many decisions of its own a wallet's κ must outweigh.
    pub kappa_weight: f64,
    /// μ_R: the mean return on cost.
    pub roi_mean: f64,
    /// τ_R: the standard deviation of true returns between wallets.
    pub roi_deviation: f64,
}

/// Reliability of 0.2 to 0.25 at some 25 to 30 independent decisions gives τ ≈ 0.10; most wallets lose to fees
/// and spread (`ORDER_FLOW_STRATEGY.md` §3).
impl Default for Population {
    fn default() -> Self {
        Self { kappa_mean: -0.03, kappa_weight: 100.0, roi_mean: -0.02, roi_deviation: 0.10 }
    }
}

impl Population {
    /// The mean of what the decisions and the population say, each with its weight (normal–normal).
    #[must_use]
    pub fn shrink(&self, raw: RawSkill) -> Skill {
        let weight = raw.n_eff + self.kappa_weight;
        let kappa = (raw.n_eff * raw.kappa + self.kappa_weight * self.kappa_mean) / weight;
        Skill { kappa, standard_error: 1.0 / weight.sqrt() }
    }
}

/// Sums over the eligible wallets. Order does not matter, and parts can be merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PopulationSums {
    kappa: Moments,
    roi: Moments,
}

impl PopulationSums {
    /// Counts an eligible wallet's skill.
    pub fn add_skill(&mut self, raw: RawSkill) {
        let tau = 1.0 / Population::default().kappa_weight;
        self.kappa.add(raw.kappa, 1.0 / raw.n_eff, tau);
    }

    /// Counts an eligible wallet's return.
    pub fn add_roi(&mut self, raw: RawRoi) {
        let deviation = Population::default().roi_deviation;
        self.roi.add(raw.roi, raw.variance, deviation * deviation);
    }

    /// Takes in what another part of the wallets summed up.
    pub fn merge(&mut self, other: &Self) {
        self.kappa.merge(&other.kappa);
        self.roi.merge(&other.roi);
    }

    /// The priors these wallets show; the published constants for what too few of them show.
    #[must_use]
    pub fn fit(&self) -> Population {
        let mut population = Population::default();
        if let Some((mean, spread)) = self.kappa.fit() {
            let spread = spread.clamp(*KAPPA_SPREAD.start(), *KAPPA_SPREAD.end());
            population.kappa_mean = mean.clamp(*KAPPA_MEAN.start(), *KAPPA_MEAN.end());
            population.kappa_weight = 1.0 / (spread * spread);
        }
        if let Some((mean, spread)) = self.roi.fit() {
            population.roi_mean = mean.clamp(*ROI_MEAN.start(), *ROI_MEAN.end());
            population.roi_deviation = spread.clamp(*ROI_SPREAD.start(), *ROI_SPREAD.end());
        }
        population
    }
}

/// The general method of moments for effects with known sampling variances (DerSimonian and Kacker 2007).
/// The weights `1 / (τ0² + v)` rest on the published τ: with plain `1 / v` a few bots with thousands of
/// decisions would speak for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Moments {
    wallets: u32,
    /// Σw, Σw², Σwx, Σwx², Σwv, Σw²v in units of 2⁻³².
    sums: [i128; 6],
}

impl Moments {
    fn add(&mut self, effect: f64, variance: f64, spread: f64) {
        if !(effect.is_finite() && variance.is_finite() && variance >= 0.0) {
            return;
        }
        let weight = 1.0 / (spread + variance);
        let squared = weight * weight;
        let weighted = weight * effect;
        let terms =
            [weight, squared, weighted, weighted * effect, weight * variance, squared * variance].map(fixed);
        self.wallets = self.wallets.saturating_add(1);
        for (sum, term) in self.sums.iter_mut().zip(terms) {
            *sum += i128::from(term);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.wallets = self.wallets.saturating_add(other.wallets);
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum += more;
        }
    }

    /// The mean and the standard deviation of the true effects; the latter zero where chance explains all.
    fn fit(&self) -> Option<(f64, f64)> {
        if self.wallets < ENOUGH_WALLETS {
            return None;
        }
        let [w, ww, wx, wxx, wv, wwv] = self.sums.map(float);
        let mean = wx / w;
        let scatter = wxx - wx * mean;
        let by_chance = wv - wwv / w;
        let spread = (scatter - by_chance) / (w - ww / w);
        Some((mean, spread.max(0.0).sqrt()))
    }
}

#[expect(clippy::cast_precision_loss, reason = "statistics need no more than 53 bits")]
fn float(sum: i128) -> f64 {
    sum as f64 / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wallets whose records scatter by exactly the true spread and their own sampling error: four of each size,
    /// one at each combination of signs.
    fn world(mean: f64, spread: f64) -> PopulationSums {
        let mut sums = PopulationSums::default();
        for number in 0..1_000 {
            let n_eff = 30.0 + f64::from(number % 50) * 20.0;
            for (truth, luck) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
                let error = 1.0 / f64::sqrt(n_eff);
                let effect = mean + truth * spread + luck * error;
                sums.add_skill(RawSkill { kappa: effect, z: 0.0, n_eff });
                sums.add_roi(RawRoi { roi: effect, variance: error * error });
            }
        }
        sums
    }

    #[test]
    fn the_planted_mean_and_spread_are_found() {
        let population = world(-0.05, 0.12).fit();
        assert!((population.kappa_mean + 0.05).abs() < 1e-6);
        assert!((population.kappa_weight - 1.0 / 0.0144).abs() < 0.05, "{population:?}");
        assert!((population.roi_mean + 0.05).abs() < 1e-6);
        assert!((population.roi_deviation - 0.12).abs() < 1e-4);
    }

    #[test]
    fn without_skill_the_prior_is_as_strong_as_it_may_be() {
        let population = world(0.0, 0.0).fit();
        assert!((population.kappa_weight - 400.0).abs() < 1e-9);
    }

    #[test]
    fn a_farm_of_winners_does_not_make_the_average_wallet_skilled() {
        let population = world(0.3, 0.6).fit();
        assert!(population.kappa_mean <= 0.0 && population.kappa_weight >= 24.99);
    }

    #[test]
    fn too_few_wallets_leave_the_published_constants() {
        let mut sums = PopulationSums::default();
        for _ in 0..ENOUGH_WALLETS - 1 {
            sums.add_skill(RawSkill { kappa: 0.4, z: 0.0, n_eff: 500.0 });
        }
        assert_eq!(sums.fit(), Population::default());
    }

    #[test]
    fn parts_merge_into_the_whole() {
        let (mut one, other) = (world(-0.05, 0.12), world(-0.02, 0.05));
        let mut turned = other.clone();
        turned.merge(&one);
        one.merge(&other);
        assert_eq!(one, turned);
        assert_ne!(one, other);
    }
}
