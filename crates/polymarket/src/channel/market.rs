//! The books of the tokens we watch, kept up to date change by change, and doubted where they should be.
//!
//! The channel numbers nothing, so a change that was missed shows only in what does not fit: then the book is read
//! again over REST, and until it has come there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::{Book, ConditionId, Tick, Timestamp, TokenId};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

use super::ladder::{Change, Ladder};
use super::link::{Link, Lost, Pace, is_sign_of_life, pause};
use super::said::Said;
use crate::clob::Clob;
use crate::http::VenueError;
use crate::wire::clob::BookBody;

/// The venue serves so many tokens on a connection.
pub const MOST_TOKENS: usize = 500;

/// So many events wait for their reader; then the connection waits too.
const WAITING: usize = 1_024;

/// So many books are read over REST at once.
const READING: usize = 8;

/// How far REST may be ahead of the channel before a difference means that the channel is frozen.
const BEHIND: i64 = 2_000_000;

/// A book that was read over REST in vain is not read again at once.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// What comes over the market channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarketEvent {
    /// Connected; books follow.
    Connected,
    /// A book as it is now.
    Book(Book),
    /// The book last told of a token cannot be trusted; another follows.
    Doubted(TokenId),
    /// A market changed its price grid.
    Tick {
        /// Of this token.
        token: TokenId,
        /// The grid from now on.
        tick: Tick,
    },
    /// The venue says that a market is resolved. Only the chain decides it.
    Resolved {
        /// The condition.
        condition: ConditionId,
        /// The token that won, where it is told.
        winner: Option<TokenId>,
    },
    /// Something that cannot be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// No book told before counts any more, until others follow.
    Lost {
        /// Why.
        why: String,
    },
}

/// Says which tokens are watched. The channel stays open until it and the receiver are dropped.
#[derive(Debug)]
pub struct MarketChannel {
    wished: watch::Sender<BTreeSet<TokenId>>,
}

impl MarketChannel {
    /// Opens the channel at `base_url` (such as `wss://ws-subscriptions-clob.polymarket.com`); books that are doubted
    /// are read from `clob`. Without tokens to watch it does not connect.
    #[must_use]
    pub fn open(base_url: &str, clob: Arc<Clob>, pace: Pace) -> (Self, mpsc::Receiver<MarketEvent>) {
        let (events, receiver) = mpsc::channel(WAITING);
        let (wished, wishes) = watch::channel(BTreeSet::new());
        let (read, answers) = mpsc::channel(READING);
        let mut compare = interval(pace.compare);
        compare.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let url = format!("{}/ws/market", base_url.trim_end_matches('/'));
        let places = Arc::new(Semaphore::new(READING));
        let books = Books::default();
        let watch = Watch { url, clob, places, pace, events, wishes, read, answers, compare, books };
        tokio::spawn(watch.run());
        (Self { wished }, receiver)
    }

    /// Watches exactly these tokens from now on.
    ///
    /// # Errors
    /// [`VenueError::TooMany`] beyond [`MOST_TOKENS`]; nothing changes then. More need another channel.
    pub fn watch(&self, tokens: impl IntoIterator<Item = TokenId>) -> Result<(), VenueError> {
        let tokens: BTreeSet<TokenId> = tokens.into_iter().collect();
        if tokens.len() > MOST_TOKENS {
            return Err(VenueError::TooMany { given: tokens.len(), most: MOST_TOKENS });
        }
        self.wished.send_if_modified(|wished| {
            let is_new = *wished != tokens;
            *wished = tokens;
            is_new
        });
        Ok(())
    }
}

/// What is known of the books on this connection.
#[derive(Default)]
struct Books {
    subscribed: BTreeSet<TokenId>,
    ladders: BTreeMap<TokenId, Ladder>,
    /// Tokens whose book is being read over REST.
    asked: BTreeSet<TokenId>,
    /// The newest change of a book that is being read.
    newest: BTreeMap<TokenId, Timestamp>,
    /// The token compared last.
    compared: Option<TokenId>,
}

/// A book read over REST, or not.
struct Answer {
    token: TokenId,
    book: Option<Book>,
    is_comparison: bool,
}

/// The task that owns the connection.
struct Watch {
    url: String,
    clob: Arc<Clob>,
    /// For those that read over REST at once.
    places: Arc<Semaphore>,
    pace: Pace,
    events: mpsc::Sender<MarketEvent>,
    wishes: watch::Receiver<BTreeSet<TokenId>>,
    read: mpsc::Sender<Answer>,
    answers: mpsc::Receiver<Answer>,
    compare: Interval,
    books: Books,
}

/// What happened while waiting.
enum Stir {
    Word(String),
    Wishes,
    Answer(Answer),
    Compare,
}

