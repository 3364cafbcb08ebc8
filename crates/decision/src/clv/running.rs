//! Entries whose copiers have paid, in the order in which their prices are looked at.

use std::collections::VecDeque;

use domain::Timestamp;

use super::Entry;

/// An entry whose copier has paid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Running<W> {
    pub(super) entry: Entry<W>,
    pub(super) copier_pays: f64,
    /// The number of the print the copier paid.
    pub(super) print: u64,
}

/// Those of one outcome, the first due first.
///
/// When its ends are due stands beside the list: nearly every question that a print asks of it is answered by that, and
/// the list itself is somewhere else in memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Queue<W> {
    list: VecDeque<Running<W>>,
    first: Timestamp,
    last: Timestamp,
}

const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);
const EVER: Timestamp = Timestamp::from_micros(i64::MIN);

impl<W> Default for Queue<W> {
    fn default() -> Self {
        Self { list: VecDeque::new(), first: NEVER, last: EVER }
    }
}

impl<W> Queue<W> {
    /// Puts an entry behind all that are not due later.
    pub(super) fn insert(&mut self, running: Running<W>) {
        let due = running.entry.due;
        if self.list.capacity() == 0 {
            // Where there is one there are soon more, and moving a list that grows is dear.
            self.list.reserve_exact(8);
        }
        if self.last <= due {
            self.list.push_back(running);
        } else {
            let place = self.list.partition_point(|other| other.entry.due <= due);
            self.list.insert(place, running);
        }
        (self.first, self.last) = (self.first.min(due), self.last.max(due));
    }

    /// Takes out the first entry, if it is due before a moment.
    pub(super) fn pop_before(&mut self, by: Timestamp) -> Option<Running<W>> {
        if by <= self.first {
            return None;
        }
        let first = self.list.pop_front()?;
        match self.list.front() {
            Some(next) => self.first = next.entry.due,
            None => (self.first, self.last) = (NEVER, EVER),
        }
        Some(first)
    }

    /// When the first one is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        (!self.list.is_empty()).then_some(self.first)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Running<W>> {
        self.list.iter()
    }

    /// Reads what taking out those that are due before a moment will need.
    pub(super) fn touch(&self, by: Timestamp) -> u64 {
        let first = self.list.front().filter(|_| self.first < by);
        first.map_or(0, |first| first.print)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn running(due: i64, print: u64) -> Running<u32> {
        let moment = Timestamp::from_micros;
        let entry = Entry {
            wallet: 1,
            at: moment(0),
            due: moment(due),
            paid: 0.5,
            deviation: 0.5,
            is_mirrored: false,
        };
        Running { entry, copier_pays: 0.5, print }
    }

    proptest! {
        /// Whatever comes and goes when, those that are due go, the first due first and of equals the first that came,
        /// and what is left is as if nothing else had ever been there.
        #[test]
        fn who_is_due_goes_in_order(steps in prop::collection::vec((0i64..20, any::<bool>()), 0..60)) {
            let mut queue = Queue::default();
            let mut expected: Vec<Running<u32>> = Vec::new();
            for (print, (moment, comes)) in (0..).zip(steps) {
                if comes {
                    queue.insert(running(moment, print));
                    expected.push(running(moment, print));
                    expected.sort_by_key(|running| running.entry.due);
                } else {
                    let by = Timestamp::from_micros(moment);
                    while let Some(gone) = queue.pop_before(by) {
                        prop_assert_eq!(gone, expected.remove(0));
                        prop_assert!(gone.entry.due < by);
                    }
                    prop_assert!(expected.first().is_none_or(|first| by <= first.entry.due));
                }
                prop_assert_eq!(queue.next_due(), expected.first().map(|first| first.entry.due));
                let mut fresh = Queue::default();
                expected.iter().for_each(|running| fresh.insert(*running));
                prop_assert_eq!(&queue, &fresh);
            }
        }
    }
}
