//! What the decoder's tests share: recorded logs, and logs made from events.

use alloy_primitives::{Address, B256, LogData, address, b256};
use domain::{BlockHash, ChainEvent, Shares, TxHash};

use super::{Decoded, Reason, decode};
use crate::log::{RawLog, parse_logs};

pub(super) const USER: Address = address!("0e8d61f16a2373931ffbfc2993f046e33286dfcc");
pub(super) const CONDITION: B256 = b256!("182390641d3b1b47cc64274b9da290efd04221c586651ba190880713da6347d9");

/// Logs from the chain: a V2 taker's purchase, a V1 maker's purchase, a V2 taker's sale with its fee, and a
/// split of the conditional tokens.
pub(super) fn recorded() -> [RawLog; 4] {
    parse_logs(include_bytes!("../../tests/logs.json")).unwrap().try_into().unwrap()
}

pub(super) fn at(address: Address, event: LogData) -> RawLog {
    let (topics, data) = event.split();
    RawLog {
        address,
        topics: topics.try_into().unwrap(),
        data,
        block_number: 7,
        block_hash: BlockHash(B256::repeat_byte(1)),
        block_timestamp: None,
        tx_hash: TxHash(B256::repeat_byte(2)),
        log_index: 3,
        removed: false,
    }
}

pub(super) fn event(log: &RawLog) -> ChainEvent {
    match decode(log).unwrap() {
        Decoded::Event(event) => event,
        Decoded::Unknown => panic!("{log:?} is unknown"),
    }
}

pub(super) fn reason(log: &RawLog) -> Reason {
    decode(log).unwrap_err().reason
}

pub(super) fn micros(amount: i64) -> Shares {
    Shares::from_micros(amount)
}
