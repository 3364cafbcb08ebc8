//! The CLOB: books and terms over REST, orders, and the market and user channels.

mod admin;
mod channel;
mod faulty;
mod gate;
mod markets;
mod private;
mod trading;
mod user;

use std::sync::Arc;

use alloy_primitives::{hex, keccak256};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::routing::{delete, get, post};
use axum::{Json, Router, middleware};
use domain::{Level, Timestamp, TokenId};
use polymarket::wire::Number;
use polymarket::wire::clob::{BookBody, LevelBody};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::board::{Board, Listed};
use crate::shared::Shared;
use crate::venue::{Depth, Refusal};

/// More books than this at once are refused.
const MAX_BOOKS: usize = 500;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let admin = admin::router(&shared);
    let open = Router::new()
        .route("/book", get(book))
        .route("/books", post(books))
        .route("/clob-markets/{condition}", get(markets::terms))
        .route("/markets/{condition}", get(markets::whole))
        .route("/markets-by-token/{token}", get(markets::by_token))
        .route("/tick-size", get(markets::tick_size))
        .route("/tick-size/{token}", get(markets::tick_size_of))
        .route("/neg-risk", get(markets::neg_risk))
        .route("/fee-rate", get(markets::fee_rate))
        .route("/midpoint", get(midpoint))
        .route("/time", get(time))
        .route("/version", get(async || Json(json!({"version": 2}))))
        .route("/ok", get(async || Json("OK")))
        .route("/api/geoblock", get(geoblock))
        .route("/ws/market", get(channel::upgrade))
        .route("/ws/user", get(user::upgrade));
    let private = Router::new()
        .route("/auth/api-key", post(private::create_key).delete(private::delete_key))
        .route("/auth/derive-api-key", get(private::derive_key))
        .route("/auth/api-keys", get(private::keys))
        .route("/auth/ban-status/closed-only", get(private::closed_only))
        .route("/order", post(trading::place).delete(trading::cancel))
        .route("/orders", post(trading::place_batch).delete(trading::cancel_batch))
        .route("/cancel-all", delete(trading::cancel_all))
        .route("/cancel-market-orders", delete(trading::cancel_market))
        .route("/v1/heartbeats", post(trading::heartbeat))
        .route("/data/order/{id}", get(private::order))
        .route("/data/orders", get(private::orders))
        .route("/data/trades", get(private::trades))
        .route("/balance-allowance", get(private::balance))
        .route("/balance-allowance/update", get(private::update_balance));
    open.merge(private)
        .layer(DefaultBodyLimit::max(1 << 20))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), faulty::intercept))
        .with_state(shared)
        .merge(admin)
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    token_id: String,
}

async fn book(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
) -> Result<Json<BookBody>, Refusal> {
    let token = asked.token_id.parse().map_err(|_| no_book())?;
    let at = shared.now();
    book_body(&shared.read().board, token, at).map(Json).ok_or_else(no_book)
}

async fn books(
    State(shared): State<Arc<Shared>>,
    Json(asked): Json<Vec<Asked>>,
) -> Result<Json<Vec<BookBody>>, Refusal> {
    if asked.len() > MAX_BOOKS {
        return Err(Refusal::bad("Payload exceeds the limit"));
    }
    let at = shared.now();
    let state = shared.read();
    // Tokens without a book are left out, as the real one does.
    let bodies = asked.iter().filter_map(|asked| book_body(&state.board, asked.token_id.parse().ok()?, at));
    Ok(Json(bodies.collect()))
}

async fn midpoint(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Refusal> {
    let token = asked.token_id.parse().map_err(|_| no_book())?;
    let state = shared.read();
    let (market, outcome) = state.board.of_token(token).ok_or_else(no_book)?;
    let depth = state.board.depth(market.id, outcome).ok_or_else(no_book)?;
    let (bid, ask) = depth.best_bid().zip(depth.best_ask()).ok_or_else(no_book)?;
    Ok(Json(json!({"mid": (f64::from(bid.ppm() + ask.ppm()) / 2e6).to_string()})))
}

async fn time(State(shared): State<Arc<Shared>>) -> Json<i64> {
    Json(shared.clock().seconds())
}

async fn geoblock(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let blocked = shared.read().venue.is_blocked();
    let (country, region) = if blocked { ("US", "NY") } else { ("IE", "L") };
    Json(json!({"blocked": blocked, "ip": "127.0.0.1", "country": country, "region": region}))
}

fn no_book() -> Refusal {
    Refusal::not_found("No orderbook exists for the requested token id")
}

/// The book of a token; `None` where the market is unknown or answered.
pub(super) fn book_body(board: &Board, token: TokenId, at: Timestamp) -> Option<BookBody> {
    let (market, outcome) = board.of_token(token)?;
    let depth = board.depth(market.id, outcome)?;
    // Worst first, as the venue has it.
    let side = |levels: &[Level]| levels.iter().rev().map(LevelBody::of).collect::<Vec<_>>();
    Some(BookBody {
        market: market.condition.to_string(),
        asset_id: token.to_string(),
        timestamp: Number::from(millis(at)),
        hash: book_hash(token, &depth),
        bids: side(&depth.bids),
        asks: side(&depth.asks),
        min_order_size: Some(Number::from(least(market))),
        tick_size: Some(Number::from(tick(market))),
        neg_risk: Some(market.neg_risk()),
        last_trade_price: Some(Number(market.last_price.map_or_else(String::new, |price| price.to_string()))),
        version: market.protocol_v2().then(|| "v2".to_owned()),
    })
}

/// The price grid in dollars.
fn tick(market: &Listed) -> f64 {
    f64::from(market.tick_ppm) / 1e6
}

fn least(market: &Listed) -> f64 {
    market.least.to_f64()
}

/// Forty hex digits that are the same exactly while the book is.
fn book_hash(token: TokenId, depth: &Depth) -> String {
    let mut bytes = token.0.to_be_bytes::<32>().to_vec();
    for level in depth.bids.iter().chain(&depth.asks) {
        bytes.extend(level.price.ppm().to_be_bytes());
        bytes.extend(level.shares.micros().to_be_bytes());
    }
    hex::encode(&keccak256(bytes)[..20])
}

fn millis(at: Timestamp) -> i64 {
    at.micros().div_euclid(1_000)
}
