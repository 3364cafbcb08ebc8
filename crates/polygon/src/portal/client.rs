//! Asking a portal: one request, and the lines of its answer.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alloy_primitives::{Address, B256};
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::line::Line;
use super::pace::Pace;
use super::{PortalError, PortalSettings};
use crate::follow::BlockPoint;
use crate::log::Hex;
use crate::rpc::{Observer, redacted, retry_after};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a portal has for the beginning of an answer, and for each further part of it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A line longer than this is no block.
const LONGEST_LINE: usize = 32 << 20;
/// How much of an answer that is no stream is read.
const LONGEST_WORDS: usize = 1 << 20;
/// Shorter parts of an address are no keys.
const SHORTEST_SECRET: usize = 6;

/// What is asked for.
pub(super) struct Question {
    pub(super) method: &'static str,
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    pub(super) parent: Option<BlockPoint>,
}

/// What a portal says to it.
pub(super) enum Answer {
    Lines(Lines),
    /// Nothing new.
    Nothing,
    /// The parent is not on its chain, but these are.
    Conflict(Vec<BlockPoint>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the portal asks for fewer requests")]
    Busy { retry_after: Option<Duration> },
    #[error("{0}")]
    Failed(String),
}

impl Trouble {
    pub(super) const fn asked_pause(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after } => *retry_after,
            Self::Failed(_) => None,
        }
    }
}

pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    secrets: Vec<String>,
    filter: Value,
    source: Arc<str>,
    observer: Arc<Observer>,
    pace: Arc<Pace>,
}

