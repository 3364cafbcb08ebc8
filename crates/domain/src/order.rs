//! An order and what became of it.

use crate::id::{ConditionId, TokenId};
use crate::money::{Shares, Usd};
use crate::price::Price;
use crate::time::Timestamp;

/// An order to buy, fill-and-kill: what does not match at once is cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The signal it serves, whose number it shares: one order a signal.
    pub id: i64,
    /// When it was decided.
    pub at: Timestamp,
    /// The condition.
    pub condition: ConditionId,
    /// The token to buy.
    pub token: TokenId,
    /// The highest price.
    pub limit: Price,
    /// Dollars to spend at most, fee not included.
    pub stake: Usd,
    /// The market's taker fee rate, in millionths.
    pub fee_rate_ppm: u32,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The order.
    pub order: i64,
    /// Shares bought.
    pub shares: Shares,
    /// Dollars paid for them, fee not included.
    pub usd: Usd,
    /// The fee.
    pub fee: Usd,
}
