//! Many short lists in one long one: what is added for anybody is written at the end, next to what was just written
//! for somebody else, and found again from whoever's list it is, newest first.

use super::table::Table;

/// Where a list ends.
pub(super) const END: u32 = u32::MAX;

/// The items of all lists, each with the place of the one before it in its own list.
#[derive(Clone, Debug)]
pub(super) struct Chain<T> {
    items: Table<(T, u32)>,
}

impl<T> Default for Chain<T> {
    fn default() -> Self {
        Self { items: Table::default() }
    }
}

impl<T: Copy> Chain<T> {
    /// Adds an item to the list whose newest one is at `head`, which is known to be no later: the list needs not be
    /// looked at.
    pub(super) fn push(&mut self, head: &mut u32, item: T) {
        *head = self.items.push((item, *head));
    }

    /// Adds an item to the list whose newest one is at `head`, behind all that are not later. Items come nearly
    /// always in their order, so that the place is at the head or near it.
    pub(super) fn add<K: Ord>(&mut self, head: &mut u32, item: T, key: impl Fn(&T) -> K) {
        let mut later = None;
        let mut before = *head;
        while let Some((other, earlier)) = self.items.get(before) {
            if key(other) <= key(&item) {
                break;
            }
            later = Some(before);
            before = *earlier;
        }
        let place = self.items.push((item, before));
        match later.and_then(|later| self.items.get_mut(later)) {
            Some((_, link)) => *link = place,
            None => *head = place,
        }
    }

    /// The newest item of a list that is the one that is looked for. The search ends where `is_past` says so.
    pub(super) fn find(
        &mut self,
        head: u32,
        is_it: impl Fn(&T) -> bool,
        is_past: impl Fn(&T) -> bool,
    ) -> Option<&mut T> {
        let mut place = head;
        while let Some((item, before)) = self.items.get(place) {
            if is_it(item) {
                return self.items.get_mut(place).map(|(item, _)| item);
            }
            if is_past(item) {
                return None;
            }
            place = *before;
        }
        None
    }

    /// A list, newest first.
    pub(super) fn back_from(&self, head: u32) -> impl Iterator<Item = &T> {
        let mut place = head;
        std::iter::from_fn(move || {
            let (item, before) = self.items.get(place)?;
            place = *before;
            Some(item)
        })
    }

    /// A list, oldest first, behind what is in `list` already.
    pub(super) fn collect_into(&self, head: u32, list: &mut Vec<T>) {
        let start = list.len();
        list.extend(self.back_from(head).copied());
        list[start..].reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_order_whatever_comes_when() {
        let mut chain = Chain::default();
        let (mut one, mut other) = (END, END);
        for number in [3, 1, 4, 1, 5, 9, 2, 6, 5] {
            chain.add(&mut one, number, |number| *number);
            chain.add(&mut other, 10 - number, |number| *number);
        }
        let collected = |head| {
            let mut list = Vec::new();
            chain.collect_into(head, &mut list);
            list
        };
        assert_eq!(collected(one), [1, 1, 2, 3, 4, 5, 5, 6, 9]);
        assert_eq!(collected(other), [1, 4, 5, 5, 6, 7, 8, 9, 9]);
        assert_eq!(collected(END), []);
        assert_eq!(chain.find(one, |number| *number == 4, |number| *number < 4), Some(&mut 4));
        assert_eq!(chain.find(one, |number| *number == 8, |number| *number < 8), None);
    }
}
