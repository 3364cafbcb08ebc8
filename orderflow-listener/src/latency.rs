//! How long it takes from hearing of a block to its being committed, for as long as the process runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of the histogram's buckets in microseconds; what takes longer counts in one more.
const BOUNDS: [u64; 14] = [
    1_000, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];

/// A histogram of durations.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    buckets: [AtomicU64; BOUNDS.len() + 1],
}

impl Latency {
    pub(crate) fn record(&self, taken: Duration) {
        metrics::histogram!("orderflow_block_commit_seconds").record(taken);
        let micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The bound below which a share of all durations lies; `None` before the first, or where it is above all.
    pub(crate) fn quantile(&self, share: f64) -> Option<Duration> {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        let mut passed = 0;
        for (count, bound) in counts.iter().zip(BOUNDS) {
            passed += count;
            // Counts of blocks are far below the numbers a float holds exactly.
            if passed > 0 && passed as f64 >= total as f64 * share {
                return Some(Duration::from_micros(bound));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_bounds_of_their_buckets() {
        let latency = Latency::default();
        assert_eq!(latency.quantile(0.5), None);
        for millis in [1, 1, 4, 4, 4, 4, 4, 4, 4, 90] {
            latency.record(Duration::from_millis(millis));
        }
        assert_eq!(latency.quantile(0.5), Some(Duration::from_millis(5)));
        assert_eq!(latency.quantile(0.9), Some(Duration::from_millis(5)));
        assert_eq!(latency.quantile(0.99), Some(Duration::from_millis(100)));
    }

    #[test]
    fn what_takes_longer_than_all_bounds_has_none() {
        let latency = Latency::default();
        latency.record(Duration::from_secs(60));
        assert_eq!(latency.quantile(0.5), None);
    }
}
