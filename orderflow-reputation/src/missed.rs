//! Passes that were due while nobody was there to make them.

use domain::Timestamp;
use store::feed;

use crate::fold::Reputation;

/// So many are made up, a day's by the hour; for what is older, the first of them stands.
const MOST: i64 = 24;

impl Reputation {
    /// Makes the passes that were due between the last one and now, each of what was known at its moment, so that the
    /// history of beliefs has no gap where a service was away. The one that is due now is not among them. How many that
    /// were.
    ///
    /// Where what is known goes beyond a moment already, because it was saved before the service went, or where the past
    /// has become another one, there is nothing to make up.
    ///
    /// # Errors
    /// If the database fails; the fold must be resumed anew then.
    pub async fn make_up(&mut self, now: Timestamp, interval: i64) -> anyhow::Result<usize> {
        let Some(last) = self.last_told.filter(|last| *last <= now) else { return Ok(0) };
        let missed = now.micros_since(last) / interval.max(1);
        let mut made = 0;
        for number in 1.max(missed - MOST)..missed {
            let moment = last.plus_micros(number * interval);
            let known = self.known.seq();
            let until = feed::known_by(&mut *self.store.connection().await?, known, moment).await?;
            if self.is_outdated() || until <= known {
                continue;
            }
            self.catch_up(until).await?;
            if !self.is_outdated() {
                self.publish(moment, now).await?;
                made += 1;
            }
        }
        Ok(made)
    }
}
