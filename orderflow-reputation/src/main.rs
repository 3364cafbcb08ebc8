//! The reputation service on its own.

use std::process::ExitCode;

use clap::Parser as _;
use orderflow_reputation::ServiceSettings;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = ServiceSettings::parse();
    let (telemetry, database) = (settings.telemetry.clone(), settings.database.clone());
    service::process::run_service("orderflow-reputation", &telemetry, &database, |store, stop| {
        orderflow_reputation::run(settings.reputation, settings.passes, store, stop)
    })
    .await
}
