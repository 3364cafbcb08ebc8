//! Following the chain: history and head as one stream of blocks, with what was taken back said aloud.
//!
//! History more than [`SETTLED`] blocks behind the head is read in ranges. Of the last blocks every header is
//! read and checked against its parent, and their logs against the headers, because there the chain may still
//! change and a node may not yet have what it will have in a second. Nothing is emitted that contradicts what
//! was emitted before it: the change is emitted first, as [`ChainUpdate::Reorged`] or [`ChainUpdate::Reverted`].
//!
//! # What following costs
//! At the defaults every [`FollowSettings::poll_interval`] of 2.75 s asks for the head (20 compute units), at the
//! same time for the logs of all new blocks (60), and then for the headers between (20 each). With a block every
//! 1.5 s these are 91 million units in 30 days, and nearly 93 million with an audit of all of them that finds
//! nothing missing. A receipt costs 20 more: below 100 million there is room for 12,000 a day. No block is heard of
//! later than 2.75 s and two round trips after it was made: the second one is for headers and receipts together.

pub(crate) mod endpoints;
pub(crate) mod range;
pub(crate) mod read;
mod receipts;
mod session;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use domain::{BlockHash, Timestamp, TxHash};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::contracts::{watched_addresses, watched_topics};
use crate::log::{MalformedLog, RawLog};
use crate::rpc::{BlockHeader, Observer, RpcClient, RpcError, redacted};
pub use crate::window::BlockPoint;
use endpoints::Endpoints;
pub use receipts::Receipts;
use session::{Fault, Session};

/// How many blocks below the head are read header by header. Under Polygon's current rules no reorganisation has
/// gone deeper than two; deeper ones are still noticed, at the ends of the ranges.
pub const SETTLED: u64 = 32;
/// How often in a row, and by as many nodes as there are, it must be claimed that everything known is gone,
/// that more is gone than the chain's rules allow, or that the chain is another one, before that is believed.
const BELIEVED: u32 = 3;

/// What to follow, and how.
#[derive(Clone)]
pub struct FollowSettings {
    /// The nodes, tried in turn.
    pub endpoints: Vec<String>,
    /// Where to begin.
    pub start: Start,
    /// How to learn of new blocks.
    pub heads: Heads,
    /// How often to ask for the head where the node does not announce it.
    pub poll_interval: Duration,
    /// The most blocks to ask for at once.
    pub max_range: u64,
    /// The contracts whose logs to ask for.
    pub addresses: Vec<Address>,
    /// The first topics to ask for.
    pub topics: Vec<B256>,
    /// The chain the nodes must be on.
    pub chain_id: u64,
    /// What went wrong and was repaired, for whoever keeps the other end.
    pub counters: Arc<FollowCounters>,
    /// Counts what is asked.
    pub observer: Arc<Observer>,
}

/// How to learn of new blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heads {
    /// By asking, which costs the same however large the blocks are.
    #[default]
    Poll,
    /// By subscribing to their headers over WebSocket, for a node of one's own: there is no sooner way, but
    /// providers charge for every byte. Over HTTP, and where a node announces nothing, by asking.
    Subscribe,
}

impl FollowSettings {
    /// Polygon, all that this crate decodes, asked for every 2.75 seconds, in ranges of 500 blocks at most.
    #[must_use]
    pub fn new(endpoints: Vec<String>, start: Start) -> Self {
        Self {
            endpoints,
            start,
            heads: Heads::default(),
            poll_interval: Duration::from_millis(2_750),
            max_range: 500,
            addresses: watched_addresses().to_vec(),
            topics: watched_topics(),
            chain_id: 137,
            counters: Arc::default(),
            observer: Arc::default(),
        }
    }
}

/// Shows endpoints without what may be secret in them.
impl fmt::Debug for FollowSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<_> = self.endpoints.iter().map(|url| redacted(url)).collect();
        f.debug_struct("FollowSettings")
            .field("endpoints", &endpoints)
            .field("start", &self.start)
            .field("heads", &self.heads)
            .field("poll_interval", &self.poll_interval)
            .field("max_range", &self.max_range)
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Behind a block that is known already.
    Resume(BlockPoint),
    /// With the block of this height.
    Block(u64),
    /// With the next block to come.
    Head,
}

/// How often something went wrong that was repaired.
#[derive(Debug, Default)]
pub struct FollowCounters {
    refetched: AtomicU64,
    reverted: AtomicU64,
    failovers: AtomicU64,
}

impl FollowCounters {
    /// Ranges and blocks asked for again because a node's answers contradicted each other.
    #[must_use]
    pub fn refetched(&self) -> u64 {
        self.refetched.load(Ordering::Relaxed)
    }

    /// Reorganisations.
    #[must_use]
    pub fn reverted(&self) -> u64 {
        self.reverted.load(Ordering::Relaxed)
    }

    pub(crate) fn count_refetch(&self) {
        self.refetched.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failover(&self) {
        self.failovers.fetch_add(1, Ordering::Relaxed);
    }

    /// Nodes given up for the next one, or for another try.
    #[must_use]
    pub fn failovers(&self) -> u64 {
        self.failovers.load(Ordering::Relaxed)
    }
}

/// What the chain did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainUpdate {
    /// Blocks that follow what was emitted before.
    Committed(Stretch),
    /// Everything above a block was replaced by what the stretch holds, in one step.
    Reorged {
        /// The last block that stays.
        to: BlockPoint,
        /// What stands above it now.
        new: Stretch,
    },
    /// Everything above a block was taken back, and nothing is there yet.
    Reverted {
        /// The last block that stays.
        to: BlockPoint,
    },
}

