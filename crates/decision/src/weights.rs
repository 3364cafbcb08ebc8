//! How much each term of a whale's bet counts, and how unsure that is: the peak of a posterior over all four together, and
//! its covariance there (`ORDER_FLOW_STRATEGY.md` §4).

use domain::Coefficient;

use crate::bet::Terms;
use crate::refit::{logistic, logit};

/// How many terms there are.
const TERMS: usize = 4;
/// What is believed before any outcome: published work has a copier keep 15 to 30 % of an edge, and a price that ran away
/// take half of it along. Of the rest only how large it may be.
const PRIOR_MEANS: [f64; TERMS] = [0.25, 0.0, 0.0, 0.5];
const PRIOR_DEVIATIONS: [f64; TERMS] = [0.15, 0.10, 0.10, 0.50];
/// Steps of Newton's method; a handful is enough, because the posterior has one peak.
const STEPS: usize = 60;
/// The longest of them, so that a start far away cannot throw it out.
const LONGEST: f64 = 0.25;

type Matrix = [[f64; TERMS]; TERMS];

/// What each term of a bet counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    means: [f64; TERMS],
    covariance: Matrix,
    events: u32,
}

/// A bet whose outcome is known, and how much it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// What the price that the market gave the outcome was worth.
    pub(crate) fair: f64,
    pub(crate) terms: Terms,
    pub(crate) payoff: f64,
    pub(crate) weight: f64,
}

/// Before any outcome is known.
impl Default for Weights {
    fn default() -> Self {
        let mut covariance = Matrix::default();
        for (place, deviation) in PRIOR_DEVIATIONS.into_iter().enumerate() {
            covariance[place][place] = deviation * deviation;
        }
        Self { means: PRIOR_MEANS, covariance, events: 0 }
    }
}

impl Weights {
    /// Logistic regression of outcomes on the terms beside the log-odds of what the price was worth. The part of the edge
    /// that is kept is at least none: where the peak lies beyond, the others are found as if it were none.
    pub(crate) fn fit(rows: &[Row], events: u32) -> Self {
        if rows.is_empty() {
            return Self::default();
        }
        let free = climb(rows, [true; TERMS]);
        let means = if free[0] < 0.0 { climb(rows, [false, true, true, true]) } else { free };
        let covariance = inverse(&slope(rows, &means).1).unwrap_or(Self::default().covariance);
        Self { means, covariance, events }
    }

    /// How far the terms move the log-odds.
    #[must_use]
    pub fn lean(&self, terms: &Terms) -> f64 {
        dot(&self.means, terms)
    }

    /// The variance of that, as far as the weights are unsure.
    #[must_use]
    pub fn variance(&self, terms: &Terms) -> f64 {
        let rows = self.covariance.iter().zip(terms);
        rows.map(|(row, term)| term * dot(row, terms)).sum::<f64>().max(0.0)
    }

    /// What an edge counts, of an entry that took what rested or of one that did not.
    #[must_use]
    pub fn of_edge(&self, is_taken: bool) -> f64 {
        let [edge, taken, ..] = self.means;
        if is_taken { edge + taken } else { edge }
    }

    /// Each of them by itself, in the order of the terms.
    #[must_use]
    pub fn coefficients(&self) -> [Coefficient; TERMS] {
        std::array::from_fn(|place| Coefficient {
            mean: self.means[place],
            deviation: self.covariance[place][place].max(0.0).sqrt(),
            events: self.events,
        })
    }
}

/// The peak of the posterior along the free weights; those that are not free are none.
fn climb(rows: &[Row], free: [bool; TERMS]) -> [f64; TERMS] {
    let mut at: [f64; TERMS] =
        std::array::from_fn(|place| if free[place] { PRIOR_MEANS[place] } else { 0.0 });
    for _ in 0..STEPS {
        let (mut gradient, mut curvature) = slope(rows, &at);
        for (row, entries) in curvature.iter_mut().enumerate() {
            for (column, entry) in entries.iter_mut().enumerate() {
                if !(free[row] && free[column]) {
                    *entry = if row == column { 1.0 } else { 0.0 };
                }
            }
            gradient[row] = if free[row] { gradient[row] } else { 0.0 };
        }
        let Some(inverse) = inverse(&curvature) else { break };
        let step = inverse.map(|row| dot(&row, &gradient));
        let longest = step.iter().fold(0.0f64, |longest, part| longest.max(part.abs()));
        let scale = if longest > LONGEST { LONGEST / longest } else { 1.0 };
        for (weight, part) in at.iter_mut().zip(step) {
            *weight += scale * part;
        }
        if longest < 1e-12 {
            break;
        }
    }
    at
}

/// The gradient of the log posterior, and its curvature: what is taken off as one goes.
fn slope(rows: &[Row], at: &[f64; TERMS]) -> ([f64; TERMS], Matrix) {
    let mut gradient = [0.0; TERMS];
    let mut curvature = Matrix::default();
    for place in 0..TERMS {
        let precision = PRIOR_DEVIATIONS[place].powi(-2);
        gradient[place] = (PRIOR_MEANS[place] - at[place]) * precision;
        curvature[place][place] = precision;
    }
    for row in rows {
        let p = logistic(logit(row.fair) + dot(at, &row.terms));
        let (miss, spread) = (row.weight * (row.payoff - p), row.weight * p * (1.0 - p));
        for place in 0..TERMS {
            gradient[place] += miss * row.terms[place];
            for (entry, other) in curvature[place].iter_mut().zip(row.terms) {
                *entry += spread * row.terms[place] * other;
            }
        }
    }
    (gradient, curvature)
}

