//! The portal: history and head of the chain as a stream of lines, in the protocol of the public SQD Portal.
//!
//! What its documentation says and its own client expects, in identity encoding; not compared with the live
//! service. The public one allows 20 requests in 10 seconds, for which `Faults::rate_limited` can stand.

mod query;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use self::query::Query;
use self::stream::Lines;
use crate::chain::{Block, View};
use crate::faults::{Fate, Refusal, Spoiling};
use crate::rpc::{Node, faulty};

/// The path of the data set, which clients have in the portal's address.
pub(crate) const DATASET: &str = "/datasets/polygon-mainnet";

/// Blocks named to who stands on a branch that is no more.
const PREVIOUS_BLOCKS: u64 = 50;

/// How far a stream may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Head,
    Finalized,
}

impl Reach {
    fn top(self, view: View<'_>) -> Option<&Arc<Block>> {
        match self {
            Self::Head => view.head(),
            Self::Finalized => view.finalized(),
        }
    }
}

/// What a question comes to.
enum Found {
    /// These blocks cover the range.
    Blocks(Vec<Arc<Block>>),
    /// Nothing yet.
    Later,
    /// The parent the client named is not on the chain; these are.
    Conflict(Vec<Value>),
}

pub(crate) fn router(node: Arc<Node>) -> Router {
    let dataset = Router::new()
        .route("/metadata", get(metadata))
        .route("/head", get(head))
        .route("/finalized-head", get(finalized_head))
        .route("/stream", post(stream))
        .route("/finalized-stream", post(finalized_stream))
        .with_state(node);
    Router::new().nest(DATASET, dataset)
}

async fn metadata(State(node): State<Arc<Node>>) -> Response {
    let start = node.shared.read().chain.first().map_or(0, |block| block.number);
    let about = json!({"dataset": "polygon-mainnet", "aliases": [], "real_time": true, "start_block": start});
    said(&node, about).await
}

async fn head(State(node): State<Arc<Node>>) -> Response {
    let top = top(&node, Reach::Head);
    said(&node, top).await
}

async fn finalized_head(State(node): State<Arc<Node>>) -> Response {
    let top = top(&node, Reach::Finalized);
    said(&node, top).await
}

async fn stream(State(node): State<Arc<Node>>, body: Bytes) -> Response {
    streamed(&node, &body, Reach::Head).await
}

async fn finalized_stream(State(node): State<Arc<Node>>, body: Bytes) -> Response {
    streamed(&node, &body, Reach::Finalized).await
}

fn top(node: &Node, reach: Reach) -> Value {
    let state = node.shared.read();
    reach.top(node.view(&state)).map_or(Value::Null, |block| name(block))
}

fn name(block: &Block) -> Value {
    json!({"number": block.number, "hash": block.hash})
}

/// A short answer, as far as the faults let it.
async fn said(node: &Node, answer: Value) -> Response {
    let text = answer.to_string();
    let text = match meet(node).await {
        Ok(Some(Spoiling::Half)) => text[..text.len() / 2].to_owned(),
        Ok(Some(Spoiling::WrongType)) => json!({"number": "soon", "hash": 7}).to_string(),
        Ok(_) => text,
        Err(refusal) => return faulty::over_http(refusal, b""),
    };
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// What the faults have in store for a request.
async fn meet(node: &Node) -> Result<Option<Spoiling>, Refusal> {
    match node.mood.fate() {
        Fate::Answered => Ok(None),
        Fate::Stalled(faults) => {
            node.mood.until_other_than(&faults).await;
            Ok(None)
        }
        Fate::Refused(refusal) => Err(refusal),
        Fate::Spoiled(spoiling) => Ok(Some(spoiling)),
    }
}

async fn streamed(node: &Node, body: &[u8], reach: Reach) -> Response {
    let query = match Query::read(body) {
        Ok(query) => query,
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
    let fate = meet(node).await;
    // A stream that breaks off is more interesting after it has begun.
    if let Err(refusal) = fate
        && refusal != Refusal::Disconnected
    {
        return faulty::over_http(refusal, body);
    }
    let (found, headers) = {
        let state = node.shared.read();
        let view = node.view(&state);
        (find(node, view, &query, reach), heads(view))
    };
    match found {
        Found::Later => (StatusCode::NO_CONTENT, headers).into_response(),
        Found::Conflict(previous) => {
            let text = json!({"previousBlocks": previous}).to_string();
            (StatusCode::CONFLICT, headers, [(CONTENT_TYPE, "application/json")], text).into_response()
        }
        Found::Blocks(blocks) => {
            let lines = Lines::new(blocks, query, &node.mood, fate);
            let body = Body::from_stream(futures_util::stream::iter(lines));
            (headers, [(CONTENT_TYPE, "application/x-ndjson")], body).into_response()
        }
    }
}

fn find(node: &Node, view: View<'_>, query: &Query, reach: Reach) -> Found {
    let Some(top) = reach.top(view) else { return Found::Later };
    let below = query.from_block.checked_sub(1);
    if let (Some(parent), Some(below)) = (query.parent_block_hash, below)
        && view.by_number(below).is_some_and(|block| block.hash != parent)
    {
        let previous = view.range(below.saturating_sub(PREVIOUS_BLOCKS - 1), below);
        return Found::Conflict(previous.iter().map(|block| name(block)).collect());
    }
    let last = query.to_block.unwrap_or(u64::MAX).min(top.number);
    let early = node.mood.faults().stream_blocks;
    let last = early.map_or(last, |most| last.min(query.from_block.saturating_add(most.max(1) - 1)));
    let blocks = view.range(query.from_block, last).to_vec();
    if blocks.is_empty() { Found::Later } else { Found::Blocks(blocks) }
}

/// What every answer says of the chain's ends.
fn heads(view: View<'_>) -> [(&'static str, String); 3] {
    let (head, last) = (view.head(), view.finalized());
    let number = |block: Option<&Arc<Block>>| block.map_or(0, |block| block.number).to_string();
    [
        ("x-sqd-head-number", number(head)),
        ("x-sqd-finalized-head-number", number(last)),
        ("x-sqd-finalized-head-hash", last.map(|block| format!("{:#x}", block.hash)).unwrap_or_default()),
    ]
}
