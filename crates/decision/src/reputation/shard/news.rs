//! Which wallets and holdings have changed since somebody last asked.

use domain::TokenId;

use super::super::interner::usize_of;
use super::Shard;

impl Shard {
    /// The wallets that changed since they were last taken.
    pub(in crate::reputation) fn changed(&self) -> &[u32] {
        &self.changed
    }

    /// The wallets that changed since this was last asked.
    pub(in crate::reputation) fn take_changed(&mut self) -> Vec<u32> {
        let changed = std::mem::take(&mut self.changed);
        for wallet in &changed {
            self.people[*wallet].record.is_changed = false;
        }
        changed
    }

    /// Begins a pass, for which nobody's days have been looked at.
    pub(in crate::reputation) fn begin_pass(&mut self) {
        self.looked = 0;
    }

    /// Marks the wallets, among those that were not looked at in this pass, with a day in the window of `length` days
    /// that ends with `from` and not in the one that ends with `to`, or whose pace changes with the day.
    pub(in crate::reputation) fn change_faded(&mut self, length: i64, from: i64, to: i64) {
        let first = std::mem::replace(&mut self.looked, self.people.next());
        for number in first..self.people.next() {
            let (books, record, copying) = self.known(number);
            if record.loses_days(books, length, from, to) || copying.sums.loses_pace(from, to) {
                self.change(number);
            }
        }
    }

    /// The holdings that changed since this was last asked.
    pub(in crate::reputation) fn take_moved(&mut self) -> (Vec<u32>, Vec<(u32, TokenId)>) {
        let moved = std::mem::take(&mut self.moved);
        for place in &moved {
            self.stakes[*place].is_moved = false;
        }
        (moved, std::mem::take(&mut self.moved_bare))
    }

    /// Marks everybody who ever held a question as changed.
    pub(in crate::reputation) fn change_holders(&mut self, question: u32) {
        for place in self.boards[usize_of(question)].holders.clone() {
            self.change(self.stakes[place].wallet);
        }
    }

    pub(in crate::reputation) fn change(&mut self, wallet: u32) {
        let record = &mut self.people[wallet].record;
        if !record.is_changed {
            record.is_changed = true;
            self.changed.push(wallet);
        }
    }
}
