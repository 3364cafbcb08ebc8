//! Orders in and out.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use axum::Json;
use axum::extract::State;
use domain::{ConditionId, Usd};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::gate::Private;
use crate::chain::Step;
use crate::shared::{Shared, State as Everything};
use crate::venue::{ApiKey, Mode, Placed, Refusal, Wish};

/// More orders than this at once are refused.
const MAX_ORDERS: usize = 15;

/// More cancels than this at once are refused.
const MAX_CANCELS: usize = 1_000;

type Answer = Result<Json<Value>, Refusal>;

pub(super) async fn place(State(shared): State<Arc<Shared>>, asked: Private) -> Answer {
    let body: Value = read(&asked.body)?;
    let placed = place_one(&shared, &asked.key, &body).await?;
    Ok(Json(accepted(&placed)))
}

pub(super) async fn place_batch(State(shared): State<Arc<Shared>>, asked: Private) -> Answer {
    let bodies: Vec<Value> = read(&asked.body)?;
    if bodies.len() > MAX_ORDERS {
        let said = format!("Too many orders in payload: {}, max allowed: {MAX_ORDERS}", bodies.len());
        return Err(Refusal::bad(&said));
    }
    let now = shared.now();
    // Where only some orders are not taken the answer says so for each; where none is, once.
    let mode = shared.write().venue.mode(now);
    if !matches!(mode, Mode::Open | Mode::PostOnly) {
        shared.write().venue.takes_orders(false, now)?;
    }
    let mut answers = Vec::with_capacity(bodies.len());
    for body in &bodies {
        answers.push(match place_one(&shared, &asked.key, body).await {
            Ok(placed) => accepted(&placed),
            Err(refusal) => declined(&refusal.message()),
        });
    }
    Ok(Json(json!(answers)))
}

async fn place_one(shared: &Shared, key: &ApiKey, body: &Value) -> Result<Placed, Refusal> {
    let came = shared.now();
    let wish = Wish::read(body)?;
    let now = shared.now();
    let hold = {
        let mut state = shared.write();
        let Everything { board, venue, .. } = &mut *state;
        venue.takes_orders(wish.post_only, now)?;
        venue.hold(&wish, key, board, now)?
    };
    if hold > 0 {
        tokio::time::sleep(Duration::from_millis(hold)).await;
    }
    let now = shared.now();
    let mut state = shared.write();
    let Everything { board, venue, .. } = &mut *state;
    let placed = venue.place(&wish, key, board, now);
    if let Ok(placed) = &placed {
        shared.took(placed.id, came);
    }
    let changes = state.show_touched();
    shared.tell(Step::default(), changes);
    placed
}

fn accepted(placed: &Placed) -> Value {
    let amount = |micros: i64| if micros == 0 { String::new() } else { Usd::from_micros(micros).to_string() };
    json!({
        "success": true,
        "errorMsg": "",
        "orderID": placed.id,
        "status": placed.status.name(),
        "makingAmount": amount(placed.gave),
        "takingAmount": amount(placed.got),
        "transactionsHashes": [],
        "tradeIDs": placed.trades,
    })
}

/// What looks like success and is none.
pub(super) fn declined(message: &str) -> Value {
    json!({
        "success": true,
        "errorMsg": message,
        "orderID": "",
        "status": "",
        "makingAmount": "",
        "takingAmount": "",
        "transactionsHashes": [],
    })
}

#[derive(Deserialize)]
struct One {
    #[serde(rename = "orderID")]
    id: String,
}

pub(super) async fn cancel(State(shared): State<Arc<Shared>>, asked: Private) -> Answer {
    let One { id } = read(&asked.body)?;
    cancel_named(&shared, &asked.key, &[id])
}

pub(super) async fn cancel_batch(State(shared): State<Arc<Shared>>, asked: Private) -> Answer {
    let ids: Vec<String> = read(&asked.body)?;
    if ids.len() > MAX_CANCELS {
        return Err(Refusal::bad(&format!("Too many orders in payload, max allowed: {MAX_CANCELS}")));
    }
    cancel_named(&shared, &asked.key, &ids)
}

fn cancel_named(shared: &Shared, key: &ApiKey, ids: &[String]) -> Answer {
    let known = ids.iter().map(|id| id.parse::<B256>().map_err(|_| Refusal::bad("Invalid orderID")));
    let known = known.collect::<Result<Vec<_>, _>>()?;
    cancel_ids(shared, key, |_| known)
}

pub(super) async fn cancel_all(State(shared): State<Arc<Shared>>, asked: Private) -> Answer {
    let owner = asked.key.owner;
    cancel_ids(&shared, &asked.key, |state| state.venue.resting_of(owner, |_| true))
}

#[derive(Deserialize)]
struct Meant {
    #[serde(default)]
    market: Option<String>,
    #[serde(default)]
    asset_id: Option<String>,
}

pub(super) async fn cancel_market(State(shared): State<Arc<Shared>>, asked: Private) -> Answer {
    let Meant { market, asset_id } = read(&asked.body)?;
    let stated = |text: Option<String>| text.filter(|text| !text.is_empty());
    let condition: Option<ConditionId> = stated(market)
        .map(|market| market.parse().map_err(|_| Refusal::bad("invalid market")))
        .transpose()?;
    let asset = stated(asset_id);
    let owner = asked.key.owner;
    cancel_ids(&shared, &asked.key, |state| {
        state.venue.resting_of(owner, |order| {
            let market = state.board.by_id(order.market).map(|market| market.condition);
            condition.is_none_or(|condition| market == Some(condition))
                && asset.as_ref().is_none_or(|asset| order.token.to_string() == *asset)
        })
    })
}

fn cancel_ids(shared: &Shared, key: &ApiKey, which: impl FnOnce(&Everything) -> Vec<B256>) -> Answer {
    let now = shared.now();
    let mut state = shared.write();
    state.venue.takes_cancels(now)?;
    let ids = which(&state);
    let Everything { board, venue, .. } = &mut *state;
    let answer = venue.cancel(&ids, key.owner, board);
    let changes = state.show_touched();
    shared.tell(Step::default(), changes);
    Ok(Json(answer))
}

#[derive(Deserialize)]
struct Sign {
    #[serde(default)]
    heartbeat_id: Option<String>,
}

pub(super) async fn heartbeat(State(shared): State<Arc<Shared>>, asked: Private) -> Answer {
    let Sign { heartbeat_id } = read(&asked.body)?;
    let now = shared.now();
    shared.write().venue.beat(&asked.key.id, &heartbeat_id.unwrap_or_default(), now).map(Json)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::bad("Invalid order payload"))
}
