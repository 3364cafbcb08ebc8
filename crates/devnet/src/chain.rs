//! The canonical chain: blocks with hashes, their logs with places, and what happens when it changes its mind.

mod view;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use alloy_primitives::{B256, Bloom, keccak256};
use domain::{BlockHash, ChainEvent, Timestamp, TxHash};
use polygon::encode::LogBody;
use polygon::log::RawLog;

pub(crate) use self::view::View;
use crate::rpc::bloom;
use crate::world::{Deed, NewBlock, Tx};

/// A block of the chain.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) parent: B256,
    pub(crate) at: Timestamp,
    /// In order.
    pub(crate) txs: Vec<B256>,
    /// In order.
    pub(crate) logs: Vec<RawLog>,
    /// What they mean, each with the index of the log that says it, in order.
    pub(crate) deeds: Vec<(u32, ChainEvent)>,
    /// The filter over its logs, once somebody has asked for it.
    pub(crate) bloom: OnceLock<Bloom>,
}

impl Block {
    /// The filter over the addresses and topics of its logs.
    pub(crate) fn bloom(&self) -> Bloom {
        *self.bloom.get_or_init(|| bloom(&self.logs))
    }
}

/// All blocks.
#[derive(Debug)]
pub(crate) struct Chain {
    blocks: Vec<Arc<Block>>,
    by_hash: HashMap<B256, u64>,
    by_tx: HashMap<B256, u64>,
    fills: u64,
    /// Counts reorganisations, so that a replaced block never gets its hash back.
    branch: u64,
    /// Transactions a reorganisation threw out, for the next block to take in.
    displaced: Vec<Tx>,
}

