//! The blocks that are known, and which of them a portal still has.

use std::collections::BTreeMap;

use domain::BlockHash;

use crate::follow::BlockPoint;
use crate::window::DEPTH;

/// The newest blocks emitted, as many as the deepest reorganisation that is followed.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    points: BTreeMap<u64, BlockHash>,
}

impl Known {
    pub(super) fn new(points: impl IntoIterator<Item = BlockPoint>) -> Self {
        let mut known = Self::default();
        for point in points {
            known.add(point);
        }
        known
    }

    pub(super) fn add(&mut self, point: BlockPoint) {
        self.points.insert(point.number, point.hash);
        while self.points.len() > DEPTH {
            self.points.pop_first();
        }
    }

    pub(super) fn has(&self, point: BlockPoint) -> bool {
        self.points.get(&point.number) == Some(&point.hash)
    }

    /// Forgets what is above a block, and remembers that one.
    pub(super) fn rewind(&mut self, to: BlockPoint) {
        let _above = self.points.split_off(&to.number);
        self.add(to);
    }

    /// Where to ask from next after a portal has said that block `refused` is not on its chain, and which blocks
    /// are: the highest that both know, or the highest below all that it named. `None` where nothing is left.
    pub(super) fn below(&self, refused: BlockPoint, named: &[BlockPoint]) -> Option<BlockPoint> {
        let lowest = named.iter().map(|point| point.number).min().unwrap_or(refused.number);
        let candidates = self.points.range(..refused.number).rev();
        candidates
            .map(|(number, hash)| BlockPoint { number: *number, hash: *hash })
            .find(|point| point.number < lowest || named.contains(point))
    }
}

/// The highest of the named blocks below all that is known. Only where nothing below was ever emitted can the
/// chain be taken up there.
pub(super) fn beneath(known: &Known, named: &[BlockPoint]) -> Option<BlockPoint> {
    let lowest = known.points.first_key_value().map(|(number, _)| *number)?;
    named.iter().filter(|point| point.number < lowest).max_by_key(|point| point.number).copied()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;

    use super::*;

    fn point(number: u64, fork: u8) -> BlockPoint {
        let mut hash = B256::with_last_byte(fork);
        hash[..8].copy_from_slice(&number.to_be_bytes());
        BlockPoint { number, hash: BlockHash(hash) }
    }

    #[test]
    fn the_highest_common_block_is_found() {
        let known = Known::new((1..=10).map(|number| point(number, 0)));
        let named = [point(6, 0), point(7, 0), point(8, 1), point(9, 1)];
        assert_eq!(known.below(point(10, 0), &named), Some(point(7, 0)));
        // Nothing in common yet: on below what was named.
        assert_eq!(known.below(point(10, 0), &named[2..]), Some(point(7, 0)));
        // Nothing named: one step.
        assert_eq!(known.below(point(10, 0), &[]), Some(point(9, 0)));
        assert_eq!(known.below(point(1, 0), &[]), None);
        assert_eq!(known.below(point(10, 0), &[point(1, 1), point(9, 1)]), None);
        // A portal that names the very block it refused does not lead in a circle.
        assert_eq!(known.below(point(10, 0), &[point(10, 0), point(9, 0)]), Some(point(9, 0)));
    }

    #[test]
    fn below_all_that_is_known_only_what_is_named_is_there() {
        let known = Known::new([point(5, 0), point(6, 0)]);
        assert_eq!(beneath(&known, &[point(3, 1), point(4, 1), point(5, 1)]), Some(point(4, 1)));
        assert_eq!(beneath(&known, &[point(5, 1)]), None);
        assert_eq!(beneath(&Known::default(), &[point(5, 1)]), None);
    }

    #[test]
    fn only_the_newest_are_kept() {
        let mut known = Known::new((0..1_000).map(|number| point(number, 0)));
        assert_eq!(known.points.len(), DEPTH);
        known.rewind(point(900, 1));
        assert_eq!(known.points.last_key_value().map(|(number, _)| *number), Some(900));
        assert_eq!(known.below(point(900, 1), &[]), Some(point(899, 0)));
    }
}
