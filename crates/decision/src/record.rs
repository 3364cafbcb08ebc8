//! What the engine wants remembered, as values that a database, a tape or a test can keep.

use domain::{ConditionId, Day, Order, Payouts, Position, Report, Settlement, Signal, Timestamp, Usd};

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
    /// The venue answered.
    Report(Report),
    /// A position was opened.
    Opened(Position),
    /// A position paid.
    Settled(Settlement),
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