/// Blocks that follow each other without a gap, and how they came to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first block covered, whether it has logs or not.
    pub from: u64,
    /// Those that have logs, by height.
    pub blocks: Vec<ChainBlock>,
    /// Every header that was seen, by height: near the head those of all blocks, else a few, the last one always.
    pub headers: Vec<BlockHeader>,
    /// The last block covered, whether it has logs or not.
    pub through: BlockHeader,
    /// Who told: a node's address without what may be secret in it, or `portal` and its host.
    pub source: Arc<str>,
    /// When the newest of the blocks was first heard of.
    pub seen: Instant,
}

/// A block with logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainBlock {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// The hash of the block before it, where its header was seen.
    pub parent: Option<BlockHash>,
    /// Its time.
    pub time: Timestamp,
    /// Its logs, by index.
    pub logs: Vec<RawLog>,
    /// What came among its logs and cannot be read. What names no block stands in the last one of its answer.
    pub malformed: Vec<MalformedLog>,
    /// The receipts that are needed to tell whose deed some of the logs are.
    pub receipts: Vec<Receipt>,
}

/// All logs of one transaction, also those that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transaction.
    pub tx_hash: TxHash,
    /// Its logs, by index.
    pub logs: Vec<RawLog>,
}

/// Why the chain cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// No node was named.
    #[error("no node to follow the chain with")]
    NoEndpoints,
    /// A node's address is none.
    #[error("a node's address cannot be used")]
    Endpoint(#[source] RpcError),
    /// The nodes are on another chain.
    #[error("{endpoint} is on chain {found}, not on chain {expected}")]
    WrongChain {
        /// The node without what may be secret in its address.
        endpoint: String,
        /// The chain asked for.
        expected: u64,
        /// The chain it is on.
        found: u64,
    },
    /// The nodes know none of the blocks known here: the chain was replaced deeper than is remembered, or
    /// what is remembered belongs to another chain.
    #[error("{endpoint} knows none of the remembered blocks, the newest of which is block {}", .newest.number)]
    TooDeep {
        /// The node without what may be secret in its address.
        endpoint: String,
        /// The newest block remembered.
        newest: BlockPoint,
    },
    /// Nobody receives the updates any more.
    #[error("nobody receives the updates any more")]
    Closed,
}

/// Follows the chain until stopped, for as long as somebody receives the updates.
///
/// `known` are blocks seen in earlier runs, from which the beginning of a reorganisation that happened in
/// between is found; without them, a block to resume behind that is gone is an error. Nodes that fail, stall
/// or contradict themselves are left for the next one, with growing pauses once all have failed, for ever. A
/// full channel holds the follower back.
///
/// # Errors
/// Where no progress is possible without somebody's doing: see [`FollowError`].
pub async fn follow(
    settings: FollowSettings,
    known: Vec<BlockPoint>,
    updates: mpsc::Sender<ChainUpdate>,
    stop: CancellationToken,
) -> Result<(), FollowError> {
    let following = follow_for_ever(settings, known, updates);
    stop.run_until_cancelled(following).await.unwrap_or(Ok(()))
}

async fn follow_for_ever(
    settings: FollowSettings,
    known: Vec<BlockPoint>,
    updates: mpsc::Sender<ChainUpdate>,
) -> Result<(), FollowError> {
    let observer = Arc::clone(&settings.observer);
    let client_of = match settings.heads {
        Heads::Poll => RpcClient::new,
        Heads::Subscribe => RpcClient::with_heads,
    };
    let client_of = |url: &str| client_of(url, Arc::clone(&observer)).map_err(FollowError::Endpoint);
    // All addresses are tried before the first node is asked: a wrong one is an operator's mistake.
    for url in &settings.endpoints {
        client_of(url)?;
    }
    let mut endpoints = Endpoints::new(&settings.endpoints, settings.max_range, &observer);
    let counters = Arc::clone(&settings.counters);
    let mut session = Session::new(settings, known, updates);
    let mut hopeless = 0;
    loop {
        // Made anew for each turn, so that no connection stays open to a node that nobody asks.
        let url = endpoints.current().ok_or(FollowError::NoEndpoints)?;
        let client = client_of(url)?;
        let before = session.progress();
        let fault = session.run(&client, &mut endpoints).await;
        counters.count_failover();
        if session.progress() != before {
            hopeless = 0;
        }
        let wait = match &fault {
            Fault::Closed => return Err(FollowError::Closed),
            Fault::Rpc(RpcError::RateLimited { retry_after }) => *retry_after,
            _ => None,
        };
        let warning = fault.to_string();
        // Where the node gave no answer, that has been counted with the question.
        if !matches!(fault, Fault::Rpc(_)) {
            observer.unfit(client.source(), &warning);
        }
        match fault.as_final(client.endpoint()) {
            Some(error) => {
                hopeless += 1;
                if hopeless >= BELIEVED && hopeless >= endpoints.count() {
                    return Err(error);
                }
            }
            None => hopeless = 0,
        }
        let pause = endpoints.failed(&warning, wait);
        tokio::time::sleep(pause).await;
    }
}
