//! Which bets stand and fall together, and which are decided today (`ORDER_FLOW_STRATEGY.md` §7 and §8).

use domain::{Market, Timestamp};

/// The bets that one piece of news may decide: those of one category that are expected to end on the same UTC day.
///
/// A category that nobody has named counts as one of its own, and so does an end that nobody knows: whether two such
/// markets have anything to do with each other cannot be said, and taking it that they do costs less than being wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    category: Option<String>,
    /// Days since 1970.
    day: Option<i64>,
}

impl Cluster {
    /// The cluster of a market; `None` for one that nobody has described.
    #[must_use]
    pub fn of(market: Option<&Market>) -> Self {
        Self {
            category: market.and_then(|market| market.category.clone()),
            day: market.and_then(|market| market.end).map(Timestamp::day),
        }
    }

    /// Whether its bets may be decided on the UTC day of a moment: they are expected to end then, should have ended before,
    /// or nobody knows when they end.
    #[must_use]
    pub fn may_end_by(&self, at: Timestamp) -> bool {
        self.day.is_none_or(|day| day <= at.day())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight() {
        let cluster = |end| Cluster { category: None, day: Some(Timestamp::from_micros(end).day()) };
        let noon = Timestamp::from_micros(10 * Timestamp::DAY + 12 * Timestamp::HOUR);
        assert!(cluster(11 * Timestamp::DAY - 1).may_end_by(noon));
        assert!(!cluster(11 * Timestamp::DAY).may_end_by(noon));
        assert!(cluster(3 * Timestamp::DAY).may_end_by(noon), "it is late, and may end at any moment");
        assert!(Cluster::of(None).may_end_by(noon));
    }
}
