//! The books of the tokens that matter, kept by the market channel; read over REST where there is none to be trusted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{Book, Tick, Timestamp, TokenId};
use polymarket::channel::{MarketChannel, MarketEvent, Pace};
use polymarket::{Clob, VenueError};
use service::clock;
use tokio::sync::mpsc;

/// So many books are kept; the token asked for longest ago makes room.
const MOST: usize = 400;

/// The channel may be so far behind what is read beside it, in microseconds.
const ON_ITS_WAY: i64 = 2_000_000;

/// So many are read again at once, of those of which nothing was heard for a while.
const AT_ONCE: usize = 20;

/// Books, shared between those who ask and the task that keeps them.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    clob: Arc<Clob>,
    channel: Arc<MarketChannel>,
    kept: Arc<Mutex<Kept>>,
    /// After how long without a word a book is read again.
    quiet: Duration,
}

#[derive(Debug, Default)]
struct Kept {
    books: BTreeMap<TokenId, Held>,
    /// The tokens watched, the one asked for last at the end.
    watched: VecDeque<TokenId>,
    /// Tokens whose book changed without a word of the channel, and since when that is known. Unless its word was only on its
    /// way, it is not believed about them until it is opened anew: it has left something out.
    frozen: BTreeMap<TokenId, Timestamp>,
    /// Since when the channel has been lost; `None` while it is open.
    lost: Option<Timestamp>,
}

impl Kept {
    /// Whether what the channel says of a token counts. What comes right after the book was found to be another was on its
    /// way.
    fn is_believed(&mut self, token: TokenId) -> bool {
        let Some(since) = self.frozen.get(&token) else { return true };
        let is_late = clock::now().micros_since(*since) <= ON_ITS_WAY;
        if is_late {
            self.frozen.remove(&token);
        }
        is_late
    }
}

/// A book, and when it was last known to be so.
#[derive(Clone, Debug)]
struct Held {
    book: Book,
    heard: Timestamp,
}

impl Books {
    /// Begins to keep books. The task ends with the last of these values.
    pub(crate) fn open(clob: Arc<Clob>, channel_url: &str, pace: Pace, quiet: Duration) -> Self {
        let (channel, events) = MarketChannel::open(channel_url, Arc::clone(&clob), pace);
        let kept = Arc::<Mutex<Kept>>::default();
        tokio::spawn(keep(Arc::downgrade(&kept), events));
        Self { clob, channel: Arc::new(channel), kept, quiet }
    }

    /// The book of a token as it is now, with the moment at which it was last known to be so. One of which nothing was heard
    /// for too long is read first.
    ///
    /// # Errors
    /// What the venue said, where it has none.
    pub(crate) async fn book(&self, token: TokenId) -> Result<Book, VenueError> {
        match self.watch(token).filter(|held| !self.is_quiet(held, 2)) {
            Some(Held { book, heard }) => Ok(Book { at: heard, ..book }),
            None => self.read(token).await,
        }
    }

    /// Reads the books again of which nothing was heard for a while, those asked for last first: whoever needs one of them
    /// need not wait for it then, and one about which the channel has fallen silent is found out.
    pub(crate) async fn refresh(&self) {
        let quiet: Vec<TokenId> = {
            let kept = self.kept();
            let is_quiet =
                |token: &&TokenId| kept.books.get(*token).is_some_and(|held| self.is_quiet(held, 1));
            kept.watched.iter().rev().filter(is_quiet).take(AT_ONCE).copied().collect()
        };
        futures_util::future::join_all(quiet.into_iter().map(async |token| {
            if let Err(error) = self.read(token).await {
                tracing::debug!(%token, %error, "a book of which nothing was heard could not be read");
            }
        }))
        .await;
    }

    /// Reads a book over REST, and holds what the channel said against it.
    async fn read(&self, token: TokenId) -> Result<Book, VenueError> {
        let before = self.kept().books.get(&token).map(|held| held.heard);
        let book = self.clob.book(token).await?;
        let mut kept = self.kept();
        // What the channel said meanwhile is newer, or as new.
        if let Some(held) = kept.books.get_mut(&token).filter(|held| Some(held.heard) == before) {
            held.heard = clock::now();
            if !is_same(&held.book, &book) {
                held.book = book.clone();
                tracing::warn!(%token, "a book changed without a word of its channel");
                kept.frozen.entry(token).or_insert_with(clock::now);
            }
        }
        Ok(book)
    }

    fn is_quiet(&self, held: &Held, times: u32) -> bool {
        let silent = u64::try_from(clock::now().micros_since(held.heard)).unwrap_or_default();
        self.quiet.saturating_mul(times) <= Duration::from_micros(silent)
    }

    /// The grid of a token, if its book is kept.
    pub(crate) fn tick(&self, token: TokenId) -> Option<Tick> {
        self.kept().books.get(&token).map(|held| held.book.tick)
    }

    /// A book that cannot be trusted: it is read anew.
    pub(crate) fn forget(&self, token: TokenId) {
        self.kept().books.remove(&token);
    }

    /// How long there has been no word from the channel that keeps the books.
    pub(crate) fn age(&self, now: Timestamp) -> i64 {
        self.kept().lost.map_or(0, |since| now.micros_since(since).max(0))
    }

    /// Watches a token from now on, and gives its book if there is one already that the channel keeps.
    fn watch(&self, token: TokenId) -> Option<Held> {
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
                kept.frozen.remove(&oldest);
            }
        }
        // Fewer than the channel takes, so that it never refuses.
        let _never_too_many = self.channel.watch(kept.watched.iter().copied());
        let is_told = kept.lost.is_none() && !kept.frozen.contains_key(&token);
        kept.books.get(&token).filter(|_| is_told).cloned()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same(one: &Book, other: &Book) -> bool {
    (&one.bids, &one.asks, one.tick) == (&other.bids, &other.asks, other.tick)
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
                if kept.watched.contains(&book.token) && kept.is_believed(book.token) {
                    kept.books.insert(book.token, Held { book, heard: clock::now() });
                }
            }
            MarketEvent::Doubted(token) => {
                kept.books.remove(&token);
            }
            MarketEvent::Tick { token, tick } => {
                if let Some(held) = kept.books.get_mut(&token) {
                    held.book.tick = tick;
                }
            }
            MarketEvent::Lost { why } => {
                tracing::warn!(why, "the channel of the books is lost");
                kept.books.clear();
                kept.frozen.clear();
                kept.lost.get_or_insert_with(clock::now);
            }
            MarketEvent::Unreadable { why } => tracing::debug!(why, "unreadable on the channel of the books"),
            // Only the chain decides what a market resolved to.
            MarketEvent::Resolved { .. } => {}
        }
    }
}
