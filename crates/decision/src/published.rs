//! Estimates by the moment from which they hold: what was believed at a time stays what was believed then.

use domain::Timestamp;

/// A series of estimates, earliest first. The past never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Published<T>(Vec<(Timestamp, T)>);

impl<T> Default for Published<T> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<T> Published<T> {
    /// Makes an estimate hold from `at` on. Whether it did: it must be later than all others.
    pub fn publish(&mut self, at: Timestamp, estimate: T) -> bool {
        let is_later = self.latest().is_none_or(|latest| latest < at);
        if is_later {
            self.0.push((at, estimate));
        }
        is_later
    }

    /// The estimate that holds at a moment; `None` before the first.
    #[must_use]
    pub fn as_of(&self, at: Timestamp) -> Option<&T> {
        let later = self.0.partition_point(|(from, _)| *from <= at);
        later.checked_sub(1).and_then(|place| self.0.get(place)).map(|(_, estimate)| estimate)
    }

    /// From when the last one holds.
    #[must_use]
    pub fn latest(&self) -> Option<Timestamp> {
        self.0.last().map(|(from, _)| *from)
    }

    /// All of them, earliest first.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, &T)> {
        self.0.iter().map(|(from, estimate)| (*from, estimate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_never_changes() {
        let mut series = Published::default();
        let at = Timestamp::from_seconds;
        assert!(series.publish(at(10), "first") && series.publish(at(20), "second"));
        assert!(!series.publish(at(20), "again") && !series.publish(at(15), "earlier"));
        let seen = [9, 10, 19, 20, 99].map(|second| series.as_of(at(second)).copied());
        assert_eq!(seen, [None, Some("first"), Some("first"), Some("second"), Some("second")]);
    }
}
