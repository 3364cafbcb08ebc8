//! The loop around the engine: what became known goes in, the world answers what the engine asks, and all of
//! it commits together with the place it was decided at.
//!
//! A simulated order and its fill commit in one transaction, because the simulated venue's memory is this
//! database; a crash in between leaves neither.

use std::collections::VecDeque;

use decision::engine::{Asked, Engine, LOOKBACK};
use decision::portfolio::Holdings;
use decision::{Command, Event, EventKind, Policy, Record};
use domain::{ChainEvent, Fact, Timestamp};
use store::feed::{self, Cursor, Item, News, Wanted};
use store::{PgConnection, Store, controls, journal, markets, resume, scores, signals};

use crate::diary;
use crate::venue::Venue;

/// The name of this reader's cursor.
const READER: &str = "orderflow-executor";
/// How many items are read at once.
const CHUNK: u32 = 200;

/// The engine, its world, and its place in the outbox.
#[derive(Debug)]
pub struct Executor {
    store: Store,
    policy: Policy,
    engine: Engine,
    venue: Venue,
    /// The last item whose consequences are committed or without consequence.
    seq: i64,
    paused: bool,
}

impl Executor {
    /// Goes on exactly where the last commit left off.
    ///
    /// # Errors
    /// If the database fails, or holds what it should not.
    pub async fn resume(store: Store, policy: Policy, mut venue: Venue) -> anyhow::Result<Self> {
        let mut connection = store.connection().await?;
        let Cursor { seq, .. } = feed::cursor(&mut connection, READER).await?;
        signals::policy(&mut connection, &policy.digest(), &policy.describe()).await?;
        let (engine, paused) = engine_at(&mut connection, policy.clone(), &mut venue, seq).await?;
        drop(connection);
        Ok(Self { store, policy, engine, venue, seq, paused })
    }

    /// Makes the engine again without what the chain took back: an entry or a panic must not count a fill twice
    /// when its transaction comes again in another block. Positions that were taken stand.
    async fn start_anew(&mut self) -> anyhow::Result<()> {
        let mut connection = self.store.connection().await?;
        let made = engine_at(&mut connection, self.policy.clone(), &mut self.venue, self.seq).await?;
        (self.engine, self.paused) = made;
        Ok(())
    }

    /// Takes in what became known, and acts on it.
    ///
    /// # Errors
    /// If the database fails: the executor must then be resumed anew, because its engine may be ahead of what
    /// was committed.
    pub async fn catch_up(&mut self) -> anyhow::Result<()> {
        loop {
            let mut connection = self.store.connection().await?;
            self.obey(&mut connection).await?;
            let items = feed::read(&mut connection, self.seq, i64::MAX, CHUNK, Wanted::Everything).await?;
            drop(connection);
            if items.is_empty() {
                return Ok(());
            }
            for item in &items {
                let records = self.take_in(item).await;
                self.seq = item.seq;
                let reverted = matches!(item.news, News::Reverted(_));
                if !records.is_empty() || reverted {
                    self.commit(&records).await?;
                }
                if reverted {
                    self.start_anew().await?;
                }
            }
            self.commit(&[]).await?;
        }
    }

    /// Takes over what a person set since.
    async fn obey(&mut self, connection: &mut PgConnection) -> anyhow::Result<()> {
        let paused = controls::paused(connection).await?;
        if paused != self.paused {
            self.paused = paused;
            self.engine.pause(paused);
            tracing::info!(paused, "entries paused or resumed");
        }
        Ok(())
    }

    /// Steps the engine through one item until it asks nothing more.
    async fn take_in(&mut self, item: &Item) -> Vec<Record> {
        let mut records = vec![];
        match &item.news {
            News::Block(facts) => {
                for fact in facts {
                    self.take_in_fact(fact, item.learned, &mut records).await;
                }
            }
            // A print that comes late moves no mark and begins no entry; a result is one whenever it comes.
            News::Late(facts) => {
                for fact in facts.iter().filter(|fact| matches!(fact.event, ChainEvent::Resolution { .. })) {
                    self.take_in_fact(fact, item.learned, &mut records).await;
                }
            }
            News::Market(market) => {
                let kind = EventKind::Market((**market).clone());
                self.settle_down(Event { at: item.learned, kind }, &mut records).await;
            }
            News::Scores(verdicts) => {
                let kind = EventKind::Scores(verdicts.clone());
                self.settle_down(Event { at: item.learned, kind }, &mut records).await;
            }
            // What settled long ago is nothing to act on.
            News::History(_) => {}
            News::Reverted(height) => {
                tracing::warn!(height, "the chain took facts back; positions taken on them stand");
            }
        }
        records
    }

    async fn take_in_fact(&mut self, fact: &Fact, learned: Timestamp, records: &mut Vec<Record>) {
        let kind = match &fact.event {
            ChainEvent::Fill(fill) => {
                self.venue.observe(fill);
                EventKind::Fill { fill: *fill, block_time: fact.place.block_time }
            }
            ChainEvent::Resolution { condition, payouts } => {
                EventKind::Resolved { condition: *condition, payouts: payouts.clone() }
            }
            _ => return,
        };
        // However late this reader is: the moment at which the engine learns of a fact is now.
        self.settle_down(Event { at: self.venue.moment(learned), kind }, records).await;
    }

