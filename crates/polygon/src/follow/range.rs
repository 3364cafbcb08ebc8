//! Whether the logs of an answer belong together, and to the question. Pure.

use alloy_primitives::{Address, B256};
use domain::{BlockHash, Timestamp};

use crate::log::{LogList, MalformedLog, RawLog};
use crate::rpc::{BlockHeader, RpcError};

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) addresses: &'a [Address],
    pub(crate) topics: &'a [B256],
}

impl Asked<'_> {
    /// Whether a log is of one of the contracts and has one of the topics that were asked for.
    pub(crate) fn fits(self, log: &RawLog) -> bool {
        check(log, self).is_ok()
    }
}

/// The logs of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) number: u64,
    /// `None` where none of its logs can be read.
    pub(crate) hash: Option<BlockHash>,
    /// The block's time, from nodes that say it with the logs.
    pub(crate) time: Option<Timestamp>,
    pub(crate) logs: Vec<RawLog>,
    pub(crate) malformed: Vec<MalformedLog>,
}

/// Why answers of a node cannot all be true, or not of one chain. Asking again usually helps: most often the
/// chain changed between two questions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Inconsistency {
    #[error("a log of block {0} is marked as removed")]
    Removed(u64),
    #[error("a log of block {0}, which was not asked for")]
    OutsideRange(u64),
    #[error("a log of contract {0}, which was not asked for")]
    ForeignAddress(Address),
    #[error("a log of block {0} with a topic that was not asked for")]
    ForeignTopic(u64),
    #[error("block {0} has two hashes")]
    TwoHashes(u64),
    #[error("block {0} has two times")]
    TwoTimes(u64),
    #[error("block {number} has two logs with index {index}")]
    TwoLogs { number: u64, index: u32 },
    #[error("block {0} does not follow the one before it")]
    BrokenLink(u64),
    #[error("block {0} is not there any more")]
    Vanished(u64),
    #[error("block {0} has logs that an answer for it and others left out")]
    Withheld(u64),
    #[error("the logs of block {number} are refused: {reason}")]
    Refused { number: u64, reason: String },
}

/// Groups logs by block, sorted by height and index, or says why they cannot be taken.
///
/// `through` is the header of the last block asked for. What is malformed goes with the block that it names,
/// or with the last one where it names none that was asked for.
pub(crate) fn group(
    list: LogList,
    asked: Asked<'_>,
    through: &BlockHeader,
) -> Result<Vec<Group>, Inconsistency> {
    let LogList { mut logs, malformed } = list;
    for log in &logs {
        check(log, asked)?;
    }
    logs.sort_by_key(|log| (log.block_number, log.log_index));
    // A node that repeats itself says nothing new; one that says two things of one log is caught below.
    logs.dedup();
    let mut groups: Vec<Group> = Vec::new();
    for log in logs {
        let number = log.block_number;
        if number == through.number && log.block_hash != through.hash {
            return Err(Inconsistency::TwoHashes(number));
        }
        match groups.last_mut().filter(|group| group.number == number) {
            None => {
                let (hash, time) = (Some(log.block_hash), time_of(&log));
                groups.push(Group { number, hash, time, logs: vec![log], malformed: Vec::new() });
            }
            Some(group) => extend(group, log)?,
        }
    }
    for log in malformed {
        let named = log.block_number.filter(|number| (asked.from..=asked.to).contains(number));
        set_aside(&mut groups, named.unwrap_or(through.number), log);
    }
    Ok(groups)
}

/// The block's time as a log tells it: some nodes write a zero where they do not know it.
fn time_of(log: &RawLog) -> Option<Timestamp> {
    log.block_timestamp.filter(|time| time.seconds() > 0)
}

fn set_aside(groups: &mut Vec<Group>, number: u64, log: MalformedLog) {
    match groups.binary_search_by_key(&number, |group| group.number) {
        Ok(at) => groups[at].malformed.push(log),
        Err(at) => {
            let group = Group { number, hash: None, time: None, logs: Vec::new(), malformed: vec![log] };
            groups.insert(at, group);
        }
    }
}

fn check(log: &RawLog, asked: Asked<'_>) -> Result<(), Inconsistency> {
    if log.removed {
        return Err(Inconsistency::Removed(log.block_number));
    }
    if !(asked.from..=asked.to).contains(&log.block_number) {
        return Err(Inconsistency::OutsideRange(log.block_number));
    }
    if !asked.addresses.is_empty() && !asked.addresses.contains(&log.address) {
        return Err(Inconsistency::ForeignAddress(log.address));
    }
    let wanted = |topic: &B256| asked.topics.contains(topic);
    if !asked.topics.is_empty() && !log.topics.first().is_some_and(wanted) {
        return Err(Inconsistency::ForeignTopic(log.block_number));
    }
    Ok(())
}

