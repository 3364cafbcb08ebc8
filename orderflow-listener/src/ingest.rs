//! What the chain did, into the database: decoded, or kept as it came where it cannot be.

use std::sync::Arc;

use domain::Timestamp;
use polygon::follow::{BlockPoint, ChainUpdate, Stretch};
use service::{CancellationToken, clock};
use store::facts::{self, Block, Point, Writer};
use store::{Store, StoreError};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::backfill::BACKFILL;
use crate::blocks::blocks_of;
use crate::latency::Latency;

/// The name of this writer's place on the chain.
pub(crate) const WRITER: &str = "orderflow-listener";
/// How often a stretch is tried again that a backfill has covered in the same moment.
const OVERLAPS: u32 = 3;

/// Stores what the chain did.
pub(crate) struct Ingest {
    store: Store,
    writer: Writer,
    unknown_tokens: Arc<Notify>,
    latency: Arc<Latency>,
}

impl Ingest {
    pub(crate) fn new(store: Store, unknown_tokens: Arc<Notify>, latency: Arc<Latency>) -> Self {
        Self { writer: Writer::new(store.clone(), WRITER), store, unknown_tokens, latency }
    }

    /// Stores updates until it is told to stop or there are no more.
    pub(crate) async fn run(
        mut self,
        mut updates: mpsc::Receiver<ChainUpdate>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        self.index_what_was_left().await?;
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

    /// Gives partitions their indexes that a backfill left without, unless it is still at it.
    async fn index_what_was_left(&self) -> anyhow::Result<()> {
        match self.store.become_only(BACKFILL).await {
            Ok(_nobody_fills) => {
                Ok(facts::index_partitions(&mut *self.store.connection().await?).await?)
            }
            Err(StoreError::AlreadyRunning { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Goes back where that is needed and takes in what is new, in one transaction.
    async fn take_in(&mut self, back: Option<BlockPoint>, new: Option<Stretch>) -> anyhow::Result<()> {
        let learned = clock::now();
        let blocks = new.as_ref().map(|stretch| blocks_of(stretch, learned)).unwrap_or_default();
        let mut attempt = 1;
        let has_unknown = loop {
            match self.commit(back, new.as_ref(), &blocks, learned).await {
                Ok(has_unknown) => break has_unknown,
                // Somebody read this as history meanwhile; what is covered now is left out the next time.
                Err(error) if error.is_overlap() && attempt < OVERLAPS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        };
        if let Some(stretch) = &new {
            self.latency.record(Instant::now().saturating_duration_since(stretch.seen));
        }
        if has_unknown {
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
    ) -> Result<bool, StoreError> {
        let (mut transaction, has_unknown) = self.writer.begin(blocks).await?;
        if let Some(to) = back {
            let to = Point { number: to.number, hash: to.hash };
            let orphaned = self.writer.revert(&mut transaction, to, learned).await?;
            tracing::warn!(to = to.number, orphaned, "the chain took blocks back");
            metrics::counter!("orderflow_reorganisations_total").increment(1);
        }
        if let Some(new) = new {
            let stretch = facts::Stretch {
                from: new.from,
                through: Point { number: new.through.number, hash: new.through.hash },
                blocks,
                source: &new.source,
            };
            let added = self.writer.commit(&mut transaction, &stretch).await?;
            tracing::debug!(through = stretch.through.number, fills = added.fills, "stored");
            metrics::counter!("orderflow_fills_total").increment(added.fills);
            metrics::gauge!("orderflow_live_block").set(stretch.through.number as f64);
        }
        Store::commit(transaction).await?;
        Ok(has_unknown)
    }
}
