//! What a node says of a block, apart from its transactions.

use alloy_primitives::{Address, B256, Bloom, BloomInput};
use domain::{BlockHash, Timestamp};
use serde_json::Value;

use super::{BlockTag, RpcError};
use crate::hex;
use crate::window::BlockPoint;

/// What names a block, and when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// The hash of the block before it.
    pub parent_hash: BlockHash,
    /// Its time.
    pub time: Timestamp,
}

impl BlockHeader {
    /// Its height and hash.
    #[must_use]
    pub const fn point(&self) -> BlockPoint {
        BlockPoint { number: self.number, hash: self.hash }
    }
}

/// A header with the node's summary of what the block's logs may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FullHeader {
    pub(crate) header: BlockHeader,
    /// `None` where the node says none, or an empty one: no block of Polygon is without logs, so that one is
    /// not computed rather than empty.
    pub(crate) bloom: Option<Box<Bloom>>,
}

impl FullHeader {
    /// Whether the block may have a log of one of the contracts with one of the topics; an empty list stands
    /// for any.
    pub(crate) fn may_hold(&self, addresses: &[Address], topics: &[B256]) -> bool {
        let Some(bloom) = &self.bloom else { return true };
        let has = |bytes: &[u8]| bloom.contains_input(BloomInput::Raw(bytes));
        let any_address = addresses.is_empty() || addresses.iter().any(|address| has(address.as_slice()));
        let any_topic = topics.is_empty() || topics.iter().any(|topic| has(topic.as_slice()));
        any_address && any_topic
    }
}

/// The header of the block that was asked for with `method`; `None` where there is none.
pub(super) fn header(
    value: &Value,
    asked: BlockTag,
    method: &'static str,
) -> Result<Option<FullHeader>, RpcError> {
    if value.is_null() {
        return Ok(None);
    }
    let malformed = |what: String| RpcError::Malformed { method, what };
    let field = |name: &'static str| {
        let found = value.get(name).unwrap_or(&Value::Null);
        (found, malformed(format!("field `{name}` is {}", hex::cut(found))))
    };
    let hash = |name| {
        let (found, error) = field(name);
        hex::fixed::<32, B256>(found).map(BlockHash).ok_or(error)
    };
    let (found, error) = field("number");
    let number = hex::number(found).ok_or(error)?;
    let (found, error) = field("timestamp");
    let time = hex::time(found).ok_or(error)?;
    if let BlockTag::Number(asked) = asked
        && asked != number
    {
        return Err(malformed(format!("block {number} instead of {asked}")));
    }
    let header = BlockHeader { number, hash: hash("hash")?, parent_hash: hash("parentHash")?, time };
    // Only a help: a node that writes it badly is asked as if it wrote none.
    let bloom = value.get("logsBloom").and_then(hex::fixed::<256, Bloom>);
    let bloom = bloom.filter(|bloom| !bloom.is_zero()).map(Box::new);
    Ok(Some(FullHeader { header, bloom }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn block() -> Value {
        let hash = format!("{:#x}", B256::repeat_byte(1));
        json!({ "number": "0x5", "hash": hash, "parentHash": hash, "timestamp": "0x6a0955e4", "x": 1 })
    }

    fn read(value: &Value, asked: BlockTag) -> Result<Option<FullHeader>, RpcError> {
        header(value, asked, "eth_getBlockByNumber")
    }

    #[test]
    fn a_header_is_the_one_that_was_asked_for() {
        let block = block();
        let found = read(&block, BlockTag::Number(5)).unwrap().unwrap().header;
        assert_eq!((found.number, found.time.seconds()), (5, 1_778_996_708));
        assert!(read(&block, BlockTag::Latest).unwrap().is_some());
        assert_eq!(read(&Value::Null, BlockTag::Latest), Ok(None));
        assert!(read(&block, BlockTag::Number(6)).is_err());
        for field in ["number", "hash", "parentHash", "timestamp"] {
            let mut broken = block.clone();
            broken[field] = json!("0xzz");
            let error = read(&broken, BlockTag::Latest).unwrap_err().to_string();
            assert!(error.contains(&format!("field `{field}` is \"0xzz\"")), "{error}");
        }
    }

    #[test]
    fn a_bloom_excludes_only_what_cannot_be_there() {
        let (ours, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let (topic, foreign) = (B256::repeat_byte(3), B256::repeat_byte(4));
        let mut bloom = Bloom::ZERO;
        bloom.accrue_raw_log(ours, &[topic]);
        let with = |bloom: &str| {
            let mut block = block();
            block["logsBloom"] = json!(bloom);
            read(&block, BlockTag::Latest).unwrap().unwrap()
        };
        let header = with(&format!("{bloom:#x}"));
        assert!(header.may_hold(&[other, ours], &[foreign, topic]));
        assert!(header.may_hold(&[], &[]) && header.may_hold(&[ours], &[]) && header.may_hold(&[], &[topic]));
        assert!(!header.may_hold(&[other], &[topic]) && !header.may_hold(&[ours], &[foreign]));
        // One that nobody computed, and one that nobody can read, exclude nothing.
        for none in [format!("{:#x}", Bloom::ZERO), "0x12".to_owned()] {
            assert!(with(&none).may_hold(&[other], &[foreign]), "{none}");
        }
    }
}
