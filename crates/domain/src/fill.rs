//! One wallet's fill: the atom of everything that follows.

use std::fmt;

use crate::id::{TokenId, Wallet};
use crate::money::{Shares, Usd};
use crate::price::Price;

/// Which contract, or what else, a fill came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exchange {
    /// The first CTF exchange (2022-11 to 2026-04).
    V1,
    /// Its neg-risk sibling.
    V1NegRisk,
    /// CTF exchange V2 (since 2026-04).
    V2,
    /// Its neg-risk sibling, both deployments.
    V2NegRisk,
    /// The exchange of Protocol V2 markets and combos.
    V3,
    /// A recorded tape: no contract at all.
    Tape,
}

impl Exchange {
    /// All of them, oldest first.
    pub const ALL: [Self; 6] = [Self::V1, Self::V1NegRisk, Self::V2, Self::V2NegRisk, Self::V3, Self::Tape];

    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1NegRisk => "v1-neg-risk",
            Self::V2 => "v2",
            Self::V2NegRisk => "v2-neg-risk",
            Self::V3 => "v3",
            Self::Tape => "tape",
        }
    }

    /// The exchange of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exchange| exchange.name() == name)
    }
}

/// Whether the wallet bought or sold the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Gave dollars, got shares.
    Buy,
    /// Gave shares, got dollars.
    Sell,
}

impl Side {
    /// `BUY` or `SELL`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }

    /// The side of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Buy, Self::Sell].into_iter().find(|side| side.name() == name)
    }
}

/// Whether the wallet's order rested or took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Its order was resting in the book.
    Maker,
    /// Its order was the aggressor of the match.
    Taker,
}

impl Role {
    /// `maker` or `taker`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Maker => "maker",
            Self::Taker => "taker",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Maker, Self::Taker].into_iter().find(|role| role.name() == name)
    }
}

/// What the exchange took from the wallet for a fill, in the asset it was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fee {
    /// Dollars on top of a purchase or out of a sale.
    Usd(Usd),
    /// Shares out of what was bought (V1 purchases only).
    Shares(Shares),
}

impl Fee {
    /// No fee.
    pub const NONE: Self = Self::Usd(Usd::ZERO);
}

/// One wallet's part in a match; amounts are gross of the fee, exactly as the chain wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Where it was matched.
    pub exchange: Exchange,
    /// Whose fill this is.
    pub wallet: Wallet,
    /// Who stood opposite; for a taker's own row, the exchange itself.
    pub counterparty: Wallet,
    /// Whether the wallet's order rested or took.
    pub role: Role,
    /// Whether the wallet bought or sold.
    pub side: Side,
    /// The outcome token of the wallet's order.
    pub token: TokenId,
    /// Shares that changed hands.
    pub shares: Shares,
    /// Dollars that changed hands.
    pub usd: Usd,
    /// What the exchange took.
    pub fee: Fee,
}

impl Fill {
    /// Dollars a share; `None` for dust whose quotient is no price.
    #[must_use]
    pub fn price(&self) -> Option<Price> {
        Price::average(self.usd, self.shares)
    }

    /// What the fill did to the wallet's dollars, fee included.
    #[must_use]
    pub fn cash_change(&self) -> Usd {
        let gross = match self.side {
            Side::Buy => -self.usd,
            Side::Sell => self.usd,
        };
        match self.fee {
            Fee::Usd(fee) => gross - fee,
            Fee::Shares(_) => gross,
        }
    }

    /// What the fill did to the wallet's shares of the token, fee included.
    #[must_use]
    pub fn share_change(&self) -> Shares {
        let gross = match self.side {
            Side::Buy => self.shares,
            Side::Sell => -self.shares,
        };
        match self.fee {
            Fee::Usd(_) => gross,
            Fee::Shares(fee) => gross - fee,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
