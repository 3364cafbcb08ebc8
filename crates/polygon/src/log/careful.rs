//! The second way to read logs, for answers in which something is wrong: slow, and exact about what.

use std::fmt;

use domain::{BlockHash, TxHash};
use serde_json::{Map, Value};

use super::{LogList, MalformedLog, RawLog, Topics};
use crate::hex;

/// How many characters of a malformed log are kept.
const KEPT: usize = 2_000;

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
        let unknown = Value::String(BlockHash::default().to_string());
        log.entry("blockHash").or_insert(unknown);
    }
}

/// Reads the logs of a JSON array that has been parsed already.
fn logs_from_value(value: &Value) -> Result<Vec<RawLog>, LogParseError> {
    let read = |(index, log)| RawLog::from_value(log).map_err(|flaw| LogParseError::Log { index, flaw });
    items(value)?.iter().enumerate().map(read).collect()
}

impl LogList {
    /// Reads the logs of a JSON array that has been parsed already, and keeps aside those that cannot be read.
    ///
    /// # Errors
    /// Where it is no array.
    pub fn from_value(value: &Value) -> Result<Self, LogParseError> {
        let items = items(value)?;
        let mut list = Self { logs: Vec::with_capacity(items.len()), malformed: vec![] };
        for item in items {
            match RawLog::from_value(item) {
                Ok(log) => list.logs.push(log),
                Err(flaw) => list.malformed.push(MalformedLog {
                    reason: flaw.to_string(),
                    raw: item.to_string().chars().take(KEPT).collect(),
                    block_number: item.get("blockNumber").and_then(hex::number),
                    log_index: item.get("logIndex").and_then(hex::number_32),
                }),
            }
        }
        Ok(list)
    }
}

fn items(value: &Value) -> Result<&Vec<Value>, LogParseError> {
    value.as_array().ok_or(LogParseError::NotAnArray { found: hex::name_of(value) })
}

impl RawLog {
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

fn topics(value: &Value) -> Option<Topics> {
    let words: Vec<_> = value.as_array()?.iter().map(hex::fixed).collect::<Option<_>>()?;
    Topics::try_from(words.as_slice()).ok()
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
