//! The work with one node: where the chain's end is, what lies between it and what is known, and whether
//! what is known still holds. What it knows survives the change of nodes.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::endpoints::Endpoints;
use super::range::{Inconsistency, Span};
use super::read::{Batch, Found, Reader};
use super::{ChainUpdate, FollowError, FollowSettings, SETTLED, Start};
use crate::rpc::{BlockHeader, BlockTag, RpcClient, RpcError};
use crate::window::{BlockPoint, Window};

/// How many blocks before the first one are remembered, so that a reorganisation right at the beginning has
/// an ancestor to return to.
const TAIL: u64 = 16;
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
    span: Span,
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
        let span = Span::new(settings.max_range);
        Self { settings, window, last, begun, span, refetches: 0, progress: 0, updates }
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
        if !self.begin(client, head).await? || !self.verify(client, head).await? {
            return Ok(Advance::Done);
        }
        while self.next() <= head.number {
            let doubt = match self.read(client, head).await? {
                // Less is asked for from here on.
                None => continue,
                Some(Found::Batch(batch)) => {
                    self.commit(batch).await?;
                    endpoints.works();
                    continue;
                }
                Some(Found::Replaced) if self.revert(client).await? => continue,
                Some(Found::Replaced) => Inconsistency::BrokenLink(self.next()),
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
    async fn read(&mut self, client: &RpcClient, head: &BlockHeader) -> Result<Option<Found>, Fault> {
        let reader = Reader { client, settings: &self.settings };
        let from = self.next();
        if from.saturating_add(SETTLED) > head.number {
            return Ok(Some(reader.blocks(self.last, from, head).await?));
        }
        let to = from.saturating_add(self.span.blocks() - 1).min(head.number - SETTLED);
        match reader.range(self.last, from, to).await {
            Ok(found) => {
                if matches!(found, Found::Batch(_)) {
                    self.span.grow();
                }
                Ok(Some(found))
            }
            Err(RpcError::TooManyResults { .. } | RpcError::Timeout { .. })
                if self.span.halve(to - from + 1) =>
            {
                Ok(None)
            }
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

    /// Finds the block to begin behind; `false` while the chain has not come so far.
    async fn begin(&mut self, client: &RpcClient, head: &BlockHeader) -> Result<bool, Fault> {
        if !self.begun {
            let anchor = match self.settings.start {
                Start::Block(first) => client.block(BlockTag::Number(first.saturating_sub(1))).await?,
                Start::Resume(_) | Start::Head => Some(*head),
            };
            let Some(anchor) = anchor else { return Ok(false) };
            self.window.observe(anchor.point());
            self.last = Some(anchor.point());
            self.begun = true;
        }
        self.remember_tail(client, head).await?;
        Ok(true)
    }

    /// Remembers the blocks before the one to begin behind, as long as that one may still be replaced.
    async fn remember_tail(&mut self, client: &RpcClient, head: &BlockHeader) -> Result<(), Fault> {
        let Some(last) = self.last else { return Ok(()) };
        if self.window.len() > 1 || last.number.saturating_add(SETTLED) <= head.number {
            return Ok(());
        }
        let reader = Reader { client, settings: &self.settings };
        let first = last.number.saturating_sub(TAIL);
        let mut wanted = last.hash;
        for header in reader.headers(first, last.number.saturating_add(1)).await?.into_iter().rev() {
            // Only what leads up to the known block is known itself.
            if header.hash != wanted {
                break;
            }
            self.window.observe(header.point());
            wanted = header.parent_hash;
        }
        Ok(())
    }

    /// Whether what is known last is still on the chain, after going back to where it is. `false` where the
    /// node is behind and cannot tell.
    async fn verify(&mut self, client: &RpcClient, head: &BlockHeader) -> Result<bool, Fault> {
        let Some(last) = self.last else { return Ok(true) };
        let said = if head.number == last.number {
            Some(head.hash)
        } else if head.number == last.number.saturating_add(1) {
            Some(head.parent_hash)
        } else {
            client.block(BlockTag::Number(last.number)).await?.map(|header| header.hash)
        };
        match said {
            Some(hash) if hash == last.hash => Ok(true),
            None if self.window.contradiction(head).is_none() => Ok(false),
            _ => {
                self.revert(client).await?;
                Ok(true)
            }
        }
    }

    /// Goes back to the newest known block that is still on the chain; `false` where that is the last one.
    async fn revert(&mut self, client: &RpcClient) -> Result<bool, Fault> {
        let mut search = self.window.search();
        while let Some(question) = search.question() {
            let header = client.block(BlockTag::Number(question.number)).await?;
            search.answer(header.is_some_and(|header| header.hash == question.hash));
        }
        let Some(newest) = self.window.last() else {
            return Ok(false);
        };
        let to = search.ancestor().ok_or(Fault::TooDeep { newest })?;
        if to == newest {
            return Ok(false);
        }
        let (from, back) = (newest.number, to.number);
        tracing::info!(endpoint = client.endpoint(), from, back, "blocks were replaced");
        self.emit(ChainUpdate::Reverted { to }).await?;
        self.settings.counters.reverted.fetch_add(1, Ordering::Relaxed);
        self.window.rewind(to);
        self.last = Some(to);
        Ok(true)
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
