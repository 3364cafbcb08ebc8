//! Signs of life while anything rests in the venue's book: once it has heard one, the venue cancels all that rests about ten
//! seconds after the last. So nothing rests there that nobody looks after.

use std::sync::Arc;
use std::time::Duration;

use polymarket::VenueError;
use polymarket::trading::Heartbeat;
use tokio::time::Instant;

use super::super::requests;
use super::Desk;

/// Two of them fit in the time that the venue waits for.
const EVERY: Duration = Duration::from_secs(4);

/// How soon one that was not heard is repeated. One that was corrected is repeated at once, and if it is corrected again and
/// again, after a pause that doubles from this.
const AGAIN: Duration = Duration::from_secs(1);

/// What the next sign of life says, and when it is due.
#[derive(Debug, Default)]
pub(in super::super) struct Beat {
    /// What the venue gave with the last; empty before the first.
    id: String,
    is_asked: bool,
    due: Option<Instant>,
    /// How often in a row the venue had another id in mind.
    corrections: u32,
}

impl Beat {
    /// Takes the venue's answer in: how long to wait before the next one.
    fn heard(&mut self, answer: Heartbeat) -> Duration {
        match answer {
            Heartbeat::Heard(id) => {
                (self.id, self.corrections) = (id, 0);
                EVERY
            }
            // It has another id in mind: that of a service before this one, or none after a silence.
            Heartbeat::Expected(id) => {
                self.id = id;
                self.corrections = self.corrections.saturating_add(1);
                match self.corrections {
                    1 => Duration::ZERO,
                    many => AGAIN.saturating_mul(1 << (many - 2).min(8)).min(EVERY),
                }
            }
        }
    }

    /// It was not heard.
    fn unheard(&mut self) -> Duration {
        // After a silence it expects a new beginning, and its refusal does not always say so.
        self.id.clear();
        AGAIN
    }
}

impl Desk {
    /// Says that we live, if anything rests and it is time.
    pub(super) fn beat_if_due(&mut self, now: Instant) {
        if self.beat.is_asked || !self.rests() || self.beat.due.is_some_and(|due| now < due) {
            return;
        }
        self.beat.is_asked = true;
        self.requests.spawn(requests::beat(Arc::clone(&self.trader), self.beat.id.clone()));
    }

    pub(super) fn next_beat(&self) -> Option<Instant> {
        (!self.beat.is_asked && self.rests()).then(|| self.beat.due.unwrap_or_else(Instant::now))
    }

    pub(super) fn on_beat(&mut self, answer: Result<Heartbeat, VenueError>) {
        self.beat.is_asked = false;
        let pause = match answer {
            Ok(answer) => self.beat.heard(answer),
            Err(error) => {
                tracing::warn!(%error, "the venue did not hear that we live: what rests may be cancelled");
                self.heed_error(&error);
                self.beat.unheard()
            }
        };
        self.beat.due = Some(Instant::now() + pause);
    }

    fn rests(&self) -> bool {
        self.orders.values().any(|tracked| tracked.rests())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A venue that corrects us for ever is asked no more often than one that hears us.
    #[test]
    fn corrections_without_end_are_no_storm() {
        let mut beat = Beat::default();
        let corrected = |beat: &mut Beat| beat.heard(Heartbeat::Expected("other".to_owned()));
        let pauses: Vec<u64> = (0..6).map(|_| corrected(&mut beat).as_secs()).collect();
        assert_eq!(pauses, [0, 1, 2, 4, 4, 4]);
        // What failed in between ends no row of them, what was heard does.
        assert_eq!(beat.unheard(), AGAIN);
        assert_eq!(corrected(&mut beat), EVERY);
        assert_eq!(beat.heard(Heartbeat::Heard("one".to_owned())), EVERY);
        assert_eq!((corrected(&mut beat), beat.id.as_str()), (Duration::ZERO, "other"));
    }
}
