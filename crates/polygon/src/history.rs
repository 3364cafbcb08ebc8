//! Reading settled history: many ranges at once, from as many nodes as there are, in whatever order they come.
//!
//! What may still be reorganised is not for this: see [`follow`](crate::follow). Each stretch covers what it
//! says without a hole, checked as [`follow`](crate::follow) checks history; all of them together cover the
//! ranges that were asked for, each block once.

pub(crate) mod nodes;

use std::collections::VecDeque;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alloy_primitives::{Address, B256};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::contracts::{CHAIN_ID, watched_addresses, watched_between, watched_topics};
use crate::follow::read::{Reader, Trouble};
use crate::follow::{FollowCounters, Receipts, Stretch};
use crate::rpc::{Observer, RpcError, is_on_this_machine, redacted};
use nodes::{Nodes, Turn};

/// What to read, from whom, and how much at once.
#[derive(Clone)]
pub struct HistorySettings {
    /// The nodes, which share the work.
    pub endpoints: Vec<String>,
    /// How many questions are under way at once, to all nodes together. So many answers are held in memory.
    pub at_once: usize,
    /// The most blocks to ask for at once.
    pub max_range: u64,
    /// The contracts whose logs to ask for.
    pub addresses: Vec<Address>,
    /// Whether those of Polymarket are left out at heights where they did not exist yet or no longer count. Only
    /// the heights of Polygon itself tell; a chain for tests has its own.
    pub by_height: bool,
    /// The first topics to ask for.
    pub topics: Vec<B256>,
    /// The chain the nodes must be on.
    pub chain_id: u64,
    /// Counts what is asked.
    pub observer: Arc<Observer>,
    /// What went wrong and was repaired.
    pub counters: Arc<FollowCounters>,
}

impl HistorySettings {
    /// Polygon, all that this crate decodes, four ranges at once of 10,000 blocks at most. What runs on this machine
    /// may be a chain for tests, and is asked for all contracts at all heights.
    #[must_use]
    pub fn new(endpoints: Vec<String>) -> Self {
        Self {
            by_height: !endpoints.iter().any(|url| is_on_this_machine(url)),
            endpoints,
            at_once: 4,
            max_range: 10_000,
            addresses: watched_addresses().to_vec(),
            topics: watched_topics(),
            chain_id: CHAIN_ID,
            observer: Arc::default(),
            counters: Arc::default(),
        }
    }

    /// The contracts to ask for in a range.
    pub(crate) fn addresses_between(&self, from: u64, to: u64) -> Vec<Address> {
        if !self.by_height || self.chain_id != CHAIN_ID {
            return self.addresses.clone();
        }
        let (all, now) = (watched_addresses(), watched_between(from, to));
        let counts = |address: &&Address| now.contains(address) || !all.contains(address);
        let counting: Vec<_> = self.addresses.iter().filter(counts).copied().collect();
        // None at all would ask for the logs of everybody.
        if counting.is_empty() { self.addresses.clone() } else { counting }
    }
}

/// Shows endpoints without what may be secret in them.
impl fmt::Debug for HistorySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<_> = self.endpoints.iter().map(|url| redacted(url)).collect();
        f.debug_struct("HistorySettings")
            .field("endpoints", &endpoints)
            .field("at_once", &self.at_once)
            .field("max_range", &self.max_range)
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

/// Why history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No node was named.
    #[error("no node to read history from")]
    NoEndpoints,
    /// A node's address is none.
    #[error("a node's address cannot be used")]
    Endpoint(#[source] RpcError),
    /// All nodes are on other chains.
    #[error("{endpoint} is on chain {found}, not on chain {expected}, and no other node is")]
    WrongChain {
        /// One of the nodes, without what may be secret in its address.
        endpoint: String,
        /// The chain asked for.
        expected: u64,
        /// The chain it is on.
        found: u64,
    },
    /// Nobody receives the stretches any more.
    #[error("nobody receives the history any more")]
    Closed,
}

/// Reads the ranges, which must be settled and must not overlap, until all is read or it is stopped.
///
/// The stretches come in no order. A range that a node does not answer goes to the next one; where none
/// answers it goes on trying, with growing pauses, for ever. A full channel holds it back: in memory are at
/// most [`HistorySettings::at_once`] stretches besides those in the channel.
///
/// # Errors
/// Where no progress is possible without somebody's doing: see [`HistoryError`].
pub async fn history(
    settings: HistorySettings,
    ranges: Vec<RangeInclusive<u64>>,
    batches: mpsc::Sender<Stretch>,
    stop: CancellationToken,
) -> Result<(), HistoryError> {
    let at_once = settings.at_once.max(1);
    let work = Arc::new(Work::new(settings, ranges)?);
    let mut workers = JoinSet::new();
    for _ in 0..at_once {
        workers.spawn(Arc::clone(&work).run(batches.clone()));
    }
    drop(batches);
    let finishing = async {
        while let Some(ended) = workers.join_next().await {
            match ended {
                Ok(ended) => ended?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_aborted) => {}
            }
        }
        Ok(())
    };
    // Workers that are left end with their set.
    stop.run_until_cancelled(finishing).await.unwrap_or(Ok(()))
}

