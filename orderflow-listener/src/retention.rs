//! Old fills go, once reputation has folded them, and with them what the executor was told in their time.

use std::time::Duration;

use domain::Timestamp;
use service::{CancellationToken, clock};
use store::{Store, StoreError, retention};

/// How often there is a look at what is old.
const EVERY: Duration = Duration::from_secs(3_600);

/// So many steps of the executor's recording go in one transaction: nobody who writes some waits long for that.
const STEPS: u32 = 5_000;

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
        // The recording names fills: without them it tells nothing, and as long as they wait, so does it.
        if came.waiting.is_empty() {
            match drop_steps(&store, moment, &stop).await {
                Ok(0) => {}
                Ok(steps) => {
                    tracing::info!(steps, "the executor's recording from before {days} days was dropped")
                }
                Err(error) => tracing::warn!("old steps could not be dropped now: {error}"),
            }
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

/// Until there are no more, or it is told to stop.
async fn drop_steps(store: &Store, moment: Timestamp, stop: &CancellationToken) -> Result<u64, StoreError> {
    let mut dropped = 0;
    while !stop.is_cancelled() {
        let mut transaction = store.begin().await?;
        let some = retention::drop_steps(&mut transaction, moment, STEPS).await?;
        Store::commit(transaction).await?;
        dropped += some;
        if some < u64::from(STEPS) {
            break;
        }
    }
    Ok(dropped)
}
