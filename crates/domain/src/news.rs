//! What the venue says of an order, in pieces that may come twice, late, and in any order.

use std::fmt;

use crate::money::{Shares, Usd};
use crate::time::Timestamp;

/// One thing the venue said of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderNews {
    /// The order.
    pub order: i64,
    /// When we learned it.
    pub at: Timestamp,
    /// What.
    pub what: OrderEvent,
}

/// What can be said of an order. The set is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderEvent {
    /// The venue has it.
    Accepted,
    /// A part of it matched: ours, unless the settlement fails.
    Filled(Execution),
    /// What the chain says that a match came to, which counts from then on.
    Corrected(Execution),
    /// A match is final on the chain.
    Confirmed(TradeId),
    /// A match could not be settled: its shares, dollars and fee never changed hands.
    Failed(TradeId),
    /// It stands no more.
    Closed {
        /// Why.
        why: Closing,
        /// All the shares that ever matched, whether or not their executions have been told yet, and whether or not
        /// they settled: what is reserved for them stays reserved until they are known.
        matched: Shares,
    },
}

/// One match of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The venue's name for it, different for each match of an order.
    pub trade: TradeId,
    /// Shares that changed hands.
    pub shares: Shares,
    /// Dollars for them, fee not included.
    pub usd: Usd,
    /// The fee.
    pub fee: Usd,
}

/// The venue's name for a match.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TradeId(pub String);

/// Why an order stands no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closing {
    /// All of it matched.
    Matched,
    /// What did not match at once was killed, as asked.
    Killed,
    /// It was cancelled, by us or by the venue.
    Cancelled,
    /// Its time was over.
    Expired,
    /// The venue would not have it.
    Rejected {
        /// What it said.
        reason: String,
    },
}

impl Closing {
    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Matched => "MATCHED",
            Self::Killed => "KILLED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::Rejected { .. } => "REJECTED",
        }
    }

    /// The one of that name, with what the venue said where it rejected.
    #[must_use]
    pub fn from_name(name: &str, reason: Option<String>) -> Option<Self> {
        match name {
            "MATCHED" => Some(Self::Matched),
            "KILLED" => Some(Self::Killed),
            "CANCELLED" => Some(Self::Cancelled),
            "EXPIRED" => Some(Self::Expired),
            "REJECTED" => Some(Self::Rejected { reason: reason.unwrap_or_default() }),
            _ => None,
        }
    }
}

impl fmt::Display for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TradeId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closings_are_read_as_they_are_written() {
        let rejected = Closing::Rejected { reason: "no".to_owned() };
        for closing in [Closing::Matched, Closing::Killed, Closing::Cancelled, Closing::Expired, rejected] {
            let reason = match &closing {
                Closing::Rejected { reason } => Some(reason.clone()),
                _ => None,
            };
            assert_eq!(Closing::from_name(closing.name(), reason), Some(closing));
        }
        assert_eq!(Closing::from_name("GONE", None), None);
    }
}
