//! Orders on paper: what would have become of them at the venue, by its own books, demands and delays.

mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use decision::VenueMode;
use decision::risk::Approved;
use decision::venue::{self, MIN_SHARES};
use domain::{Book, Closing, ConditionId, Order, OrderEvent, OrderNews, Shares, Timestamp, TokenId};
use polymarket::{Clob, VenueError};
use service::clock;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::demands::{Demands, hold};
use crate::live::LiveNews;
use watch::Heard;
pub use watch::PaperWatch;

/// For so long after a start the venue takes only orders that rest.
const POST_ONLY_AFTER_START: i64 = 2 * Timestamp::MINUTE;

/// So many measurements wait for their reader.
const WAITING: usize = 16;

/// With this status it says that it is being started anew.
const TOO_EARLY: u16 = 425;

/// A venue on paper. Its memory is the engine's portfolio, and so the database: orders that rest survive a restart.
#[derive(Debug)]
pub struct Paper {
    /// Whose books are read.
    clob: Arc<Clob>,
    demands: Demands,
    /// How long an order is on its way: it meets the book as it stands then.
    latency: Duration,
    /// When the venue last said that it is being started anew.
    restarting: Mutex<Option<Timestamp>>,
    heard: Arc<Heard>,
    /// What is measured beside it, where somebody does.
    news: Option<mpsc::Receiver<LiveNews>>,
}

impl Paper {
    /// A venue on paper, with the books of that one. An order is on its way for `latency`.
    #[must_use]
    pub fn new(clob: Clob, latency: Duration) -> Self {
        let clob = Arc::new(clob);
        Self {
            demands: Demands::new(Arc::clone(&clob)),
            clob,
            latency,
            restarting: Mutex::new(None),
            heard: Arc::default(),
            news: None,
        }
    }

    /// The same, with who measures how it stands with the venue; its task must be run.
    #[must_use]
    pub fn watched(mut self) -> (Self, PaperWatch) {
        let (sender, news) = mpsc::channel(WAITING);
        self.news = Some(news);
        let watch = PaperWatch::new(Arc::clone(&self.clob), Arc::clone(&self.heard), sender);
        (self, watch)
    }

    /// What was measured; for ever waiting where nobody does.
    pub(crate) async fn news(&mut self) -> Option<LiveNews> {
        match &mut self.news {
            Some(news) => news.recv().await,
            None => std::future::pending().await,
        }
    }

    /// The same without waiting.
    pub(crate) fn news_now(&mut self) -> Option<LiveNews> {
        self.news.as_mut().and_then(|news| news.try_recv().ok())
    }

    /// The book of a token. What its market demands is read beside it.
    pub(crate) async fn quote(&self, token: TokenId, condition: Option<ConditionId>) -> Result<Book, String> {
        if let Some(condition) = condition {
            self.demands.look_ahead(condition);
            // What is to be sold there is looked at again with the next tick, and not offered in vain.
            if self.demands.known(condition).is_some_and(|terms| terms.accepting == Some(false)) {
                return Err("the market takes no orders".to_owned());
            }
        }
        self.book(token).await
    }

    async fn book(&self, token: TokenId) -> Result<Book, String> {
        let book = self.clob.book(token).await;
        self.heard.note(token, &book);
        book.map_err(|error| {
            if matches!(error, VenueError::Status { code: TOO_EARLY, .. }) {
                *self.restarting.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock::now());
            }
            error.to_string()
        })
    }

    /// What becomes of an order that is sent now. One that would match where its market holds back what takes meets the book
    /// as it stands after that.
    pub(crate) async fn place(&self, order: &Approved<Order>, learned: Timestamp) -> Vec<OrderNews> {
        let now = || learned.max(clock::now());
        let (terms, ()) = tokio::join!(self.demands.read(order.get().condition), sleep(self.latency));
        let least = terms.as_ref().map_or(MIN_SHARES, |terms| terms.least);
        let arrived = self.book(order.get().token).await;
        let at = now();
        if let Some(news) = venue::turned_away(order, self.mode(at), at) {
            return vec![news];
        }
        if terms.as_ref().is_some_and(|terms| terms.accepting == Some(false)) {
            return vec![unfilled(order, "the market takes no orders".to_owned(), at)];
        }
        let held = terms.as_ref().map(hold).filter(|held| !held.is_zero());
        let book = match (arrived, held) {
            (Ok(book), Some(held)) if venue::is_held_back(order, &book) => {
                sleep(held).await;
                self.book(order.get().token).await
            }
            (arrived, _) => arrived,
        };
        match book {
            Ok(book) => venue::execute_above(order, &book, least, now()),
            Err(reason) => vec![unfilled(order, reason, now())],
        }
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

/// An order that met no book.
pub(crate) fn unfilled(order: &Approved<Order>, reason: String, at: Timestamp) -> OrderNews {
    let id = order.get().id;
    tracing::warn!(order = id, reason, "no book for an order: it is unfilled");
    let why = Closing::Rejected { reason };
    OrderNews { order: id, at, what: OrderEvent::Closed { why, matched: Shares::ZERO } }
}
