//! A portal on loopback with a chain that the test writes, and the faults that it orders.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, Bytes, keccak256};
use axum::Router;
use axum::body::{self, Body};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use domain::{BlockHash, Timestamp, TxHash};
use futures_util::stream;
use polygon::follow::{BlockPoint, Start, Stretch};
use polygon::log::RawLog;
use polygon::portal::PortalSettings;
use polygon::rpc::{BlockHeader, Observer};
use serde_json::{Value, json};
use tokio::task::AbortHandle;

pub(crate) const ADDRESS: Address = Address::repeat_byte(0xa1);
pub(crate) const TOPIC: B256 = B256::repeat_byte(0x70);
/// How long anything in these tests may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) header: BlockHeader,
    pub(crate) logs: Vec<RawLog>,
}

/// What goes wrong with one answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This status, and what `Retry-After` says, if anything.
    Status(u16, Option<&'static str>),
    /// An error page with the status of a success.
    Html,
    /// The answer ends behind so many lines.
    EndAfter(usize),
    /// The answer ends in the middle of the line behind so many.
    HalfALineAfter(usize),
    /// The connection breaks behind so many lines.
    BreakAfter(usize),
    /// The lines are changed.
    Alter(fn(&mut Vec<Value>)),
    /// Names blocks of nobody's chain in place of the parent's.
    FalseConflict,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) blocks: Vec<Block>,
    /// The last block that is final.
    pub(crate) finalized: u64,
    /// Each is applied to one answer, the first one first.
    pub(crate) faults: VecDeque<Fault>,
    /// The queries, and when they came.
    pub(crate) asked: Vec<(Instant, Value)>,
    /// How many blocks a conflict names.
    pub(crate) named: usize,
    /// A block whose first log is spoiled, and in how many answers.
    pub(crate) garbled: Option<(u64, u32)>,
}

/// A portal that answers until it is dropped.
pub(crate) struct Portal {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    server: AbortHandle,
}

impl Drop for Portal {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Inner {
    /// Adds blocks; another `salt` gives other ones at the same height. Every third has no logs.
    pub(crate) fn extend(&mut self, count: u64, salt: u8) {
        for _ in 0..count {
            let number = u64::try_from(self.blocks.len()).unwrap();
            let parent_hash = self.blocks.last().map_or(BlockHash(B256::ZERO), |block| block.header.hash);
            let hash =
                BlockHash(keccak256([parent_hash.0.as_slice(), &number.to_be_bytes(), &[salt]].concat()));
            let time = Timestamp::from_seconds(1_700_000_000 + i64::try_from(number).unwrap() * 2);
            let header = BlockHeader { number, hash, parent_hash, time };
            let log = |index: u32| RawLog {
                address: ADDRESS,
                topics: [TOPIC, hash.0].into(),
                data: Bytes::from(vec![salt; 32]),
                block_number: number,
                block_hash: hash,
                block_timestamp: Some(time),
                tx_hash: TxHash(keccak256(hash.0)),
                log_index: index * 2,
                removed: false,
            };
            let logs = (0..u32::try_from(number % 3).unwrap()).map(log).collect();
            self.blocks.push(Block { header, logs });
        }
    }

    /// Replaces the last `depth` blocks by `count` others.
    pub(crate) fn reorganise(&mut self, depth: usize, count: u64, salt: u8) {
        self.blocks.truncate(self.blocks.len() - depth);
        self.extend(count, salt);
    }

    pub(crate) fn point(&self, number: u64) -> BlockPoint {
        self.blocks[usize::try_from(number).unwrap()].header.point()
    }

    pub(crate) fn head(&self) -> BlockHeader {
        self.blocks.last().unwrap().header
    }

