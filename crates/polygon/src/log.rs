//! A log as a node tells it, before anybody knows what it means.

mod careful;
mod swift;
mod topics;

use alloy_primitives::{Address, Bytes};
use domain::{BlockHash, Place, Timestamp, TxHash};
use serde::ser::{Serialize, SerializeStruct, Serializer};

pub use careful::{FieldError, LogParseError, Problem, parse_logs};
pub(crate) use swift::Hex;
pub use topics::{TooManyTopics, Topics};

/// One log in the form of `eth_getLogs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLog {
    /// The contract that emitted it.
    pub address: Address,
    /// The indexed words, the event's signature first; a node may send none.
    pub topics: Topics,
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

/// A log of an answer that cannot be read, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedLog {
    /// What is wrong with it.
    pub reason: String,
    /// Its text, cut to 2,000 characters.
    pub raw: String,
    /// The block it names, if that can be read.
    pub block_number: Option<u64>,
    /// The index it names, if that can be read.
    pub log_index: Option<u32>,
}

/// The logs of an answer: those that read and those that do not. One malformed log never spoils the others.
///
/// `Deserialize` is the fast way and fails if any log is malformed. The text is then to be parsed as a
/// [`serde_json::Value`] and read again by [`LogList::from_value`], which keeps only the malformed ones aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogList {
    /// The logs that read, in the order of the answer.
    pub logs: Vec<RawLog>,
    /// Those that do not.
    pub malformed: Vec<MalformedLog>,
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
    use serde_json::{Value, json};

    use super::*;

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

    #[test]
    fn an_answer_of_sound_logs_is_read_at_once() {
        let text = json!([sample(), without("blockTimestamp")]).to_string();
        let list: LogList = serde_json::from_str(&text).unwrap();
        assert_eq!(list.logs, parse_logs(text.as_bytes()).unwrap());
        assert_eq!(list, LogList::from_value(&json!([sample(), without("blockTimestamp")])).unwrap());
        // Escapes are another form of the same text.
        let escaped = text.replace("0x3d2", "\\u0030x3d2");
        assert_eq!(serde_json::from_str::<LogList>(&escaped).unwrap(), list);
    }

    #[test]
    fn one_malformed_log_does_not_spoil_the_others() {
        let long = with("data", json!(format!("0x{}", "q".repeat(5_000))));
        let list = json!([sample(), with("address", json!("0x12")), 7, long, sample()]);
        assert!(serde_json::from_str::<LogList>(&list.to_string()).is_err());
        let LogList { logs, malformed } = LogList::from_value(&list).unwrap();
        assert_eq!(logs.len(), 2);
        let [short, number, long] = malformed.try_into().unwrap();
        assert_eq!(short.reason, "field `address` is \"0x12\", not a 0x-address of 20 bytes");
        assert_eq!((short.block_number, short.log_index), (Some(87_909_517), Some(978)));
        assert!(short.raw.contains("\"0x12\""));
        assert_eq!((number.reason.as_str(), number.raw.as_str()), ("a number instead of an object", "7"));
        assert_eq!((number.block_number, number.log_index), (None, None));
        assert_eq!(long.raw.len(), 2_000);
        assert!(LogList::from_value(&json!({})).is_err());
    }

    #[test]
    fn both_ways_of_reading_accept_and_refuse_the_same() {
        let mut texts: Vec<Value> =
            ["\"0x12\"", "null", "7", "[]", "{}", "true", "\"\"", "\"0x\"", "\"0x0x\""]
                .map(|text| serde_json::from_str(text).unwrap())
                .into();
        texts.extend(
            ["0x6a0955e4", "0xffffffffffffffff", "0x00000000000000000001", "0xFF", "0X1"].map(Value::from),
        );
        texts.extend(sample().as_object().unwrap().values().cloned());
        texts.push(json!([sample()["blockHash"], null]));
        let mut fields: Vec<String> = sample().as_object().unwrap().keys().cloned().collect();
        fields.push("somewhen".to_owned());
        let (mut sound, mut unsound) = (0, 0);
        for field in &fields {
            let changed = texts.iter().map(|text| with(field, text.clone()));
            for log in changed.chain([without(field)]) {
                let careful = LogList::from_value(&json!([log])).unwrap();
                let swift = serde_json::from_str::<LogList>(&json!([log]).to_string());
                assert_eq!(swift.is_ok(), careful.malformed.is_empty(), "{log}");
                if let Ok(swift) = swift {
                    assert_eq!(swift, careful);
                    sound += 1;
                } else {
                    unsound += 1;
                }
            }
        }
        assert!(sound > 40 && unsound > 100, "{sound} {unsound}");
    }
}
