//! The service's settings.

use decision::Eligibility;
use service::DatabaseSettings;
use service::telemetry::TelemetrySettings;

/// When verdicts are made, and how much history one needs.
#[derive(Clone, Debug, clap::Args)]
pub struct ReputationSettings {
    /// Seconds between two passes over the wallets with news.
    #[arg(
        long,
        env = "REPUTATION_INTERVAL_SECS",
        default_value_t = 3_600,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Reputation"
    )]
    pub reputation_interval_secs: u32,
    /// Closed decisions a wallet needs to be rated.
    #[arg(long, env = "MIN_RATED_DECISIONS", default_value_t = 30, help_heading = "Reputation")]
    pub min_rated_decisions: u32,
    /// Events with a closed decision that a wallet needs to be rated.
    #[arg(long, env = "MIN_RATED_EVENTS", default_value_t = 15, help_heading = "Reputation")]
    pub min_rated_events: u32,
    /// Days with a trade that a wallet needs to be rated.
    #[arg(long, env = "MIN_RATED_DAYS", default_value_t = 21, help_heading = "Reputation")]
    pub min_rated_days: u32,
    /// Megabytes of memory for the wallets that are worked on; the others wait in the database.
    #[arg(long, env = "REPUTATION_MEMORY_MB", default_value_t = 160, help_heading = "Reputation")]
    pub reputation_memory_mb: u32,
}

impl ReputationSettings {
    /// How much history a verdict needs.
    #[must_use]
    pub const fn eligibility(&self) -> Eligibility {
        Eligibility {
            decisions: self.min_rated_decisions,
            events: self.min_rated_events,
            active_days: self.min_rated_days,
        }
    }

    /// Bytes of memory for the wallets that are worked on.
    #[must_use]
    pub fn memory(&self) -> usize {
        usize::try_from(self.reputation_memory_mb).unwrap_or(usize::MAX).saturating_mul(1 << 20)
    }

    /// Microseconds between two passes.
    #[must_use]
    pub fn interval(&self) -> i64 {
        i64::from(self.reputation_interval_secs) * 1_000_000
    }
}

/// How passes are made, where not every interval from the last one on.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Passes {
    /// Make one pass over everything known by now, and end.
    #[arg(long, help_heading = "Reputation")]
    pub once: bool,
    /// Forget every verdict and fold the stored facts anew; the first pass publishes everybody.
    #[arg(long, help_heading = "Reputation")]
    pub rebuild: bool,
}

/// Everything the service can be told.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "orderflow-reputation",
    version,
    about = "Scores every wallet from the trades in the database"
)]
pub struct ServiceSettings {
    /// The database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// The work.
    #[command(flatten)]
    pub reputation: ReputationSettings,
    /// When.
    #[command(flatten)]
    pub passes: Passes,
    /// The logs.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}
