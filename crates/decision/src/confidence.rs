//! From a wallet's record to the probability that the trade wins, and the confidence that it pays
//! (`ORDER_FLOW_STRATEGY.md` §4).

use domain::{ConfidenceModel, Probability, Skill};

use crate::skill::normal_cdf;

/// The part of a wallet's standardised edge that a copier keeps, and how unsure that is.
const KEPT: f64 = 0.25;
const KEPT_DEVIATION: f64 = 0.15;
/// However strong the record: a belief this far from the market is a mistake more often than a find.
const MAX_LEAN: f64 = 0.06;
/// The part of a panic's drop that comes back, and how unsure that is (`ORDER_FLOW_STRATEGY.md` §6).
const REBOUND: f64 = 0.10;
const REBOUND_DEVIATION: f64 = 0.10;

/// What is believed about one trade.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The probability that the outcome wins; Kelly's p.
    pub probability: Probability,
    /// The confidence of the signal; compared with the minimum.
    pub confidence: Probability,
}

/// The belief about copying a wallet.
///
/// `market` is the price the market gives the outcome (the middle of the book), `cost` what a share
/// would cost us, fee included.
#[must_use]
pub fn follow(model: ConfidenceModel, score: f64, skill: Skill, market: f64, cost: f64) -> Estimate {
    match model {
        ConfidenceModel::Score => naive(score),
        ConfidenceModel::Skill => {
            let deviation = (market * (1.0 - market)).sqrt();
            if deviation <= 0.0 {
                return certain(market, cost);
            }
            let lean = KEPT * skill.kappa / deviation;
            let shifted = logistic(logit(market) + lean);
            let probability = shifted.clamp(market - MAX_LEAN, market + MAX_LEAN);
            // The error of a product of two independent estimates, carried through the logistic curve.
            let error = deviation * (KEPT * skill.standard_error).hypot(KEPT_DEVIATION * skill.kappa);
            estimate(probability, cost, error)
        }
    }
}

/// The belief about buying what a panic sold: `drop` is how far the price fell, dollars a share.
#[must_use]
pub fn fade(model: ConfidenceModel, mean_score: f64, drop: f64, market: f64, cost: f64) -> Estimate {
    match model {
        ConfidenceModel::Score => naive(10.0 - mean_score),
        ConfidenceModel::Skill => {
            let probability = market + (REBOUND * drop).min(MAX_LEAN);
            estimate(probability, cost, REBOUND_DEVIATION * drop)
        }
    }
}

/// The strategy read literally; a score of 7 gives the 0.85 of its worked example.
fn naive(score: f64) -> Estimate {
    let probability = Probability::clamped((0.50 + 0.05 * score).min(0.95));
    Estimate { probability, confidence: probability }
}

fn estimate(probability: f64, cost: f64, error: f64) -> Estimate {
    if error <= 0.0 {
        return certain(probability, cost);
    }
    Estimate {
        probability: Probability::clamped(probability),
        confidence: normal_cdf((probability - cost) / error),
    }
}

fn certain(probability: f64, cost: f64) -> Estimate {
    let confidence = if probability > cost { 1.0 } else { 0.0 };
    Estimate { probability: Probability::clamped(probability), confidence: Probability::clamped(confidence) }
}

fn logit(probability: f64) -> f64 {
    libm::log(probability / (1.0 - probability))
}

fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-log_odds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn skill(kappa: f64, standard_error: f64) -> Skill {
        Skill { kappa, standard_error }
    }

    /// `ORDER_FLOW_STRATEGY.md` §10: κ̂ = 0.12 at a middle of 0.74 moves p to 0.753.
    #[test]
    fn an_honest_estimate_is_the_published_one() {
        let estimate = follow(ConfidenceModel::Skill, 8.5, skill(0.12, 0.05), 0.74, 0.7526);
        assert!((estimate.probability.to_f64() - 0.753).abs() < 5e-4);
        assert!((0.45..0.55).contains(&estimate.confidence.to_f64()));
    }

    #[test]
    fn the_naive_reading_gives_the_worked_example() {
        let estimate = follow(ConfidenceModel::Score, 7.0, skill(0.0, 0.1), 0.74, 0.74);
        assert!((estimate.probability.to_f64() - 0.85).abs() < 1e-12);
        let best = follow(ConfidenceModel::Score, 10.0, skill(0.0, 0.1), 0.74, 0.74);
        assert!((best.probability.to_f64() - 0.95).abs() < 1e-12);
    }

    #[test]
    fn a_panic_alone_rarely_pays_for_its_own_costs() {
        let estimate = fade(ConfidenceModel::Skill, 2.0, 0.10, 0.50, 0.515);
        assert!(estimate.confidence.to_f64() < 0.5);
    }

    proptest! {
        #[test]
        fn confidence_falls_as_cost_rises(
            kappa in -1.0f64..1.0,
            error in 0.001f64..0.2,
            market in 0.01f64..0.99,
            cost in 0.01f64..0.98,
        ) {
            let at = |cost| follow(ConfidenceModel::Skill, 8.0, skill(kappa, error), market, cost);
            prop_assert!(at(cost).confidence >= at(cost + 0.01).confidence);
            prop_assert!((at(cost).probability.to_f64() - market).abs() <= MAX_LEAN + 1e-12);
        }
    }
}
