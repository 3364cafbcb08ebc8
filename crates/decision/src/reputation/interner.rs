//! Long keys as small numbers, so that everything behind them is a plain table.

use domain::{TokenId, Wallet};

/// A key that can be spread over a table.
pub(super) trait Spread: Copy {
    /// Sixty-four bits that differ for different keys, nearly always. The same on every machine and in every run.
    fn spread(self) -> u64;
}

/// The numbers of keys that are kept elsewhere, by what is behind their number.
///
/// A table of its own, because the order of the standard library's is random, and a sorted one is several times
/// slower where every fill looks two keys up. Its slots hold the number beside half of the key's hash, so that a
/// look-up touches one line of memory here, and the keys are where they are needed anyway.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// [`FREE`], or the upper half of a hash and the key's number. Its length is a power of two, or zero.
    table: Vec<u64>,
    count: usize,
}

/// Into how many parts wallets and what is theirs are divided. So many that one part stays near at hand while what
/// happened to the wallets in it is folded.
pub(super) const PARTS: usize = 1 << PART_BITS;
const PART_BITS: u32 = 9;

/// The part where a wallet of this spread is. By the upper bits: the lower ones say in which shard.
pub(super) const fn part_of(spread: u64) -> usize {
    (spread >> (u64::BITS - PART_BITS)) as usize
}

/// The numbers of keys, a table for each part.
#[derive(Clone, Debug)]
pub(super) struct Parts(Vec<Index>);

impl Default for Parts {
    fn default() -> Self {
        Self(vec![Index::default(); PARTS])
    }
}

impl Parts {
    /// A part by its number, which came from [`part_of`].
    pub(super) fn of(&self, part: usize) -> &Index {
        &self.0[part]
    }

    /// The same, to be changed.
    pub(super) fn of_mut(&mut self, part: usize) -> &mut Index {
        &mut self.0[part]
    }
}

/// A slot that is free: no key has the last number there is.
///
/// Not zero: memory that the system gives as zero has no page of its own until it is written, and where it was read
/// before, which is what a look-up does, every core is stopped when it gets one.
const FREE: u64 = u64::MAX;
/// How many slots the first table has; before the first key there is none.
const LEAST: usize = 16;

impl Index {
    /// The number of the key of this spread that `is_it`.
    pub(super) fn find(&self, spread: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.table.len().checked_sub(1)?;
        let mut slot = slot_of(spread) & mask;
        loop {
            let found = self.table[slot];
            if found == FREE {
                return None;
            }
            if found >> 32 == spread >> 32 && is_it(number_of(found)) {
                return Some(number_of(found));
            }
            slot = (slot + 1) & mask;
        }
    }

    /// What is in the slot where a key would like to be: for reading it ahead.
    pub(super) fn peek(&self, spread: u64) -> u64 {
        let mask = self.table.len().saturating_sub(1);
        self.table.get(slot_of(spread) & mask).copied().unwrap_or(FREE)
    }

    /// Notes the number of a key that has none.
    pub(super) fn insert(&mut self, spread: u64, number: u32) {
        self.count += 1;
        // Three quarters full at most, so that a free slot is never far.
        if self.count * 4 > self.table.len() * 3 {
            let larger = vec![FREE; (self.table.len() * 2).max(LEAST)];
            for entry in std::mem::replace(&mut self.table, larger) {
                if entry != FREE {
                    self.put(entry);
                }
            }
        }
        self.put((spread >> 32 << 32) | u64::from(number));
    }

    fn put(&mut self, entry: u64) {
        let mask = self.table.len() - 1;
        let mut slot = slot_of(entry) & mask;
        while self.table[slot] != FREE {
            slot = (slot + 1) & mask;
        }
        self.table[slot] = entry;
    }
}

/// Where a key would like to be: by the half of the hash that its entry keeps.
const fn slot_of(spread: u64) -> usize {
    (spread >> 32) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is the number")]
const fn number_of(entry: u64) -> u32 {
    entry as u32
}

/// A number as an index; 32 bits always fit.
pub(super) const fn usize_of(number: u32) -> usize {
    number as usize
}

/// The number of the next item of a table.
pub(super) fn next_number<T>(table: &[T]) -> u32 {
    u32::try_from(table.len()).unwrap_or(u32::MAX)
}

/// Mixes every bit into every other one.
const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let bits = (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits ^ (bits >> 32)
}

impl Spread for Wallet {
    fn spread(self) -> u64 {
        // The last eight bytes: an address is the end of a hash, but its beginning is cheap to choose.
        let bytes = self.0.0.0;
        let (_, last) = bytes.split_last_chunk::<8>().unwrap_or((&[], &[0; 8]));
        mix(u64::from_be_bytes(*last))
    }
}

impl Spread for TokenId {
    fn spread(self) -> u64 {
        // All of it: Protocol V2's ids have their hash in the middle and their outcome at the end.
        let [a, b, c, d] = *self.0.as_limbs();
        mix(a ^ b.rotate_left(17) ^ c.rotate_left(31) ^ d.rotate_left(47))
    }
}

/// A wallet's number and a question's.
impl Spread for (u32, u32) {
    fn spread(self) -> u64 {
        mix(u64::from(self.0) << 32 | u64::from(self.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_numbers_while_the_table_grows() {
        let mut index = Index::default();
        let keys: Vec<(u32, u32)> =
            (0..50_000u32).map(|number| (number.wrapping_mul(2_654_435_761), number % 7)).collect();
        let find =
            |index: &Index, key: (u32, u32)| index.find(key.spread(), |number| keys[usize_of(number)] == key);
        for (number, key) in (0..).zip(&keys) {
            assert_eq!(find(&index, *key), None);
            index.insert(key.spread(), number);
        }
        for (number, key) in (0..).zip(&keys) {
            assert_eq!(find(&index, *key), Some(number));
        }
    }

    #[test]
    fn keys_of_equal_spread_are_told_apart() {
        let mut index = Index::default();
        (0..100).for_each(|number| index.insert(7, number));
        assert_eq!(index.find(7, |number| number == 99), Some(99));
        assert_eq!(index.find(7, |number| number == 100), None);
    }
}
