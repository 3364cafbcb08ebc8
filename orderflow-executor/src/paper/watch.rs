//! How it stands with the venue whose books are traded against on paper: whether it still answers, and whose clock is off.
//! Without that a strategy on paper would go on where one in earnest stops.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use decision::Guard;
use domain::{Book, TokenId};
use polymarket::{Clob, VenueError};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::live::LiveNews;

/// How often the age of the books is measured.
const MEASURE: Duration = Duration::from_secs(5);

/// Who measures.
#[derive(Debug)]
pub struct PaperWatch {
    clob: Arc<Clob>,
    heard: Arc<Heard>,
    news: mpsc::Sender<LiveNews>,
    /// What was told last of the age of the books, and of the clock.
    told: (i64, i64),
}

/// When the venue last had an answer to a question about a book.
#[derive(Debug)]
pub(super) struct Heard(Mutex<(Instant, Option<TokenId>)>);

impl Default for Heard {
    fn default() -> Self {
        Self(Mutex::new((Instant::now(), None)))
    }
}

impl Heard {
    /// That there is no book is an answer, too.
    pub(super) fn note(&self, token: TokenId, answer: &Result<Book, VenueError>) {
        let is_answer = matches!(answer, Ok(_) | Err(VenueError::NoBook { .. }));
        let mut heard = self.locked();
        heard.1 = Some(token);
        if is_answer {
            heard.0 = Instant::now();
        }
    }

    fn locked(&self) -> MutexGuard<'_, (Instant, Option<TokenId>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PaperWatch {
    pub(super) fn new(clob: Arc<Clob>, heard: Arc<Heard>, news: mpsc::Sender<LiveNews>) -> Self {
        Self { clob, heard, news, told: (0, 0) }
    }

    /// Measures for ever: the books every few seconds, the clock every so often.
    ///
    /// # Errors
    /// None: what cannot be found out ages.
    pub async fn run(mut self, every: Duration) -> anyhow::Result<()> {
        let mut looked = None::<Instant>;
        loop {
            let age = self.age(MEASURE).await;
            if age != self.told.0 {
                self.told.0 = age;
                self.tell(Guard::Books { age }).await;
            }
            if looked.is_none_or(|looked| every <= looked.elapsed()) {
                looked = Some(Instant::now());
                self.look_at_the_clock().await;
            }
            sleep(MEASURE.min(every)).await;
        }
    }

    /// For how long the venue has had no answer, in microseconds; nothing where it had one lately. Where nobody asked, it is
    /// asked here, for the book that was asked for last.
    async fn age(&self, lately: Duration) -> i64 {
        let (at, token) = *self.heard.locked();
        if at.elapsed() < lately {
            return 0;
        }
        match token {
            Some(token) => self.heard.note(token, &self.clob.book(token).await),
            None => {
                if self.clob.clock().await.is_ok() {
                    self.heard.locked().0 = Instant::now();
                }
            }
        }
        let silent = self.heard.locked().0.elapsed();
        if silent < lately { 0 } else { i64::try_from(silent.as_micros()).unwrap_or(i64::MAX) }
    }

    async fn look_at_the_clock(&mut self) {
        match self.clob.clock().await {
            Ok(reading) if reading.ahead != self.told.1 => {
                self.told.1 = reading.ahead;
                self.tell(Guard::Clock { skew: reading.ahead }).await;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the venue's clock could not be read"),
        }
    }

    async fn tell(&self, guard: Guard) {
        // Who trades on paper outlives who measures for it.
        if self.news.send(LiveNews::Guard(guard)).await.is_err() {
            tracing::error!("nobody trades on paper any more");
        }
    }
}
