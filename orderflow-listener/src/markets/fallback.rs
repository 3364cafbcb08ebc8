//! Asking the CLOB for what Gamma does not describe.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::{ConditionId, Market, TokenId};
use polymarket::{Clob, VenueError};
use service::clock;
use store::{Store, markets};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::Descriptions;
use super::belief::believed;
use super::catalogue::Traded;

/// How many markets are asked for at a time: each is a request or three.
const AT_A_TIME: usize = 8;
/// How long the queue waits for the CLOB, whatever is left.
const PATIENCE: Duration = Duration::from_secs(30);
/// Gamma keeps answers for five minutes and may list a market later than it is traded. It has been asked for
/// ten when a token comes up for this time; what it still does not list then, it is not about to.
const TOLD_FROM: u32 = 8;

impl Descriptions {
    /// Takes in what the CLOB tells; of how many markets that was.
    pub(super) async fn ask_clob(&mut self, unknown: Vec<Traded>) -> anyhow::Result<usize> {
        if self.clob_rest.is_on() {
            return Ok(0);
        }
        let deadline = Instant::now() + PATIENCE;
        let mut asked = BTreeSet::new();
        // Both tokens of a market may be waiting.
        let mut waiting = unknown.into_iter().filter(|one| one.condition.is_none_or(|one| asked.insert(one)));
        let mut running = JoinSet::new();
        let mut sketched = 0;
        let mut told_nonsense = false;
        loop {
            while running.len() < AT_A_TIME
                && let Some(one) = waiting.next()
            {
                let clob = Arc::clone(&self.clob);
                running.spawn(async move { (one, describe(&clob, one.token, one.condition).await) });
            }
            let Ok(done) = timeout_at(deadline, running.join_next()).await else {
                tracing::warn!("the order book's service is slow: the other markets are asked for later");
                return Ok(sketched);
            };
            let Some(done) = done.transpose()? else { return Ok(sketched) };
            match done {
                (one, Ok(found)) => {
                    self.clob_rest.end();
                    sketched += usize::from(self.sketch(one, found).await?);
                }
                (_, Err(error)) if error.is_outage() => {
                    self.clob_rest.begin(&error);
                    tracing::warn!("markets cannot be looked up in the order book's service: {error}");
                    return Ok(sketched);
                }
                // One that makes no sense may be followed by two hundred.
                (one, Err(error)) if !told_nonsense => {
                    told_nonsense = true;
                    tracing::warn!(token = %one.token, "a market cannot be looked up: {error}");
                }
                (one, Err(error)) => tracing::debug!(token = %one.token, "nor can this: {error}"),
            }
        }
    }

    /// Takes in one market; whether there was one to believe.
    async fn sketch(&self, traded: Traded, found: Option<Market>) -> anyhow::Result<bool> {
        let found: Vec<Market> = found.into_iter().collect();
        let Some(market) = believed(found).pop().filter(|market| market.tokens.contains(&traded.token))
        else {
            return Ok(false);
        };
        let tell_readers = traded.is_unlisted && TOLD_FROM <= traded.attempts;
        let mut transaction = self.store.begin().await?;
        match markets::sketch(&mut transaction, &market, clock::now(), tell_readers).await {
            Ok(_) => Store::commit(transaction).await?,
            Err(error) if error.is_refusal() => {
                tracing::warn!(condition = %market.condition, "a market cannot be stored: {error}");
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
}

/// What the CLOB tells of a token's market; it need not be asked for a condition that the chain gives.
async fn describe(
    clob: &Clob,
    token: TokenId,
    condition: Option<ConditionId>,
) -> Result<Option<Market>, VenueError> {
    let condition = match condition {
        Some(condition) => condition,
        None => match clob.condition_of(token).await? {
            Some(condition) => condition,
            None => return Ok(None),
        },
    };
    clob.market_of_condition(condition).await
}
