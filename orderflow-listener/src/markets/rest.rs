//! The rest that a service gets after it failed.

use std::time::Duration;

use polymarket::VenueError;
use tokio::time::Instant;

/// The first rest; each further failure doubles it.
const SHORTEST: Duration = Duration::from_secs(5);
/// Titles should not come much later than the service that has them.
const LONGEST: Duration = Duration::from_secs(120);
/// Whoever asks for a longer pause than this is asked all the same.
const LONGEST_ASKED: Duration = Duration::from_secs(600);

/// Whether a service is left alone, and for how long.
#[derive(Debug, Default)]
pub(super) struct Rest {
    until: Option<Instant>,
    pause: Duration,
}

impl Rest {
    /// Whether the service is to be left alone now.
    pub(super) fn is_on(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether the service failed when it was last asked.
    pub(super) fn is_failing(&self) -> bool {
        self.until.is_some()
    }

    /// The service failed: it rests, longer each time, and as long as it asks for.
    pub(super) fn begin(&mut self, error: &VenueError) {
        self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
        let asked = match error {
            VenueError::RateLimited { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        self.until = Some(Instant::now() + self.pause.max(asked.min(LONGEST_ASKED)));
    }

    /// The service answered; whether it had failed before.
    pub(super) fn end(&mut self) -> bool {
        self.pause = Duration::ZERO;
        self.until.take().is_some()
    }

    /// As if the rest had passed.
    #[cfg(test)]
    pub(super) fn pass(&mut self) {
        self.until = self.until.map(|_| Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(seconds: u64) -> VenueError {
        let retry_after = Some(Duration::from_secs(seconds));
        VenueError::RateLimited { host: "host".to_owned(), retry_after }
    }

    #[test]
    fn rests_grow_until_an_answer_and_are_no_shorter_than_asked_for() {
        let mut rest = Rest::default();
        let left = |rest: &Rest| rest.until.unwrap().duration_since(Instant::now()).as_secs_f64().round();
        assert!(!rest.is_on() && !rest.end());
        for expected in [5.0, 10.0, 20.0, 40.0, 80.0, 120.0, 120.0] {
            rest.begin(&limited(1));
            assert!(rest.is_on() && rest.is_failing());
            assert_eq!(left(&rest), expected);
        }
        assert!(rest.end() && !rest.is_on() && !rest.is_failing());
        rest.begin(&limited(77));
        assert_eq!(left(&rest), 77.0);
        rest.begin(&limited(1_000_000));
        assert_eq!(left(&rest), 600.0);
    }
}
