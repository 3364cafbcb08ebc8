//! A node for measuring: one kind of log, in the rhythm and number of a recorded day, and so little work for an
//! answer that the reader is what is measured.
//!
//! Everything is written once, before the first request, as the text that a Bor node would send: an answer is a
//! slice of it. A log is 1,085 bytes, so that two million are 2.2 GB.

mod answer;
mod headers;
mod recording;
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::recording::Recording;
use self::server::Node;
use crate::config::DevnetError;
use crate::ports;
use crate::world::FIRST_BLOCK;

/// What is served, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadConfig {
    /// The same configuration gives the same logs.
    pub seed: u64,
    /// Where; `None`: any free port.
    pub port: Option<u16>,
    /// The height of the first block with fills. An empty one stands before it.
    pub first_block: u64,
    /// The time of that empty block. The others follow at the interval, or at a second and a half.
    pub first_time: Timestamp,
    /// How many blocks with fills.
    pub blocks: u64,
    /// OrderFilled logs a block.
    pub fills_per_block: u32,
    /// How long after the block before it a block appears; `None`: all are there, and final, from the beginning.
    pub block_interval: Option<Duration>,
    /// How many wallets trade.
    pub wallets: usize,
    /// How many tokens they trade.
    pub tokens: usize,
    /// Each so many blocks, one with so many fills instead.
    pub burst: Option<(u64, u32)>,
}

impl Default for LoadConfig {
    /// A thousand blocks of an ordinary day of late 2026, all there from the beginning.
    fn default() -> Self {
        Self {
            seed: 1,
            port: None,
            first_block: FIRST_BLOCK,
            first_time: Timestamp::from_seconds(1_795_420_800),
            blocks: 1_000,
            fills_per_block: 78,
            block_interval: None,
            wallets: 5_000,
            tokens: 800,
            burst: None,
        }
    }
}

/// A running node.
#[derive(Debug)]
pub struct LoadNode {
    address: std::net::SocketAddr,
    node: Arc<Node>,
    stop: CancellationToken,
    tasks: JoinSet<Result<(), DevnetError>>,
}

impl LoadNode {
    /// Writes the logs and begins to serve them; the first live block appears one interval later. It ends when it
    /// is [stopped](Self::stop) or dropped.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub async fn start(config: LoadConfig) -> Result<Self, DevnetError> {
        let listener = ports::listen(config.port.unwrap_or(0)).await?;
        let address = listener.local_addr().map_err(|source| DevnetError::Listen { port: 0, source })?;
        let interval = config.block_interval;
        let written = tokio::task::spawn_blocking(move || Recording::write(&config));
        let recording = written.await.map_err(DevnetError::Past)?;
        let stop = CancellationToken::new();
        let node = Arc::new(Node::new(recording, interval.is_some(), stop.clone()));
        let mut tasks = JoinSet::new();
        tasks.spawn(ports::serve(listener, server::router(Arc::clone(&node)), stop.clone()));
        if let Some(interval) = interval {
            tasks.spawn(reveal(Arc::clone(&node), interval));
        }
        Ok(Self { address, node, stop, tasks })
    }

    /// Where it is over HTTP.
    #[must_use]
    pub fn url_http(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it is over WebSocket.
    #[must_use]
    pub fn url_ws(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// OrderFilled logs in the blocks that are there so far.
    #[must_use]
    pub fn fills(&self) -> u64 {
        self.node.recording.fills_through(self.node.visible())
    }

    /// OrderFilled logs in all blocks, those to come included.
    #[must_use]
    pub fn fills_in_all(&self) -> u64 {
        self.node.recording.fills_through(usize::MAX)
    }

    /// The height of the newest block that is there.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.node.recording.number(self.node.visible())
    }

    /// When a live block became visible: just before the first client could hear of it. `None` for one that is not
    /// there yet, and for those that have been there from the beginning.
    #[must_use]
    pub fn announced(&self, block: u64) -> Option<Instant> {
        self.node.announced(block)
    }

    /// Ends it.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Lets one block after the other appear, each at its time even if the one before was late.
async fn reveal(node: Arc<Node>, interval: Duration) -> Result<(), DevnetError> {
    let mut due = tokio::time::Instant::now();
    loop {
        due += interval;
        tokio::select! {
            () = node.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep_until(due) => {
                if !node.show_next() {
                    return Ok(());
                }
            }
        }
    }
}
