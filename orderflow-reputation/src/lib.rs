//! From the facts in the database to the verdicts about wallets, every hour.
//!
//! The fold itself is pure and lives in `decision`; here it is fed from the outbox, in its order, and what it
//! finds is published in one transaction with the place it was found at.

mod fold;
mod settings;
mod working_set;

use std::time::Duration;

use domain::Timestamp;
use service::{CancellationToken, clock};
use store::{Store, controls};

pub use fold::Reputation;
pub use settings::{ReputationSettings, ServiceSettings};

/// How often the outbox is looked at when no notification comes.
const LOOK: Duration = Duration::from_secs(3);

/// Runs the service until it is told to stop.
///
/// # Errors
/// If another one runs on this database, or the database fails.
pub async fn run(settings: ReputationSettings, store: Store, stop: CancellationToken) -> anyhow::Result<()> {
    let mut only = store.become_only("orderflow-reputation").await?;
    controls::refuse_tape(&mut *store.connection().await?).await?;
    let mut news = store.listen().await?;
    let work = async {
        let mut reputation =
            Reputation::resume_within(store, settings.eligibility(), settings.memory()).await?;
        loop {
            only.still_is().await?;
            reputation.catch_up(i64::MAX).await?;
            let now = clock::now();
            if is_due(reputation.last_pass(), now, settings.interval()) {
                let pass = reputation.publish(now, now).await?;
                tracing::info!(
                    verdicts = pass.verdicts,
                    rated = pass.rated,
                    wallets = pass.wallets,
                    "scored"
                );
            }
            if let Ok(heard) = tokio::time::timeout(LOOK, news.wait()).await {
                heard?;
            }
        }
    };
    // Whatever is cut off in the middle has not been committed and will be done again.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}

/// A pass is due once its interval has passed since the last one; missed ones are made up by one.
fn is_due(last: Option<Timestamp>, now: Timestamp, interval: i64) -> bool {
    last.is_none_or(|last| interval <= now.micros_since(last))
}
