//! The edge that the evidence supports: measured against the prices paid, pooled over decisions, shrunken
//! toward the population (`ORDER_FLOW_STRATEGY.md` §3).

use domain::{Probability, Skill};

/// Pseudo-decisions of the prior, 1/τ².
const PRIOR_WEIGHT: f64 = 100.0;
/// The mean of κ over all wallets: slightly below zero, because most lose to fees and spread.
const PRIOR_MEAN: f64 = -0.03;
/// Entries at or beyond these prices say almost nothing about the buyer and are left out.
const INFORMATIVE: std::ops::Range<f64> = 0.03..0.95;

/// Sums over a wallet's closed decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SkillSums {
    edge: f64,
    deviation: f64,
    variance: f64,
}

impl SkillSums {
    /// Adds a closed decision: what a share cost, and what it paid in the end.
    pub fn add(&mut self, paid: f64, payoff: f64) {
        if !INFORMATIVE.contains(&paid) {
            return;
        }
        let variance = paid * (1.0 - paid);
        self.edge += payoff - paid;
        self.deviation += variance.sqrt();
        self.variance += variance;
    }

    /// κ̂ and its standard error.
    #[must_use]
    pub fn estimate(&self) -> Skill {
        // n_eff · κ_raw = (Σs)²/Σs² · Σe/Σs = Σe·Σs/Σs².
        let (weight, weighted) = if self.variance > 0.0 {
            (self.deviation * self.deviation / self.variance, self.edge * self.deviation / self.variance)
        } else {
            (0.0, 0.0)
        };
        let kappa = (weighted + PRIOR_WEIGHT * PRIOR_MEAN) / (weight + PRIOR_WEIGHT);
        Skill { kappa, standard_error: 1.0 / (weight + PRIOR_WEIGHT).sqrt() }
    }
}

/// P(κ > 0): how sure it is that there is any skill at all.
#[must_use]
pub fn probability_of_skill(skill: Skill) -> Probability {
    normal_cdf(skill.kappa / skill.standard_error)
}

/// The standard normal distribution function.
#[must_use]
pub fn normal_cdf(z: f64) -> Probability {
    Probability::clamped(0.5 * libm::erfc(-z / std::f64::consts::SQRT_2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(decisions: u32, wins: u32, paid: f64) -> Skill {
        let mut sums = SkillSums::default();
        for decision in 0..decisions {
            sums.add(paid, f64::from(u8::from(decision < wins)));
        }
        sums.estimate()
    }

    /// `ORDER_FLOW_STRATEGY.md` §2: a genuine 70 % over 100 even-money decisions shrinks to κ̂ ≈ 0.185.
    #[test]
    fn a_genuine_record_shrinks_as_published() {
        let skill = record(100, 70, 0.50);
        assert!((skill.kappa - 0.185).abs() < 1e-9);
        assert!((skill.standard_error - 1.0 / 200f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_favourite_buyer_who_wins_often_has_no_skill() {
        assert!(record(100, 74, 0.74).kappa < 0.0);
    }

    #[test]
    fn without_history_the_population_speaks() {
        let skill = SkillSums::default().estimate();
        assert!((skill.kappa - PRIOR_MEAN).abs() < 1e-12);
        assert!(probability_of_skill(skill).to_f64() < 0.5);
    }

    #[test]
    fn the_normal_distribution_is_the_normal_distribution() {
        assert!((normal_cdf(1.959_964).to_f64() - 0.975).abs() < 1e-6);
        assert!((normal_cdf(-1.959_964).to_f64() - 0.025).abs() < 1e-6);
    }
}
