//! What has been seen of the chain's end, so that a reorganisation is noticed and its beginning found.
//! Pure: it is told what nodes say and answers what to ask next.

use std::collections::BTreeMap;

use domain::BlockHash;

use crate::rpc::BlockHeader;

/// How many points are remembered: enough for the deepest reorganisation that Polygon's rules allow.
pub(crate) const DEPTH: usize = 256;

/// A block that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockPoint {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
}

/// The newest blocks that were seen, [`DEPTH`] of them at most. There may be gaps between them: history is
/// read in ranges of which only the ends are seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    points: BTreeMap<u64, BlockHash>,
}

impl Window {
    /// A window onto points seen before; of two at one height the later one counts.
    #[must_use]
    pub(crate) fn new(known: impl IntoIterator<Item = BlockPoint>) -> Self {
        let mut window = Self { points: known.into_iter().map(|point| (point.number, point.hash)).collect() };
        window.forget();
        window
    }

    /// Remembers a block. It replaces what was remembered at its height.
    pub(crate) fn observe(&mut self, point: BlockPoint) {
        self.points.insert(point.number, point.hash);
        self.forget();
    }

    /// The newest block.
    #[must_use]
    pub(crate) fn last(&self) -> Option<BlockPoint> {
        self.points.last_key_value().map(|(number, hash)| BlockPoint { number: *number, hash: *hash })
    }

    /// The oldest block.
    #[must_use]
    pub(crate) fn first(&self) -> Option<BlockPoint> {
        self.points.first_key_value().map(|(number, hash)| BlockPoint { number: *number, hash: *hash })
    }

    /// Whether this very block is remembered.
    #[must_use]
    pub(crate) fn has(&self, point: BlockPoint) -> bool {
        self.points.get(&point.number) == Some(&point.hash)
    }

    /// The blocks below a height, the newest first.
    pub(crate) fn below(&self, number: u64) -> impl Iterator<Item = BlockPoint> {
        self.points.range(..number).rev().map(|(number, hash)| BlockPoint { number: *number, hash: *hash })
    }

    /// How many blocks are remembered.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// The remembered block that cannot be on the same chain as `header`: one of its own height, or its
    /// parent's, with another hash. `None` proves nothing where neither height is remembered.
    #[must_use]
    pub(crate) fn contradiction(&self, header: &BlockHeader) -> Option<BlockPoint> {
        let parent = header.number.checked_sub(1).map(|number| (number, header.parent_hash));
        [Some((header.number, header.hash)), parent].into_iter().flatten().find_map(|(number, said)| {
            let seen = *self.points.get(&number)?;
            (seen != said).then_some(BlockPoint { number, hash: seen })
        })
    }

    /// Forgets all blocks above a point, and remembers that point.
    pub(crate) fn rewind(&mut self, to: BlockPoint) {
        let _above = self.points.split_off(&to.number);
        self.observe(to);
    }

    /// Begins to look for the newest remembered block that is still on the chain.
    #[must_use]
    pub(crate) fn search(&self) -> AncestorSearch {
        let points: Vec<_> =
            self.points.iter().map(|(number, hash)| BlockPoint { number: *number, hash: *hash }).collect();
        AncestorSearch { low: 0, high: points.len(), points, step: 1 }
    }

    fn forget(&mut self) {
        while self.points.len() > DEPTH {
            self.points.pop_first();
        }
    }
}

/// The search for the newest block that two chains have in common.
///
/// Reorganisations are short, so it steps back from the end in growing steps until it meets the common part,
/// and then halves the rest.
#[derive(Clone, Debug)]
pub(crate) struct AncestorSearch {
    points: Vec<BlockPoint>,
    /// All points before this one are on the chain.
    low: usize,
    /// All points from this one on are not.
    high: usize,
    step: usize,
}

impl AncestorSearch {
    /// The block whose fate must be known next; `None` when the search is over.
    #[must_use]
    pub(crate) fn question(&self) -> Option<BlockPoint> {
        self.points.get(self.probe()?).copied()
    }

    /// Tells whether the block last asked for is still on the chain.
    pub(crate) fn answer(&mut self, on_chain: bool) {
        let Some(probe) = self.probe() else { return };
        if on_chain {
            self.low = probe + 1;
        } else {
            self.high = probe;
            self.step = self.step.saturating_mul(2);
        }
    }

