//! One line of a portal's answer: a block with its logs.

use alloy_primitives::{Address, B256, Bytes};
use domain::{BlockHash, TxHash};
use serde::Deserialize;
use serde_json::{Value, json};

use super::PortalSettings;
use crate::follow::{BlockPoint, ChainBlock};
use crate::hex;
use crate::log::{Hex, LogList, MalformedLog, RawLog, Topics};
use crate::rpc::BlockHeader;

/// A block as a portal tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) header: BlockHeader,
    logs: Vec<RawLog>,
    malformed: Vec<MalformedLog>,
}

#[derive(Deserialize)]
struct Swift {
    header: Header,
    #[serde(default)]
    logs: Vec<Log>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    number: u64,
    hash: Hex<B256>,
    parent_hash: Hex<B256>,
    /// Seconds.
    timestamp: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    address: Hex<Address>,
    topics: Topics,
    data: Hex<Bytes>,
    transaction_hash: Hex<B256>,
    log_index: u32,
}

impl Header {
    fn read(self) -> Result<BlockHeader, String> {
        let Self { number, hash: Hex(hash), parent_hash: Hex(parent), timestamp } = self;
        let time = hex::time_of(timestamp).ok_or("the block's time is beyond the year 9999")?;
        Ok(BlockHeader { number, hash: BlockHash(hash), parent_hash: BlockHash(parent), time })
    }
}

impl Log {
    fn read(self, header: &BlockHeader) -> RawLog {
        RawLog {
            address: self.address.0,
            topics: self.topics,
            data: self.data.0,
            block_number: header.number,
            block_hash: header.hash,
            block_timestamp: Some(header.time),
            tx_hash: TxHash(self.transaction_hash.0),
            log_index: self.log_index,
            removed: false,
        }
    }
}

impl Line {
    /// Reads a line and holds it against the block before it: the next height, and where that block is known, its
    /// child.
    pub(super) fn next(
        text: &[u8],
        before: Option<BlockPoint>,
        expected: u64,
        settings: &PortalSettings,
    ) -> Result<Self, String> {
        let mut line = Self::read(text)?;
        line.check(&settings.addresses, &settings.topics)?;
        let BlockHeader { number, parent_hash, .. } = line.header;
        if number != expected {
            return Err(format!("block {number} instead of {expected}"));
        }
        if before.is_some_and(|before| before.hash != parent_hash) {
            return Err(format!("block {number} does not follow the one before it"));
        }
        Ok(line)
    }

    /// Reads a line, first the swift way, and if that fails with each log for itself.
    fn read(text: &[u8]) -> Result<Self, String> {
        let Ok(Swift { header, logs }) = serde_json::from_slice(text) else {
            return Self::read_carefully(text);
        };
        let header = header.read()?;
        let logs = logs.into_iter().map(|log| log.read(&header)).collect();
        Ok(Self { header, logs, malformed: vec![] })
    }

    fn read_carefully(text: &[u8]) -> Result<Self, String> {
        let mut value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let header = value.get_mut("header").map(Value::take).ok_or("a line without a header")?;
        let header: Header = serde_json::from_value(header).map_err(|error| format!("header: {error}"))?;
        let header = header.read()?;
        let mut logs = value.get_mut("logs").map_or(Value::Null, Value::take);
        if logs.is_null() {
            logs = json!([]);
        }
        logs.as_array_mut().into_iter().flatten().for_each(|log| complete(log, &header));
        let LogList { mut logs, malformed } =
            LogList::from_value(&logs).map_err(|error| error.to_string())?;
        for log in &mut logs {
            log.block_timestamp = Some(header.time);
        }
        Ok(Self { header, logs, malformed })
    }

    /// What is wrong with the logs beyond their form: that they were not asked for, or say two things at once.
    fn check(&mut self, addresses: &[Address], topics: &[B256]) -> Result<(), String> {
        let number = self.header.number;
        for log in &self.logs {
            if !addresses.is_empty() && !addresses.contains(&log.address) {
                return Err(format!("a log of contract {}, which was not asked for", log.address));
            }
            let is_wanted = |topic| topics.contains(topic);
            if !topics.is_empty() && !log.topics.first().is_some_and(is_wanted) {
                return Err(format!("a log of block {number} with a topic that was not asked for"));
            }
        }
        self.logs.sort_by_key(|log| log.log_index);
        self.logs.dedup();
        match self.logs.windows(2).find(|pair| pair[0].log_index == pair[1].log_index) {
            Some(pair) => Err(format!("block {number} has two logs with index {}", pair[0].log_index)),
            None => Ok(()),
        }
    }

    pub(super) fn malformed(&self) -> &[MalformedLog] {
        &self.malformed
    }

    pub(super) const fn count(&self) -> usize {
        self.logs.len()
    }