fn extend(group: &mut Group, log: RawLog) -> Result<(), Inconsistency> {
    let time = time_of(&log);
    if group.hash != Some(log.block_hash) {
        return Err(Inconsistency::TwoHashes(group.number));
    }
    if let (Some(before), Some(now)) = (group.time, time)
        && before != now
    {
        return Err(Inconsistency::TwoTimes(group.number));
    }
    if group.logs.last().is_some_and(|last| last.log_index == log.log_index) {
        return Err(Inconsistency::TwoLogs { number: group.number, index: log.log_index });
    }
    group.time = group.time.or(time);
    group.logs.push(log);
    Ok(())
}

/// How many blocks to ask a node for at once: fewer after a refusal, more after a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    blocks: u64,
    most: u64,
    /// Whether the node has left a range without an answer since its last success.
    hung: bool,
}

impl Span {
    const FIRST: u64 = 100;
    /// How large an answer should be, in bytes: large enough that asking costs little beside answering.
    const WANTED: u64 = 4 << 20;
    /// An answer above this shrinks the span at once: parsed it takes several times as much memory.
    const LARGE: u64 = 8 << 20;

    pub(crate) fn new(most: u64) -> Self {
        let most = most.max(1);
        Self { blocks: most.min(Self::FIRST), most, hung: false }
    }

    pub(crate) const fn blocks(self) -> u64 {
        self.blocks
    }

    /// Asks for less from here on if the error may come from asking for too much; whether the same node is to
    /// be asked again at once.
    pub(crate) fn refused(&mut self, asked: u64, error: &RpcError) -> bool {
        let again = match error {
            RpcError::TooManyResults { .. } => true,
            // A range may be too much to search in time, but a node that hangs is as slow with half of it.
            RpcError::Timeout { .. } => !std::mem::replace(&mut self.hung, true),
            // May be a limit in words unknown here, and then no node would ever answer the same question.
            RpcError::Rpc { .. } => false,
            _ => return false,
        };
        // Of several refusals under way at once the late ones must not undo the early ones.
        self.blocks = self.blocks.min((asked / 2).max(1));
        again && asked > 1
    }

