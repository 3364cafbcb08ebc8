//! The service's settings: where the chain is, and where markets are described.

use service::DatabaseSettings;
use service::settings::set;
use service::telemetry::TelemetrySettings;

/// Where facts come from.
#[derive(Clone, clap::Args)]
pub struct ListenerSettings {
    /// Polygon nodes, http, https, ws or wss, separated by commas and tried in turn. Addresses may hold keys and
    /// are never shown whole.
    #[arg(
        long,
        env = "POLYGON_RPC_URL",
        hide_env_values = true,
        default_value = "https://polygon-bor-rpc.publicnode.com",
        value_name = "URLS",
        help_heading = "Chain"
    )]
    pub polygon_rpc_url: String,
    /// The block to begin with in an empty database. Not set: the newest.
    #[arg(long, env = "START_BLOCK", value_name = "NUMBER", help_heading = "Chain")]
    pub start_block: Option<String>,
    /// Seconds between two looks at the chain where the node does not announce blocks.
    #[arg(
        long,
        env = "POLL_INTERVAL_SECS",
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Chain"
    )]
    pub poll_interval_secs: u32,
    /// The most blocks asked for at once; fewer are asked for where a node has too many logs in them.
    #[arg(
        long,
        env = "MAX_BLOCK_RANGE",
        default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Chain"
    )]
    pub max_block_range: u32,
    /// Where markets are described.
    #[arg(
        long,
        env = "GAMMA_URL",
        default_value = "https://gamma-api.polymarket.com",
        value_name = "URL",
        help_heading = "Markets"
    )]
    pub gamma_url: String,
}

/// Addresses of nodes may hold keys.
impl std::fmt::Debug for ListenerSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenerSettings")
            .field("polygon_rpc_url", &"(not shown)")
            .field("start_block", &self.start_block)
            .field("poll_interval_secs", &self.poll_interval_secs)
            .field("max_block_range", &self.max_block_range)
            .field("gamma_url", &self.gamma_url)
            .finish()
    }
}

impl ListenerSettings {
    /// The nodes, at least one.
    ///
    /// # Errors
    /// If none is given.
    pub fn endpoints(&self) -> anyhow::Result<Vec<String>> {
        let endpoints: Vec<String> = self
            .polygon_rpc_url
            .split(',')
            .map(str::trim)
            .filter(|url| !url.is_empty())
            .map(str::to_owned)
            .collect();
        anyhow::ensure!(!endpoints.is_empty(), "POLYGON_RPC_URL names no node");
        Ok(endpoints)
    }

    /// The block to begin with, if one is given.
    ///
    /// # Errors
    /// If it is no number.
    pub fn first_block(&self) -> anyhow::Result<Option<u64>> {
        set(self.start_block.as_deref())
            .map(|text| text.parse().map_err(|_| anyhow::anyhow!("START_BLOCK `{text}` is no block number")))
            .transpose()
    }
}

/// Everything the service can be told.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "orderflow-listener",
    version,
    about = "Streams every trade of Polymarket from Polygon into PostgreSQL"
)]
pub struct ServiceSettings {
    /// The database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// The work.
    #[command(flatten)]
    pub listener: ListenerSettings,
    /// The logs.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}
