//! Reading blocks from a node so that what comes back belongs together.
//!
//! Of the last blocks everything is checked: each is the child of the one before it, and its logs were asked
//! for by its hash. Of settled ranges the two ends are checked, and that nothing in between contradicts itself;
//! a hash in the middle is the node's word, because a question for each block would make history ten times as
//! long to read.

use domain::Timestamp;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::range::{Asked, Group, Inconsistency, group};
use super::{ChainBlock, FollowSettings};
use crate::rpc::{BlockHeader, BlockTag, RpcClient, RpcError};
use crate::window::BlockPoint;

/// How many questions are put to a node at once.
const AT_ONCE: usize = 4;
/// How many of the last blocks are read together.
const BLOCKS_AT_ONCE: u64 = 16;

/// What came of reading.
pub(super) enum Found {
    /// Blocks that follow what was known.
    Batch(Batch),
    /// The first block does not follow what was known.
    Replaced,
    /// The answers cannot all be true.
    Doubtful(Inconsistency),
}

/// Blocks that follow each other.
pub(super) struct Batch {
    /// Those that have logs.
    pub(super) blocks: Vec<ChainBlock>,
    /// Those whose headers were seen, the last one among them.
    pub(super) headers: Vec<BlockHeader>,
    /// The last one.
    pub(super) through: BlockHeader,
}

/// A node, and what to ask it for.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) client: &'a RpcClient,
    pub(super) settings: &'a FollowSettings,
}

impl Reader<'_> {
    /// The headers from `from` up to, not including, `to`, as far as the node has them.
    pub(super) async fn headers(self, from: u64, to: u64) -> Result<Vec<BlockHeader>, RpcError> {
        let asked = stream::iter(from..to).map(|number| self.header(number));
        let found: Vec<_> = asked.buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().map_while(|header| header).collect())
    }

    pub(super) async fn header(self, number: u64) -> Result<Option<BlockHeader>, RpcError> {
        self.client.block(BlockTag::Number(number)).await
    }

    /// A range of settled blocks, asked for at once.
    pub(super) async fn range(self, last: Option<BlockPoint>, from: u64, to: u64) -> Result<Found, RpcError> {
        let asked = self.asked(from, to);
        let logs = self.client.logs(from, to, asked.addresses, asked.topics).await?;
        // After the logs, so that what changed before or meanwhile shows.
        if let Some(last) = last {
            match self.header(last.number).await? {
                Some(header) if header.hash == last.hash => {}
                Some(_) => return Ok(Found::Replaced),
                None => return Ok(Found::Doubtful(Inconsistency::Vanished(last.number))),
            }
        }
        let Some(through) = self.header(to).await? else {
            return Ok(Found::Doubtful(Inconsistency::Vanished(to)));
        };
        let groups = match group(logs, asked, &through) {
            Ok(groups) => groups,
            Err(why) => return Ok(Found::Doubtful(why)),
        };
        Ok(match self.timed(groups, &through).await? {
            Ok(blocks) => Found::Batch(Batch { blocks, headers: vec![through], through }),
            Err(why) => Found::Doubtful(why),
        })
    }

    /// The next of the last blocks, each by its hash and each the child of the one before it.
    pub(super) async fn blocks(
        self,
        last: Option<BlockPoint>,
        from: u64,
        head: &BlockHeader,
    ) -> Result<Found, RpcError> {
        let to = from.saturating_add(BLOCKS_AT_ONCE - 1).min(head.number);
        // The head's own header is at hand.
        let end = if to == head.number { to } else { to.saturating_add(1) };
        let mut headers = self.headers(from, end).await?;
        if to == head.number {
            headers.push(*head);
        }
        let through = match linked(last, from, &headers) {
            Ok(through) => through,
            Err(Inconsistency::BrokenLink(number)) if number == from => return Ok(Found::Replaced),
            Err(why) => return Ok(Found::Doubtful(why)),
        };
        let reading = stream::iter(headers.clone()).map(|header| self.block(header));
        let blocks: Vec<_> = reading.buffered(AT_ONCE).try_collect().await?;
        Ok(match blocks.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(blocks) => {
                let blocks = blocks.into_iter().flatten().collect();
                Found::Batch(Batch { blocks, headers, through })
            }
            Err(why) => Found::Doubtful(why),
        })
    }

    /// One block by its hash; `None` where it has no logs.
    async fn block(self, header: BlockHeader) -> Result<Result<Option<ChainBlock>, Inconsistency>, RpcError> {
        let asked = self.asked(header.number, header.number);
        let logs = match self.client.logs_of_block(header.hash, asked.addresses, asked.topics).await {
            Ok(logs) => logs,
            // The block was replaced since its header was read, or another of the provider's machines answered.
            Err(RpcError::Rpc { message, .. }) => {
                return Ok(Err(Inconsistency::Refused { number: header.number, reason: message }));
            }
            Err(error) => return Err(error),
        };
        let groups = group(logs, asked, &header);
        Ok(groups.map(|groups| groups.into_iter().next().map(|group| with_time(group, header.time))))
    }

    /// Adds the times that the logs do not carry.
    async fn timed(
        self,
        groups: Vec<Group>,
        through: &BlockHeader,
    ) -> Result<Result<Vec<ChainBlock>, Inconsistency>, RpcError> {
        let timed = stream::iter(groups).map(|group| async move {
            let time = match group.time {
                _ if group.number == through.number => Ok(through.time),
                Some(time) => Ok(time),
                None => match self.header(group.number).await? {
                    Some(header) if header.hash == group.hash => Ok(header.time),
                    Some(_) => Err(Inconsistency::TwoHashes(group.number)),
                    None => Err(Inconsistency::Vanished(group.number)),
                },
            };
            Ok::<_, RpcError>(time.map(|time| with_time(group, time)))
        });
        let blocks: Vec<Result<ChainBlock, Inconsistency>> = timed.buffered(AT_ONCE).try_collect().await?;
        Ok(blocks.into_iter().collect())
    }
}

impl<'a> Reader<'a> {
    fn asked(self, from: u64, to: u64) -> Asked<'a> {
        Asked { from, to, addresses: &self.settings.addresses, topics: &self.settings.topics }
    }
}

/// The last of the headers, where they begin at `from`, leave none out and each follows the one before it.
fn linked(
    last: Option<BlockPoint>,
    from: u64,
    headers: &[BlockHeader],
) -> Result<BlockHeader, Inconsistency> {
    let mut parent = last.map(|last| last.hash);
    for (expected, header) in (from..).zip(headers) {
        if header.number != expected {
            return Err(Inconsistency::Vanished(expected));
        }
        if parent.is_some_and(|parent| parent != header.parent_hash) {
            return Err(Inconsistency::BrokenLink(expected));
        }
        parent = Some(header.hash);
    }
    headers.last().copied().ok_or(Inconsistency::Vanished(from))
}

fn with_time(group: Group, time: Timestamp) -> ChainBlock {
    let Group { number, hash, logs, .. } = group;
    ChainBlock { number, hash, time, logs }
}
