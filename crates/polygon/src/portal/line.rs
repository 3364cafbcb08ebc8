//! One line of a portal's answer: a block with its logs.

use alloy_primitives::{Address, B256, Bytes};
use domain::{BlockHash, TxHash};
use serde::Deserialize;
use serde_json::{Value, json};

use super::PortalSettings;
use crate::attribute::{LEDGERS, TRANSFERS, is_transfer, wanting_receipts};
use crate::contracts::hiding_users;
use crate::follow::range::{Asked, Inconsistency, group};
use crate::follow::{BlockPoint, ChainBlock, Receipt};
use crate::hex;
use crate::log::{Hex, LogList, MalformedLog, RawLog, Topics};
use crate::rpc::BlockHeader;

/// A block as a portal tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) header: BlockHeader,
    logs: Vec<RawLog>,
    malformed: Vec<MalformedLog>,
    /// Transfers of shares from and to contracts that hide users.
    transfers: Vec<RawLog>,
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
        let (header, list) = read(text)?;
        let PortalSettings { addresses, topics, .. } = settings;
        let line = Self::checked(header, list, addresses, topics).map_err(|why| why.to_string())?;
        let BlockHeader { number, parent_hash, .. } = line.header;
        if number != expected {
            return Err(format!("block {number} instead of {expected}"));
        }
        if before.is_some_and(|before| before.hash != parent_hash) {
            return Err(format!("block {number} does not follow the one before it"));
        }
        Ok(line)
    }

    /// The block, if its logs were asked for and do not say two things at once.
    fn checked(
        header: BlockHeader,
        list: LogList,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<Self, Inconsistency> {
        let (from, to) = (header.number, header.number);
        let asked = Asked { from, to, addresses, topics };
        let is_beside = |log: &RawLog| is_transfer(log) && !asked.fits(log);
        let (beside, logs) = list.logs.into_iter().partition(is_beside);
        let list = LogList { logs, malformed: list.malformed };
        let told = group(list, asked, &header)?.pop();
        let (logs, malformed) = told.map(|told| (told.logs, told.malformed)).unwrap_or_default();
        let beside = LogList { logs: beside, malformed: vec![] };
        let moved = group(beside, Asked { addresses: &LEDGERS, topics: &TRANSFERS, ..asked }, &header)?.pop();
        let transfers = moved.map(|moved| moved.logs).unwrap_or_default();
        let is_taken = |index| logs.binary_search_by_key(&index, |log: &RawLog| log.log_index).is_ok();
        for log in &transfers {
            if !hides_a_user(log) {
                return Err(Inconsistency::ForeignTopic(header.number));
            }
            if is_taken(log.log_index) {
                return Err(Inconsistency::TwoLogs { number: header.number, index: log.log_index });
            }
        }
        Ok(Self { header, logs, malformed, transfers })
    }

    pub(super) fn malformed(&self) -> &[MalformedLog] {
        &self.malformed
    }

    /// How many logs it holds.
    pub(super) const fn count(&self) -> usize {
        self.logs.len() + self.transfers.len()
    }

    /// The block; `None` where it has no logs.
    pub(super) fn block(self) -> Option<ChainBlock> {
        let BlockHeader { number, hash, parent_hash, time } = self.header;
        let is_empty = self.logs.is_empty() && self.malformed.is_empty();
        let receipts = self.receipts();
        (!is_empty).then_some(ChainBlock {
            number,
            hash,
            parent: Some(parent_hash),
            time,
            logs: self.logs,
            malformed: self.malformed,
            receipts,
        })
    }

    /// What its transfers tell of the transactions that want a receipt.
    fn receipts(&self) -> Vec<Receipt> {
        if self.transfers.is_empty() {
            return vec![];
        }
        let receipt = |tx_hash| {
            let logs = self.transfers.iter().filter(|log| log.tx_hash == tx_hash);
            Receipt { tx_hash, logs: logs.cloned().collect() }
        };
        let receipts = wanting_receipts(&self.logs).into_iter().map(receipt);
        receipts.filter(|receipt| !receipt.logs.is_empty()).collect()
    }
}

/// Reads a line, first the swift way, and if that fails with each log for itself.
fn read(text: &[u8]) -> Result<(BlockHeader, LogList), String> {
    let Ok(Swift { header, logs }) = serde_json::from_slice(text) else {
        return read_carefully(text);
    };
    let header = header.read()?;
    let logs = logs.into_iter().map(|log| log.read(&header)).collect();
    Ok((header, LogList { logs, malformed: vec![] }))
}

fn read_carefully(text: &[u8]) -> Result<(BlockHeader, LogList), String> {
    let mut value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let header = value.get_mut("header").map(Value::take).ok_or("a line without a header")?;
    let header: Header = serde_json::from_value(header).map_err(|error| format!("header: {error}"))?;
    let header = header.read()?;
    let mut logs = value.get_mut("logs").map_or(Value::Null, Value::take);
    if logs.is_null() {
        logs = json!([]);
    }
    logs.as_array_mut().into_iter().flatten().for_each(|log| complete(log, &header));
    let mut list = LogList::from_value(&logs).map_err(|error| error.to_string())?;
    for log in &mut list.logs {
        log.block_timestamp = Some(header.time);
    }
    Ok((header, list))
}

/// Whether a transfer goes from or to one of the contracts that were named in the question.
fn hides_a_user(transfer: &RawLog) -> bool {
    let ends = transfer.topics.iter().skip(2);
    let hiding = hiding_users();
    ends.into_iter().any(|end| hiding.iter().any(|contract| contract.into_word() == *end))
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
        let (header, list) = super::read(value.to_string().as_bytes())?;
        Line::checked(header, list, &[ADDRESS], &[TOPIC]).map_err(|why| why.to_string())
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
        assert!(super::read(b"<html>").is_err());
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
