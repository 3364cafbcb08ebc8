//! Asking a node: JSON-RPC over HTTP or WebSocket, whichever the address says.
//!
//! A node may stall, lie, or answer with a page of HTML, so every call has a timeout, every answer is checked
//! against its question, and every failure says what to do about it: ask for less, wait, or go elsewhere.
//! Addresses of nodes carry API keys, so errors and logs show scheme, host and port only.

pub(crate) mod endpoint;
mod header;
pub(crate) mod http;
mod observer;
mod pulse;
mod receipt;
mod socket;
mod wait;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use domain::{BlockHash, TxHash};
use serde_json::{Value, json};
use tokio::sync::watch;

pub use endpoint::{is_on_this_machine, redacted};
pub(crate) use observer::SUBSCRIPTION;
pub use observer::{Complaint, EndpointHealth, Observer, Usage};

use crate::log::LogList;
use endpoint::{Endpoint, Scheme};
pub use header::BlockHeader;
pub(crate) use header::FullHeader;
use http::Http;
use receipt::TransactionReceipt;
pub use socket::News;
use socket::Socket;
pub(crate) use wait::asked_for as retry_after;
use wire::Answer;

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
    observer: Arc<Observer>,
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
    /// The range ends above the node's newest block: it is behind whoever told of that block.
    #[error("asked beyond the node's newest block: {message}")]
    Beyond {
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
    /// The newest of those that the chain's rules say will stay.
    Finalized,
}

/// The logs of an answer, and how large it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogAnswer {
    /// The logs, in the order of the answer.
    pub list: LogList,
    /// The size of the answer in bytes, unpacked.
    pub bytes: usize,
}

impl RpcClient {
    /// A client of the node at `url`; it connects when first asked. Must be called within a Tokio runtime:
    /// a WebSocket has a task of its own, which ends with the client. All that is asked is counted by
    /// `observer`.
    ///
    /// # Errors
    /// Where the address is none, or the HTTP client cannot be made.
    pub fn new(url: &str, observer: Arc<Observer>) -> Result<Self, RpcError> {
        Self::make(url, observer, false)
    }

    /// As [`new`](Self::new), and over WebSocket the node is asked to announce each new head, which costs.
    ///
    /// # Errors
    /// Where the address is none, or the HTTP client cannot be made.
    pub fn with_heads(url: &str, observer: Arc<Observer>) -> Result<Self, RpcError> {
        Self::make(url, observer, true)
    }

    fn make(url: &str, observer: Arc<Observer>, subscribes: bool) -> Result<Self, RpcError> {
        http::secure();
        let endpoint = Arc::new(Endpoint::parse(url)?.named(observer.name_of(url)));
        let transport = match endpoint.scheme() {
            Scheme::Http => Transport::Http(Http::new(Arc::clone(&endpoint))?),
            Scheme::Socket => {
                Transport::Socket(Socket::new(Arc::clone(&endpoint), Arc::clone(&observer), subscribes))
            }
        };
        Ok(Self { endpoint, observer, transport, last_id: AtomicU64::new(0) })
    }

