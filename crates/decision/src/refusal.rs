//! Why not: every refusal has a reason with its numbers.

use std::fmt;

use domain::{Price, SignalKind, Timestamp, TokenId, Usd, Wallet};

/// One thing the engine would not do.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// Of which kind of signal.
    pub kind: SignalKind,
    /// Whose fill led to it.
    pub wallet: Wallet,
    /// Which token.
    pub token: TokenId,
    /// How many dollars the wallet had put in (or, in a panic, taken out) by then.
    pub notional: Usd,
    /// Why not.
    pub reason: Reason,
    /// The signal that had been raised by then, if one had.
    pub signal: Option<i64>,
}

/// Why not, with the numbers that decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The fill was known too late.
    Stale {
        /// Its age in microseconds.
        age: i64,
        /// The most allowed.
        limit: i64,
    },
    /// Something about the wallet's ways means that copying it cannot work.
    NotCopyable,
    /// Nothing is known of the token's market yet.
    UnknownMarket,
    /// The market has its result.
    Resolved,
    /// The price leaves too little to win, or is a long shot.
    PriceBand {
        /// The price.
        price: Price,
    },
    /// The venue had no book.
    NoBook {
        /// What it said.
        detail: String,
    },
    /// One side of the book was empty, or it was crossed.
    OneSidedBook,
    /// The best offer was already above what we would pay.
    AboveLimit {
        /// The best offer.
        ask: Price,
        /// Our limit.
        limit: Price,
    },
    /// The signal was not sure enough.
    Confidence {
        /// The signal's.
        confidence: f64,
        /// The least.
        minimum: f64,
    },
    /// Kelly stakes nothing: the price has taken the edge.
    NoEdge {
        /// The probability believed.
        probability: f64,
        /// What a share costs, fee included.
        cost: f64,
    },
    /// The stake was not worth an order.
    StakeTooSmall {
        /// The stake.
        stake: Usd,
        /// The least.
        minimum: Usd,
    },
    /// Entries are paused by hand.
    Paused,
    /// The day's loss stopped entries.
    Halted {
        /// Until when.
        until: Timestamp,
    },
    /// As many positions are open or on their way as may be.
    TooManyPositions {
        /// How many.
        open: usize,
        /// The most.
        limit: usize,
    },
    /// There is a position in this event already.
    EventHeld,
    /// The order could cost more than one trade may.
    AboveMaxPosition {
        /// What the order can cost, fee included.
        cost: Usd,
        /// The most.
        limit: Usd,
    },
    /// The day's loss would exceed its limit if this trade lost.
    DailyBudget {
        /// What the order can cost, fee included.
        cost: Usd,
        /// What may still be lost today.
        left: Usd,
    },
    /// There is not enough money that is not in a position.
    Cash {
        /// What the order can cost, fee included.
        cost: Usd,
        /// The money there is.
        free: Usd,
    },
}

impl Reason {
    /// The name under which refusals are counted.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Stale { .. } => "stale",
            Self::NotCopyable => "not_copyable",
            Self::UnknownMarket => "unknown_market",
            Self::Resolved => "resolved",
            Self::PriceBand { .. } => "price_band",
            Self::NoBook { .. } => "no_book",
            Self::OneSidedBook => "one_sided_book",
            Self::AboveLimit { .. } => "above_limit",
            Self::Confidence { .. } => "confidence",
            Self::NoEdge { .. } => "no_edge",
            Self::StakeTooSmall { .. } => "stake_too_small",
            Self::Paused => "paused",
            Self::Halted { .. } => "halted",
            Self::TooManyPositions { .. } => "too_many_positions",
            Self::EventHeld => "event_held",
            Self::AboveMaxPosition { .. } => "above_max_position",
            Self::DailyBudget { .. } => "daily_budget",
            Self::Cash { .. } => "cash",
        }
    }
}

impl fmt::Display for Reason {
    #[expect(clippy::cast_precision_loss, reason = "an age in seconds, for people")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |micros: i64| micros as f64 / 1e6;
        match self {
            Self::Stale { age, limit } => {
                write!(f, "the fill was {:.1} s old, more than {:.0} s", seconds(*age), seconds(*limit))
            }
            Self::NotCopyable => f.write_str("the wallet is not to be copied: `orderflow wallet` says why"),
            Self::UnknownMarket => f.write_str("nothing is known of this token's market yet"),
            Self::Resolved => f.write_str("the market is already resolved"),
            Self::PriceBand { price } => {
                write!(f, "the price {price} is outside 0.10 to 0.90")
            }
            Self::NoBook { detail } => write!(f, "no book: {detail}"),
            Self::OneSidedBook => f.write_str("the book has only one side"),
            Self::AboveLimit { ask, limit } => write!(f, "the best offer {ask} is above the limit {limit}"),
            Self::Confidence { confidence, minimum } => {
                write!(f, "confidence {:.1} % is below {:.1} %", confidence * 100.0, minimum * 100.0)
            }
            Self::NoEdge { probability, cost } => {
                write!(f, "a share costs {cost:.4} and wins with probability {probability:.4}")
            }
            Self::StakeTooSmall { stake, minimum } => {
                write!(f, "the stake ${} is below ${}", stake.cents(), minimum.cents())
            }
            Self::Paused => f.write_str("entries are paused"),
            Self::Halted { until } => write!(f, "the day's loss stopped entries until {until}"),
            Self::TooManyPositions { open, limit } => {
                write!(f, "{open} positions are open or ordered, {limit} at most")
            }
            Self::EventHeld => f.write_str("there is a position in this event already"),
            Self::AboveMaxPosition { cost, limit } => {
                write!(f, "the trade can cost ${}, more than ${}", cost.cents(), limit.cents())
            }
            Self::DailyBudget { cost, left } => write!(
                f,
                "the trade can cost ${}, more than the ${} the day may still lose",
                cost.cents(),
                left.cents()
            ),
            Self::Cash { cost, free } => {
                write!(f, "the trade can cost ${}, more than the free ${}", cost.cents(), free.cents())
            }
        }
    }
}
