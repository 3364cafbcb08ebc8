//! The lines of a stream: a block each.

use std::io;
use std::sync::Arc;
use std::vec;

use alloy_primitives::B256;
use axum::body::Bytes;
use polygon::log::RawLog;
use serde_json::{Map, Value, json};

use super::query::Query;
use crate::chain::Block;
use crate::faults::{Mood, Refusal, Spoiling};
use crate::rpc::faulty::shorten;

/// Blocks that match, with the first and the last of the range, written when they are asked for.
pub(super) struct Lines {
    blocks: vec::IntoIter<Arc<Block>>,
    query: Query,
    first: bool,
    twist: Option<Twist>,
    /// Whether a block comes twice, one for each that is to come.
    twice: Vec<bool>,
    again: Option<Bytes>,
}

/// Something that goes wrong with one line: that of a block, by how many come after it.
#[derive(Clone, Copy, Debug)]
struct Twist {
    left: usize,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// The stream ends in the middle of the line, as if that were all.
    Half,
    /// The connection breaks in the middle of the line.
    Broken,
    WrongType,
    BadLength,
}

impl Lines {
    pub(super) fn new(
        blocks: Vec<Arc<Block>>,
        query: Query,
        mood: &Mood,
        fate: Result<Option<Spoiling>, Refusal>,
    ) -> Self {
        let how = match fate {
            Err(_) => Some(How::Broken),
            Ok(Some(Spoiling::Half)) => Some(How::Half),
            Ok(Some(Spoiling::WrongType)) => Some(How::WrongType),
            Ok(Some(Spoiling::BadLength)) => Some(How::BadLength),
            // A stream has no id.
            Ok(Some(Spoiling::OtherId) | None) => None,
        };
        // A line that is written: a block with matching logs, where there is one.
        let twist = how.map(|how| {
            let with_logs: Vec<usize> =
                (0..blocks.len()).filter(|index| !query.of(&blocks[*index]).is_empty()).collect();
            let index = with_logs.get(mood.any(with_logs.len())).copied().unwrap_or(0);
            Twist { left: blocks.len() - 1 - index, how }
        });
        let share = mood.faults().duplicated_logs;
        let twice =
            if share > 0.0 { blocks.iter().map(|_| mood.happens(share)).collect() } else { Vec::new() };
        Self { blocks: blocks.into_iter(), query, first: true, twist, twice, again: None }
    }

    fn line(&self, block: &Block) -> Option<Value> {
        let logs = self.query.of(block);
        let end = self.first || self.blocks.len() == 0;
        if logs.is_empty() && !end && !self.query.include_all_blocks {
            return None;
        }
        let mut line = json!({"header": self.header(block)});
        if !logs.is_empty() {
            line["logs"] = self.logs(block, logs);
        }
        Some(line)
    }

    fn header(&self, block: &Block) -> Map<String, Value> {
        // A block is always named.
        let fields = [
            ("number", json!(block.number)),
            ("hash", json!(block.hash)),
            ("parentHash", json!(block.parent)),
            ("timestamp", json!(block.at.seconds())),
        ];
        let wanted = &self.query.fields.block;
        let named = |name: &str| matches!(name, "number" | "hash") || wanted.has(name);
        fields
            .into_iter()
            .filter(|(name, _)| named(name))
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    fn logs(&self, block: &Block, logs: Vec<&RawLog>) -> Value {
        let wanted = &self.query.fields.log;
        let index_of = |tx: B256| block.txs.iter().position(|one| *one == tx);
        let log = |log: &RawLog| {
            let fields: [(&str, &dyn Fn() -> Value); 6] = [
                ("address", &|| json!(format!("{:#x}", log.address))),
                ("topics", &|| json!(&log.topics[..])),
                ("data", &|| json!(log.data)),
                ("transactionHash", &|| json!(log.tx_hash.0)),
                ("transactionIndex", &|| json!(index_of(log.tx_hash.0))),
                ("logIndex", &|| json!(log.log_index)),
            ];
            let fields = fields.into_iter().filter(|(name, _)| wanted.has(name));
            fields.map(|(name, value)| (name.to_owned(), value())).collect::<Map<String, Value>>()
        };
        logs.into_iter().map(log).collect()
    }

    /// A line with something wrong.
    fn twisted(&mut self, mut line: Value, how: How) -> Result<Bytes, io::Error> {
        match how {
            How::Half => {
                self.blocks = Vec::new().into_iter();
                let text = line.to_string();
                return Ok(Bytes::from(text[..text.len() / 2].to_owned()));
            }
            How::Broken => {
                self.blocks = Vec::new().into_iter();
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            How::WrongType => line["header"]["hash"] = json!(7),
            How::BadLength => {
                line.get_mut("logs").and_then(|logs| logs.get_mut(0)).map(shorten);
            }
        }
        Ok(Bytes::from(format!("{line}\n")))
    }
}

impl Iterator for Lines {
    type Item = Result<Bytes, io::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(again) = self.again.take() {
            return Some(Ok(again));
        }
        loop {
            let block = self.blocks.next()?;
            let twice = self.twice.pop().unwrap_or(false);
            let line = self.line(&block);
            self.first = false;
            let Some(line) = line else { continue };
            if let Some(twist) = self.twist.filter(|twist| twist.left == self.blocks.len()) {
                return Some(self.twisted(line, twist.how));
            }
            let text = Bytes::from(format!("{line}\n"));
            if twice {
                self.again = Some(text.clone());
            }
            return Some(Ok(text));
        }
    }
}