impl Watch {
    async fn run(mut self) {
        let events = self.events.clone();
        tokio::select! {
            () = self.connections() => {}
            () = events.closed() => {}
        }
    }

    /// Connection after connection, until nobody can wish any more.
    async fn connections(&mut self) {
        let mut failures = 0;
        loop {
            if self.wishes.wait_for(|tokens| !tokens.is_empty()).await.is_err() {
                return;
            }
            let begun = Instant::now();
            let Err(lost) = self.serve().await else { return };
            let why = lost.to_string();
            tracing::debug!(%why, "market channel lost");
            self.books = Books::default();
            if self.events.send(MarketEvent::Lost { why }).await.is_err() {
                return;
            }
            failures = if begun.elapsed() > self.pace.longest_pause { 0 } else { failures + 1 };
            sleep(pause(&self.pace, failures)).await;
        }
    }

    /// Passes on what comes until the connection is lost; `Ok` where nobody wishes any more.
    async fn serve(&mut self) -> Result<(), Lost> {
        let mut link = Link::connect(&self.url, self.pace).await?;
        let tokens = self.wishes.borrow_and_update().clone();
        link.send(
            json!({"type": "market", "assets_ids": names(&tokens), "custom_feature_enabled": true,
                   "initial_dump": true})
            .to_string(),
        )
        .await?;
        self.books.subscribed = tokens;
        self.compare.reset();
        let mut is_connected = false;
        loop {
            let stir = tokio::select! {
                word = link.next() => Stir::Word(word?.as_str().to_owned()),
                changed = self.wishes.changed() => match changed {
                    Ok(()) => Stir::Wishes,
                    Err(_) => return Ok(()),
                },
                Some(answer) = self.answers.recv() => Stir::Answer(answer),
                _ = self.compare.tick() => Stir::Compare,
            };
            match stir {
                Stir::Word(text) => {
                    if !is_connected {
                        is_connected = true;
                        self.tell(MarketEvent::Connected).await?;
                    }
                    self.take(&text).await?;
                }
                Stir::Wishes => self.resubscribe(&mut link).await?,
                Stir::Answer(answer) => self.take_answer(answer).await?,
                Stir::Compare => self.ask_next(),
            }
        }
    }

    async fn tell(&self, event: MarketEvent) -> Result<(), Lost> {
        self.events.send(event).await.map_err(|_| Lost::Doubtful("nobody listens"))
    }

    /// Tells the venue which tokens came and went.
    async fn resubscribe(&mut self, link: &mut Link) -> Result<(), Lost> {
        let wished = self.wishes.borrow_and_update().clone();
        let gone: BTreeSet<TokenId> = self.books.subscribed.difference(&wished).copied().collect();
        let new: BTreeSet<TokenId> = wished.difference(&self.books.subscribed).copied().collect();
        for (operation, tokens) in [("unsubscribe", &gone), ("subscribe", &new)] {
            if !tokens.is_empty() {
                let wish = json!({"operation": operation, "assets_ids": names(tokens),
                                  "custom_feature_enabled": true, "initial_dump": true});
                link.send(wish.to_string()).await?;
            }
        }
        self.books.ladders.retain(|token, _| !gone.contains(token));
        self.books.subscribed = wished;
        // Nobody promises a snapshot to those who join later.
        for token in new {
            self.ask(token, false);
        }
        Ok(())
    }

    /// Takes a word of the venue: an event, or several.
    async fn take(&mut self, text: &str) -> Result<(), Lost> {
        if is_sign_of_life(text) {
            return Ok(());
        }
        let events = match serde_json::from_str(text) {
            Ok(Value::Array(events)) => events,
            Ok(event) => vec![event],
            Err(_) => return self.tell(MarketEvent::Unreadable { why: format!("`{text:.60}`") }).await,
        };
        for event in events {
            match Said::read(event) {
                Ok(Said::Book { token, body }) => self.take_book(token, *body).await?,
                Ok(Said::Changes { at, changes }) => self.take_changes(at, &changes).await?,
                Ok(Said::Tick { token, tick }) => {
                    if let Some(ladder) = self.books.ladders.get_mut(&token) {
                        ladder.change_tick(tick);
                    }
                    self.tell(MarketEvent::Tick { token, tick }).await?;
                }
                Ok(Said::Resolved { condition, winner }) => {
                    self.tell(MarketEvent::Resolved { condition, winner }).await?;
                }
                Ok(Said::Other) => {}
                Err(unclear) => {
                    self.tell(MarketEvent::Unreadable { why: unclear.why }).await?;
                    // It may have been of any book.
                    if unclear.is_change {
                        return Err(Lost::Doubtful("a change that cannot be read"));
                    }
                }
            }
        }
        Ok(())
    }

