//! Which node is asked next, and for how much at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{HistoryError, HistorySettings};
use crate::follow::range::Span;
use crate::pauses::{LONGEST_ASKED, jittered, pause_of_round};
use crate::rpc::{RpcClient, RpcError};

/// All nodes. They are asked in turn, so that several carry the load together; one that fails rests.
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    next: usize,
}

struct Node {
    client: Arc<RpcClient>,
    span: Span,
    rests_until: Option<Instant>,
    /// Failures since the last success.
    failures: u32,
    chain: Chain,
}

/// Which chain a node is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chain {
    Unknown,
    Expected,
    Other(u64),
}

/// A node to ask.
pub(crate) struct Turn {
    index: usize,
    pub(crate) client: Arc<RpcClient>,
    /// For how many blocks at most.
    pub(crate) blocks: u64,
    /// Whether it is known to be on the right chain.
    pub(crate) is_proven: bool,
}

impl Nodes {
    pub(crate) fn new(settings: &HistorySettings) -> Result<Self, HistoryError> {
        if settings.endpoints.is_empty() {
            return Err(HistoryError::NoEndpoints);
        }
        let node = |url: &String| {
            let client =
                RpcClient::new(url, Arc::clone(&settings.observer)).map_err(HistoryError::Endpoint)?;
            let span = Span::new(settings.max_range);
            Ok(Node { client: Arc::new(client), span, rests_until: None, failures: 0, chain: Chain::Unknown })
        };
        Ok(Self { nodes: settings.endpoints.iter().map(node).collect::<Result<_, _>>()?, next: 0 })
    }

    pub(crate) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// The next node that does not rest, or when the first of them will have rested. `but` is passed over as
    /// long as there is any other.
    pub(crate) fn turn(&mut self, but: Option<&str>) -> Result<Turn, Instant> {
        let now = Instant::now();
        let is_other = |node: &Node| but.is_none_or(|but| but != node.client.endpoint());
        let others = self.nodes.iter().any(is_other);
        let turns = (0..self.nodes.len()).map(|step| (self.next + step) % self.nodes.len());
        let candidates: Vec<_> =
            turns.filter(|turn| !others || self.nodes.get(*turn).is_some_and(is_other)).collect();
        let rested = |turn: &usize| self.nodes.get(*turn).and_then(|node| node.rests_until).unwrap_or(now);
        let Some(index) = candidates.into_iter().min_by_key(|turn| rested(turn).max(now)) else {
            return Err(now);
        };
        let until = rested(&index);
        if until > now {
            return Err(until);
        }
        self.next = (index + 1) % self.nodes.len();
        let Some(node) = self.nodes.get(index) else { return Err(now) };
        let (client, blocks) = (Arc::clone(&node.client), node.span.blocks());
        Ok(Turn { index, client, blocks, is_proven: node.chain == Chain::Expected })
    }

    /// The node has said which chain it is on. An error where no node says anything else than a wrong one.
    pub(crate) fn on_chain(&mut self, turn: &Turn, found: u64, expected: u64) -> Result<(), HistoryError> {
        let Some(node) = self.nodes.get_mut(turn.index) else { return Ok(()) };
        if found == expected {
            node.chain = Chain::Expected;
            return Ok(());
        }
        node.chain = Chain::Other(found);
        if self.nodes.iter().all(|node| matches!(node.chain, Chain::Other(_))) {
            let endpoint = turn.client.endpoint().to_owned();
            return Err(HistoryError::WrongChain { endpoint, expected, found });
        }
        self.rest(turn, None);
        Ok(())
    }

    /// The node has answered for so many blocks with so many bytes.
    pub(crate) fn answered(&mut self, turn: &Turn, asked: u64, bytes: usize) {
        if let Some(node) = self.nodes.get_mut(turn.index) {
            node.failures = 0;
            node.rests_until = None;
            // Less than a span says nothing of whether more could be had.
            if asked >= turn.blocks {
                node.span.answered(asked, bytes);
            }
        }
    }

    /// The node did not answer for so many blocks. It rests, unless it is enough to ask it for less.
    pub(crate) fn failed(&mut self, turn: &Turn, asked: u64, error: &RpcError) {
        let Some(node) = self.nodes.get_mut(turn.index) else { return };
        if node.span.refused(asked, error) {
            return;
        }
        let wait = match error {
            RpcError::RateLimited { retry_after } => *retry_after,
            _ => None,
        };
        self.rest(turn, wait);
    }

    /// The node rests, for longer each time in a row.
    pub(crate) fn rest(&mut self, turn: &Turn, asked: Option<Duration>) {
        let now = Instant::now();
        let Some(node) = self.nodes.get_mut(turn.index) else { return };
        // Several questions that failed together are one failure.
        if node.rests_until.is_none_or(|until| until <= now) {
            node.failures = node.failures.saturating_add(1);
        }
        let pause = jittered(pause_of_round(node.failures)).max(asked.unwrap_or_default().min(LONGEST_ASKED));
        node.rests_until = node.rests_until.max(Some(now + pause));
        if node.chain == Chain::Expected {
            node.chain = Chain::Unknown;
        }
    }
}
