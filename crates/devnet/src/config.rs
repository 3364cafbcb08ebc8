//! What kind of world, where it is, and what can keep it from being.

use std::time::Duration;

use tokio::task::JoinError;

/// What kind of world, and where.
///
/// The world forgets nothing: every block, market and token stays in memory and can be asked for, as long as
/// it runs. With all that goes with it a fill takes about 2 KB: the default past 165 MB, and the present more the
/// faster it runs. That is a day on a small machine, not a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DevnetConfig {
    /// The same seed gives the same world.
    pub seed: u64,
    /// The first node's port; the CLOB takes the next one, Gamma and the portal the ones after, and further
    /// nodes those behind them. `None`: any free ports.
    pub port: Option<u16>,
    /// How much faster than life; 1 is a block each second and a half.
    pub speed: f64,
    /// How many trade, market makers aside.
    pub wallets: usize,
    /// How many of them are truly skilled.
    pub skilled: usize,
    /// Days of past before the first live block.
    pub history_days: u32,
    /// How many nodes serve the chain, each with faults of its own; at least one.
    pub nodes: usize,
    /// How many blocks below the newest one a block is final. What reorganises deeper breaks that promise; the
    /// real chain keeps it, and takes two to five seconds for it unless it is in trouble.
    pub finality: u64,
    /// Whether orders that trade at once are held where the venue holds them: a moment on markets that follow a
    /// price feed, a second on games.
    pub taker_delays: bool,
    /// How long after the venue has matched its trades a block is announced; 0 is at the same moment. The real one takes
    /// seconds, in which its books have long moved.
    pub settling: Duration,
}

impl Default for DevnetConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            port: None,
            speed: 1.0,
            wallets: 3_000,
            skilled: 40,
            history_days: 45,
            nodes: 1,
            // Reorganisations of up to so many blocks leave what is final alone.
            finality: 64,
            taker_delays: true,
            settling: Duration::ZERO,
        }
    }
}

/// Where the services of the simulated world are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls {
    /// The first node over HTTP.
    pub rpc_http: String,
    /// The first node over WebSocket.
    pub rpc_ws: String,
    /// All nodes over HTTP, the first one first.
    pub rpc_http_all: Vec<String>,
    /// All nodes over WebSocket, in the same order.
    pub rpc_ws_all: Vec<String>,
    /// The CLOB.
    pub clob: String,
    /// The CLOB's market channel, path included.
    pub clob_ws: String,
    /// The CLOB's user channel, path included.
    pub clob_user_ws: String,
    /// Where the venue says whether one may trade from here.
    pub geoblock: String,
    /// Gamma.
    pub gamma: String,
    /// The portal, path of the data set included.
    pub portal: String,
}

/// Why the simulated world could not begin, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum DevnetError {
    /// A port is taken or not allowed.
    #[error("no listening on 127.0.0.1:{port}")]
    Listen {
        /// The port; 0 for any.
        port: u16,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The ports of the other services do not fit below 65536.
    #[error("port {port} leaves no room for those after it")]
    Port {
        /// The first node's port.
        port: u16,
    },
    /// Making the past failed.
    #[error("the past could not be made")]
    Past(#[source] JoinError),
    /// One of the tasks died.
    #[error("a task of the simulated world died")]
    Task(#[source] JoinError),
    /// A server stopped serving.
    #[error("a server of the simulated world stopped")]
    Serve(#[source] std::io::Error),
}
