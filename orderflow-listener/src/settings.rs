//! The service's settings: where the chain is, and where markets are described.

use polygon::follow::Heads;
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
    /// Who tells of the chain: rpc, the nodes of POLYGON_RPC_URL; or portal, SQD's, which is free and needs no
    /// key.
    #[arg(long, env = "CHAIN_SOURCE", default_value = "rpc", value_name = "SOURCE", help_heading = "Chain")]
    pub chain_source: ChainSource,
    /// The portal.
    #[arg(
        long,
        env = "PORTAL_URL",
        default_value = polygon::portal::PUBLIC_PORTAL,
        value_name = "URL",
        help_heading = "Chain"
    )]
    pub portal_url: String,
    /// Milliseconds between two looks at the head of the chain. Shorter is faster and dearer: see
    /// `orderflow status`.
    #[arg(
        long,
        env = "POLL_INTERVAL_MS",
        default_value_t = 2_750,
        value_parser = clap::value_parser!(u32).range(50..),
        help_heading = "Chain"
    )]
    pub poll_interval_ms: u32,
    /// Whether a node's announcements of new blocks are subscribed to, which is the fastest and costs by the
    /// byte: always, never, or auto, which is where the node runs on this machine.
    #[arg(long, env = "NEW_HEADS", default_value = "auto", value_name = "WHEN", help_heading = "Chain")]
    pub new_heads: NewHeads,
    /// Seconds between two audits of what became final.
    #[arg(
        long,
        env = "AUDIT_INTERVAL_SECS",
        default_value_t = 120,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Chain"
    )]
    pub audit_interval_secs: u32,
    /// Days after which fills are dropped, once reputation has folded them, and with them the executor's recording of that
    /// time. Not set: never.
    #[arg(long, env = "TRADE_RETENTION_DAYS", value_name = "DAYS", help_heading = "Chain")]
    pub trade_retention_days: Option<String>,
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

/// Who tells of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ChainSource {
    /// Nodes, over JSON-RPC.
    Rpc,
    /// SQD's portal.
    Portal,
}

/// When announcements of new blocks are subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NewHeads {
    /// Where the node runs on this machine.
    Auto,
    /// Wherever the node's address is a WebSocket's.
    Always,
    /// Nowhere.
    Never,
}

/// Addresses of nodes may hold keys.
impl std::fmt::Debug for ListenerSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenerSettings")
            .field("polygon_rpc_url", &"(not shown)")
            .field("start_block", &self.start_block)
            .field("chain_source", &self.chain_source)
            .field("portal_url", &polygon::rpc::redacted(&self.portal_url))
            .field("poll_interval_ms", &self.poll_interval_ms)
            .field("new_heads", &self.new_heads)
            .field("audit_interval_secs", &self.audit_interval_secs)
            .field("trade_retention_days", &self.trade_retention_days)
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

    /// How to hear of new blocks.
    ///
    /// # Errors
    /// If no node is given.
    pub fn heads(&self) -> anyhow::Result<Heads> {
        let is_here = self.endpoints()?.iter().all(|url| polygon::rpc::is_on_this_machine(url));
        Ok(match self.new_heads {
            NewHeads::Always => Heads::Subscribe,
            NewHeads::Auto if is_here => Heads::Subscribe,
            NewHeads::Auto | NewHeads::Never => Heads::Poll,
        })
    }

    /// How long fills are kept, if not for ever.
    ///
    /// # Errors
    /// If it is no number of days.
    pub fn retention(&self) -> anyhow::Result<Option<u32>> {
        set(self.trade_retention_days.as_deref())
            .map(|text| {
                let days = text.parse().ok().filter(|days| *days > 0);
                days.ok_or_else(|| {
                    anyhow::anyhow!("TRADE_RETENTION_DAYS `{text}` is no number of days above 0")
                })
            })
            .transpose()
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

/// Where the venue's books are, which know every market too.
#[derive(Clone, Debug, clap::Args)]
pub struct ClobSettings {
    /// The venue's order books, asked about markets that Gamma does not know.
    #[arg(
        long,
        env = "CLOB_URL",
        default_value = "https://clob.polymarket.com",
        value_name = "URL",
        help_heading = "Markets"
    )]
    pub clob_url: String,
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
    /// Where markets are looked up when Gamma does not know them.
    #[command(flatten)]
    pub clob: ClobSettings,
    /// The logs.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}
