//! JSON-RPC over WebSocket: one task owns the connection, and learns of new heads while it is open.
//!
//! The task connects when it is asked something and has no connection; when the connection breaks, it tells
//! everybody who waits and drops it, as it does when nobody waits and the node has fallen silent. Whether to
//! ask again is the asker's decision, who alone knows how often that has failed before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::endpoint::Endpoint;
use super::header::{FullHeader, header};
use super::pulse::{Pulse, SILENCE};
use super::wire::{self, Answer, Kind};
use super::{BlockHeader, BlockTag, LARGEST_ANSWER, Observer, RpcError, SUBSCRIPTION as DELIVERY, wait};

/// Shorter than any question's own time, so that one that timed out was put.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is checked whether somebody still waits, and whether the node is still there.
const CHECK: Duration = Duration::from_secs(1);
/// How many questions wait for the task, and how many for the node.
const IN_FLIGHT: usize = 64;
/// The id of the subscription's own request; questions count from 1.
const SUBSCRIPTION: u64 = 0;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Reply = oneshot::Sender<Result<Answer, RpcError>>;

/// What was last heard of the chain's head.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// Changes with everything heard, and when the connection breaks.
    count: u64,
    head: Option<Announced>,
}

/// A head, and when it was announced.
#[derive(Clone, Debug)]
pub(crate) struct Announced {
    pub(crate) block: Arc<FullHeader>,
    pub(crate) at: Instant,
}

impl News {
    /// The head that was last announced; `None` before the first one, and after the connection broke.
    #[must_use]
    pub fn head(&self) -> Option<BlockHeader> {
        self.head.as_ref().map(|head| head.block.header)
    }

    pub(crate) fn announced(&self) -> Option<Announced> {
        self.head.clone()
    }
}

/// The way to the task.
pub(super) struct Socket {
    calls: mpsc::Sender<Call>,
    heads: Option<watch::Receiver<News>>,
}

struct Call {
    id: u64,
    method: &'static str,
    question: String,
    reply: Reply,
}

impl Socket {
    /// `subscribes` is whether the node is asked to announce heads, which costs.
    pub(super) fn new(endpoint: Arc<Endpoint>, observer: Arc<Observer>, subscribes: bool) -> Self {
        let (calls, incoming) = mpsc::channel(IN_FLIGHT);
        let (announce, heads) = watch::channel(News::default());
        let owner = Owner {
            endpoint,
            observer,
            incoming,
            announce,
            subscribes,
            waiting: BTreeMap::new(),
            newest_question: 0,
        };
        tokio::spawn(owner.run());
        Self { calls, heads: subscribes.then_some(heads) }
    }

    pub(super) fn heads(&self) -> Option<watch::Receiver<News>> {
        self.heads.clone()
    }

