//! `eth_getLogs` and the `logs` subscription: which logs are meant.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use polygon::log::RawLog;
use serde_json::Value;

use super::methods::{quantity, read_address, read_hash, read_quantity};
use super::{Outcome, RpcError};
use crate::chain::Block;
use crate::shared::Shared;

/// More logs than this are refused, in the words of the providers that have this limit.
const MAX_RESULTS: usize = 10_000;

/// More addresses or topics than this are refused.
const MAX_ALTERNATIVES: usize = 1_000;

/// What a client is interested in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    span: Span,
    /// Any of them; all where empty.
    addresses: Vec<Address>,
    /// By position: any of them; anything where empty.
    topics: Vec<Vec<B256>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    Block(B256),
    /// From and to; `None` is the head.
    Numbers(Option<u64>, Option<u64>),
}

impl Filter {
    pub(crate) fn read(value: &Value) -> Result<Self, RpcError> {
        if !value.is_object() {
            return Err(RpcError::invalid_params("missing value for required argument 0"));
        }
        let span = match (&value["blockHash"], &value["fromBlock"], &value["toBlock"]) {
            (Value::Null, from, to) => Span::Numbers(bound(from)?, bound(to)?),
            (hash, Value::Null, Value::Null) => Span::Block(read_hash(hash)?),
            _ => {
                let message = "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other";
                return Err(RpcError::invalid_params(message));
            }
        };
        let topics = match &value["topics"] {
            Value::Null => Vec::new(),
            Value::Array(positions) if positions.len() <= 4 => positions
                .iter()
                .map(|position| alternatives(position, read_hash))
                .collect::<Result<_, _>>()?,
            _ => return Err(RpcError::invalid_params("invalid topics")),
        };
        Ok(Self { span, addresses: alternatives(&value["address"], read_address)?, topics })
    }

    pub(crate) fn answer(&self, shared: &Shared) -> Outcome {
        let blocks = self.blocks(shared)?;
        let mut logs: Vec<&RawLog> = Vec::new();
        for block in &blocks {
            logs.extend(block.logs.iter().filter(|log| self.matches(log)));
            if logs.len() > MAX_RESULTS {
                return Err(too_many(&blocks, block));
            }
        }
        serde_json::to_string(&logs).map_err(|error| RpcError::new(-32603, error.to_string()))
    }

    /// The blocks asked about. Only handles are taken under the lock; reading them is done outside.
    fn blocks(&self, shared: &Shared) -> Result<Vec<Arc<Block>>, RpcError> {
        let state = shared.read();
        let (from, to) = match self.span {
            Span::Block(hash) => {
                let found =
                    state.chain.by_hash(hash).ok_or_else(|| RpcError::new(-32000, "unknown block"))?;
                return Ok(vec![Arc::clone(found)]);
            }
            Span::Numbers(from, to) => {
                let head = state.chain.head().map_or(0, |block| block.number);
                (from.unwrap_or(head), to.unwrap_or(head))
            }
        };
        if from > to {
            return Err(RpcError::invalid_params("invalid block range params"));
        }
        Ok(state.chain.range(from, to).to_vec())
    }

    pub(crate) fn matches(&self, log: &RawLog) -> bool {
        let address = self.addresses.is_empty() || self.addresses.contains(&log.address);
        address
            && self.topics.len() <= log.topics.len()
            && self.topics.iter().zip(&log.topics).all(|(any, topic)| any.is_empty() || any.contains(topic))
    }
}

fn too_many(blocks: &[Arc<Block>], at: &Block) -> RpcError {
    let first = blocks.first().map_or(0, |block| block.number);
    let suggestion = at.number.saturating_sub(1).max(first);
    let (first, suggestion) = (quantity(first), quantity(suggestion));
    RpcError::new(
        -32005,
        format!(
            "query returned more than {MAX_RESULTS} results. Try with this block range [{first}, {suggestion}]."
        ),
    )
}

/// One value, or a list of which any will do, or null for anything.
fn alternatives<T>(value: &Value, read: impl Fn(&Value) -> Result<T, RpcError>) -> Result<Vec<T>, RpcError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(any) if any.len() <= MAX_ALTERNATIVES => any.iter().map(read).collect(),
        Value::Array(_) => Err(RpcError::invalid_params("exceed max addresses or topics")),
        one => Ok(vec![read(one)?]),
    }
}

fn bound(value: &Value) -> Result<Option<u64>, RpcError> {
    match value.as_str() {
        None if value.is_null() => Ok(None),
        Some("latest" | "pending" | "safe" | "finalized") => Ok(None),
        Some("earliest") => Ok(Some(0)),
        _ => read_quantity(value).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{BlockHash, TxHash};
    use serde_json::json;

    fn word(byte: u8) -> B256 {
        B256::repeat_byte(byte)
    }

    fn log(address: u8, topics: &[u8]) -> RawLog {
        RawLog {
            address: Address::repeat_byte(address),
            topics: topics.iter().map(|byte| word(*byte)).collect(),
            data: Default::default(),
            block_number: 1,
            block_hash: BlockHash(word(9)),
            block_timestamp: None,
            tx_hash: TxHash(word(8)),
            log_index: 0,
            removed: false,
        }
    }

    fn matches(filter: Value, log: &RawLog) -> bool {
        Filter::read(&filter).unwrap().matches(log)
    }

    #[test]
    fn topics_match_by_position() {
        let log = log(1, &[1, 2, 3]);
        assert!(matches(json!({}), &log));
        assert!(matches(json!({"topics": [word(1)]}), &log));
        assert!(matches(json!({"topics": [null, word(2)]}), &log));
        assert!(matches(json!({"topics": [null, [word(7), word(2)], null]}), &log));
        assert!(matches(json!({"topics": [[]]}), &log));
        assert!(!matches(json!({"topics": [word(2)]}), &log));
        assert!(!matches(json!({"topics": [null, null, null, null]}), &log), "it has only three");
    }

    #[test]
    fn addresses_match_alone_or_in_a_list() {
        let log = log(1, &[]);
        let [one, two] = [1, 2].map(Address::repeat_byte);
        assert!(matches(json!({"address": one}), &log));
        assert!(matches(json!({"address": [two, one]}), &log));
        assert!(!matches(json!({"address": [two]}), &log));
        assert!(matches(json!({"address": []}), &log));
    }

    #[test]
    fn nonsense_is_refused() {
        for filter in [
            json!(null),
            json!({"address": "0x12"}),
            json!({"topics": "0x"}),
            json!({"topics": [null, null, null, null, null]}),
            json!({"fromBlock": 7}),
            json!({"toBlock": "0xzz"}),
            json!({"blockHash": word(1), "fromBlock": "0x1"}),
            json!({"blockHash": "0x12"}),
        ] {
            assert!(Filter::read(&filter).is_err(), "{filter}");
        }
    }
}
