//! What the engine wants remembered, as values that a database, a tape or a test can keep.

use domain::{
    ConditionId, Day, ExitReason, Order, OrderNews, Payouts, Position, Price, Settlement, Shares, Signal,
    Timestamp, TokenId, Usd,
};

use crate::portfolio::Losses;
use crate::refusal::Refusal;

/// One line of the engine's diary.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A signal was raised.
    Signal(Box<Signal>),
    /// Something was not done.
    Refusal(Refusal),
    /// Risk approved an order.
    Order(Order),
    /// The venue said something new of an order.
    News(OrderNews),
    /// A position was opened.
    Opened(Position),
    /// More of a position was bought, some of it was sold, or a match of it never settled.
    Changed(Position),
    /// A position ended; told again where a late match changes what it came to.
    Settled(Settlement),
    /// A position that had ended has not: a sale of it never settled.
    Reopened(i64),
    /// Nothing about an order can change any more.
    Final(i64),
    /// A book said the best bid of a token that is held; `None` where it is not known any more.
    Bid {
        /// The token.
        token: TokenId,
        /// Its best bid.
        bid: Option<Price>,
    },
    /// A position is to be left, or, without a reason, is to be held after all.
    Leaving {
        /// The position.
        position: i64,
        /// Why.
        reason: Option<ExitReason>,
        /// Since when.
        at: Timestamp,
    },
    /// The wallet that a position follows gave up shares of its entry.
    Lead {
        /// The position.
        position: i64,
        /// All that it has given up since.
        left: Shares,
    },
    /// A price bound that is not obeyed was reached: what obeying it would have realised.
    Counterfactual(Counterfactual),
    /// The losses in a row changed, or stopped entries.
    Losses(Losses),
    /// What a condition paid about which candidates had been judged: their outcome, taken or not.
    Outcome {
        /// The condition.
        condition: ConditionId,
        /// What its outcomes pay.
        payouts: Payouts,
        /// When that became known.
        at: Timestamp,
    },
    /// A UTC day began.
    Day(Day),
    /// The day's loss stopped entries.
    Halt {
        /// Until when.
        until: Timestamp,
        /// The loss.
        loss: Usd,
    },
}

/// What leaving a position at a price bound would have brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counterfactual {
    /// The position.
    pub position: i64,
    /// Which bound.
    pub reason: ExitReason,
    /// When it was reached.
    pub at: Timestamp,
    /// The best bid.
    pub bid: Price,
    /// What selling all shares into that book would have brought, fee deducted; what the book could not take is worth
    /// nothing here.
    pub proceeds: Usd,
    /// That, with what was sold before, less what was spent.
    pub pnl: Usd,
}