    /// The newest common block, once the search is over; `None` where all that was remembered is gone.
    #[must_use]
    pub(crate) fn ancestor(&self) -> Option<BlockPoint> {
        self.low.checked_sub(1).and_then(|index| self.points.get(index)).copied()
    }

    const fn probe(&self) -> Option<usize> {
        if self.low >= self.high {
            return None;
        }
        // Nothing in common is known yet as long as `low` stands at the beginning.
        let probe = if self.low == 0 {
            self.high.saturating_sub(self.step)
        } else {
            usize::midpoint(self.low, self.high - 1)
        };
        Some(probe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;
    use domain::Timestamp;
    use proptest::prelude::*;

    fn hash(seed: u64) -> BlockHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        BlockHash(B256::from(bytes))
    }

    fn point(number: u64) -> BlockPoint {
        BlockPoint { number, hash: hash(number) }
    }

    fn header(number: u64, own: u64, parent: u64) -> BlockHeader {
        BlockHeader { number, hash: hash(own), parent_hash: hash(parent), time: Timestamp::default() }
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let window = Window::new((0..1_000).map(point));
        assert_eq!(window.len(), DEPTH);
        assert_eq!(window.last(), Some(point(999)));
        assert_eq!(window.contradiction(&header(743, 1, 742)), None);
        assert_eq!(window.contradiction(&header(744, 1, 743)), Some(point(744)));
        assert_eq!(Window::default().last(), None);
    }

    #[test]
    fn a_header_contradicts_at_its_own_height_or_its_parents() {
        let window = Window::new([point(5), point(6), point(9)]);
        assert_eq!(window.contradiction(&header(10, 10, 9)), None);
        assert_eq!(window.contradiction(&header(10, 10, 77)), Some(point(9)));
        assert_eq!(window.contradiction(&header(6, 77, 5)), Some(point(6)));
        assert_eq!(window.contradiction(&header(7, 7, 6)), None);
        assert_eq!(window.contradiction(&header(20, 77, 78)), None);
        assert_eq!(window.contradiction(&header(0, 77, 78)), None);
    }

    #[test]
    fn rewinding_forgets_what_is_above() {
        let mut window = Window::new((0..10).map(point));
        window.rewind(point(6));
        assert_eq!((window.last(), window.len()), (Some(point(6)), 7));
        let other = BlockPoint { number: 4, hash: hash(99) };
        window.rewind(other);
        assert_eq!((window.last(), window.len()), (Some(other), 5));
    }

    #[test]
    fn nothing_in_common_is_no_ancestor() {
        let mut search = Window::new((0..10).map(point)).search();
        while search.question().is_some() {
            search.answer(false);
        }
        assert_eq!(search.ancestor(), None);
        assert_eq!(Window::default().search().question(), None);
    }

    #[test]
    fn a_reorganisation_of_three_blocks_takes_few_questions() {
        let mut search = Window::new((0..256).map(point)).search();
        let mut asked = Vec::new();
        while let Some(question) = search.question() {
            asked.push(question.number);
            search.answer(question.number < 253);
        }
        assert_eq!(search.ancestor(), Some(point(252)));
        assert_eq!(asked, [255, 253, 249, 251, 252]);
    }

    proptest! {
        #[test]
        fn the_search_finds_the_last_common_block(
            gaps in proptest::collection::vec(1u64..50, 1..300),
            forked in any::<prop::sample::Index>(),
        ) {
            let numbers: Vec<u64> = gaps.iter().scan(0, |number, gap| { *number += gap; Some(*number) }).collect();
            let window = Window::new(numbers.iter().copied().map(point));
            let kept: Vec<u64> = numbers[numbers.len() - window.len()..].to_vec();
            let common = forked.index(kept.len() + 1);
            let mut search = window.search();
            let mut questions = 0;
            while let Some(question) = search.question() {
                search.answer(kept[..common].contains(&question.number));
                questions += 1;
                prop_assert!(questions <= 20);
            }
            prop_assert_eq!(search.ancestor(), kept[..common].last().copied().map(point));
        }

        #[test]
        fn a_window_never_contradicts_the_chain_it_saw(numbers in proptest::collection::vec(0u64..500, 0..400)) {
            let mut window = Window::default();
            for number in numbers {
                window.observe(point(number));
                prop_assert!(window.len() <= DEPTH);
                let honest = header(number, number, number.wrapping_sub(1));
                prop_assert_eq!(window.contradiction(&honest), None);
            }
        }
    }
}