    /// All logs of these blocks.
    pub(crate) fn logs(&self, from: u64, to: u64) -> Vec<RawLog> {
        let wanted = self.blocks.iter().filter(|block| (from..=to).contains(&block.header.number));
        wanted.flat_map(|block| block.logs.clone()).collect()
    }
}

impl Portal {
    pub(crate) async fn start(blocks: u64) -> Self {
        let mut inner = Inner { named: 10, ..Inner::default() };
        inner.extend(blocks, 0);
        inner.finalized = blocks.saturating_sub(1);
        let inner = Arc::new(Mutex::new(inner));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(serve).with_state(Arc::clone(&inner));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }).abort_handle();
        Self { address, inner, server }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Settings for this portal, asked often.
    pub(crate) fn settings(&self, start: Start) -> PortalSettings {
        let url = format!("http://{}/datasets/s3cr3tk3y", self.address);
        let mut settings = PortalSettings::new(&url, start, Arc::new(Observer::default()));
        settings.addresses = vec![ADDRESS];
        settings.topics = vec![TOPIC];
        settings.poll_interval = Duration::from_millis(300);
        settings
    }
}

/// The logs of a stretch, which must be whole in itself.
pub(crate) fn logs_of(stretch: &Stretch) -> Vec<RawLog> {
    let heights: Vec<u64> = stretch.blocks.iter().map(|block| block.number).collect();
    assert!(
        heights.is_sorted() && heights.iter().all(|at| (stretch.from..=stretch.through.number).contains(at))
    );
    assert_eq!(stretch.headers.last(), Some(&stretch.through));
    assert!(stretch.source.starts_with("portal 127.0.0.1:"), "{}", stretch.source);
    stretch.blocks.iter().flat_map(|block| block.logs.clone()).collect()
}

/// Compares logs, and names the first difference rather than printing all of them.
pub(crate) fn same(found: &[RawLog], expected: &[RawLog]) {
    let place = |log: &RawLog| (log.block_number, log.log_index, log.block_hash);
    let places = |logs: &[RawLog]| logs.iter().map(place).collect::<Vec<_>>();
    let differs = places(found).into_iter().zip(places(expected)).find(|(found, expected)| found != expected);
    assert_eq!(differs, None);
    assert!(found == expected, "{} logs instead of {}", found.len(), expected.len());
}

