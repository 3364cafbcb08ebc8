//! Reading blocks from a node so that what comes back belongs together.
//!
//! Of the last blocks everything is checked: each is the child of the one before it, every log names the hash
//! of its block's header, and silence is not believed at once. Of settled ranges the two ends are checked, and
//! that nothing in between contradicts itself; a hash in the middle is the node's word, because a question for
//! each block would make history ten times as long to read, and ten times as dear.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::Instant;

use super::range::{Asked, Group, Inconsistency, Span, group};
use super::{ChainBlock, Stretch};
use crate::log::LogList;
use crate::rpc::{BlockHeader, BlockTag, FullHeader, LogAnswer, RpcClient, RpcError};
use crate::window::BlockPoint;

/// How many questions are put to a node at once.
pub(super) const AT_ONCE: usize = 8;
/// How often a node is asked for logs of which some are malformed. What is settled is read once and for all, so
/// that what was spoiled on the way must not be taken for the chain's.
const CHANCES: u32 = 5;

/// Why nothing came of reading.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// The node did not answer.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The answers cannot all be true.
    #[error(transparent)]
    Doubtful(#[from] Inconsistency),
    /// The first block does not follow what was known.
    #[error("the first block does not follow the one before it")]
    Replaced,
}

/// A node, and what to ask it for.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) client: &'a RpcClient,
    pub(crate) addresses: &'a [Address],
    pub(crate) topics: &'a [B256],
}

