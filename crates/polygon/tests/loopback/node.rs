//! A node on loopback with a chain that the test writes, and the faults that it orders.

mod answers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, keccak256};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{Html, IntoResponse, Response};
use axum::{Router, body};
use domain::{BlockHash, Timestamp, TxHash};
use polygon::follow::BlockPoint;
use polygon::log::RawLog;
use polygon::rpc::BlockHeader;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use answers::{answer, header};

pub(crate) const ADDRESS: Address = Address::repeat_byte(0xa1);
pub(crate) const TOPIC: B256 = B256::repeat_byte(0x70);

/// A block as the node keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) header: BlockHeader,
    pub(crate) logs: Vec<RawLog>,
}

/// The chain of a node. Clones go their own ways.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    pub(crate) blocks: Vec<Block>,
}

impl Chain {
    /// A chain of `count` blocks, the first of height 0.
    pub(crate) fn of(count: u64) -> Self {
        let mut chain = Self::default();
        chain.extend(count, 0);
        chain
    }

    /// Adds blocks; another `salt` gives other ones at the same height. Every third has no logs.
    pub(crate) fn extend(&mut self, count: u64, salt: u8) {
        for _ in 0..count {
            let number = u64::try_from(self.blocks.len()).unwrap();
            let parent_hash = self.blocks.last().map_or(BlockHash(B256::ZERO), |block| block.header.hash);
            let hash =
                BlockHash(keccak256([parent_hash.0.as_slice(), &number.to_be_bytes(), &[salt]].concat()));
            let time = Timestamp::from_seconds(1_700_000_000 + i64::try_from(number).unwrap() * 2);
            let logs =
                (0..u32::try_from(number % 3).unwrap()).map(|index| log(number, hash, time, index, salt));
            let logs = logs.collect();
            self.blocks.push(Block { header: BlockHeader { number, hash, parent_hash, time }, logs });
        }
    }

    /// Replaces the last `depth` blocks by `count` others.
    pub(crate) fn reorganise(&mut self, depth: usize, count: u64, salt: u8) {
        self.blocks.truncate(self.blocks.len() - depth);
        self.extend(count, salt);
    }

    pub(crate) fn head(&self) -> BlockHeader {
        self.blocks.last().unwrap().header
    }

    pub(crate) fn point(&self, number: u64) -> BlockPoint {
        self.block(number).unwrap().header.point()
    }

    pub(crate) fn block_hash(&self, number: u64) -> BlockHash {
        self.point(number).hash
    }

    /// All logs from a height on.
    pub(crate) fn logs_from(&self, number: u64) -> Vec<RawLog> {
        let wanted = self.blocks.iter().filter(|block| block.header.number >= number);
        wanted.flat_map(|block| block.logs.clone()).collect()
    }

    fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).unwrap())
    }
}

fn log(number: u64, hash: BlockHash, time: Timestamp, index: u32, salt: u8) -> RawLog {
    RawLog {
        address: ADDRESS,
        topics: [TOPIC].into(),
        data: Bytes::from(vec![salt; 32]),
        block_number: number,
        block_hash: hash,
        block_timestamp: Some(time),
        tx_hash: TxHash(hash.0),
        log_index: index * 2,
        removed: false,
    }
}

/// How a node misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Well,
    /// An error page with the status of a success.
    Html,
    /// Every request is answered with this status.
    Status(u16),
    /// JSON that is cut off.
    CutOff,
    /// The answer to another question.
    WrongId,
    /// A number where there should be a text, a list or an object.
    WrongType,
    /// No answer at all.
    Silent,
}

/// The most that a provider answers, and what it says beyond that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) blocks: u64,
    pub(crate) logs: usize,
    pub(crate) status: u16,
    pub(crate) code: i64,
    pub(crate) message: &'static str,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) chain: Chain,
    pub(crate) mood: Mood,
    pub(crate) chain_id: u64,
    /// More logs than this in an answer are refused.
    pub(crate) most_logs: Option<usize>,
    /// Refuses them in words that no follower can know.
    pub(crate) is_obscure: bool,
    /// What a provider refuses in its own words.
    pub(crate) limit: Option<Limit>,
    /// How many of the newest blocks are missing from answers for ranges.
    pub(crate) withheld: u64,
    /// How many questions for the logs of a block are refused as if it were unknown.
    pub(crate) unknown: u32,
    /// How many questions for the logs of a block are answered with none.
    pub(crate) hushed: u32,
    /// How many questions for ranges up to its newest block are refused as if it did not have that yet.
    pub(crate) beyond: u32,
    /// How long answers are on their way.
    pub(crate) latency: Duration,
    /// How many are on their way.
    pub(crate) on_the_way: usize,
    /// How many blocks it is behind in everything it says.
    pub(crate) behind: u64,
    /// Says in headers what the logs may be.
    pub(crate) blooms: bool,
    /// How many answers with logs hold one whose data is of a bad length.
    pub(crate) garbled: u32,
    /// Every log comes twice.
    pub(crate) repeats: bool,
    /// What is asked of those who come too often; a second if nothing is set.
    pub(crate) retry_after: Option<String>,
    /// Receipts by transaction.
    pub(crate) receipts: BTreeMap<String, Value>,
    /// How long logs are searched for; nothing else is done meanwhile.
    pub(crate) search: Duration,
    /// The heights of blocks that it has lost, all below its head.
    pub(crate) lost: Range<u64>,
    /// Leaves the time out of logs, as many nodes do.
    pub(crate) timeless: bool,
    /// Applied once to each of the next answers with logs, the last one first.
    pub(crate) spoil: Vec<fn(&mut Vec<RawLog>)>,
    /// The ranges asked for, from and to.
    pub(crate) ranges: Vec<(u64, u64)>,
    /// How often logs were asked for by a block's hash.
    pub(crate) by_hash: usize,
    /// Methods asked.
    pub(crate) asked: Vec<String>,
}

