//! Headers of recorded blocks, with every field a client might insist on.

use alloy_primitives::{Address, B256, Bloom, keccak256};
use serde_json::{Value, json};

use super::recording::Recording;

/// The header alone, as `newHeads` carries it. Its filter excludes nothing: whoever skips blocks by it skips none.
pub(super) fn header(recording: &Recording, block: usize) -> Value {
    let hash = recording.hash(Some(block));
    let root = |name: &[u8]| keccak256([name, hash.as_slice()].concat());
    json!({
        "number": format!("{:#x}", recording.number(block)),
        "hash": hash,
        "parentHash": recording.hash(block.checked_sub(1)),
        "timestamp": format!("{:#x}", recording.time(block).seconds()),
        "logsBloom": Bloom::repeat_byte(0xff),
        "miner": Address::ZERO,
        "difficulty": "0x1",
        "extraData": "0x",
        "gasLimit": "0x8583b00",
        "gasUsed": "0x2faf080",
        "baseFeePerGas": "0x6fc23ac00",
        "mixHash": B256::ZERO,
        "nonce": "0x0000000000000000",
        "receiptsRoot": root(b"receipts"),
        "sha3Uncles": keccak256([0xc0]),
        "stateRoot": root(b"state"),
        "transactionsRoot": root(b"transactions"),
    })
}

/// The block with the hashes of its transactions.
pub(super) fn block(recording: &Recording, block: usize) -> Value {
    let txs = recording.txs(block);
    let mut whole = header(recording, block);
    whole["size"] = json!(format!("{:#x}", 1_000 + 200 * txs.len()));
    whole["totalDifficulty"] = json!(format!("{:#x}", recording.number(block)));
    whole["transactions"] = json!(txs);
    whole["uncles"] = json!([]);
    whole
}
