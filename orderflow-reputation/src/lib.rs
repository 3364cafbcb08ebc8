//! From the facts in the database to the verdicts about wallets, every hour.
//!
//! The fold itself is pure and lives in `decision`; here it is fed from the outbox, in its order, and what it
//! finds is published in one transaction with the place it was found at.

mod at_once;
mod fold;
mod missed;
mod settings;
mod working_set;

use std::time::{Duration, Instant};

use domain::Timestamp;
use service::{CancellationToken, clock};
use store::{Store, controls};

pub use fold::{Pass, Reputation};
pub use settings::{Passes, ReputationSettings, ServiceSettings};

/// The name of the service, of its lock and of its cursor.
const NAME: &str = "orderflow-reputation";
/// How often the outbox is looked at when no notification comes.
const LOOK: Duration = Duration::from_secs(3);

/// Runs the service until it is told to stop, or for one pass.
///
/// # Errors
/// If another one runs on this database, or the database fails.
pub async fn run(
    settings: ReputationSettings,
    passes: Passes,
    store: Store,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let done = stop.clone();
    let work = async {
        if passes.once {
            let pass = once(&settings, passes, store).await?;
            tracing::info!(
                verdicts = pass.verdicts,
                rated = pass.rated,
                wallets = pass.wallets,
                "scored once"
            );
            // The process has nothing else to do.
            done.cancel();
            return Ok(());
        }
        score(&settings, passes, store).await
    };
    // Whatever is cut off in the middle has not been committed and will be done again.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}

/// Makes one pass over everything that is known by now.
///
/// # Errors
/// If the service runs on this database, it holds a tape, or it fails.
pub async fn once(settings: &ReputationSettings, passes: Passes, store: Store) -> anyhow::Result<Pass> {
    let _only = store.become_only(NAME).await?;
    controls::refuse_tape(&mut *store.connection().await?).await?;
    let mut reputation = begin(settings, passes, store).await?;
    reputation.catch_up(i64::MAX).await?;
    let now = clock::now();
    reputation.publish(now, now).await
}

/// Makes pass after pass, and tells of results and of whales in between.
async fn score(settings: &ReputationSettings, passes: Passes, store: Store) -> anyhow::Result<()> {
    let mut only = store.become_only(NAME).await?;
    controls::refuse_tape(&mut *store.connection().await?).await?;
    let mut news = store.listen().await?;
    let mut reputation = begin(settings, passes, store).await?;
    let made = reputation.make_up(clock::now(), settings.interval()).await?;
    if made > 0 {
        tracing::info!(passes = made, "made up for passes that were missed");
    }
    // By a clock that nobody sets: verdicts may be dated ahead of the one that says what time it is.
    let mut begun = Instant::now();
    loop {
        only.still_is().await?;
        reputation.catch_up(i64::MAX).await?;
        let now = clock::now();
        // While a backfill goes on the past is another one at every look: a pass a minute is enough then.
        let interval = if reputation.is_outdated() { Timestamp::MINUTE } else { i64::MAX };
        let interval = settings.interval().min(interval);
        if is_due(reputation.last_pass(), now, interval) || interval <= micros(begun.elapsed()) {
            begun = Instant::now();
            let pass = reputation.publish(now, now).await?;
            tracing::info!(verdicts = pass.verdicts, rated = pass.rated, wallets = pass.wallets, "scored");
        } else {
            let verdicts = reputation.publish_at_once(now, now).await?;
            if verdicts > 0 {
                tracing::info!(verdicts, "scored at once");
            }
            reputation.make_room().await?;
        }
        if let Ok(heard) = tokio::time::timeout(LOOK, news.wait()).await {
            heard?;
        }
    }
}

async fn begin(settings: &ReputationSettings, passes: Passes, store: Store) -> anyhow::Result<Reputation> {
    let mut reputation = Reputation::resume_within(store, settings.eligibility(), settings.memory()).await?;
    if passes.rebuild {
        reputation.rebuild().await?;
    }
    Ok(reputation)
}

/// A pass is due once its interval has passed since the last one.
fn is_due(last: Option<Timestamp>, now: Timestamp, interval: i64) -> bool {
    last.is_none_or(|last| interval <= now.micros_since(last))
}

fn micros(taken: Duration) -> i64 {
    i64::try_from(taken.as_micros()).unwrap_or(i64::MAX)
}
