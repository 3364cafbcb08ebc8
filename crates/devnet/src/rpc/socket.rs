//! The node over WebSocket: the same calls, and subscriptions.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::filter::Filter;
use super::{Outcome, Request, RpcError, answer, methods};
use crate::chain::Step;
use crate::shared::Shared;

/// Subscriptions a connection may hold.
const MAX_SUBSCRIPTIONS: usize = 1_000;

enum Subscription {
    Heads,
    Logs(Filter),
}

/// A connection's subscriptions, by id.
struct Subscriptions {
    next: u64,
    held: BTreeMap<u64, Subscription>,
}

/// Serves a connection until it closes, falls too far behind, or the devnet stops.
pub(super) async fn serve(shared: Arc<Shared>, mut socket: WebSocket) {
    // Subscribed before the first request, so that nothing falls between an answer and the first notice.
    let mut steps = shared.steps.subscribe();
    let mut subscriptions = Subscriptions { next: 1, held: BTreeMap::new() };
    loop {
        let outgoing = tokio::select! {
            () = shared.stop.cancelled() => break,
            step = steps.recv() => match step {
                Ok(step) => subscriptions.notices(&step),
                Err(RecvError::Lagged(_) | RecvError::Closed) => break,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => subscriptions.request(&shared, text.as_bytes()),
                Some(Ok(Message::Binary(bytes))) => subscriptions.request(&shared, &bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Vec::new(),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
        };
        for text in outgoing {
            if socket.send(Message::Text(text.into())).await.is_err() {
                return;
            }
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}

impl Subscriptions {
    fn request(&mut self, shared: &Shared, body: &[u8]) -> Vec<String> {
        answer(body, |request| match request.method {
            "eth_subscribe" => self.subscribe(request),
            "eth_unsubscribe" => self.unsubscribe(request),
            _ => methods::call(shared, request),
        })
        .into_iter()
        .collect()
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