impl Reader<'_> {
    /// The headers from `from` up to, not including, `to`, as far as the node has them.
    pub(super) async fn headers(self, from: u64, to: u64) -> Result<Vec<FullHeader>, RpcError> {
        let asked = stream::iter(from..to).map(|number| self.client.full_block(BlockTag::Number(number)));
        let found: Vec<_> = asked.buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().map_while(|header| header).collect())
    }

    pub(super) async fn header(self, number: u64) -> Result<Option<BlockHeader>, RpcError> {
        self.client.block(BlockTag::Number(number)).await
    }

    /// A range of settled blocks, asked for at once; with the size of the answer in bytes. `last` is the block
    /// that it must follow, if one is known.
    pub(crate) async fn settled(
        self,
        last: Option<BlockPoint>,
        from: u64,
        to: u64,
    ) -> Result<(Stretch, usize), Trouble> {
        let asked = self.asked(from, to);
        let LogAnswer { list, bytes } = self.logs(from, to).await?;
        // After the logs, so that what changed before or meanwhile shows.
        let (before, through) = tokio::try_join!(
            async {
                match last {
                    Some(last) => self.header(last.number).await,
                    None => Ok(None),
                }
            },
            self.client.full_block(BlockTag::Number(to)),
        )?;
        match (last, before) {
            (Some(last), None) => return Err(Inconsistency::Vanished(last.number).into()),
            (Some(last), Some(header)) if header.hash != last.hash => return Err(Trouble::Replaced),
            _ => {}
        }
        let Some(end) = through else {
            return Err(Inconsistency::Vanished(to).into());
        };
        if list.logs.is_empty() && list.malformed.is_empty() {
            self.doubt_silence(&end).await?;
        }
        let through = end.header;
        let groups = group(list, asked, &through)?;
        let mut blocks = self.placed(groups, &through).await?;
        self.add_receipts(&mut blocks).await?;
        Ok((self.stretch(from, blocks, vec![through], through, Instant::now()), bytes))
    }

    /// All blocks from `from` up to the head, each the child of the one before it.
    pub(super) async fn near(
        self,
        last: Option<BlockPoint>,
        from: u64,
        head: &FullHeader,
        seen: Instant,
        span: &mut Span,
    ) -> Result<Stretch, Trouble> {
        let to = head.header.number;
        let (list, mut headers) = if from == to {
            // By its hash, which a node that does not have it refuses. The head's own header is at hand.
            (self.logs_of(&head.header).await?, Vec::new())
        } else {
            tokio::try_join!(self.logs_in_parts(from, to, span), async { Ok(self.headers(from, to).await?) })?
        };
        headers.push(head.clone());
        let through = linked(last, from, &headers).map_err(|why| match why {
            Inconsistency::BrokenLink(number) if number == from => Trouble::Replaced,
            why => why.into(),
        })?;
        let mut groups = group(list, self.asked(from, to), &through)?;
        if from != to {
            groups = self.doubt_silences(groups, &headers).await?;
        }
        let mut blocks = Vec::with_capacity(groups.len());
        for group in groups {
            let at = usize::try_from(group.number - from).unwrap_or(usize::MAX);
            let header = headers.get(at).ok_or(Inconsistency::Vanished(group.number))?.header;
            blocks.push(with_header(group, &header)?);
        }
        self.add_receipts(&mut blocks).await?;
        let headers = headers.into_iter().map(|full| full.header).collect();
        Ok(self.stretch(from, blocks, headers, through, seen))
    }

    /// The logs of a range, in as many parts as the node wants.
    async fn logs_in_parts(self, from: u64, to: u64, span: &mut Span) -> Result<LogList, Trouble> {
        let mut all = LogList::default();
        let mut next = from;
        while next <= to {
            let end = next.saturating_add(span.blocks() - 1).min(to);
            let asked = end - next + 1;
            match self.logs(next, end).await {
                Ok(LogAnswer { mut list, bytes }) => {
                    all.logs.append(&mut list.logs);
                    all.malformed.append(&mut list.malformed);
                    // Less than a span says nothing of whether more could be had.
                    if asked == span.blocks() {
                        span.answered(asked, bytes);
                    }
                    next = end + 1;
                }
                Err(error) if span.refused(asked, &error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(all)
    }

    /// The logs of a range. An answer with malformed ones gets further chances: most often they were spoiled on
    /// the way.
    async fn logs(self, from: u64, to: u64) -> Result<LogAnswer, RpcError> {
        best_of(|| self.client.logs(from, to, self.addresses, self.topics)).await
    }

    /// The logs of one block, by its hash.
    async fn logs_of(self, header: &BlockHeader) -> Result<LogList, Trouble> {
        match best_of(|| self.client.logs_of_block(header.hash, self.addresses, self.topics)).await {
            Ok(answer) => Ok(answer.list),
            // The block was replaced since its header was read, or another of the provider's machines answered.
            Err(RpcError::Rpc { message, .. }) => {
                Err(Inconsistency::Refused { number: header.number, reason: message }.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A range without any log is doubted if its last block may have some: a node that has no index of logs so
    /// far back, or none yet, is silent about them.
    async fn doubt_silence(self, end: &FullHeader) -> Result<(), Trouble> {
        if !end.may_hold(self.addresses, self.topics) {
            return Ok(());
        }
        let list = self.logs_of(&end.header).await?;
        if list.logs.is_empty() { Ok(()) } else { Err(Inconsistency::Withheld(end.header.number).into()) }
    }

    /// Asks once more, by hash, for the logs of blocks that came without any but may have some: a node that is
    /// behind answers a range with silence.
    async fn doubt_silences(
        self,
        mut groups: Vec<Group>,
        headers: &[FullHeader],
    ) -> Result<Vec<Group>, Trouble> {
        let is_silent = |full: &&FullHeader| {
            let told = groups.binary_search_by_key(&full.header.number, |group| group.number);
            told.is_err() && full.may_hold(self.addresses, self.topics)
        };
        let silent: Vec<_> = headers.iter().filter(is_silent).map(|full| full.header).collect();
        let asking = stream::iter(silent).map(|header| async move {
            let list = self.logs_of(&header).await?;
            Ok::<_, Trouble>(group(list, self.asked(header.number, header.number), &header)?)
        });
        let found: Vec<_> = asking.buffered(AT_ONCE).try_collect().await?;
        groups.extend(found.into_iter().flatten());
        groups.sort_by_key(|group| group.number);
        Ok(groups)
    }

    /// Adds what the logs of settled blocks do not tell.
    async fn placed(self, groups: Vec<Group>, through: &BlockHeader) -> Result<Vec<ChainBlock>, Trouble> {
        let placing = stream::iter(groups).map(|group| async move {
            match (group.hash, group.time) {
                _ if group.number == through.number => Ok(with_header(group, through)?),
                (Some(hash), Some(time)) => {
                    let Group { number, logs, malformed, .. } = group;
                    Ok(ChainBlock { number, hash, parent: None, time, logs, malformed, receipts: Vec::new() })
                }
                _ => match self.header(group.number).await? {
                    Some(header) => Ok(with_header(group, &header)?),
                    None => Err(Trouble::from(Inconsistency::Vanished(group.number))),
                },
            }
        });
        placing.buffered(AT_ONCE).try_collect().await
    }

    fn stretch(
        self,
        from: u64,
        blocks: Vec<ChainBlock>,
        headers: Vec<BlockHeader>,
        through: BlockHeader,
        seen: Instant,
    ) -> Stretch {
        Stretch { from, blocks, headers, through, source: Arc::clone(self.client.source()), seen }
    }
}

impl<'a> Reader<'a> {
    fn asked(self, from: u64, to: u64) -> Asked<'a> {
        Asked { from, to, addresses: self.addresses, topics: self.topics }
    }
}

/// The best of a few answers to one question; the first in which nothing is malformed is.
async fn best_of<F>(ask: impl Fn() -> F) -> Result<LogAnswer, RpcError>
where
    F: Future<Output = Result<LogAnswer, RpcError>>,
{
    let mut best = ask().await?;
    for _ in 1..CHANCES {
        if best.list.malformed.is_empty() {
            break;
        }
        best = better(best, ask().await);
    }
    Ok(best)
}

/// Of two answers to one question the one with fewer malformed logs, if it is not the shorter one for it.
fn better(first: LogAnswer, second: Result<LogAnswer, RpcError>) -> LogAnswer {
    match second {
        Ok(second)
            if second.list.malformed.len() < first.list.malformed.len()
                && second.list.logs.len() >= first.list.logs.len() =>
        {
            second
        }
        _ => first,
    }
}

/// The last of the headers, where they begin at `from`, leave none out and each follows the one before it.
fn linked(last: Option<BlockPoint>, from: u64, headers: &[FullHeader]) -> Result<BlockHeader, Inconsistency> {
    let mut parent = last.map(|last| last.hash);
    for (expected, FullHeader { header, .. }) in (from..).zip(headers) {
        if header.number != expected {
            return Err(Inconsistency::Vanished(expected));
        }
        if parent.is_some_and(|parent| parent != header.parent_hash) {
            return Err(Inconsistency::BrokenLink(expected));
        }
        parent = Some(header.hash);
    }
    headers.last().map(|last| last.header).ok_or(Inconsistency::Vanished(from))
}

fn with_header(group: Group, header: &BlockHeader) -> Result<ChainBlock, Inconsistency> {
    let Group { number, hash, logs, malformed, .. } = group;
    if hash.is_some_and(|hash| hash != header.hash) {
        return Err(Inconsistency::TwoHashes(number));
    }
    Ok(ChainBlock {
        number,
        hash: header.hash,
        parent: Some(header.parent_hash),
        time: header.time,
        logs,
        malformed,
        receipts: Vec::new(),
    })
}
