//! History, beside whatever follows the head: read in parallel ranges, stored in bulk.
//!
//! What is covered is the only memory: a backfill that was killed is begun again with the same words and reads
//! only what is not covered yet. It never reads above the place the live listener has come to, so that the seam
//! between the two neither loses nor repeats a block.

mod source;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use domain::Timestamp;
use polygon::contracts::CHAIN_ID;
use polygon::follow::Stretch;
use service::{CancellationToken, clock};
use store::facts::{self, Block, Point, Writer};
use store::{Store, controls, coverage};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::blocks::blocks_of;
use crate::books::{Books, Purpose};
use crate::ingest::WRITER;
use crate::settings::ListenerSettings;
use source::HistorySource;

/// The name under which only one backfill runs on a database.
pub(crate) const BACKFILL: &str = "orderflow-backfill";
/// Stretches that may wait between the source and the database.
const WAITING: usize = 2;
/// How often a stretch is tried that somebody else takes in at the same moment.
const COLLISIONS: u32 = 5;
/// How often there is a look whether more is final.
const FINALITY: Duration = Duration::from_secs(2);
/// Writers: one encodes while the other's rows are being taken in.
const WRITERS: usize = 2;

/// Which part of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// From a block to another, or to the newest that is final.
    Blocks {
        /// The first.
        from: u64,
        /// The last.
        to: Option<u64>,
    },
    /// The last days, up to the newest block that is final.
    Days(u32),
}

/// How far a backfill is.
#[derive(Debug, Default)]
pub struct Progress {
    blocks: AtomicU64,
    done: AtomicU64,
    fills: AtomicU64,
}

impl Progress {
    /// Blocks there are to read; 0 until that is known.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed)
    }

    /// Blocks that are covered by now.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Fills stored.
    #[must_use]
    pub fn fills(&self) -> u64 {
        self.fills.load(Ordering::Relaxed)
    }
}

/// What a backfill came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The first block that was wanted, and the last.
    pub span: (u64, u64),
    /// Blocks that were not covered before and are now.
    pub blocks: u64,
    /// Fills stored.
    pub fills: u64,
    /// How long it took, without the building of indexes.
    pub reading: Duration,
    /// How long that took.
    pub indexing: Duration,
    /// Questions asked.
    pub requests: u64,
    /// What they cost by the published price list.
    pub compute_units: u64,
    /// Whether it was told to stop before its end.
    pub interrupted: bool,
}

