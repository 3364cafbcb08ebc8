//! The frame of a service's `main`: settings, logs, database, supervision, orderly end.

use std::future::Future;
use std::process::ExitCode;

use store::Store;
use tokio_util::sync::CancellationToken;

use crate::database::DatabaseSettings;
use crate::supervisor::{Supervisor, interrupted};
use crate::telemetry::TelemetrySettings;

/// Makes the process able to speak TLS. To be called once, before the first connection.
pub fn use_tls() {
    // Somebody may have chosen a provider already: theirs stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Runs one service on its own until it is told to stop.
pub async fn run_service<Work>(
    name: &'static str,
    telemetry: &TelemetrySettings,
    database: &DatabaseSettings,
    service: impl FnOnce(Store, CancellationToken) -> Work,
) -> ExitCode
where
    Work: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    use_tls();
    let outcome = async {
        telemetry.start()?;
        let database = tokio::select! {
            database = database.open() => database?,
            heard = interrupted() => return heard,
        };
        tracing::info!(service = name, version = env!("CARGO_PKG_VERSION"), "started");
        let mut supervisor = Supervisor::new();
        supervisor.spawn(name, service(database.store.clone(), supervisor.stop()));
        let ran = supervisor.run().await;
        let closed = database.close().await;
        ran.and(closed)
    }
    .await;
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Tells the person at the terminal, also where logging did not start.
#[expect(clippy::print_stderr, reason = "the last words of a process are for the person who started it")]
fn complain(error: &anyhow::Error) {
    if !tracing::enabled!(tracing::Level::ERROR) {
        eprintln!("error: {error:#}");
    }
}
