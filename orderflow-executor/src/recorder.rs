//! What the engine is told, kept until it is committed with what came of it.

pub(crate) mod words;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use decision::{Engine, Event, EventKind};
use domain::{Book, Timestamp, TokenId};
use store::recording::{Begun, Step};

use crate::live::UNCOMPARED;
use crate::venue::Venue;

/// So many books are remembered, to say of the next that it is the same.
const MOST_BOOKS: usize = 512;

/// The steps that are not committed yet.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// Nothing is kept of a tape, which is its own recording.
    is_on: bool,
    pending: Mutex<Vec<(Timestamp, Step)>>,
    books: BTreeMap<TokenId, Book>,
    /// The item of the outbox that is being taken in, and the log of it.
    item: i64,
    log: u32,
    /// The item whose verdicts are recorded, because what prices are worth was told with them.
    scored: Option<i64>,
}

impl Recorder {
    /// Nothing recorded yet.
    pub(crate) fn new(venue: &Venue) -> Self {
        Self { is_on: venue.is_by_the_clock(), ..Self::default() }
    }

    /// An engine begins, as it stands.
    pub(crate) fn begin(
        &mut self,
        engine: &Engine,
        venue: &Venue,
        seq: i64,
        policy: String,
        is_again: bool,
        at: Timestamp,
    ) {
        let (last, guards) = (engine.last(), engine.guards());
        let live = venue.live();
        self.push(
            at,
            Step::Begun(Begun {
                seq,
                mode: venue.mode().to_owned(),
                policy,
                last: (last.signal, last.order),
                is_again,
                paused: guards.paused,
                killed: guards.killed.clone(),
                disagreement: live.map(|_| UNCOMPARED.to_owned()),
                wallet: live.map(crate::live::Live::wallet),
                leads: engine.exits().leads.iter().map(|(position, lead)| (*position, lead.left)).collect(),
            }),
        );
    }

    /// From here on it is about this item.
    pub(crate) const fn turn_to(&mut self, item: i64) {
        self.item = item;
    }

    /// From here on it is about this log of the item's block.
    pub(crate) const fn turn_to_log(&mut self, log: u32) {
        self.log = log;
    }

    /// The engine is about to be told this.
    pub(crate) fn note(&mut self, event: &Event) {
        if !self.is_on {
            return;
        }
        let step = match &event.kind {
            EventKind::Fill { .. } | EventKind::Resolved { .. } => return self.note_fact(event.at),
            // One step is both: what prices are worth is found with the verdicts of its item, which come next.
            EventKind::Prices(_) => {
                self.scored = Some(self.item);
                Step::Scores { seq: self.item }
            }
            EventKind::Scores(_) if self.scored.take() == Some(self.item) => return,
            EventKind::Scores(_) => Step::Scores { seq: self.item },
            EventKind::Market(market) => Step::Market(market.clone()),
            EventKind::Book(book) => self.book(book),
            EventKind::NoBook { token, detail } => Step::NoBook { token: *token, says: detail.clone() },
            EventKind::Holdings { wallet, token, as_of, held } => {
                Step::Holdings { wallet: *wallet, token: *token, as_of: *as_of, held: held.clone() }
            }
            EventKind::Order(news) => Step::Order(news.clone()),
            EventKind::Control(control) => Step::Control(words::of_control(control)),
            EventKind::Guard(guard) => Step::Guard(words::of_guard(guard)),
            EventKind::Tick => Step::Tick,
        };
        self.push(event.at, step);
    }

    /// The engine is about to be told what was traded in the day before this item.
    pub(crate) fn note_volumes(&mut self, seq: i64, at: Timestamp) {
        self.push(at, Step::Volumes { seq });
    }

    /// Facts of one item that became known at one moment are one step.
    fn note_fact(&mut self, at: Timestamp) {
        let (item, log) = (self.item, self.log);
        let pending = self.pending.get_mut().unwrap_or_else(PoisonError::into_inner);
        match pending.last_mut() {
            Some((then, Step::Facts { seq, logs })) if *then == at && *seq == item => logs.push(log),
            _ => pending.push((at, Step::Facts { seq: item, logs: vec![log] })),
        }
    }

    /// A book, or that it is the one told before.
    fn book(&mut self, book: &Book) -> Step {
        let is_same = self.books.get(&book.token).is_some_and(|before| {
            (&before.bids, &before.asks, before.tick) == (&book.bids, &book.asks, book.tick)
        });
        if is_same {
            return Step::SameBook { token: book.token, made: book.at };
        }
        if MOST_BOOKS <= self.books.len() {
            self.books.clear();
        }
        self.books.insert(book.token, book.clone());
        Step::Book(book.clone())
    }

    fn push(&mut self, at: Timestamp, step: Step) {
        if self.is_on {
            self.pending.get_mut().unwrap_or_else(PoisonError::into_inner).push((at, step));
        }
    }

    /// Hands over what is not committed yet. Where that commit fails the engine is made anew, and tells so.
    pub(crate) fn take(&self) -> Vec<(Timestamp, Step)> {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
