//! Facts into the database, exactly once, and out again in their order.

mod copy;
mod dictionary;
mod ledger;
mod newest;
mod place;
mod read;
mod recent;
mod take_back;
mod told;
mod wallet;
mod write;
mod writer;

use domain::{BlockHash, ChainEvent, Fact, Fill, Place, Timestamp};

pub(crate) use ledger::{insert_conditions, is_ledger_event};
pub(crate) use place::set_point;
pub use place::{blocks_before, count, known, point, recent_points};
pub use read::in_chain_order;
pub(crate) use read::{fill_of, of_blocks, payouts_of, select_fills, taken_back};
pub(crate) use recent::Recent;
pub use wallet::{WalletFacts, of_wallet};
pub use writer::{Writer, index_partitions};

/// A block and what of it concerns us.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// The hash of the block before it, where that was said.
    pub parent: Option<BlockHash>,
    /// Its own time.
    pub time: Timestamp,
    /// When we learned of it.
    pub learned: Timestamp,
    /// Its facts, by log index.
    pub facts: Vec<Fact>,
    /// Its logs that could not be read.
    pub unreadable: Vec<Unreadable>,
}

impl Block {
    /// Its fills, each with its place.
    pub(crate) fn fills(&self) -> impl Iterator<Item = (&Place, &Fill)> {
        self.facts.iter().filter_map(|fact| match &fact.event {
            ChainEvent::Fill(fill) => Some((&fact.place, fill)),
            _ => None,
        })
    }
}

/// Blocks one after the other, of which a source has said all there is.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// The first block covered.
    pub from: u64,
    /// The last one.
    pub through: Point,
    /// Those of which something is known, by height; the last one is always among them.
    pub blocks: &'a [Block],
    /// Who said so, without what may be secret in its address.
    pub source: &'a str,
}

/// A log that could not be read, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its index in the block, where that much could be read.
    pub log_index: Option<u32>,
    /// Why.
    pub reason: String,
    /// Address, topics and data.
    pub raw: String,
}

/// A place on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The height.
    pub number: u64,
    /// The hash of the block there.
    pub hash: BlockHash,
}

/// What a commit added: nothing that was there before counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Blocks.
    pub blocks: u64,
    /// Fills.
    pub fills: u64,
}
