//! `orderflow run`: the three services in one process.

use std::time::Duration;

use orderflow_reputation::Passes;
use service::{CancellationToken, Database, Supervisor};
use store::{Store, facts};

use crate::args::Run;
use crate::{live, unless_interrupted};

/// Runs everything until Ctrl-C.
pub(crate) async fn run(settings: Run) -> anyhow::Result<()> {
    settings.telemetry.start()?;
    let Some(database) = unless_interrupted(settings.database.open()).await? else { return Ok(()) };
    let mut supervisor = Supervisor::new();
    spawn_services(&mut supervisor, &database, &settings);
    let lines = live::lines(database.store.clone(), live::To::Screen, supervisor.stop());
    supervisor.spawn("the screen", lines);
    supervisor.spawn("the hint", hint(database.store.clone(), supervisor.stop()));
    let ran = supervisor.run().await;
    let closed = database.close().await;
    ran.and(closed)
}

/// Says what else can be done while the chain cannot be reached.
async fn hint(store: Store, stop: CancellationToken) -> anyhow::Result<()> {
    let before = facts::recent_points(&mut *store.connection().await?, 1).await?;
    tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        () = tokio::time::sleep(PATIENCE) => {}
    }
    if facts::recent_points(&mut *store.connection().await?, 1).await? == before {
        tracing::warn!(
            "no block has come in yet, and this keeps trying; POLYGON_RPC_URL names the nodes, and `orderflow demo` \
             shows the system at work without a network"
        );
    }
    stop.cancelled().await;
    Ok(())
}

/// Starts the three services, which know each other only through the database.
pub(crate) fn spawn_services(supervisor: &mut Supervisor, database: &Database, settings: &Run) {
    let store = || database.store.clone();
    let stop = supervisor.stop();
    let (chain, clob_url) = (settings.listener.clone(), settings.venue.clob_url.clone());
    let listener = orderflow_listener::run(chain, clob_url, store(), stop.clone());
    let reputation =
        orderflow_reputation::run(settings.reputation.clone(), Passes::default(), store(), stop.clone());
    let (strategy, venue) = (settings.strategy.clone(), settings.venue.clone());
    let executor = orderflow_executor::run(strategy, venue, store(), stop);
    supervisor.spawn("orderflow-listener", listener);
    supervisor.spawn("orderflow-reputation", reputation);
    supervisor.spawn("orderflow-executor", executor);
}

/// How long the chain has to deliver a first block before a person wonders.
const PATIENCE: Duration = Duration::from_secs(6);
/// How often the screen is brought up to date.
pub(crate) const SCREEN: Duration = Duration::from_millis(500);