impl Client {
    pub(super) fn new(settings: &PortalSettings) -> Result<Self, PortalError> {
        let wrong = || PortalError::Address { endpoint: redacted(&settings.url) };
        let base = Url::parse(&settings.url).map_err(|_| wrong())?;
        let host = base.host_str().ok_or_else(wrong)?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong());
        }
        let source = match base.port() {
            Some(port) => format!("portal {host}:{port}"),
            None => format!("portal {host}"),
        };
        // Most portals' addresses hold no key, but then nothing is lost but a few words of an error.
        let parts =
            base.path().split('/').chain(base.query()).chain([base.username()]).chain(base.password());
        let secrets = parts.filter(|part| part.len() >= SHORTEST_SECRET).map(str::to_owned).collect();
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _lost_the_race = rustls::crypto::ring::default_provider().install_default();
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .user_agent(concat!("orderflow/", env!("CARGO_PKG_VERSION")));
        if is_loopback(host) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| PortalError::Client { what: reasons(error) })?;
        Ok(Self {
            http,
            secrets,
            filter: filter(&settings.addresses, &settings.topics),
            source: source.into(),
            observer: Arc::clone(&settings.observer),
            pace: Arc::clone(&settings.pace),
            base,
        })
    }

    /// The name under which the portal is counted.
    pub(super) const fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// The portal's newest block.
    pub(super) async fn head(&self) -> Result<BlockPoint, Trouble> {
        self.point("head").await
    }

    /// The newest block that will stay.
    pub(super) async fn finalized_head(&self) -> Result<BlockPoint, Trouble> {
        self.point("finalized-head").await
    }

    /// The first block of the data set.
    pub(super) async fn first_block(&self) -> Result<u64, Trouble> {
        self.get("metadata").await.map(|Metadata { start_block }| start_block)
    }

    async fn point(&self, method: &'static str) -> Result<BlockPoint, Trouble> {
        self.get(method).await.map(|Point { number, hash }| point(number, hash))
    }

    async fn get<T: DeserializeOwned>(&self, method: &'static str) -> Result<T, Trouble> {
        self.pace.turn().await;
        let response = self.begin(method, self.http.get(self.address(method))).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(method, response).await);
        }
        let words = self.words(method, response).await?;
        let said = serde_json::from_slice(&words);
        self.observer.answered(&self.source, method, length(&words), said.is_err());
        said.map_err(|error| self.complain(method, &error.to_string(), &words))
    }

    /// Asks for blocks.
    pub(super) async fn stream(&self, question: &Question) -> Result<Answer, Trouble> {
        let Question { method, from, to, parent } = *question;
        let mut query = self.filter.clone();
        query["fromBlock"] = from.into();
        if let Some(to) = to {
            query["toBlock"] = to.into();
        }
        if let Some(parent) = parent {
            query["parentBlockHash"] = parent.hash.to_string().into();
        }
        self.pace.turn().await;
        let response = self.begin(method, self.http.post(self.address(method)).json(&query)).await?;
        self.note_head(&response);
        match response.status() {
            StatusCode::OK => Ok(Answer::Lines(Lines::new(response))),
            StatusCode::NO_CONTENT => {
                self.observer.answered(&self.source, method, 0, false);
                Ok(Answer::Nothing)
            }
            StatusCode::CONFLICT => {
                let words = self.words(method, response).await?;
                let named = serde_json::from_slice(&words).map(|Conflict { previous_blocks }| {
                    previous_blocks.into_iter().map(|Point { number, hash }| point(number, hash)).collect()
                });
                self.observer.answered(&self.source, method, length(&words), true);
                named.map(Answer::Conflict).map_err(|error| self.complain(method, &error.to_string(), &words))
            }
            _ => Err(self.refusal(method, response).await),
        }
    }

    /// An answer, or a part of it, is not what it should be.
    pub(super) fn complain(&self, method: &'static str, what: &str, answer: &[u8]) -> Trouble {
        let excerpt = self.scrub(&String::from_utf8_lossy(answer.get(..4_096).unwrap_or(answer)));
        let what = self.scrub(what);
        tracing::debug!(source = %self.source, method, what, "a malformed answer");
        self.observer.complain(&self.source, method, &what, &excerpt);
        Trouble::Failed(what)
    }

    /// Complains of the logs of a line that cannot be read.
    pub(super) fn complain_of_logs(&self, method: &'static str, line: &Line) {
        for log in line.malformed() {
            self.complain(method, &log.reason, log.raw.as_bytes());
        }
    }

    /// A stream has been read as far as it went.
    pub(super) fn read(&self, method: &'static str, lines: &Lines, failure: Option<&str>) {
        match failure {
            None => self.observer.answered(&self.source, method, lines.bytes, false),
            Some(failure) => self.observer.failed(&self.source, method, lines.bytes, failure),
        }
    }

    fn address(&self, method: &str) -> Url {
        let mut address = self.base.clone();
        let path = format!("{}/{method}", self.base.path().trim_end_matches('/'));
        address.set_path(&path);
        address
    }

    async fn begin(
        &self,
        method: &'static str,
        request: reqwest::RequestBuilder,
    ) -> Result<Response, Trouble> {
        let answered = timeout(TIMEOUT, request.send()).await;
        let failure = match answered {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => self.scrub(&reasons(error)),
            Err(_) => no_answer(),
        };
        self.observer.failed(&self.source, method, 0, &failure);
        Err(Trouble::Failed(failure))
    }

    /// What a status other than those of the protocol means.
    async fn refusal(&self, method: &'static str, response: Response) -> Trouble {
        let status = response.status();
        let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if is_busy {
            let retry_after = response
                .headers()
                .contains_key(RETRY_AFTER)
                .then(|| retry_after(response.headers(), SystemTime::now()))
                .flatten();
            self.observer.answered(&self.source, method, 0, true);
            return Trouble::Busy { retry_after };
        }
        let words = self.words(method, response).await.unwrap_or_default();
        let words = self.scrub(&String::from_utf8_lossy(words.get(..300).unwrap_or(&words)));
        let failure = format!("the portal answered {status}: {words}");
        self.observer.failed(&self.source, method, 0, &failure);
        Trouble::Failed(failure)
    }

    async fn words(&self, method: &'static str, mut response: Response) -> Result<Vec<u8>, Trouble> {
        let mut words = Vec::new();
        let failure = loop {
            match timeout(TIMEOUT, response.chunk()).await {
                Ok(Ok(Some(chunk))) if words.len() + chunk.len() > LONGEST_WORDS => {
                    break "the answer is too long".to_owned();
                }
                Ok(Ok(Some(chunk))) => words.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(words),
                Ok(Err(error)) => break self.scrub(&reasons(error)),
                Err(_) => break no_answer(),
            }
        };
        self.observer.failed(&self.source, method, length(&words), &failure);
        Err(Trouble::Failed(failure))
    }

    fn note_head(&self, response: &Response) {
        let head = response.headers().get("x-sqd-head-number");
        if let Some(head) = head.and_then(|head| head.to_str().ok()?.parse().ok()) {
            self.observer.head(&self.source, head);
        }
    }

    fn scrub(&self, words: &str) -> String {
        let mut text = words.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "…");
        }
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
    }
}

