//! How often a portal may be asked, and how long to leave it alone after a failure.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::pauses::{LONGEST_ASKED, jittered, pause_of_round};

/// The public portal's allowance.
const REQUESTS: usize = 20;
const PERIOD: Duration = Duration::from_secs(10);

/// The allowance, shared by all who ask the portal.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last requests were, or will be, sent.
    sent: Mutex<VecDeque<Instant>>,
}

impl Pace {
    /// Waits until one more request is within the allowance.
    pub(super) async fn turn(&self) {
        sleep_until(self.book(Instant::now())).await;
    }

    /// Books the next request: when it may be sent.
    fn book(&self, now: Instant) -> Instant {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match sent.front() {
            Some(first) if sent.len() >= REQUESTS => now.max(*first + PERIOD),
            _ => now,
        };
        if sent.len() >= REQUESTS {
            sent.pop_front();
        }
        sent.push_back(at);
        at
    }
}

/// The pauses after failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure, in addition to what was asked for.
    pub(super) fn failed(&mut self, asked: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        asked.unwrap_or_default().min(LONGEST_ASKED) + jittered(pause_of_round(self.failures))
    }

    pub(super) const fn worked(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_is_never_exceeded() {
        let pace = Pace::default();
        let start = Instant::now();
        let booked: Vec<Instant> = (0..50).map(|_| pace.book(start)).collect();
        assert_eq!(booked[19], start);
        assert_eq!((booked[20], booked[40]), (start + PERIOD, start + 2 * PERIOD));
        for window in booked.windows(REQUESTS + 1) {
            assert!(window[REQUESTS] - window[0] >= PERIOD);
        }
        // Whoever comes later does not wait.
        let later = start + 4 * PERIOD;
        assert_eq!(pace.book(later), later);
    }

    #[test]
    fn pauses_grow_to_a_limit_and_heed_what_is_asked() {
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..10).map(|_| backoff.failed(None)).collect();
        assert!(pauses[0] <= pause_of_round(1) && pauses[9] >= pause_of_round(10) / 2);
        backoff.worked();
        let asked = Duration::from_secs(3);
        let pause = backoff.failed(Some(asked));
        assert!(pause > asked && pause <= asked + pause_of_round(1));
        assert!(backoff.failed(Some(Duration::MAX)) <= LONGEST_ASKED + pause_of_round(2));
    }
}