/// What the workers share.
struct Work {
    settings: HistorySettings,
    ranges: Mutex<VecDeque<RangeInclusive<u64>>>,
    nodes: Mutex<Nodes>,
}

impl Work {
    fn new(settings: HistorySettings, ranges: Vec<RangeInclusive<u64>>) -> Result<Self, HistoryError> {
        let nodes = Mutex::new(Nodes::new(&settings)?);
        let ranges = ranges.into_iter().filter(|range| !range.is_empty()).collect();
        Ok(Self { settings, ranges: Mutex::new(ranges), nodes })
    }

    /// Reads until nothing is left. A part that was given back is taken again by the worker that gave it.
    async fn run(self: Arc<Self>, batches: mpsc::Sender<Stretch>) -> Result<(), HistoryError> {
        while !self.ranges().is_empty() {
            let turn = self.nodes().turn(None);
            let turn = match turn {
                Ok(turn) => turn,
                Err(until) => {
                    sleep_until(until).await;
                    continue;
                }
            };
            if !self.is_fit(&turn).await? {
                continue;
            }
            let Some((from, to)) = self.take(turn.blocks) else { break };
            if let Some(stretch) = self.read(&turn, from, to).await {
                batches.send(stretch).await.map_err(|_| HistoryError::Closed)?;
            } else {
                self.ranges().push_front(from..=to);
            }
        }
        Ok(())
    }

    /// Whether the node is on the right chain.
    async fn is_fit(&self, turn: &Turn) -> Result<bool, HistoryError> {
        if turn.is_proven {
            return Ok(true);
        }
        let expected = self.settings.chain_id;
        match turn.client.chain_id().await {
            Ok(found) => {
                self.nodes().on_chain(turn, found, expected)?;
                if found != expected {
                    let reason = format!("it is on chain {found}, not on chain {expected}");
                    self.settings.observer.unfit(turn.client.source(), &reason);
                }
                Ok(found == expected)
            }
            Err(error) => {
                self.nodes().failed(turn, 0, &error);
                Ok(false)
            }
        }
    }

    /// The next part to read, of so many blocks at most.
    fn take(&self, blocks: u64) -> Option<(u64, u64)> {
        let mut ranges = self.ranges();
        let (from, end) = ranges.pop_front()?.into_inner();
        let to = from.saturating_add(blocks.max(1) - 1).min(end);
        if to < end {
            ranges.push_front(to + 1..=end);
        }
        Some((from, to))
    }

    /// Reads a part; `None` where the node does not answer it, or not credibly.
    async fn read(&self, turn: &Turn, from: u64, to: u64) -> Option<Stretch> {
        let asked = to - from + 1;
        let addresses = self.settings.addresses_between(from, to);
        let (client, topics) = (&*turn.client, self.settings.topics.as_slice());
        let reader = Reader { client, addresses: &addresses, topics, receipts: Receipts::With };
        match reader.settled(None, from, to).await {
            Ok((stretch, bytes)) => {
                self.nodes().answered(turn, asked, bytes);
                Some(stretch)
            }
            Err(Trouble::Rpc(error)) => {
                tracing::debug!(endpoint = turn.client.endpoint(), from, to, %error, "asked again");
                if !matches!(error, RpcError::TooManyResults { .. }) {
                    self.settings.counters.count_failover();
                }
                self.nodes().failed(turn, asked, &error);
                None
            }
            Err(doubt) => {
                tracing::debug!(endpoint = turn.client.endpoint(), from, to, %doubt, "asked again");
                self.settings.counters.count_refetch();
                self.nodes().rest(turn, None);
                None
            }
        }
    }

    fn ranges(&self) -> MutexGuard<'_, VecDeque<RangeInclusive<u64>>> {
        self.ranges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_on_polygon_do_heights_tell_which_contracts_count() {
        let polygon = HistorySettings::new(vec!["https://node.example/v2/key".to_owned()]);
        let of_2022 = polygon.addresses_between(36_000_000, 36_000_100);
        assert_eq!(of_2022, watched_between(36_000_000, 36_000_100));
        assert!(of_2022.len() < watched_addresses().len());
        // Nobody's are never everybody's.
        assert_eq!(polygon.addresses_between(1, 100), watched_addresses());
        let other = Address::repeat_byte(7);
        let with_other = HistorySettings { addresses: vec![other], ..polygon.clone() };
        assert_eq!(with_other.addresses_between(1, 100), [other]);
        let here = HistorySettings::new(vec!["http://127.0.0.1:8545".to_owned()]);
        let elsewhere = HistorySettings { chain_id: 80_002, ..polygon.clone() };
        let by_hand = HistorySettings { by_height: false, ..polygon };
        for settings in [here, elsewhere, by_hand] {
            assert_eq!(settings.addresses_between(36_000_000, 36_000_100), watched_addresses());
        }
    }
}
