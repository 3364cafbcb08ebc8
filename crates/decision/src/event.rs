//! What the engine is told, and what it asks for.

use domain::{
    Book, ConditionId, Fill, Market, Order, OrderNews, Payouts, PriceMap, Shares, Timestamp, TokenId,
    Verdict, Wallet,
};

use crate::guards::{Control, Guard};
use crate::risk::Approved;

/// Something the engine learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The moment we learned it: never before it happened, which is what makes look-ahead impossible.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
}

/// What the engine can learn. The set is closed.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A market's description.
    Market(Market),
    /// Some wallet's fill.
    Fill {
        /// The fill.
        fill: Fill,
        /// When it happened.
        block_time: Timestamp,
    },
    /// A condition's result.
    Resolved {
        /// The condition.
        condition: ConditionId,
        /// What its outcomes pay.
        payouts: Payouts,
    },
    /// What prices are worth from here on, as the pass learned it whose verdicts come next.
    Prices(PriceMap),
    /// New verdicts about wallets.
    Scores(Vec<Verdict>),
    /// The book the engine asked for.
    Book(Book),
    /// What the wallet holds that the engine asked about.
    Holdings {
        /// Whose.
        wallet: Wallet,
        /// The token it was asked about.
        token: TokenId,
        /// The moment up to which this is known.
        as_of: Timestamp,
        /// What it held then of the outcomes of the token's market.
        held: Vec<(TokenId, Shares)>,
    },
    /// There is no such book.
    NoBook {
        /// Whose book was asked for.
        token: TokenId,
        /// What the venue said.
        detail: String,
    },
    /// What the venue said of an order.
    Order(OrderNews),
    /// What a person asked for.
    Control(Control),
    /// A measurement of the world's condition.
    Guard(Guard),
    /// Time went by: what waits for it is looked at again.
    Tick,
}

/// What the engine asks the world for; answers come back as events.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// What a wallet holds of the outcomes of a token's market. Asked before its quote; no answer means that nobody
    /// knows.
    Holdings {
        /// Whose.
        wallet: Wallet,
        /// Which token.
        token: TokenId,
    },
    /// The book of a token.
    Quote(TokenId),
    /// An order that risk has seen.
    Place(Approved<Order>),
    /// An order that is no longer wanted.
    Cancel(i64),
}
