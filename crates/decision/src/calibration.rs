//! What a price is worth: the part of bets at that price that paid, learned from resolved decisions.
//!
//! Markets misprice favourites, longshots and distant ends, and by how much differs between venues, categories
//! and years. A wallet that merely buys what everyone profits from has no skill, so edges are measured against
//! this and not against the price.

mod paid;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use paid::PaidPrices;

pub use domain::{Category, Horizon, PriceMap};

use crate::half_lives::{fixed, unfixed};

/// Price bins between 0 and 1.
const BINS: u16 = 20;
/// The same, as a length.
const LENGTH: usize = PriceMap::BINS;
/// How many events must speak against a price as loudly as the price speaks for itself.
const PRIOR: f64 = 200.0;
/// A fair price differs from the price by at most this.
const MOST_SHIFT: f64 = 0.05;
/// However one-sided the evidence, a fifth of a price's distance from 0 and from 1 remains.
const LEAST_PART: f64 = 0.2;

/// A decision that opens, as far as calibration cares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entered {
    /// The average price paid for a share.
    pub price: f64,
    /// What the market was about.
    pub category: Category,
    /// How far away its end was.
    pub horizon: Horizon,
    /// The number of the condition it is about, and which of its outcomes was bet on.
    pub outcome: (u32, u16),
}

/// What has been learned so far. Order does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    /// By outcome and cell: decisions whose outcome is not known yet.
    open: BTreeMap<((u32, u16), u16), Paid>,
    /// By event and cell.
    votes: BTreeMap<(u32, u16), Vote>,
    cells: BTreeMap<u16, Cell>,
}

/// A bin of a curve: sums over events, in units of 2⁻³².
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    events: u32,
    prices: i64,
    payoffs: i64,
}

/// What was paid for an outcome in a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Paid {
    decisions: u32,
    prices: i64,
}

/// One event's decisions in a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Vote {
    paid: Paid,
    payoffs: i64,
}

impl Calibration {
    /// Remembers a decision until its outcome is known, however the wallet leaves it: were those forgotten who
    /// sell before the end, the prices they paid would look worth what only the patient made of them.
    pub fn enter(&mut self, entered: &Entered) {
        if !(0.0 < entered.price && entered.price < 1.0) {
            return;
        }
        let cell = curve(entered.category, entered.horizon) * BINS + bin(entered.price);
        let paid = self.open.entry((entered.outcome, cell)).or_default();
        paid.decisions = paid.decisions.saturating_add(1);
        paid.prices = paid.prices.saturating_add(fixed(entered.price));
    }

    /// Learns what a share of an outcome paid, 0 to 1. All decisions of an event in one cell share one vote, so
    /// that a thousand wallets on one game say no more than that game did.
    pub fn resolve(&mut self, outcome: (u32, u16), event: u32, payoff: f64) {
        let known = self.open.range((outcome, 0)..=(outcome, u16::MAX));
        let known: Vec<(u16, Paid)> = known.map(|((_, cell), paid)| (*cell, *paid)).collect();
        for (cell, paid) in known {
            self.open.remove(&(outcome, cell));
            if payoff.is_finite() {
                self.count(event, cell, paid, payoff.clamp(0.0, 1.0));
            }
        }
    }

    fn count(&mut self, event: u32, number: u16, paid: Paid, payoff: f64) {
        let cell = self.cells.entry(number).or_default();
        let vote = self.votes.entry((event, number)).or_default();
        let before = vote.mean();
        cell.events += u32::from(vote.paid.decisions == 0);
        vote.paid.decisions = vote.paid.decisions.saturating_add(paid.decisions);
        vote.paid.prices = vote.paid.prices.saturating_add(paid.prices);
        vote.payoffs = vote.payoffs.saturating_add(fixed(payoff).saturating_mul(i64::from(paid.decisions)));
        let after = vote.mean();
        cell.prices += after.0 - before.0;
        cell.payoffs += after.1 - before.1;
    }

    /// Forgets who voted in an event, whose vote stays. For an event whose decisions have all been counted: a
    /// later one would have a vote of its own.
    pub fn seal(&mut self, event: u32) {
        let voted: Vec<(u32, u16)> =
            self.votes.range((event, 0)..=(event, u16::MAX)).map(|(key, _)| *key).collect();
        for key in voted {
            self.votes.remove(&key);
        }
    }

    /// What has been learned, as a map that no later decision changes.
    #[must_use]
    pub fn fit(&self) -> PriceMap {
        let known: BTreeSet<u16> = self.cells.keys().map(|number| number / BINS).collect();
        PriceMap::new(known.into_iter().filter_map(|number| Some((about(number)?, self.fit_curve(number)))))
    }

    fn fit_curve(&self, curve: u16) -> [f64; LENGTH] {
        let mut fair = [0.0; LENGTH];
        let mut weights = [PRIOR; LENGTH];
        for ((number, fair), weight) in (0u16..).zip(&mut fair).zip(&mut weights) {
            let cell = self.cells.get(&(curve * BINS + number)).copied().unwrap_or_default();
            *weight = PRIOR + f64::from(cell.events);
            // The mean of the prior's pseudo-events, which pay what they cost, and of what the events paid.
            *fair = PriceMap::centre(number) + (unfixed(cell.payoffs) - unfixed(cell.prices)) / *weight;
        }
        make_monotone(&mut fair, &weights);
        for (number, fair) in (0u16..).zip(&mut fair) {
            let centre = PriceMap::centre(number);
            let least = (centre - MOST_SHIFT).max(LEAST_PART * centre);
            let most = (centre + MOST_SHIFT).min(1.0 - LEAST_PART * (1.0 - centre));
            *fair = fair.clamp(least, most) - centre;
        }
        fair
    }
}

impl Vote {
    fn mean(&self) -> (i64, i64) {
        let decisions = i64::from(self.paid.decisions.max(1));
        (self.paid.prices / decisions, self.payoffs / decisions)
    }
}

/// Pools neighbours that fall until none do: the closest monotone sequence by weighted squares.
fn make_monotone(values: &mut [f64; LENGTH], weights: &[f64; LENGTH]) {
    // Blocks of (mean, weight, bins), left to right.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::with_capacity(LENGTH);
    for (value, weight) in values.iter().zip(weights) {
        let mut block = (*value, *weight, 1);
        while let Some(left) = blocks.pop_if(|left| left.0 > block.0) {
            let weight = left.1 + block.1;
            block = ((left.0 * left.1 + block.0 * block.1) / weight, weight, left.2 + block.2);
        }
        blocks.push(block);
    }
    let pooled = blocks.into_iter().flat_map(|(mean, _, bins)| std::iter::repeat_n(mean, bins));
    for (value, pooled) in values.iter_mut().zip(pooled) {
        *value = pooled;
    }
}

/// The number of a curve.
const fn curve(category: Category, horizon: Horizon) -> u16 {
    category as u16 * 3 + horizon as u16
}

/// What a curve is about.
fn about(number: u16) -> Option<(Category, Horizon)> {
    let all = Category::ALL.into_iter().flat_map(|category| Horizon::ALL.map(|horizon| (category, horizon)));
    all.into_iter().find(|(category, horizon)| curve(*category, *horizon) == number)
}

/// The bin of a price between 0 and 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a price times the number of bins"
)]
fn bin(price: f64) -> u16 {
    ((price * f64::from(BINS)) as u16).min(BINS - 1)
}

#[cfg(test)]
mod tests;
