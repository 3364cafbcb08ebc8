//! What the chain did, into the database: decoded, or kept as it came where it cannot be.

use std::collections::HashSet;
use std::sync::Arc;

use domain::{ChainEvent, Fact, FeeKind, Timestamp, TokenId, Wallet};
use polygon::contracts::is_protocol_contract;
use polygon::decode::{Decoded, decode};
use polygon::follow::{ChainBlock, ChainUpdate};
use polygon::log::RawLog;
use service::{CancellationToken, clock};
use store::facts::{self, Block, Point, Unreadable};
use store::{Store, markets};
use tokio::sync::{Notify, mpsc};

/// The name of this writer's place on the chain.
pub(crate) const WRITER: &str = "orderflow-listener";

/// Tokens remembered as seen. Beyond that all are forgotten, which costs a look into the database each.
const MOST_SEEN: usize = 200_000;

/// Stores what the chain did.
pub(crate) struct Ingest {
    store: Store,
    unknown_tokens: Arc<Notify>,
    /// Tokens that have been looked up or queued already: asking again for each fill would be wasteful.
    seen: HashSet<TokenId>,
}

impl Ingest {
    pub(crate) fn new(store: Store, unknown_tokens: Arc<Notify>) -> Self {
        Self { store, unknown_tokens, seen: HashSet::new() }
    }

    /// Stores updates until it is told to stop or there are no more.
    pub(crate) async fn run(
        mut self,
        mut updates: mpsc::Receiver<ChainUpdate>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            let update = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                update = updates.recv() => update,
            };
            match update {
                Some(ChainUpdate::Committed { blocks, through }) => {
                    let point = Point { number: through.number, hash: through.hash };
                    self.commit(&blocks, point, through.time).await?;
                }
                Some(ChainUpdate::Reverted { to }) => {
                    self.revert(Point { number: to.number, hash: to.hash }).await?;
                }
                // The other end only goes away when everything stops.
                None => {
                    stop.cancelled().await;
                    return Ok(());
                }
            }
        }
    }

    async fn commit(&mut self, chain: &[ChainBlock], through: Point, time: Timestamp) -> anyhow::Result<()> {
        let learned = clock::now();
        let mut blocks: Vec<Block> = chain.iter().map(|block| read_block(block, learned)).collect();
        if blocks.last().is_none_or(|block| block.hash != through.hash) {
            // The last block of a range is kept even if nothing happened in it: the next range is checked
            // against it.
            let Point { number, hash } = through;
            blocks.push(Block { number, hash, time, learned, facts: vec![], unreadable: vec![] });
        }
        let fresh = self.unseen_tokens(&blocks);
        let mut transaction = self.store.begin().await?;
        let added = facts::commit(&mut transaction, WRITER, &blocks, through).await?;
        if !fresh.is_empty() {
            markets::queue_unknown(&mut transaction, &fresh).await?;
        }
        Store::commit(transaction).await?;
        if !fresh.is_empty() {
            if MOST_SEEN < self.seen.len() {
                self.seen.clear();
            }
            self.seen.extend(fresh);
            self.unknown_tokens.notify_one();
        }
        let unreadable: usize = blocks.iter().map(|block| block.unreadable.len()).sum();
        if unreadable > 0 {
            tracing::warn!(
                unreadable,
                through = through.number,
                "logs could not be read and were kept aside"
            );
        }
        tracing::debug!(through = through.number, fills = added.fills, "stored");
        Ok(())
    }

    async fn revert(&mut self, to: Point) -> anyhow::Result<()> {
        let mut transaction = self.store.begin().await?;
        let orphaned = facts::revert(&mut transaction, WRITER, to, clock::now()).await?;
        Store::commit(transaction).await?;
        tracing::warn!(to = to.number, orphaned, "the chain took blocks back");
        Ok(())
    }

    fn unseen_tokens(&self, blocks: &[Block]) -> Vec<TokenId> {
        let fresh: HashSet<TokenId> = blocks
            .iter()
            .flat_map(|block| &block.facts)
            .filter_map(|fact| match &fact.event {
                ChainEvent::Fill(fill) => Some(fill.token),
                _ => None,
            })
            .filter(|token| !self.seen.contains(token))
            .collect();
        fresh.into_iter().collect()
    }
}

fn read_block(block: &ChainBlock, learned: Timestamp) -> Block {
    let (mut facts, mut unreadable) = (vec![], vec![]);
    for log in &block.logs {
        match decode(log) {
            Ok(Decoded::Event(event)) if counts(&event) => {
                facts.push(Fact { place: log.place(block.time), event });
            }
            Ok(Decoded::Event(_) | Decoded::Unknown) => {}
            Err(error) => unreadable.push(Unreadable {
                log_index: log.log_index,
                reason: error.reason.to_string(),
                raw: raw(log),
            }),
        }
    }
    Block { number: block.number, hash: block.hash, time: block.time, learned, facts, unreadable }
}

/// Whether an event moves a user's position. Matches and fees charged repeat what the fills say, and so do the
/// splits and merges that an exchange makes while matching; those of adapters are made for somebody this log
/// does not name. A fee given back is said nowhere else.
fn counts(event: &ChainEvent) -> bool {
    let is_user = |wallet: &Wallet| !is_protocol_contract(wallet.0);
    match event {
        ChainEvent::Match { .. } | ChainEvent::Fee { kind: FeeKind::Charged, .. } => false,
        ChainEvent::Fee { kind: FeeKind::Refunded, receiver, .. } => is_user(receiver),
        ChainEvent::Fill(fill) => is_user(&fill.wallet),
        ChainEvent::Split { wallet, .. }
        | ChainEvent::Merge { wallet, .. }
        | ChainEvent::Redemption { wallet, .. }
        | ChainEvent::Conversion { wallet, .. } => is_user(wallet),
        ChainEvent::Preparation { .. } | ChainEvent::Resolution { .. } | ChainEvent::Derivable { .. } => true,
    }
}

/// A log as it came, in one line.
fn raw(log: &RawLog) -> String {
    let topics: Vec<String> = log.topics.iter().map(|topic| format!("{topic:#x}")).collect();
    format!("address {:#x} topics {} data {:#x}", log.address, topics.join(","), log.data)
}
