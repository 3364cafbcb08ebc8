//! From a raw log to what happened.
//!
//! The emitter is asked first and the topic second: the same topic from a contract that is not the
//! protocol's own means nothing, because others deploy forks of this ABI. What is recognised must then hold
//! exactly: the right number of words, clean padding, the one canonical encoding. A contract cannot emit
//! anything else, so whatever else arrives was damaged or invented on its way, or the contract was upgraded;
//! all three belong into quarantine, not into the ledger.

mod block;
mod exchange;
mod modules;
mod positions;
#[cfg(test)]
mod sample;
mod words;

use domain::{ChainEvent, TxHash};

use crate::contracts::{self, Kind};
use crate::log::RawLog;
pub use block::{DecodedBlock, UnreadableLog, decode_block};

/// What a log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Something that counts.
    Event(ChainEvent),
    /// Nothing this system reads: another event, or another contract.
    Unknown,
}

/// A log that is one of ours and yet cannot be what its contract writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("log {log_index} of transaction {tx_hash} in block {block_number} cannot be decoded: {reason}")]
pub struct Undecodable {
    /// The block's height.
    pub block_number: u64,
    /// The transaction.
    pub tx_hash: TxHash,
    /// The log's index in the block.
    pub log_index: u32,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Another number of indexed words than the event has.
    #[error("{found} topics instead of {expected}")]
    TopicCount {
        /// What the event has, its signature included.
        expected: usize,
        /// What the log has.
        found: usize,
    },
    /// The data is cut short or too long.
    #[error("{found} bytes of data instead of {expected}")]
    BodyLength {
        /// What the event has.
        expected: usize,
        /// What the log has.
        found: usize,
    },
    /// An array that is not where the one canonical encoding puts it.
    #[error("the array `{field}` does not start where it should")]
    ArrayOffset {
        /// The array.
        field: &'static str,
    },
    /// An array whose length does not agree with the bytes that are there.
    #[error("the array `{field}` does not have the length it claims")]
    ArrayLength {
        /// The array.
        field: &'static str,
    },
    /// An address with something in the twelve bytes before it.
    #[error("`{field}` is no address: its upper bytes are not zero")]
    DirtyAddress {
        /// The field.
        field: &'static str,
    },
    /// A short identifier with something in the bytes behind it.
    #[error("`{field}` is longer than its type: its padding is not zero")]
    DirtyPadding {
        /// The field.
        field: &'static str,
    },
    /// A side with something in the bytes before it.
    #[error("the side is no 8-bit number: its upper bytes are not zero")]
    DirtySide,
    /// A side that is neither 0 (buy) nor 1 (sell).
    #[error("the side is {0}, neither 0 nor 1")]
    UnknownSide(u8),
    /// A V1 order that gives and gets dollars.
    #[error("both assets are the dollar")]
    NoToken,
    /// A V1 order that gives and gets tokens.
    #[error("neither asset is the dollar")]
    NoDollar,
    /// An amount beyond 2^63 millionths, which nobody owns.
    #[error("`{field}` does not fit 63 bits")]
    AmountTooLarge {
        /// The field.
        field: &'static str,
    },
    /// The index of a condition beyond the 256 that have a bit in a set of them.
    #[error("the condition's index is beyond the 256 of a set")]
    IndexTooLarge,
    /// A prepared condition whose id is not the hash of its oracle, question and outcomes.
    #[error("the condition is not the hash of its oracle, question and outcomes")]
    WrongCondition,
    /// A payout numerator beyond 64 bits.
    #[error("the payout of outcome {outcome} does not fit 64 bits")]
    PayoutTooLarge {
        /// The outcome, from 0.
        outcome: usize,
    },
    /// Another number of payouts than outcomes.
    #[error("the payouts are not as many as the outcomes")]
    PayoutCount,
    /// Payouts that are all zero, or whose sum does not fit 64 bits.
    #[error("the payouts sum to zero or beyond 64 bits")]
    PayoutSum,
    /// Payouts in parts per million that do not sum to a million.
    #[error("the payouts sum to {0} instead of 1000000 parts per million")]
    PayoutPpm(u64),
}

/// What a log says.
///
/// # Errors
/// Where the log is of a known event of a known contract, yet not as that contract writes it.
pub fn decode(log: &RawLog) -> Result<Decoded, Undecodable> {
    match recognise(log) {
        Ok(Some(event)) => Ok(Decoded::Event(event)),
        Ok(None) => Ok(Decoded::Unknown),
        Err(reason) => Err(Undecodable {
            block_number: log.block_number,
            tx_hash: log.tx_hash,
            log_index: log.log_index,
            reason,
        }),
    }
}

fn recognise(log: &RawLog) -> Result<Option<ChainEvent>, Reason> {
    let (Some(topic), Some(kind)) = (log.topics.first().copied(), contracts::kind_of(log.address)) else {
        return Ok(None);
    };
    match kind {
        Kind::Exchange(exchange) => exchange::decode(exchange, topic, log),
        Kind::FeeModule => exchange::fee_module(topic, log),
        Kind::ConditionalTokens => positions::conditional_tokens(topic, log),
        Kind::NegRiskAdapter => positions::neg_risk_adapter(topic, log),
        Kind::CollateralAdapter => positions::collateral_adapter(topic, log),
        Kind::AutoRedeemer => positions::auto_redeemer(topic, log),
        Kind::Module(module) => modules::decode(module, topic, log),
        Kind::Other => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::LogData;
    use domain::Timestamp;

    use super::sample::{USER, at, recorded};
    use super::*;
    use crate::contracts::{CONDITIONAL_TOKENS, watched_topics};

    #[test]
    fn every_watched_topic_from_a_stranger_is_unknown() {
        for topic in watched_topics() {
            let mut log = at(USER, LogData::default());
            log.topics = [topic].into();
            assert_eq!(decode(&log), Ok(Decoded::Unknown));
        }
        assert_eq!(decode(&at(CONDITIONAL_TOKENS, LogData::default())), Ok(Decoded::Unknown));
    }

    #[test]
    fn the_place_is_the_logs_own() {
        let [log, ..] = recorded();
        let place = log.place(Timestamp::from_seconds(1_775_220_779));
        assert_eq!((place.block_number, place.log_index), (85_050_371, 257));
        assert_eq!(Some(place.block_time), log.block_timestamp);
    }
}
