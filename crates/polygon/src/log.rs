//! A log as a node tells it, before anybody knows what it means.

use std::fmt;

use alloy_primitives::{Address, B256, Bytes};
use domain::{BlockHash, Place, Timestamp, TxHash};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::{Map, Value};

use crate::hex;

/// One log in the form of `eth_getLogs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLog {
    /// The contract that emitted it.
    pub address: Address,
    /// The indexed words, the event's signature first; a node may send none.
    pub topics: Vec<B256>,
    /// The rest, ABI-encoded.
    pub data: Bytes,
    /// The block's height.
    pub block_number: u64,
    /// The block's hash.
    pub block_hash: BlockHash,
    /// The block's time, from nodes that say it with the log.
    pub block_timestamp: Option<Timestamp>,
    /// The transaction.
    pub tx_hash: TxHash,
    /// The log's index in the block.
    pub log_index: u32,
    /// Whether the node took it back because its block was reorganised away.
    pub removed: bool,
}

/// Why a text is not a list of logs.
#[derive(Debug, thiserror::Error)]
pub enum LogParseError {
    /// It is not JSON.
    #[error("the logs are not JSON")]
    Json(#[source] serde_json::Error),
    /// It is JSON, but neither an array nor a JSON-RPC answer with one.
    #[error("the logs are {found}, not an array")]
    NotAnArray {
        /// What stands there instead.
        found: &'static str,
    },
    /// One of the logs is malformed.
    #[error("log {index}: {flaw}")]
    Log {
        /// Its place in the array, from 0.
        index: usize,
        /// What is wrong with it.
        flaw: FieldError,
    },
}

/// What is wrong with one log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It is no object at all.
    #[error("{found} instead of an object")]
    NotAnObject {
        /// What stands there instead.
        found: &'static str,
    },
    /// One of its fields is missing or malformed.
    #[error("field `{field}` {problem}")]
    Field {
        /// The field, as JSON names it.
        field: &'static str,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The field is not there.
    Missing,
    /// The field is null, as in logs of blocks that are still pending.
    Null,
    /// The value is not what the field should hold.
    NotA {
        /// What it should be.
        expected: &'static str,
        /// What it is, cut short.
        found: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Null => f.write_str("is null"),
            Self::NotA { expected, found } => write!(f, "is {found}, not {expected}"),
        }
    }
}

/// Reads the logs of a JSON array, or of a JSON-RPC answer whose result is one.
///
/// Recordings are not always whole: a log may stand in an object of its own under `log`, and may have lost its
/// block's hash, which says where it was but not what it means. Such a hash is read as zero.
///
/// # Errors
/// Where the text is not JSON, not an array, or holds a malformed log: then which one, which field, and why.
pub fn parse_logs(json: &[u8]) -> Result<Vec<RawLog>, LogParseError> {
    let mut value: Value = serde_json::from_slice(json).map_err(LogParseError::Json)?;
    // An answer of a node saved to a file as it came.
    if let Some(result) = value.get_mut("result") {
        value = result.take();
    }
    value.as_array_mut().into_iter().flatten().for_each(complete);
    logs_from_value(&value)
}

/// Makes a recorded log whole enough to be read.
fn complete(recorded: &mut Value) {
    if let Some(inner) = recorded.get_mut("log").filter(|inner| inner.is_object()) {
        *recorded = inner.take();
    }
    if let Some(log) = recorded.as_object_mut() {
        log.entry("blockHash").or_insert_with(|| Value::String(format!("{:#x}", B256::ZERO)));
    }
}

/// Reads the logs of a JSON array that has been parsed already.
pub(crate) fn logs_from_value(value: &Value) -> Result<Vec<RawLog>, LogParseError> {
    let logs = value.as_array().ok_or(LogParseError::NotAnArray { found: hex::name_of(value) })?;
    let read = |(index, log)| RawLog::from_value(log).map_err(|flaw| LogParseError::Log { index, flaw });
    logs.iter().enumerate().map(read).collect()
}

