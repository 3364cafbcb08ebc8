//! The work with one node: where the chain's end is, and what lies between it and what is known. What it
//! knows survives the change of nodes.

mod footing;

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::endpoints::Endpoints;
use super::range::Inconsistency;
use super::read::{Batch, Found, Reader};
use super::{ChainUpdate, FollowError, FollowSettings, SETTLED, Start};
use crate::rpc::{BlockHeader, BlockTag, RpcClient, RpcError};
use crate::window::{BlockPoint, Window};
use footing::{DeepClaim, Footing, Retreat};

/// How often contradictory answers are asked for again, and how long after.
const REFETCHES: u32 = 5;
const REFETCH_PAUSE: Duration = Duration::from_millis(250);
/// A node without a new block for this long is left, as is one that stays behind what is known already.
const STALLED: Duration = Duration::from_secs(60);

/// Why a node is left.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Rpc(#[from] RpcError),
    #[error("it is on chain {found}, not on chain {expected}")]
    WrongChain { expected: u64, found: u64 },
    #[error("it knows none of the remembered blocks")]
    TooDeep { newest: BlockPoint },
    #[error("it takes back {depth} blocks, more than the chain's rules allow")]
    Implausible { depth: u64 },
    #[error("it has no latest block")]
    Empty,
    #[error("no new block for {} s", STALLED.as_secs())]
    Stalled,
    #[error("its answers contradict each other: {0}")]
    Contradictory(Inconsistency),
    #[error("nobody receives the updates any more")]
    Closed,
}

impl Fault {
    /// The error that it is where no node does better; `None` for what time or another node may mend.
    pub(super) fn as_final(&self, endpoint: &str) -> Option<FollowError> {
        let endpoint = endpoint.to_owned();
        match *self {
            Self::WrongChain { expected, found } => {
                Some(FollowError::WrongChain { endpoint, expected, found })
            }
            Self::TooDeep { newest } => Some(FollowError::TooDeep { endpoint, newest }),
            _ => None,
        }
    }
}

/// What came of going toward the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advance {
    /// It was reached, or the node cannot tell.
    Done,
    /// The node contradicted itself.
    Unsure,
}

/// What is known of the chain, and what is to be done with it.
pub(super) struct Session {
    settings: FollowSettings,
    window: Window,
    /// The last block covered; `None` before the beginning is known, and where that is the chain's own.
    last: Option<BlockPoint>,
    /// Whether `last` is where to go on from, be it none.
    begun: bool,
    /// A reorganisation too deep to be believed at once.
    claim: Option<DeepClaim>,
    refetches: u32,
    progress: u64,
    updates: mpsc::Sender<ChainUpdate>,
}

impl Session {
    pub(super) fn new(
        settings: FollowSettings,
        known: Vec<BlockPoint>,
        updates: mpsc::Sender<ChainUpdate>,
    ) -> Self {
        let (window, last, begun) = match settings.start {
            Start::Resume(point) => {
                let mut window = Window::new(known);
                // What lies above was never finished.
                window.rewind(point);
                (window, Some(point), true)
            }
            Start::Block(first) => (Window::default(), None, first == 0),
            Start::Head => (Window::default(), None, false),
        };
        Self { settings, window, last, begun, claim: None, refetches: 0, progress: 0, updates }
    }

    /// Changes with everything that is emitted.
    pub(super) const fn progress(&self) -> u64 {
        self.progress
    }

    /// Works with a node until it fails.
    pub(super) async fn run(&mut self, client: &RpcClient, endpoints: &mut Endpoints) -> Fault {
        match self.work(client, endpoints).await {
            Ok(never) => match never {},
            Err(fault) => fault,
        }
    }

