//! What the node can be asked.

use alloy_primitives::{Address, B256, U256, hex};
use polygon::contracts::PUSD;
use serde_json::{Value, json};

use super::blocks::{block, header};
use super::filter::Filter;
use super::{Outcome, Request, RpcError};
use crate::shared::Shared;

/// Polygon's chain id, as the tools that will talk to this expect it.
const CHAIN_ID: u64 = 137;

/// Ten POL for gas.
const NATIVE_BALANCE: u128 = 10_000_000_000_000_000_000;

/// Ten thousand dollars of pUSD, which has six decimals.
const PUSD_BALANCE: u64 = 10_000_000_000;

/// `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

pub(crate) fn call(shared: &Shared, request: &Request<'_>) -> Outcome {
    let first = request.params.first().unwrap_or(&Value::Null);
    match request.method {
        "eth_chainId" => Ok(text(&quantity(CHAIN_ID))),
        "net_version" => Ok(text(&CHAIN_ID.to_string())),
        "web3_clientVersion" => Ok(text(concat!("orderflow-devnet/", env!("CARGO_PKG_VERSION")))),
        "eth_syncing" => Ok("false".to_owned()),
        "eth_blockNumber" => Ok(text(&quantity(shared.read().chain.head().map_or(0, |block| block.number)))),
        "eth_getBlockByNumber" => block_by_number(shared, first, request.params.get(1)),
        "eth_getBlockByHash" => block_by_hash(shared, first, request.params.get(1)),
        "eth_getLogs" => Filter::read(first)?.answer(shared),
        "eth_getBalance" => {
            let funded = read_address(first)? == shared.account.address;
            Ok(text(&format!("{:#x}", if funded { NATIVE_BALANCE } else { 0 })))
        }
        "eth_call" => eth_call(shared, first),
        "eth_subscribe" | "eth_unsubscribe" => {
            Err(RpcError::new(-32601, "notifications not supported on this connection"))
        }
        method => Err(RpcError::new(-32601, format!("the method {method} does not exist/is not available"))),
    }
}

fn block_by_number(shared: &Shared, tag: &Value, full: Option<&Value>) -> Outcome {
    refuse_bodies(full)?;
    let state = shared.read();
    let found = match tag.as_str() {
        Some("latest" | "pending") => state.chain.head(),
        Some("earliest") => state.chain.first(),
        // What is four blocks deep counts as final here, as it does on the real chain after a few seconds.
        Some("finalized" | "safe") => {
            let head = state.chain.head().map_or(0, |block| block.number);
            state.chain.by_number(head.saturating_sub(4)).or_else(|| state.chain.first())
        }
        _ => state.chain.by_number(read_quantity(tag)?),
    };
    Ok(found.map_or_else(|| "null".to_owned(), |found| block(found).to_string()))
}

fn block_by_hash(shared: &Shared, hash: &Value, full: Option<&Value>) -> Outcome {
    refuse_bodies(full)?;
    let hash = read_hash(hash)?;
    let state = shared.read();
    Ok(state.chain.by_hash(hash).map_or_else(|| "null".to_owned(), |found| block(found).to_string()))
}

/// Transactions have hashes and logs here, but no bodies.
fn refuse_bodies(full: Option<&Value>) -> Result<(), RpcError> {
    match full {
        Some(Value::Bool(true)) => Err(RpcError::invalid_params("full transactions are not available")),
        _ => Ok(()),
    }
}

/// The only contract that answers is pUSD, and only about balances.
fn eth_call(shared: &Shared, call: &Value) -> Outcome {
    let to = read_address(&call["to"])?;
    let input = if call["input"].is_null() { &call["data"] } else { &call["input"] };
    let input = input.as_str().and_then(|text| hex::decode(text).ok());
    let input = input.ok_or_else(|| RpcError::invalid_params("invalid argument 0: data"))?;
    match input.split_first_chunk::<4>() {
        Some((&BALANCE_OF, owner)) if to == PUSD && owner.len() == 32 => {
            let funded = Address::from_slice(&owner[12..]) == shared.account.address;
            let balance = U256::from(if funded { PUSD_BALANCE } else { 0 });
            Ok(text(&format!("{}", B256::from(balance))))
        }
        Some(_) if to == PUSD => Err(RpcError::new(3, "execution reverted")),
        // An address without code answers nothing.
        _ => Ok(text("0x")),
    }
}

/// A subscriber's view of a block.
pub(crate) fn head(found: &crate::chain::Block) -> Value {
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
