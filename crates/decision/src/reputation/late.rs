//! What cannot be understood yet: facts about tokens, conditions and conversions that nobody has described.
//!
//! They are kept whole, in their order, and folded as if they came just now once it is known what they mean. Until
//! then the shares of an undescribed token are kept by themselves, so that no dollar is missing in between.

use std::collections::BTreeMap;

use domain::{ChainEvent, ConditionId, Payouts, Timestamp, TokenId};

/// A fact that waits.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) event: ChainEvent,
}

/// A price that was paid, of the question's first token, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) question: u32,
    pub(super) ppm: u32,
}

/// A condition's result.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) payouts: Payouts,
}

/// Everything that waits for a description, and all results.
#[derive(Clone, Debug, Default)]
pub(super) struct Late {
    /// Fills, refunds and redemptions of tokens without a question.
    pub(super) tokens: BTreeMap<TokenId, Vec<Item>>,
    /// Splits, merges and redemptions of conditions without tokens.
    pub(super) conditions: BTreeMap<ConditionId, Vec<Item>>,
    /// The first result of each condition, described or not.
    pub(super) results: BTreeMap<ConditionId, Ended>,
}

impl Late {
    /// Takes out what waited for a condition and its tokens, in the order in which it happened.
    pub(super) fn take(&mut self, condition: ConditionId, tokens: &[TokenId]) -> Vec<Item> {
        let mut items = self.conditions.remove(&condition).unwrap_or_default();
        for token in tokens {
            items.append(&mut self.tokens.remove(token).unwrap_or_default());
        }
        items.sort_by_key(|item| item.seq);
        items
    }
}

/// The last price before a moment among prints in the order in which they happened.
pub(super) fn price_before(prints: &[Print], question: u32, moment: Timestamp) -> Option<u32> {
    let earlier = &prints[..prints.partition_point(|print| print.at < moment)];
    earlier.iter().rev().find(|print| print.question == question).map(|print| print.ppm)
}
