//! What the newest blocks hold, for readers in the process that stored them: a block's hash names its facts for good, so
//! that whoever has them need not ask for them again. Whether a block counts, and what of it was told, only the database
//! says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{BlockHash, ChainEvent, Fact, FeeKind};

use super::{Block, is_ledger_event};

/// So many blocks are remembered, and none with more facts than this: a few megabytes at most.
const BLOCKS: usize = 8;
const FACTS: usize = 4_096;

/// The facts of the newest blocks that were stored by this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent(Arc<Mutex<Kept>>);

/// Oldest first, each block once.
type Kept = VecDeque<(BlockHash, Vec<Fact>)>;

impl Recent {
    /// Remembers blocks that are about to be stored; the oldest make room.
    pub(super) fn remember(&self, blocks: &[&Block]) {
        let mut kept = self.kept();
        for block in blocks.iter().filter(|block| block.facts.len() <= FACTS) {
            kept.retain(|(hash, _)| *hash != block.hash);
            kept.push_back((block.hash, block.facts.iter().filter_map(stored).collect()));
        }
        let surplus = kept.len().saturating_sub(BLOCKS);
        kept.drain(..surplus);
    }

    /// The facts of a block, by log index, as the database would tell them.
    pub(crate) fn of(&self, block: BlockHash) -> Option<Vec<Fact>> {
        self.kept().iter().find(|(hash, _)| *hash == block).map(|(_, facts)| facts.clone())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fact as it comes back from its row; `None` where it leaves none.
fn stored(fact: &Fact) -> Option<Fact> {
    let event = match &fact.event {
        // Through which exchange a fee came back is not kept.
        ChainEvent::Fee { kind: FeeKind::Refunded, receiver, token, micros, .. } => ChainEvent::Fee {
            exchange: None,
            kind: FeeKind::Refunded,
            receiver: *receiver,
            token: *token,
            micros: *micros,
        },
        ChainEvent::Fill(_) => fact.event.clone(),
        event if is_ledger_event(event) => event.clone(),
        _ => return None,
    };
    Some(Fact { place: fact.place, event })
}