/// How the chain went on: blocks that are no more, and blocks that are new, both oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub(crate) removed: Vec<Arc<Block>>,
    pub(crate) added: Vec<Arc<Block>>,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self {
            blocks: Vec::new(),
            by_hash: HashMap::new(),
            by_tx: HashMap::new(),
            fills: 0,
            branch: 0,
            displaced: Vec::new(),
        }
    }

    /// OrderFilled logs on the canonical chain.
    pub(crate) const fn fills(&self) -> u64 {
        self.fills
    }

    pub(crate) fn head(&self) -> Option<&Arc<Block>> {
        self.blocks.last()
    }

    pub(crate) fn first(&self) -> Option<&Arc<Block>> {
        self.blocks.first()
    }

    pub(crate) fn by_number(&self, number: u64) -> Option<&Arc<Block>> {
        let first = self.first()?.number;
        self.blocks.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    pub(crate) fn by_hash(&self, hash: B256) -> Option<&Arc<Block>> {
        self.by_number(*self.by_hash.get(&hash)?)
    }

    /// The block a transaction is in.
    pub(crate) fn of_transaction(&self, hash: B256) -> Option<&Arc<Block>> {
        self.by_number(*self.by_tx.get(&hash)?)
    }

    /// The blocks from `from` to `to`, both included, as far as they exist.
    pub(crate) fn range(&self, from: u64, to: u64) -> &[Arc<Block>] {
        let Some(first) = self.first().map(|block| block.number) else { return &[] };
        let index = |number: u64| usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        let end = if to < first { 0 } else { index(to).saturating_add(1).min(self.blocks.len()) };
        self.blocks.get(index(from)..end).unwrap_or(&[])
    }

    /// Adds what the world made, behind what a reorganisation left over.
    pub(crate) fn append(&mut self, block: NewBlock) -> Arc<Block> {
        let mut txs = std::mem::take(&mut self.displaced);
        txs.extend(block.txs);
        self.push(block.number, block.at, txs)
    }

    /// Replaces the last `depth` blocks by others of the same heights and times. The last third of each
    /// block's transactions moves on to the next block, the last block's to the one still to come: so the
    /// content differs, and yet everything happens in the same order.
    pub(crate) fn reorganise(&mut self, depth: usize) -> Step {
        // The first block stays: something must be common.
        let depth = depth.min(self.blocks.len().saturating_sub(1));
        let removed = self.blocks.split_off(self.blocks.len() - depth);
        self.branch += 1;
        for block in &removed {
            self.by_hash.remove(&block.hash);
            block.txs.iter().for_each(|tx| {
                self.by_tx.remove(tx);
            });
            self.fills -= count_fills(block);
        }
        let mut carried = Vec::new();
        let mut added = Vec::with_capacity(depth);
        for block in &removed {
            let mut txs = std::mem::take(&mut carried);
            txs.extend(transactions(block));
            carried = txs.split_off(txs.len() - txs.len() / 3);
            added.push(self.push(block.number, block.at, txs));
        }
        carried.append(&mut self.displaced);
        self.displaced = carried;
        Step { removed, added }
    }

    fn push(&mut self, number: u64, at: Timestamp, txs: Vec<Tx>) -> Arc<Block> {
        let parent = self.head().map_or_else(|| keccak256(b"before the first block"), |block| block.hash);
        let hash = self.hash(number, parent, &txs);
        let hashes: Vec<B256> = txs.iter().map(|tx| tx.hash).collect();
        self.by_tx.extend(hashes.iter().map(|tx| (*tx, number)));
        let mut deeds = Vec::with_capacity(txs.iter().map(|tx| tx.deeds.len()).sum());
        let mut logs = Vec::with_capacity(txs.iter().map(|tx| tx.logs.len()).sum());
        for tx in txs {
            let place = |deed: Deed| (u32::try_from(logs.len() + deed.log).unwrap_or(u32::MAX), deed.event);
            deeds.extend(tx.deeds.into_iter().map(place));
            for body in tx.logs {
                let log_index = u32::try_from(logs.len()).unwrap_or(u32::MAX);
                logs.push(RawLog {
                    address: body.address,
                    topics: body.topics.try_into().expect("an event has four topics at most"),
                    data: body.data,
                    block_number: number,
                    block_hash: BlockHash(hash),
                    block_timestamp: Some(at),
                    tx_hash: TxHash(tx.hash),
                    log_index,
                    removed: false,
                });
            }
        }
        let block =
            Arc::new(Block { number, hash, parent, at, txs: hashes, logs, deeds, bloom: OnceLock::new() });
        self.fills += count_fills(&block);
        self.by_hash.insert(hash, number);
        self.blocks.push(Arc::clone(&block));
        block
    }

    fn hash(&self, number: u64, parent: B256, txs: &[Tx]) -> B256 {
        let mut bytes = Vec::with_capacity(48 + 32 * txs.len());
        bytes.extend(parent);
        bytes.extend(number.to_be_bytes());
        bytes.extend(self.branch.to_be_bytes());
        txs.iter().for_each(|tx| bytes.extend(tx.hash));
        keccak256(bytes)
    }
}

fn count_fills(block: &Block) -> u64 {
    block.deeds.iter().filter(|(_, event)| matches!(event, ChainEvent::Fill(_))).map(|_| 1).sum()
}

