//! The node over WebSocket: the same calls, and subscriptions.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::delay::Delay;
use super::filter::Filter;
use super::{Node, Outcome, Request, RpcError, answer, faulty, methods};
use crate::chain::Step;
use crate::faults::Fate;

/// Subscriptions a connection may hold.
const MAX_SUBSCRIPTIONS: usize = 1_000;

/// Requests of a connection that are held back at once.
const MAX_HELD: usize = 1_000;

enum Subscription {
    Heads,
    Logs(Filter),
}

/// A connection's subscriptions, by id.
struct Subscriptions {
    next: u64,
    held: BTreeMap<u64, Subscription>,
}

/// A connection: what it listens to, and what it still owes.
struct Connection {
    node: Arc<Node>,
    subscriptions: Subscriptions,
    delay: Delay,
    /// Requests that are held back while faults last.
    held: Vec<Vec<u8>>,
}

/// What goes out; `None` where the connection ends without a word.
type Outgoing = Option<Vec<String>>;

/// Serves a connection until it closes, falls too far behind, is cut, or the devnet stops.
pub(super) async fn serve(node: Arc<Node>, mut socket: WebSocket) {
    // Subscribed before the first request, so that nothing falls between an answer and the first notice.
    let mut steps = node.shared.steps.subscribe();
    let mut cuts = node.mood.cuts();
    let mut changes = node.mood.changes();
    let mut connection = Connection::new(Arc::clone(&node));
    loop {
        let outgoing = tokio::select! {
            () = node.shared.stop.cancelled() => break,
            _ = cuts.changed() => return,
            _ = changes.changed() => connection.answer_held(),
            step = steps.recv() => match step {
                Ok(step) => connection.notices(&step),
                Err(RecvError::Lagged(_) | RecvError::Closed) => break,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => connection.request(text.as_bytes()),
                Some(Ok(Message::Binary(bytes))) => connection.request(&bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Some(Vec::new()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
        };
        let Some(outgoing) = outgoing else { return };
        for text in outgoing {
            if socket.send(Message::Text(text.into())).await.is_err() {
                return;
            }
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}

impl Connection {
    fn new(node: Arc<Node>) -> Self {
        let subscriptions = Subscriptions { next: 1, held: BTreeMap::new() };
        Self { node, subscriptions, delay: Delay::default(), held: Vec::new() }
    }

    fn request(&mut self, body: &[u8]) -> Outgoing {
        if self.node.mood.faults().silent {
            return Some(Vec::new());
        }
        let mut spoiling = None;
        match self.node.mood.fate() {
            Fate::Answered => {}
            Fate::Stalled(_) => {
                // Who asks for more without end does not fill the memory: the oldest is forgotten.
                if self.held.len() >= MAX_HELD {
                    self.held.remove(0);
                }
                self.held.push(body.to_vec());
                return Some(Vec::new());
            }
            Fate::Refused(refusal) => return faulty::over_socket(refusal, body).map(|text| vec![text]),
            Fate::Spoiled(how) => spoiling = Some(how),
        }
        let answer = self.subscriptions.answer(&self.node, body);
        let answer = match spoiling {
            Some(spoiling) => answer.map(|answer| faulty::spoil(answer, spoiling, &self.node.mood)),
            None => answer,
        };
        Some(answer.into_iter().collect())
    }

    /// Other faults are set: what was held back is answered, as far as they let it.
    fn answer_held(&mut self) -> Outgoing {
        let mut outgoing = Vec::new();
        for body in std::mem::take(&mut self.held) {
            outgoing.append(&mut self.request(&body)?);
        }
        Some(outgoing)
    }

    fn notices(&mut self, step: &Step) -> Outgoing {
        let faults = self.node.mood.faults();
        let step = self.delay.pass(step, faults.behind);
        if faults.silent {
            return Some(Vec::new());
        }
        if self.node.mood.happens(faults.disconnected) {
            return None;
        }
        let notices = self.subscriptions.notices(&step).into_iter();
        let twice = |notice: String| {
            let again = self.node.mood.happens(faults.duplicated_notices);
            std::iter::repeat_n(notice, if again { 2 } else { 1 })
        };
        Some(notices.flat_map(twice).collect())
    }
}

impl Subscriptions {
    fn answer(&mut self, node: &Node, body: &[u8]) -> Option<String> {
        answer(body, |request| match request.method {
            "eth_subscribe" => self.subscribe(request),
            "eth_unsubscribe" => self.unsubscribe(request),
            _ => methods::call(node, request),
        })
    }

    fn subscribe(&mut self, request: &Request<'_>) -> Outcome {
        if self.held.len() >= MAX_SUBSCRIPTIONS {
            return Err(RpcError::new(-32000, "too many subscriptions"));
        }
        let empty = json!({});
        let subscription = match request.params.first().and_then(Value::as_str) {
            Some("newHeads") => Subscription::Heads,
            Some("logs") => Subscription::Logs(Filter::read(request.params.get(1).unwrap_or(&empty))?),
            other => {
                let name = other.unwrap_or_default();
                let message = format!("no \"{name}\" subscription in eth namespace");
                return Err(RpcError::new(-32601, message));
            }
        };
        let id = self.next;
        self.next += 1;
        self.held.insert(id, subscription);
        Ok(json!(name(id)).to_string())
    }

    fn unsubscribe(&mut self, request: &Request<'_>) -> Outcome {
        let wanted = request.params.first().and_then(Value::as_str);
        let id = self.held.keys().copied().find(|id| Some(name(*id).as_str()) == wanted);
        match id.and_then(|id| self.held.remove(&id)) {
            Some(_) => Ok("true".to_owned()),
            None => Err(RpcError::new(-32000, "subscription not found")),
        }
    }

    /// What this connection is told of a step: first what is taken back, then what is new.
    fn notices(&self, step: &Step) -> Vec<String> {
        let mut notices = Vec::new();
        for (id, subscription) in &self.held {
            let name = name(*id);
            match subscription {
                Subscription::Heads => {
                    notices.extend(step.added.iter().map(|block| notice(&name, methods::head(block))));
                }
                Subscription::Logs(filter) => {
                    let old = step.removed.iter().map(|block| (block, true));
                    let new = step.added.iter().map(|block| (block, false));
                    for (block, removed) in old.chain(new) {
                        for log in block.logs.iter().filter(|log| filter.matches(log)) {
                            let mut log = json!(log);
                            log["removed"] = json!(removed);
                            notices.push(notice(&name, log));
                        }
                    }
                }
            }
        }
        notices
    }
}

fn name(id: u64) -> String {
    format!("{id:#034x}")
}

fn notice(subscription: &str, result: Value) -> String {
    let params = json!({"subscription": subscription, "result": result});
    json!({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}).to_string()
}