/// A node that answers until it is dropped.
pub(crate) struct Node {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    heads: watch::Sender<u64>,
    server: AbortHandle,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone)]
struct Shared {
    inner: Arc<Mutex<Inner>>,
    heads: watch::Receiver<u64>,
}

impl Node {
    pub(crate) async fn start(chain: Chain) -> Self {
        let inner = Arc::new(Mutex::new(Inner { chain, chain_id: 137, ..Inner::default() }));
        let (heads, receiver) = watch::channel(0);
        let shared = Shared { inner: Arc::clone(&inner), heads: receiver };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(serve).with_state(shared);
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }).abort_handle();
        Self { address, inner, heads, server }
    }

    /// The address with something like a key in its path.
    pub(crate) fn http(&self) -> String {
        format!("http://{}/v2/s3cr3tk3y", self.address)
    }

    pub(crate) fn ws(&self) -> String {
        format!("ws://{}/v2/s3cr3tk3y", self.address)
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn chain(&self) -> Chain {
        self.inner().chain.clone()
    }

    /// Changes the chain, and tells subscribers.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Chain)) {
        change(&mut self.inner().chain);
        self.heads.send_modify(|count| *count += 1);
    }
}

async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    if request.headers().contains_key("upgrade") {
        let (mut parts, _) = request.into_parts();
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await.unwrap();
        return upgrade.on_upgrade(|socket| converse(shared, socket));
    }
    let body = body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let mood = shared.inner.lock().unwrap().mood;
    match mood {
        Mood::Silent => tokio::time::sleep(Duration::from_secs(3_600)).await,
        Mood::Html => return Html("<html>Bad gateway, but with a smile</html>").into_response(),
        Mood::Status(code) => {
            let code = axum::http::StatusCode::from_u16(code).unwrap();
            let wait = shared.inner.lock().unwrap().retry_after.clone().unwrap_or_else(|| "1".to_owned());
            return (code, [("retry-after", wait)], "upstream /v2/s3cr3tk3y is down").into_response();
        }
        Mood::Well | Mood::CutOff | Mood::WrongId | Mood::WrongType => {}
    }
    let question: Value = serde_json::from_slice(&body).unwrap();
    search(&shared, &question).await;
    let mut answer = answer(&shared, &question);
    travel(&shared).await;
    spoil(&mut answer, mood);
    let text = answer.to_string();
    let limit = shared.inner.lock().unwrap().limit;
    match limit.filter(|limit| answer["error"]["code"] == limit.code) {
        _ if mood == Mood::CutOff => text[..text.len() / 2].to_owned().into_response(),
        Some(limit) => (axum::http::StatusCode::from_u16(limit.status).unwrap(), text).into_response(),
        None => text.into_response(),
    }
}

fn spoil(answer: &mut Value, mood: Mood) {
    match mood {
        Mood::WrongId => answer["id"] = json!(999_999),
        Mood::WrongType => answer["result"] = json!(7),
        _ => {}
    }
}

async fn converse(shared: Shared, mut socket: WebSocket) {
    let mut heads = shared.heads.clone();
    heads.mark_unchanged();
    let mut subscribed = false;
    loop {
        tokio::select! {
            message = socket.recv() => {
                let Some(Ok(Message::Text(text))) = message else { return };
                let question: Value = serde_json::from_str(&text).unwrap();
                let mood = shared.inner.lock().unwrap().mood;
                match mood {
                    Mood::Well | Mood::CutOff | Mood::WrongId | Mood::WrongType => {}
                    Mood::Silent => continue,
                    _ => return,
                }
                subscribed |= question["method"] == "eth_subscribe";
                search(&shared, &question).await;
                let mut answer = answer(&shared, &question);
                spoil(&mut answer, mood);
                let mut answer = answer.to_string();
                if mood == Mood::CutOff {
                    answer.truncate(answer.len() / 2);
                }
                if socket.send(Message::text(answer)).await.is_err() {
                    return;
                }
            }
            changed = heads.changed() => {
                if changed.is_err() {
                    return;
                }
                if shared.inner.lock().unwrap().mood == Mood::Silent {
                    continue;
                }
                let header = header(&shared.inner.lock().unwrap(), "latest");
                let params = json!({ "subscription": "0x1", "result": header });
                let news = json!({ "jsonrpc": "2.0", "method": "eth_subscription", "params": params });
                if subscribed && socket.send(Message::text(news.to_string())).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn travel(shared: &Shared) {
    let latency = shared.inner.lock().unwrap().latency;
    if !latency.is_zero() {
        shared.inner.lock().unwrap().on_the_way += 1;
        tokio::time::sleep(latency).await;
        shared.inner.lock().unwrap().on_the_way -= 1;
    }
}

async fn search(shared: &Shared, question: &Value) {
    if question["method"] == "eth_getLogs" {
        let search = shared.inner.lock().unwrap().search;
        // Even none at all would wait for the clock to move.
        if !search.is_zero() {
            tokio::time::sleep(search).await;
        }
    }
}
