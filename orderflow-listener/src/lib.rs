//! From the chain into the database: every trade, once, with everything else that moves positions, and the
//! markets they belong to.

mod audit;
mod backfill;
mod blocks;
mod books;
mod ingest;
mod latency;
mod markets;
mod retention;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use polygon::follow::{BlockPoint, ChainUpdate, FollowCounters, FollowSettings, Start, follow};
use polygon::portal::{self, PortalSettings};
use polygon::rpc::Observer;
use polymarket::{Clob, Gamma};
use service::{CancellationToken, Supervisor};
use store::{OnlyOne, Store, StoreError, controls, coverage, facts};
use tokio::sync::{Notify, mpsc};

use audit::Audit;
use backfill::BACKFILL;
pub use backfill::{Outcome, Progress, Span, backfill};
use books::{Books, Purpose};
use ingest::{Ingest, WRITER};
use latency::Latency;
pub use settings::{ChainSource, ClobSettings, ListenerSettings, NewHeads, ServiceSettings};

/// Updates that may wait between the chain and the database: one, because each may hold a whole range.
const WAITING_UPDATES: usize = 1;
/// How often the role is looked after.
const KEEP: Duration = Duration::from_secs(10);
/// How often it is said what was mended.
const REPORT: Duration = Duration::from_secs(60);
/// How many blocks back a reorganisation is looked for.
const REMEMBERED_BLOCKS: u32 = 512;

/// Runs the service until it is told to stop. `clob_url` is asked about markets that Gamma does not know.
///
/// # Errors
/// If another one runs on this database, the database fails, or the chain is not the one it was.
pub async fn run(
    settings: ListenerSettings,
    clob_url: String,
    store: Store,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let only = store.become_only(WRITER).await?;
    let (start, known) = starting_point(&settings, &store).await?;
    let (gamma, clob) = (Gamma::new(&settings.gamma_url)?, Clob::new(&clob_url)?);
    let retention = settings.retention()?;
    let (sender, receiver) = mpsc::channel(WAITING_UPDATES);
    let unknown_tokens = Arc::new(Notify::new());
    let latency = Arc::new(Latency::default());
    let (observer, counters) = (Arc::<Observer>::default(), Arc::<FollowCounters>::default());

    let mut tasks = Supervisor::new();
    let own_stop = tasks.stop();
    tasks.spawn("keeping the role", keep(only, own_stop.clone()));
    tasks.spawn(
        "counting what was mended",
        report(Arc::clone(&counters), Arc::clone(&latency), own_stop.clone()),
    );
    // What is only asked again after a failure need not wait for the disk, nor let the newest block wait for it.
    let beside = store.repeatable();
    tasks.spawn("keeping the books", {
        Books::new(beside.clone(), Arc::clone(&observer), Purpose::Live).run(own_stop.clone())
    });
    let audited = Arc::<Observer>::default();
    let auditor = Audit::new(&settings, beside.clone(), Arc::clone(&audited), Arc::clone(&counters))?;
    tasks.spawn("auditing what became final", auditor.run(own_stop.clone()));
    tasks.spawn("keeping the audit's books", {
        Books::new(beside.clone(), audited, Purpose::Audit).run(own_stop.clone())
    });
    match settings.chain_source {
        ChainSource::Rpc => {
            let follow_settings = FollowSettings {
                poll_interval: Duration::from_millis(u64::from(settings.poll_interval_ms)),
                max_range: u64::from(settings.max_block_range),
                heads: settings.heads()?,
                observer: Arc::clone(&observer),
                counters,
                ..FollowSettings::new(settings.endpoints()?, start)
            };
            tasks.spawn("following the chain", {
                follow_nodes(follow_settings, known, sender, own_stop.clone())
            });
        }
        ChainSource::Portal => {
            let mut portal_settings = PortalSettings::new(&settings.portal_url, start, observer);
            portal_settings.poll_interval = Duration::from_millis(u64::from(settings.poll_interval_ms));
            tasks.spawn("following the portal", {
                follow_portal(portal_settings, known, sender, own_stop.clone())
            });
        }
    }
    tasks.spawn("indexing what a backfill left", index(store.clone(), own_stop.clone()));
    tasks.spawn("storing facts", {
        Ingest::new(&store, unknown_tokens.clone(), latency).run(receiver, own_stop.clone())
    });
    if let Some(days) = retention {
        tasks.spawn("letting old fills go", retention::run(store.clone(), days, own_stop.clone()));
    }
    tasks.spawn("describing markets", markets::run(beside, gamma, clob, unknown_tokens, own_stop.clone()));
    tokio::spawn(async move {
        stop.cancelled().await;
        own_stop.cancel();
    });
    tasks.run().await
}

