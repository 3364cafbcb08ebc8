//! When something happened on the chain.

use domain::{BlockHash, ChainEvent, Fact, Place, Timestamp, TxHash};

/// What happened at an hour.
pub(crate) fn fact(hour: i64, event: ChainEvent) -> Fact {
    let place = Place {
        block_number: hour.unsigned_abs(),
        block_hash: BlockHash::default(),
        block_time: Timestamp::from_micros(hour * Timestamp::HOUR),
        tx_hash: TxHash::default(),
        log_index: 0,
    };
    Fact { place, event }
}