    /// The node's address without path and query, for people to read.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.endpoint.redacted()
    }

    /// As [`endpoint`](Self::endpoint), shared.
    pub(crate) fn source(&self) -> &Arc<str> {
        self.endpoint.redacted()
    }

    pub(crate) fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Changes whenever the node announces a new head, and when its connection breaks; `None` over HTTP, and
    /// for a client that has not asked for it.
    #[must_use]
    pub fn heads(&self) -> Option<watch::Receiver<News>> {
        match &self.transport {
            Transport::Http(_) => None,
            Transport::Socket(socket) => socket.heads(),
        }
    }

    /// Which chain the node is on; Polygon is 137.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn chain_id(&self) -> Result<u64, RpcError> {
        let method = "eth_chainId";
        self.call(method, json!([]), TIMEOUT, |answer, id| {
            wire::number(method, &wire::value(answer, id, method, &self.endpoint)?)
        })
        .await
    }

    /// A block; `None` where the node does not have it.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn block(&self, tag: BlockTag) -> Result<Option<BlockHeader>, RpcError> {
        Ok(self.full_block(tag).await?.map(|block| block.header))
    }

    /// The newest block that the chain's rules say will stay; `None` where the node knows of none.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub(crate) async fn finalized(&self) -> Result<Option<BlockHeader>, RpcError> {
        self.block(BlockTag::Finalized).await
    }

    pub(crate) async fn full_block(&self, tag: BlockTag) -> Result<Option<FullHeader>, RpcError> {
        let text = match tag {
            BlockTag::Number(number) => format!("{number:#x}"),
            BlockTag::Latest => "latest".to_owned(),
            BlockTag::Finalized => "finalized".to_owned(),
        };
        let method = "eth_getBlockByNumber";
        let block = self
            .call(method, json!([text, false]), TIMEOUT, |answer, id| {
                header::header(&wire::value(answer, id, method, &self.endpoint)?, tag, method)
            })
            .await?;
        if let (BlockTag::Latest, Some(block)) = (tag, &block) {
            self.observer.head(self.endpoint.redacted(), block.header.number);
        }
        Ok(block)
    }

    /// All that a transaction emitted; `None` where the node does not know it, or not yet.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub(crate) async fn receipt(&self, transaction: TxHash) -> Result<Option<TransactionReceipt>, RpcError> {
        let method = "eth_getTransactionReceipt";
        self.call(method, json!([transaction.to_string()]), TIMEOUT, |answer, id| {
            receipt::receipt(&wire::value(answer, id, method, &self.endpoint)?, transaction)
        })
        .await
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
    ) -> Result<LogAnswer, RpcError> {
        let range = json!({ "fromBlock": format!("{from:#x}"), "toBlock": format!("{to:#x}") });
        self.filtered(range, addresses, topics).await
    }

    /// The logs of the blocks from `from` up to the newest that the node knows, as [`logs`](Self::logs).
    pub(crate) async fn logs_since(
        &self,
        from: u64,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<LogAnswer, RpcError> {
        let range = json!({ "fromBlock": format!("{from:#x}"), "toBlock": "latest" });
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
    ) -> Result<LogAnswer, RpcError> {
        self.filtered(json!({ "blockHash": hash.to_string() }), addresses, topics).await
    }

    async fn filtered(
        &self,
        mut filter: Value,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<LogAnswer, RpcError> {
        if !addresses.is_empty() {
            let lower_case = |address: &Address| format!("{address:#x}");
            filter["address"] = addresses.iter().map(lower_case).collect();
        }
        if !topics.is_empty() {
            filter["topics"] = json!([topics]);
        }
        let method = "eth_getLogs";
        let answer = self
            .call(method, json!([filter]), LOGS_TIMEOUT, |answer, id| {
                let list = wire::logs(answer, id, &self.endpoint)?;
                Ok(LogAnswer { list, bytes: answer.body.len() })
            })
            .await?;
        for malformed in &answer.list.malformed {
            let [what, excerpt] = [&malformed.reason, &malformed.raw].map(|words| self.endpoint.scrub(words));
            self.observer.complain(self.endpoint.redacted(), method, &what, &excerpt);
        }
        Ok(answer)
    }

    /// Asks, reads the answer, and keeps count of both.
    async fn call<T>(
        &self,
        method: &'static str,
        params: Value,
        timeout: Duration,
        read: impl FnOnce(&Answer, u64) -> Result<T, RpcError>,
    ) -> Result<T, RpcError> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let question = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let answering = async {
            match &self.transport {
                Transport::Http(http) => http.ask(question).await,
                Transport::Socket(socket) => socket.ask(id, method, question).await,
            }
        };
        let answered = tokio::time::timeout(timeout, answering).await;
        let endpoint = self.endpoint.redacted();
        let answer = match answered {
            Ok(Ok(answer)) => answer,
            // Whoever refuses has been asked.
            Ok(Err(
                error @ (RpcError::RateLimited { .. }
                | RpcError::TooManyResults { .. }
                | RpcError::Malformed { .. }),
            )) => {
                self.observer.failed(endpoint, method, 0, &error.to_string());
                return Err(error);
            }
            Ok(Err(error)) => {
                self.observer.unanswered(endpoint, method, &error.to_string());
                return Err(error);
            }
            // It was asked, and may have worked on the answer all the time.
            Err(_) => {
                let error = RpcError::Timeout { after: timeout };
                self.observer.failed(endpoint, method, 0, &error.to_string());
                return Err(error);
            }
        };
        let bytes = u64::try_from(answer.body.len()).unwrap_or(u64::MAX);
        let read = read(&answer, id);
        match &read {
            Ok(_) => self.observer.answered(endpoint, method, bytes, false),
            Err(error @ (RpcError::Malformed { .. } | RpcError::Transport { .. })) => {
                let what = error.to_string();
                self.observer.failed(endpoint, method, bytes, &what);
                if matches!(error, RpcError::Malformed { .. }) {
                    let excerpt = self.endpoint.excerpt(&answer.body);
                    self.observer.complain(endpoint, method, &what, &excerpt);
                }
            }
            Err(_) => self.observer.answered(endpoint, method, bytes, true),
        }
        read
    }
}

/// Shows the endpoint without what may be secret in its address.
impl fmt::Debug for RpcClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcClient").field("endpoint", &self.endpoint()).finish_non_exhaustive()
    }
}
