//! Tokens that were traded before anybody knew what they are, until somebody does.
//!
//! Gamma describes markets best, so its word counts. While it is slow, down or does not know a token, the CLOB
//! tells what it knows: enough to read a trade by, not enough to group bets by. Nobody is believed whose tokens
//! are not those that the condition gives. Trades go on without either, and titles come later.

mod belief;
mod catalogue;
mod fallback;
mod refresh;
mod rest;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::Market;
use polymarket::{Clob, Gamma};
use service::{CancellationToken, clock};
use store::{Store, markets};
use tokio::sync::Notify;
use tokio::time::Instant;

use refresh::Refresh;
use rest::Rest;

/// How many tokens are asked for at once.
const BATCH: u32 = 200;
/// How often the queue is looked at when nothing new comes.
const LOOK: Duration = Duration::from_secs(3);

/// Looks tokens up until it is told to stop.
pub(crate) async fn run(
    store: Store,
    gamma: Gamma,
    clob: Clob,
    unknown_tokens: Arc<Notify>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut descriptions = Descriptions::new(store, gamma, clob);
    loop {
        let pause = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            pause = descriptions.step() => pause?,
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = unknown_tokens.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The two services that describe markets, and what is asked of them.
struct Descriptions {
    store: Store,
    gamma: Gamma,
    clob: Arc<Clob>,
    gamma_rest: Rest,
    clob_rest: Rest,
    /// When tokens last got their turn early because Gamma answered again.
    hurried: Option<Instant>,
    refresh: Refresh,
}

impl Descriptions {
    fn new(store: Store, gamma: Gamma, clob: Clob) -> Self {
        Self {
            store,
            gamma,
            clob: Arc::new(clob),
            gamma_rest: Rest::default(),
            clob_rest: Rest::default(),
            hurried: None,
            refresh: Refresh::new(Instant::now()),
        }
    }

    /// Does what is due of both kinds, so that neither starves the other; how long nothing more is.
    async fn step(&mut self) -> anyhow::Result<Duration> {
        let found_some = self.look_up().await?;
        let next_refresh = self.refresh_some(Instant::now()).await?;
        Ok(if found_some { Duration::ZERO } else { next_refresh.min(LOOK) })
    }

    /// Looks up the tokens whose turn it is; whether there were any.
    async fn look_up(&mut self) -> anyhow::Result<bool> {
        if self.gamma_rest.is_on() && self.clob_rest.is_on() {
            // Nobody to ask: nobody's turn is used up.
            return Ok(false);
        }
        self.try_gamma_again().await?;
        let due = markets::due_unknown(&mut *self.store.connection().await?, BATCH).await?;
        if due.is_empty() {
            return Ok(false);
        }
        let asked = due.len();
        let unknown = self.with_conditions(due).await?;
        let left = self.ask_gamma(unknown).await?;
        let described = asked - left.len();
        let sketched = self.ask_clob(left).await?;
        tracing::debug!(asked, described, sketched, "markets");
        Ok(true)
    }

    /// Takes in full descriptions; what the database will not have must not keep the others out.
    async fn learn(&self, described: &[Market]) -> anyhow::Result<()> {
        if described.is_empty() {
            return Ok(());
        }
        match self.learn_at_once(described).await {
            Err(error) if error.is_refusal() && 1 < described.len() => {
                for market in described {
                    match self.learn_at_once(std::slice::from_ref(market)).await {
                        Err(error) if error.is_refusal() => {
                            tracing::warn!(market = market.slug, "a market cannot be stored: {error}");
                        }
                        done => done?,
                    }
                }
            }
            Err(error) if error.is_refusal() => {
                tracing::warn!(market = described[0].slug, "a market cannot be stored: {error}");
            }
            done => done?,
        }
        Ok(())
    }

    async fn learn_at_once(&self, described: &[Market]) -> Result<(), store::StoreError> {
        let mut transaction = self.store.begin().await?;
        let learned = markets::learn(&mut transaction, described, clock::now()).await?;
        Store::commit(transaction).await?;
        if 0 < learned.changed {
            tracing::info!(changed = learned.changed, "markets are described otherwise than before");
        }
        Ok(())
    }
}