    async fn take_book(&mut self, token: TokenId, mut body: BookBody) -> Result<(), Lost> {
        if !self.books.subscribed.contains(&token) {
            return Ok(());
        }
        if body.tick_size.as_ref().is_none_or(|tick| tick.0.is_empty()) {
            let known = self.books.ladders.get(&token).map(Ladder::tick);
            body.tick_size = known.map(|tick| domain::Usd::from_micros(tick.ppm().into()).into());
        }
        match body.into_book(token) {
            Ok(book) => {
                self.books.ladders.insert(token, Ladder::of(&book));
                self.tell(MarketEvent::Book(book)).await
            }
            Err(why) => {
                self.tell(MarketEvent::Unreadable { why: format!("book: {why}") }).await?;
                self.doubt(token).await
            }
        }
    }

    async fn take_changes(&mut self, at: Timestamp, changes: &[Change]) -> Result<(), Lost> {
        // What a change says of the ends of the book is true after all changes it came with.
        let mut last: BTreeMap<TokenId, &Change> = BTreeMap::new();
        for change in changes.iter().filter(|change| self.books.subscribed.contains(&change.token)) {
            if let Some(ladder) = self.books.ladders.get_mut(&change.token) {
                ladder.apply(change, at);
            }
            last.insert(change.token, change);
        }
        for (token, change) in last {
            let newest = self.books.newest.entry(token).or_default();
            *newest = (*newest).max(at);
            match self.books.ladders.get(&token) {
                Some(ladder) if ladder.agrees_with(change) => {
                    let book = ladder.book();
                    self.tell(MarketEvent::Book(book)).await?;
                }
                Some(_) => self.doubt(token).await?,
                None => self.ask(token, false),
            }
        }
        Ok(())
    }

    /// A book that does not fit counts no more, until it has been read again.
    async fn doubt(&mut self, token: TokenId) -> Result<(), Lost> {
        self.books.ladders.remove(&token);
        self.tell(MarketEvent::Doubted(token)).await?;
        self.ask(token, false);
        Ok(())
    }

    /// Reads a book over REST beside the connection, if it is not being read already.
    fn ask(&mut self, token: TokenId, is_comparison: bool) {
        self.ask_after(token, is_comparison, Duration::ZERO);
    }

    fn ask_after(&mut self, token: TokenId, is_comparison: bool, delay: Duration) {
        if !self.books.asked.insert(token) {
            return;
        }
        let (clob, read, places) = (Arc::clone(&self.clob), self.read.clone(), Arc::clone(&self.places));
        tokio::spawn(async move {
            sleep(delay).await;
            let _place = places.acquire().await;
            let book = clob.book(token).await.ok();
            let _nobody_watches = read.send(Answer { token, book, is_comparison }).await;
        });
    }

    /// Compares one book after the other with what REST says.
    fn ask_next(&mut self) {
        let after = self.books.compared.and_then(|last| {
            self.books.ladders.range((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded)).next()
        });
        let next = after.or_else(|| self.books.ladders.iter().next()).map(|(token, _)| *token);
        if let Some(token) = next {
            self.books.compared = Some(token);
            self.ask(token, true);
            return;
        }
        // Subscribed, and no book of any: what was promised did not come.
        for token in self.books.subscribed.clone().into_iter().take(READING) {
            self.ask(token, false);
        }
    }

    async fn take_answer(&mut self, answer: Answer) -> Result<(), Lost> {
        let Answer { token, book, is_comparison } = answer;
        self.books.asked.remove(&token);
        let newest = self.books.newest.remove(&token).unwrap_or_default();
        if !self.books.subscribed.contains(&token) {
            return Ok(());
        }
        if is_comparison && let Some(ladder) = self.books.ladders.get(&token) {
            let is_frozen =
                book.is_some_and(|book| book.at.micros_since(ladder.at()) > BEHIND && !ladder.equals(&book));
            return if is_frozen { Err(Lost::Doubtful("the channel lags behind the book")) } else { Ok(()) };
        }
        if self.books.ladders.contains_key(&token) {
            // The channel brought its own meanwhile.
            return Ok(());
        }
        match book {
            // A snapshot older than a change that has passed by would miss it for ever.
            Some(book) if book.at >= newest => {
                self.books.ladders.insert(token, Ladder::of(&book));
                self.tell(MarketEvent::Book(book)).await
            }
            _ => {
                self.ask_after(token, false, READ_AGAIN);
                Ok(())
            }
        }
    }
}

fn names(tokens: &BTreeSet<TokenId>) -> Vec<String> {
    tokens.iter().map(TokenId::to_string).collect()
}
