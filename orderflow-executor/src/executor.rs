//! The loop around the engine: what became known goes in, the world answers what the engine asks, and all of
//! it commits together with the place it was decided at.
//!
//! A simulated order and its fill commit in one transaction, because the simulated venue's memory is this
//! database; a crash in between leaves neither. How an order goes out in earnest stands in `outgoing`.

mod outgoing;
mod settle;

use std::time::{Duration, Instant};

use decision::{Engine, Event, EventKind, Guard, Policy, Record};
use domain::{ChainEvent, Fact, Timestamp};
use service::clock;
use store::feed::{self, Cursor, Item, News};
use store::{Store, controls, recording, resume, signals};

use crate::diary;
use crate::live::UNCOMPARED;
use crate::recorder::Recorder;
use crate::restore::{engine_at, remember_volumes};
use crate::venue::Venue;
pub(crate) use outgoing::step;

/// The name of this reader's cursor.
const READER: &str = "orderflow-executor";
/// How many items are read at once.
const CHUNK: u32 = 200;
/// How often what a person asked for is looked at while there is much to read.
const OBEY: Duration = Duration::from_millis(250);
/// While a backfill goes on, what was traded in the last day is added up anew so often.
const VOLUMES: Duration = Duration::from_secs(600);
/// How often the engine is told that time went by.
const TICK: Duration = Duration::from_secs(10);

