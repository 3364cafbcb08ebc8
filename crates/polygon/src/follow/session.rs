//! The work with one node: where the chain's end is, and what lies between it and what is known. What it
//! knows survives the change of nodes.

mod footing;

use std::convert::Infallible;
use std::ops::Range;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::endpoints::Endpoints;
use super::range::{Inconsistency, Span};
use super::read::{Head, Reader, Trouble};
use super::receipts::Receipts;
use super::{ChainUpdate, FollowError, FollowSettings, SETTLED, Start, Stretch};
use crate::log::LogList;
use crate::rpc::{BlockTag, News, RpcClient, RpcError};
use crate::window::{BlockPoint, Window};
use footing::{DeepClaim, Footing, Retreat};

/// How often contradictory answers are asked for again, and how long after.
const REFETCHES: u32 = 5;
const REFETCH_PAUSE: Duration = Duration::from_millis(250);
/// How many blocks of a new branch are read together, so that they can take the old one's place in one step.
const BRANCH: u64 = 512;
/// After this long there is a new block for sure: whoever asks for the head asks for its logs as well, and spares
/// a round trip. After much longer there may be too many of them.
const SURELY_NEW: Range<Duration> = Duration::from_secs(2)..Duration::from_secs(15);
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

/// Logs that came with the head.
struct Early {
    /// The first block that they were asked for.
    from: u64,
    list: LogList,
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
    /// The block that was gone back to, as long as that is not told: it is told with what came instead.
    untold: Option<BlockPoint>,
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
        Self { settings, window, last, begun, claim: None, untold: None, refetches: 0, progress: 0, updates }
    }

    /// Changes with everything that is emitted.
    pub(super) const fn progress(&self) -> u64 {
        self.progress
    }

    /// Works with a node until it fails.
    pub(super) async fn run(&mut self, client: &RpcClient, endpoints: &mut Endpoints) -> Fault {
        let fault = match self.work(client, endpoints).await {
            Ok(never) => match never {},
            Err(fault) => fault,
        };
        // Nobody knows how long the next node takes to tell what came instead.
        match self.tell_retreat().await {
            Ok(()) => fault,
            Err(closed) => closed,
        }
    }

    async fn work(&mut self, client: &RpcClient, endpoints: &mut Endpoints) -> Result<Infallible, Fault> {
        let found = client.chain_id().await?;
        let expected = self.settings.chain_id;
        if found != expected {
            return Err(Fault::WrongChain { expected, found });
        }
        let mut heads = client.heads();
        let mut announced = None;
        let mut newest = None;
        let mut moved = Instant::now();
        let mut asked: Option<Instant> = None;
        loop {
            let began = Instant::now();
            let (head, early) = match announced.take() {
                Some(head) => (head, None),
                None => {
                    let since = asked.replace(began).map(|asked| began - asked);
                    self.latest(client, since).await?
                }
            };
            let point = head.block.header.point();
            // News from a node that is behind what another one has said already is none.
            let is_behind = self.last.is_some_and(|last| point.number < last.number);
            if newest != Some(point) && !is_behind {
                moved = Instant::now();
            }
            newest = Some(point);
            if moved.elapsed() > STALLED {
                return Err(Fault::Stalled);
            }
            match self.advance(client, endpoints, &head, early).await? {
                // Also where heads are announced: a subscription can die alone.
                Advance::Done => {
                    let next_poll = began + self.settings.poll_interval;
                    announced = timeout_at(next_poll, next_head(heads.as_mut())).await.ok().flatten();
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
        head: &Head,
        mut early: Option<Early>,
    ) -> Result<Advance, Fault> {
        let end = &head.block.header;
        match self.footing(client, end).await? {
            Footing::Firm => {}
            Footing::Unknown => {
                // Nobody knows when it will have come so far.
                self.tell_retreat().await?;
                return Ok(Advance::Done);
            }
            Footing::Doubtful(why) => return self.doubt(client, why).await,
        }
        while self.next() <= end.number {
            let early = early.take().filter(|early| early.from == self.next());
            let doubt = match self.read(client, endpoints, head, early).await {
                // Less is asked for from here on.
                Ok(None) => continue,
                Ok(Some(stretch)) => {
                    self.commit(stretch).await?;
                    self.works(client, endpoints);
                    continue;
                }
                Err(Trouble::Replaced) => match self.revert(client, end).await? {
                    Retreat::Done => continue,
                    Retreat::Needless => Inconsistency::BrokenLink(self.next()),
                    Retreat::Doubtful(why) => why,
                },
                Err(Trouble::Doubtful(why)) => why,
                Err(Trouble::Rpc(error)) => return Err(error.into()),
            };
            return self.doubt(client, doubt).await;
        }
        self.tell_retreat().await?;
        // After a failure only something new proves a node.
        if !endpoints.is_down() {
            self.works(client, endpoints);
        }
        Ok(Advance::Done)
    }

    fn works(&self, client: &RpcClient, endpoints: &mut Endpoints) {
        endpoints.works();
        self.settings.observer.fit(client.source());
    }

    /// Reads what comes next; `None` where less must be asked for.
    async fn read(
        &self,
        client: &RpcClient,
        endpoints: &mut Endpoints,
        head: &Head,
        early: Option<Early>,
    ) -> Result<Option<Stretch>, Trouble> {
        let reader = self.reader(client);
        let from = self.next();
        let end = head.block.header.number;
        let mut none = Span::new(1);
        let span = endpoints.span().unwrap_or(&mut none);
        let near = if self.untold.is_some() { BRANCH } else { SETTLED };
        if from.saturating_add(near) > end {
            let early = early.map(|early| early.list);
            return Ok(Some(reader.near(self.last, from, head, early, span).await?));
        }
        let to = from.saturating_add(span.blocks() - 1).min(end - SETTLED);
        match reader.settled(self.last, from, to).await {
            Ok((stretch, bytes)) => {
                // Less than a span says nothing of whether more could be had.
                if to - from + 1 == span.blocks() {
                    span.answered(to - from + 1, bytes);
                }
                Ok(Some(stretch))
            }
            Err(Trouble::Rpc(error)) if span.refused(to - from + 1, &error) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    fn reader<'a>(&'a self, client: &'a RpcClient) -> Reader<'a> {
        let FollowSettings { addresses, topics, .. } = &self.settings;
        Reader { client, addresses, topics, receipts: Receipts::With }
    }

    async fn commit(&mut self, stretch: Stretch) -> Result<(), Fault> {
        let points: Vec<_> = stretch.headers.iter().map(|header| header.point()).collect();
        let through = stretch.through.point();
        self.emit(match self.untold {
            Some(to) => ChainUpdate::Reorged { to, new: stretch },
            None => ChainUpdate::Committed(stretch),
        })
        .await?;
        self.untold = None;
        for point in points {
            self.window.observe(point);
        }
        self.last = Some(through);
        self.claim = None;
        self.refetches = 0;
        Ok(())
    }

    /// Tells that blocks were taken back, where nothing is known that came instead.
    async fn tell_retreat(&mut self) -> Result<(), Fault> {
        if let Some(to) = self.untold {
            self.emit(ChainUpdate::Reverted { to }).await?;
            self.untold = None;
        }
        Ok(())
    }

    /// Answers that cannot all be true are asked for again, from the head on, which may be among what
    /// changed; but not for ever. What was taken back is told meanwhile.
    async fn doubt(&mut self, client: &RpcClient, why: Inconsistency) -> Result<Advance, Fault> {
        self.tell_retreat().await?;
        self.settings.counters.count_refetch();
        self.refetches += 1;
        if self.refetches > REFETCHES {
            self.refetches = 0;
            return Err(Fault::Contradictory(why));
        }
        tracing::debug!(endpoint = client.endpoint(), %why, "asked again");
        Ok(Advance::Unsure)
    }

    /// The head, asked for; and the logs up to it, where a new block is to be expected. `since` is how long ago the
    /// head was asked for before.
    async fn latest(
        &self,
        client: &RpcClient,
        since: Option<Duration>,
    ) -> Result<(Head, Option<Early>), Fault> {
        let header = async {
            let block = client.full_block(BlockTag::Latest).await?.ok_or(Fault::Empty)?;
            Ok::<_, Fault>(Head { block, seen: Instant::now() })
        };
        let is_on_the_way = self.last.is_some() && self.untold.is_none();
        if !is_on_the_way || !since.is_some_and(|since| SURELY_NEW.contains(&since)) {
            return Ok((header.await?, None));
        }
        let from = self.next();
        let logs = client.logs_since(from, &self.settings.addresses, &self.settings.topics);
        let (head, logs) = tokio::join!(header, logs);
        // Whatever went wrong with them, they are asked for again.
        Ok((head?, logs.ok().map(|answer| Early { from, list: answer.list })))
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

/// The next head that the node announces; `None` where it must be asked for, because the announcement was none
/// or the connection was lost. For ever where the node announces nothing.
async fn next_head(heads: Option<&mut watch::Receiver<News>>) -> Option<Head> {
    if let Some(heads) = heads
        && heads.changed().await.is_ok()
    {
        let head = heads.borrow_and_update().announced()?;
        return Some(Head { block: (*head.block).clone(), seen: head.at });
    }
    std::future::pending().await
}
