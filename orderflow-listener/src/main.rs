//! The listener service on its own.

use std::process::ExitCode;

use clap::Parser as _;
use orderflow_listener::ServiceSettings;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = ServiceSettings::parse();
    let (telemetry, database) = (settings.telemetry.clone(), settings.database.clone());
    service::process::run_service("orderflow-listener", &telemetry, &database, |store, stop| {
        orderflow_listener::run(settings.listener, settings.clob.clob_url, store, stop)
    })
    .await
}
