//! Whether what is known is still where to go on from, and the way back to where it is.
//!
//! A block counts as taken back where the node says another one in its place, or that its chain is shorter.
//! That a node has no block at a height below its own head says nothing of the chain, only of the node: it
//! has been pruned, or another of the provider's machines answered.

use std::sync::atomic::Ordering;

use super::super::range::Inconsistency;
use super::super::{BELIEVED, SETTLED, Start};
use super::{Fault, Session};
use crate::rpc::{BlockHeader, BlockTag, RpcClient};
use crate::window::BlockPoint;

/// How many blocks before the first one are remembered, so that a reorganisation right at the beginning has
/// an ancestor to return to.
const TAIL: u64 = 16;
/// Polygon's own rule ends reorganisations at this many blocks.
const DEEPEST: u64 = 255;

/// What is known of the place to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Footing {
    /// It is on the chain, if need be after going back.
    Firm,
    /// The node has not come so far.
    Unknown,
    /// The answers cannot all be true.
    Doubtful(Inconsistency),
}

/// What came of going back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Retreat {
    /// The newest known block is another one now.
    Done,
    /// The newest known block is on the chain.
    Needless,
    /// The answers cannot all be true.
    Doubtful(Inconsistency),
}

/// A reorganisation deeper than the chain's rules allow, and how often it was claimed in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeepClaim {
    to: BlockPoint,
    times: u32,
}

impl Session {
    /// Finds the block to go on behind, and makes sure that it is on the chain.
    pub(super) async fn footing(&mut self, client: &RpcClient, head: &BlockHeader) -> Result<Footing, Fault> {
        if !self.begun {
            match self.anchor(client, head).await? {
                Ok(anchor) => {
                    self.window.observe(anchor.point());
                    self.last = Some(anchor.point());
                    self.begun = true;
                }
                Err(none) => return Ok(none),
            }
        }
        self.remember_tail(client, head).await?;
        self.verify(client, head).await
    }

    /// The block to begin behind, or why there is none.
    async fn anchor(
        &self,
        client: &RpcClient,
        head: &BlockHeader,
    ) -> Result<Result<BlockHeader, Footing>, Fault> {
        let number = match self.settings.start {
            Start::Block(first) => first.saturating_sub(1),
            Start::Resume(_) | Start::Head => head.number,
        };
        if number >= head.number {
            return Ok(if number == head.number { Ok(*head) } else { Err(Footing::Unknown) });
        }
        let anchor = client.block(BlockTag::Number(number)).await?;
        Ok(anchor.ok_or(Footing::Doubtful(Inconsistency::Vanished(number))))
    }

    /// Remembers the blocks before the one to begin behind, as long as that one may still be replaced.
    async fn remember_tail(&mut self, client: &RpcClient, head: &BlockHeader) -> Result<(), Fault> {
        let Some(last) = self.last else { return Ok(()) };
        if self.window.len() > 1 || last.number.saturating_add(SETTLED) <= head.number {
            return Ok(());
        }
        let first = last.number.saturating_sub(TAIL);
        let headers = self.reader(client).headers(first, last.number.saturating_add(1)).await?;
        let mut wanted = last.hash;
        for header in headers.into_iter().rev().map(|full| full.header) {
            // Only what leads up to the known block is known itself.
            if header.hash != wanted {
                break;
            }
            self.window.observe(header.point());
            wanted = header.parent_hash;
        }
        Ok(())
    }

    /// Whether what is known last is still on the chain, after going back to where it is.
    async fn verify(&mut self, client: &RpcClient, head: &BlockHeader) -> Result<Footing, Fault> {
        let Some(last) = self.last else { return Ok(Footing::Firm) };
        // A little behind the head the next block itself names the one before it, and asking costs.
        if head.number > last.number && head.number < last.number.saturating_add(SETTLED) {
            return Ok(Footing::Firm);
        }
        let said = if head.number == last.number {
            Some(head.hash)
        } else {
            client.block(BlockTag::Number(last.number)).await?.map(|header| header.hash)
        };
        match said {
            Some(hash) if hash == last.hash => {
                self.claim = None;
                Ok(Footing::Firm)
            }
            None if head.number > last.number => Ok(Footing::Doubtful(Inconsistency::Vanished(last.number))),
            None if self.window.contradiction(head).is_none() => Ok(Footing::Unknown),
            _ => Ok(match self.revert(client, head).await? {
                Retreat::Done | Retreat::Needless => Footing::Firm,
                Retreat::Doubtful(why) => Footing::Doubtful(why),
            }),
        }
    }

    /// Goes back to the newest known block that is still on the chain that ends with `head`.
    pub(super) async fn revert(&mut self, client: &RpcClient, head: &BlockHeader) -> Result<Retreat, Fault> {
        let mut search = self.window.search();
        while let Some(BlockPoint { number, hash }) = search.question() {
            match client.block(BlockTag::Number(number)).await? {
                Some(header) => search.answer(header.hash == hash),
                None if number > head.number => search.answer(false),
                None => return Ok(Retreat::Doubtful(Inconsistency::Vanished(number))),
            }
        }
        let Some(newest) = self.window.last() else {
            return Ok(Retreat::Needless);
        };
        let to = search.ancestor().ok_or(Fault::TooDeep { newest })?;
        if to == newest {
            self.claim = None;
            return Ok(Retreat::Needless);
        }
        self.weigh(newest, to)?;
        let (from, back) = (newest.number, to.number);
        tracing::info!(endpoint = client.endpoint(), from, back, "blocks were replaced");
        self.untold = Some(to);
        self.settings.counters.reverted.fetch_add(1, Ordering::Relaxed);
        self.window.rewind(to);
        self.last = Some(to);
        Ok(Retreat::Done)
    }

    /// Lets through what the chain's rules allow; what goes deeper only once it has been claimed often enough,
    /// because one node that lies or follows a dead fork must not take back what all others stand by.
    fn weigh(&mut self, newest: BlockPoint, to: BlockPoint) -> Result<(), Fault> {
        let depth = newest.number.saturating_sub(to.number);
        let before = self.claim.take().filter(|claim| claim.to == to).map_or(0, |claim| claim.times);
        let times = before.saturating_add(1);
        let nodes = u32::try_from(self.settings.endpoints.len()).unwrap_or(u32::MAX);
        if depth > DEEPEST && times < BELIEVED.max(nodes) {
            self.claim = Some(DeepClaim { to, times });
            return Err(Fault::Implausible { depth });
        }
        Ok(())
    }
}
