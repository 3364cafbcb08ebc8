//! Receipts: all logs of a transaction, whoever asks for which.

use alloy_primitives::{Address, B256, address};
use polygon::log::RawLog;
use serde_json::{Value, json};

use super::blocks::bloom;
use super::methods::quantity;
use crate::chain::Block;

/// The account that sends the exchange's transactions.
const OPERATOR: Address = address!("2f1CC78B6945d57c342273d42f13cdB5488FEb15");

/// What a transaction costs here.
const GAS: u64 = 180_000;

/// The receipt of a block's transaction; `None` where it has no such transaction.
pub(super) fn receipt(block: &Block, tx: B256) -> Option<Value> {
    let index = block.txs.iter().position(|one| *one == tx)? as u64;
    let logs: Vec<&RawLog> = block.logs.iter().filter(|log| log.tx_hash.0 == tx).collect();
    Some(json!({
        "status": "0x1",
        "type": "0x2",
        "transactionHash": tx,
        "transactionIndex": quantity(index),
        "blockHash": block.hash,
        "blockNumber": quantity(block.number),
        "from": OPERATOR,
        "to": logs.last().map(|log| log.address),
        "contractAddress": null,
        "gasUsed": quantity(GAS),
        "cumulativeGasUsed": quantity(GAS * (index + 1)),
        "effectiveGasPrice": quantity(30_000_000_000),
        "logsBloom": bloom(logs.iter().copied()),
        "logs": logs,
    }))
}

/// The receipts of all transactions of a block, in order.
pub(super) fn receipts(block: &Block) -> Vec<Value> {
    block.txs.iter().filter_map(|tx| receipt(block, *tx)).collect()
}
