//! The executor service on its own.

use std::process::ExitCode;

use clap::Parser as _;
use orderflow_executor::ServiceSettings;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = ServiceSettings::parse();
    let (telemetry, database) = (settings.telemetry.clone(), settings.database.clone());
    service::process::run_service("orderflow-executor", &telemetry, &database, |store, stop| {
        orderflow_executor::run(settings.strategy, settings.venue, store, stop)
    })
    .await
}
