//! What became final is read a second time, from another node where there is one, and what the first reading
//! missed is mended.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use polygon::audit::Auditor;
use polygon::history::HistorySettings;
use polygon::rpc::Observer;
use service::{CancellationToken, clock};
use store::coverage::{self, Covered};
use store::facts::{self, Point, Writer};
use store::{Store, audit};

use crate::blocks::blocks_of;
use crate::ingest::WRITER;
use crate::settings::ListenerSettings;

/// The most blocks audited at once.
const MOST: u64 = 500;

/// Audits the live coverage, from its beginning on.
pub(crate) struct Audit {
    auditor: Auditor,
    store: Store,
    writer: Writer,
    every: Duration,
}

impl Audit {
    pub(crate) fn new(
        settings: &ListenerSettings,
        store: Store,
        observer: Arc<Observer>,
    ) -> anyhow::Result<Self> {
        let max_range = u64::from(settings.max_block_range).min(MOST);
        let asking = HistorySettings {
            at_once: 1,
            max_range,
            observer,
            ..HistorySettings::new(settings.endpoints()?)
        };
        Ok(Self {
            auditor: Auditor::new(asking)?,
            writer: Writer::new(store.clone(), "orderflow-audit"),
            store,
            every: Duration::from_secs(u64::from(settings.audit_interval_secs)),
        })
    }

    /// Audits until it is told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            let has_more = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                has_more = self.step() => has_more?,
            };
            let pause = if has_more { Duration::ZERO } else { self.every };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Audits the next range; whether there is more at once.
    async fn step(&mut self) -> anyhow::Result<bool> {
        let Some(finalized) = self.auditor.finalized().await else { return Ok(false) };
        let Some((range, source)) = self.next_range(finalized.number).await? else { return Ok(false) };
        let stretch = match self.auditor.read(range.clone(), &source).await {
            Ok(stretch) => stretch,
            Err(error) => {
                tracing::warn!(from = range.start(), to = range.end(), "an audit has to wait: {error}");
                return Ok(false);
            }
        };
        let blocks = blocks_of(&stretch, clock::now());
        let through = Point { number: stretch.through.number, hash: stretch.through.hash };
        let stretch =
            facts::Stretch { from: stretch.from, through, blocks: &blocks, source: &stretch.source };
        let found = audit::heal(&mut self.writer, &stretch).await?;
        if found != audit::Differences::default() {
            let audit::Differences { missing, surplus, replaced } = found;
            tracing::warn!(missing, surplus, replaced, source = stretch.source, "an audit found differences");
        }
        Ok(through.number < finalized.number && range.end() - range.start() + 1 == MOST)
    }

    /// The next blocks that were followed live, are final, and were not audited; and who told of them.
    async fn next_range(&self, finalized: u64) -> anyhow::Result<Option<(RangeInclusive<u64>, String)>> {
        let mut connection = self.store.connection().await?;
        let Some(live) = facts::point(&mut connection, WRITER).await? else { return Ok(None) };
        let next = audit::place(&mut connection).await?.map_or(0, |place| place.number + 1);
        let end = finalized.min(live.number);
        if end < next {
            return Ok(None);
        }
        let covered = coverage::all(&mut connection).await?;
        let is_due =
            |one: &&Covered| one.kind == "live" && *one.blocks.end() >= next && *one.blocks.start() <= end;
        Ok(covered.iter().find(is_due).map(|one| {
            let first = next.max(*one.blocks.start());
            let last = end.min(*one.blocks.end()).min(first + MOST - 1);
            (first..=last, one.source.clone())
        }))
    }
}
