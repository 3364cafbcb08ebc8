//! The hand on the venue over HTTP, for those in another process. The real venue has nothing like it.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::Address;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::{TokenId, Usd};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::{RandomFaults, VenueFault};
use crate::handle::{UnknownToVenue, VenueHandle};
use crate::shared::Shared;
use crate::venue::{AccountTruth, Mode, OpenAccount, Settlement, SignatureType, SocketFaults};

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/admin/accounts", post(open))
        .route("/admin/accounts/{wallet}", get(account).patch(standing))
        .route("/admin/faults", post(add_fault).delete(lift))
        .route("/admin/faults/random", post(random))
        .route("/admin/mode", post(mode))
        .route("/admin/settlements", post(settlements))
        .route("/admin/sockets", post(sockets).delete(cut))
        .route("/admin/ticks", post(tick))
        .route("/admin/manners", post(manners))
        .with_state(VenueHandle::new(Arc::clone(shared)))
}

#[derive(Deserialize)]
struct Open {
    owner: Address,
    signature_type: SignatureType,
    #[serde(default)]
    wallet: Option<Address>,
    /// Dollars.
    usd: String,
}

async fn open(State(venue): State<VenueHandle>, Json(asked): Json<Open>) -> Answer {
    let funds: Usd = asked.usd.parse().map_err(|error| bad(&error))?;
    let Open { owner, signature_type, wallet, .. } = asked;
    Ok(Json(json!({"wallet": venue.open_account(OpenAccount { owner, signature_type, wallet, funds })})))
}

async fn account(State(venue): State<VenueHandle>, Path(wallet): Path<Address>) -> Answer {
    let truth = venue.account(wallet).ok_or_else(|| bad(&UnknownToVenue::Wallet(wallet)))?;
    Ok(Json(described(&truth, venue.is_settled(wallet))))
}

fn described(truth: &AccountTruth, settled: bool) -> Value {
    let shares: serde_json::Map<String, Value> =
        truth.shares.iter().map(|(token, shares)| (token.to_string(), json!(shares.to_string()))).collect();
    let orders: Vec<Value> = truth
        .orders
        .iter()
        .map(|(id, (status, matched))| json!({"id": id, "status": status.name(), "matched": matched.to_string()}))
        .collect();
    let trades: Vec<Value> = truth
        .trades
        .iter()
        .map(|(id, status, tx)| json!({"id": id, "status": status.name(), "transaction_hash": tx}))
        .collect();
    json!({
        "wallet": truth.wallet,
        "funded": truth.funded.to_string(),
        "cash": truth.cash.to_string(),
        "redeemed": truth.redeemed.to_string(),
        "shares": shares,
        "orders": orders,
        "trades": trades,
        "settled": settled,
    })
}

#[derive(Deserialize)]
struct Standing {
    #[serde(default)]
    closed_only: Option<bool>,
    #[serde(default)]
    banned: Option<bool>,
}

async fn standing(
    State(venue): State<VenueHandle>,
    Path(wallet): Path<Address>,
    Json(asked): Json<Standing>,
) -> Answer {
    if let Some(closed_only) = asked.closed_only {
        venue.set_closed_only(wallet, closed_only).map_err(|error| bad(&error))?;
    }
    if let Some(banned) = asked.banned {
        venue.set_banned(wallet, banned).map_err(|error| bad(&error))?;
    }
    done()
}

async fn add_fault(State(venue): State<VenueHandle>, Json(fault): Json<VenueFault>) -> Answer {
    venue.add_fault(fault);
    done()
}

async fn lift(State(venue): State<VenueHandle>) -> Answer {
    venue.lift_faults();
    done()
}

async fn random(State(venue): State<VenueHandle>, Json(random): Json<RandomFaults>) -> Answer {
    venue.set_random_faults(random);
    done()
}

#[derive(Deserialize)]
struct Modes {
    mode: Mode,
    #[serde(default)]
    seconds: Option<u64>,
}

async fn mode(State(venue): State<VenueHandle>, Json(asked): Json<Modes>) -> Answer {
    venue.set_mode(asked.mode, asked.seconds.map(Duration::from_secs));
    done()
}

#[derive(Deserialize)]
struct Settlements {
    #[serde(default)]
    plan: Vec<Settlement>,
    #[serde(default)]
    retried: f64,
    #[serde(default)]
    failed: f64,
}

async fn settlements(State(venue): State<VenueHandle>, Json(asked): Json<Settlements>) -> Answer {
    venue.plan_settlements(asked.plan);
    venue.set_settlement_luck(asked.retried, asked.failed);
    done()
}

async fn sockets(State(venue): State<VenueHandle>, Json(faults): Json<SocketFaults>) -> Answer {
    venue.set_socket_faults(faults);
    done()
}

async fn cut(State(venue): State<VenueHandle>) -> Answer {
    venue.cut_sockets();
    done()
}

#[derive(Deserialize)]
struct Tick {
    token: String,
    tick_ppm: u32,
}

async fn tick(State(venue): State<VenueHandle>, Json(asked): Json<Tick>) -> Answer {
    let token: TokenId = asked.token.parse().map_err(|error| bad(&error))?;
    venue.set_tick(token, asked.tick_ppm).map_err(|error| bad(&error))?;
    done()
}

#[derive(Deserialize)]
struct Manners {
    #[serde(default)]
    geoblocked: Option<bool>,
    #[serde(default)]
    auto_redeem: Option<bool>,
    #[serde(default)]
    prefixed_statuses: Option<bool>,
}

async fn manners(State(venue): State<VenueHandle>, Json(asked): Json<Manners>) -> Answer {
    if let Some(blocked) = asked.geoblocked {
        venue.set_geoblocked(blocked);
    }
    if let Some(does) = asked.auto_redeem {
        venue.set_auto_redeem(does);
    }
    if let Some(prefixed) = asked.prefixed_statuses {
        venue.set_prefixed_statuses(prefixed);
    }
    done()
}

fn done() -> Answer {
    Ok(Json(json!({"done": true})))
}

fn bad(error: &dyn std::fmt::Display) -> (StatusCode, Json<Value>) {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error.to_string()})))
}
