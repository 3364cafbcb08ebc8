//! Logs: to standard error, as text for people or JSON for collectors.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How much is logged, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct TelemetrySettings {
    /// What is logged: error, warn, info, debug, or a filter such as `info,polygon=debug`.
    #[arg(
        long,
        env = "LOG_LEVEL",
        default_value = "info,sqlx=warn",
        value_name = "FILTER",
        help_heading = "Logs"
    )]
    pub log_level: String,
    /// How it is written: text, or json (one object a line).
    #[arg(long, env = "LOG_FORMAT", default_value = "text", value_parser = ["text", "json"], help_heading = "Logs")]
    pub log_format: String,
}

impl TelemetrySettings {
    /// Starts logging; a second call changes nothing.
    ///
    /// # Errors
    /// If the filter cannot be read.
    pub fn start(&self) -> anyhow::Result<()> {
        let filter = EnvFilter::try_new(&self.log_level)
            .map_err(|error| anyhow::anyhow!("LOG_LEVEL `{}` is no filter: {error}", self.log_level))?;
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal());
        // Somebody may have started logging already, as tests do: theirs stands.
        let _ = if self.log_format == "json" { builder.json().try_init() } else { builder.try_init() };
        Ok(())
    }
}
