//! The sockets: answers out of slices, and heads announced as blocks appear.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::answer;
use super::headers;
use super::recording::Recording;
use crate::rpc::{RpcError, answer as answer_all};

/// The one subscription a connection can hold.
const SUBSCRIPTION: &str = "0x00000000000000000000000000000001";

/// The recording, and how much of it there is so far.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) recording: Recording,
    /// Whether blocks appear one after the other.
    pub(super) live: bool,
    pub(super) stop: CancellationToken,
    visible: watch::Sender<usize>,
    /// When the first live block appeared, and those after it.
    announced: Mutex<Vec<Instant>>,
}

impl Node {
    pub(super) fn new(recording: Recording, live: bool, stop: CancellationToken) -> Self {
        let visible = if live { 0 } else { recording.len() - 1 };
        let announced = Mutex::default();
        Self { recording, live, stop, visible: watch::Sender::new(visible), announced }
    }

    /// The newest block that is there.
    pub(super) fn visible(&self) -> usize {
        *self.visible.borrow()
    }

    /// Lets the next block appear; whether there was one.
    pub(super) fn show_next(&self) -> bool {
        let next = self.visible() + 1;
        if next >= self.recording.len() {
            return false;
        }
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        self.visible.send_replace(next);
        true
    }

    pub(super) fn announced(&self, number: u64) -> Option<Instant> {
        let live = self.recording.at_number(number)?.checked_sub(1)?;
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).get(live).copied()
    }
}

pub(super) fn router(node: Arc<Node>) -> Router {
    Router::new().route("/", post(call).get(upgrade)).with_state(node)
}

async fn call(State(node): State<Arc<Node>>, body: Bytes) -> Response {
    let pieces = respond(&node, &body);
    let length: usize = pieces.iter().map(Bytes::len).sum();
    let headers = [(CONTENT_TYPE, "application/json".to_owned()), (CONTENT_LENGTH, length.to_string())];
    let pieces = stream::iter(pieces.into_iter().map(Ok::<_, io::Error>));
    (headers, Body::from_stream(pieces)).into_response()
}

async fn upgrade(State(node): State<Arc<Node>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| serve(node, socket))
}

/// The answer to a body in pieces, so that logs are not copied.
fn respond(node: &Node, body: &[u8]) -> Vec<Bytes> {
    if let Some((id, logs)) = only_logs(node, body) {
        let mut pieces = vec![Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#))];
        pieces.append(&mut answer::list(&logs));
        pieces.push(Bytes::from_static(b"}"));
        return pieces;
    }
    let answer = answer_all(body, |request| answer::call(node, request));
    vec![Bytes::from(answer.unwrap_or_default())]
}

/// The question that matters, alone and well asked; everything else goes the ordinary way.
fn only_logs(node: &Node, body: &[u8]) -> Option<(Value, Vec<Bytes>)> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let id = request.get("id")?.clone();
    (request.get("method")? == "eth_getLogs").then_some(())?;
    Some((id, answer::logs(node, request.get("params")?.get(0)?).ok()?))
}

/// Serves a connection until it closes or the node stops.
async fn serve(node: Arc<Node>, mut socket: WebSocket) {
    let mut visible = node.visible.subscribe();
    // What was there before the connection is no news.
    let mut told = *visible.borrow_and_update();
    let mut subscribed = false;
    loop {
        let outgoing = tokio::select! {
            () = node.stop.cancelled() => break,
            changed = visible.changed() => {
                if changed.is_err() {
                    break;
                }
                let newest = *visible.borrow_and_update();
                let news = told + 1..=newest;
                told = newest;
                if subscribed { news.map(|block| notice(&node, block)).collect() } else { Vec::new() }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => vec![reply(&node, text.as_bytes(), &mut subscribed)],
                Some(Ok(Message::Binary(bytes))) => vec![reply(&node, &bytes, &mut subscribed)],
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

fn reply(node: &Node, body: &[u8], subscribed: &mut bool) -> String {
    answer_all(body, |request| match (request.method, request.params.first().and_then(Value::as_str)) {
        ("eth_subscribe", Some("newHeads")) => {
            *subscribed = true;
            Ok(json!(SUBSCRIPTION).to_string())
        }
        ("eth_subscribe", other) => {
            let message = format!("no \"{}\" subscription here", other.unwrap_or_default());
            Err(RpcError::new(-32601, message))
        }
        ("eth_unsubscribe", Some(SUBSCRIPTION)) => Ok(std::mem::take(subscribed).to_string()),
        _ => answer::call(node, request),
    })
    .unwrap_or_default()
}

fn notice(node: &Node, block: usize) -> String {
    let params = json!({"subscription": SUBSCRIPTION, "result": headers::header(&node.recording, block)});
    json!({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}).to_string()
}
