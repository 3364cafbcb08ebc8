//! Logs, to standard error as text for people or JSON for collectors; and metrics, for whoever scrapes them.

use std::io::IsTerminal as _;
use std::net::{SocketAddr, TcpListener};

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::settings::set;

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
    /// Where metrics are served for Prometheus, such as 127.0.0.1:9184. Not set: nowhere.
    #[arg(long, env = "METRICS_ADDR", value_name = "ADDRESS", help_heading = "Logs")]
    pub metrics_addr: Option<String>,
}

impl TelemetrySettings {
    /// Only what filter lets through, as text, and no metrics.
    #[must_use]
    pub fn only_logs(filter: &str) -> Self {
        Self { log_level: filter.to_owned(), log_format: "text".to_owned(), metrics_addr: None }
    }

    /// Starts logging, and serving metrics if that is wished; a second call starts no second log. Must be called
    /// within a Tokio runtime.
    ///
    /// # Errors
    /// If the filter or the address cannot be read, or the address cannot be had.
    pub fn start(&self) -> anyhow::Result<()> {
        self.start_logs(std::io::stderr, std::io::stderr().is_terminal())
    }

    /// The same, with the log written elsewhere.
    ///
    /// # Errors
    /// As [`TelemetrySettings::start`].
    pub fn start_into<Writer>(&self, writer: Writer) -> anyhow::Result<()>
    where
        Writer: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        self.start_logs(writer, false)
    }

    fn start_logs<Writer>(&self, writer: Writer, is_coloured: bool) -> anyhow::Result<()>
    where
        Writer: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let filter = EnvFilter::try_new(&self.log_level)
            .map_err(|error| anyhow::anyhow!("LOG_LEVEL `{}` is no filter: {error}", self.log_level))?;
        // At its finest level it writes whole frames, and in one of them we say who we are.
        let filter =
            filter.add_directive("tungstenite::protocol=debug".parse().context("a filter of our own")?);
        let builder =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(is_coloured);
        // Somebody may have started logging already, as tests do: theirs stands.
        let _ = if self.log_format == "json" { builder.json().try_init() } else { builder.try_init() };
        match set(self.metrics_addr.as_deref()) {
            Some(address) => serve_metrics(address),
            None => Ok(()),
        }
    }
}

fn serve_metrics(address: &str) -> anyhow::Result<()> {
    let listen: SocketAddr = address.parse().map_err(|_| {
        anyhow::anyhow!("METRICS_ADDR `{address}` is no address and port such as 127.0.0.1:9184")
    })?;
    // Checked first, because the exporter only notices later, and then in a task of its own.
    drop(TcpListener::bind(listen).with_context(|| format!("METRICS_ADDR {listen} cannot be had"))?);
    let buckets = Matcher::Suffix("_seconds".to_owned());
    PrometheusBuilder::new()
        .with_http_listener(listen)
        .set_buckets_for_metric(buckets, &SECONDS)
        .and_then(PrometheusBuilder::install)
        .with_context(|| format!("metrics cannot be served on {listen}"))
}

/// The upper ends of the buckets in which durations are counted.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0, 3.0, 10.0];
