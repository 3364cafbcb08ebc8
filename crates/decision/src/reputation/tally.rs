//! A wallet's record up to the end of a day, day after day: what the factors are made of, and the tier that the
//! days before have left behind.

use std::collections::BTreeSet;

use domain::{Tier, Timestamp, Usd};

use super::catalogue::Catalogue;
use super::factors::Raw;
use super::record::{Books, Closed, Day, Record};
use crate::policy::Eligibility;

/// Days of the volume window and of the recent win rate.
pub(super) const WINDOW_DAYS: i64 = 30;
/// How far beyond its threshold a score must go before the best and the worst tier are left.
const HYSTERESIS: f64 = 0.5;

/// Sums over a record's past.
pub(super) struct Tally<'a> {
    catalogue: &'a Catalogue,
    past: Vec<Day>,
    closed: Vec<Closed>,
    /// How many of the record's days and decisions are in the sums.
    days: usize,
    ended: usize,
    /// The first day that is still in the volume window.
    oldest: usize,
    pub(super) volume_30d: Usd,
    pub(super) opened_30d: Usd,
    pub(super) active_days: u32,
    pub(super) drifts: u32,
    pub(super) drift: i64,
    pub(super) decisions: u32,
    pub(super) wins: u32,
    pub(super) gains: Usd,
    pub(super) losses: Usd,
    pub(super) cost: Usd,
    /// Σ of the average prices paid, in millionths.
    pub(super) paid: i64,
    pub(super) events: BTreeSet<u32>,
    weeks: u32,
    profitable_weeks: u32,
    /// The week that is being summed.
    week: (i64, Usd),
    pub(super) unknown: u32,
    pub(super) unknown_pnl: Usd,
}

impl<'a> Tally<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, books: &Books, record: &Record) -> Self {
        Self {
            catalogue,
            past: record.days(books),
            closed: record.closed(books),
            days: 0,
            ended: 0,
            oldest: 0,
            volume_30d: Usd::ZERO,
            opened_30d: Usd::ZERO,
            active_days: 0,
            drifts: 0,
            drift: 0,
            decisions: 0,
            wins: 0,
            gains: Usd::ZERO,
            losses: Usd::ZERO,
            cost: Usd::ZERO,
            paid: 0,
            events: BTreeSet::new(),
            weeks: 0,
            profitable_weeks: 0,
            week: (i64::MIN, Usd::ZERO),
            unknown: 0,
            unknown_pnl: Usd::ZERO,
        }
    }

    /// Takes in everything up to a moment, and walks the tier through the days on the way. The tier is what is
    /// remembered at the moment: the last one that was found at the end of a day before it.
    ///
    /// A day with anything in it is looked at twice: at the end of the day before, because the volume of the last
    /// 30 days has only faded since the last look, and at its own end.
    pub(super) fn advance(&mut self, as_of: Timestamp, eligibility: Eligibility) -> Option<Tier> {
        let mut tier = None;
        let today = as_of.day();
        while let Some(day) = self.past.get(self.days).copied().filter(|day| day.number() <= today) {
            let number = day.number();
            self.fade(number - 1);
            tier = self.tier(tier, eligibility);
            self.take_day(&day);
            self.fade(number);
            self.take_decisions(Some(number), as_of);
            if number < today {
                tier = self.tier(tier, eligibility);
            }
        }
        self.fade(today);
        self.take_decisions(None, as_of);
        tier
    }

    /// The tier of the sums as they are, if `before` was the last one. `None`: not rated.
    pub(super) fn tier(&self, before: Option<Tier>, eligibility: Eligibility) -> Option<Tier> {
        let events = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        let is_rated = eligibility.decisions <= self.decisions
            && eligibility.events <= events
            && eligibility.active_days <= self.active_days;
        is_rated.then(|| held(before, self.score()))
    }

    /// The strategy's score. Four decimals are what is stored: the tier must agree with the score that people see.
    pub(super) fn score(&self) -> f64 {
        (Raw::of(self).factors().total() * 10_000.0).round() / 10_000.0
    }

    /// Weeks with a closed decision, and those of them that ended in profit.
    pub(super) fn weeks(&self) -> (u32, u32) {
        let is_open = self.week.0 != i64::MIN;
        let is_profitable = is_open && self.week.1.is_positive();
        (self.weeks + u32::from(is_open), self.profitable_weeks + u32::from(is_profitable))
    }

    /// The decisions that were counted.
    pub(super) fn counted(&self) -> impl Iterator<Item = &Closed> {
        self.closed[..self.ended].iter().filter(|closed| closed.counts())
    }

    fn take_day(&mut self, day: &Day) {
        self.days += 1;
        self.volume_30d += day.volume;
        self.opened_30d += day.opened;
        self.active_days += u32::from(day.fills > 0);
        self.drifts += day.drifts;
        self.drift = self.drift.saturating_add(day.drift);
    }

    /// Lets the days go that are out of the window which ends with `number`.
    fn fade(&mut self, number: i64) {
        let days = &self.past[..self.days];
        while let Some(day) = days.get(self.oldest).filter(|day| day.number() <= number - WINDOW_DAYS) {
            self.volume_30d -= day.volume;
            self.opened_30d -= day.opened;
            self.oldest += 1;
        }
    }

    /// Takes in the decisions that ended up to the end of a day, and no later than `as_of`.
    fn take_decisions(&mut self, until: Option<i64>, as_of: Timestamp) {
        let is_due = |closed: &&Closed| until.is_none_or(|day| closed.at.day() <= day) && closed.at <= as_of;
        while let Some(closed) = self.closed.get(self.ended).filter(is_due).copied() {
            self.ended += 1;
            self.take(&closed);
        }
    }

    fn take(&mut self, closed: &Closed) {
        if closed.is_unknown {
            self.unknown += 1;
            self.unknown_pnl += closed.pnl;
        }
        if !closed.counts() {
            return;
        }
        self.decisions += 1;
        self.wins += u32::from(closed.won());
        if closed.won() {
            self.gains += closed.pnl;
        } else {
            self.losses -= closed.pnl;
        }
        self.cost += closed.cost;
        self.paid = self.paid.saturating_add(closed.paid_ppm());
        self.events.insert(self.catalogue.question(closed.question).event);
        if self.week.0 != closed.at.week() {
            (self.weeks, self.profitable_weeks) = self.weeks();
            self.week = (closed.at.week(), Usd::ZERO);
        }
        self.week.1 += closed.pnl;
    }
}

/// The tier of a score, where the best and the worst are left half a point later than they are reached.
fn held(before: Option<Tier>, score: f64) -> Tier {
    match (before, Tier::of(score)) {
        (Some(Tier::Whale), _) if Tier::of(score + HYSTERESIS) == Tier::Whale => Tier::Whale,
        (Some(Tier::Degen), _) if Tier::of(score - HYSTERESIS) == Tier::Degen => Tier::Degen,
        (_, tier) => tier,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_left_half_a_point_later_than_they_are_reached() {
        let held = |before, score| held(Some(before), score);
        assert_eq!(held(Tier::Smart, 6.99), Tier::Smart);
        assert_eq!(held(Tier::Whale, 6.5), Tier::Whale);
        assert_eq!(held(Tier::Whale, 6.49), Tier::Smart);
        assert_eq!(held(Tier::Degen, 3.49), Tier::Degen);
        assert_eq!(held(Tier::Degen, 3.5), Tier::Novice);
        assert_eq!(held(Tier::Novice, 3.2), Tier::Novice);
        // From one end to the other there is nothing to hold on to.
        assert_eq!(held(Tier::Whale, 1.0), Tier::Degen);
    }
}
