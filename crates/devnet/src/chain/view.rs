//! The chain as one machine sees it, which may be a few blocks behind the others.

use std::sync::Arc;

use alloy_primitives::B256;

use super::{Block, Chain};

/// A chain whose newest blocks are not there yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    chain: &'a Chain,
    /// The height of the newest block that is there.
    top: u64,
    /// How deep under the newest a block is final.
    finality: u64,
}

impl<'a> View<'a> {
    /// `chain` without its newest `behind` blocks; the first is always there.
    pub(crate) fn new(chain: &'a Chain, behind: u64, finality: u64) -> Self {
        let first = chain.first().map_or(0, |block| block.number);
        let newest = chain.head().map_or(0, |block| block.number);
        Self { chain, top: newest.saturating_sub(behind).max(first), finality }
    }

    pub(crate) fn head(&self) -> Option<&'a Arc<Block>> {
        self.chain.by_number(self.top)
    }

    pub(crate) fn first(&self) -> Option<&'a Arc<Block>> {
        self.chain.first()
    }

    /// The newest block that is final.
    pub(crate) fn finalized(&self) -> Option<&'a Arc<Block>> {
        self.chain.by_number(self.top.saturating_sub(self.finality)).or_else(|| self.first())
    }

    pub(crate) fn by_number(&self, number: u64) -> Option<&'a Arc<Block>> {
        self.chain.by_number(number).filter(|_| number <= self.top)
    }

    pub(crate) fn by_hash(&self, hash: B256) -> Option<&'a Arc<Block>> {
        self.chain.by_hash(hash).filter(|block| block.number <= self.top)
    }

    /// The block a transaction is in.
    pub(crate) fn of_transaction(&self, hash: B256) -> Option<&'a Arc<Block>> {
        self.chain.of_transaction(hash).filter(|block| block.number <= self.top)
    }

    /// The blocks from `from` to `to`, both included, as far as they are there.
    pub(crate) fn range(&self, from: u64, to: u64) -> &'a [Arc<Block>] {
        self.chain.range(from, to.min(self.top))
    }
}
