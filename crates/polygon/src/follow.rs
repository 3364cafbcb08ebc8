//! Following the chain: history and head as one stream of blocks, with what was taken back said aloud.
//!
//! History more than [`SETTLED`] blocks behind the head is read in ranges; the last blocks one by one, each
//! by its hash and each checked against its parent, because there the chain may still change and a node may
//! not yet have what it will have in a second. Nothing is emitted that contradicts what was emitted before
//! it: the change is emitted first, as [`ChainUpdate::Reverted`].

mod endpoints;
mod range;
mod read;
mod session;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use domain::{BlockHash, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::contracts::{watched_addresses, watched_topics};
use crate::log::RawLog;
use crate::rpc::{BlockHeader, RpcClient, RpcError, redacted};
pub use crate::window::BlockPoint;
use endpoints::Endpoints;
use session::{Fault, Session};

/// How many blocks below the head are read one by one. Under Polygon's current rules no reorganisation has
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
}

impl FollowSettings {
    /// Polygon, all that this crate decodes, asked for every three seconds in ranges of 500 blocks at most.
    #[must_use]
    pub fn new(endpoints: Vec<String>, start: Start) -> Self {
        Self {
            endpoints,
            start,
            poll_interval: Duration::from_secs(3),
            max_range: 500,
            addresses: watched_addresses().to_vec(),
            topics: watched_topics(),
            chain_id: 137,
            counters: Arc::default(),
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
    Committed {
        /// Those that have logs, by height.
        blocks: Vec<ChainBlock>,
        /// The last block covered, whether it has logs or not.
        through: BlockHeader,
    },
    /// Every block above this one was taken back.
    Reverted {
        /// The last block that stays.
        to: BlockPoint,
    },
}

/// A block with logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainBlock {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// Its time.
    pub time: Timestamp,
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
    // All addresses are tried before the first node is asked: a wrong one is an operator's mistake.
    for url in &settings.endpoints {
        RpcClient::new(url).map_err(FollowError::Endpoint)?;
    }
    let mut endpoints = Endpoints::new(&settings.endpoints, settings.max_range);
    let counters = Arc::clone(&settings.counters);
    let mut session = Session::new(settings, known, updates);
    let mut hopeless = 0;
    loop {
        // Made anew for each turn, so that no connection stays open to a node that nobody asks.
        let url = endpoints.current().ok_or(FollowError::NoEndpoints)?;
        let client = RpcClient::new(url).map_err(FollowError::Endpoint)?;
        let before = session.progress();
        let fault = session.run(&client, &mut endpoints).await;
        counters.failovers.fetch_add(1, Ordering::Relaxed);
        if session.progress() != before {
            hopeless = 0;
        }
        let wait = match &fault {
            Fault::Closed => return Err(FollowError::Closed),
            Fault::Rpc(RpcError::RateLimited { retry_after }) => *retry_after,
            _ => None,
        };
        let warning = fault.to_string();
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
