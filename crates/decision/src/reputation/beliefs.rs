//! What is believed of prices and of wallets at large, as of a time: what a price was worth, and what wallets are
//! like before one looks at any of them.
//!
//! All of it follows from decisions and results that carry their times, so that it does not matter when it is
//! worked out: of a day what had been resolved by its start, of a week what had ended by its.

mod saved;
mod survey;

pub(super) use saved::Believed;
pub use survey::Survey;

use std::collections::BTreeMap;

use domain::Timestamp;

use super::History;
use super::interner::usize_of;
use crate::calibration::{Calibration, Category, Horizon, PriceMap};
use crate::discovery::{Discovery, RATE};
use crate::population::Population;
use crate::published::Published;

/// A week as `Timestamp::week` counts.
const WEEK: i64 = 7 * Timestamp::DAY;

/// The newest beliefs and the older ones that are still needed.
#[derive(Clone, Debug)]
pub(super) struct Beliefs {
    /// What prices are worth, from the start of each day on which more was known.
    pub(super) maps: Published<PriceMap>,
    calibration: Calibration,
    /// The questions that have results, by the day of the result.
    results: BTreeMap<i64, Vec<u32>>,
    /// The first day whose results are not in the maps.
    next_day: i64,
    /// Whether something about the days before became known after they were worked out.
    is_stale: bool,
    pub(super) population: Population,
    pub(super) discovery: Discovery,
    /// The week for which wallets at large were looked at.
    week: Option<i64>,
}

impl Default for Beliefs {
    fn default() -> Self {
        Self {
            maps: Published::default(),
            calibration: Calibration::default(),
            results: BTreeMap::new(),
            next_day: i64::MIN,
            is_stale: false,
            population: Population::default(),
            discovery: Discovery::among([], RATE),
            week: None,
        }
    }
}

impl Beliefs {
    /// What the price of a decision that opened at a moment was worth then.
    pub(super) fn fair(
        &self,
        price: f64,
        opened: Timestamp,
        category: Category,
        end: Option<Timestamp>,
    ) -> f64 {
        let map = self.maps.as_of(opened);
        map.map_or(price, |map| map.fair(price, category, Horizon::of(opened, end)))
    }

    /// A question has a result.
    pub(super) fn note_result(&mut self, question: u32, at: Timestamp) {
        self.results.entry(at.day()).or_default().push(question);
        self.is_stale |= at.day() < self.next_day;
    }

    /// Facts of the past are understood only now.
    pub(super) fn doubt(&mut self, at: Timestamp) {
        self.is_stale |= at.day() < self.next_day;
        let is_of_before = |week: i64| at.micros() < week.saturating_mul(WEEK);
        self.week = self.week.filter(|week| !is_of_before(*week));
    }
}

impl History {
    /// Works out what can be believed as of a moment.
    pub(super) fn believe(&mut self, as_of: Timestamp) {
        self.learn_prices();
        let week = as_of.week();
        if self.beliefs.week == Some(week) {
            return;
        }
        let mut survey = Survey::of(week);
        self.take_part(&mut survey);
        self.conclude(survey);
    }

    /// Learns what the prices paid were worth, day by day, up to the last day that is over.
    fn learn_prices(&mut self) {
        if std::mem::take(&mut self.beliefs.is_stale) {
            let results = std::mem::take(&mut self.beliefs.results);
            self.beliefs = Beliefs { results, ..Beliefs::default() };
        }
        self.learn_days(self.now.day());
    }

    /// Learns from the days before `today` that have not been learned from.
    fn learn_days(&mut self, today: i64) {
        let first = self.beliefs.next_day.min(today);
        let days: Vec<i64> = self.beliefs.results.range(first..today).map(|day| *day.0).collect();
        for day in days {
            for question in self.beliefs.results.get(&day).cloned().unwrap_or_default() {
                self.learn_prices_of(question);
            }
            let map = self.beliefs.calibration.fit();
            let start = Timestamp::from_micros((day + 1).saturating_mul(Timestamp::DAY));
            self.beliefs.maps.publish(start, map);
        }
        self.beliefs.next_day = self.beliefs.next_day.max(today);
    }

    fn learn_prices_of(&mut self, number: u32) {
        let question = self.catalogue.question(number);
        let (category, event) = (question.category, question.event);
        for board in self.shards.iter().map(|shard| shard.board(number)) {
            for (prices, side) in board.prices.iter().zip(0..) {
                self.beliefs.calibration.enter_paid((number, side), category, prices);
            }
        }
        let Some(result) = self.shards.first().and_then(|shard| shard.board(number).result.clone()) else {
            return;
        };
        let payoff = result.payouts.fraction(result.first);
        self.beliefs.calibration.resolve((number, 0), event, payoff);
        self.beliefs.calibration.resolve((number, 1), event, 1.0 - payoff);
    }
}

impl super::shard::Shard {
    pub(super) fn board(&self, question: u32) -> &super::board::Board {
        &self.boards[usize_of(question)]
    }
}