    pub(super) async fn ask(
        &self,
        id: u64,
        method: &'static str,
        question: String,
    ) -> Result<Answer, RpcError> {
        let gone = || RpcError::Transport { what: "the connection's task has ended".to_owned() };
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call { id, method, question, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The task that owns the connection.
struct Owner {
    endpoint: Arc<Endpoint>,
    observer: Arc<Observer>,
    incoming: mpsc::Receiver<Call>,
    announce: watch::Sender<News>,
    subscribes: bool,
    waiting: BTreeMap<u64, (&'static str, Reply)>,
    /// The highest id that was ever asked with.
    newest_question: u64,
}

impl Owner {
    /// Runs until nobody can ask any more.
    async fn run(mut self) {
        while let Some(call) = self.incoming.recv().await {
            if call.reply.is_closed() {
                continue;
            }
            match self.connect().await {
                Err(error) => {
                    let _nobody_waits = call.reply.send(Err(error));
                }
                Ok(stream) => {
                    let lost = self.serve(stream, call).await;
                    for (_, (_, reply)) in std::mem::take(&mut self.waiting) {
                        let _nobody_waits = reply.send(Err(lost.clone()));
                    }
                    // Whoever waits for a head must learn that none will come over this connection.
                    self.announce(None);
                }
            }
        }
    }

    async fn connect(&self) -> Result<Stream, RpcError> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_ANSWER))
            .max_frame_size(Some(LARGEST_ANSWER));
        let connecting = connect_async_with_config(self.endpoint.url().as_str(), Some(config), true);
        match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok((stream, _))) => Ok(stream),
            Ok(Err(Error::Http(response))) if response.status() == 429 => {
                let retry_after = wait::asked_for(response.headers(), SystemTime::now());
                Err(RpcError::RateLimited { retry_after })
            }
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_) => Err(RpcError::Timeout { after: CONNECT_TIMEOUT }),
        }
    }

    /// Carries questions and answers until the connection is lost, and says how.
    async fn serve(&mut self, mut stream: Stream, first: Call) -> RpcError {
        let mut pulse = Pulse::new(Instant::now());
        if self.subscribes {
            let subscribe = json!({
                "jsonrpc": "2.0", "id": SUBSCRIPTION, "method": "eth_subscribe", "params": ["newHeads"]
            });
            if let Err(error) = self.send(&mut stream, subscribe.to_string()).await {
                let _nobody_waits = first.reply.send(Err(error.clone()));
                return error;
            }
        } else {
            pulse.without_heads();
        }
        if let Err(error) = self.forward(&mut stream, first).await {
            return error;
        }
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Those whose time is up no longer count.
            self.waiting.retain(|_, (_, reply)| !reply.is_closed());
            let taken = tokio::select! {
                call = self.incoming.recv(), if self.waiting.len() < IN_FLIGHT => match call {
                    Some(call) => self.forward(&mut stream, call).await,
                    None => {
                        let _peer_knows = timeout(SEND_TIMEOUT, stream.close(None)).await;
                        return RpcError::Transport { what: "closed".to_owned() };
                    }
                },
                message = stream.next() => {
                    pulse.message(Instant::now());
                    self.take(message, &mut pulse)
                }
                _ = check.tick() => {
                    let is_lost = pulse.is_lost(!self.waiting.is_empty(), Instant::now());
                    if is_lost { Err(RpcError::Timeout { after: SILENCE }) } else { Ok(()) }
                }
            };
            if let Err(lost) = taken {
                return lost;
            }
        }
    }

    async fn forward(&mut self, stream: &mut Stream, call: Call) -> Result<(), RpcError> {
        self.newest_question = self.newest_question.max(call.id);
        self.waiting.insert(call.id, (call.method, call.reply));
        self.send(stream, call.question).await
    }

    async fn send(&self, stream: &mut Stream, text: String) -> Result<(), RpcError> {
        match timeout(SEND_TIMEOUT, stream.send(Message::text(text))).await {
            Ok(sent) => sent.map_err(|error| self.broken(&error)),
            Err(_) => Err(RpcError::Timeout { after: SEND_TIMEOUT }),
        }
    }

    /// Takes what came: an answer, a new head, or the end of the connection.
    fn take(&mut self, message: Option<Result<Message, Error>>, pulse: &mut Pulse) -> Result<(), RpcError> {
        let text = match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message.into_data(),
            Some(Ok(Message::Close(_))) | None => {
                return Err(RpcError::Transport { what: "the node closed the connection".to_owned() });
            }
            // Pings are answered by the library.
            Some(Ok(_)) => return Ok(()),
            Some(Err(error)) => return Err(self.broken(&error)),
        };
        match wire::kind(&text) {
            Some(Kind::News) => {
                pulse.head(Instant::now());
                self.news(&text);
            }
            Some(Kind::Answer(SUBSCRIPTION)) => self.subscribed(&text, pulse),
            Some(Kind::Answer(id)) => match self.waiting.remove(&id) {
                Some((_, reply)) => {
                    let _nobody_waits = reply.send(Ok(Answer { body: text.into(), status: None }));
                }
                // Later than anybody waited for it.
                None if id <= self.newest_question => {}
                None => self.complain("an answer to a question that was not asked", &text),
            },
            Some(Kind::Other) => {
                self.complain("neither an answer nor what was subscribed to", &text);
                return self.refused(&text);
            }
            None => {
                self.complain("not a JSON object", &text);
                let what = "a message that is not a JSON object".to_owned();
                return Err(RpcError::Malformed { method: "a question", what });
            }
        }
        Ok(())
    }

    /// Takes a head that the node announces.
    fn news(&self, text: &[u8]) {
        let at = Instant::now();
        let endpoint = self.endpoint.redacted();
        self.observer.delivered(endpoint, u64::try_from(text.len()).unwrap_or(u64::MAX));
        let news: Value = serde_json::from_slice(text).unwrap_or_default();
        let announced = news.pointer("/params/result").unwrap_or(&Value::Null);
        let head = match header(announced, BlockTag::Latest, DELIVERY) {
            Ok(Some(block)) => {
                self.observer.head(endpoint, block.header.number);
                Some(Announced { block: Arc::new(block), at })
            }
            Ok(None) => {
                self.complain("a head without a header", text);
                None
            }
            Err(error) => {
                self.complain(&self.endpoint.scrub(&error), text);
                None
            }
        };
        // That there is something new is worth knowing even so.
        self.announce(head);
    }

    /// Takes the answer to the question for announcements.
    fn subscribed(&self, text: &[u8], pulse: &mut Pulse) {
        let answer: Value = serde_json::from_slice(text).unwrap_or_default();
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let error = answer.get("error").filter(|error| !error.is_null());
        self.observer.answered(self.endpoint.redacted(), "eth_subscribe", bytes, error.is_some());
        // A node without subscriptions is polled instead.
        if let Some(error) = error {
            pulse.without_heads();
            let reason = self.endpoint.scrub(error);
            tracing::debug!(endpoint = &**self.endpoint.redacted(), %reason, "no news of heads");
        }
    }

    /// A message that names no question may still end the connection: a refusal of all of them.
    fn refused(&self, text: &[u8]) -> Result<(), RpcError> {
        let answer = Answer { body: text.to_vec().into(), status: None };
        match wire::value(&answer, 0, "a question", &self.endpoint) {
            Err(error @ RpcError::RateLimited { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    fn announce(&self, head: Option<Announced>) {
        self.announce.send_modify(|news| {
            news.count = news.count.wrapping_add(1);
            news.head = head;
        });
    }

    fn complain(&self, what: &str, text: &[u8]) {
        self.observer.complain(self.endpoint.redacted(), DELIVERY, what, &self.endpoint.excerpt(text));
    }

    fn broken(&self, error: &Error) -> RpcError {
        match error {
            Error::Capacity(_) => RpcError::TooManyResults { message: self.endpoint.scrub(error) },
            _ => RpcError::Transport { what: self.endpoint.scrub(error) },
        }
    }
}