async fn follow_nodes(
    settings: FollowSettings,
    known: Vec<BlockPoint>,
    updates: mpsc::Sender<ChainUpdate>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    Ok(follow(settings, known, updates, stop).await?)
}

async fn follow_portal(
    settings: PortalSettings,
    known: Vec<BlockPoint>,
    updates: mpsc::Sender<ChainUpdate>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    Ok(portal::follow(settings, known, updates, stop).await?)
}

/// Gives partitions their indexes that a backfill left without, unless one is still at it.
async fn index(store: Store, stop: CancellationToken) -> anyhow::Result<()> {
    let indexing = async {
        match store.become_only(BACKFILL).await {
            Ok(_nobody_fills) => Ok(facts::index_partitions(&mut *store.connection().await?).await?),
            Err(StoreError::AlreadyRunning { .. }) => Ok(()),
            Err(error) => Err(anyhow::Error::from(error)),
        }
    };
    stop.run_until_cancelled(indexing).await.unwrap_or(Ok(()))?;
    stop.cancelled().await;
    Ok(())
}

/// Makes sure that nobody else listens meanwhile.
async fn keep(mut only: OnlyOne, stop: CancellationToken) -> anyhow::Result<()> {
    while stop.run_until_cancelled(tokio::time::sleep(KEEP)).await.is_some() {
        only.still_is().await?;
    }
    Ok(())
}

/// Says now and then what went wrong with the nodes and was mended, and how fast blocks are taken in.
async fn report(
    counters: Arc<FollowCounters>,
    latency: Arc<Latency>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut said = (0, 0, 0);
    while stop.run_until_cancelled(tokio::time::sleep(REPORT)).await.is_some() {
        let now = (counters.refetched(), counters.reverted(), counters.failovers());
        if now != said {
            let (refetched, reverted, failovers) = now;
            tracing::info!(refetched, reverted, failovers, "mended since the start");
            said = now;
        }
        let (p50, p99) = (latency.quantile(0.5), latency.quantile(0.99));
        tracing::debug!(?p50, ?p99, "from hearing of a block to its commit, at most");
    }
    Ok(())
}

/// Where to go on: behind the last block stored, else where the settings say.
async fn starting_point(
    settings: &ListenerSettings,
    store: &Store,
) -> anyhow::Result<(Start, Vec<BlockPoint>)> {
    let mut connection = store.connection().await?;
    controls::claim(&mut connection, &controls::chain(polygon::contracts::CHAIN_ID)).await?;
    let to_point = |point: facts::Point| BlockPoint { number: point.number, hash: point.hash };
    let known = facts::recent_points(&mut connection, REMEMBERED_BLOCKS).await?;
    let start = match facts::point(&mut connection, WRITER).await? {
        Some(point) => Start::Resume(to_point(point)),
        None => match settings.first_block()? {
            Some(first) => Start::Block(first),
            // History that was read before the listener ran, or is being read: it goes on behind it, so that there
            // is no hole and nothing is read twice.
            None => {
                let aimed = match store.become_only(BACKFILL).await {
                    Ok(_nobody_fills) => None,
                    Err(StoreError::AlreadyRunning { .. }) => facts::point(&mut connection, BACKFILL).await?,
                    Err(error) => return Err(error.into()),
                };
                let end = coverage::end(&mut connection).await?.max(aimed.map(|aimed| aimed.number));
                end.map_or(Start::Head, |last| Start::Block(last.saturating_add(1)))
            }
        },
    };
    Ok((start, known.into_iter().map(to_point).collect()))
}
