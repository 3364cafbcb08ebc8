//! An order book at one moment, best levels first.

use crate::id::TokenId;
use crate::money::Shares;
use crate::price::{Price, Tick};
use crate::time::Timestamp;

/// Shares on offer at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Dollars a share.
    pub price: Price,
    /// Shares on offer; above zero.
    pub shares: Shares,
}

/// The book of one outcome token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// Whose book.
    pub token: TokenId,
    /// When the venue made it.
    pub at: Timestamp,
    /// Bids, highest first.
    pub bids: Vec<Level>,
    /// Asks, lowest first.
    pub asks: Vec<Level>,
    /// The price grid.
    pub tick: Tick,
}

impl Book {
    /// A book from levels in any order: empty levels go, the best come first.
    #[must_use]
    pub fn new(
        token: TokenId,
        at: Timestamp,
        tick: Tick,
        mut bids: Vec<Level>,
        mut asks: Vec<Level>,
    ) -> Self {
        bids.retain(|level| level.shares.is_positive());
        asks.retain(|level| level.shares.is_positive());
        bids.sort_by_key(|level| std::cmp::Reverse(level.price));
        asks.sort_by_key(|level| level.price);
        Self { token, at, bids, asks, tick }
    }

    /// The highest price somebody pays.
    #[must_use]
    pub fn best_bid(&self) -> Option<Price> {
        self.bids.first().map(|level| level.price)
    }

    /// The lowest price somebody sells at.
    #[must_use]
    pub fn best_ask(&self) -> Option<Price> {
        self.asks.first().map(|level| level.price)
    }

    /// Half way between the best bid and the best ask; `None` while either side is empty or they cross.
    #[must_use]
    pub fn mid(&self) -> Option<Price> {
        let (bid, ask) = (self.best_bid()?, self.best_ask()?);
        (bid < ask).then(|| Price::from_ppm(u32::midpoint(bid.ppm(), ask.ppm()))).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;

    fn level(price: &str, shares: i32) -> Level {
        Level { price: price.parse().unwrap(), shares: Shares::whole(shares) }
    }

    #[test]
    fn the_best_levels_come_first_whatever_the_venue_sends() {
        let book = Book::new(
            TokenId(U256::from(1)),
            Timestamp::default(),
            Tick::CENT,
            vec![level("0.40", 5), level("0.42", 1), level("0.43", 0)],
            vec![level("0.50", 5), level("0.44", 1)],
        );
        assert_eq!(book.best_bid(), Some("0.42".parse().unwrap()));
        assert_eq!(book.best_ask(), Some("0.44".parse().unwrap()));
        assert_eq!(book.mid(), Some("0.43".parse().unwrap()));
    }
}
