//! Asking a portal: one request, and the lines of its answer.

use std::fmt::LowerHex;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alloy_primitives::{Address, B256};
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::lines::Lines;
use super::pace::Pace;
use super::{PortalError, PortalSettings};
use crate::attribute::{LEDGERS, TRANSFERS};
use crate::contracts::hiding_users;
use crate::follow::BlockPoint;
use crate::log::{Hex, MalformedLog};
use crate::rpc::endpoint::{Endpoint, Scheme};
use crate::rpc::http::{client_of, reasons};
use crate::rpc::{Observer, redacted, retry_after};

/// How long a portal has for the beginning of an answer, and for each further part of it.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// How much of an answer that is no stream is read.
const LONGEST_WORDS: usize = 1 << 20;

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
    endpoint: Endpoint,
    filter: Value,
    source: Arc<str>,
    observer: Arc<Observer>,
    pace: Arc<Pace>,
}

impl Client {
    pub(super) fn new(settings: &PortalSettings) -> Result<Self, PortalError> {
        let wrong = || PortalError::Address { endpoint: redacted(&settings.url) };
        let endpoint = Endpoint::parse(&settings.url).map_err(|_| wrong())?;
        if endpoint.scheme() != Scheme::Http {
            return Err(wrong());
        }
        let host = endpoint.redacted().split_once("://").map_or("", |(_, host)| host);
        let source = format!("portal {host}");
        let http = client_of(&endpoint).map_err(|what| PortalError::Client { what })?;
        Ok(Self {
            http,
            filter: filter(&settings.addresses, &settings.topics),
            source: source.into(),
            observer: Arc::clone(&settings.observer),
            pace: Arc::clone(&settings.pace),
            endpoint,
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
        let excerpt = self.endpoint.excerpt(answer);
        let what = self.endpoint.scrub(&what);
        tracing::debug!(source = %self.source, method, what, "a malformed answer");
        self.observer.complain(&self.source, method, &what, &excerpt);
        Trouble::Failed(what)
    }

    /// Some logs of an answer cannot be read.
    pub(super) fn complain_of_logs(&self, method: &'static str, logs: &[MalformedLog]) {
        for log in logs {
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
        let mut address = self.endpoint.url().clone();
        let path = format!("{}/{method}", address.path().trim_end_matches('/'));
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
            Ok(Err(error)) => self.endpoint.scrub(&reasons(error)),
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
        let words = self.endpoint.excerpt(&words);
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
                Ok(Err(error)) => break self.endpoint.scrub(&reasons(error)),
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
    let mut wanted = json!({});
    if !addresses.is_empty() {
        wanted["address"] = lower_case(addresses);
    }
    if !topics.is_empty() {
        wanted["topic0"] = lower_case(topics);
    }
    // A portal sends no receipts; what would be read in them is asked for with the logs.
    let hiding: Vec<B256> = hiding_users().iter().map(Address::into_word).collect();
    let moved = |end: &str| json!({ "address": lower_case(&LEDGERS), "topic0": lower_case(&TRANSFERS), end: lower_case(&hiding) });
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
        // Whoever shares go from stands in the third topic, whoever they go to in the fourth.
        "logs": [wanted, moved("topic2"), moved("topic3")],
    })
}

/// The one form in which a portal compares.
fn lower_case<T: LowerHex>(words: &[T]) -> Value {
    words.iter().map(|word| format!("{word:#x}")).collect()
}

pub(super) fn no_answer() -> String {
    format!("nothing more within {} s", TIMEOUT.as_secs())
}

pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
