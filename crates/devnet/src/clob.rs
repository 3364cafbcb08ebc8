//! The CLOB: books and terms over REST, and the market channel.

mod channel;

use std::sync::Arc;

use alloy_primitives::{hex, keccak256};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::{Level, Timestamp, TokenId};
use polymarket::wire::Number;
use polymarket::wire::clob::{BookBody, FeeBody, LevelBody, OutcomeBody, TermsBody, TokenBody};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::board::{Board, Listed};
use crate::shared::Shared;
use crate::world::Ladder;

/// More books than this at once are refused.
const MAX_BOOKS: usize = 500;

/// The smallest order in shares.
const MIN_ORDER: u32 = 5;

type Refusal = (StatusCode, Json<Value>);

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/book", get(book))
        .route("/books", post(books))
        .route("/clob-markets/{condition}", get(terms))
        .route("/markets-by-token/{token}", get(by_token))
        .route("/tick-size", get(tick_size))
        .route("/neg-risk", get(neg_risk))
        .route("/midpoint", get(midpoint))
        .route("/time", get(time))
        .route("/version", get(async || Json(json!({"version": 2}))))
        .route("/ok", get(async || Json("OK")))
        .route("/ws/market", get(channel::upgrade))
        .with_state(shared)
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
    let none = || refusal(StatusCode::NOT_FOUND, "No orderbook exists for the requested token id");
    let token = asked.token_id.parse().map_err(|_| none())?;
    let at = shared.now();
    book_body(&shared.read().board, token, at).map(Json).ok_or_else(none)
}

async fn books(
    State(shared): State<Arc<Shared>>,
    Json(asked): Json<Vec<Asked>>,
) -> Result<Json<Vec<BookBody>>, Refusal> {
    if asked.len() > MAX_BOOKS {
        return Err(refusal(StatusCode::BAD_REQUEST, "Payload exceeds the limit"));
    }
    let at = shared.now();
    let state = shared.read();
    // Tokens without a book are left out, as the real one does.
    let bodies = asked.iter().filter_map(|asked| book_body(&state.board, asked.token_id.parse().ok()?, at));
    Ok(Json(bodies.collect()))
}

async fn terms(
    State(shared): State<Arc<Shared>>,
    Path(condition): Path<String>,
) -> Result<Json<TermsBody>, Refusal> {
    let none = || refusal(StatusCode::NOT_FOUND, "market not found");
    let condition = condition.parse().map_err(|_| none())?;
    let market = shared.read().board.of_condition(condition).cloned().ok_or_else(none)?;
    let outcome = |(token, outcome): (TokenId, &str)| OutcomeBody {
        token: token.to_string(),
        outcome: outcome.to_owned(),
    };
    Ok(Json(TermsBody {
        condition: Some(market.condition.to_string()),
        tokens: market.tokens.into_iter().zip(market.outcomes).map(outcome).collect(),
        min_order_size: Number::from(MIN_ORDER),
        tick_size: Number::from(0.01),
        accepting_orders: Some(market.winner.is_none()),
        neg_risk: market.neg_risk(),
        fee: (market.fee_rate_ppm > 0).then(|| FeeBody {
            rate: Number::from(f64::from(market.fee_rate_ppm) / 1e6),
            exponent: Some(Number::from(1)),
            taker_only: true,
        }),
        version: market.protocol_v2().then(|| "v2".to_owned()),
    }))
}

async fn by_token(
    State(shared): State<Arc<Shared>>,
    Path(token): Path<String>,
) -> Result<Json<TokenBody>, Refusal> {
    let market = listed(&shared, &token)?;
    Ok(Json(TokenBody {
        condition_id: market.condition.to_string(),
        primary_token_id: market.tokens[0].to_string(),
        secondary_token_id: market.tokens[1].to_string(),
    }))
}

async fn tick_size(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Refusal> {
    listed(&shared, &asked.token_id).map(|_| Json(json!({"minimum_tick_size": 0.01})))
}

async fn neg_risk(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Refusal> {
    listed(&shared, &asked.token_id).map(|market| Json(json!({"neg_risk": market.neg_risk()})))
}

async fn midpoint(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Refusal> {
    let none = || refusal(StatusCode::NOT_FOUND, "No orderbook exists for the requested token id");
    let token = asked.token_id.parse().map_err(|_| none())?;
    let state = shared.read();
    let (market, outcome) = state.board.of_token(token).ok_or_else(none)?;
    let ladder = state.board.ladder(market.id, outcome).ok_or_else(none)?;
    let (bid, ask) = ladder.best_bid().zip(ladder.best_ask()).ok_or_else(none)?;
    Ok(Json(json!({"mid": (f64::from(bid + ask) / 200.0).to_string()})))
}

async fn time(State(shared): State<Arc<Shared>>) -> Json<i64> {
    Json(shared.now().seconds())
}

fn listed(shared: &Shared, token: &str) -> Result<Arc<Listed>, Refusal> {
    let none = || refusal(StatusCode::NOT_FOUND, "market not found");
    let token = token.parse().map_err(|_| none())?;
    let state = shared.read();
    state.board.of_token(token).map(|(market, _)| Arc::clone(market)).ok_or_else(none)
}

fn refusal(status: StatusCode, message: &str) -> Refusal {
    (status, Json(json!({"error": message})))
}

/// The book of a token; `None` where the market is unknown or answered.
pub(super) fn book_body(board: &Board, token: TokenId, at: Timestamp) -> Option<BookBody> {
    let (market, outcome) = board.of_token(token)?;
    let ladder = board.ladder(market.id, outcome)?;
    // Worst first, as the venue has it.
    let side = |levels: Vec<Level>| levels.iter().rev().map(LevelBody::of).collect::<Vec<_>>();
    let (bids, asks) = (side(Ladder::levels(&ladder.bids)), side(Ladder::levels(&ladder.asks)));
    Some(BookBody {
        market: market.condition.to_string(),
        asset_id: token.to_string(),
        timestamp: Number::from(millis(at)),
        hash: book_hash(token, &ladder),
        bids,
        asks,
        min_order_size: Some(Number::from(MIN_ORDER)),
        tick_size: Some(Number::from(0.01)),
        neg_risk: Some(market.neg_risk()),
        last_trade_price: Some(Number(market.last_price.map_or_else(String::new, |price| price.to_string()))),
        version: market.protocol_v2().then(|| "v2".to_owned()),
    })
}

/// Forty hex digits that are the same exactly while the book is.
fn book_hash(token: TokenId, ladder: &Ladder) -> String {
    let mut bytes = token.0.to_be_bytes::<32>().to_vec();
    for rung in ladder.bids.iter().chain(&ladder.asks) {
        bytes.extend(rung.cents.to_be_bytes());
        bytes.extend(rung.micros.to_be_bytes());
    }
    hex::encode(&keccak256(bytes)[..20])
}

fn millis(at: Timestamp) -> i64 {
    at.micros().div_euclid(1_000)
}
