//! One position on its way from its order to its end.

use domain::{
    Ending, Execution, Order, Payouts, Position, Price, Settlement, Shares, Side, Timestamp, TokenId, Usd,
};

use super::{Kept, worth};
use crate::record::Record;

/// One position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    pub(super) position: Position,
    /// How it ended, as far as is known now: a match that never settled can take that back.
    pub(super) ended: Option<Settlement>,
    /// Whether anybody has been told of it.
    is_told: bool,
}

impl From<Kept> for Held {
    fn from(kept: Kept) -> Self {
        Self { position: kept.position, ended: kept.ended, is_told: true }
    }
}

impl Held {
    /// A position of which nothing has been bought yet.
    pub(super) fn ordered(order: &Order) -> Self {
        let position = Position {
            id: order.position,
            opened: order.at,
            condition: order.condition,
            event: order.event.clone(),
            token: order.token,
            outcome: order.outcome,
            bought: Shares::ZERO,
            spent: Usd::ZERO,
            sold: Shares::ZERO,
            proceeds: Usd::ZERO,
            fee: Usd::ZERO,
        };
        Self { position, ended: None, is_told: false }
    }

    pub(super) const fn token(&self) -> TokenId {
        self.position.token
    }

    /// Whether shares are held that have not been paid for by a result.
    pub(super) fn is_open(&self) -> bool {
        self.ended.is_none() && self.position.shares().is_positive()
    }

    /// Whether a result has ended it.
    pub(super) fn is_resolved(&self) -> bool {
        self.ended.is_some_and(|ended| ended.ending == Ending::Resolved)
    }

    /// Whether nothing of it is left, ever was bought, or was told.
    pub(super) fn is_over(&self) -> bool {
        self.ended.is_some() || !self.is_told
    }

    /// Takes an execution in, or out again.
    pub(super) fn change(&mut self, side: Side, execution: &Execution, is_added: bool) -> Record {
        if is_added {
            self.position.add(side, execution);
        } else {
            self.position.remove(side, execution);
        }
        if std::mem::replace(&mut self.is_told, true) {
            Record::Changed(self.position.clone())
        } else {
            Record::Opened(self.position.clone())
        }
    }

    /// Ends it if nothing is left or its result is known; `is_moving` while matches of it may still be told.
    /// `None` where its end is what it was.
    pub(super) fn end(&mut self, result: Option<&Payouts>, is_moving: bool, at: Timestamp) -> Option<Record> {
        if !self.is_told {
            return None;
        }
        let shares = self.position.shares();
        let (payout, ending) = match result {
            Some(payouts) => (payouts.pays(self.position.outcome, shares), Ending::Resolved),
            None if shares != Shares::ZERO || is_moving => {
                return self.ended.take().map(|ended| Record::Reopened(ended.id));
            }
            None if self.position.bought == Shares::ZERO => (Usd::ZERO, Ending::Void),
            None => (Usd::ZERO, Ending::Sold),
        };
        let proceeds = self.position.proceeds + payout;
        let pnl = proceeds - self.position.spent;
        let same =
            |ended: &Settlement| ended.proceeds == proceeds && ended.pnl == pnl && ended.ending == ending;
        if self.ended.as_ref().is_some_and(same) {
            return None;
        }
        // Its end stays where it was when a late match only changes what it came to.
        let at = self.ended.map_or(at, |ended| ended.at);
        let settlement = Settlement { id: self.position.id, at, proceeds, pnl, ending };
        self.ended = Some(settlement);
        Some(Record::Settled(settlement))
    }

    /// Dollars that came in less those that went out.
    pub(super) fn cash_flow(&self) -> Usd {
        self.ended.map_or_else(|| self.position.proceeds - self.position.spent, |ended| ended.pnl)
    }

    pub(super) fn realized(&self) -> Usd {
        self.ended.map_or_else(|| self.position.realized(), |ended| ended.pnl)
    }

    /// What the shares held cost.
    pub(super) fn at_cost(&self) -> Usd {
        if self.ended.is_some() { Usd::ZERO } else { self.position.cost().max(Usd::ZERO) }
    }

    /// What the shares held are worth; at cost where no price is known.
    pub(super) fn worth(&self, mark: Option<Price>) -> Usd {
        match (self.ended, mark) {
            (Some(_), _) => Usd::ZERO,
            (None, Some(mark)) => worth(self.position.shares(), mark),
            (None, None) => self.position.cost(),
        }
    }

    /// What has been won or lost with it if what is left were sold at the mark.
    pub(super) fn result(&self, mark: Option<Price>) -> Usd {
        self.cash_flow() + self.worth(mark)
    }
}