    /// An answer of `bytes` came for so many blocks: asks for a quarter more from here on, so that the way back
    /// up to a limit meets it seldom, as long as answers do not become too large.
    pub(crate) fn answered(&mut self, asked: u64, bytes: usize) {
        self.hung = false;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).max(1);
        let fitting = (asked.max(1).saturating_mul(Self::WANTED) / bytes).max(1);
        if bytes > Self::LARGE {
            self.blocks = self.blocks.min(fitting);
        } else {
            let more = self.blocks.saturating_add(self.blocks / 4 + 1);
            // Never less than now: a few busy blocks are no reason to ask for little of the quiet ones.
            self.blocks = more.min(fitting.max(self.blocks)).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Topics;
    use alloy_primitives::Bytes;
    use domain::TxHash;

    const ADDRESS: Address = Address::repeat_byte(7);
    const TOPIC: B256 = B256::repeat_byte(8);

    fn log(number: u64, index: u32) -> RawLog {
        RawLog {
            address: ADDRESS,
            topics: [TOPIC].into(),
            data: Bytes::new(),
            block_number: number,
            block_hash: hash(number),
            block_timestamp: None,
            tx_hash: TxHash(B256::ZERO),
            log_index: index,
            removed: false,
        }
    }

    fn hash(number: u64) -> BlockHash {
        BlockHash(B256::with_last_byte(u8::try_from(number).unwrap()))
    }

    fn grouped(logs: Vec<RawLog>) -> Result<Vec<Group>, Inconsistency> {
        grouped_list(LogList { logs, malformed: Vec::new() })
    }

    fn grouped_list(list: LogList) -> Result<Vec<Group>, Inconsistency> {
        let asked = Asked { from: 10, to: 20, addresses: &[ADDRESS], topics: &[TOPIC] };
        let through =
            BlockHeader { number: 20, hash: hash(20), parent_hash: hash(19), time: Timestamp::default() };
        group(list, asked, &through)
    }

    #[test]
    fn logs_are_sorted_and_repetitions_dropped() {
        let groups = grouped(vec![log(20, 1), log(11, 5), log(11, 2), log(11, 5), log(11, 2)]).unwrap();
        let shape: Vec<_> = groups
            .iter()
            .map(|group| (group.number, group.logs.iter().map(|log| log.log_index).collect::<Vec<_>>()))
            .collect();
        assert_eq!(shape, [(11, vec![2, 5]), (20, vec![1])]);
        assert_eq!(grouped(vec![]), Ok(vec![]));
    }

    #[test]
    fn what_was_not_asked_for_is_not_taken() {
        let foreign = Address::repeat_byte(9);
        assert_eq!(grouped(vec![log(9, 0)]), Err(Inconsistency::OutsideRange(9)));
        assert_eq!(grouped(vec![log(21, 0)]), Err(Inconsistency::OutsideRange(21)));
        let stranger = RawLog { address: foreign, ..log(11, 0) };
        assert_eq!(grouped(vec![stranger]), Err(Inconsistency::ForeignAddress(foreign)));
        let off_topic = RawLog { topics: [B256::ZERO, TOPIC].into(), ..log(11, 0) };
        assert_eq!(grouped(vec![off_topic]), Err(Inconsistency::ForeignTopic(11)));
        let topicless = RawLog { topics: Topics::default(), ..log(11, 0) };
        assert_eq!(grouped(vec![topicless]), Err(Inconsistency::ForeignTopic(11)));
        assert_eq!(grouped(vec![RawLog { removed: true, ..log(11, 0) }]), Err(Inconsistency::Removed(11)));
    }

    #[test]
    fn one_block_has_one_hash_one_time_and_one_log_an_index() {
        let other = RawLog { block_hash: hash(99), ..log(11, 1) };
        assert_eq!(grouped(vec![log(11, 0), other]), Err(Inconsistency::TwoHashes(11)));
        let stale = RawLog { block_hash: hash(99), ..log(20, 0) };
        assert_eq!(grouped(vec![stale]), Err(Inconsistency::TwoHashes(20)));
        let at = |index, seconds| RawLog {
            block_timestamp: Some(Timestamp::from_seconds(seconds)),
            ..log(11, index)
        };
        assert_eq!(grouped(vec![at(0, 5), at(1, 6)]), Err(Inconsistency::TwoTimes(11)));
        let groups = grouped(vec![at(0, 0), at(1, 6)]).unwrap();
        assert_eq!(groups[0].time, Some(Timestamp::from_seconds(6)));
        let twin = RawLog { data: Bytes::from_static(&[1]), ..log(11, 0) };
        assert_eq!(grouped(vec![log(11, 0), twin]), Err(Inconsistency::TwoLogs { number: 11, index: 0 }));
    }

    #[test]
    fn what_is_malformed_goes_with_its_block_or_the_last() {
        let malformed = |block_number| MalformedLog {
            reason: "field `data` is missing".to_owned(),
            raw: "{}".to_owned(),
            block_number,
            log_index: None,
        };
        let list = LogList {
            logs: vec![log(11, 0), log(13, 0)],
            malformed: vec![malformed(Some(13)), malformed(Some(12)), malformed(Some(99)), malformed(None)],
        };
        let shape: Vec<_> = grouped_list(list)
            .unwrap()
            .into_iter()
            .map(|group| (group.number, group.hash.is_some(), group.logs.len(), group.malformed.len()))
            .collect();
        assert_eq!(shape, [(11, true, 1, 0), (12, false, 0, 1), (13, true, 1, 1), (20, false, 0, 2)]);
    }

    #[test]
    fn large_answers_shrink_the_span_and_middling_ones_hold_it() {
        let mut span = Span::new(10_000);
        span.answered(100, 10 << 20);
        assert_eq!(span.blocks(), 40);
        span.answered(40, 4 << 20);
        assert_eq!(span.blocks(), 40);
        span.answered(40, 6 << 20);
        assert_eq!(span.blocks(), 40);
        span.answered(40, 3_600_000);
        assert_eq!(span.blocks(), 46);
        span.answered(1, usize::MAX);
        assert_eq!(span.blocks(), 1);
        // The end of a range says little of what a whole span would bring.
        span.answered(1, 1_000);
        assert_eq!(span.blocks(), 2);
    }

    #[test]
    fn spans_halve_to_one_and_grow_to_the_limit() {
        let too_much = RpcError::TooManyResults { message: String::new() };
        let mut span = Span::new(1_000);
        assert_eq!(span.blocks(), 100);
        assert!(span.refused(100, &too_much) && span.refused(50, &too_much));
        assert_eq!(span.blocks(), 25);
        assert!(!span.refused(1, &too_much));
        assert_eq!(span.blocks(), 1);
        for _ in 0..40 {
            span.answered(span.blocks(), 1_000);
        }
        assert_eq!(span.blocks(), 1_000);
        assert_eq!(Span::new(0).blocks(), 1);
    }

    #[test]
    fn a_node_that_hangs_is_asked_for_less_once_and_then_left() {
        let hangs = RpcError::Timeout { after: std::time::Duration::from_secs(30) };
        let mut span = Span::new(500);
        assert!(span.refused(100, &hangs));
        assert_eq!(span.blocks(), 50);
        // It is left, but the next time it is asked for less again, lest a slow node never answers.
        for left in [25, 12, 6, 3, 1, 1] {
            assert!(!span.refused(span.blocks(), &hangs));
            assert_eq!(span.blocks(), left);
        }
        span.answered(1, 1_000);
        assert_eq!(span.blocks(), 2);
        assert!(span.refused(2, &hangs));
        assert!(!Span::new(500).refused(1, &hangs));
    }

    #[test]
    fn a_refusal_in_unknown_words_is_a_fault_and_asks_for_less() {
        let mut span = Span::new(500);
        let refused = RpcError::Rpc { code: -32_000, message: "not today".to_owned() };
        assert!(!span.refused(100, &refused));
        assert_eq!(span.blocks(), 50);
    }

    #[test]
    fn other_faults_say_nothing_of_the_range() {
        let mut span = Span::new(500);
        let broken = RpcError::Transport { what: "closed".to_owned() };
        assert!(!span.refused(100, &broken));
        assert!(!span.refused(100, &RpcError::RateLimited { retry_after: None }));
        assert_eq!(span, Span::new(500));
    }
}
