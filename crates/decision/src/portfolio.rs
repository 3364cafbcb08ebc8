//! Our own positions, what they are worth, and what the day has brought.

use std::collections::BTreeMap;

use domain::{
    ConditionId, Day, Order, Payouts, Position, Price, Report, Rounding, Settlement, Timestamp, TokenId, Usd,
};

use crate::policy::Policy;
use crate::record::Record;

/// Positions, orders on their way, and the day's account.
#[derive(Clone, Debug, PartialEq)]
pub struct Portfolio {
    start: Usd,
    realized: Usd,
    positions: BTreeMap<i64, Position>,
    /// Orders approved and not yet answered, with the event each would hold: exposure counts from approval.
    ordered: BTreeMap<i64, (Order, String)>,
    marks: BTreeMap<TokenId, Price>,
    day: Option<Day>,
    /// Whether a person paused entries.
    pub paused: bool,
    /// Until when the day's loss stops entries.
    pub halted_until: Option<Timestamp>,
}

/// What a portfolio is rebuilt from after a restart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holdings {
    /// The result of all settled positions.
    pub realized: Usd,
    /// The positions that are open.
    pub positions: Vec<Position>,
    /// The last price seen of their tokens.
    pub marks: Vec<(TokenId, Price)>,
    /// The account of the current day.
    pub day: Option<Day>,
    /// Whether a person paused entries.
    pub paused: bool,
    /// Until when the day's loss stops entries.
    pub halted_until: Option<Timestamp>,
}

impl Portfolio {
    /// A portfolio as it stood.
    #[must_use]
    pub fn restore(bankroll: Usd, holdings: Holdings) -> Self {
        Self {
            start: bankroll,
            realized: holdings.realized,
            positions: holdings.positions.into_iter().map(|position| (position.id, position)).collect(),
            ordered: BTreeMap::new(),
            marks: holdings.marks.into_iter().collect(),
            day: holdings.day,
            paused: holdings.paused,
            halted_until: holdings.halted_until,
        }
    }

    /// What has been won or lost so far, as if every open position were sold at its last price.
    #[must_use]
    pub fn result(&self) -> Usd {
        let unrealized: Usd = self.positions.values().map(|position| self.unrealized(position)).sum();
        self.realized + unrealized
    }

    /// Dollars that are in no position and no order.
    #[must_use]
    pub fn free_cash(&self) -> Usd {
        let held: Usd = self.positions.values().map(|position| position.cost).sum();
        let ordered: Usd = self.ordered.values().map(|(order, _)| order.most()).sum();
        self.start + self.realized - held - ordered
    }

    /// What the day has lost so far, marked to the last prices; below zero for a gain.
    #[must_use]
    pub fn day_loss(&self) -> Usd {
        self.day.map_or(Usd::ZERO, |day| day.result - self.result())
    }

    /// The bankroll that stakes are parts of today.
    #[must_use]
    pub fn bankroll(&self) -> Usd {
        self.day.map_or(self.start + self.realized, |day| day.bankroll)
    }

    /// Positions open and orders on their way.
    #[must_use]
    pub fn slots_taken(&self) -> usize {
        self.positions.len() + self.ordered.len()
    }

    /// Whether a position or an order is in this event.
    #[must_use]
    pub fn holds_event(&self, event: &str) -> bool {
        self.positions.values().any(|position| position.event == event)
            || self.ordered.values().any(|(_, ordered)| ordered == event)
    }

    /// Begins a new UTC day if one has begun.
    pub fn roll_day(&mut self, at: Timestamp) -> Option<Record> {
        if self.day.is_some_and(|day| at.day() <= day.number) {
            return None;
        }
        let day = Day { number: at.day(), result: self.result(), bankroll: self.start + self.realized };
        self.day = Some(day);
        Some(Record::Day(day))
    }

    /// Takes a new price of a token, if it is held.
    pub fn mark(&mut self, token: TokenId, price: Price) {
        if self.positions.values().any(|position| position.token == token) {
            self.marks.insert(token, price);
        }
    }

    /// Reserves the exposure of an approved order.
    pub fn reserve(&mut self, order: Order, event: String) {
        self.ordered.insert(order.id, (order, event));
    }

    /// Releases an order's reservation and hands the order back.
    pub fn release(&mut self, order: i64) -> Option<(Order, String)> {
        self.ordered.remove(&order)
    }

    /// Opens the position an order bought.
    pub fn open(&mut self, order: &Order, event: String, outcome: usize, report: &Report) -> Position {
        let position = Position {
            id: order.id,
            opened: order.at,
            condition: order.condition,
            event,
            token: order.token,
            outcome,
            shares: report.shares,
            cost: report.usd + report.fee,
            fee: report.fee,
        };
        self.positions.insert(position.id, position.clone());
        if let Some(paid) = Price::average(report.usd, report.shares) {
            self.mark(position.token, paid);
        }
        position
    }

    /// Settles every position of a resolved condition.
    pub fn settle(&mut self, condition: ConditionId, payouts: &Payouts, at: Timestamp) -> Vec<Settlement> {
        let (resolved, open) = std::mem::take(&mut self.positions)
            .into_iter()
            .partition(|(_, position)| position.condition == condition);
        self.positions = open;
        let resolved: BTreeMap<i64, Position> = resolved;
        resolved
            .into_values()
            .map(|position| {
                let proceeds = payouts.pays(position.outcome, position.shares);
                let pnl = proceeds - position.cost;
                self.realized += pnl;
                self.marks.remove(&position.token);
                Settlement { id: position.id, at, proceeds, pnl }
            })
            .collect()
    }

    /// Stops entries for a day once the day has lost its limit.
    pub fn check_daily_loss(&mut self, policy: &Policy, at: Timestamp) -> Option<Record> {
        let loss = self.day_loss();
        let halted = self.halted_until.is_some_and(|until| at < until);
        if halted || loss < policy.daily_loss_limit {
            return None;
        }
        let until = at.plus_micros(Policy::HALT);
        self.halted_until = Some(until);
        Some(Record::Halt { until, loss })
    }

    fn unrealized(&self, position: &Position) -> Usd {
        self.marks
            .get(&position.token)
            .map_or(Usd::ZERO, |mark| position.shares.at(*mark, Rounding::Down) - position.cost)
    }
}
