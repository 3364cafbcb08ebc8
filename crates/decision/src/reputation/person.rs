//! Everything that is kept of one wallet, in one place.

use domain::{Timestamp, Wallet};

use super::copying::Copying;
use super::record::Record;

/// A wallet: eight lines of memory in a row.
///
/// A fold goes from wallet to wallet all over the memory, and what it waits for is the first line of each and finding
/// its page; the lines behind that come by themselves. So what a wallet has done and how it does it stand together,
/// and the short lists in both have their first items in here as well.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Person {
    pub(super) record: Record,
    pub(super) copying: Copying,
}

impl Person {
    /// Nothing is known of it but when something was first seen of it.
    pub(super) fn new(wallet: Wallet, at: Timestamp) -> Self {
        Self { record: Record::new(wallet, at), copying: Copying::default() }
    }

    /// Reads what a trade will need, lest it waits for it.
    pub(super) fn touch(&self) -> u64 {
        self.record.touch() ^ self.copying.touch()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_eight_lines() {
        assert_eq!((size_of::<Person>(), align_of::<Person>()), (512, 64));
    }
}
