//! What an order bought, and how it ended.

use crate::id::{ConditionId, TokenId};
use crate::money::{Shares, Usd};
use crate::time::Timestamp;

/// A position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Its number: that of its signal and order.
    pub id: i64,
    /// When it was opened.
    pub opened: Timestamp,
    /// The condition.
    pub condition: ConditionId,
    /// The event of its market.
    pub event: String,
    /// The token.
    pub token: TokenId,
    /// Its place among the market's outcomes.
    pub outcome: usize,
    /// Shares held.
    pub shares: Shares,
    /// What they cost, fee included.
    pub cost: Usd,
    /// The fee in it.
    pub fee: Usd,
}

/// How a position ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The position.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Dollars it paid.
    pub proceeds: Usd,
    /// Proceeds less cost, fees included.
    pub pnl: Usd,
}

impl Settlement {
    /// A win made money; what made none is a loss.
    #[must_use]
    pub const fn won(&self) -> bool {
        self.pnl.is_positive()
    }
}

/// The account of one UTC day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Days since 1970.
    pub number: i64,
    /// What had been won or lost by its start, open positions marked: what the day's loss is measured from.
    pub result: Usd,
    /// The bankroll stakes are parts of. Open positions count at cost: a gain not yet realised raises no stake.
    pub bankroll: Usd,
}
