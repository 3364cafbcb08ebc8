//! Keys, and what a key's owner may ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::gate::{Attested, Private};
use crate::shared::Shared;
use crate::venue::{OrderFilter, Refusal, SignatureType, TradeFilter};

type Answer = Result<Json<Value>, Refusal>;

pub(super) async fn create_key(State(shared): State<Arc<Shared>>, asked: Attested) -> Answer {
    shared.write().venue.create_key(asked.owner, asked.nonce).map(Json)
}

pub(super) async fn derive_key(State(shared): State<Arc<Shared>>, asked: Attested) -> Answer {
    shared.read().venue.derive_key(asked.owner, asked.nonce).map(Json)
}

pub(super) async fn keys(State(shared): State<Arc<Shared>>, asked: Private) -> Json<Value> {
    Json(json!({"apiKeys": shared.read().venue.keys_of(asked.key.owner)}))
}

pub(super) async fn delete_key(State(shared): State<Arc<Shared>>, asked: Private) -> Json<Value> {
    shared.write().venue.delete_key(&asked.key.id);
    Json(json!("OK"))
}

pub(super) async fn closed_only(State(shared): State<Arc<Shared>>, asked: Private) -> Json<Value> {
    Json(json!({"closed_only": shared.read().venue.is_closed_only(asked.key.owner)}))
}

pub(super) async fn order(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    asked: Private,
) -> Answer {
    let state = shared.read();
    state.venue.order(&id, asked.key.owner, &state.board).map(Json)
}

pub(super) async fn orders(State(shared): State<Arc<Shared>>, asked: Private) -> Answer {
    let said = |name: &str| asked.query.get(name).cloned();
    let filter = OrderFilter { id: said("id"), market: said("market"), asset: said("asset_id") };
    let state = shared.read();
    let cursor = said("next_cursor");
    state.venue.open_page(asked.key.owner, &filter, cursor.as_deref(), &state.board).map(Json)
}

pub(super) async fn trades(State(shared): State<Arc<Shared>>, asked: Private) -> Answer {
    let said = |name: &str| asked.query.get(name).cloned();
    let seconds = |name: &str| {
        let parse = |text: String| text.parse::<i64>().map_err(|_| Refusal::bad("invalid timestamp"));
        said(name).map(parse).transpose()
    };
    let filter = TradeFilter {
        id: said("id"),
        market: said("market"),
        asset: said("asset_id"),
        maker: said("maker_address"),
        before: seconds("before")?,
        after: seconds("after")?,
    };
    let state = shared.read();
    let cursor = said("next_cursor");
    state.venue.trade_page(asked.key.owner, &filter, cursor.as_deref(), &state.board).map(Json)
}

pub(super) async fn balance(State(shared): State<Arc<Shared>>, asked: Private) -> Answer {
    let said = |name: &str| asked.query.get(name).map(String::as_str);
    let kind = kind_of(&asked)?;
    let asset = said("asset_type").unwrap_or_default();
    shared.read().venue.balance(asked.key.owner, kind, asset, said("token_id")).map(Json)
}

/// The venue's cache of the chain: balances are always as the chain has them here, allowances as they were when this was
/// asked last.
pub(super) async fn update_balance(State(shared): State<Arc<Shared>>, asked: Private) -> Answer {
    let kind = kind_of(&asked)?;
    shared.write().venue.read_allowances(asked.key.owner, kind);
    balance(State(shared), asked).await.map(|_| Json(json!("")))
}

fn kind_of(asked: &Private) -> Result<SignatureType, Refusal> {
    let said = asked.query.get("signature_type").map_or("0", String::as_str);
    let kind = said.parse().ok().and_then(SignatureType::of_number);
    kind.ok_or_else(|| Refusal::bad("invalid signature type"))
}
