//! Where history comes from: nodes or a portal, behind the same few questions.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::Timestamp;
use polygon::audit::Auditor;
use polygon::follow::{FollowCounters, Start, Stretch};
use polygon::history::{self, HistorySettings};
use polygon::portal::{self, PortalSettings};
use polygon::rpc::{BlockHeader, BlockTag, Observer, RpcClient};
use service::CancellationToken;
use tokio::sync::mpsc;

use crate::settings::{ChainSource, ListenerSettings};

/// Ranges that are asked for at once.
const AT_ONCE: usize = 3;
/// The first pause before a question is put again, and the one that comes no more: then it is given up.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// Where history comes from.
pub(super) struct HistorySource {
    pub(super) observer: Arc<Observer>,
    pub(super) counters: Arc<FollowCounters>,
    kind: Kind,
}

enum Kind {
    Nodes(HistorySettings),
    Portal(PortalSettings),
}

impl HistorySource {
    pub(super) fn new(settings: &ListenerSettings) -> anyhow::Result<Self> {
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
    pub(super) async fn read(
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
    pub(super) async fn finalized(&self) -> anyhow::Result<BlockHeader> {
        patiently("which block is final", async || self.ask_finalized().await).await
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

    /// When a block was made; `None` where nobody has it.
    async fn time_of(&self, number: u64) -> anyhow::Result<Option<Timestamp>> {
        patiently("when a block was made", async || self.ask_time_of(number).await).await
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
    pub(super) async fn first_since(&self, moment: Timestamp, newest: BlockHeader) -> anyhow::Result<u64> {
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

/// Asks until there is an answer, with growing pauses: a source that misbehaves for a moment must not end what
/// takes hours.
async fn patiently<T>(what: &str, ask: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut pause = FIRST_PAUSE;
    loop {
        match ask().await {
            Err(error) if pause < LONGEST_PAUSE => {
                tracing::debug!("asking again {what}: {error:#}");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            answered => return answered,
        }
    }
}
