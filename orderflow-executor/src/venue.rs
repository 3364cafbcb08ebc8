//! The world that answers the engine: books when it asks for them, fills for what it orders.

use std::collections::BTreeMap;

use decision::risk::Approved;
use decision::venue;
use domain::{Book, Fill, Order, Price, Report, Shares, Tick, Timestamp, TokenId, Usd};
use polymarket::Clob;
use service::clock;

/// Less than this many shares is no print to price a book by.
const DUST: Shares = Shares::from_micros(10_000);

/// Who answers.
#[derive(Debug)]
pub enum Venue {
    /// The live CLOB's books; orders are filled on paper against them.
    Paper(Clob),
    /// A recorded tape, which has no books: each is implied by the print that led to the question.
    Tape(Prints),
}

/// The last print of each token.
#[derive(Debug, Default)]
pub struct Prints {
    last: BTreeMap<TokenId, (Price, Shares)>,
}

impl Venue {
    /// Takes in a fill that the engine is about to see.
    pub fn observe(&mut self, fill: &Fill) {
        if let (Self::Tape(prints), Some(price)) = (self, fill.price())
            && DUST <= fill.shares
        {
            prints.last.insert(fill.token, (price, fill.shares));
        }
    }

    /// The moment at which an answer becomes known: now, or in the tape's own time.
    #[must_use]
    pub fn moment(&self, learned: Timestamp) -> Timestamp {
        match self {
            Self::Paper(_) => learned.max(clock::now()),
            Self::Tape(_) => learned,
        }
    }

    /// The book of a token.
    ///
    /// # Errors
    /// What the venue said, where it has none.
    pub async fn book(&self, token: TokenId, at: Timestamp) -> Result<Book, String> {
        match self {
            Self::Paper(clob) => clob.book(token).await.map_err(|error| error.to_string()),
            Self::Tape(prints) => match prints.last.get(&token) {
                Some((price, shares)) => Ok(venue::implied_book(token, at, *price, *shares, Tick::CENT)),
                None => Err("the tape has no print of this token".to_owned()),
            },
        }
    }

    /// What an order buys, in the book as it stands when the order arrives.
    pub async fn place(&self, order: &Approved<Order>, at: Timestamp) -> Report {
        match self.book(order.get().token, at).await {
            Ok(book) => venue::fill(order, &book),
            Err(reason) => {
                tracing::warn!(order = order.get().id, reason, "no book for an order: it is unfilled");
                Report { order: order.get().id, shares: Shares::ZERO, usd: Usd::ZERO, fee: Usd::ZERO }
            }
        }
    }

    /// The mode in which orders and positions are kept.
    #[must_use]
    pub const fn mode(&self) -> &'static str {
        "paper"
    }
}