    /// The block; `None` where it has no logs.
    pub(super) fn block(self) -> Option<ChainBlock> {
        let BlockHeader { number, hash, parent_hash, time } = self.header;
        let is_empty = self.logs.is_empty() && self.malformed.is_empty();
        (!is_empty).then_some(ChainBlock {
            number,
            hash,
            parent: Some(parent_hash),
            time,
            logs: self.logs,
            malformed: self.malformed,
            receipts: vec![],
        })
    }
}

/// Gives a log what it lacks of a node's form: its block, and its index as a hexadecimal quantity.
fn complete(log: &mut Value, header: &BlockHeader) {
    let Some(fields) = log.as_object_mut() else { return };
    fields.insert("blockNumber".to_owned(), format!("{:#x}", header.number).into());
    fields.insert("blockHash".to_owned(), header.hash.to_string().into());
    if let Some(index) = fields.get("logIndex").and_then(Value::as_u64) {
        fields.insert("logIndex".to_owned(), format!("{index:#x}").into());
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    const ADDRESS: Address = Address::repeat_byte(7);
    const TOPIC: B256 = B256::repeat_byte(8);

    fn log(index: u32) -> Value {
        json!({
            "address": ADDRESS, "topics": [TOPIC], "data": "0x0102", "transactionHash": B256::repeat_byte(3),
            "transactionIndex": 4, "logIndex": index,
        })
    }

    fn line(logs: &[Value]) -> Value {
        let header = json!({
            "number": 9, "hash": B256::repeat_byte(9), "parentHash": B256::repeat_byte(1), "timestamp": 1_775_220_779,
        });
        json!({ "header": header, "logs": logs })
    }

    fn read(value: &Value) -> Result<Line, String> {
        let mut line = Line::read(value.to_string().as_bytes())?;
        line.check(&[ADDRESS], &[TOPIC])?;
        Ok(line)
    }

    #[test]
    fn a_block_is_read_with_its_place_on_each_log() {
        let block = read(&line(&[log(5), log(2), log(5)])).unwrap().block().unwrap();
        assert_eq!((block.number, block.parent), (9, Some(BlockHash(B256::repeat_byte(1)))));
        assert_eq!(block.logs.iter().map(|log| log.log_index).collect::<Vec<_>>(), [2, 5]);
        let log = &block.logs[0];
        assert_eq!((log.block_number, log.block_hash), (9, block.hash));
        assert_eq!(log.block_timestamp, Some(Timestamp::from_seconds(1_775_220_779)));
        let mut bare = line(&[]);
        bare.as_object_mut().unwrap().remove("logs");
        assert_eq!(read(&bare).unwrap().block(), None);
        bare["logs"] = Value::Null;
        assert_eq!(read(&bare).unwrap().block(), None);
    }

    #[test]
    fn a_malformed_log_is_set_aside_and_the_others_are_the_same_as_ever() {
        let mut short = log(3);
        short["address"] = json!("0x07");
        let mut unplaced = log(0);
        unplaced["logIndex"] = json!("first");
        let read_carefully = read(&line(&[log(2), short, unplaced])).unwrap().block().unwrap();
        assert_eq!(read_carefully.logs, read(&line(&[log(2)])).unwrap().block().unwrap().logs);
        let [short, unplaced] = read_carefully.malformed.try_into().unwrap();
        assert_eq!((short.block_number, short.log_index), (Some(9), Some(3)));
        assert_eq!(unplaced.log_index, None);
        assert!(unplaced.reason.starts_with("field `logIndex` is \"first\""), "{}", unplaced.reason);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        let mut wrong = vec![json!([]), json!({ "header": 7 }), json!({ "logs": [] })];
        for (field, value) in [
            ("number", json!("0x9")),
            ("hash", json!("0x12")),
            ("parentHash", Value::Null),
            ("timestamp", json!(253_402_300_800_u64)),
            ("timestamp", json!(-1)),
        ] {
            let mut changed = line(&[]);
            changed["header"][field] = value;
            wrong.push(changed);
        }
        let mut logs = line(&[]);
        logs["logs"] = json!({});
        wrong.push(logs);
        for wrong in wrong {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
        assert!(Line::read(b"<html>").is_err());
    }

    #[test]
    fn what_was_not_asked_for_and_what_contradicts_itself_is_refused() {
        for (field, value) in [
            ("address", json!(Address::repeat_byte(1))),
            ("topics", json!([])),
            ("topics", json!([B256::ZERO])),
        ] {
            let mut foreign = log(1);
            foreign[field] = value;
            assert!(read(&line(&[foreign])).unwrap_err().contains("not asked for"), "{field}");
        }
        let mut twin = log(1);
        twin["data"] = json!("0x");
        assert_eq!(read(&line(&[log(1), twin])).unwrap_err(), "block 9 has two logs with index 1");
    }
}
