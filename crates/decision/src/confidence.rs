//! From a wallet's record to the probability that the trade wins, and the confidence that it pays
//! (`ORDER_FLOW_STRATEGY.md` §4).

use domain::{ConfidenceModel, Probability};

use crate::bet::Bet;
use crate::refit::{Beliefs, logistic, logit};
use crate::skill::normal_cdf;

/// However strong the record: a belief this far from the market is a mistake more often than a find.
const MAX_LEAN: f64 = 0.06;

/// What is believed about one trade.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The probability that the outcome wins; Kelly's p.
    pub probability: Probability,
    /// The standard error of that probability; 0 where the model has none.
    pub error: f64,
    /// The confidence of the signal; compared with the minimum.
    pub confidence: Probability,
}

/// The belief about copying a wallet's bet. `cost` is what a share would cost us: price, fee and what is lost until the
/// order arrives.
#[must_use]
pub fn follow(model: ConfidenceModel, beliefs: &Beliefs, score: f64, bet: &Bet, cost: f64) -> Estimate {
    match model {
        ConfidenceModel::Score => naive(score),
        ConfidenceModel::Skill => {
            let (fair, deviation) = (bet.fair, bet.deviation());
            if deviation <= 0.0 {
                return certain(fair, cost);
            }
            let (weights, terms) = (&beliefs.weights, bet.terms());
            let shifted = logistic(logit(fair) + weights.lean(&terms));
            // The errors of the weights and of the skill are independent, and both carried through the logistic curve.
            let of_skill = weights.of_edge(bet.is_taken()) * bet.skill.standard_error / deviation;
            let error = deviation * deviation * weights.variance(&terms).sqrt().hypot(of_skill);
            let (corrected, error) = corrected(beliefs, shifted, error);
            estimate(corrected.clamp(fair - MAX_LEAN, fair + MAX_LEAN), cost, error)
        }
    }
}

/// The belief about buying what a panic sold: `drop` is how far the price fell, dollars a share, and `fair` what the
/// price that it fell to is worth.
#[must_use]
pub fn fade(
    model: ConfidenceModel,
    beliefs: &Beliefs,
    mean_score: f64,
    drop: f64,
    fair: f64,
    cost: f64,
) -> Estimate {
    match model {
        ConfidenceModel::Score => naive(10.0 - mean_score),
        ConfidenceModel::Skill => {
            let lean = (beliefs.rebound.mean * drop).clamp(-MAX_LEAN, MAX_LEAN);
            estimate(fair + lean, cost, beliefs.rebound.deviation * drop)
        }
    }
}

/// A probability and its error as past outcomes correct them.
fn corrected(beliefs: &Beliefs, probability: f64, error: f64) -> (f64, f64) {
    let Some(correction) = beliefs.correction.filter(|_| 0.0 < probability && probability < 1.0) else {
        return (probability, error);
    };
    let corrected = logistic(correction.shift + correction.slope * logit(probability));
    let stretch = correction.slope * corrected * (1.0 - corrected) / (probability * (1.0 - probability));
    (corrected, error * stretch)
}

/// The strategy read literally; a score of 7 gives the 0.85 of its worked example.
fn naive(score: f64) -> Estimate {
    let probability = Probability::clamped((0.50 + 0.05 * score).min(0.95));
    Estimate { probability, error: 0.0, confidence: probability }
}

fn estimate(probability: f64, cost: f64, error: f64) -> Estimate {
    if error <= 0.0 {
        return certain(probability, cost);
    }
    Estimate {
        probability: Probability::clamped(probability),
        error,
        confidence: normal_cdf((probability - cost) / error),
    }
}

fn certain(probability: f64, cost: f64) -> Estimate {
    let confidence = if probability > cost { 1.0 } else { 0.0 };
    Estimate {
        probability: Probability::clamped(probability),
        error: 0.0,
        confidence: Probability::clamped(confidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bet::Bet;
    use crate::refit::Correction;
    use domain::Skill;
    use proptest::prelude::*;

    /// An entry that took what rested, of the wallet's usual size and at the price that still holds.
    fn bet(kappa: f64, standard_error: f64, fair: f64) -> Bet {
        Bet { fair, skill: Skill { kappa, standard_error }, part: 1.0, size: Some(1.0), run_up: 0.0 }
    }

    /// `ORDER_FLOW_STRATEGY.md` §10: κ̂ = 0.12 at a price that is worth 0.74 moves p to 0.753.
    #[test]
    fn an_honest_estimate_is_the_published_one() {
        let estimate =
            follow(ConfidenceModel::Skill, &Beliefs::default(), 8.5, &bet(0.12, 0.05, 0.74), 0.7526);
        assert!((estimate.probability.to_f64() - 0.753).abs() < 5e-4);
        assert!((0.45..0.55).contains(&estimate.confidence.to_f64()));
    }

    /// With the priors: half of the run-up is lost, in p's own measure, and each thing that is unsure makes p unsure.
    #[test]
    fn a_price_that_ran_away_is_worth_less_and_size_makes_unsure() {
        let judged = |bet: Bet| follow(ConfidenceModel::Skill, &Beliefs::default(), 8.5, &bet, 0.50);
        let plain = bet(0.12, 0.05, 0.50);
        let (usual, late) = (judged(plain), judged(Bet { run_up: 0.02, ..plain }));
        let large = judged(Bet { size: Some(8.0), ..plain });
        let lost = usual.probability.to_f64() - late.probability.to_f64();
        assert!((lost - 0.5 * 0.02 * 0.5).abs() < 2e-4, "{lost}");
        assert!(usual.error < late.error && usual.error < large.error);
        assert_eq!(usual.probability, large.probability, "nobody knows which way size speaks");
        // s² · √((0.25 · se / s)² + (κ̂/s)² · (0.15² + 0.10²))
        let expected = 0.25 * f64::hypot(0.25 * 0.05 / 0.5, 0.24 * f64::hypot(0.15, 0.10));
        assert!((usual.error - expected).abs() < 1e-12);
    }

    #[test]
    fn the_naive_reading_gives_the_worked_example() {
        let naive = |score| {
            follow(ConfidenceModel::Score, &Beliefs::default(), score, &bet(0.0, 0.1, 0.74), 0.74).probability
        };
        assert!((naive(7.0).to_f64() - 0.85).abs() < 1e-12);
        assert!((naive(10.0).to_f64() - 0.95).abs() < 1e-12);
    }

    #[test]
    fn a_panic_alone_rarely_pays_for_its_own_costs() {
        let estimate = fade(ConfidenceModel::Skill, &Beliefs::default(), 2.0, 0.10, 0.50, 0.515);
        assert!(estimate.confidence.to_f64() < 0.5);
    }

    proptest! {
        #[test]
        fn confidence_falls_as_cost_rises(
            kappa in -1.0f64..1.0,
            error in 0.001f64..0.2,
            market in 0.01f64..0.99,
            cost in 0.01f64..0.98,
            size in 0.01f64..100.0,
            run_up in -0.05f64..0.05,
            correction in proptest::option::of((-0.5f64..0.5, 0.5f64..1.5)),
        ) {
            let beliefs = Beliefs { correction: correction.map(|(shift, slope)| Correction { shift, slope }), ..Beliefs::default() };
            let bet = Bet { size: Some(size), run_up, ..bet(kappa, error, market) };
            let at = |cost| follow(ConfidenceModel::Skill, &beliefs, 8.0, &bet, cost);
            prop_assert!(at(cost).confidence >= at(cost + 0.01).confidence);
            prop_assert!((at(cost).probability.to_f64() - market).abs() <= MAX_LEAN + 1e-12);
        }
    }
}
