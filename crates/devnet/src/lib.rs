//! A simulated world on loopback: a Polygon node, the CLOB and Gamma, over one made-up population of
//! traders whose skill is known. For demonstrations, tests and load; no real money can reach it.

mod account;
mod board;
mod chain;
mod clob;
mod gamma;
mod rpc;
mod shared;
pub mod world;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use domain::{Timestamp, Wallet};
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub use self::account::TestAccount;
use self::chain::Step;
use self::shared::Shared;
use self::world::{FIRST_BLOCK, World, WorldConfig};

/// What kind of world, and where.
///
/// The world forgets nothing: every block, market and token stays in memory and can be asked for, as long as
/// it runs. The default past takes about 100 MB, and the present adds some 70 MB an hour at speed 1, in
/// proportion to the speed. That is a day or two on a small machine, not a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DevnetConfig {
    /// The same seed gives the same world.
    pub seed: u64,
    /// The node's port; the CLOB takes the next one and Gamma the one after. `None`: any free ports.
    pub port: Option<u16>,
    /// How much faster than life; 1 is a block each second and a half.
    pub speed: f64,
    /// How many trade, market makers aside.
    pub wallets: usize,
    /// How many of them are truly skilled.
    pub skilled: usize,
    /// Days of past before the first live block.
    pub history_days: u32,
}

impl Default for DevnetConfig {
    fn default() -> Self {
        Self { seed: 1, port: None, speed: 1.0, wallets: 3_000, skilled: 40, history_days: 45 }
    }
}

/// Where the services of the simulated world are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls {
    /// The node over HTTP.
    pub rpc_http: String,
    /// The node over WebSocket.
    pub rpc_ws: String,
    /// The CLOB.
    pub clob: String,
    /// The CLOB's market channel, path included.
    pub clob_ws: String,
    /// Gamma.
    pub gamma: String,
}

/// Who is who: what a score should find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Those who know more than the price.
    pub skilled: Vec<Wallet>,
    /// Those who know less than nothing.
    pub degens: Vec<Wallet>,
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
    /// The three ports do not fit below 65536.
    #[error("port {port} leaves no room for the two after it")]
    Port {
        /// The node's port.
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

/// A running simulated world.
#[derive(Debug)]
pub struct Devnet {
    urls: Urls,
    shared: Arc<Shared>,
    truth: Truth,
    tasks: JoinSet<Result<(), DevnetError>>,
}

impl Devnet {
    /// Makes the past, begins to serve, and lets time run from `now` until `stop` is cancelled.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub async fn start(
        config: DevnetConfig,
        now: Timestamp,
        stop: CancellationToken,
    ) -> Result<Self, DevnetError> {
        let [rpc, clob, gamma] = listeners(config.port).await?;
        let world_config = WorldConfig {
            speed: config.speed,
            wallets: config.wallets,
            skilled: config.skilled,
            history_days: config.history_days,
        };
        let begun = tokio::time::Instant::now();
        let made = tokio::task::spawn_blocking(move || World::new(config.seed, world_config, now));
        let mut world = made.await.map_err(DevnetError::Past)?;
        // Making the past has taken a while: the present begins where the caller's clock is now.
        let shared = Arc::new(Shared::new(now, begun, stop));
        advance(&shared, &mut world);
        let truth = Truth { skilled: world.skilled(), degens: world.degens() };
        tracing::info!(
            fills = shared.read().chain.fills(),
            markets = world.markets().len(),
            "the simulated past is made"
        );

        let urls = urls(&rpc, &clob, &gamma)?;
        let mut tasks = JoinSet::new();
        for (listener, router) in [
            (rpc, rpc::router(Arc::clone(&shared))),
            (clob, clob::router(Arc::clone(&shared))),
            (gamma, gamma::router(Arc::clone(&shared))),
        ] {
            tasks.spawn(serve(listener, router, shared.stop.clone()));
        }
        tasks.spawn(run(Arc::clone(&shared), world));
        Ok(Self { urls, shared, truth, tasks })
    }

    /// Where the services are.
    #[must_use]
    pub const fn urls(&self) -> &Urls {
        &self.urls
    }

    /// The height to follow the chain from: the first block in which anything happens. There is an empty
    /// one before it.
    #[must_use]
    pub const fn first_block(&self) -> u64 {
        FIRST_BLOCK
    }

    /// An account with dollars, for trying things out.
    #[must_use]
    pub fn test_account(&self) -> &TestAccount {
        &self.shared.account
    }

    /// Who is who.
    #[must_use]
    pub fn truth(&self) -> Truth {
        self.truth.clone()
    }

    /// OrderFilled logs on the canonical chain so far.
    #[must_use]
    pub fn fills(&self) -> u64 {
        self.shared.read().chain.fills()
    }

    /// Replaces the last `depth` blocks by others of the same heights, and tells subscribers.
    pub fn reorg(&self, depth: usize) {
        // Told under the lock, or a block appended meanwhile would be told first.
        let mut state = self.shared.write();
        let step = state.chain.reorganise(depth);
        self.shared.tell(step, Vec::new());
    }

    /// Waits until everything has ended: after `stop`, or because something died.
    ///
    /// # Errors
    /// What died first. Everything else is stopped then.
    pub async fn wait(mut self) -> Result<(), DevnetError> {
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            self.shared.stop.cancel();
            let ended = ended.map_err(DevnetError::Task).and_then(|ended| ended);
            result = result.and(ended);
        }
        result
    }
}

