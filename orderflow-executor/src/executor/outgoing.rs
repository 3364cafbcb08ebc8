//! How an order goes out in earnest, and how what becomes of it comes back.
//!
//! It is signed, committed with all that led to it, and only then handed over: whatever happens between any two of
//! these steps, the next start finds in the database which bytes may have reached the venue, and asks.

use std::time::{Duration, Instant};

use decision::risk::Approved;
use decision::{Event, EventKind, Record};
use domain::{ChainEvent, Fact, Fill, Order, Purpose, Timestamp, Wallet};
use service::clock;
use store::live::{self, Intent};
use store::{PgConnection, Store, Transaction, facts, halts, markets, resume};

use super::{Executor, READER, decided_so_far};
use crate::diary;
use crate::live::{Live, LiveNews, Prepared};

/// So many pieces of news are taken in before anything else is looked at again.
const AT_ONCE: usize = 256;

/// So far may the chain's clock be behind ours.
const CLOCKS: i64 = Timestamp::MINUTE;

/// One of the steps of an order on its way out.
pub(crate) fn step(name: &'static str, taken: Duration) {
    metrics::histogram!("orderflow_order_step_seconds", "step" => name).record(taken);
}

/// Whether a record is an order, and not this one.
fn is_another(record: &Record, order: i64) -> bool {
    matches!(record, Record::Order(one) if one.id != order)
}

/// Tells the venue of our own fills that were read from the outbox before a restart: the matches they belong to may
/// not have been known then, and nobody reads that place again.
pub(super) async fn tell_again(connection: &mut PgConnection, live: &Live, seq: i64) -> anyhow::Result<()> {
    let unfinished = resume::orders(connection).await?;
    let Some(oldest) = unfinished.iter().map(|sent| sent.order.at).min() else { return Ok(()) };
    let since = oldest.plus_micros(-CLOCKS);
    for fact in facts::of_wallet(connection, live.wallet(), seq).await?.facts {
        if let ChainEvent::Fill(fill) = &fact.event
            && fill.wallet == live.wallet()
            && since <= fact.place.block_time
        {
            live.on_chain(fact.place.tx_hash, fill).await;
        }
    }
    Ok(())
}

impl Executor {
    /// Whether a wallet is the one we trade from.
    pub(super) fn is_ours(&self, wallet: Wallet) -> bool {
        self.venue.live().is_some_and(|live| live.wallet() == wallet)
    }

    /// Signs an order, commits it with everything decided before, and hands it over. What is known of it at once is
    /// nothing, or that it ended here.
    pub(super) async fn send_out(
        &self,
        live: &Live,
        order: &Approved<Order>,
        records: &mut Vec<Record>,
    ) -> anyhow::Result<Vec<EventKind>> {
        let begun = Instant::now();
        let mut decided = decided_so_far(records);
        // Another order that was decided with it is stored when it goes out itself.
        records.extend(decided.extract_if(.., |record| is_another(record, order.get().id)));
        // What led to the order is written meanwhile.
        let signing = live.prepare(order, self.engine.market(order.get().condition));
        let (transaction, prepared) = tokio::join!(self.begin_intent(order.get(), &decided), signing);
        match prepared {
            Ok(prepared) => {
                // The place in the outbox stays where it was: what led to the order is read again after a crash, and
                // found to have been decided.
                step("sign", begun.elapsed());
                let signed = Instant::now();
                self.commit_signed(transaction?, &decided, &prepared).await?;
                step("commit", signed.elapsed());
                live.send(prepared).await;
                self.record_delay(order.get());
                Ok(vec![])
            }
            Err(news) => {
                tracing::warn!(order = order.get().id, what = ?news.what, "an order was not sent");
                // Nothing was committed: it is with what follows from this.
                records.splice(..0, decided);
                Ok(vec![EventKind::Order(news)])
            }
        }
    }

    /// How long it took from learning of what is followed to handing the order over.
    fn record_delay(&self, order: &Order) {
        let micros = |from: Timestamp, to: Timestamp| {
            Duration::from_micros(u64::try_from(to.micros_since(from)).unwrap_or_default())
        };
        step("decide", micros(self.learned, order.at));
        if order.purpose == Purpose::Enter {
            metrics::histogram!("orderflow_whale_to_order_seconds")
                .record(micros(self.learned, clock::now()));
        }
    }

    /// Begins the transaction of an order's intent with everything that led to it. The order itself is stored with its
    /// bytes.
    async fn begin_intent(&self, order: &Order, decided: &[Record]) -> anyhow::Result<Transaction> {
        let mut transaction = self.store.begin().await?;
        let is_it = |record: &&Record| !matches!(record, Record::Order(one) if one.id == order.id);
        diary::write(&mut transaction, decided.iter().filter(is_it), self.venue.mode()).await?;
        Ok(transaction)
    }

    /// The one commit that waits for the disk, because a stranger acts on it: and so nothing before it can be lost.
    async fn commit_signed(
        &self,
        mut transaction: Transaction,
        decided: &[Record],
        prepared: &Prepared,
    ) -> anyhow::Result<()> {
        let (order, signed) = (prepared.order(), prepared.row());
        let intent = Intent {
            order,
            mode: self.venue.mode(),
            signed: &signed,
            learned: self.learned,
            reader: READER,
            seq: self.seq,
            steps: &self.recorder.take(),
        };
        live::intent(&mut transaction, &intent).await?;
        Store::commit(transaction).await?;
        decided.iter().for_each(diary::observe);
        tracing::info!(order = order.id, hash = %prepared.hash(), "an order goes out");
        Ok(())
    }

    /// What became known of orders; waits for it, for ever where nothing comes without being asked. Dropping the
    /// future loses nothing.
    pub async fn news(&mut self) -> Option<LiveNews> {
        self.venue.news().await
    }

    /// Takes in what became known, and everything else that is known by now.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn hear(&mut self, news: LiveNews) -> anyhow::Result<()> {
        let mut records = vec![];
        let mut next = Some(news);
        for _ in 0..AT_ONCE {
            let Some(news) = next else { break };
            let at = clock::now();
            let kind = match news {
                LiveNews::Order(news) => EventKind::Order(news),
                LiveNews::Guard(guard) => EventKind::Guard(guard),
                LiveNews::Halt(kind, reason) => {
                    // For whoever comes after this one, before anything else is done.
                    let mut transaction = self.store.begin().await?;
                    halts::halt(&mut transaction, kind, &reason).await?;
                    Store::commit(transaction).await?;
                    next = self.venue.news_now();
                    continue;
                }
                LiveNews::Market(market) => {
                    // For the executor that comes after this one, too.
                    let mut transaction = self.store.begin().await?;
                    markets::learn(&mut transaction, std::slice::from_ref(&market), at).await?;
                    Store::commit(transaction).await?;
                    EventKind::Market(market)
                }
            };
            self.settle_down(Event { at, kind }, &mut records).await?;
            next = self.venue.news_now();
        }
        if records.is_empty() { Ok(()) } else { self.commit(&records).await }
    }

    /// Takes in what is known by now, without waiting for it.
    pub(super) async fn hear_now(&mut self) -> anyhow::Result<()> {
        match self.venue.news_now() {
            Some(news) => self.hear(news).await,
            None => Ok(()),
        }
    }

    /// Our own fill, as the chain has it: nothing to follow, but what it says of the amounts counts.
    pub(super) async fn on_own_fill(&self, fact: &Fact, fill: &Fill) {
        if let Some(live) = self.venue.live() {
            live.on_chain(fact.place.tx_hash, fill).await;
        }
    }
}
