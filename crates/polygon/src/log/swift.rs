//! The first way to read logs: from the text straight into their bytes, without a tree of JSON between.
//!
//! It reads what [`careful`](super::careful) reads, and refuses what that refuses, but says little about why.

use std::fmt;
use std::marker::PhantomData;

use alloy_primitives::{Address, B256, Bytes};
use domain::{BlockHash, Timestamp, TxHash};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{LogList, RawLog, Topics};
use crate::hex;

/// What a text of hexadecimal digits can be read as.
pub(crate) trait FromHex: Sized {
    /// What it should be, for the error.
    const EXPECTED: &'static str;
    fn from_hex(text: &[u8]) -> Option<Self>;
}

impl FromHex for Address {
    const EXPECTED: &'static str = "a 0x-address of 20 bytes";
    fn from_hex(text: &[u8]) -> Option<Self> {
        hex::fixed_text(text).map(Self::new)
    }
}

impl FromHex for B256 {
    const EXPECTED: &'static str = "0x-word of 32 bytes";
    fn from_hex(text: &[u8]) -> Option<Self> {
        hex::fixed_text(text).map(Self::new)
    }
}

impl FromHex for Bytes {
    const EXPECTED: &'static str = "0x-bytes";
    fn from_hex(text: &[u8]) -> Option<Self> {
        hex::bytes_text(text)
    }
}

impl FromHex for u64 {
    const EXPECTED: &'static str = "a 0x-number of 64 bits";
    fn from_hex(text: &[u8]) -> Option<Self> {
        hex::number_text(text)
    }
}

impl FromHex for u32 {
    const EXPECTED: &'static str = "a 0x-number of 32 bits";
    fn from_hex(text: &[u8]) -> Option<Self> {
        hex::number_text(text)?.try_into().ok()
    }
}

impl FromHex for Timestamp {
    const EXPECTED: &'static str = "0x-seconds before the year 10000";
    fn from_hex(text: &[u8]) -> Option<Self> {
        hex::time_of(hex::number_text(text)?)
    }
}

/// A value behind its text of hexadecimal digits.
pub(crate) struct Hex<T>(pub(crate) T);

impl<'de, T: FromHex> Deserialize<'de> for Hex<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for as bytes, the text is not searched for broken UTF-8 first: digits are looked at anyway.
        deserializer.deserialize_bytes(HexText(PhantomData)).map(Self)
    }
}

struct HexText<T>(PhantomData<T>);

impl<T: FromHex> Visitor<'_> for HexText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<T, E> {
        T::from_hex(text).ok_or_else(|| E::custom(format_args!("not {}", T::EXPECTED)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.visit_bytes(text.as_bytes())
    }
}

impl<'de> Deserialize<'de> for Topics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = Topics;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of at most four 0x-words of 32 bytes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Topics, A::Error> {
        let mut topics = Topics::default();
        while let Some(Hex(word)) = words.next_element()? {
            if !topics.push(word) {
                return Err(A::Error::custom("more than four topics"));
            }
        }
        Ok(topics)
    }
}

/// The fields of a log that count.
enum Field {
    Address,
    Topics,
    Data,
    BlockNumber,
    BlockHash,
    BlockTimestamp,
    TransactionHash,
    LogIndex,
    Removed,
    Other,
}

struct FieldName;

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<Field, E> {
        Ok(match name {
            b"address" => Field::Address,
            b"topics" => Field::Topics,
            b"data" => Field::Data,
            b"blockNumber" => Field::BlockNumber,
            b"blockHash" => Field::BlockHash,
            b"blockTimestamp" => Field::BlockTimestamp,
            b"transactionHash" => Field::TransactionHash,
            b"logIndex" => Field::LogIndex,
            b"removed" => Field::Removed,
            _ => Field::Other,
        })
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Field, E> {
        self.visit_bytes(name.as_bytes())
    }
}

impl<'de> Deserialize<'de> for RawLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Log)
    }
}

struct Log;

impl<'de> Visitor<'de> for Log {
    type Value = RawLog;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a log")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawLog, A::Error> {
        let (mut address, mut topics, mut data) = (None, None, None);
        let (mut block_number, mut block_hash, mut block_timestamp) = (None, None, None);
        let (mut tx_hash, mut log_index, mut removed) = (None, None, None);
        while let Some(field) = map.next_key_seed(FieldName)? {
            match field {
                Field::Address => address = Some(map.next_value::<Hex<_>>()?.0),
                Field::Topics => topics = Some(map.next_value()?),
                Field::Data => data = Some(map.next_value::<Hex<_>>()?.0),
                Field::BlockNumber => block_number = Some(map.next_value::<Hex<_>>()?.0),
                Field::BlockHash => block_hash = Some(map.next_value::<Hex<_>>()?.0),
                Field::BlockTimestamp => block_timestamp = map.next_value::<Option<Hex<_>>>()?,
                Field::TransactionHash => tx_hash = Some(map.next_value::<Hex<_>>()?.0),
                Field::LogIndex => log_index = Some(map.next_value::<Hex<_>>()?.0),
                Field::Removed => removed = map.next_value::<Option<bool>>()?,
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let missing = A::Error::missing_field;
        Ok(RawLog {
            address: address.ok_or_else(|| missing("address"))?,
            topics: topics.ok_or_else(|| missing("topics"))?,
            data: data.ok_or_else(|| missing("data"))?,
            block_number: block_number.ok_or_else(|| missing("blockNumber"))?,
            block_hash: BlockHash(block_hash.ok_or_else(|| missing("blockHash"))?),
            block_timestamp: block_timestamp.map(|Hex(time)| time),
            tx_hash: TxHash(tx_hash.ok_or_else(|| missing("transactionHash"))?),
            log_index: log_index.ok_or_else(|| missing("logIndex"))?,
            removed: removed.unwrap_or(false),
        })
    }
}

/// Fails if any of the logs is malformed; [`LogList::from_value`] then tells them apart.
impl<'de> Deserialize<'de> for LogList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let logs = Vec::deserialize(deserializer)?;
        Ok(Self { logs, malformed: vec![] })
    }
}
