//! Old fills go, once reputation has folded them.

use std::time::Duration;

use domain::Timestamp;
use service::{CancellationToken, clock};
use store::{Store, StoreError, retention};

/// How often there is a look at what is old.
const EVERY: Duration = Duration::from_secs(3_600);

/// Drops fills older than `days` until it is told to stop.
pub(crate) async fn run(store: Store, days: u32, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        let moment = clock::now().plus_micros(-i64::from(days) * Timestamp::DAY);
        let came = drop_before(&store, moment).await.unwrap_or_else(|error| {
            tracing::warn!("old fills could not be dropped now: {error}");
            retention::Retention::default()
        });
        if !came.dropped.is_empty() {
            tracing::info!(partitions = ?came.dropped, "fills older than {days} days were dropped");
        }
        if !came.waiting.is_empty() {
            tracing::info!(
                partitions = came.waiting.len(),
                "fills older than {days} days stay until reputation has folded them"
            );
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return Ok(());
        }
    }
}

async fn drop_before(store: &Store, moment: Timestamp) -> Result<retention::Retention, StoreError> {
    let mut transaction = store.begin().await?;
    let came = retention::drop_before(&mut transaction, moment).await?;
    Store::commit(transaction).await?;
    Ok(came)
}
