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
    recent: [Recent; 3],
    pub(super) copying: Copying,
}

/// A question in which something was done, and the place of the stake there. Who trades goes on in the same few
/// questions for a while, and these need not be looked up among all.
#[derive(Clone, Copy, Debug)]
struct Recent {
    question: u32,
    place: u32,
}

/// No question has this number.
const NONE: u32 = u32::MAX;

impl Person {
    /// Nothing is known of it but when something was first seen of it.
    pub(super) fn new(wallet: Wallet, at: Timestamp) -> Self {
        Self::of(Record::new(wallet, at), Copying::default())
    }

    /// Back in memory.
    pub(super) fn of(record: Record, copying: Copying) -> Self {
        Self { record, recent: [Recent { question: NONE, place: NONE }; 3], copying }
    }

    /// The place of its stake in a question, if it was one of its last.
    pub(super) fn recent(&self, question: u32) -> Option<u32> {
        self.recent.iter().find(|recent| recent.question == question).map(|recent| recent.place)
    }

    /// Remembers the place of its stake in a question, instead of the oldest that is remembered.
    pub(super) fn remember(&mut self, question: u32, place: u32) {
        if self.recent(question).is_none() {
            let [first, second, _] = self.recent;
            self.recent = [Recent { question, place }, first, second];
        }
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
