//! A number that something was decided on, with what kind of number it is.

use crate::id::ConditionId;
use crate::money::{Shares, Usd};
use crate::price::Price;
use crate::time::Timestamp;

/// A number that something was decided on. Amounts stay integers until they are shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// How many.
    Count(i64),
    /// A belief, a part or a score.
    Number(f64),
    /// Dollars.
    Usd(Usd),
    /// Shares.
    Shares(Shares),
    /// Dollars a share.
    Price(Price),
    /// A moment.
    Time(Timestamp),
    /// A length of time in microseconds.
    Duration(i64),
    /// A market.
    Condition(ConditionId),
    /// What somebody else said.
    Text(String),
}
