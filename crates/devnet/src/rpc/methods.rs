//! What the node can be asked.

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256, hex};
use polygon::contracts::PUSD;
use serde_json::{Value, json};

use super::blocks::{block, header};
use super::filter::Filter;
use super::receipts::{receipt, receipts};
use super::{Node, Outcome, Request, RpcError};
use crate::chain::{Block, View};

/// Polygon's chain id, as the tools that will talk to this expect it.
const CHAIN_ID: u64 = 137;

/// Ten POL for gas.
const NATIVE_BALANCE: u128 = 10_000_000_000_000_000_000;

/// Ten thousand dollars of pUSD, which has six decimals.
const PUSD_BALANCE: u64 = 10_000_000_000;

/// `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

pub(super) fn call(node: &Node, request: &Request<'_>) -> Outcome {
    let first = request.params.first().unwrap_or(&Value::Null);
    match request.method {
        "eth_chainId" => Ok(text(&quantity(CHAIN_ID))),
        "net_version" => Ok(text(&CHAIN_ID.to_string())),
        "web3_clientVersion" => Ok(text(concat!("orderflow-devnet/", env!("CARGO_PKG_VERSION")))),
        "eth_syncing" => Ok("false".to_owned()),
        "eth_blockNumber" => Ok(text(&quantity(node.newest(&node.shared.read())))),
        "eth_getBlockByNumber" => block_by_number(node, first, request.params.get(1)),
        "eth_getBlockByHash" => block_by_hash(node, first, request.params.get(1)),
        "eth_getLogs" => Filter::read(first)?.answer(node),
        "eth_getTransactionReceipt" => receipt_of(node, first),
        "eth_getBlockReceipts" => receipts_of(node, first),
        "eth_getBalance" => {
            let funded = read_address(first)? == node.shared.account.address;
            Ok(text(&format!("{:#x}", if funded { NATIVE_BALANCE } else { 0 })))
        }
        "eth_call" => eth_call(node, first),
        "eth_subscribe" | "eth_unsubscribe" => {
            Err(RpcError::new(-32601, "notifications not supported on this connection"))
        }
        method => Err(RpcError::new(-32601, format!("the method {method} does not exist/is not available"))),
    }
}

fn block_by_number(node: &Node, tag: &Value, full: Option<&Value>) -> Outcome {
    refuse_bodies(full)?;
    let state = node.shared.read();
    let found = tagged(node.view(&state), tag)?;
    Ok(found.map_or_else(|| "null".to_owned(), |found| block(found).to_string()))
}

fn tagged<'a>(view: View<'a>, tag: &Value) -> Result<Option<&'a Arc<Block>>, RpcError> {
    Ok(match tag.as_str() {
        Some("latest" | "pending") => view.head(),
        Some("earliest") => view.first(),
        Some("finalized" | "safe") => view.finalized(),
        _ => view.by_number(read_quantity(tag)?),
    })
}

fn block_by_hash(node: &Node, hash: &Value, full: Option<&Value>) -> Outcome {
    refuse_bodies(full)?;
    let hash = read_hash(hash)?;
    let state = node.shared.read();
    let newest = node.newest(&state);
    let found = node.view(&state).by_hash(hash).filter(|found| !node.forgets(found, newest));
    Ok(found.map_or_else(|| "null".to_owned(), |found| block(found).to_string()))
}

fn receipt_of(node: &Node, hash: &Value) -> Outcome {
    let hash = read_hash(hash)?;
    let state = node.shared.read();
    let newest = node.newest(&state);
    let found = node.view(&state).of_transaction(hash).filter(|found| !node.forgets(found, newest));
    Ok(found.and_then(|found| receipt(found, hash)).unwrap_or_default().to_string())
}

/// Of a block by its number, tag or hash.
fn receipts_of(node: &Node, which: &Value) -> Outcome {
    let state = node.shared.read();
    let (view, newest) = (node.view(&state), node.newest(&state));
    let found = match read_hash(which) {
        Ok(hash) => view.by_hash(hash).filter(|found| !node.forgets(found, newest)),
        Err(_) => tagged(view, which)?,
    };
    Ok(found.map_or_else(|| "null".to_owned(), |found| json!(receipts(found)).to_string()))
}

/// Transactions have hashes and logs here, but no bodies.
fn refuse_bodies(full: Option<&Value>) -> Result<(), RpcError> {
    match full {
        Some(Value::Bool(true)) => Err(RpcError::invalid_params("full transactions are not available")),
        _ => Ok(()),
    }
}

/// The only contract that answers is pUSD, and only about balances.
fn eth_call(node: &Node, call: &Value) -> Outcome {
    let to = read_address(&call["to"])?;
    let input = if call["input"].is_null() { &call["data"] } else { &call["input"] };
    let input = input.as_str().and_then(|text| hex::decode(text).ok());
    let input = input.ok_or_else(|| RpcError::invalid_params("invalid argument 0: data"))?;
    match input.split_first_chunk::<4>() {
        Some((&BALANCE_OF, owner)) if to == PUSD && owner.len() == 32 => {
            let funded = Address::from_slice(&owner[12..]) == node.shared.account.address;
            let balance = U256::from(if funded { PUSD_BALANCE } else { 0 });
            Ok(text(&format!("{}", B256::from(balance))))
        }
        Some(_) if to == PUSD => Err(RpcError::new(3, "execution reverted")),
        // An address without code answers nothing.
        _ => Ok(text("0x")),
    }
}

/// A subscriber's view of a block.
pub(crate) fn head(found: &Block) -> Value {
    header(found)
}

pub(crate) fn quantity(number: u64) -> String {
    format!("{number:#x}")
}

pub(crate) fn read_quantity(value: &Value) -> Result<u64, RpcError> {
    value
        .as_str()
        .and_then(|text| text.strip_prefix("0x"))
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| RpcError::invalid_params(format!("invalid block number {value}")))
}

pub(crate) fn read_hash(value: &Value) -> Result<B256, RpcError> {
    let text = value.as_str().filter(|text| text.starts_with("0x"));
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| RpcError::invalid_params(format!("invalid 32-byte word {value}")))
}

pub(crate) fn read_address(value: &Value) -> Result<Address, RpcError> {
    let text = value.as_str().filter(|text| text.starts_with("0x"));
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| RpcError::invalid_params(format!("invalid address {value}")))
}

fn text(text: &str) -> String {
    json!(text).to_string()
}
