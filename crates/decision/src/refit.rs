//! What past signals taught: how much of a whale's edge a copier kept, how much of a panic's drop came back, and
//! whether the probabilities meant what they said.
//!
//! Every candidate that was priced counts, taken or refused, so the lesson is not drawn from the chosen alone.
//! Candidates of one event share one vote. What is learned starts from a prior and leaves it only as far as the
//! events say (maximum a posteriori, `ORDER_FLOW_STRATEGY.md` §4).

use std::collections::BTreeMap;

use domain::{Coefficient, SignalKind, Timestamp};

use crate::bet::Terms;
use crate::experience::{Case, Known};
use crate::weights::{Row, Weights};

/// The part of a panic's drop that comes back, and how unsure that is, before any outcome.
const REBOUND: Coefficient = Coefficient { mean: 0.10, deviation: 0.10, events: 0 };
/// Events it takes before probabilities are corrected at all.
const ENOUGH: usize = 500;
/// The part of these, oldest first, that a correction is learned from before the rest judges it.
const TRAINING: f64 = 0.7;
/// How far a correction is expected to lie from none, in log-odds and as a slope.
const CORRECTION_DEVIATION: f64 = 0.5;
/// Steps of Newton's method; a handful is enough, because the posterior has one peak.
const STEPS: usize = 40;

/// What is believed about candidates in general.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beliefs {
    /// How much a whale's edge and what else is seen of its bet count.
    pub weights: Weights,
    /// The part of a panic's drop that comes back.
    pub rebound: Coefficient,
    /// What makes probabilities mean what they say; `None` as long as they need no help.
    pub correction: Option<Correction>,
}

/// A straight line in log-odds: `logit p' = shift + slope · logit p`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correction {
    /// What is added.
    pub shift: f64,
    /// What the log-odds are multiplied by.
    pub slope: f64,
}

/// Before any outcome is known.
impl Default for Beliefs {
    fn default() -> Self {
        Self { weights: Weights::default(), rebound: REBOUND, correction: None }
    }
}

/// What was known at a moment from candidates judged, and outcomes learned, before it. What became known at the
/// moment or later changes nothing, whatever it is.
#[must_use]
pub fn fit(known: &[Known], as_of: Timestamp) -> Beliefs {
    let mut known: Vec<&Known> =
        known.iter().filter(|known| known.learned < as_of && known.case.at < as_of).collect();
    // The order in which rows are read must not matter, or a restart could change the last digit.
    known.sort_by(|one, other| key(one).partial_cmp(&key(other)).unwrap_or(std::cmp::Ordering::Equal));
    let of = |kind: SignalKind| -> Vec<&Known> {
        known.iter().copied().filter(|known| known.case.kind == kind).collect()
    };
    let (whales, panics) = (of(SignalKind::FollowWhale), of(SignalKind::FadeDegen));
    let rows = rows(&whales);
    Beliefs {
        weights: weights(&rows),
        rebound: rebound(&self::rows(&panics)),
        correction: correction(&whales),
    }
}

type Key<'a> = (Timestamp, domain::ConditionId, usize, Terms, f64, Timestamp);

fn key(known: &Known) -> Key<'_> {
    let Case { at, condition, outcome, terms, fair, .. } = known.case;
    (at, condition, outcome, terms, fair, known.learned)
}

/// Rows of equal weight an event: a hundred candidates about one game say no more than that game did.
fn rows(known: &[&Known]) -> Vec<Row> {
    let mut candidates: BTreeMap<&str, f64> = BTreeMap::new();
    for known in known {
        *candidates.entry(&known.case.event).or_default() += 1.0;
    }
    known
        .iter()
        .map(|known| Row {
            fair: known.case.fair.clamp(1e-6, 1.0 - 1e-6),
            terms: known.case.terms,
            payoff: known.payoff.clamp(0.0, 1.0),
            weight: 1.0 / candidates.get(known.case.event.as_str()).copied().unwrap_or(1.0),
        })
        .filter(|row| row.terms.iter().chain([&row.payoff, &row.fair]).all(|number| number.is_finite()))
        .collect()
}

/// Events, from the weights of their rows.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sum of weights up to a few million"
)]
fn events(rows: &[Row]) -> u32 {
    rows.iter().map(|row| row.weight).sum::<f64>().round().clamp(0.0, 1e9) as u32
}

fn weights(rows: &[Row]) -> Weights {
    Weights::fit(rows, events(rows))
}

