//! The Polygon node: JSON-RPC over HTTP and WebSocket on one address.

mod blocks;
mod delay;
pub(crate) mod faulty;
pub(crate) mod filter;
mod limit;
pub(crate) mod methods;
mod receipts;
mod socket;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;
use serde_json::Value;

pub(crate) use self::blocks::bloom;
use crate::chain::View as ChainView;
use crate::faults::{Fate, Mood};
use crate::shared::{self, Shared};

/// A batch beyond this is answered with one error, as nodes do.
const MAX_BATCH: usize = 1_000;

/// Why a call failed, in JSON-RPC's numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RpcError {
    code: i32,
    message: String,
    /// Some providers say by HTTP too that something is wrong.
    #[serde(skip)]
    status: StatusCode,
}

impl RpcError {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: StatusCode::OK }
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }
}

/// One machine of a provider: the shared world, and how it speaks of it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) shared: Arc<Shared>,
    pub(crate) mood: Arc<Mood>,
}

impl Node {
    /// The chain as this machine sees it.
    pub(crate) fn view<'a>(&self, state: &'a shared::State) -> ChainView<'a> {
        ChainView::new(&state.chain, self.mood.faults().behind, self.shared.finality)
    }

    /// The height of the newest block it sees.
    fn newest(&self, state: &shared::State) -> u64 {
        self.view(state).head().map_or(0, |block| block.number)
    }
}

pub(crate) fn router(node: Arc<Node>) -> Router {
    Router::new().route("/", post(call).get(upgrade)).with_state(node)
}

async fn call(State(node): State<Arc<Node>>, body: Bytes) -> Response {
    let mut spoiling = None;
    match node.mood.fate() {
        Fate::Answered => {}
        Fate::Stalled(faults) => node.mood.until_other_than(&faults).await,
        Fate::Refused(refusal) => return faulty::over_http(refusal, &body),
        Fate::Spoiled(how) => spoiling = Some(how),
    }
    let mut status = StatusCode::OK;
    let answer = answer(&body, |request| {
        let outcome = methods::call(&node, request);
        if let Err(error) = &outcome {
            status = error.status;
        }
        outcome
    });
    // Of a batch some may have succeeded.
    if body.trim_ascii_start().starts_with(b"[") {
        status = StatusCode::OK;
    }
    let mut answer = answer.unwrap_or_default();
    if let Some(spoiling) = spoiling {
        answer = faulty::spoil(answer, spoiling, &node.mood);
    }
    (status, [(CONTENT_TYPE, "application/json")], answer).into_response()
}

async fn upgrade(State(node): State<Arc<Node>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| socket::serve(node, socket))
}

/// One request of a body.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) params: &'a [Value],
}

/// What a method gives: JSON that is already text, so that ten thousand logs are written once.
pub(crate) type Outcome = Result<String, RpcError>;

/// Answers a body of one request or a batch; `None` where it asks for no answer.
pub(crate) fn answer(body: &[u8], mut call: impl FnMut(&Request<'_>) -> Outcome) -> Option<String> {
    match serde_json::from_slice(body) {
        Err(_) => Some(envelope(&Value::Null, Err(RpcError::new(-32700, "parse error")))),
        Ok(Value::Array(batch)) if batch.is_empty() => {
            Some(envelope(&Value::Null, Err(RpcError::new(-32600, "empty batch"))))
        }
        Ok(Value::Array(batch)) if batch.len() > MAX_BATCH => {
            Some(envelope(&Value::Null, Err(RpcError::new(-32600, "batch too large"))))
        }
        Ok(Value::Array(batch)) => {
            let answers: Vec<String> = batch.iter().filter_map(|one| answer_one(one, &mut call)).collect();
            (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")))
        }
        Ok(one) => answer_one(&one, &mut call),
    }
}

fn answer_one(request: &Value, call: &mut impl FnMut(&Request<'_>) -> Outcome) -> Option<String> {
    let Some(method) = request["method"].as_str() else {
        return Some(envelope(&request["id"], Err(RpcError::new(-32600, "invalid request"))));
    };
    let empty = Vec::new();
    let params = match &request["params"] {
        Value::Array(params) => params,
        Value::Null => &empty,
        _ => {
            let error = RpcError::invalid_params("non-array args");
            return Some(envelope(&request["id"], Err(error)));
        }
    };
    let outcome = call(&Request { method, params });
    // Without an id it is a notification: nobody waits for an answer.
    request.get("id").map(|id| envelope(id, outcome))
}

fn envelope(id: &Value, outcome: Outcome) -> String {
    match outcome {
        Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        Err(error) => {
            let error = serde_json::json!(error);
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
        }
    }
}
