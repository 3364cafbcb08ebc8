//! Reading blocks from a node so that what comes back belongs together.
//!
//! Of the last blocks everything is checked: each is the child of the one before it, every log names the hash
//! of its block's header, and silence is not believed at once. Of settled ranges the two ends are checked, and
//! that nothing in between contradicts itself; a hash in the middle is the node's word, because a question for
//! each block would make history ten times as long to read, and ten times as dear.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::Instant;

use super::range::{Asked, Group, Inconsistency, Span, group};
use super::receipts::{Found, Receipts, hand_out};
use super::{ChainBlock, Stretch};
use crate::log::{LogList, MalformedLog, RawLog};
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
    pub(crate) receipts: Receipts,
}

/// The chain's end as a node tells it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) block: FullHeader,
    /// When it was heard of.
    pub(super) seen: Instant,
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
        let answer = self.logs(from, to).await.map_err(|error| refused(to, error));
        let LogAnswer { list, bytes } = answer?;
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
        let is_last = |log: &RawLog| log.block_number == to;
        let is_last_malformed = |log: &MalformedLog| log.block_number == Some(to);
        if !list.logs.iter().any(is_last) && !list.malformed.iter().any(is_last_malformed) {
            self.doubt_silence(&end).await?;
        }
        let through = end.header;
        let receipts = self.receipts_of(&list.logs, Found::new()).await?;
        let groups = group(list, asked, &through)?;
        let mut blocks = self.placed(groups, &through).await?;
        hand_out(receipts, &mut blocks);
        Ok((self.stretch(from, blocks, vec![through], through, Instant::now()), bytes))
    }

    /// All blocks from `from` up to the head, each the child of the one before it. `early` are the logs from
    /// `from` on that came with the head, if any did.
    pub(super) async fn near(
        self,
        last: Option<BlockPoint>,
        from: u64,
        head: &Head,
        early: Option<LogList>,
        span: &mut Span,
    ) -> Result<Stretch, Trouble> {
        let to = head.block.header.number;
        let logs = async {
            let list = match early.filter(|list| is_within(list, from, to)) {
                Some(list) => list,
                // By its hash, which a node that does not have it refuses.
                None if from == to => self.logs_of(&head.block.header).await?,
                None => self.logs_in_parts(from, to, span).await?,
            };
            let receipts = self.receipts_of(&list.logs, Found::new()).await?;
            Ok::<_, Trouble>((list, receipts))
        };
        // The head's own header is at hand.
        let headers = async { Ok::<_, Trouble>(self.headers(from, to).await?) };
        let ((list, mut receipts), mut headers) = tokio::try_join!(logs, headers)?;
        headers.push(head.block.clone());
        let through = linked(last, from, &headers).map_err(|why| match why {
            Inconsistency::BrokenLink(number) if number == from => Trouble::Replaced,
            why => why.into(),
        })?;
        let mut groups = group(list, self.asked(from, to), &through)?;
        let overlooked = self.doubt_silences(&groups, &headers).await?;
        for group in &overlooked {
            receipts = self.receipts_of(&group.logs, receipts).await?;
        }
        groups.extend(overlooked);
        groups.sort_by_key(|group| group.number);
        let mut blocks = Vec::with_capacity(groups.len());
        for group in groups {
            let at = usize::try_from(group.number - from).unwrap_or(usize::MAX);
            let header = headers.get(at).ok_or(Inconsistency::Vanished(group.number))?.header;
            blocks.push(with_header(group, &header)?);
        }
        hand_out(receipts, &mut blocks);
        let headers = headers.into_iter().map(|full| full.header).collect();
        Ok(self.stretch(from, blocks, headers, through, head.seen))
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
                Err(error) => return Err(refused(end, error)),
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
            Err(error) => Err(refused(header.number, error)),
        }
    }

    /// A range whose last block comes without any log is doubted if that block may have some: a node that has no
    /// index of logs so far back, or none of its newest blocks yet, is silent about them.
    async fn doubt_silence(self, end: &FullHeader) -> Result<(), Trouble> {
        if !end.may_hold(self.addresses, self.topics) {
            return Ok(());
        }
        let list = self.logs_of(&end.header).await?;
        if list.logs.is_empty() { Ok(()) } else { Err(Inconsistency::Withheld(end.header.number).into()) }
    }

    /// Asks once more, by hash, for the logs of blocks that came without any but may have some, and returns what
    /// was overlooked: a node that is behind answers a range with silence, and one that has just heard of a block
    /// may not have its logs yet.
    async fn doubt_silences(self, groups: &[Group], headers: &[FullHeader]) -> Result<Vec<Group>, Trouble> {
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
        Ok(found.into_iter().flatten().collect())
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

/// Whether an answer for the blocks up to the newest is of use where those up to `to` are wanted: in between the
/// node may have come to know another block.
fn is_within(list: &LogList, from: u64, to: u64) -> bool {
    list.malformed.is_empty() && list.logs.iter().all(|log| (from..=to).contains(&log.block_number))
}

/// What a refusal of a range that ends with block `number` means: a node, or one of a provider's machines, that is
/// behind whoever told of that block will catch up soon.
fn refused(number: u64, error: RpcError) -> Trouble {
    match error {
        RpcError::Beyond { message } => Inconsistency::Refused { number, reason: message }.into(),
        error => error.into(),
    }
}

/// The best of a few answers to one question; the first in which nothing is malformed is. A node that fails
/// meanwhile has not answered: what is malformed is believed only of one that insists on it.
async fn best_of<F>(ask: impl Fn() -> F) -> Result<LogAnswer, RpcError>
where
    F: Future<Output = Result<LogAnswer, RpcError>>,
{
    let mut best = ask().await?;
    for _ in 1..CHANCES {
        if best.list.malformed.is_empty() {
            break;
        }
        best = better(best, ask().await?);
    }
    Ok(best)
}

/// Of two answers to one question the one with fewer malformed logs, if it is not the shorter one for it.
fn better(first: LogAnswer, second: LogAnswer) -> LogAnswer {
    let is_cleaner = second.list.malformed.len() < first.list.malformed.len();
    if is_cleaner && different(&second.list) >= different(&first.list) { second } else { first }
}

/// How many logs there are, those that stand twice counted once.
fn different(list: &LogList) -> usize {
    list.logs.iter().map(|log| (log.block_number, log.log_index)).collect::<BTreeSet<_>>().len()
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Bytes;
    use domain::{BlockHash, TxHash};

    #[test]
    fn logs_that_came_with_the_head_must_be_of_the_blocks_up_to_it() {
        let log = |block_number| RawLog {
            address: Address::ZERO,
            topics: [].into(),
            data: Bytes::new(),
            block_number,
            block_hash: BlockHash(B256::ZERO),
            block_timestamp: None,
            tx_hash: TxHash(B256::ZERO),
            log_index: 0,
            removed: false,
        };
        let of = |numbers: &[u64]| LogList {
            logs: numbers.iter().map(|number| log(*number)).collect(),
            malformed: vec![],
        };
        assert!(is_within(&of(&[5, 6]), 5, 6) && is_within(&of(&[]), 5, 6));
        assert!(!is_within(&of(&[5, 7]), 5, 6) && !is_within(&of(&[4]), 5, 6));
        let reason = "field `data` is missing".to_owned();
        let malformed = MalformedLog { reason, raw: String::new(), block_number: Some(5), log_index: None };
        assert!(!is_within(&LogList { malformed: vec![malformed], ..of(&[5]) }, 5, 6));
    }
}
