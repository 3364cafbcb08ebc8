//! What a machine that is behind has heard of but does not show yet.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::chain::{Block, Step};

/// Blocks that wait to be announced, oldest first.
#[derive(Debug, Default)]
pub(super) struct Delay {
    waiting: VecDeque<Arc<Block>>,
}

impl Delay {
    /// What can be told after a step of the chain, by one that is `behind` so many blocks.
    pub(super) fn pass(&mut self, step: &Step, behind: u64) -> Step {
        // What was never shown need not be taken back.
        let mut removed = Vec::new();
        for block in step.removed.iter().rev() {
            if self.waiting.back().is_some_and(|last| last.hash == block.hash) {
                self.waiting.pop_back();
            } else {
                removed.push(Arc::clone(block));
            }
        }
        removed.reverse();
        self.waiting.extend(step.added.iter().cloned());
        let behind = usize::try_from(behind).unwrap_or(usize::MAX);
        let due = self.waiting.len().saturating_sub(behind);
        Step { removed, added: self.waiting.drain(..due).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;
    use domain::Timestamp;
    use std::sync::OnceLock;

    fn block(number: u64, branch: u8) -> Arc<Block> {
        let mut hash = B256::repeat_byte(branch);
        hash[0] = u8::try_from(number).unwrap();
        let (parent, at) = (B256::ZERO, Timestamp::default());
        Arc::new(Block {
            number,
            hash,
            parent,
            at,
            txs: Vec::new(),
            logs: Vec::new(),
            deeds: Vec::new(),
            bloom: OnceLock::new(),
        })
    }

    fn blocks(numbers: impl IntoIterator<Item = u64>, branch: u8) -> Vec<Arc<Block>> {
        numbers.into_iter().map(|number| block(number, branch)).collect()
    }

    fn told(step: &Step) -> (Vec<u64>, Vec<u64>) {
        let numbers = |blocks: &[Arc<Block>]| blocks.iter().map(|block| block.number).collect();
        (numbers(&step.removed), numbers(&step.added))
    }

    #[test]
    fn news_comes_late_and_what_was_not_told_is_not_taken_back() {
        let mut delay = Delay::default();
        let added = |numbers| Step { removed: Vec::new(), added: blocks(numbers, 1) };
        assert_eq!(told(&delay.pass(&added(1..=1), 0)), (vec![], vec![1]));
        assert_eq!(told(&delay.pass(&added(2..=4), 2)), (vec![], vec![2]));
        // Four blocks are replaced, of which two were told.
        let step = Step { removed: blocks(1..=4, 1), added: blocks(1..=4, 2) };
        assert_eq!(told(&delay.pass(&step, 2)), (vec![1, 2], vec![1, 2]));
        assert_eq!(told(&delay.pass(&added(5..=5), 0)), (vec![], vec![3, 4, 5]));
    }
}
