//! The 32-byte words of a log, read without copying more than the value itself.

use alloy_primitives::{Address, B256, U256};
use domain::{ConditionId, Payouts, Wallet};

use super::Reason;
use crate::log::RawLog;

const WORD: usize = 32;

/// One word of a log.
#[derive(Clone, Copy)]
pub(super) struct Word<'a>(&'a [u8; WORD]);

impl Word<'_> {
    pub(super) fn number(self) -> U256 {
        U256::from_be_bytes(*self.0)
    }

    pub(super) const fn bytes(self) -> B256 {
        B256::new(*self.0)
    }

    pub(super) fn condition(self) -> ConditionId {
        ConditionId(self.bytes())
    }

    pub(super) fn wallet(self, field: &'static str) -> Result<Wallet, Reason> {
        self.address(field).map(Wallet)
    }

    pub(super) fn address(self, field: &'static str) -> Result<Address, Reason> {
        let (padding, address) = self.0.split_at(WORD - Address::len_bytes());
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Reason::DirtyAddress { field });
        }
        Ok(Address::from_slice(address))
    }

    /// An identifier of fewer bytes than a word, kept padded right with zeros as Solidity does.
    pub(super) fn short(self, bytes: usize, field: &'static str) -> Result<B256, Reason> {
        if self.0.iter().skip(bytes).any(|byte| *byte != 0) {
            return Err(Reason::DirtyPadding { field });
        }
        Ok(self.bytes())
    }

    /// An amount in millionths.
    pub(super) fn micros(self, field: &'static str) -> Result<i64, Reason> {
        self.small().and_then(|amount| i64::try_from(amount).ok()).ok_or(Reason::AmountTooLarge { field })
    }

    /// The last eight bytes; `None` where there is anything before them.
    pub(super) fn small(self) -> Option<u64> {
        let (high, low) = self.0.split_last_chunk::<8>()?;
        high.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(*low))
    }

    /// The last byte; `None` where there is anything before it.
    pub(super) fn byte(self) -> Option<u8> {
        self.small().and_then(|number| u8::try_from(number).ok())
    }
}

/// The topics of an event that has `N` of them, its signature included.
pub(super) fn topics<const N: usize>(log: &RawLog) -> Result<[Word<'_>; N], Reason> {
    let found = log.topics.len();
    let topics: &[B256; N] =
        log.topics[..].try_into().map_err(|_| Reason::TopicCount { expected: N, found })?;
    Ok(topics.each_ref().map(|topic| Word(&topic.0)))
}

/// The data of an event whose parameters are `N` words and nothing else.
pub(super) fn fixed<const N: usize>(log: &RawLog) -> Result<[Word<'_>; N], Reason> {
    let (words, rest) = log.data.as_chunks::<WORD>();
    match <&[[u8; WORD]; N]>::try_from(words) {
        Ok(words) if rest.is_empty() => Ok(words.each_ref().map(Word)),
        _ => Err(Reason::BodyLength { expected: N * WORD, found: log.data.len() }),
    }
}

/// The data of an event with one array among its `N` parameters: its parameters' words, of which the one at
/// `position` is the array's offset, and the array's items.
///
/// The ABI lets an array stand anywhere, overlap and leave gaps; Solidity emits one form only, the array right
/// behind the parameters and nothing behind the array, and only that form is accepted.
pub(super) fn with_array<'a, const N: usize>(
    log: &'a RawLog,
    position: usize,
    field: &'static str,
) -> Result<([Word<'a>; N], &'a [[u8; WORD]]), Reason> {
    let (words, rest) = log.data.as_chunks::<WORD>();
    let short = Reason::BodyLength { expected: (N + 1) * WORD, found: log.data.len() };
    let (head, tail) = words.split_first_chunk::<N>().ok_or(short)?;
    let (length, items) = tail.split_first().ok_or(short)?;
    let head = head.each_ref().map(Word);
    let offset = head.get(position).and_then(|word| word.small());
    if offset != u64::try_from(N * WORD).ok() {
        return Err(Reason::ArrayOffset { field });
    }
    if !rest.is_empty() || Word(length).small() != u64::try_from(items.len()).ok() {
        return Err(Reason::ArrayLength { field });
    }
    Ok((head, items))
}

/// The items of an array as numbers.
pub(super) fn numbers(items: &[[u8; WORD]]) -> impl ExactSizeIterator<Item = U256> {
    items.iter().map(|item| U256::from_be_bytes(*item))
}

/// The items of an array as what the outcomes pay.
pub(super) fn payouts(items: &[[u8; WORD]]) -> Result<Payouts, Reason> {
    let numerators = items
        .iter()
        .enumerate()
        .map(|(outcome, item)| Word(item).small().ok_or(Reason::PayoutTooLarge { outcome }))
        .collect::<Result<Vec<_>, _>>()?;
    Payouts::new(numerators).ok_or(Reason::PayoutSum)
}
