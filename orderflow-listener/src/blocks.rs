//! Blocks as sources tell them, as blocks to be stored.

use std::collections::BTreeMap;

use domain::Timestamp;
use polygon::decode::{DecodedBlock, decode_block};
use polygon::follow::{ChainBlock, Stretch};
use polygon::rpc::BlockHeader;
use store::facts::{Block, Unreadable};

/// The blocks of a stretch, by height: those with logs decoded, the others as far as their headers were seen,
/// so that the chain of parents has no gap where it may still change.
pub(crate) fn blocks_of(stretch: &Stretch, learned: Timestamp) -> Vec<Block> {
    let headers = stretch.headers.iter().chain([&stretch.through]);
    let mut blocks: BTreeMap<u64, Block> =
        headers.map(|header| (header.number, without_logs(header, learned))).collect();
    for block in &stretch.blocks {
        let parent = block.parent.or_else(|| blocks.get(&block.number).and_then(|header| header.parent));
        blocks.insert(block.number, Block { parent, ..decoded(block, learned) });
    }
    blocks.into_values().collect()
}

fn decoded(block: &ChainBlock, learned: Timestamp) -> Block {
    let DecodedBlock { facts, unreadable } = decode_block(block);
    let unreadable = unreadable
        .into_iter()
        .map(|log| Unreadable { log_index: log.log_index, reason: log.reason, raw: log.raw })
        .collect();
    let ChainBlock { number, hash, parent, time, .. } = *block;
    Block { number, hash, parent, time, learned, facts, unreadable }
}

fn without_logs(header: &BlockHeader, learned: Timestamp) -> Block {
    Block {
        number: header.number,
        hash: header.hash,
        parent: Some(header.parent_hash),
        time: header.time,
        learned,
        facts: vec![],
        unreadable: vec![],
    }
}