/// `p = q + ρ · drop`, `ρ ~ N(0.10, 0.10²)`, by Fisher's scoring.
fn rebound(rows: &[Row]) -> Coefficient {
    if rows.is_empty() {
        return REBOUND;
    }
    let precision = REBOUND.deviation.powi(-2);
    let slope = |rho: f64| {
        let start = (-(rho - REBOUND.mean) * precision, precision);
        rows.iter().fold(start, |(gradient, curvature), row| {
            let p = (row.fair + rho * row.terms[0]).clamp(0.02, 0.98);
            let (weight, x, variance) = (row.weight, row.terms[0], p * (1.0 - p));
            (gradient + weight * x * (row.payoff - p) / variance, curvature + weight * x * x / variance)
        })
    };
    let (mean, curvature) = climb(REBOUND.mean, slope);
    Coefficient { mean: mean.clamp(-1.0, 1.0), deviation: 1.0 / curvature.sqrt(), events: events(rows) }
}

/// The peak of a posterior whose gradient and curvature are given, and its curvature there. Steps are bounded, so
/// that a start far away cannot throw it out.
fn climb(start: f64, slope: impl Fn(f64) -> (f64, f64)) -> (f64, f64) {
    let mut at = start;
    for _ in 0..STEPS {
        let (gradient, curvature) = slope(at);
        let step = (gradient / curvature).clamp(-0.25, 0.25);
        at += step;
        if step.abs() < 1e-12 {
            break;
        }
    }
    (at, slope(at).1)
}

/// A correction that was learned from the older candidates and was right about the newer ones; none otherwise.
fn correction(known: &[&Known]) -> Option<Correction> {
    let all = rows(known);
    if usize::try_from(events(&all)).unwrap_or(0) < ENOUGH {
        return None;
    }
    let (training, trial) = split(known);
    let (training, trial) = (rows(&training), rows(&trial));
    let before = weights(&training);
    let learned = fit_correction(&training, &before);
    let loss = |correct: &dyn Fn(f64) -> f64| -> f64 {
        trial
            .iter()
            .map(|row| {
                let p = correct(logit(row.fair) + before.lean(&row.terms)).clamp(1e-6, 1.0 - 1e-6);
                -row.weight * (row.payoff * libm::log(p) + (1.0 - row.payoff) * libm::log(1.0 - p))
            })
            .sum()
    };
    let corrected = loss(&|odds| logistic(learned.shift + learned.slope * odds));
    let is_better = corrected < loss(&logistic);
    is_better.then(|| fit_correction(&all, &weights(&all)))
}

/// Older candidates and newer ones, no event on both sides: an event belongs where its first candidate does, and an
/// outcome that the older part could not have known by the newer part's beginning is left out.
fn split<'a>(known: &[&'a Known]) -> (Vec<&'a Known>, Vec<&'a Known>) {
    let mut first: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for known in known {
        first.entry(&known.case.event).or_insert(known.case.at);
    }
    let mut begins: Vec<Timestamp> = first.values().copied().collect();
    begins.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a part of a length"
    )]
    let place = (begins.len() as f64 * TRAINING) as usize;
    let Some(boundary) = begins.get(place).copied() else { return (vec![], vec![]) };
    let is_old = |known: &&Known| first.get(known.case.event.as_str()).is_some_and(|at| *at < boundary);
    let (old, new): (Vec<&Known>, Vec<&Known>) = known.iter().copied().partition(is_old);
    (old.into_iter().filter(|known| known.learned < boundary).collect(), new)
}

fn fit_correction(rows: &[Row], weights: &Weights) -> Correction {
    let precision = CORRECTION_DEVIATION.powi(-2);
    let (mut shift, mut slope) = (0.0f64, 1.0f64);
    for _ in 0..STEPS {
        let (mut g0, mut g1) = (-shift * precision, -(slope - 1.0) * precision);
        let (mut h00, mut h01, mut h11) = (precision, 0.0, precision);
        for row in rows {
            let odds = logit(row.fair) + weights.lean(&row.terms);
            let p = logistic(shift + slope * odds);
            let (miss, spread) = (row.weight * (row.payoff - p), row.weight * p * (1.0 - p));
            g0 += miss;
            g1 += miss * odds;
            h00 += spread;
            h01 += spread * odds;
            h11 += spread * odds * odds;
        }
        let determinant = h00 * h11 - h01 * h01;
        if determinant <= 0.0 {
            break;
        }
        let (d0, d1) = ((h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant);
        shift += d0.clamp(-0.5, 0.5);
        slope += d1.clamp(-0.5, 0.5);
        if d0.abs() + d1.abs() < 1e-12 {
            break;
        }
    }
    // A slope below none would turn favourites into long shots.
    Correction { shift: shift.clamp(-1.0, 1.0), slope: slope.clamp(0.25, 2.0) }
}

/// The logarithm of the odds.
pub(crate) fn logit(probability: f64) -> f64 {
    libm::log(probability / (1.0 - probability))
}

/// The probability of log-odds.
pub(crate) fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-log_odds))
}

#[cfg(test)]
mod tests;