    /// Steps the engine with an event, and with the answers to everything it asks, until it is quiet.
    async fn settle_down(&mut self, event: Event, records: &mut Vec<Record>) {
        let learned = event.at;
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let outcome = self.engine.step(&event);
            records.extend(outcome.records);
            for command in outcome.commands {
                let at = self.venue.moment(learned);
                let kind = match &command {
                    Command::Holdings { wallet, token } => {
                        match diary::holdings(&self.store, *wallet, *token).await {
                            Some(kind) => kind,
                            None => continue,
                        }
                    }
                    Command::Quote(token) => match self.venue.book(*token, at).await {
                        Ok(book) => EventKind::Book(book),
                        Err(detail) => EventKind::NoBook { token: *token, detail },
                    },
                    Command::Place(order) => EventKind::Report(self.venue.place(order, at).await),
                };
                events.push_back(Event { at: self.venue.moment(learned), kind });
            }
        }
    }

    /// Commits what was decided with the place it was decided at.
    async fn commit(&self, records: &[Record]) -> anyhow::Result<()> {
        let mut transaction = self.store.begin().await?;
        for record in records {
            write(&mut transaction, record, self.venue.mode()).await?;
        }
        feed::set_cursor(&mut transaction, READER, Cursor { seq: self.seq, ..Cursor::default() }).await?;
        Store::commit(transaction).await?;
        records.iter().for_each(observe);
        Ok(())
    }
}

/// The engine as it stood at a place in the outbox, and whether entries are paused.
async fn engine_at(
    connection: &mut PgConnection,
    policy: Policy,
    venue: &mut Venue,
    seq: i64,
) -> anyhow::Result<(Engine, bool)> {
    let books = resume::books(connection, seq).await?;
    let paused = books.paused;
    let holdings = Holdings {
        realized: books.realized,
        positions: books.positions,
        marks: books.marks,
        day: books.day,
        paused,
        halted_until: books.halted_until,
    };
    let mut engine = Engine::new(policy, holdings, books.last_signal);
    for market in markets::known_at(connection, seq).await? {
        engine.learn(&market);
    }
    for (condition, payouts) in resume::results(connection, seq).await? {
        engine.remember_result(condition, payouts);
    }
    engine.rate(&scores::rated_at(connection, seq).await?);
    diary::remember(connection, &mut engine).await?;
    let Some(reached) = resume::reached(connection, seq).await? else { return Ok((engine, paused)) };
    let since = reached.plus_micros(-LOOKBACK);
    for (fill, at) in resume::recent_fills(connection, seq, since).await? {
        venue.observe(&fill);
        engine.remember(&fill, at);
    }
    for judged in resume::judged(connection, since).await? {
        engine.remember_asked(Asked {
            kind: judged.kind,
            wallet: judged.wallet,
            token: judged.token,
            notional: judged.notional,
            at: judged.at,
            followed: judged.raised,
        });
    }
    Ok((engine, paused))
}

async fn write(connection: &mut PgConnection, record: &Record, mode: &str) -> anyhow::Result<()> {
    match record {
        Record::Signal(signal) => signals::signal(connection, signal).await?,
        Record::Refusal(refusal) => diary::refusal(connection, refusal).await?,
        Record::Outcome { condition, payouts, at } => {
            signals::outcome(connection, *condition, payouts, *at).await?;
        }
        Record::Order(order) => journal::order(connection, order, mode).await?,
        Record::Report(report) => journal::report(connection, report).await?,
        Record::Opened(position) => journal::opened(connection, position, mode).await?,
        Record::Settled(settlement) => journal::settled(connection, settlement).await?,
        Record::Day(day) => journal::day(connection, day).await?,
        Record::Halt { until, .. } => journal::halt(connection, *until).await?,
    }
    Ok(())
}

/// Says in the log what was committed.
fn observe(record: &Record) {
    match record {
        Record::Signal(signal) => tracing::info!(
            id = signal.id,
            kind = signal.kind.name(),
            wallet = %signal.wallet,
            market = signal.title,
            outcome = signal.outcome,
            shadow = signal.shadow,
            confidence = signal.confidence,
            "signal"
        ),
        Record::Refusal(refusal) => {
            tracing::debug!(kind = refusal.kind.name(), wallet = %refusal.wallet, reason = %refusal.reason, "refused");
        }
        Record::Opened(position) => {
            tracing::info!(id = position.id, shares = %position.shares, cost = %position.cost, "position opened");
        }
        Record::Settled(settled) => tracing::info!(id = settled.id, pnl = %settled.pnl, "position settled"),
        Record::Halt { until, loss } => {
            tracing::warn!(%until, %loss, "the day's loss reached its limit: no entries");
        }
        Record::Order(_) | Record::Report(_) | Record::Day(_) | Record::Outcome { .. } => {}
    }
}
