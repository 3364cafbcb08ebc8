//! JSON-RPC over WebSocket: one task owns the connection, and learns of new heads while it is open.
//!
//! The task connects when it is asked something and has no connection; when the connection breaks, it tells
//! everybody who waits and drops it, as it does when nobody waits and the node has fallen silent. Whether to
//! ask again is the asker's decision, who alone knows how often that has failed before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::endpoint::Endpoint;
use super::pulse::{Pulse, SILENCE};
use super::wire;
use super::{LARGEST_ANSWER, RpcError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is checked whether somebody still waits, and whether the node is still there.
const CHECK: Duration = Duration::from_secs(1);
/// How many questions wait for the task, and how many for the node.
const IN_FLIGHT: usize = 64;
/// The id of the subscription's own request; questions count from 1.
const SUBSCRIPTION: u64 = 0;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Reply = oneshot::Sender<Result<Value, RpcError>>;

/// The way to the task.
pub(super) struct Socket {
    calls: mpsc::Sender<Call>,
    heads: watch::Receiver<u64>,
}

struct Call {
    id: u64,
    method: &'static str,
    question: String,
    reply: Reply,
}

impl Socket {
    pub(super) fn new(endpoint: Arc<Endpoint>) -> Self {
        let (calls, incoming) = mpsc::channel(IN_FLIGHT);
        let (announce, heads) = watch::channel(0);
        tokio::spawn(Owner { endpoint, incoming, announce, waiting: BTreeMap::new() }.run());
        Self { calls, heads }
    }

    pub(super) fn heads(&self) -> watch::Receiver<u64> {
        self.heads.clone()
    }

    pub(super) async fn ask(
        &self,
        id: u64,
        method: &'static str,
        question: String,
    ) -> Result<Value, RpcError> {
        let gone = || RpcError::Transport { what: "the connection's task has ended".to_owned() };
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call { id, method, question, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The task that owns the connection.
struct Owner {
    endpoint: Arc<Endpoint>,
    incoming: mpsc::Receiver<Call>,
    announce: watch::Sender<u64>,
    waiting: BTreeMap<u64, (&'static str, Reply)>,
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
                    self.announce.send_modify(|count| *count = count.wrapping_add(1));
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
                Err(RpcError::RateLimited { retry_after: None })
            }
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_) => Err(RpcError::Timeout { after: CONNECT_TIMEOUT }),
        }
    }

    /// Carries questions and answers until the connection is lost, and says how.
    async fn serve(&mut self, mut stream: Stream, first: Call) -> RpcError {
        let subscribe = json!({
            "jsonrpc": "2.0", "id": SUBSCRIPTION, "method": "eth_subscribe", "params": ["newHeads"]
        });
        if let Err(error) = self.send(&mut stream, subscribe.to_string()).await {
            let _nobody_waits = first.reply.send(Err(error.clone()));
            return error;
        }
        if let Err(error) = self.forward(&mut stream, first).await {
            return error;
        }
        let mut pulse = Pulse::new(Instant::now());
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
        let answer: Value = serde_json::from_slice(&text).map_err(|error| RpcError::Malformed {
            method: "a question",
            what: self.endpoint.scrub(&error),
        })?;
        if answer.get("method").and_then(Value::as_str) == Some("eth_subscription") {
            pulse.head(Instant::now());
            self.announce.send_modify(|count| *count = count.wrapping_add(1));
            return Ok(());
        }
        match answer.get("id").and_then(Value::as_u64) {
            Some(SUBSCRIPTION) => {
                // A node without subscriptions is polled instead.
                if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
                    pulse.without_heads();
                    let reason = self.endpoint.scrub(error);
                    tracing::debug!(endpoint = self.endpoint.redacted(), %reason, "no news of heads");
                }
            }
            Some(id) => {
                if let Some((method, reply)) = self.waiting.remove(&id) {
                    let _nobody_waits = reply.send(wire::answer(answer, id, method, &self.endpoint));
                }
            }
            None => {
                let reason = self.endpoint.scrub(&answer);
                tracing::debug!(endpoint = self.endpoint.redacted(), %reason, "a message nobody asked for");
            }
        }
        Ok(())
    }

    fn broken(&self, error: &Error) -> RpcError {
        match error {
            Error::Capacity(_) => RpcError::TooManyResults { message: self.endpoint.scrub(error) },
            _ => RpcError::Transport { what: self.endpoint.scrub(error) },
        }
    }
}