    async fn work(&mut self, client: &RpcClient, endpoints: &mut Endpoints) -> Result<Infallible, Fault> {
        let found = client.chain_id().await?;
        let expected = self.settings.chain_id;
        if found != expected {
            return Err(Fault::WrongChain { expected, found });
        }
        let mut heads = client.heads();
        let mut newest = None;
        let mut moved = Instant::now();
        loop {
            let head = client.block(BlockTag::Latest).await?.ok_or(Fault::Empty)?;
            // News from a node that is behind what another one has said already is none.
            let is_behind = self.last.is_some_and(|last| head.number < last.number);
            if newest != Some(head.point()) && !is_behind {
                moved = Instant::now();
            }
            newest = Some(head.point());
            if moved.elapsed() > STALLED {
                return Err(Fault::Stalled);
            }
            match self.advance(client, endpoints, &head).await? {
                // Also where heads are announced: a subscription can die alone.
                Advance::Done => {
                    let _polled = timeout(self.settings.poll_interval, announced(heads.as_mut())).await;
                }
                Advance::Unsure => sleep(REFETCH_PAUSE).await,
            }
        }
    }

    /// Emits all that lies between what is known and the head.
    async fn advance(
        &mut self,
        client: &RpcClient,
        endpoints: &mut Endpoints,
        head: &BlockHeader,
    ) -> Result<Advance, Fault> {
        match self.footing(client, head).await? {
            Footing::Firm => {}
            Footing::Unknown => return Ok(Advance::Done),
            Footing::Doubtful(why) => return self.doubt(client, why),
        }
        while self.next() <= head.number {
            let doubt = match self.read(client, endpoints, head).await? {
                // Less is asked for from here on.
                None => continue,
                Some(Found::Batch(batch)) => {
                    self.commit(batch).await?;
                    endpoints.works();
                    continue;
                }
                Some(Found::Replaced) => match self.revert(client, head).await? {
                    Retreat::Done => continue,
                    Retreat::Needless => Inconsistency::BrokenLink(self.next()),
                    Retreat::Doubtful(why) => why,
                },
                Some(Found::Doubtful(why)) => why,
            };
            return self.doubt(client, doubt);
        }
        // After a failure only something new proves a node.
        if !endpoints.is_down() {
            endpoints.works();
        }
        Ok(Advance::Done)
    }

    /// Reads what comes next; `None` where less must be asked for.
    async fn read(
        &self,
        client: &RpcClient,
        endpoints: &mut Endpoints,
        head: &BlockHeader,
    ) -> Result<Option<Found>, Fault> {
        let reader = Reader { client, settings: &self.settings };
        let from = self.next();
        if from.saturating_add(SETTLED) > head.number {
            return Ok(Some(reader.blocks(self.last, from, head).await?));
        }
        let blocks = endpoints.span().map_or(1, |span| span.blocks());
        let to = from.saturating_add(blocks - 1).min(head.number - SETTLED);
        let answer = reader.range(self.last, from, to).await;
        let span = endpoints.span();
        match answer {
            Ok(found) => {
                if let (Found::Batch(_), Some(span)) = (&found, span) {
                    span.grow();
                }
                Ok(Some(found))
            }
            Err(error) if span.is_some_and(|span| span.refused(to - from + 1, &error)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn commit(&mut self, batch: Batch) -> Result<(), Fault> {
        let Batch { blocks, headers, through } = batch;
        self.emit(ChainUpdate::Committed { blocks, through }).await?;
        for header in headers {
            self.window.observe(header.point());
        }
        self.last = Some(through.point());
        self.refetches = 0;
        Ok(())
    }

    /// Answers that cannot all be true are asked for again, from the head on, which may be among what
    /// changed; but not for ever.
    fn doubt(&mut self, client: &RpcClient, why: Inconsistency) -> Result<Advance, Fault> {
        self.settings.counters.refetched.fetch_add(1, Ordering::Relaxed);
        self.refetches += 1;
        if self.refetches > REFETCHES {
            self.refetches = 0;
            return Err(Fault::Contradictory(why));
        }
        tracing::debug!(endpoint = client.endpoint(), %why, "asked again");
        Ok(Advance::Unsure)
    }

    fn next(&self) -> u64 {
        self.last.map_or(0, |last| last.number.saturating_add(1))
    }

    async fn emit(&mut self, update: ChainUpdate) -> Result<(), Fault> {
        self.updates.send(update).await.map_err(|_| Fault::Closed)?;
        self.progress += 1;
        Ok(())
    }
}

/// Until the node announces a head or loses its connection; for ever where it announces nothing.
async fn announced(heads: Option<&mut watch::Receiver<u64>>) {
    if let Some(heads) = heads
        && heads.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}
