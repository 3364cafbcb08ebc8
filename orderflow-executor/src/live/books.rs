//! The books of the tokens that matter, kept by the market channel; read over REST where there is none to be trusted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{Book, Tick, Timestamp, TokenId};
use polymarket::channel::{MarketChannel, MarketEvent, Pace};
use polymarket::{Clob, VenueError};
use service::clock;
use tokio::sync::mpsc;

/// So many books are kept; the token asked for longest ago makes room.
const MOST: usize = 400;

/// Books, shared between those who ask and the task that keeps them.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    clob: Arc<Clob>,
    channel: Arc<MarketChannel>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    books: BTreeMap<TokenId, Book>,
    /// The tokens watched, the one asked for last at the end.
    watched: VecDeque<TokenId>,
    /// Since when the channel has been lost; `None` while it is open.
    lost: Option<Timestamp>,
}

impl Books {
    /// Begins to keep books. The task ends with the last of these values.
    pub(crate) fn open(clob: Arc<Clob>, channel_url: &str, pace: Pace) -> Self {
        let (channel, events) = MarketChannel::open(channel_url, Arc::clone(&clob), pace);
        let kept = Arc::<Mutex<Kept>>::default();
        tokio::spawn(keep(Arc::downgrade(&kept), events));
        Self { clob, channel: Arc::new(channel), kept }
    }

    /// The book of a token as it is now.
    ///
    /// # Errors
    /// What the venue said, where it has none.
    pub(crate) async fn book(&self, token: TokenId) -> Result<Book, VenueError> {
        let kept = self.watch(token);
        match kept {
            Some(book) => Ok(book),
            None => self.clob.book(token).await,
        }
    }

    /// The grid of a token, if its book is kept.
    pub(crate) fn tick(&self, token: TokenId) -> Option<Tick> {
        self.kept().books.get(&token).map(|book| book.tick)
    }

    /// A book that cannot be trusted: it is read anew.
    pub(crate) fn forget(&self, token: TokenId) {
        self.kept().books.remove(&token);
    }

    /// How long there has been no word from the channel that keeps the books.
    pub(crate) fn age(&self, now: Timestamp) -> i64 {
        self.kept().lost.map_or(0, |since| now.micros_since(since).max(0))
    }

    /// Watches a token from now on, and gives its book if there is one already.
    fn watch(&self, token: TokenId) -> Option<Book> {
        let mut kept = self.kept();
        if let Some(place) = kept.watched.iter().position(|watched| *watched == token) {
            kept.watched.remove(place);
        } else {
            tracing::debug!(%token, "watching a book");
        }
        kept.watched.push_back(token);
        while MOST < kept.watched.len() {
            if let Some(oldest) = kept.watched.pop_front() {
                kept.books.remove(&oldest);
            }
        }
        // Fewer than the channel takes, so that it never refuses.
        let _never_too_many = self.channel.watch(kept.watched.iter().copied());
        let is_open = kept.lost.is_none();
        // A channel that is open tells every change: what it told last is how the book is now.
        kept.books.get(&token).filter(|_| is_open).map(|book| Book { at: clock::now(), ..book.clone() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes in what comes over the channel, until nobody asks any more.
async fn keep(kept: std::sync::Weak<Mutex<Kept>>, mut events: mpsc::Receiver<MarketEvent>) {
    while let Some(event) = events.recv().await {
        let Some(kept) = kept.upgrade() else { return };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            MarketEvent::Connected => kept.lost = None,
            MarketEvent::Book(book) => {
                kept.lost = None;
                if kept.watched.contains(&book.token) {
                    kept.books.insert(book.token, book);
                }
            }
            MarketEvent::Doubted(token) => {
                kept.books.remove(&token);
            }
            MarketEvent::Tick { token, tick } => {
                if let Some(book) = kept.books.get_mut(&token) {
                    book.tick = tick;
                }
            }
            MarketEvent::Lost { why } => {
                tracing::warn!(why, "the channel of the books is lost");
                kept.books.clear();
                kept.lost.get_or_insert_with(clock::now);
            }
            MarketEvent::Unreadable { why } => tracing::debug!(why, "unreadable on the channel of the books"),
            // Only the chain decides what a market resolved to.
            MarketEvent::Resolved { .. } => {}
        }
    }
}
