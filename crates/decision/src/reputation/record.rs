//! What is kept of one wallet: sums from which its verdict is read at any later moment.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::{Timestamp, Usd};

use crate::skill::SkillSums;

/// Days of the volume window.
pub(super) const VOLUME_DAYS: i64 = 30;

/// A wallet's record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) first_trade: Timestamp,
    pub(super) last_trade: Timestamp,
    pub(super) trades: u32,
    pub(super) volume: Usd,
    pub(super) active_days: u32,
    pub(super) pnl: Usd,
    pub(super) decisions: u32,
    pub(super) wins: u32,
    pub(super) gains: Usd,
    pub(super) losses: Usd,
    pub(super) cost: Usd,
    /// Σ of the average prices paid, whose mean is the break-even win rate.
    pub(super) paid: f64,
    pub(super) weeks: BTreeMap<i64, Usd>,
    pub(super) events: BTreeSet<u32>,
    pub(super) skill: SkillSums,
    pub(super) drifts: u32,
    pub(super) drift: f64,
    days: VecDeque<(i64, Usd)>,
}

/// A fill, as far as the record cares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trade {
    pub(super) usd: Usd,
    pub(super) at: Timestamp,
}

/// A decision that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    pub(super) cost: Usd,
    pub(super) proceeds: Usd,
    pub(super) paid: f64,
    pub(super) payoff: f64,
    pub(super) event: u32,
    pub(super) at: Timestamp,
}

impl Record {
    pub(super) fn new(at: Timestamp) -> Self {
        Self {
            first_trade: at,
            last_trade: at,
            trades: 0,
            volume: Usd::ZERO,
            active_days: 0,
            pnl: Usd::ZERO,
            decisions: 0,
            wins: 0,
            gains: Usd::ZERO,
            losses: Usd::ZERO,
            cost: Usd::ZERO,
            paid: 0.0,
            weeks: BTreeMap::new(),
            events: BTreeSet::new(),
            skill: SkillSums::default(),
            drifts: 0,
            drift: 0.0,
            days: VecDeque::new(),
        }
    }

    pub(super) fn trade(&mut self, trade: Trade) {
        self.trades = self.trades.saturating_add(1);
        self.volume += trade.usd;
        self.last_trade = self.last_trade.max(trade.at);
        let day = trade.at.day();
        match self.days.back_mut() {
            Some((latest, usd)) if day <= *latest => *usd += trade.usd,
            _ => {
                self.days.push_back((day, trade.usd));
                self.active_days += 1;
            }
        }
        while self.days.front().is_some_and(|(oldest, _)| *oldest + VOLUME_DAYS < day) {
            self.days.pop_front();
        }
    }

    pub(super) fn realize(&mut self, pnl: Usd) {
        self.pnl += pnl;
    }

    pub(super) fn close(&mut self, closed: &Closed) {
        let pnl = closed.proceeds - closed.cost;
        self.decisions += 1;
        self.wins += u32::from(pnl.is_positive());
        if pnl.is_positive() {
            self.gains += pnl;
        } else {
            self.losses -= pnl;
        }
        self.cost += closed.cost;
        self.paid += closed.paid;
        *self.weeks.entry(closed.at.week()).or_default() += pnl;
        self.events.insert(closed.event);
        self.skill.add(closed.paid, closed.payoff);
    }

    pub(super) fn drift(&mut self, dollars: f64) {
        self.drifts += 1;
        self.drift += dollars;
    }

    /// Whether a day of trading is in the window that ends with `from` and not in the one that ends with `to`.
    pub(super) fn loses_volume(&self, from: i64, to: i64) -> bool {
        self.days.iter().any(|(day, _)| from - VOLUME_DAYS < *day && *day <= to - VOLUME_DAYS)
    }

    /// Dollars traded on the 30 calendar days that end with `day`.
    pub(super) fn volume_until(&self, day: i64) -> Usd {
        self.days.iter().filter(|(traded, _)| day - VOLUME_DAYS < *traded).map(|(_, usd)| *usd).sum()
    }
}
