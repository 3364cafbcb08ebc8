//! The world that answers the engine: books when it asks for them, and news of what it orders.

use std::collections::BTreeMap;

use decision::risk::Approved;
use decision::venue::{self, Resting};
use decision::{Portfolio, Sent};
use domain::{Book, ConditionId, Fill, Order, OrderNews, Place, Price, Shares, Tick, Timestamp, TokenId};
use service::clock;

use crate::live::{Live, LiveNews};
use crate::paper::{Paper, unfilled};

/// Who answers.
#[derive(Debug)]
pub enum Venue {
    /// The live CLOB's books; orders are filled on paper against them.
    Paper(Paper),
    /// A recorded tape, which has no books: each is implied by the print that led to the question.
    Tape(Prints),
    /// The venue in earnest.
    Live(Box<Live>),
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
            && Shares::DUST <= fill.shares
        {
            prints.last.insert(fill.token, (price, fill.shares));
        }
    }

    /// The moment at which an answer becomes known: now, or in the tape's own time.
    #[must_use]
    pub fn moment(&self, learned: Timestamp) -> Timestamp {
        match self {
            Self::Paper(_) | Self::Live(_) => learned.max(clock::now()),
            Self::Tape(_) => learned,
        }
    }

    /// Whether time goes by the clock, and not by what a tape tells.
    #[must_use]
    pub const fn is_by_the_clock(&self) -> bool {
        matches!(self, Self::Paper(_) | Self::Live(_))
    }

    /// The venue in earnest, whose memory of an order cannot be taken back with a transaction of ours: an order is
    /// committed before it is sent there.
    #[must_use]
    pub fn live(&self) -> Option<&Live> {
        match self {
            Self::Live(live) => Some(live),
            Self::Paper(_) | Self::Tape(_) => None,
        }
    }

    /// What became known meanwhile, where anything does without being asked.
    pub async fn news(&mut self) -> Option<LiveNews> {
        match self {
            Self::Live(live) => live.news().await,
            Self::Paper(paper) => paper.news().await,
            Self::Tape(_) => std::future::pending().await,
        }
    }

    /// The same without waiting.
    pub fn news_now(&mut self) -> Option<LiveNews> {
        match self {
            Self::Live(live) => live.news_now(),
            Self::Paper(paper) => paper.news_now(),
            Self::Tape(_) => None,
        }
    }

    /// The book of a token.
    ///
    /// # Errors
    /// What the venue said, where it has none.
    pub async fn quote(
        &self,
        token: TokenId,
        condition: Option<ConditionId>,
        at: Timestamp,
    ) -> Result<Book, String> {
        match self {
            Self::Live(live) => live.book(token, condition).await,
            Self::Paper(paper) => paper.quote(token, condition).await,
            Self::Tape(prints) => match prints.last.get(&token) {
                Some((price, shares)) => Ok(venue::implied_book(token, at, *price, *shares, Tick::CENT)),
                None => Err("the tape has no print of this token".to_owned()),
            },
        }
    }

    /// Places an order on paper: what is known of it at once. In earnest an order goes another way, because it is
    /// committed in between.
    pub async fn place(&self, order: &Approved<Order>, learned: Timestamp) -> Vec<OrderNews> {
        let at = self.moment(learned);
        let condition = order.get().condition;
        match self {
            Self::Paper(paper) => paper.place(order, learned).await,
            _ => match self.quote(order.get().token, Some(condition), at).await {
                Ok(book) => venue::execute(order, &book, self.moment(learned)),
                Err(reason) => vec![unfilled(order, reason, self.moment(learned))],
            },
        }
    }

    /// Cancels an order: what is known of that at once.
    pub async fn cancel(&self, order: &Sent, learned: Timestamp) -> Vec<OrderNews> {
        match self {
            Self::Live(live) => {
                live.cancel(order.order.id).await;
                vec![]
            }
            Self::Paper(_) | Self::Tape(_) => {
                Resting::new(order).map(|order| order.cancel(self.moment(learned))).into_iter().collect()
            }
        }
    }

    /// What a print does to the orders that rest here.
    #[must_use]
    pub fn on_print(
        &self,
        portfolio: &Portfolio,
        fill: &Fill,
        place: &Place,
        at: Timestamp,
    ) -> Vec<OrderNews> {
        match self {
            Self::Live(_) => vec![],
            Self::Paper(_) | Self::Tape(_) => portfolio
                .orders()
                .filter_map(Resting::new)
                .flat_map(|order| order.on_print(fill, place, at))
                .collect(),
        }
    }

    /// What time does to the orders that rest here.
    #[must_use]
    pub fn on_time(&self, portfolio: &Portfolio, at: Timestamp) -> Vec<OrderNews> {
        match self {
            // Its orders expire there, and it says so.
            Self::Live(_) => vec![],
            Self::Paper(_) | Self::Tape(_) => {
                portfolio.orders().filter_map(Resting::new).filter_map(|order| order.on_time(at)).collect()
            }
        }
    }

    /// The mode in which orders and positions are kept.
    #[must_use]
    pub const fn mode(&self) -> &'static str {
        match self {
            Self::Live(_) => "live",
            Self::Paper(_) | Self::Tape(_) => "paper",
        }
    }
}
