//! The market channel: a snapshot of each book asked for, then every change of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::{Level, Price, Shares, Side, Timestamp, TokenId, Usd};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::{book_body, book_hash, millis};
use crate::board::{Change, Listed};
use crate::shared::Shared;
use crate::venue::Depth;
use crate::world::Trade;

/// Tokens a connection may follow.
const MAX_TOKENS: usize = 500;

/// The first message (`type`), and later ones (`operation`).
#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    operation: Option<String>,
    #[serde(default, alias = "asset_ids")]
    assets_ids: Vec<String>,
    #[serde(default = "yes")]
    initial_dump: bool,
}

const fn yes() -> bool {
    true
}

pub(super) async fn upgrade(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    if shared.mood.is_shut() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    upgrade.on_upgrade(move |socket| serve(shared, socket))
}

async fn serve(shared: Arc<Shared>, mut socket: WebSocket) {
    let mut changes = shared.changes.subscribe();
    let mut cuts = shared.mood.cuts();
    let mut tokens = BTreeSet::new();
    loop {
        let outgoing = tokio::select! {
            () = shared.stop.cancelled() => break,
            _ = cuts.changed() => return,
            change = changes.recv() => match change {
                Ok(change) => {
                    let told = tokens.iter().copied().filter(|token| !shared.mood.is_frozen(*token)).collect();
                    news(&change, &told, shared.now())
                }
                Err(RecvError::Lagged(_) | RecvError::Closed) => break,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) if text.as_str() == "PING" => vec!["PONG".to_owned()],
                Some(Ok(Message::Text(text))) => match wish(&shared, &text, &mut tokens) {
                    Some(answer) => answer,
                    None => vec!["INVALID OPERATION".to_owned()],
                },
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => Vec::new(),
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

/// Follows or leaves tokens; gives the books of the new ones. `None` for what is no wish.
fn wish(shared: &Shared, text: &str, tokens: &mut BTreeSet<TokenId>) -> Option<Vec<String>> {
    let wish: Wish = serde_json::from_str(text).ok()?;
    let named: Vec<TokenId> = wish.assets_ids.iter().filter_map(|id| id.parse().ok()).collect();
    match wish.operation.as_deref() {
        None | Some("subscribe") => {}
        Some("unsubscribe") => {
            named.iter().for_each(|token| {
                tokens.remove(token);
            });
            return Some(Vec::new());
        }
        Some(_) => return None,
    }
    let room = MAX_TOKENS.saturating_sub(tokens.len());
    let fresh: Vec<TokenId> = named.into_iter().filter(|token| !tokens.contains(token)).take(room).collect();
    tokens.extend(&fresh);
    if !wish.initial_dump {
        return Some(Vec::new());
    }
    let at = shared.now();
    let state = shared.read();
    let books: Vec<Value> = fresh
        .into_iter()
        .filter_map(|token| book_body(&state.board, token, at))
        .map(|body| {
            let mut book = json!(body);
            book["event_type"] = json!("book");
            book
        })
        .collect();
    // The first dump comes as a list.
    Some(vec![json!(books).to_string()])
}

/// What a connection that follows `tokens` hears of some changes.
fn news(changes: &[Change], tokens: &BTreeSet<TokenId>, at: Timestamp) -> Vec<String> {
    let followed = |market: &Listed, outcome: usize| tokens.contains(&market.tokens[outcome]);
    let mut news = Vec::new();
    for change in changes {
        match change {
            Change::Book { market, before, after } => {
                let outcomes = (0..2).filter(|outcome| followed(market, *outcome));
                let levels: Vec<Value> =
                    outcomes.flat_map(|outcome| level_changes(market, outcome, before, after)).collect();
                if !levels.is_empty() {
                    let market = market.condition.to_string();
                    news.push(json!({"event_type": "price_change", "market": market,
                        "price_changes": levels, "timestamp": millis(at).to_string()}));
                }
            }
            Change::Tick { market, before } => {
                let outcomes = (0..2).filter(|outcome| followed(market, *outcome));
                news.extend(outcomes.map(|outcome| tick(market, outcome, *before, at)));
            }
            Change::Trade { market, trade } if followed(market, trade.outcome) => {
                news.push(last_trade(market, trade, at));
            }
            Change::Answered { market } if followed(market, 0) || followed(market, 1) => {
                news.extend(answered(market, at));
            }
            Change::Trade { .. } | Change::Answered { .. } => {}
        }
    }
    news.iter().map(Value::to_string).collect()
}

fn last_trade(market: &Listed, trade: &Trade, at: Timestamp) -> Value {
    json!({
        "event_type": "last_trade_price",
        "asset_id": market.tokens[trade.outcome].to_string(),
        "market": market.condition.to_string(),
        "price": trade.price.to_string(),
        "size": trade.shares.to_string(),
        "side": trade.side.name(),
        "fee_rate_bps": "0",
        "timestamp": millis(at).to_string(),
        "transaction_hash": trade.tx,
    })
}

fn answered(market: &Listed, at: Timestamp) -> Option<Value> {
    let winner = market.winner?;
    Some(json!({
        "event_type": "market_resolved",
        "id": market.id.to_string(),
        "market": market.condition.to_string(),
        "assets_ids": market.tokens.map(|token| token.to_string()),
        "winning_asset_id": market.tokens[winner].to_string(),
        "winning_outcome": market.outcomes[winner],
        "timestamp": millis(at).to_string(),
        "tags": [market.category],
    }))
}

fn tick(market: &Listed, outcome: usize, before: u32, at: Timestamp) -> Value {
    let dollars = |ppm: u32| Usd::from_micros(i64::from(ppm)).to_string();
    json!({
        "event_type": "tick_size_change",
        "asset_id": market.tokens[outcome].to_string(),
        "market": market.condition.to_string(),
        "old_tick_size": dollars(before),
        "new_tick_size": dollars(market.tick_ppm),
        "timestamp": millis(at).to_string(),
    })
}

/// Every price whose size is another one now; a size of 0 takes the level away.
fn level_changes(market: &Listed, outcome: usize, before: &Depth, after: &Depth) -> Vec<Value> {
    let mirrored = (before.mirrored(), after.mirrored());
    let (before, after) = if outcome == 0 { (before, after) } else { (&mirrored.0, &mirrored.1) };
    let hash = book_hash(market.tokens[outcome], after);
    let best = |price: Option<Price>| price.map(|price| price.to_string()).unwrap_or_default();
    let (best_bid, best_ask) = (best(after.best_bid()), best(after.best_ask()));
    let mut changes = Vec::new();
    for (side, old, new) in [(Side::Buy, &before.bids, &after.bids), (Side::Sell, &before.asks, &after.asks)]
    {
        let gone = old.iter().filter(|level| !new.iter().any(|other| other.price == level.price));
        let gone = gone.map(|level| Level { price: level.price, shares: Shares::ZERO });
        let changed = new.iter().filter(|level| !old.contains(level)).copied();
        for level in gone.chain(changed) {
            changes.push(json!({
                "asset_id": market.tokens[outcome].to_string(),
                "price": level.price.to_string(),
                "size": level.shares.to_string(),
                "side": side.name(),
                "hash": hash,
                "best_bid": best_bid,
                "best_ask": best_ask,
            }));
        }
    }
    changes
}
