//! `eth_getLogs` and the `logs` subscription: which logs are meant.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use polygon::log::RawLog;
use serde_json::Value;

use super::methods::{read_address, read_hash, read_quantity};
use super::{Node, Outcome, RpcError, limit};
use crate::chain::{Block, View};

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
pub(crate) enum Span {
    Block(B256),
    /// From and to.
    Numbers(Bound, Bound),
}

/// How many of the logs of one kind a filter picks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picks {
    All,
    None,
    /// They have to be looked at.
    Some,
}

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Number(u64),
    Latest,
    Finalized,
}

impl Bound {
    fn height(self, view: View<'_>) -> u64 {
        let found = match self {
            Self::Number(number) => return number,
            Self::Latest => view.head(),
            Self::Finalized => view.finalized(),
        };
        found.map_or(0, |block| block.number)
    }
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

    pub(super) fn answer(&self, node: &Node) -> Outcome {
        let limit = limit::in_force(node.mood.faults().limit);
        let (blocks, newest) = self.blocks(node)?;
        let first = blocks.first().map_or(0, |block| block.number);
        let mut logs: Vec<&RawLog> = Vec::new();
        for block in &blocks {
            let mut of_block: Vec<&RawLog> = block.logs.iter().filter(|log| self.matches(log)).collect();
            if let Span::Numbers(..) = self.span {
                of_block = node.left_of(of_block, block, newest);
            }
            logs.append(&mut of_block);
            limit.allow_results(logs.len(), first, block.number.saturating_sub(1))?;
        }
        let logs = node.repeated(logs);
        serde_json::to_string(&logs).map_err(|error| RpcError::new(-32603, error.to_string()))
    }

    /// The blocks asked about, and the newest block's height. Only handles are taken under the lock; reading
    /// them is done outside.
    fn blocks(&self, node: &Node) -> Result<(Vec<Arc<Block>>, u64), RpcError> {
        let state = node.shared.read();
        let (view, newest) = (node.view(&state), node.newest(&state));
        let (from, to) = match self.span {
            Span::Block(hash) => {
                let found = view.by_hash(hash).filter(|found| !node.forgets(found, newest));
                let found = found.ok_or_else(|| RpcError::new(-32000, "unknown block"))?;
                return Ok((vec![Arc::clone(found)], newest));
            }
            Span::Numbers(from, to) => (from.height(view), to.height(view)),
        };
        if from > to {
            return Err(RpcError::invalid_params("invalid block range params"));
        }
        limit::in_force(node.mood.faults().limit).allow_blocks(from, to)?;
        Ok((view.range(from, to).to_vec(), newest))
    }

    pub(crate) const fn span(&self) -> Span {
        self.span
    }

    /// How many it picks of the logs of these contracts that begin with this topic.
    pub(crate) fn picks(&self, emitters: &[Address], topic: B256) -> Picks {
        let mut positions = self.topics.iter();
        let first = positions.next();
        if first.is_some_and(|any| !any.is_empty() && !any.contains(&topic)) {
            return Picks::None;
        }
        let anyone =
            self.addresses.is_empty() || emitters.iter().all(|emitter| self.addresses.contains(emitter));
        if anyone && positions.all(Vec::is_empty) { Picks::All } else { Picks::Some }
    }

    pub(crate) fn matches(&self, log: &RawLog) -> bool {
        let address = self.addresses.is_empty() || self.addresses.contains(&log.address);
        address
            && self.topics.len() <= log.topics.len()
            && self
                .topics
                .iter()
                .zip(log.topics.iter())
                .all(|(any, topic)| any.is_empty() || any.contains(topic))
    }
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

fn bound(value: &Value) -> Result<Bound, RpcError> {
    match value.as_str() {
        None if value.is_null() => Ok(Bound::Latest),
        Some("latest" | "pending") => Ok(Bound::Latest),
        Some("safe" | "finalized") => Ok(Bound::Finalized),
        Some("earliest") => Ok(Bound::Number(0)),
        _ => read_quantity(value).map(Bound::Number),
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
            topics: topics.iter().map(|byte| word(*byte)).collect::<Vec<_>>().try_into().unwrap(),
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