/// Lets time run: a look at the clock for each block that is due.
async fn run(shared: Arc<Shared>, mut world: World) -> Result<(), DevnetError> {
    let interval = Duration::from_micros(world.interval().unsigned_abs().max(1_000));
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            _ = ticks.tick() => advance(&shared, &mut world),
        }
    }
}

/// Brings chain and board up to the world's time. The world itself is moved outside the lock.
fn advance(shared: &Shared, world: &mut World) {
    let now = shared.now();
    let blocks = world.advance(now);
    let mut state = shared.write();
    let changes = state.board.update(world, now, &blocks);
    let added = blocks.into_iter().map(|block| state.chain.append(block)).collect();
    shared.tell(Step { removed: Vec::new(), added }, changes);
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> Result<(), DevnetError> {
    // Without this an answer in two segments waits 40 ms for the client's acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let done = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    // A client that keeps its connection open must not keep the world alive.
    let patience = async {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    tokio::select! {
        done = done => done.map_err(DevnetError::Serve),
        () = patience => Ok(()),
    }
}

async fn listeners(port: Option<u16>) -> Result<[TcpListener; 3], DevnetError> {
    let ports = match port {
        Some(port) => {
            let next = |offset| port.checked_add(offset).ok_or(DevnetError::Port { port });
            [port, next(1)?, next(2)?]
        }
        None => [0; 3],
    };
    Ok([listen(ports[0]).await?, listen(ports[1]).await?, listen(ports[2]).await?])
}

async fn listen(port: u16) -> Result<TcpListener, DevnetError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|source| DevnetError::Listen { port, source })
}

fn urls(rpc: &TcpListener, clob: &TcpListener, gamma: &TcpListener) -> Result<Urls, DevnetError> {
    let address = |listener: &TcpListener| {
        listener.local_addr().map_err(|source| DevnetError::Listen { port: 0, source })
    };
    let (rpc, clob, gamma) = (address(rpc)?, address(clob)?, address(gamma)?);
    Ok(Urls {
        rpc_http: format!("http://{rpc}"),
        rpc_ws: format!("ws://{rpc}"),
        clob: format!("http://{clob}"),
        clob_ws: format!("ws://{clob}/ws/market"),
        gamma: format!("http://{gamma}"),
    })
}
