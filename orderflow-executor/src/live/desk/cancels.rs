//! Orders that are not wanted any more: when the venue is asked to cancel them, and what its answer is worth.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use domain::Closing;
use polymarket::trading::{CancelRefusal, Cancelled, MOST_CANCELS};
use tokio::time::Instant;

use super::super::requests;
use super::super::tracked::Stage;
use super::Desk;

/// How soon the cancel of an order is tried again that waits out a delay, which lasts a second or a few.
const DELAYED: Duration = Duration::from_millis(500);

impl Desk {
    /// An order is cancelled as soon as the venue is known to have it. Before that a cancel proves nothing: what it does
    /// not find may be on its way.
    pub(super) fn cancel(&mut self, id: i64) {
        let now = Instant::now();
        if let Some(tracked) = self.orders.get_mut(&id).filter(|tracked| tracked.may_match()) {
            tracked.cancel_at = Some(now);
            if tracked.stage == Stage::Sending && !tracked.is_asked {
                // It only waits to be sent again, and will not be.
                tracked.due = Some(now);
            }
        }
    }

    /// What is to be cancelled at once goes in one request.
    pub(super) fn cancel_what_is_due(&mut self, now: Instant) {
        let mut wanted: Vec<(i64, B256)> = vec![];
        for (id, tracked) in &mut self.orders {
            if tracked.cancels_at().is_some_and(|at| at <= now) {
                tracked.cancel_at = None;
                wanted.push((*id, tracked.hash()));
            }
        }
        for some in wanted.chunks(MOST_CANCELS) {
            let trader = Arc::clone(&self.trader);
            match some {
                [(id, hash)] => self.requests.spawn(requests::cancel(trader, *id, *hash, false)),
                some => self.requests.spawn(requests::cancel_many(trader, some.to_vec())),
            };
        }
    }

    /// `said` is nothing where the venue gave no answer.
    pub(super) fn on_cancelled(&mut self, id: i64, is_last: bool, said: Option<&Cancelled>) {
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        let hash = tracked.hash();
        let is_lost = is_last && tracked.stage != Stage::Following;
        if is_last {
            tracked.is_asked = false;
        }
        let now = Instant::now();
        match said {
            None => {
                let again = if is_last { &mut tracked.due } else { &mut tracked.cancel_at };
                *again = Some(now + self.rhythm.poll);
            }
            // Neither cancelled nor known, after all those looks.
            Some(said)
                if is_lost
                    && !said.cancelled.contains(&hash)
                    && matches!(
                        said.refused.get(&hash),
                        // The venue has one sentence for orders that never were and for those that are no more; the
                        // latter would have been found.
                        None | Some(CancelRefusal::NotFound | CancelRefusal::AlreadyCancelled)
                    ) =>
            {
                let never = || Closing::Rejected { reason: "it never reached the venue".to_owned() };
                let why = tracked.refused.clone().unwrap_or_else(never);
                self.end(id, why);
            }
            Some(_) if is_lost => tracked.due = Some(now + self.rhythm.poll),
            // What waits out a delay cannot be cancelled, and may rest afterwards: it is asked for again.
            Some(said) if said.refused.get(&hash) == Some(&CancelRefusal::Delayed) => {
                tracked.cancel_at = Some(now + DELAYED);
                tracked.due = Some(now + self.rhythm.first_look);
            }
            // What it came to stands in its record.
            Some(_) => tracked.due = Some(now + self.rhythm.first_look),
        }
    }
}