/// The transactions of a block, taken apart again.
fn transactions(block: &Block) -> Vec<Tx> {
    let body =
        |log: &RawLog| LogBody { address: log.address, topics: log.topics.to_vec(), data: log.data.clone() };
    let mut deeds = block.deeds.iter().peekable();
    let mut begins = 0;
    let mut txs = Vec::with_capacity(block.txs.len());
    for logs in block.logs.chunk_by(|one, next| one.tx_hash == next.tx_hash) {
        let ends = begins + logs.len();
        let mut tx = Tx { hash: logs[0].tx_hash.0, logs: logs.iter().map(body).collect(), deeds: Vec::new() };
        let index = |place: u32| usize::try_from(place).unwrap_or(usize::MAX);
        while let Some((place, event)) = deeds.next_if(|(place, _)| index(*place) < ends) {
            tx.deeds.push(Deed { log: index(*place) - begins, event: event.clone() });
        }
        txs.push(tx);
        begins = ends;
    }
    txs
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Exchange, Fee, Fill, Role, Shares, Side, TokenId, Usd, Wallet};

    fn block(number: u64, txs: u8) -> NewBlock {
        let body =
            LogBody { address: Default::default(), topics: vec![B256::ZERO], data: Default::default() };
        let fill = Fill {
            exchange: Exchange::V2,
            wallet: Wallet::default(),
            counterparty: Wallet::default(),
            role: Role::Maker,
            side: Side::Buy,
            token: TokenId::default(),
            shares: Shares::ZERO,
            usd: Usd::ZERO,
            fee: Fee::NONE,
        };
        let tx = |index: u8| {
            let hash = keccak256([u8::try_from(number).unwrap(), index]);
            let mut tx = Tx { hash, ..Tx::default() };
            tx.note(body.clone());
            tx.tell(body.clone(), ChainEvent::Fill(fill));
            tx.tell(body.clone(), ChainEvent::Fill(fill));
            tx
        };
        let at = Timestamp::from_seconds(i64::try_from(number).unwrap());
        NewBlock { number, at, txs: (0..txs).map(tx).collect(), trades: Vec::new() }
    }

    #[test]
    fn a_reorganisation_replaces_hashes_and_loses_nothing() {
        let mut chain = Chain::new();
        for number in 10..20 {
            chain.append(block(number, 6));
        }
        let before: Vec<B256> = chain.range(0, 99).iter().flat_map(|block| block.txs.clone()).collect();
        assert_eq!(chain.fills(), 120);
        let step = chain.reorganise(3);
        assert_eq!(step.removed.iter().map(|block| block.number).collect::<Vec<_>>(), [17, 18, 19]);
        for (old, new) in step.removed.iter().zip(&step.added) {
            assert_eq!((old.number, old.at), (new.number, new.at));
            assert_ne!(old.hash, new.hash);
            assert_ne!(old.txs, new.txs);
            assert!(chain.by_hash(old.hash).is_none());
            assert_eq!(chain.by_hash(new.hash).unwrap().number, new.number);
        }
        assert!(chain.fills() < 120);
        chain.append(block(20, 0));
        let after: Vec<B256> = chain.range(0, 99).iter().flat_map(|block| block.txs.clone()).collect();
        assert_eq!(after, before);
        assert_eq!(chain.fills(), 120);
        let linked = chain.range(0, 99).windows(2).all(|pair| pair[1].parent == pair[0].hash);
        assert!(linked);
        let places: Vec<u32> = chain.head().unwrap().logs.iter().map(|log| log.log_index).collect();
        assert!(places.iter().copied().eq(0..u32::try_from(places.len()).unwrap()));
        // What the logs mean moved with them, and every transaction is found where it is.
        for block in chain.range(0, 99) {
            let told: Vec<u32> = block.deeds.iter().map(|(place, _)| place % 3).collect();
            assert!(told.chunks(2).all(|pair| pair == [1, 2]), "{told:?}");
            assert!(block.txs.iter().all(|tx| chain.of_transaction(*tx).unwrap().hash == block.hash));
        }
    }

    #[test]
    fn ranges_stop_where_the_chain_does() {
        let mut chain = Chain::new();
        assert!(chain.range(0, u64::MAX).is_empty());
        for number in 10..13 {
            chain.append(block(number, 0));
        }
        let numbers = |from, to| chain.range(from, to).iter().map(|block| block.number).collect::<Vec<_>>();
        assert_eq!(numbers(0, u64::MAX), [10, 11, 12]);
        assert_eq!(numbers(11, 11), [11]);
        assert_eq!(numbers(12, 99), [12]);
        for (from, to) in [(0, 9), (13, 99), (12, 11), (u64::MAX, u64::MAX)] {
            assert!(numbers(from, to).is_empty(), "{from}..{to}");
        }
        assert_eq!(chain.reorganise(99).added.len(), 2);
    }
}
