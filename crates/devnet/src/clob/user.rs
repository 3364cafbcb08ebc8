//! The user channel: what happens to a key owner's orders and trades.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::Address;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::ConditionId;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use crate::shared::Shared;

/// Who has not said who they are by then is let go.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first message.
#[derive(Deserialize)]
struct Hello {
    auth: Auth,
    #[serde(default)]
    markets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Auth {
    api_key: String,
    secret: String,
    passphrase: String,
}

/// Later ones.
#[derive(Deserialize)]
struct Wish {
    operation: String,
    #[serde(default)]
    markets: Vec<String>,
}

pub(super) async fn upgrade(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    if shared.mood.is_shut() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    upgrade.on_upgrade(move |socket| serve(shared, socket))
}

async fn serve(shared: Arc<Shared>, mut socket: WebSocket) {
    // Heard from now on, so that nothing is missed between the greeting and the first wait.
    let mut told = shared.read().venue.listen();
    let mut cuts = shared.mood.cuts();
    let greeted = tokio::time::timeout(PATIENCE, greet(&shared, &mut socket)).await;
    let Ok(Some((owner, mut markets))) = greeted else {
        let _ = socket.send(Message::Close(None)).await;
        return;
    };
    let mut waiting: VecDeque<(Instant, String)> = VecDeque::new();
    loop {
        let due = waiting.front().map(|(at, _)| *at);
        tokio::select! {
            () = shared.stop.cancelled() => break,
            _ = cuts.changed() => return,
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let Some((_, text)) = waiting.pop_front() else { continue };
                if socket.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
            told = told.recv() => match told {
                Ok(told) => {
                    let is_followed = markets.is_empty() || markets.contains(&told.condition);
                    if told.owner == owner && is_followed {
                        let at = Instant::now() + Duration::from_millis(told.delay_ms);
                        waiting.push_back((at, told.body.to_string()));
                    }
                }
                // Events are not replayed: who was too slow has missed them.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) if text.as_str() == "PING" => {
                    if socket.send(Message::Text("PONG".into())).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Text(text))) => change(&text, &mut markets),
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}

/// Who is there, and which markets interest them; all, where none is named. `None` for who cannot prove it.
async fn greet(shared: &Shared, socket: &mut WebSocket) -> Option<(Address, BTreeSet<ConditionId>)> {
    loop {
        match socket.recv().await?.ok()? {
            Message::Text(text) if text.as_str() == "PING" => {
                socket.send(Message::Text("PONG".into())).await.ok()?;
            }
            Message::Text(text) => {
                let hello: Hello = serde_json::from_str(&text).ok()?;
                let Auth { api_key, secret, passphrase } = hello.auth;
                let state = shared.read();
                let key = state.venue.key(&api_key).filter(|key| key.is_opened_by(&secret, &passphrase))?;
                return Some((key.owner, conditions(&hello.markets).collect()));
            }
            Message::Close(_) => return None,
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => {}
        }
    }
}

fn change(text: &str, markets: &mut BTreeSet<ConditionId>) {
    let Ok(Wish { operation, markets: named }) = serde_json::from_str(text) else { return };
    match operation.as_str() {
        "subscribe" => markets.extend(conditions(&named)),
        "unsubscribe" => conditions(&named).for_each(|market| {
            markets.remove(&market);
        }),
        _ => {}
    }
}

fn conditions(named: &[String]) -> impl Iterator<Item = ConditionId> {
    named.iter().filter_map(|market| market.parse().ok())
}
