//! SQD's portal: the chain's history and head over HTTP, free and without an account.
//!
//! A portal answers a question with a stream of lines, one block each. Such a stream may end early, break off in
//! the middle of a line, or hold what was not asked for; so every line is held against the one before it, what
//! does not fit is complained of and asked for again, and nothing is emitted that does not follow what was.
//! Sources: docs.sqd.dev (`portal/evm/api`) and SQD's own client in `subsquid/squid-sdk`.
//!
//! A portal sends no receipts: the transfers of shares from and to those contracts that hide users are asked for
//! with the logs, and stand in the receipts' place.

mod ancestor;
mod client;
mod head;
mod line;
mod lines;
mod pace;
mod past;
mod scrutiny;

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::contracts::{watched_addresses, watched_topics};
use crate::follow::{BlockPoint, ChainUpdate, Start, Stretch};
use crate::rpc::{BlockHeader, Observer, redacted};
use client::Client;
use pace::Pace;

/// SQD's public portal for Polygon.
pub const PUBLIC_PORTAL: &str = "https://portal.sqd.dev/datasets/polygon-mainnet";

/// What to ask a portal for, and how. Clones share the portal's allowance of requests.
#[derive(Clone)]
pub struct PortalSettings {
    /// The data set's address, see [`PUBLIC_PORTAL`].
    pub url: String,
    /// The contracts whose logs to ask for.
    pub addresses: Vec<Address>,
    /// The first topics to ask for.
    pub topics: Vec<B256>,
    /// How long to wait where there is nothing new.
    pub poll_interval: Duration,
    /// Where to begin to follow; a history has its ranges.
    pub start: Start,
    /// Where requests, failures and malformed answers are counted.
    pub observer: Arc<Observer>,
    pace: Arc<Pace>,
}

impl PortalSettings {
    /// All that this crate decodes, asked for every two seconds, in 20 requests in 10 s at most, which is what
    /// the public portal allows.
    #[must_use]
    pub fn new(url: &str, start: Start, observer: Arc<Observer>) -> Self {
        Self {
            url: url.to_owned(),
            addresses: watched_addresses().to_vec(),
            topics: watched_topics(),
            poll_interval: Duration::from_secs(2),
            start,
            observer,
            pace: Arc::default(),
        }
    }
}

/// Shows the address without what may be secret in it.
impl fmt::Debug for PortalSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalSettings")
            .field("url", &redacted(&self.url))
            .field("start", &self.start)
            .field("poll_interval", &self.poll_interval)
            .finish_non_exhaustive()
    }
}

/// Why a portal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PortalError {
    /// The address is not one of a portal.
    #[error("`{endpoint}` is not an http or https address")]
    Address {
        /// The address without path and query.
        endpoint: String,
    },
    /// The HTTP client cannot be made, for want of TLS roots for example.
    #[error("no HTTP client: {what}")]
    Client {
        /// What is missing.
        what: String,
    },
    /// The portal has none of the blocks known here.
    #[error("{source_name} knows none of the remembered blocks, the newest of which is block {}", .newest.number)]
    TooDeep {
        /// The portal.
        source_name: Arc<str>,
        /// The newest block remembered.
        newest: BlockPoint,
    },
    /// The portal has replaced a block that it had called final.
    #[error("{source_name} has replaced block {}, which was final", .block.number)]
    FinalReplaced {
        /// The portal.
        source_name: Arc<str>,
        /// The block as it was.
        block: BlockPoint,
    },
    /// The portal does not tell what it should know.
    #[error("{source_name} does not answer: {why}")]
    Silent {
        /// The portal.
        source_name: Arc<str>,
        /// What went wrong.
        why: String,
    },
    /// Nobody receives the blocks any more.
    #[error("nobody receives the blocks any more")]
    Closed,
}

/// Follows the chain by a portal until stopped, for as long as somebody receives the updates.
///
/// `known` are blocks seen in earlier runs, from which the beginning of a reorganisation that happened in
/// between is found. A portal that fails is asked again with growing pauses, for ever. A full channel holds the
/// follower back.
///
/// # Errors
/// Where no progress is possible without somebody's doing: see [`PortalError`].
pub async fn follow(
    settings: PortalSettings,
    known: Vec<BlockPoint>,
    updates: mpsc::Sender<ChainUpdate>,
    stop: CancellationToken,
) -> Result<(), PortalError> {
    let client = Client::new(&settings)?;
    let following = head::Follower::new(settings, client, known, updates).run();
    stop.run_until_cancelled(following).await.unwrap_or(Ok(()))
}

/// Reads the finalized blocks of these ranges, one range after the other, in stretches of about 20,000 logs
/// at most, each without a hole between its first and its last block, whose headers it names. Waits for blocks
/// that are not final yet.
///
/// # Errors
/// Where no progress is possible without somebody's doing: see [`PortalError`].
pub async fn history(
    settings: PortalSettings,
    ranges: Vec<RangeInclusive<u64>>,
    batches: mpsc::Sender<Stretch>,
    stop: CancellationToken,
) -> Result<(), PortalError> {
    let client = Client::new(&settings)?;
    let reading = past::read(settings, client, ranges, batches);
    stop.run_until_cancelled(reading).await.unwrap_or(Ok(()))
}

/// The newest block that will stay.
///
/// # Errors
/// Where the portal does not tell, or cannot be used.
pub async fn finalized(settings: &PortalSettings) -> Result<BlockHeader, PortalError> {
    let client = Client::new(settings)?;
    let point = client.finalized_head().await.map_err(|error| silent(&client, &error))?;
    header(settings, point.number).await
}

/// The first block the portal has.
///
/// # Errors
/// Where the portal does not tell, or cannot be used.
pub async fn first_block(settings: &PortalSettings) -> Result<u64, PortalError> {
    let client = Client::new(settings)?;
    client.first_block().await.map_err(|error| silent(&client, &error))
}

fn silent(client: &Client, error: &client::Trouble) -> PortalError {
    PortalError::Silent { source_name: Arc::clone(client.source()), why: error.to_string() }
}

/// The header of a block that will stay.
///
/// # Errors
/// Where the portal cannot be used, or does not tell for a minute.
pub async fn header(settings: &PortalSettings, number: u64) -> Result<BlockHeader, PortalError> {
    let client = Client::new(settings)?;
    let source_name = Arc::clone(client.source());
    let (sender, mut receiver) = mpsc::channel(1);
    // A range of one block is told with its header, whether anything happened in it or not.
    let reading = past::read(settings.clone(), client, vec![number..=number], sender);
    let why = match tokio::time::timeout(HEADER_PATIENCE, reading).await {
        Err(_) => format!("block {number} was not told in time"),
        Ok(Err(error)) => return Err(error),
        Ok(Ok(())) => match receiver.recv().await {
            Some(stretch) => return Ok(stretch.through),
            None => format!("block {number} was not told"),
        },
    };
    Err(PortalError::Silent { source_name, why })
}

/// How long a portal has for a single header, pauses and further attempts included.
const HEADER_PATIENCE: Duration = Duration::from_secs(60);
