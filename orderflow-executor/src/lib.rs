//! From trades and verdicts to signals, orders and positions, on paper.
//!
//! The judgement is pure and lives in `decision`; here it is fed from the outbox and answered by a venue.

mod diary;
mod executor;
mod limits;
mod restore;
mod settings;
mod venue;

use std::time::Duration;

use polymarket::Clob;
use service::CancellationToken;
use store::{Store, controls};

pub use executor::Executor;
pub use limits::LimitSettings;
pub use settings::{ServiceSettings, StrategySettings, VenueSettings};
pub use venue::{Paper, Prints, Venue};

/// How often the outbox is looked at when no notification comes.
const LOOK: Duration = Duration::from_secs(3);

/// Runs the service until it is told to stop.
///
/// # Errors
/// If another one runs on this database, or the database fails.
pub async fn run(
    strategy: StrategySettings,
    venue: VenueSettings,
    store: Store,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut only = store.become_only("orderflow-executor").await?;
    controls::refuse_tape(&mut *store.connection().await?).await?;
    let mut news = store.listen().await?;
    let venue = Venue::Paper(Paper {
        clob: Clob::new(&venue.clob_url)?,
        latency: Duration::from_millis(u64::from(venue.paper_latency_ms)),
    });
    let work = async {
        let mut executor = Executor::resume(store, strategy.policy(), venue).await?;
        loop {
            only.still_is().await?;
            executor.catch_up().await?;
            if let Ok(heard) = tokio::time::timeout(LOOK, news.wait()).await {
                heard?;
            }
        }
    };
    // Whatever is cut off in the middle has not been committed and will be done again.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}
