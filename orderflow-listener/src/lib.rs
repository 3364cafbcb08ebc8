//! From the chain into the database: every trade, once, with everything else that moves positions, and the
//! markets they belong to.

mod ingest;
mod markets;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use polygon::follow::{BlockPoint, FollowCounters, FollowSettings, Start, follow};
use polymarket::Gamma;
use service::{CancellationToken, Supervisor};
use store::{OnlyOne, Store, controls, facts};
use tokio::sync::{Notify, mpsc};

use ingest::WRITER;
pub use settings::{ListenerSettings, ServiceSettings};

/// Updates that may wait between the chain and the database: one, because each may hold a whole range.
const WAITING_UPDATES: usize = 1;
/// How often the role is looked after.
const KEEP: Duration = Duration::from_secs(10);
/// How often it is said what was mended.
const REPORT: Duration = Duration::from_secs(60);
/// How many blocks back a reorganisation is looked for.
const REMEMBERED_BLOCKS: u32 = 256;

/// Runs the service until it is told to stop.
///
/// # Errors
/// If another one runs on this database, the database fails, or the chain is not the one it was.
pub async fn run(settings: ListenerSettings, store: Store, stop: CancellationToken) -> anyhow::Result<()> {
    let only = store.become_only(WRITER).await?;
    let (follow_settings, known) = starting_point(&settings, &store).await?;
    let gamma = Gamma::new(&settings.gamma_url)?;
    let (sender, receiver) = mpsc::channel(WAITING_UPDATES);
    let unknown_tokens = Arc::new(Notify::new());

    let mut tasks = Supervisor::new();
    let own_stop = tasks.stop();
    let follow_stop = own_stop.clone();
    let counters = follow_settings.counters.clone();
    tasks.spawn("keeping the role", keep(only, own_stop.clone()));
    tasks.spawn("counting what was mended", report(counters, own_stop.clone()));
    tasks.spawn("following the chain", async move {
        Ok(follow(follow_settings, known, sender, follow_stop).await?)
    });
    let ingest = ingest::Ingest::new(store.clone(), unknown_tokens.clone());
    tasks.spawn("storing facts", ingest.run(receiver, own_stop.clone()));
    tasks.spawn("describing markets", markets::run(store, gamma, unknown_tokens, own_stop.clone()));
    tokio::spawn(async move {
        stop.cancelled().await;
        own_stop.cancel();
    });
    tasks.run().await
}

/// Makes sure that nobody else listens meanwhile.
async fn keep(mut only: OnlyOne, stop: CancellationToken) -> anyhow::Result<()> {
    while stop.run_until_cancelled(tokio::time::sleep(KEEP)).await.is_some() {
        only.still_is().await?;
    }
    Ok(())
}

/// Says now and then what went wrong with the nodes and was mended.
async fn report(counters: Arc<FollowCounters>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut said = (0, 0, 0);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(REPORT) => {}
        }
        let now = (counters.refetched(), counters.reverted(), counters.failovers());
        if now != said {
            let (refetched, reverted, failovers) = now;
            tracing::info!(refetched, reverted, failovers, "mended since the start");
            said = now;
        }
    }
}

/// Where to go on: behind the last block stored, else where the settings say.
async fn starting_point(
    settings: &ListenerSettings,
    store: &Store,
) -> anyhow::Result<(FollowSettings, Vec<BlockPoint>)> {
    let mut connection = store.connection().await?;
    let to_point = |point: facts::Point| BlockPoint { number: point.number, hash: point.hash };
    let start = match facts::point(&mut connection, WRITER).await? {
        Some(point) => Start::Resume(to_point(point)),
        None => settings.first_block()?.map_or(Start::Head, Start::Block),
    };
    let known = facts::recent_points(&mut connection, REMEMBERED_BLOCKS).await?;
    let mut follow_settings = FollowSettings::new(settings.endpoints()?, start);
    follow_settings.poll_interval = Duration::from_secs(u64::from(settings.poll_interval_secs));
    follow_settings.max_range = u64::from(settings.max_block_range);
    controls::claim(&mut connection, &controls::chain(follow_settings.chain_id)).await?;
    Ok((follow_settings, known.into_iter().map(to_point).collect()))
}
