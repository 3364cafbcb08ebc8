//! What the node answers.

use axum::body::Bytes;
use polygon::log::RawLog;
use serde_json::{Value, json};

use super::headers;
use super::server::Node;
use crate::rpc::filter::{Bound, Filter, Picks, Span};
use crate::rpc::methods::{read_hash, read_quantity};
use crate::rpc::{Outcome, Request, RpcError};

/// What is this deep is final, where blocks appear one after the other.
const FINALITY: usize = 64;

/// Everything but subscriptions.
pub(super) fn call(node: &Node, request: &Request<'_>) -> Outcome {
    let first = request.params.first().unwrap_or(&Value::Null);
    match request.method {
        "eth_chainId" => Ok("\"0x89\"".to_owned()),
        "net_version" => Ok("\"137\"".to_owned()),
        "eth_syncing" => Ok("false".to_owned()),
        "web3_clientVersion" => Ok(json!(concat!("orderflow-load/", env!("CARGO_PKG_VERSION"))).to_string()),
        "eth_blockNumber" => Ok(format!("\"{:#x}\"", node.recording.number(node.visible()))),
        "eth_getBlockByNumber" => block_of(node, by_tag(node, first)?),
        "eth_getBlockByHash" => block_of(node, seen(node, node.recording.at_hash(read_hash(first)?))),
        "eth_getLogs" => {
            let text = list(&logs(node, first)?).concat();
            String::from_utf8(text).map_err(|error| RpcError::new(-32603, error.to_string()))
        }
        method => Err(RpcError::new(-32601, format!("the method {method} does not exist/is not available"))),
    }
}

/// Pieces of text as one list of JSON.
pub(super) fn list(pieces: &[Bytes]) -> Vec<Bytes> {
    let mut list = Vec::with_capacity(pieces.len() * 2 + 1);
    for (index, piece) in pieces.iter().enumerate() {
        list.push(Bytes::from_static(if index == 0 { b"[" } else { b"," }));
        list.push(piece.clone());
    }
    list.push(Bytes::from_static(if pieces.is_empty() { b"[]" } else { b"]" }));
    list
}

/// The logs a filter picks: slices of what is written, where it picks all of them.
pub(super) fn logs(node: &Node, filter: &Value) -> Result<Vec<Bytes>, RpcError> {
    let filter = Filter::read(filter)?;
    let recording = &node.recording;
    let (from, to) = match filter.span() {
        Span::Block(hash) => {
            let block = seen(node, recording.at_hash(hash));
            let block = block.ok_or_else(|| RpcError::new(-32000, "unknown block"))?;
            (block, block)
        }
        Span::Numbers(from, to) => {
            let number = |bound| match bound {
                Bound::Number(number) => number,
                Bound::Latest => recording.number(node.visible()),
                Bound::Finalized => recording.number(finalized(node)),
            };
            let (from, to) = (number(from), number(to));
            if from > to {
                return Err(RpcError::invalid_params("invalid block range params"));
            }
            let first = recording.number(0);
            let index = |number: u64| usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
            if to < first || index(from) > node.visible() {
                return Ok(Vec::new());
            }
            (index(from), index(to).min(node.visible()))
        }
    };
    let slices = match filter.picks(&recording.emitters, recording.topic) {
        Picks::None => Vec::new(),
        Picks::All => recording.logs(from, to),
        Picks::Some => {
            let all = recording.logs(from, to);
            all.iter().map(|slice| picked(&filter, slice)).filter(|slice| !slice.is_empty()).collect()
        }
    };
    Ok(slices)
}

/// The logs of a slice that a filter picks, one by one.
fn picked(filter: &Filter, slice: &Bytes) -> Bytes {
    let text = str::from_utf8(slice).unwrap_or_default();
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
    // No log has another object in it.
    let logs = inner.split("},{").map(|inner| format!("{{{inner}}}"));
    let fits = |log: &String| serde_json::from_str::<RawLog>(log).is_ok_and(|log| filter.matches(&log));
    Bytes::from(logs.filter(fits).collect::<Vec<_>>().join(","))
}

fn by_tag(node: &Node, tag: &Value) -> Result<Option<usize>, RpcError> {
    Ok(match tag.as_str() {
        Some("latest" | "pending") => Some(node.visible()),
        Some("earliest") => Some(0),
        Some("finalized" | "safe") => Some(finalized(node)),
        _ => seen(node, node.recording.at_number(read_quantity(tag)?)),
    })
}

fn seen(node: &Node, block: Option<usize>) -> Option<usize> {
    block.filter(|block| *block <= node.visible())
}

fn finalized(node: &Node) -> usize {
    if node.live { node.visible().saturating_sub(FINALITY) } else { node.visible() }
}

fn block_of(node: &Node, found: Option<usize>) -> Outcome {
    Ok(found.map_or_else(|| "null".to_owned(), |found| headers::block(&node.recording, found).to_string()))
}
