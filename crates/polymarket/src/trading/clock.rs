//! The venue's time, which it holds every signed request to.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use domain::Timestamp;

/// How far the venue's clock is from this machine's, as far as an answer in whole seconds can tell.
#[derive(Debug, Default)]
pub(crate) struct VenueClock {
    /// Microseconds the venue is ahead.
    ahead: AtomicI64,
}

/// What one reading of the venue's clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// Microseconds the venue is ahead of this machine; negative if it is behind. Zero where the answer cannot tell
    /// it from nothing.
    pub ahead: i64,
    /// Microseconds from the question to the answer.
    pub round_trip: i64,
}

impl ClockReading {
    /// The venue said `seconds` some time between `asked` and `answered`. Its second had begun by then and had not
    /// ended, so anything between the two ends of that is possible, and the smallest difference is taken.
    #[must_use]
    pub fn new(seconds: i64, asked: Timestamp, answered: Timestamp) -> Self {
        let earliest = Timestamp::from_seconds(seconds);
        let latest = earliest.plus_micros(1_000_000);
        let least = earliest.micros_since(answered);
        let most = latest.micros_since(asked);
        let ahead = if least > 0 { least } else { most.min(0) };
        Self { ahead, round_trip: answered.micros_since(asked) }
    }
}

impl VenueClock {
    pub(super) fn set(&self, reading: ClockReading) {
        self.ahead.store(reading.ahead, Ordering::Relaxed);
    }

    /// The venue's time now.
    pub(super) fn now(&self) -> Timestamp {
        machine_time().plus_micros(self.ahead.load(Ordering::Relaxed))
    }
}

/// This machine's time.
pub(super) fn machine_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_answer_proves_counts() {
        let at = |micros: i64| Timestamp::from_micros(1_790_000_000_000_000 + micros);
        let ahead = |seconds: i64, asked, answered| {
            ClockReading::new(1_790_000_000 + seconds, at(asked), at(answered)).ahead
        };
        // Within the second it names, or within the round trip of it, nothing is proven.
        assert_eq!(ahead(0, 300_000, 350_000), 0);
        assert_eq!(ahead(0, -40_000, 60_000), 0);
        assert_eq!(ahead(0, 990_000, 1_010_000), 0);
        assert_eq!(ahead(10, 0, 100_000), 9_900_000);
        assert_eq!(ahead(-10, 0, 100_000), -9_000_000);
        assert_eq!(ClockReading::new(1_790_000_000, at(0), at(5)).round_trip, 5);
    }
}
