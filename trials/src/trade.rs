//! The measured process that trades in earnest: the listener and the executor in one process, as `orderflow run` has
//! them, each with the settings of the real one.

use orderflow_executor::{StrategySettings, VenueSettings};
use orderflow_listener::ListenerSettings;
use service::telemetry::TelemetrySettings;
use service::{Supervisor, clock};
use store::Store;

use crate::samples::Samples;

/// What it is told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Trade {
    /// The database.
    #[arg(long)]
    database: String,
    #[command(flatten)]
    listener: ListenerSettings,
    #[command(flatten)]
    strategy: StrategySettings,
    #[command(flatten)]
    venue: VenueSettings,
    #[command(flatten)]
    telemetry: TelemetrySettings,
    /// Keep what is measured, and print it when standard input ends.
    #[arg(long)]
    samples: bool,
}

/// Runs until it is told to stop.
pub(crate) async fn run(settings: Trade) -> anyhow::Result<()> {
    settings.telemetry.start()?;
    tracing::debug!(at = %clock::now(), ?settings, "trading in earnest");
    let store = Store::connect(&settings.database).await?;
    let mut supervisor = Supervisor::new();
    if settings.samples {
        Samples::begin(supervisor.stop())?;
    }
    let (chain, clob) = (settings.listener, settings.venue.clob_url.clone());
    let listener = orderflow_listener::run(chain, clob, store.clone(), supervisor.stop());
    let executor = orderflow_executor::run(settings.strategy, settings.venue, store, supervisor.stop());
    supervisor.spawn("orderflow-listener", listener);
    supervisor.spawn("orderflow-executor", executor);
    supervisor.run().await
}
