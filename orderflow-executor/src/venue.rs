//! The world that answers the engine: books when it asks for them, and news of what it orders.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use decision::risk::Approved;
use decision::venue::{self, Resting};
use decision::{Portfolio, Sent, VenueMode};
use domain::{
    Book, Closing, Fill, Order, OrderEvent, OrderNews, Place, Price, Shares, Tick, Timestamp, TokenId,
};
use polymarket::{Clob, VenueError};
use service::clock;

use crate::live::{Live, LiveNews};

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

/// Orders on paper. Their memory is the engine's portfolio, and so the database: those that rest survive a restart.
#[derive(Debug)]
pub struct Paper {
    /// Whose books are read.
    pub clob: Clob,
    /// How long an order is on its way: it meets the book as it stands then.
    pub latency: Duration,
    /// When the venue last said that it is being started anew.
    restarting: Mutex<Option<Timestamp>>,
}

/// For so long after a start the venue takes only orders that rest.
const POST_ONLY_AFTER_START: i64 = 2 * Timestamp::MINUTE;

/// With this status it says that it is being started anew.
const TOO_EARLY: u16 = 425;

impl Paper {
    /// A venue on paper.
    #[must_use]
    pub const fn new(clob: Clob, latency: Duration) -> Self {
        Self { clob, latency, restarting: Mutex::new(None) }
    }

    async fn book(&self, token: TokenId) -> Result<Book, String> {
        self.clob.book(token).await.map_err(|error| {
            if matches!(error, VenueError::Status { code: TOO_EARLY, .. }) {
                *self.restarting.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock::now());
            }
            error.to_string()
        })
    }

    /// What the venue takes, as far as its public answers tell.
    fn mode(&self, at: Timestamp) -> VenueMode {
        let seen = *self.restarting.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.filter(|seen| at < seen.plus_micros(POST_ONLY_AFTER_START)) {
            Some(_) => VenueMode::PostOnly,
            None => VenueMode::Normal,
        }
    }
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
            Self::Paper(_) | Self::Tape(_) => std::future::pending().await,
        }
    }

    /// The same without waiting.
    pub fn news_now(&mut self) -> Option<LiveNews> {
        match self {
            Self::Live(live) => live.news_now(),
            Self::Paper(_) | Self::Tape(_) => None,
        }
    }

    /// The book of a token.
    ///
    /// # Errors
    /// What the venue said, where it has none.
    pub async fn quote(&self, token: TokenId, at: Timestamp) -> Result<Book, String> {
        match self {
            Self::Live(live) => live.book(token).await,
            Self::Paper(paper) => paper.book(token).await,
            Self::Tape(prints) => match prints.last.get(&token) {
                Some((price, shares)) => Ok(venue::implied_book(token, at, *price, *shares, Tick::CENT)),
                None => Err("the tape has no print of this token".to_owned()),
            },
        }
    }

    /// Places an order on paper: what is known of it at once. In earnest an order goes another way, because it is
    /// committed in between.
    pub async fn place(&self, order: &Approved<Order>, learned: Timestamp) -> Vec<OrderNews> {
        if let Self::Paper(paper) = self {
            tokio::time::sleep(paper.latency).await;
        }
        let book = self.quote(order.get().token, self.moment(learned)).await;
        let at = self.moment(learned);
        if let Self::Paper(paper) = self
            && let Some(news) = venue::turned_away(order, paper.mode(at), at)
        {
            return vec![news];
        }
        match book {
            Ok(book) => venue::execute(order, &book, at),
            Err(reason) => {
                let id = order.get().id;
                tracing::warn!(order = id, reason, "no book for an order: it is unfilled");
                let why = Closing::Rejected { reason };
                vec![OrderNews { order: id, at, what: OrderEvent::Closed { why, matched: Shares::ZERO } }]
            }
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