fn dot(one: &[f64; TERMS], other: &[f64; TERMS]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// The inverse of a symmetric matrix with no direction of none, by Cholesky's decomposition; `None` of any other.
fn inverse(matrix: &Matrix) -> Option<Matrix> {
    let mut lower = Matrix::default();
    for row in 0..TERMS {
        for column in 0..=row {
            let rest =
                matrix[row][column] - (0..column).map(|k| lower[row][k] * lower[column][k]).sum::<f64>();
            lower[row][column] = if row != column {
                rest / lower[column][column]
            } else if rest > 0.0 && rest.is_finite() {
                rest.sqrt()
            } else {
                return None;
            };
        }
    }
    // Of a symmetric matrix the inverse is, too: its columns are its rows.
    Some(std::array::from_fn(|column| solve(&lower, column)))
}

/// What the matrix whose lower triangle that is turns into a direction of one place.
fn solve(lower: &Matrix, place: usize) -> [f64; TERMS] {
    let mut solved = [0.0; TERMS];
    for row in 0..TERMS {
        let unit = if row == place { 1.0 } else { 0.0 };
        solved[row] = (unit - (0..row).map(|k| lower[row][k] * solved[k]).sum::<f64>()) / lower[row][row];
    }
    for row in (0..TERMS).rev() {
        let behind = (row + 1..TERMS).map(|k| lower[k][row] * solved[k]).sum::<f64>();
        solved[row] = (solved[row] - behind) / lower[row][row];
    }
    solved
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every mixture of terms, with the part of its outcomes that paid as these weights would have it.
    fn rows(weights: [f64; TERMS], each: f64) -> Vec<Row> {
        let edges = [0.1, 0.2, 0.4];
        let mut rows = vec![];
        for fair in [0.3, 0.5, 0.7] {
            for (edge, is_taken) in edges.into_iter().flat_map(|edge| [(edge, true), (edge, false)]) {
                for (size, run_up) in [(-0.7, 0.0), (0.0, -0.02), (1.1, -0.05), (0.3, 0.0)] {
                    let terms = [edge, if is_taken { edge } else { 0.0 }, size, run_up];
                    let payoff = logistic(logit(fair) + dot(&weights, &terms));
                    rows.push(Row { fair, terms, payoff, weight: each });
                }
            }
        }
        rows
    }

    #[test]
    fn enough_outcomes_teach_all_four() {
        let truth = [0.6, -0.15, 0.08, 1.4];
        let learned = Weights::fit(&rows(truth, 1e6), 9);
        for (found, wanted) in learned.coefficients().iter().zip(truth) {
            assert!((found.mean - wanted).abs() < 0.01 && found.deviation < 0.05, "{learned:?}");
        }
    }

    #[test]
    fn what_is_learned_of_one_is_learned_of_the_others_too() {
        // An edge of entries that all took can be of either kind: together they are surer than each alone.
        let taken: Vec<Row> =
            rows([0.5, 0.0, 0.0, 0.5], 50.0).into_iter().filter(|row| row.terms[1] > 0.0).collect();
        let weights = Weights::fit(&taken, 9);
        let [edge, taken, ..] = weights.coefficients();
        let together = weights.variance(&[1.0, 1.0, 0.0, 0.0]).sqrt();
        assert!(together < 0.9 * edge.deviation.hypot(taken.deviation), "{weights:?}");
    }

    #[test]
    fn an_edge_that_misleads_counts_nothing_and_the_rest_is_learned_without_it() {
        let rows = rows([-1.0, 0.0, 0.05, 0.5], 1e4);
        let weights = Weights::fit(&rows, 9);
        let (gradient, _) = slope(&rows, &weights.means);
        assert!(weights.means[0].abs() < f64::EPSILON && gradient[0] < -1.0, "{weights:?}");
        assert!(weights.means[1] < -0.5 && gradient[1..].iter().all(|pull| pull.abs() < 1e-6), "{weights:?}");
        assert!(weights.of_edge(true) < weights.of_edge(false));
    }

    proptest! {
        /// At the peak nothing pulls any more, and outcomes make nothing less sure.
        #[test]
        fn the_peak_is_one(
            terms in prop::collection::vec(
                (0.05f64..0.95, prop::array::uniform4(-1.0f64..1.0), 0.0f64..=1.0, 0.01f64..1.0), 1..60),
        ) {
            let rows: Vec<Row> = terms
                .into_iter()
                .map(|(fair, terms, payoff, weight)| Row { fair, terms, payoff, weight })
                .collect();
            let weights = Weights::fit(&rows, 1);
            let (gradient, curvature) = slope(&rows, &weights.means);
            let held = usize::from(weights.means[0] <= 0.0);
            prop_assert!(gradient[held..].iter().all(|pull| pull.abs() < 1e-6), "{:?}", gradient);
            prop_assert!(held == 0 || gradient[0] < 1e-6, "it would be none if it could");
            for (found, before) in weights.coefficients().iter().zip(PRIOR_DEVIATIONS) {
                prop_assert!(0.0 < found.deviation && found.deviation <= before + 1e-9);
            }
            // The inverse is one.
            for (row, place) in curvature.iter().zip(0..) {
                let column: [f64; TERMS] = std::array::from_fn(|other| weights.covariance[other][place]);
                prop_assert!((dot(row, &column) - 1.0).abs() < 1e-6);
            }
        }
    }
}
