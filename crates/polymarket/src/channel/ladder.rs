//! The book of one token as it is kept between snapshots.

use std::collections::BTreeMap;

use domain::{Book, Level, Price, Shares, Side, Tick, Timestamp, TokenId};

use crate::wire::Number;
use crate::wire::channel::ChangeBody;

/// A book that changes level by level.
pub(super) struct Ladder {
    token: TokenId,
    tick: Tick,
    at: Timestamp,
    bids: BTreeMap<Price, Shares>,
    asks: BTreeMap<Price, Shares>,
}

/// A change of one level.
pub(super) struct Change {
    pub(super) token: TokenId,
    side: Side,
    price: Price,
    shares: Shares,
    best: Option<(Option<Price>, Option<Price>)>,
}

impl Change {
    /// The change that a body says.
    pub(super) fn read(body: &ChangeBody) -> Result<Self, String> {
        let side = Side::from_name(&body.side.to_ascii_uppercase())
            .ok_or_else(|| format!("side `{:.20}`", body.side))?;
        let shares: Shares = body.size.0.parse().map_err(|error| format!("{error}"))?;
        let best = body.best_bid.as_ref().zip(body.best_ask.as_ref());
        Ok(Self {
            token: body.asset_id.parse().map_err(|error| format!("{error}"))?,
            side,
            price: body.price.0.parse().map_err(|error| format!("{error}"))?,
            shares,
            best: best.map(|(bid, ask)| (end(bid), end(ask))),
        })
    }
}

/// The best level of a side; an empty side is written as 0, 1 or nothing, none of which is a price.
fn end(number: &Number) -> Option<Price> {
    number.0.parse().ok()
}

impl Ladder {
    pub(super) fn of(book: &Book) -> Self {
        let side = |levels: &[Level]| levels.iter().map(|level| (level.price, level.shares)).collect();
        Self {
            token: book.token,
            tick: book.tick,
            at: book.at,
            bids: side(&book.bids),
            asks: side(&book.asks),
        }
    }

    pub(super) const fn at(&self) -> Timestamp {
        self.at
    }

    pub(super) const fn tick(&self) -> Tick {
        self.tick
    }

    pub(super) fn change_tick(&mut self, tick: Tick) {
        self.tick = tick;
    }

    /// Takes a change.
    pub(super) fn apply(&mut self, change: &Change, at: Timestamp) {
        let side = match change.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        if change.shares.is_positive() {
            side.insert(change.price, change.shares);
        } else {
            side.remove(&change.price);
        }
        self.at = self.at.max(at);
    }

    /// Whether the book makes sense and ends where the change says it does: there are no numbers by which a change
    /// that was missed would show otherwise.
    pub(super) fn agrees_with(&self, change: &Change) -> bool {
        let ends = (self.best_bid(), self.best_ask());
        let crosses = ends.0.zip(ends.1).is_some_and(|(bid, ask)| bid >= ask);
        !crosses && change.best.is_none_or(|told| told == ends)
    }

    /// Whether a book has the same levels.
    pub(super) fn equals(&self, book: &Book) -> bool {
        let other = Self::of(book);
        self.bids == other.bids && self.asks == other.asks
    }

    fn best_bid(&self) -> Option<Price> {
        self.bids.last_key_value().map(|(price, _)| *price)
    }

    fn best_ask(&self) -> Option<Price> {
        self.asks.first_key_value().map(|(price, _)| *price)
    }

    pub(super) fn book(&self) -> Book {
        let levels = |side: &BTreeMap<Price, Shares>| {
            side.iter().map(|(price, shares)| Level { price: *price, shares: *shares }).collect()
        };
        Book::new(self.token, self.at, self.tick, levels(&self.bids), levels(&self.asks))
    }
}
