//! What the chain did, into the database: decoded, or kept as it came where it cannot be.

use std::sync::Arc;

use domain::Timestamp;
use polygon::follow::{BlockPoint, ChainUpdate, Stretch};
use service::{CancellationToken, clock};
use store::facts::{self, Added, Block, Point, Writer};
use store::{Store, StoreError};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::blocks::blocks_of;
use crate::latency::Latency;

/// The name of this writer's place on the chain.
pub(crate) const WRITER: &str = "orderflow-listener";
/// How often a stretch is tried that a backfill takes in at the same moment.
const COLLISIONS: u32 = 5;

/// Stores what the chain did.
pub(crate) struct Ingest {
    writer: Writer,
    unknown_tokens: Arc<Notify>,
    latency: Arc<Latency>,
}

impl Ingest {
    /// A failing machine takes the newest facts and the place on the chain behind them together, and nobody has acted
    /// on them lastingly: so their commits need not wait for the disk, as whoever acts on them does for both.
    pub(crate) fn new(store: &Store, unknown_tokens: Arc<Notify>, latency: Arc<Latency>) -> Self {
        Self { writer: Writer::new(store.in_small_steps().repeatable(), WRITER), unknown_tokens, latency }
    }

    /// Stores updates until it is told to stop or there are no more.
    pub(crate) async fn run(
        mut self,
        mut updates: mpsc::Receiver<ChainUpdate>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            let update = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                update = updates.recv() => update,
            };
            match update {
                Some(ChainUpdate::Committed(stretch)) => self.take_in(None, Some(stretch)).await?,
                Some(ChainUpdate::Reorged { to, new }) => self.take_in(Some(to), Some(new)).await?,
                Some(ChainUpdate::Reverted { to }) => self.take_in(Some(to), None).await?,
                // The other end only goes away when everything stops.
                None => {
                    stop.cancelled().await;
                    return Ok(());
                }
            }
        }
    }

    /// Goes back where that is needed and takes in what is new, in one transaction.
    async fn take_in(&mut self, back: Option<BlockPoint>, new: Option<Stretch>) -> anyhow::Result<()> {
        let learned = clock::now();
        let begun = Instant::now();
        let blocks = new.as_ref().map(|stretch| blocks_of(stretch, learned)).unwrap_or_default();
        step("decode", begun);
        let mut attempt = 1;
        let done = loop {
            match self.commit(back, new.as_ref(), &blocks, learned).await {
                Ok(done) => break done,
                // Somebody reads this as history meanwhile; what is covered now is left out the next time.
                Err(error) if error.is_collision() && attempt < COLLISIONS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        };
        self.say(&done);
        if let Some(stretch) = &new {
            self.latency.record(Instant::now().saturating_duration_since(stretch.seen));
            metrics::gauge!("orderflow_live_block").set(stretch.through.number as f64);
        }
        if self.writer.take_unknown() {
            self.unknown_tokens.notify_one();
        }
        let unreadable: usize = blocks.iter().map(|block| block.unreadable.len()).sum();
        if unreadable > 0 {
            tracing::warn!(unreadable, "logs could not be read and were kept aside");
        }
        Ok(())
    }

    async fn commit(
        &mut self,
        back: Option<BlockPoint>,
        new: Option<&Stretch>,
        blocks: &[Block],
        learned: Timestamp,
    ) -> Result<Done, StoreError> {
        let begun = Instant::now();
        let stretch = new.map(|new| facts::Stretch {
            from: new.from,
            through: Point { number: new.through.number, hash: new.through.hash },
            blocks,
            source: &new.source,
        });
        let mut done = Done { orphaned: None, added: Added::default() };
        let transaction = match (back, stretch) {
            (None, Some(stretch)) => {
                let (transaction, added) = self.writer.append(&stretch).await?;
                done.added = added;
                transaction
            }
            (back, stretch) => {
                let mut transaction = self.writer.begin(blocks).await?;
                if let Some(to) = back {
                    let to = Point { number: to.number, hash: to.hash };
                    done.orphaned = Some(self.writer.revert(&mut transaction, to, learned).await?);
                }
                if let Some(stretch) = stretch {
                    done.added = self.writer.commit(&mut transaction, &stretch).await?;
                }
                transaction
            }
        };
        step("insert", begun);
        let begun = Instant::now();
        Store::commit(transaction).await?;
        step("commit", begun);
        Ok(done)
    }

    fn say(&self, done: &Done) {
        if let Some(orphaned) = done.orphaned {
            tracing::warn!(orphaned, "the chain took blocks back");
            metrics::counter!("orderflow_reorganisations_total").increment(1);
        }
        tracing::debug!(fills = done.added.fills, "stored");
        metrics::counter!("orderflow_fills_total").increment(done.added.fills);
    }
}

/// One of the steps of a block into the database.
fn step(name: &'static str, begun: Instant) {
    metrics::histogram!("orderflow_block_step_seconds", "step" => name).record(begun.elapsed());
}

/// What a commit came to.
struct Done {
    orphaned: Option<u64>,
    added: Added,
}
