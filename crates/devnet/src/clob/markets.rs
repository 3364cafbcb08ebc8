//! The terms of markets.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use domain::{Price, TokenId};
use polymarket::wire::Number;
use polymarket::wire::clob::{FeeBody, OutcomeBody, TermsBody, TokenBody};
use serde_json::{Value, json};

use super::{Asked, least, tick};
use crate::board::Listed;
use crate::shared::Shared;
use crate::venue::Refusal;

/// In basis points; nobody charges it any more, but it is still said.
const LEGACY_FEE: u32 = 1_000;

type Answer = Result<Json<Value>, Refusal>;

pub(super) async fn terms(State(shared): State<Arc<Shared>>, Path(condition): Path<String>) -> Answer {
    let market = of_condition(&shared, &condition)?;
    let outcome = |(token, outcome): (TokenId, &str)| OutcomeBody {
        token: token.to_string(),
        outcome: outcome.to_owned(),
    };
    let body = TermsBody {
        condition: Some(market.condition.to_string()),
        tokens: market.tokens.into_iter().zip(market.outcomes).map(outcome).collect(),
        min_order_size: Number::from(least(&market)),
        tick_size: Number::from(tick(&market)),
        accepting_orders: Some(market.winner.is_none()),
        neg_risk: market.neg_risk(),
        fee: (market.fee_rate_ppm > 0).then(|| FeeBody {
            rate: Number::from(f64::from(market.fee_rate_ppm) / 1e6),
            exponent: Some(Number::from(1)),
            taker_only: true,
        }),
        version: market.protocol_v2().then(|| "v2".to_owned()),
    };
    let mut body = json!(body);
    body["mbf"] = json!(legacy_fee(&market));
    body["tbf"] = body["mbf"].clone();
    if market.hold_ms > 0 {
        body["itode"] = json!(true);
    }
    if market.seconds_delay > 0 {
        body["sd"] = json!(market.seconds_delay);
    }
    Ok(Json(body))
}

/// A market in the long form.
pub(super) async fn whole(State(shared): State<Arc<Shared>>, Path(condition): Path<String>) -> Answer {
    let market = of_condition(&shared, &condition)?;
    let depth = shared.read().board.depth(market.id, 0);
    let middle = depth.and_then(|depth| Some((depth.best_bid()?, depth.best_ask()?)));
    let first = match market.winner {
        Some(winner) => Some(if winner == 0 { 1.0 } else { 0.0 }),
        None => middle.map(|(bid, ask)| f64::from(bid.ppm() + ask.ppm()) / 2e6),
    };
    let first = first.or_else(|| market.last_price.map(Price::to_f64)).unwrap_or(0.5);
    let tokens: Vec<Value> = (0..2)
        .map(|outcome| {
            json!({
                "token_id": market.tokens[outcome].to_string(),
                "outcome": market.outcomes[outcome],
                "price": if outcome == 0 { first } else { 1.0 - first },
                "winner": market.winner == Some(outcome),
            })
        })
        .collect();
    Ok(Json(json!({
        "enable_order_book": true,
        "active": true,
        "closed": market.winner.is_some(),
        "archived": false,
        "accepting_orders": market.winner.is_none(),
        "minimum_order_size": least(&market),
        "minimum_tick_size": tick(&market),
        "condition_id": market.condition.to_string(),
        "question_id": market.question_id,
        "question": market.title,
        "market_slug": market.slug,
        "end_date_iso": market.closes.to_string(),
        "seconds_delay": market.seconds_delay,
        "maker_base_fee": legacy_fee(&market),
        "taker_base_fee": legacy_fee(&market),
        "neg_risk": market.neg_risk(),
        "neg_risk_market_id": market.neg_risk_market().map(|id| id.to_string()).unwrap_or_default(),
        "tokens": tokens,
        "tags": [market.category],
    })))
}

pub(super) async fn by_token(
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

pub(super) async fn tick_size(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Answer {
    listed(&shared, &asked.token_id).map(|market| Json(json!({"minimum_tick_size": tick(&market)})))
}

pub(super) async fn tick_size_of(State(shared): State<Arc<Shared>>, Path(token): Path<String>) -> Answer {
    listed(&shared, &token).map(|market| Json(json!({"minimum_tick_size": tick(&market)})))
}

pub(super) async fn neg_risk(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Answer {
    listed(&shared, &asked.token_id).map(|market| Json(json!({"neg_risk": market.neg_risk()})))
}

pub(super) async fn fee_rate(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Answer {
    let market =
        listed(&shared, &asked.token_id).map_err(|_| Refusal::not_found("fee rate not found for market"))?;
    Ok(Json(json!({"base_fee": legacy_fee(&market)})))
}

fn legacy_fee(market: &Listed) -> u32 {
    if market.fee_rate_ppm > 0 { LEGACY_FEE } else { 0 }
}

fn of_condition(shared: &Shared, condition: &str) -> Result<Arc<Listed>, Refusal> {
    let none = || Refusal::not_found("market not found");
    let condition = condition.parse().map_err(|_| none())?;
    shared.read().board.of_condition(condition).cloned().ok_or_else(none)
}

fn listed(shared: &Shared, token: &str) -> Result<Arc<Listed>, Refusal> {
    let none = || Refusal::not_found("market not found");
    let token = token.parse().map_err(|_| none())?;
    let state = shared.read();
    state.board.of_token(token).map(|(market, _)| Arc::clone(market)).ok_or_else(none)
}