/// The lines of an answer as they come.
pub(super) struct Lines {
    response: Response,
    buffer: Vec<u8>,
    /// How much of the buffer has been given out.
    taken: usize,
    /// How much of it has been searched for the end of a line.
    searched: usize,
    bytes: u64,
}

impl Lines {
    const fn new(response: Response) -> Self {
        Self { response, buffer: Vec::new(), taken: 0, searched: 0, bytes: 0 }
    }

    /// The next line that is there whole and is not empty.
    pub(super) fn line(&mut self) -> Option<&[u8]> {
        loop {
            let end = self.buffer.get(self.searched..)?.iter().position(|byte| *byte == b'\n');
            let Some(end) = end.map(|end| self.searched + end) else {
                self.searched = self.buffer.len();
                return None;
            };
            let start = std::mem::replace(&mut self.taken, end + 1);
            self.searched = self.taken;
            if !self.buffer.get(start..end)?.trim_ascii().is_empty() {
                return self.buffer.get(start..end);
            }
        }
    }

    /// What stands behind the last line's end: nothing, or a line that was not finished.
    pub(super) fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default().trim_ascii()
    }

    /// Waits for more; whether there is any.
    pub(super) async fn more(&mut self) -> Result<bool, Trouble> {
        let chunk = match timeout(TIMEOUT, self.response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return Ok(false),
            Ok(Err(error)) => return Err(Trouble::Failed(reasons(error))),
            Err(_) => return Err(Trouble::Failed(no_answer())),
        };
        self.buffer.drain(..self.taken);
        self.searched -= self.taken;
        self.taken = 0;
        if self.buffer.len() + chunk.len() > LONGEST_LINE {
            return Err(Trouble::Failed(format!("a line of more than {LONGEST_LINE} bytes")));
        }
        self.buffer.extend_from_slice(&chunk);
        self.bytes += length(&chunk);
        Ok(true)
    }
}

#[derive(Deserialize)]
struct Metadata {
    start_block: u64,
}

#[derive(Deserialize)]
struct Point {
    number: u64,
    hash: Hex<B256>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Conflict {
    previous_blocks: Vec<Point>,
}

fn point(number: u64, Hex(hash): Hex<B256>) -> BlockPoint {
    BlockPoint { number, hash: domain::BlockHash(hash) }
}

/// The part of the query that never changes. An empty list stands for any.
fn filter(addresses: &[Address], topics: &[B256]) -> Value {
    let mut logs = json!({});
    if !addresses.is_empty() {
        logs["address"] = addresses.iter().map(|address| format!("{address:#x}")).collect();
    }
    if !topics.is_empty() {
        logs["topic0"] = topics.iter().map(|topic| format!("{topic:#x}")).collect();
    }
    json!({
        "type": "evm",
        // Blocks without matching logs cost little, and with them every link of the chain can be checked: no
        // line can be left out or come out of order without being noticed.
        "includeAllBlocks": true,
        "fields": {
            "block": { "number": true, "hash": true, "parentHash": true, "timestamp": true },
            "log": {
                "address": true, "topics": true, "data": true, "transactionHash": true, "transactionIndex": true,
                "logIndex": true,
            },
        },
        "logs": [logs],
    })
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn no_answer() -> String {
    format!("nothing more within {} s", TIMEOUT.as_secs())
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// An error with all its causes in one line.
fn reasons(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
