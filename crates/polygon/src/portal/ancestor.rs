//! Where to go on from when a portal takes blocks back. Pure.

use crate::follow::BlockPoint;
use crate::window::Window;

/// Where to ask from next after a portal has said that block `refused` is not on its chain, and which blocks are:
/// the highest that both know, or the highest below all that it named. `None` where nothing is left.
pub(super) fn ancestor(known: &Window, refused: BlockPoint, named: &[BlockPoint]) -> Option<BlockPoint> {
    let lowest = named.iter().map(|point| point.number).min().unwrap_or(refused.number);
    known.below(refused.number).find(|point| point.number < lowest || named.contains(point))
}

/// The highest of the named blocks below all that is known. Only where nothing below was ever emitted can the
/// chain be taken up there.
pub(super) fn beneath(known: &Window, named: &[BlockPoint]) -> Option<BlockPoint> {
    let lowest = known.first()?.number;
    named.iter().filter(|point| point.number < lowest).max_by_key(|point| point.number).copied()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;
    use domain::BlockHash;

    use super::*;

    fn point(number: u64, fork: u8) -> BlockPoint {
        let mut hash = B256::with_last_byte(fork);
        hash[..8].copy_from_slice(&number.to_be_bytes());
        BlockPoint { number, hash: BlockHash(hash) }
    }

    #[test]
    fn the_highest_common_block_is_found() {
        let known = Window::new((1..=10).map(|number| point(number, 0)));
        let named = [point(6, 0), point(7, 0), point(8, 1), point(9, 1)];
        assert_eq!(ancestor(&known, point(10, 0), &named), Some(point(7, 0)));
        // Nothing in common yet: on below what was named.
        assert_eq!(ancestor(&known, point(10, 0), &named[2..]), Some(point(7, 0)));
        // Nothing named: one step.
        assert_eq!(ancestor(&known, point(10, 0), &[]), Some(point(9, 0)));
        assert_eq!(ancestor(&known, point(1, 0), &[]), None);
        assert_eq!(ancestor(&known, point(10, 0), &[point(1, 1), point(9, 1)]), None);
        // A portal that names the very block it refused does not lead in a circle.
        assert_eq!(ancestor(&known, point(10, 0), &[point(10, 0), point(9, 0)]), Some(point(9, 0)));
    }

    #[test]
    fn below_all_that_is_known_only_what_is_named_is_there() {
        let known = Window::new([point(5, 0), point(6, 0)]);
        assert_eq!(beneath(&known, &[point(3, 1), point(4, 1), point(5, 1)]), Some(point(4, 1)));
        assert_eq!(beneath(&known, &[point(5, 1)]), None);
        assert_eq!(beneath(&Window::default(), &[point(5, 1)]), None);
    }
}
