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

/// How soon one that was not heard is repeated.
const AGAIN: Duration = Duration::from_secs(1);

/// What the next sign of life says, and when it is due.
#[derive(Debug, Default)]
pub(in super::super) struct Beat {
    /// What the venue gave with the last; empty before the first.
    id: String,
    is_asked: bool,
    due: Option<Instant>,
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
            Ok(Heartbeat::Heard(id)) => {
                self.beat.id = id;
                EVERY
            }
            // It has another id in mind: that of a service before this one, or none after a silence.
            Ok(Heartbeat::Expected(id)) => {
                self.beat.id = id;
                Duration::ZERO
            }
            Err(error) => {
                tracing::warn!(%error, "the venue did not hear that we live: what rests may be cancelled");
                self.heed_error(&error);
                // After a silence it expects a new beginning, and its refusal does not always say so.
                self.beat.id.clear();
                AGAIN
            }
        };
        self.beat.due = Some(Instant::now() + pause);
    }

    fn rests(&self) -> bool {
        self.orders.values().any(|tracked| tracked.rests())
    }
}
