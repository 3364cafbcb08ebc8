//! Blocks as a node writes them, every field a client might insist on included.

use alloy_primitives::{Address, B256, Bloom, BloomInput, keccak256};
use polygon::log::RawLog;
use serde_json::{Value, json};

use super::methods::quantity;
use crate::chain::Block;

/// The hash of the empty list of uncles, which every block since the merge of time has.
const NO_UNCLES: &str = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";

/// A block with the hashes of its transactions.
pub(crate) fn block(found: &Block) -> Value {
    let mut block = header(found);
    block["size"] = json!(quantity(1_000 + 200 * found.txs.len() as u64));
    block["totalDifficulty"] = json!(quantity(found.number));
    block["transactions"] = json!(found.txs);
    block["uncles"] = json!([]);
    block
}

/// The header alone, as `newHeads` carries it.
pub(crate) fn header(found: &Block) -> Value {
    // Roots of tries nobody keeps here: different for each block, and always the same for it.
    let root = |name: &[u8]| keccak256([name, found.hash.as_slice()].concat());
    let used = 21_000 + 180_000 * found.txs.len() as u64;
    json!({
        "number": quantity(found.number),
        "hash": found.hash,
        "parentHash": found.parent,
        "timestamp": quantity(u64::try_from(found.at.seconds()).unwrap_or(0)),
        "logsBloom": found.bloom(),
        "miner": Address::ZERO,
        "difficulty": "0x1",
        "extraData": "0x",
        "gasLimit": quantity(140_000_000),
        "gasUsed": quantity(used.min(140_000_000)),
        "baseFeePerGas": quantity(30_000_000_000),
        "mixHash": B256::ZERO,
        "nonce": "0x0000000000000000",
        "receiptsRoot": root(b"receipts"),
        "sha3Uncles": NO_UNCLES,
        "stateRoot": root(b"state"),
        "transactionsRoot": root(b"transactions"),
    })
}

/// The real filter over addresses and topics: clients skip blocks by it.
pub(crate) fn bloom<'a>(logs: impl IntoIterator<Item = &'a RawLog>) -> Bloom {
    let mut bloom = Bloom::ZERO;
    for log in logs {
        bloom.accrue(BloomInput::Raw(log.address.as_slice()));
        for topic in log.topics.iter() {
            bloom.accrue(BloomInput::Raw(topic.as_slice()));
        }
    }
    bloom
}
