//! What really happened, to compare a reader's database with: from the world that made it happen, not from
//! anybody's decoder.

use domain::{BlockHash, ChainEvent, Fill, TxHash};

use crate::chain::{Block, Chain};

/// A block's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
}

/// A fill on the canonical chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TruthFill {
    /// The block's height.
    pub block_number: u64,
    /// The block's hash.
    pub block_hash: BlockHash,
    /// The index in the block of the log that says it.
    pub log_index: u32,
    /// The transaction.
    pub tx_hash: TxHash,
    /// Whose fill, of which token, on which side and in which role, how many shares for how many dollars, and
    /// the fee.
    pub fill: Fill,
}

/// Anything else on the canonical chain that makes, moves or ends positions: preparations, splits, merges,
/// redemptions and resolutions, credited to users.
///
/// What an exchange splits or merges for a match is not here: the match's fills say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthEvent {
    /// The block's height.
    pub block_number: u64,
    /// The block's hash.
    pub block_hash: BlockHash,
    /// The index in the block of the log that says it. Where several logs of a transaction tell of one act, it is
    /// the conditional tokens' own for a split or merge, and the one that names the user for a redemption.
    pub log_index: u32,
    /// The transaction.
    pub tx_hash: TxHash,
    /// What happened, and to whom.
    pub event: ChainEvent,
}

/// The fills of the canonical chain, in order.
pub(crate) fn fills(chain: &Chain) -> Vec<TruthFill> {
    let mut fills = Vec::new();
    for_each(chain, |block, log_index, tx_hash, event| {
        if let ChainEvent::Fill(fill) = event {
            let block_hash = BlockHash(block.hash);
            fills.push(TruthFill { block_number: block.number, block_hash, log_index, tx_hash, fill: *fill });
        }
    });
    fills
}

/// Everything else, in order.
pub(crate) fn ledger(chain: &Chain) -> Vec<TruthEvent> {
    let mut events = Vec::new();
    for_each(chain, |block, log_index, tx_hash, event| {
        if !matches!(event, ChainEvent::Fill(_)) {
            let (block_number, block_hash) = (block.number, BlockHash(block.hash));
            let event = event.clone();
            events.push(TruthEvent { block_number, block_hash, log_index, tx_hash, event });
        }
    });
    events
}

fn for_each(chain: &Chain, mut see: impl FnMut(&Block, u32, TxHash, &ChainEvent)) {
    for block in chain.range(0, u64::MAX) {
        for (log_index, event) in &block.deeds {
            let log = usize::try_from(*log_index).ok().and_then(|index| block.logs.get(index));
            if let Some(log) = log {
                see(block, *log_index, log.tx_hash, event);
            }
        }
    }
}
