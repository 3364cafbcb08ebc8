//! Tokens that were traded before anybody knew what they are, until somebody does.
//!
//! Gamma may be slow or down: trades go on without it, and titles come later.

use std::sync::Arc;
use std::time::Duration;

use polymarket::Gamma;
use service::{CancellationToken, clock};
use store::{Store, markets};
use tokio::sync::Notify;

/// How many tokens are asked for at once.
const BATCH: u32 = 200;
/// How often the queue is looked at when nothing new comes.
const LOOK: Duration = Duration::from_secs(3);

/// Looks tokens up until it is told to stop.
pub(crate) async fn run(
    store: Store,
    gamma: Gamma,
    unknown_tokens: Arc<Notify>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let found_some = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            found = look_up(&store, &gamma) => found?,
        };
        if found_some {
            continue;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = unknown_tokens.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Looks up the tokens whose turn it is; whether there were any.
async fn look_up(store: &Store, gamma: &Gamma) -> anyhow::Result<bool> {
    let tokens = markets::due_unknown(&mut *store.connection().await?, BATCH).await?;
    if tokens.is_empty() {
        return Ok(false);
    }
    let listing = match gamma.markets_of_tokens(&tokens).await {
        Ok(listing) => listing,
        Err(error) => {
            tracing::warn!(
                tokens = tokens.len(),
                "markets cannot be looked up and will be asked for again: {error}"
            );
            return Ok(false);
        }
    };
    for rejected in &listing.rejected {
        tracing::warn!(market = rejected.id, "a market's description makes no sense: {}", rejected.reason);
    }
    let mut transaction = store.begin().await?;
    let learned = markets::learn(&mut transaction, &listing.markets, clock::now()).await?;
    Store::commit(transaction).await?;
    tracing::debug!(asked = tokens.len(), learned, "markets");
    Ok(true)
}
