//! Reading again what was read before, from somebody else: the proof that nothing was missed or invented.

use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, sleep_until};

pub use crate::follow::Receipts;
use crate::follow::Stretch;
use crate::follow::read::{Reader, Trouble};
use crate::history::nodes::{Nodes, Turn};
use crate::history::{HistoryError, HistorySettings};
use crate::rpc::BlockHeader;

/// How often other nodes are tried before the one is asked that told first, and how often each before an audit is
/// put off.
const TRIES: usize = 3;

/// Asks for finalized blocks once more.
pub struct Auditor {
    settings: HistorySettings,
    nodes: Mutex<Nodes>,
}

/// Why a range could not be read again. The next attempt may succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// There is nothing in the range.
    #[error("the range from block {from} to block {to} is empty")]
    Empty {
        /// The first block.
        from: u64,
        /// The last block.
        to: u64,
    },
    /// No node answered credibly.
    #[error("blocks {from} to {to} could not be read again: {reason}")]
    Unanswered {
        /// The first block of the part that failed.
        from: u64,
        /// Its last block.
        to: u64,
        /// What went wrong last.
        reason: String,
    },
}

impl Auditor {
    /// An auditor that asks the nodes of these settings.
    ///
    /// # Errors
    /// Where there is none, or an address is none.
    pub fn new(settings: HistorySettings) -> Result<Self, HistoryError> {
        let nodes = Mutex::new(Nodes::new(&settings)?);
        Ok(Self { settings, nodes })
    }

    /// The newest block that the chain's rules say will stay, by the first node that tells; `None` where none
    /// does.
    pub async fn finalized(&self) -> Option<BlockHeader> {
        let count = self.nodes().count();
        for _ in 0..count {
            let turn = self.nodes().turn(None).ok()?;
            match self.finalized_by(&turn).await {
                Ok(Some(header)) => return Some(header),
                Ok(None) => self.nodes().rest(&turn, None),
                Err(reason) => {
                    tracing::debug!(endpoint = turn.client.endpoint(), reason, "nothing finalized")
                }
            }
        }
        None
    }

    async fn finalized_by(&self, turn: &Turn) -> Result<Option<BlockHeader>, String> {
        self.prove(turn).await?;
        turn.client.finalized().await.map_err(|error| {
            self.nodes().failed(turn, 0, &error);
            error.to_string()
        })
    }

    /// Reads a range again: where there are several nodes, from another one than it came from, which is named
    /// by [`Stretch::source`], unless the others fail. Receipts cost, and are needed only where something is found
    /// to be missing.
    ///
    /// # Errors
    /// Where no node answers credibly, after several attempts.
    pub async fn read(
        &self,
        range: RangeInclusive<u64>,
        source: &str,
        receipts: Receipts,
    ) -> Result<Stretch, AuditError> {
        let (from, to) = range.into_inner();
        let mut whole: Option<Stretch> = None;
        let mut next = from;
        while next <= to {
            let part = self.part(next..=to, source, receipts).await?;
            next = part.through.number.saturating_add(1);
            match &mut whole {
                None => whole = Some(part),
                Some(whole) => {
                    let Stretch { blocks, headers, through, source, seen, .. } = part;
                    whole.blocks.extend(blocks);
                    whole.headers.extend(headers);
                    (whole.through, whole.source, whole.seen) = (through, source, seen);
                }
            }
        }
        whole.ok_or(AuditError::Empty { from, to })
    }

    /// The beginning of a range, as much as a node gives at once.
    async fn part(
        &self,
        range: RangeInclusive<u64>,
        source: &str,
        receipts: Receipts,
    ) -> Result<Stretch, AuditError> {
        let (from, end) = range.into_inner();
        let mut reason = String::new();
        let mut to = end;
        let mut failures = 0;
        while failures < TRIES * self.nodes().count() {
            // Better the same again than nothing.
            let turn = self.turn((failures < TRIES).then_some(source)).await;
            to = from.saturating_add(turn.blocks.max(1) - 1).min(end);
            if let Err(why) = self.prove(&turn).await {
                reason = why;
                failures += 1;
                continue;
            }
            let addresses = self.settings.addresses_between(from, to);
            let (client, topics) = (&*turn.client, self.settings.topics.as_slice());
            let reader = Reader { client, addresses: &addresses, topics, receipts };
            match reader.settled(None, from, to).await {
                Ok((stretch, bytes)) => {
                    self.nodes().answered(&turn, to - from + 1, bytes);
                    return Ok(stretch);
                }
                Err(trouble) => {
                    reason = trouble.to_string();
                    // Asking for less is no failure, and comes to an end.
                    failures += usize::from(!self.is_too_much(&turn, to - from + 1, &trouble));
                }
            }
        }
        Err(AuditError::Unanswered { from, to, reason })
    }

    /// Whether less must be asked for; else the node rests.
    fn is_too_much(&self, turn: &Turn, asked: u64, trouble: &Trouble) -> bool {
        let Trouble::Rpc(error) = trouble else {
            self.settings.counters.count_refetch();
            self.nodes().rest(turn, None);
            return false;
        };
        self.nodes().failed(turn, asked, error);
        asked > 1 && matches!(error, crate::rpc::RpcError::TooManyResults { .. })
    }

    /// A node that does not rest, another one than `but` if there is any.
    async fn turn(&self, but: Option<&str>) -> Turn {
        loop {
            let turn: Result<Turn, Instant> = self.nodes().turn(but);
            match turn {
                Ok(turn) => return turn,
                Err(until) => sleep_until(until).await,
            }
        }
    }

    /// Makes sure that the node is on the right chain.
    async fn prove(&self, turn: &Turn) -> Result<(), String> {
        if turn.is_proven {
            return Ok(());
        }
        let expected = self.settings.chain_id;
        match turn.client.chain_id().await {
            Ok(found) => {
                let proof = self.nodes().on_chain(turn, found, expected);
                if found == expected {
                    return Ok(());
                }
                if proof.is_err() {
                    self.nodes().rest(turn, None);
                }
                Err(format!("it is on chain {found}, not on chain {expected}"))
            }
            Err(error) => {
                self.nodes().failed(turn, 0, &error);
                Err(error.to_string())
            }
        }
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Auditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auditor").field("settings", &self.settings).finish_non_exhaustive()
    }
}