impl RawLog {
    /// Where the log stands, given its block's time.
    #[must_use]
    pub const fn place(&self, block_time: Timestamp) -> Place {
        Place {
            block_number: self.block_number,
            block_hash: self.block_hash,
            block_time,
            tx_hash: self.tx_hash,
            log_index: self.log_index,
        }
    }

    fn from_value(value: &Value) -> Result<Self, FieldError> {
        let object = value.as_object().ok_or(FieldError::NotAnObject { found: hex::name_of(value) })?;
        Ok(Self {
            address: required(object, "address", "a 0x-address of 20 bytes", hex::fixed)?,
            topics: required(object, "topics", "an array of at most four 0x-words of 32 bytes", topics)?,
            data: required(object, "data", "0x-bytes", hex::bytes)?,
            block_number: required(object, "blockNumber", "a 0x-number of 64 bits", hex::number)?,
            block_hash: required(object, "blockHash", "a 0x-hash of 32 bytes", hex::fixed).map(BlockHash)?,
            block_timestamp: optional(
                object,
                "blockTimestamp",
                "0x-seconds before the year 10000",
                hex::time,
            )?,
            tx_hash: required(object, "transactionHash", "a 0x-hash of 32 bytes", hex::fixed).map(TxHash)?,
            log_index: required(object, "logIndex", "a 0x-number of 32 bits", hex::number_32)?,
            removed: optional(object, "removed", "true or false", Value::as_bool)?.unwrap_or(false),
        })
    }
}

fn topics(value: &Value) -> Option<Vec<B256>> {
    // The machine that emits them knows no log with more than four.
    value.as_array().filter(|words| words.len() <= 4)?.iter().map(hex::fixed).collect()
}

fn required<T>(
    object: &Map<String, Value>,
    field: &'static str,
    expected: &'static str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<T, FieldError> {
    let problem = match object.get(field) {
        None => Problem::Missing,
        Some(Value::Null) => Problem::Null,
        Some(value) => match read(value) {
            Some(read) => return Ok(read),
            None => Problem::NotA { expected, found: hex::cut(value) },
        },
    };
    Err(FieldError::Field { field, problem })
}

fn optional<T>(
    object: &Map<String, Value>,
    field: &'static str,
    expected: &'static str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<Option<T>, FieldError> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => required(object, field, expected, read).map(Some),
    }
}