async fn serve(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
    assert_eq!(request.headers()["accept-encoding"], "gzip");
    let text = body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let query: Value = serde_json::from_slice(&text).unwrap_or_default();
    let mut inner = inner.lock().unwrap();
    inner.asked.push((Instant::now(), query.clone()));
    let fault = inner.faults.pop_front();
    match fault {
        Some(Fault::Status(code, retry_after)) => {
            let code = StatusCode::from_u16(code).unwrap();
            let mut response = (code, "go away, s3cr3tk3y").into_response();
            if let Some(text) = retry_after {
                response.headers_mut().insert("retry-after", text.parse().unwrap());
            }
            return response;
        }
        Some(Fault::Html) => return Html("<html>Bad gateway, but with a smile</html>").into_response(),
        Some(Fault::FalseConflict) => {
            let named = json!([{ "number": 3, "hash": B256::repeat_byte(9) }]);
            return (StatusCode::CONFLICT, json!({ "previousBlocks": named }).to_string()).into_response();
        }
        _ => {}
    }
    match method.as_str() {
        "head" => {
            let BlockHeader { number, hash, .. } = inner.head();
            json!({ "number": number, "hash": hash.to_string() }).to_string().into_response()
        }
        "stream" => {
            let newest = inner.head().number;
            blocks(&mut inner, &query, newest, fault)
        }
        "finalized-stream" => {
            let newest = inner.finalized;
            blocks(&mut inner, &query, newest, fault)
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn blocks(inner: &mut Inner, query: &Value, newest: u64, fault: Option<Fault>) -> Response {
    assert_eq!(query["type"], "evm");
    assert_eq!(query["logs"][0]["address"][0], json!(format!("{ADDRESS:#x}")));
    assert_eq!(query["logs"][0]["topic0"][0], json!(TOPIC.to_string()));
    let from = query["fromBlock"].as_u64().unwrap();
    let to = query["toBlock"].as_u64().unwrap_or(u64::MAX).min(newest);
    if let (Some(parent), Some(below)) = (query["parentBlockHash"].as_str(), from.checked_sub(1)) {
        let hash: BlockHash = parent.parse().unwrap();
        let ours = inner.blocks.get(usize::try_from(below).unwrap()).map(|block| block.header.hash);
        if ours != Some(hash) {
            let end = usize::try_from(from).unwrap().min(inner.blocks.len());
            let named = &inner.blocks[end.saturating_sub(inner.named)..end];
            let named: Vec<Value> = named
                .iter()
                .map(|block| json!({ "number": block.header.number, "hash": block.header.hash.to_string() }))
                .collect();
            return (StatusCode::CONFLICT, json!({ "previousBlocks": named }).to_string()).into_response();
        }
    }
    if from > to {
        return StatusCode::NO_CONTENT.into_response();
    }
    let every = query["includeAllBlocks"] == true;
    let covered = inner.blocks.iter().filter(|block| (from..=to).contains(&block.header.number));
    let told = covered.filter(|block| {
        every || !block.logs.is_empty() || block.header.number == from || block.header.number == to
    });
    let mut lines: Vec<Value> = told.map(|block| line(block, query)).collect();
    if let Some((number, times)) = &mut inner.garbled
        && *times > 0
        && let Some(line) = lines.iter_mut().find(|line| line["header"]["number"] == *number)
    {
        *times -= 1;
        line["logs"][0]["data"] = json!("0x123");
    }
    if let Some(Fault::Alter(alter)) = fault {
        alter(&mut lines);
    }
    let texts: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    match fault {
        Some(Fault::EndAfter(count)) => texts[..count.min(texts.len())].concat().into_response(),
        Some(Fault::HalfALineAfter(count)) => {
            let half = &texts[count][..texts[count].len() / 2];
            format!("{}{half}", texts[..count].concat()).into_response()
        }
        Some(Fault::BreakAfter(count)) => {
            let broken = std::io::Error::other("broken");
            let parts = vec![Ok(texts[..count].concat()), Err(broken)];
            Body::from_stream(stream::iter(parts)).into_response()
        }
        // Cut where no line ends.
        _ => {
            let whole = texts.concat().into_bytes();
            let parts: Vec<Result<Vec<u8>, std::io::Error>> =
                whole.chunks(777).map(|part| Ok(part.to_vec())).collect();
            Body::from_stream(stream::iter(parts)).into_response()
        }
    }
}

/// Whether a log fits all of what one of the alternatives names.
fn is_asked_for(query: &Value, log: &RawLog) -> bool {
    let topic = |at: usize| log.topics.get(at).map(B256::to_string);
    let words = [
        ("address", Some(format!("{:#x}", log.address))),
        ("topic0", topic(0)),
        ("topic1", topic(1)),
        ("topic2", topic(2)),
        ("topic3", topic(3)),
    ];
    query["logs"].as_array().unwrap().iter().any(|pick| {
        words.iter().all(|(field, word)| {
            let any = pick.get(field).map(|any| any.as_array().unwrap());
            any.is_none_or(|any| any.iter().any(|one| one.as_str() == word.as_deref()))
        })
    })
}

fn line(block: &Block, query: &Value) -> Value {
    let BlockHeader { number, hash, parent_hash, time } = block.header;
    let log = |log: &RawLog| {
        json!({
            "address": format!("{:#x}", log.address), "topics": log.topics, "data": log.data,
            "transactionHash": log.tx_hash.to_string(), "transactionIndex": 1, "logIndex": log.log_index,
        })
    };
    json!({
        "header": {
            "number": number, "hash": hash.to_string(), "parentHash": parent_hash.to_string(),
            "timestamp": time.seconds(),
        },
        "logs": block.logs.iter().filter(|log| is_asked_for(query, log)).map(log).collect::<Vec<_>>(),
    })
}
