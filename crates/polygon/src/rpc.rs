//! Asking a node: JSON-RPC over HTTP or WebSocket, whichever the address says.
//!
//! A node may stall, lie, or answer with a page of HTML, so every call has a timeout, every answer is checked
//! against its question, and every failure says what to do about it: ask for less, wait, or go elsewhere.
//! Addresses of nodes carry API keys, so errors and logs show scheme, host and port only.

mod endpoint;
mod http;
mod pulse;
mod socket;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use domain::{BlockHash, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;

pub use endpoint::redacted;

use crate::log::{RawLog, logs_from_value};
use crate::window::BlockPoint;
use endpoint::{Endpoint, Scheme};
use http::Http;
use socket::Socket;

/// How long a node has for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a node has for logs, which it may have to search for.
const LOGS_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest answer that is read, unpacked; parsed it takes several times as much. Larger ones are asked
/// for in smaller parts.
const LARGEST_ANSWER: usize = 16 << 20;

/// A client of one node.
pub struct RpcClient {
    endpoint: Arc<Endpoint>,
    transport: Transport,
    last_id: AtomicU64,
}

enum Transport {
    Http(Http),
    Socket(Socket),
}

/// Why a node did not answer a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The address is not one of a node.
    #[error("`{endpoint}` is not an http, https, ws or wss address")]
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
    /// The node holds the range or the answer to be too large: ask for less.
    #[error("too much was asked for at once: {message}")]
    TooManyResults {
        /// The node's words.
        message: String,
    },
    /// The node wants fewer questions: wait.
    #[error("the node asks for fewer requests")]
    RateLimited {
        /// How long, where it says so.
        retry_after: Option<Duration>,
    },
    /// No answer in time.
    #[error("no answer within {} s", .after.as_secs())]
    Timeout {
        /// The time it had.
        after: Duration,
    },
    /// The connection failed, or what answered is no node.
    #[error("{what}")]
    Transport {
        /// How it failed.
        what: String,
    },
    /// The answer is not what the question asks for.
    #[error("the answer to {method} is malformed: {what}")]
    Malformed {
        /// The question.
        method: &'static str,
        /// What is wrong with the answer.
        what: String,
    },
    /// The node refused.
    #[error("the node answered with error {code}: {message}")]
    Rpc {
        /// Its code.
        code: i64,
        /// Its words.
        message: String,
    },
}

/// Which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockTag {
    /// The one of that height.
    Number(u64),
    /// The newest the node knows.
    Latest,
}

/// What names a block, and when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// The hash of the block before it.
    pub parent_hash: BlockHash,
    /// Its time.
    pub time: Timestamp,
}

impl BlockHeader {
    /// Its height and hash.
    #[must_use]
    pub const fn point(&self) -> BlockPoint {
        BlockPoint { number: self.number, hash: self.hash }
    }
}

impl RpcClient {
    /// A client of the node at `url`; it connects when first asked. Must be called within a Tokio runtime:
    /// a WebSocket has a task of its own, which ends with the client.
    ///
    /// # Errors
    /// Where the address is none, or the HTTP client cannot be made.
    pub fn new(url: &str) -> Result<Self, RpcError> {
        // The HTTP client panics without a TLS provider, and a panic would take down more than a wrong setting
        // should. Where the process has installed one, this does nothing.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _lost_the_race = rustls::crypto::ring::default_provider().install_default();
        }
        let endpoint = Arc::new(Endpoint::parse(url)?);
        let transport = match endpoint.scheme() {
            Scheme::Http => Transport::Http(Http::new(Arc::clone(&endpoint))?),
            Scheme::Socket => Transport::Socket(Socket::new(Arc::clone(&endpoint))),
        };
        Ok(Self { endpoint, transport, last_id: AtomicU64::new(0) })
    }

    /// The node's address without path and query, for people to read.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.endpoint.redacted()
    }

    /// Changes whenever the node announces a new head, and when its connection breaks; `None` over HTTP,
    /// where nodes announce nothing.
    #[must_use]
    pub fn heads(&self) -> Option<watch::Receiver<u64>> {
        match &self.transport {
            Transport::Http(_) => None,
            Transport::Socket(socket) => Some(socket.heads()),
        }
    }

    /// Which chain the node is on; Polygon is 137.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn chain_id(&self) -> Result<u64, RpcError> {
        let answer = self.call("eth_chainId", json!([]), TIMEOUT).await?;
        wire::number("eth_chainId", &answer)
    }

    /// A block; `None` where the node does not have it.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn block(&self, tag: BlockTag) -> Result<Option<BlockHeader>, RpcError> {
        let text = match tag {
            BlockTag::Number(number) => format!("{number:#x}"),
            BlockTag::Latest => "latest".to_owned(),
        };
        let answer = self.call("eth_getBlockByNumber", json!([text, false]), TIMEOUT).await?;
        wire::header(&answer, tag)
    }

    /// The logs of the blocks from `from` to `to`, both included, that one of `addresses` emitted with one of
    /// `topics` as their first. An empty list asks for all.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn logs(
        &self,
        from: u64,
        to: u64,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<Vec<RawLog>, RpcError> {
        let range = json!({ "fromBlock": format!("{from:#x}"), "toBlock": format!("{to:#x}") });
        self.filtered(range, addresses, topics).await
    }

    /// The logs of one block, as [`logs`](Self::logs). A node that does not have the block refuses, where a
    /// range that it does not have yet would pass for one without logs.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn logs_of_block(
        &self,
        hash: BlockHash,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<Vec<RawLog>, RpcError> {
        self.filtered(json!({ "blockHash": hash.to_string() }), addresses, topics).await
    }

    async fn filtered(
        &self,
        mut filter: Value,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<Vec<RawLog>, RpcError> {
        if !addresses.is_empty() {
            let lower_case = |address: &Address| format!("{address:#x}");
            filter["address"] = addresses.iter().map(lower_case).collect();
        }
        if !topics.is_empty() {
            filter["topics"] = json!([topics]);
        }
        let answer = self.call("eth_getLogs", json!([filter]), LOGS_TIMEOUT).await?;
        logs_from_value(&answer)
            .map_err(|error| RpcError::Malformed { method: "eth_getLogs", what: self.endpoint.scrub(&error) })
    }

    async fn call(&self, method: &'static str, params: Value, timeout: Duration) -> Result<Value, RpcError> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let question = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let answering = async {
            match &self.transport {
                Transport::Http(http) => http.ask(id, method, question).await,
                Transport::Socket(socket) => socket.ask(id, method, question).await,
            }
        };
        match tokio::time::timeout(timeout, answering).await {
            Ok(answer) => answer,
            Err(_) => Err(RpcError::Timeout { after: timeout }),
        }
    }
}

/// Shows the endpoint without what may be secret in its address.
impl fmt::Debug for RpcClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcClient").field("endpoint", &self.endpoint()).finish_non_exhaustive()
    }
}