impl<'de> Deserialize<'de> for RawLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The form of `eth_getLogs`, hex quantities and all.
impl Serialize for RawLog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = 8 + usize::from(self.block_timestamp.is_some());
        let mut log = serializer.serialize_struct("RawLog", fields)?;
        log.serialize_field("address", &format_args!("{:#x}", self.address))?;
        log.serialize_field("topics", &self.topics)?;
        log.serialize_field("data", &self.data)?;
        log.serialize_field("blockNumber", &format_args!("{:#x}", self.block_number))?;
        log.serialize_field("blockHash", &format_args!("{}", self.block_hash))?;
        match self.block_timestamp {
            Some(time) => log.serialize_field("blockTimestamp", &format_args!("{:#x}", time.seconds()))?,
            None => log.skip_field("blockTimestamp")?,
        }
        log.serialize_field("transactionHash", &format_args!("{}", self.tx_hash))?;
        log.serialize_field("logIndex", &format_args!("{:#x}", self.log_index))?;
        log.serialize_field("removed", &self.removed)?;
        log.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        json!({
            "address": "0xe111180000d2663c0091e4f400237545b87b996b",
            "topics": ["0x55bb3cade9d43b798a4fe5ffdd05024b2d7870df53920673bfc7e68047cd0ab1"],
            "data": "0x0102",
            "blockNumber": "0x53d648d",
            "transactionHash": "0x03beb7ad6347d3d73cd47eb7b620869786f659e0f995f9ff4c70b43987da9da1",
            "transactionIndex": "0x1",
            "blockHash": "0xfe5dcbc7d7e72591cef4b5e98a5d36033f7bdf08ace1ff609d39bf2270e0da1e",
            "blockTimestamp": "0x6a0955e4",
            "logIndex": "0x3d2",
            "removed": false,
            "someday": { "another": "field" }
        })
    }

    fn without(field: &str) -> Value {
        let mut log = sample();
        log.as_object_mut().unwrap().remove(field);
        log
    }

    fn with(field: &str, value: Value) -> Value {
        let mut log = sample();
        log[field] = value;
        log
    }

    fn problem(log: Value) -> String {
        parse_logs(json!([sample(), log]).to_string().as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_log_reads_and_writes_the_same() {
        let log: RawLog = serde_json::from_value(sample()).unwrap();
        assert_eq!(log.block_number, 87_909_517);
        assert_eq!(log.log_index, 978);
        assert_eq!(log.block_timestamp.unwrap().seconds(), 1_778_996_708);
        assert_eq!(log.data.as_ref(), [1, 2]);
        let mut expected = without("transactionIndex");
        expected.as_object_mut().unwrap().remove("someday");
        assert_eq!(serde_json::to_value(&log).unwrap(), expected);
    }

    #[test]
    fn time_and_removal_may_be_left_out() {
        let log: RawLog = serde_json::from_value(without("blockTimestamp")).unwrap();
        assert_eq!(log.block_timestamp, None);
        assert_eq!(serde_json::from_value::<RawLog>(serde_json::to_value(&log).unwrap()).unwrap(), log);
        assert!(!serde_json::from_value::<RawLog>(without("removed")).unwrap().removed);
        assert!(serde_json::from_value::<RawLog>(with("removed", json!(true))).unwrap().removed);
    }

    #[test]
    fn an_answer_of_a_node_is_as_good_as_its_array() {
        let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": [sample()] });
        assert_eq!(parse_logs(answer.to_string().as_bytes()).unwrap().len(), 1);
    }

    #[test]
    fn errors_name_the_log_and_the_field() {
        assert_eq!(problem(without("address")), "log 1: field `address` is missing");
        assert_eq!(problem(with("blockNumber", Value::Null)), "log 1: field `blockNumber` is null");
        assert_eq!(
            problem(with("logIndex", json!("0x100000000"))),
            "log 1: field `logIndex` is \"0x100000000\", not a 0x-number of 32 bits"
        );
        assert_eq!(
            problem(with("topics", json!(["0x12"]))),
            "log 1: field `topics` is [\"0x12\"], not an array of at most four 0x-words of 32 bytes"
        );
        assert_eq!(problem(json!(7)), "log 1: a number instead of an object");
        assert!(matches!(parse_logs(b"{}"), Err(LogParseError::NotAnArray { found: "an object" })));
        assert!(matches!(parse_logs(b"[{"), Err(LogParseError::Json(_))));
    }

    #[test]
    fn a_field_that_is_almost_right_is_wrong() {
        let wrong = [
            ("address", json!("e111180000d2663c0091e4f400237545b87b996b")),
            ("data", json!("0x123")),
            ("data", json!("0xzz")),
            ("blockNumber", json!(87_909_517)),
            ("blockNumber", json!("0x")),
            ("blockNumber", json!("0x+1")),
            ("blockNumber", json!("0x10000000000000000")),
            ("blockTimestamp", json!("0xffffffffffffffff")),
            ("removed", json!("no")),
            (
                "topics",
                json!([
                    sample()["blockHash"],
                    sample()["blockHash"],
                    sample()["blockHash"],
                    sample()["blockHash"],
                    sample()["blockHash"]
                ]),
            ),
        ];
        for (field, value) in wrong {
            let text = problem(with(field, value));
            assert!(text.starts_with(&format!("log 1: field `{field}` is ")), "{text}");
        }
    }
}
