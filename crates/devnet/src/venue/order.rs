//! An order: as it comes in, and as the venue keeps it.

use alloy_primitives::{Address, B256, Bytes, U256};
use domain::{Price, Rounding, Shares, Side, Timestamp, TokenId};
use serde::Deserialize;

use super::Refusal;
use super::account::SignatureType;
use super::signing::SignedPart;

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum OrderType {
    /// Until it is cancelled.
    Gtc,
    /// Until a moment.
    Gtd,
    /// Now and in full, or not at all.
    Fok,
    /// Now, as far as it goes.
    Fak,
}

impl OrderType {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Gtd => "GTD",
            Self::Fok => "FOK",
            Self::Fak => "FAK",
        }
    }

    pub(crate) const fn rests(self) -> bool {
        matches!(self, Self::Gtc | Self::Gtd)
    }
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// It waits for the taker delay's end.
    Delayed,
    /// It rests in the book.
    Live,
    /// It matched in full.
    Matched,
    /// It is out of the book, for the reason said; part of it may have matched before.
    Canceled(&'static str),
    /// Its market was answered while it rested.
    CanceledMarketResolved,
}

/// The body of `POST /order`, and one element of `POST /orders`'.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    order: OrderBody,
    owner: String,
    order_type: OrderType,
    #[serde(default)]
    post_only: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderBody {
    salt: u64,
    maker: Address,
    signer: Address,
    token_id: String,
    maker_amount: String,
    taker_amount: String,
    side: String,
    #[serde(default)]
    expiration: Option<String>,
    signature_type: u8,
    timestamp: String,
    metadata: B256,
    builder: B256,
    signature: Bytes,
}

/// An order that somebody wants to place.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) part: SignedPart,
    pub(crate) signature: Bytes,
    pub(crate) owner: String,
    pub(crate) order_type: OrderType,
    pub(crate) post_only: bool,
    /// Seconds since 1970; 0 for never.
    pub(crate) expiration: i64,
}

impl Wish {
    /// Reads a body.
    pub(crate) fn read(body: &serde_json::Value) -> Result<Self, Refusal> {
        let invalid = || Refusal::bad("Invalid order payload");
        let Body { order, owner, order_type, post_only } =
            Deserialize::deserialize(body).map_err(|_| invalid())?;
        // What JSON numbers hold exactly.
        if order.salt >= 1 << 53 {
            return Err(invalid());
        }
        let number = |text: &str| U256::from_str_radix(text, 10).map_err(|_| invalid());
        let side = match order.side.as_str() {
            "BUY" => Side::Buy,
            "SELL" => Side::Sell,
            _ => return Err(invalid()),
        };
        let expiration = order.expiration.as_deref().unwrap_or("0");
        Ok(Self {
            part: SignedPart {
                salt: U256::from(order.salt),
                maker: order.maker,
                signer: order.signer,
                token: number(&order.token_id)?,
                maker_amount: number(&order.maker_amount)?,
                taker_amount: number(&order.taker_amount)?,
                side,
                kind: SignatureType::of_number(order.signature_type).ok_or_else(invalid)?,
                timestamp: number(&order.timestamp)?,
                metadata: order.metadata,
                builder: order.builder,
            },
            signature: order.signature,
            owner,
            order_type,
            post_only,
            expiration: expiration.parse().map_err(|_| invalid())?,
        })
    }
}

/// An order the venue has taken in.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: B256,
    /// The key's public part.
    pub(crate) key: String,
    pub(crate) owner: Address,
    pub(crate) wallet: Address,
    pub(crate) market: usize,
    pub(crate) outcome: usize,
    pub(crate) token: TokenId,
    pub(crate) side: Side,
    pub(crate) price: Price,
    pub(crate) want: Want,
    /// Millionths of a share.
    pub(crate) matched: i64,
    pub(crate) order_type: OrderType,
    pub(crate) post_only: bool,
    pub(crate) expiration: i64,
    pub(crate) created: Timestamp,
    pub(crate) status: OrderStatus,
    /// Millionths of a share of the world's that stand before it at its price.
    pub(crate) ahead: i64,
    pub(crate) metadata: B256,
    pub(crate) builder: B256,
    /// The ids of its matches.
    pub(crate) trades: Vec<String>,
}

/// How much an order wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Millionths of a share.
    Shares(i64),
    /// Millionths of a dollar to spend, and what of them is not spent.
    Dollars { all: i64, left: i64 },
}

/// What the venue made of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) id: B256,
    pub(crate) status: PlacedStatus,
    /// Millionths the order gave and got at once.
    pub(crate) gave: i64,
    pub(crate) got: i64,
    pub(crate) trades: Vec<String>,
}

/// As `POST /order` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlacedStatus {
    Live,
    Matched,
    Delayed,
}

impl PlacedStatus {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Matched => "matched",
            Self::Delayed => "delayed",
        }
    }
}

impl Order {
    /// Shares still wanted, in millionths, at a price.
    pub(crate) fn wanted_at(&self, price: Price) -> i64 {
        match self.want {
            Want::Shares(all) => all - self.matched,
            Want::Dollars { left, .. } => {
                let shares = i128::from(left) * 1_000_000 / i128::from(price.ppm());
                i64::try_from(shares).unwrap_or(i64::MAX)
            }
        }
    }

    /// Shares still wanted at its own price.
    pub(crate) fn remaining(&self) -> i64 {
        self.wanted_at(self.price)
    }

    /// What it wanted at first, in shares, as the venue shows it.
    pub(crate) fn original(&self) -> Shares {
        Shares::from_micros(match self.want {
            Want::Shares(all) => all,
            Want::Dollars { all, .. } => {
                let shares = i128::from(all) * 1_000_000 / i128::from(self.price.ppm());
                i64::try_from(shares).unwrap_or(i64::MAX)
            }
        })
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.status, OrderStatus::Live | OrderStatus::Delayed)
    }

    /// Millionths of a dollar it holds back while it is open.
    pub(crate) fn claimed_cash(&self) -> i64 {
        match (self.is_open(), self.side) {
            (true, Side::Buy) => match self.want {
                Want::Dollars { left, .. } => left,
                Want::Shares(_) => {
                    Shares::from_micros(self.remaining()).at(self.price, Rounding::Up).micros()
                }
            },
            _ => 0,
        }
    }

    /// Millionths of a share it holds back while it is open.
    pub(crate) fn claimed_shares(&self) -> i64 {
        if self.is_open() && self.side == Side::Sell { self.remaining() } else { 0 }
    }
}

impl OrderStatus {
    /// As the venue's guides spell it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Delayed => "DELAYED",
            Self::Matched => "MATCHED",
            Self::Canceled(_) => "CANCELED",
            Self::CanceledMarketResolved => "CANCELED_MARKET_RESOLVED",
        }
    }
}