/// Reads history until it is there, or until told to stop.
///
/// # Errors
/// If another backfill runs, no source can be used, or the database fails. What was stored by then stays.
pub async fn backfill(
    settings: &ListenerSettings,
    span: Span,
    store: Store,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> anyhow::Result<Outcome> {
    let mut only = store.become_only(BACKFILL).await?;
    let source = HistorySource::new(settings)?;
    let mut transaction = store.begin().await?;
    controls::claim(&mut transaction, &controls::chain(CHAIN_ID)).await?;
    Store::commit(transaction).await?;
    let (from, to) = bounds(&source, &store, span).await?;
    let mut transaction = store.begin().await?;
    Writer::new(store.clone(), BACKFILL).aim(&mut transaction, to).await?;
    Store::commit(transaction).await?;
    let begun = Instant::now();
    let books = Books::new(store.clone(), Arc::clone(&source.observer), Purpose::Backfill);
    let read_all = read_all(&source, from..=to, &store, &progress, &stop);
    let read = books.beside(read_all).await;
    let reading = begun.elapsed();
    only.still_is().await?;
    read?;
    let begun = Instant::now();
    // Who was interrupted goes on later, and faster without indexes; the listener makes them if nobody does.
    if progress.done() > 0 && !stop.is_cancelled() {
        facts::index_partitions(&mut *store.connection().await?).await?;
        let mut transaction = store.begin().await?;
        coverage::join(&mut transaction).await?;
        Store::commit(transaction).await?;
    }
    let (refetched, failovers) = (source.counters.refetched(), source.counters.failovers());
    if (refetched, failovers) != (0, 0) {
        tracing::info!(refetched, failovers, "mended on the way");
    }
    let usage = source.observer.usage();
    Ok(Outcome {
        span: (from, to),
        blocks: progress.done(),
        fills: progress.fills(),
        reading,
        indexing: begun.elapsed(),
        requests: usage.iter().map(|one| one.calls).sum(),
        compute_units: usage.iter().map(|one| one.compute_units).sum(),
        interrupted: stop.is_cancelled(),
    })
}

/// The first and the last block that are wanted: never above what the live listener has reached, nor, where none
/// has run yet, above what is final.
async fn bounds(source: &HistorySource, store: &Store, span: Span) -> anyhow::Result<(u64, u64)> {
    let newest = source.finalized().await?;
    let live = facts::point(&mut *store.connection().await?, WRITER).await?;
    let end = live.map_or(newest.number, |live| live.number);
    let (from, to) = match span {
        Span::Blocks { from, to } => (from, to.map_or(end, |to| to.min(end))),
        Span::Days(days) => {
            let since = clock::now().plus_micros(-i64::from(days) * Timestamp::DAY);
            (source.first_since(since, newest).await?, end)
        }
    };
    if from > to {
        bail!(
            "there is nothing to read from block {from} on: the newest final block is {}{}",
            newest.number,
            live.map_or_else(String::new, |live| format!(", and the listener is at {}", live.number))
        );
    }
    Ok((from, to))
}

/// Reads every hole in a range. A listener that began a moment ago began above what is final: what lies between
/// is waited for, because only what is final is history.
async fn read_all(
    source: &HistorySource,
    wanted: RangeInclusive<u64>,
    store: &Store,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let (from, to) = (*wanted.start(), *wanted.end());
    let holes = async || coverage::holes(&mut *store.connection().await?, from, to).await;
    let count = |holes: &[RangeInclusive<u64>]| holes.iter().map(|hole| hole.end() - hole.start() + 1).sum();
    progress.blocks.store(count(&holes().await?), Ordering::Relaxed);
    loop {
        let finalized = source.finalized().await?.number;
        let holes = holes().await?;
        let readable: Vec<_> = holes
            .iter()
            .filter(|hole| *hole.start() <= finalized)
            .map(|hole| *hole.start()..=finalized.min(*hole.end()))
            .collect();
        if holes.is_empty() || stop.is_cancelled() {
            return Ok(());
        }
        if readable.is_empty() {
            tracing::debug!(finalized, to, "waiting until what is left is final");
            let _told_to_stop = stop.run_until_cancelled(tokio::time::sleep(FINALITY)).await;
            continue;
        }
        read(source, readable, store, progress, stop).await?;
    }
}

/// Reads ranges and stores what comes, a writer each for every other stretch. Whoever fails ends the others, and
/// gives the reason.
async fn read(
    source: &HistorySource,
    ranges: Vec<RangeInclusive<u64>>,
    store: &Store,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let stop = stop.child_token();
    let (sender, mut receiver) = mpsc::channel::<Stretch>(WAITING);
    let mut writers = JoinSet::new();
    let mut inboxes = vec![];
    let store = store.repeatable();
    for _ in 0..WRITERS {
        let (inbox, stretches) = mpsc::channel(1);
        inboxes.push(inbox);
        writers.spawn(write(store.clone(), stretches, Arc::clone(progress)));
    }
    let dealing = async move {
        let mut turn = inboxes.iter().cycle();
        while let Some(stretch) = receiver.recv().await {
            // A writer that is gone has left its reason with the others.
            let Some(inbox) = turn.next() else { return };
            if inbox.send(stretch).await.is_err() {
                return;
            }
        }
    };
    let reading = source.read(ranges, sender, stop.clone());
    let (read, ()) = tokio::join!(reading, dealing);
    let mut result = Ok(());
    while let Some(written) = writers.join_next().await {
        result = result.and(written.context("a writer died").and_then(|written| written));
    }
    // Where a writer failed, that is the reason why nobody received what was read.
    result.and(read)
}

/// Stores stretches until there are no more.
async fn write(
    store: Store,
    mut stretches: mpsc::Receiver<Stretch>,
    progress: Arc<Progress>,
) -> anyhow::Result<()> {
    let mut writer = Writer::new(store.clone(), BACKFILL);
    while let Some(stretch) = stretches.recv().await {
        let blocks = blocks_of(&stretch, clock::now());
        let (from, to, source) = (stretch.from, stretch.through.number, Arc::clone(&stretch.source));
        drop(stretch);
        let mut parts = vec![from..=to];
        let mut attempt = 1;
        loop {
            match store_parts(&mut writer, &parts, &blocks, &source, &progress).await {
                Ok(()) => break,
                // The live listener has taken part of it in meanwhile, or is about to.
                Err(error) if error.is_collision() && attempt < COLLISIONS => {
                    attempt += 1;
                    parts = coverage::holes(&mut *store.connection().await?, from, to).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

async fn store_parts(
    writer: &mut Writer,
    parts: &[RangeInclusive<u64>],
    blocks: &[Block],
    source: &str,
    progress: &Progress,
) -> Result<(), store::StoreError> {
    for part in parts {
        let inside = blocks.partition_point(|block| block.number < *part.start())
            ..blocks.partition_point(|block| block.number <= *part.end());
        let blocks = blocks.get(inside).unwrap_or_default();
        let hash = blocks.last().map(|block| block.hash).unwrap_or_default();
        let through = Point { number: *part.end(), hash };
        let stretch = facts::Stretch { from: *part.start(), through, blocks, source };
        let added = writer.history(&stretch).await?;
        progress.fills.fetch_add(added.fills, Ordering::Relaxed);
        progress.done.fetch_add(part.end() - part.start() + 1, Ordering::Relaxed);
    }
    Ok(())
}
