//! Fees, grids and ends change while a market is traded: those that are traded are asked for again. Those in which
//! something is held are asked for much more often, because a dispute about their result is a reason to leave.

use std::time::Duration;

use domain::ConditionId;
use store::markets;
use tokio::time::Instant;

use super::Descriptions;

/// How often the markets that are traded are asked for again.
const EVERY: Duration = Duration::from_secs(3_600);
/// How often the markets in which something is held are asked for again.
const HELD_EVERY: Duration = Duration::from_secs(60);
/// How long after the start for the first time: what is new goes first.
const FIRST: Duration = Duration::from_secs(300);
/// How many blocks make up the time between two rounds, at a block every 1.5 seconds.
const BLOCKS: u32 = 2_400;
/// As many as fit a request.
const A_REQUEST: usize = 50;
/// Ten thousand markets an hour, one request at a time, far below what Gamma allows.
const BETWEEN_REQUESTS: Duration = Duration::from_secs(1);

/// Which markets are still to be asked for in this round.
#[derive(Debug)]
pub(super) struct Refresh {
    left: Vec<ConditionId>,
    next_round: Instant,
    /// When the markets in which something is held are due.
    next_held: Instant,
    next_request: Instant,
}

impl Refresh {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: Vec::new(), next_round: now + FIRST, next_held: now, next_request: now }
    }

    /// As if these had been traded.
    #[cfg(test)]
    pub(super) fn put(&mut self, traded: impl IntoIterator<Item = ConditionId>) {
        self.left.extend(traded);
    }
}

impl Descriptions {
    /// Asks for some of the markets traded lately, if it is time; how long it is not.
    pub(super) async fn refresh_some(&mut self, now: Instant) -> anyhow::Result<Duration> {
        if self.refresh.left.is_empty() && self.refresh.next_round <= now {
            self.refresh.left = markets::traded_lately(&mut *self.store.connection().await?, BLOCKS).await?;
            self.refresh.next_round = now + EVERY;
            tracing::debug!(markets = self.refresh.left.len(), "asking again for what is traded");
        }
        if self.refresh.next_held <= now {
            let held = markets::held(&mut *self.store.connection().await?).await?;
            // What comes last is asked for first.
            self.refresh.left.retain(|condition| !held.contains(condition));
            self.refresh.left.extend(held);
            self.refresh.next_held = now + HELD_EVERY;
        }
        if self.refresh.left.is_empty() {
            return Ok(self.refresh.next_round.min(self.refresh.next_held) - now);
        }
        if now < self.refresh.next_request || self.gamma_rest.is_on() {
            return Ok(BETWEEN_REQUESTS);
        }
        self.refresh.next_request = now + BETWEEN_REQUESTS;
        let asked = self.refresh.left.split_off(self.refresh.left.len().saturating_sub(A_REQUEST));
        let Some(listing) = self.listed_conditions(&asked).await? else {
            // It is their turn again once Gamma answers; what made it choke alone is left out of this round.
            if self.gamma_rest.is_failing() {
                self.refresh.left.extend(asked);
            }
            return Ok(BETWEEN_REQUESTS);
        };
        self.take_in(listing).await?;
        Ok(BETWEEN_REQUESTS)
    }
}