/// The engine, its world, and its place in the outbox.
#[derive(Debug)]
pub struct Executor {
    store: Store,
    policy: Policy,
    engine: Engine,
    venue: Venue,
    /// What the engine was told since the last commit.
    recorder: Recorder,
    /// When the facts that are being taken in became known to the engine; `None` once something was asked meanwhile.
    told: Option<Timestamp>,
    /// The last item whose consequences are committed or without consequence.
    seq: i64,
    /// When the controls were last looked at, and when the engine was last told the time.
    obeyed: Option<Instant>,
    ticked: Option<Instant>,
    /// When what is being acted on was learned.
    learned: Timestamp,
    /// Whether the database knows more of what was traded than the engine: history was read since.
    has_history: bool,
    /// When that was made up for last.
    volumes_read: Option<Instant>,
    /// A person's requests to close that were heard, and whose end is not committed.
    closing: Vec<i64>,
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
        let mut engine = engine_at(&mut connection, policy.clone(), &mut venue, seq).await?;
        if let Some(live) = venue.live() {
            outgoing::tell_again(&mut connection, live, seq).await?;
        }
        drop(connection);
        if venue.live().is_some() {
            // Until the books and the venue have been compared nobody knows whether they agree.
            let mut guards = engine.guards().clone();
            guards.measure(&Guard::Reconcile(Some(UNCOMPARED.to_owned())));
            engine.remember_guards(guards);
        }
        let (now, mut recorder) = (clock::now(), Recorder::new(&venue));
        recorder.begin(&engine, &venue, seq, policy.digest(), false, now);
        Ok(Self {
            store,
            policy,
            engine,
            venue,
            recorder,
            told: None,
            seq,
            obeyed: None,
            ticked: None,
            learned: now,
            has_history: false,
            volumes_read: None,
            closing: vec![],
        })
    }

    /// Makes the engine again without what the chain took back: an entry or a panic must not count a fill twice
    /// when its transaction comes again in another block. Positions that were taken stand.
    async fn start_anew(&mut self) -> anyhow::Result<()> {
        let mut connection = self.store.connection().await?;
        let guards = self.engine.guards().clone();
        self.engine = engine_at(&mut connection, self.policy.clone(), &mut self.venue, self.seq).await?;
        self.engine.remember_guards(guards);
        drop(connection);
        let at = self.now().await?;
        self.recorder.begin(&self.engine, &self.venue, self.seq, self.policy.digest(), true, at);
        // A wallet that left by a sale that never was has not left.
        let held = self.engine.reconsider_leads(at);
        if held.is_empty() { Ok(()) } else { self.commit(&held).await }
    }

    /// Takes in what became known, and acts on it.
    ///
    /// # Errors
    /// If the database fails: the executor must then be resumed anew, because its engine may be ahead of what
    /// was committed.
    pub async fn catch_up(&mut self) -> anyhow::Result<()> {
        loop {
            let begun = Instant::now();
            let items = self.obey_and_read().await?;
            note_reading(&items, begun.elapsed());
            self.hear_now().await?;
            self.tick().await?;
            if items.is_empty() {
                return Ok(());
            }
            for item in &items {
                if self.is_to_obey() {
                    self.obey().await?;
                }
                self.hear_now().await?;
                let records = self.take_in(item).await?;
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

    /// The time by the clock, or where the tape has come to.
    async fn now(&self) -> anyhow::Result<Timestamp> {
        if self.venue.is_by_the_clock() {
            return Ok(clock::now());
        }
        let reached = resume::reached(&mut *self.store.connection().await?, self.seq).await?;
        Ok(reached.unwrap_or_default())
    }

    /// Tells the engine by the clock that time went by, and how far behind the chain is seen.
    async fn tick(&mut self) -> anyhow::Result<()> {
        if !self.venue.is_by_the_clock() || self.ticked.is_some_and(|ticked| ticked.elapsed() < TICK) {
            return Ok(());
        }
        self.ticked = Some(Instant::now());
        let newest = resume::reached(&mut *self.store.connection().await?, i64::MAX).await?;
        if self.has_history && self.volumes_read.is_none_or(|read| VOLUMES <= read.elapsed()) {
            self.read_volumes().await?;
        }
        let at = clock::now();
        self.learned = at;
        let mut records = vec![];
        if let Some(newest) = newest {
            let kind = EventKind::Guard(Guard::Chain { age: at.micros_since(newest) });
            self.settle_down(Event { at, kind }, &mut records).await?;
        }
        self.pass_time(at, &mut records).await?;
        if records.is_empty() { Ok(()) } else { self.commit(&records).await }
    }

    /// Reads what was traded in the last day anew.
    async fn read_volumes(&mut self) -> anyhow::Result<()> {
        (self.has_history, self.volumes_read) = (false, Some(Instant::now()));
        self.recorder.note_volumes(self.seq, clock::now());
        remember_volumes(&mut *self.store.connection().await?, &mut self.engine, self.seq).await
    }

    /// Time went by: orders expire, and the engine looks at what waits for it.
    async fn pass_time(&mut self, at: Timestamp, records: &mut Vec<Record>) -> anyhow::Result<()> {
        for news in self.venue.on_time(self.engine.portfolio(), at) {
            self.settle_down(Event { at: news.at, kind: EventKind::Order(news) }, records).await?;
        }
        self.settle_down(Event { at, kind: EventKind::Tick }, records).await
    }

    /// Steps the engine through one item until it asks nothing more.
    async fn take_in(&mut self, item: &Item) -> anyhow::Result<Vec<Record>> {
        let mut records = vec![];
        (self.learned, self.told) = (item.learned, None);
        self.recorder.turn_to(item.seq);
        match &item.news {
            News::Block(facts) => {
                for fact in facts {
                    self.take_in_fact(fact, item.learned, &mut records).await?;
                }
                if !self.venue.is_by_the_clock() {
                    self.pass_time(item.learned, &mut records).await?;
                }
            }
            // A print that comes late moves no mark and begins no entry; a result is one whenever it comes.
            News::Late(facts) => {
                for fact in facts.iter().filter(|fact| matches!(fact.event, ChainEvent::Resolution { .. })) {
                    self.take_in_fact(fact, item.learned, &mut records).await?;
                }
            }
            News::Market(market) => {
                let kind = EventKind::Market((**market).clone());
                self.settle_down(Event { at: item.learned, kind }, &mut records).await?;
            }
            News::Scores { prices, verdicts } => {
                if let Some(prices) = prices {
                    let kind = EventKind::Prices((**prices).clone());
                    self.settle_down(Event { at: item.learned, kind }, &mut records).await?;
                }
                let kind = EventKind::Scores(verdicts.clone());
                self.settle_down(Event { at: item.learned, kind }, &mut records).await?;
            }
            // What settled long ago is nothing to act on, but it says how much a market is traded.
            News::History(_) => self.has_history = true,
            News::Reverted(height) => {
                tracing::warn!(height, "the chain took facts back; positions taken on them stand");
            }
        }
        Ok(records)
    }

    async fn take_in_fact(
        &mut self,
        fact: &Fact,
        learned: Timestamp,
        records: &mut Vec<Record>,
    ) -> anyhow::Result<()> {
        self.recorder.turn_to_log(fact.place.log_index);
        // However late this reader is: the moment at which the engine learns of a fact is now, and the same for all
        // facts between which it asks nothing.
        let at = *self.told.get_or_insert_with(|| self.venue.moment(learned));
        let kind = match &fact.event {
            // What we did ourselves is nothing to follow.
            ChainEvent::Fill(fill) if self.is_ours(fill.wallet) => {
                self.on_own_fill(fact, fill).await;
                return Ok(());
            }
            ChainEvent::Fill(fill) => {
                self.venue.observe(fill);
                for news in self.venue.on_print(self.engine.portfolio(), fill, &fact.place, at) {
                    self.settle_down(Event { at, kind: EventKind::Order(news) }, records).await?;
                }
                EventKind::Fill { fill: *fill, block_time: fact.place.block_time }
            }
            ChainEvent::Resolution { condition, payouts } => {
                EventKind::Resolved { condition: *condition, payouts: payouts.clone() }
            }
            _ => return Ok(()),
        };
        self.settle_down(Event { at, kind }, records).await
    }

    /// Commits what was decided with the place it was decided at, and that a person's requests are obeyed.
    async fn commit(&mut self, records: &[Record]) -> anyhow::Result<()> {
        self.commit_at_place(records).await?;
        self.closing.clear();
        Ok(())
    }

    /// Commits what was decided so far in the middle of an item, without the item's own place, and that a person's requests
    /// are obeyed.
    async fn commit_early(&self, records: &mut Vec<Record>) -> anyhow::Result<()> {
        self.commit_at_place(&decided_so_far(records)).await
    }

    /// Nobody outside acts on it, so that it need not wait for the disk: what a failing machine loses of it is found anew
    /// from the outbox and from the venue, or was a person's wish, which is written down for good.
    async fn commit_at_place(&self, records: &[Record]) -> anyhow::Result<()> {
        let is_for_good = !self.closing.is_empty() || records.iter().any(is_latch);
        let mut transaction =
            if is_for_good { self.store.begin().await? } else { self.store.begin_repeatable().await? };
        recording::write(&mut transaction, &self.recorder.take()).await?;
        diary::write(&mut transaction, records, self.venue.mode()).await?;
        for request in &self.closing {
            controls::obeyed(&mut transaction, *request).await?;
        }
        feed::set_cursor(&mut transaction, READER, Cursor { seq: self.seq, ..Cursor::default() }).await?;
        Store::commit(transaction).await?;
        records.iter().for_each(diary::observe);
        Ok(())
    }
}

/// How long the newest item took from being had by its writer to being looked for, and then to read.
fn note_reading(items: &[Item], taken: Duration) {
    if let Some(item) = items.last() {
        let age = u64::try_from(clock::now().micros_since(item.learned)).unwrap_or_default();
        outgoing::step("told", Duration::from_micros(age).saturating_sub(taken));
        outgoing::step("read", taken);
    }
}

/// Takes what can be committed in the middle of an item. What a followed wallet gave up is added up fill by fill, and
/// after a crash these fills are read again: its sum stays behind, for the commit of the place behind them.
fn decided_so_far(records: &mut Vec<Record>) -> Vec<Record> {
    let (later, decided) =
        std::mem::take(records).into_iter().partition(|record| matches!(record, Record::Lead { .. }));
    *records = later;
    decided
}

/// Whether a record stops entries, or lets them go on.
const fn is_latch(record: &Record) -> bool {
    matches!(record, Record::Halt { .. } | Record::Losses(_) | Record::Day(_))
}
