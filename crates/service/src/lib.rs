//! What every process needs beside its work: settings, telemetry, the database, the clock, supervision.

pub mod clock;
pub mod database;
pub mod process;
pub mod settings;
pub mod supervisor;
pub mod telemetry;

pub use database::{Database, DatabaseSettings};
pub use supervisor::{Supervisor, interrupted};
pub use tokio_util::sync::CancellationToken;
