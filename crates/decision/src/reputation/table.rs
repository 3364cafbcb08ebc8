//! Items by number, in a table that only grows.

use std::ops::{Index, IndexMut};

use super::interner::usize_of;

/// How many items a block has: a power of two.
const BLOCK: usize = 1 << BITS;
const BITS: u32 = 10;

/// Items by number.
///
/// In blocks, because a vector of millions that grows is copied again and again, into memory the system has to find
/// anew each time: for a fold that makes wallets by the million that is a tenth of its work.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    /// All but the last are full.
    blocks: Vec<Vec<T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { blocks: Vec::new() }
    }
}

impl<T> Table<T> {
    /// Adds an item. Its number.
    pub(super) fn push(&mut self, item: T) -> u32 {
        let number = self.next();
        if usize_of(number).is_multiple_of(BLOCK) {
            // The first one grows as it is needed: many tables never need more.
            self.blocks.push(Vec::with_capacity(if number == 0 { 0 } else { BLOCK }));
        }
        if let Some(last) = self.blocks.last_mut() {
            last.push(item);
        }
        number
    }

    /// The number that the next item will have.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    /// The item of a number, if there is one.
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.blocks.get(usize_of(number >> BITS))?.get(usize_of(number) % BLOCK)
    }

    /// The item of a number, if there is one.
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.blocks.get_mut(usize_of(number >> BITS))?.get_mut(usize_of(number) % BLOCK)
    }

    /// All of them, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flatten()
    }
}

/// The item of a number that came from here.
impl<T> Index<u32> for Table<T> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        &self.blocks[usize_of(number >> BITS)][usize_of(number) % BLOCK]
    }
}

impl<T> IndexMut<u32> for Table<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        &mut self.blocks[usize_of(number >> BITS)][usize_of(number) % BLOCK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_numbers_while_the_table_grows() {
        let mut table = Table::default();
        for item in 0..3_000u32 {
            assert_eq!((table.next(), table.get(item)), (item, None));
            assert_eq!(table.push(item), item);
        }
        table[2_047] = 7;
        assert_eq!((table[2_046], table[2_047], table[2_048]), (2_046, 7, 2_048));
        assert_eq!((table.len(), table.get(3_000), table.get(u32::MAX)), (3_000, None, None));
        assert_eq!(table.iter().filter(|item| **item == 7).count(), 2);
    }
}
