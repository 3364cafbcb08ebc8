//! History, beside whatever follows the head: read in parallel ranges, stored in bulk.
//!
//! What is covered is the only memory: a backfill that was killed is begun again with the same words and reads
//! only what is not covered yet. It never reads above the place the live listener has come to, so that the seam
//! between the two neither loses nor repeats a block.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use domain::Timestamp;
use polygon::audit::Auditor;
use polygon::contracts::CHAIN_ID;
use polygon::follow::{FollowCounters, Start, Stretch};
use polygon::history::{self, HistorySettings};
use polygon::portal::{self, PortalSettings};
use polygon::rpc::{BlockHeader, BlockTag, Observer, RpcClient};
use service::{CancellationToken, clock};
use store::facts::{self, Block, Point, Writer};
use store::{Store, controls, coverage};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::blocks::blocks_of;
use crate::books::{Books, Purpose};
use crate::ingest::WRITER;
use crate::settings::{ChainSource, ListenerSettings};

/// The name under which only one backfill runs on a database.
pub(crate) const BACKFILL: &str = "orderflow-backfill";
/// Ranges that are asked for at once.
const AT_ONCE: usize = 3;
/// Stretches that may wait between the source and the database.
const WAITING: usize = 2;
/// How often a stretch is tried that somebody else takes in at the same moment.
const COLLISIONS: u32 = 5;
/// How often there is a look whether more is final.
const FINALITY: Duration = Duration::from_secs(2);
/// How often a source is asked which block is final before it is given up, and how long after: sources have bad
/// moments, which must not end what takes hours.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(750);
/// The longest pause before a block's time is asked for again; after it the question is given up.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);
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
    if progress.done() > 0 {
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

/// Where history comes from.
struct HistorySource {
    observer: Arc<Observer>,
    counters: Arc<FollowCounters>,
    kind: Kind,
}

enum Kind {
    Nodes(HistorySettings),
    Portal(PortalSettings),
}

impl HistorySource {
    fn new(settings: &ListenerSettings) -> anyhow::Result<Self> {
        let (observer, counters) = (Arc::<Observer>::default(), Arc::<FollowCounters>::default());
        let kind = match settings.chain_source {
            ChainSource::Rpc => Kind::Nodes(HistorySettings {
                at_once: AT_ONCE,
                max_range: u64::from(settings.max_block_range),
                observer: Arc::clone(&observer),
                counters: Arc::clone(&counters),
                ..HistorySettings::new(settings.endpoints()?)
            }),
            ChainSource::Portal => {
                Kind::Portal(PortalSettings::new(&settings.portal_url, Start::Head, Arc::clone(&observer)))
            }
        };
        Ok(Self { observer, counters, kind })
    }

    /// Sends every block of the ranges, whole and settled.
    async fn read(
        &self,
        ranges: Vec<RangeInclusive<u64>>,
        stretches: mpsc::Sender<Stretch>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        match &self.kind {
            Kind::Nodes(settings) => Ok(history::history(settings.clone(), ranges, stretches, stop).await?),
            Kind::Portal(settings) => Ok(portal::history(settings.clone(), ranges, stretches, stop).await?),
        }
    }

    /// The newest block that is final.
    async fn finalized(&self) -> anyhow::Result<BlockHeader> {
        for _ in 1..TRIES {
            match self.ask_finalized().await {
                Ok(header) => return Ok(header),
                Err(error) => tracing::debug!("asking for the newest final block again: {error:#}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.ask_finalized().await
    }

    async fn ask_finalized(&self) -> anyhow::Result<BlockHeader> {
        match &self.kind {
            Kind::Nodes(settings) => Auditor::new(settings.clone())?
                .finalized()
                .await
                .context("no node of POLYGON_RPC_URL tells which block is final"),
            Kind::Portal(settings) => Ok(portal::finalized(settings).await?),
        }
    }

    /// When a block was made; `None` where nobody has it. One of some forty questions in a row, so a hiccup must
    /// not end it.
    async fn time_of(&self, number: u64) -> anyhow::Result<Option<Timestamp>> {
        let mut pause = Duration::from_millis(500);
        loop {
            match self.ask_time_of(number).await {
                Err(error) if pause < LONGEST_PAUSE => {
                    tracing::debug!("asking for a block's time again: {error:#}");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                told => return told,
            }
        }
    }

    async fn ask_time_of(&self, number: u64) -> anyhow::Result<Option<Timestamp>> {
        let settings = match &self.kind {
            Kind::Nodes(settings) => settings,
            Kind::Portal(settings) if number < portal::first_block(settings).await? => return Ok(None),
            Kind::Portal(settings) => return Ok(Some(portal::header(settings, number).await?.time)),
        };
        let mut failed = None;
        for url in &settings.endpoints {
            let client = RpcClient::new(url, Arc::clone(&self.observer))?;
            match client.block(BlockTag::Number(number)).await {
                Ok(Some(header)) => return Ok(Some(header.time)),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) => bail!("no node of POLYGON_RPC_URL told the time of block {number}: {error}"),
            None => Ok(None),
        }
    }

    /// The first block that was made at a moment or after it: asked for, because no constant tells how long
    /// blocks take.
    async fn first_since(&self, moment: Timestamp, newest: BlockHeader) -> anyhow::Result<u64> {
        // A block that nobody has any more is older than whatever can be read.
        let is_older =
            async |number| anyhow::Ok(self.time_of(number).await?.is_none_or(|time| time < moment));
        // Before `low` the blocks are older, from `high` on they are not.
        let (mut low, mut high) = (0, newest.number);
        let mut step = 65_536;
        while let Some(earlier) = high.checked_sub(step) {
            if is_older(earlier).await? {
                low = earlier + 1;
                break;
            }
            high = earlier;
            step *= 2;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if is_older(middle).await? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}
