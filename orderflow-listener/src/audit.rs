//! What became final is read a second time, from another source where there is one, and what the first reading
//! missed is mended: what was followed first, then history.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use polygon::audit::{Auditor, Receipts};
use polygon::follow::{FollowCounters, Start, Stretch};
use polygon::history::HistorySettings;
use polygon::portal::{self, PortalSettings};
use polygon::rpc::Observer;
use service::{CancellationToken, clock};
use store::coverage::{self, Covered};
use store::facts::{self, Point, Writer};
use store::{Store, audit};
use tokio::sync::mpsc;

use crate::blocks::blocks_of;
use crate::settings::{ChainSource, ListenerSettings};

/// The most blocks audited at once.
const MOST: u64 = 500;
/// The pause between two audits of history, of which there may be much.
const UNHURRIED: Duration = Duration::from_secs(5);

/// Audits what is covered and final.
pub(crate) struct Audit {
    source: Source,
    store: Store,
    writer: Writer,
    every: Duration,
}

/// Who is asked the second time.
enum Source {
    Nodes(Auditor),
    Portal(PortalSettings),
}

/// What an audit came to.
enum Came {
    /// There is more to do at once.
    More,
    /// There is history to audit, which has time.
    Unhurried,
    /// There is nothing to do, or no way to.
    Nothing,
}

impl Audit {
    pub(crate) fn new(
        settings: &ListenerSettings,
        store: Store,
        observer: Arc<Observer>,
        counters: Arc<FollowCounters>,
    ) -> anyhow::Result<Self> {
        let source = match settings.chain_source {
            ChainSource::Rpc => Source::Nodes(Auditor::new(HistorySettings {
                at_once: 1,
                max_range: u64::from(settings.max_block_range).min(MOST),
                observer,
                counters,
                ..HistorySettings::new(settings.endpoints()?)
            })?),
            ChainSource::Portal => {
                Source::Portal(PortalSettings::new(&settings.portal_url, Start::Head, observer))
            }
        };
        Ok(Self {
            source,
            writer: Writer::new(store.clone(), "orderflow-audit"),
            store,
            every: Duration::from_secs(u64::from(settings.audit_interval_secs)),
        })
    }

    /// Audits until it is told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            let came = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                came = self.step() => came?,
            };
            let pause = match came {
                Came::More => Duration::ZERO,
                Came::Unhurried => self.every.min(UNHURRIED),
                Came::Nothing => self.every,
            };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Audits the next range.
    async fn step(&mut self) -> anyhow::Result<Came> {
        let Some(finalized) = self.source.finalized().await else { return Ok(Came::Nothing) };
        let Some((range, covered)) = self.next_range(finalized).await? else { return Ok(Came::Nothing) };
        let found = match self.read_and_heal(range.clone(), &covered.source).await? {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(from = range.start(), to = range.end(), "an audit has to wait: {error:#}");
                return Ok(Came::Nothing);
            }
        };
        if found != audit::Differences::default() {
            let audit::Differences { missing, surplus, replaced } = found;
            tracing::warn!(missing, surplus, replaced, "an audit found differences");
        }
        let is_full = range.end() - range.start() + 1 == MOST;
        Ok(match (covered.kind.as_str(), is_full) {
            ("live", true) => Came::More,
            ("live", false) => Came::Nothing,
            _ => Came::Unhurried,
        })
    }

    /// Reads a range again and mends what is missing; the inner error is the source's, which may do better later.
    /// Receipts cost as much as a block each and tell nothing new where nothing is missing or was kept aside.
    async fn read_and_heal(
        &mut self,
        range: RangeInclusive<u64>,
        source: &str,
    ) -> anyhow::Result<anyhow::Result<audit::Differences>> {
        let mut connection = self.store.connection().await?;
        let has_unread = audit::has_unread(&mut connection, *range.start(), *range.end()).await?;
        drop(connection);
        let mut receipts = if has_unread { Receipts::With } else { Receipts::Without };
        loop {
            let read = match self.source.read(range.clone(), source, receipts).await {
                Ok(read) => read,
                Err(error) => return Ok(Err(error)),
            };
            let blocks = blocks_of(&read, clock::now());
            let through = Point { number: read.through.number, hash: read.through.hash };
            let stretch = facts::Stretch { from: read.from, through, blocks: &blocks, source: &read.source };
            let is_enough = receipts == Receipts::With
                || audit::compare(&mut *self.store.connection().await?, &stretch).await?.missing == 0;
            if is_enough {
                return Ok(Ok(audit::heal(&mut self.writer, &stretch).await?));
            }
            receipts = Receipts::With;
        }
    }

    /// The next blocks that are covered and final and were not audited, those followed live first; and who told
    /// of them.
    async fn next_range(&self, finalized: u64) -> anyhow::Result<Option<(RangeInclusive<u64>, Covered)>> {
        let mut connection = self.store.connection().await?;
        let mut covered = coverage::all(&mut connection).await?;
        covered.sort_by_key(|one| (one.kind != "live", *one.blocks.start()));
        for one in covered {
            let (first, last) = (*one.blocks.start(), finalized.min(*one.blocks.end()));
            let holes = audit::holes(&mut connection, first, last).await?;
            if let Some(hole) = holes.into_iter().next() {
                let last = (*hole.end()).min(hole.start().saturating_add(MOST - 1));
                return Ok(Some((*hole.start()..=last, one)));
            }
        }
        Ok(None)
    }
}

impl Source {
    /// The height of the newest block that is final; `None` where nobody tells.
    async fn finalized(&self) -> Option<u64> {
        match self {
            Self::Nodes(auditor) => auditor.finalized().await.map(|header| header.number),
            Self::Portal(settings) => portal::finalized(settings).await.ok().map(|header| header.number),
        }
    }

    /// Reads a range that `source` told of.
    async fn read(
        &self,
        range: RangeInclusive<u64>,
        source: &str,
        receipts: Receipts,
    ) -> anyhow::Result<Stretch> {
        match self {
            Self::Nodes(auditor) => Ok(auditor.read(range, source, receipts).await?),
            Self::Portal(settings) => {
                let (sender, mut receiver) = mpsc::channel(1);
                let reading =
                    portal::history(settings.clone(), vec![range], sender, CancellationToken::new());
                // The first stretch is enough: what is left of the range is a hole for the next audit.
                tokio::select! {
                    Some(stretch) = receiver.recv() => Ok(stretch),
                    ended = reading => {
                        ended?;
                        receiver.recv().await.ok_or_else(|| anyhow::anyhow!("the portal told of no block"))
                    }
                }
            }
        }
    }
}
