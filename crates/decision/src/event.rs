//! What the engine is told, and what it asks for.

use domain::{Book, ConditionId, Fill, Market, Order, OrderNews, Payouts, Timestamp, TokenId, Verdict};

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
    /// New verdicts about wallets.
    Scores(Vec<Verdict>),
    /// The book the engine asked for.
    Book(Book),
    /// There is none.
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
    /// The book of a token.
    Quote(TokenId),
    /// An order that risk has seen.
    Place(Approved<Order>),
    /// An order that is no longer wanted.
    Cancel(i64),
}
