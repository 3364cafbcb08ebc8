//! What somebody did with positions outside of a match.

use std::fmt;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolEvent;
use domain::{ChainEvent, ConditionId, TokenId, Wallet};

use crate::abi::{auto_redeemer, collateral_adapter, conditional_tokens, modules, neg_risk_adapter};
use crate::contracts::{
    COLLATERAL_ADAPTER_NEG_RISK, CONDITIONAL_TOKENS, Kind, POSITION_MANAGER, USDC_E, WRAPPED_COLLATERAL,
    kind_of,
};
use crate::log::RawLog;
use crate::tokens::{condition_id, ctf_token, protocol_v2_token};

/// The events that are deeds.
const TOPICS: [B256; 15] = [
    conditional_tokens::PositionSplit::SIGNATURE_HASH,
    conditional_tokens::PositionsMerge::SIGNATURE_HASH,
    conditional_tokens::PayoutRedemption::SIGNATURE_HASH,
    neg_risk_adapter::PositionSplit::SIGNATURE_HASH,
    neg_risk_adapter::PositionsMerge::SIGNATURE_HASH,
    neg_risk_adapter::PositionsConverted::SIGNATURE_HASH,
    neg_risk_adapter::PayoutRedemption::SIGNATURE_HASH,
    collateral_adapter::PositionsRedeemed::SIGNATURE_HASH,
    modules::PositionsSplit::SIGNATURE_HASH,
    modules::PositionsMerged::SIGNATURE_HASH,
    modules::PositionRedeemed::SIGNATURE_HASH,
    modules::PositionConverted::SIGNATURE_HASH,
    auto_redeemer::Redemption::SIGNATURE_HASH,
    auto_redeemer::BinaryRedemption::SIGNATURE_HASH,
    auto_redeemer::NegRiskRedemption::SIGNATURE_HASH,
];

pub(super) fn is_deed(topic: &B256) -> bool {
    TOPICS.contains(topic)
}

/// A split, merge, redemption or conversion as one contract tells it.
#[derive(Clone, Debug)]
pub(crate) struct Deed<'a> {
    pub(super) log: &'a RawLog,
    /// As decoded; it names the actor.
    event: ChainEvent,
    pub(super) kind: DeedKind,
    pub(super) subject: Subject,
    /// Shares; for a redemption dollars.
    pub(super) amount: i64,
    /// Who did it, as the contract says: a user, or the contract before it.
    pub(super) actor: Address,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeedKind {
    Split,
    Merge,
    Redemption,
    Conversion,
}

/// What it was done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Condition(ConditionId),
    Position(TokenId),
    Market { id: B256, set: U256 },
}

impl fmt::Display for DeedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Split => "a split",
            Self::Merge => "a merge",
            Self::Redemption => "a redemption",
            Self::Conversion => "a conversion",
        })
    }
}

impl<'a> Deed<'a> {
    /// What a log tells of a deed; `None` where its event is none.
    pub(crate) fn of(log: &'a RawLog, event: ChainEvent) -> Option<Self> {
        let (kind, subject, amount, Wallet(actor)) = match event {
            ChainEvent::Split { wallet, condition, amount } => {
                (DeedKind::Split, Subject::Condition(condition), amount.micros(), wallet)
            }
            ChainEvent::Merge { wallet, condition, amount } => {
                (DeedKind::Merge, Subject::Condition(condition), amount.micros(), wallet)
            }
            ChainEvent::Redemption { wallet, condition, token, payout } => {
                let subject = condition.map(Subject::Condition).or(token.map(Subject::Position))?;
                (DeedKind::Redemption, subject, payout.micros(), wallet)
            }
            ChainEvent::Conversion { wallet, market, index_set, amount } => {
                let subject = Subject::Market { id: market, set: index_set };
                (DeedKind::Conversion, subject, amount.micros(), wallet)
            }
            _ => return None,
        };
        Some(Self { log, event, kind, subject, amount, actor })
    }

    /// The log that tells it.
    pub(crate) const fn log(&self) -> &'a RawLog {
        self.log
    }

    /// The event, credited to a user.
    pub(crate) fn credited_to(self, user: Wallet) -> ChainEvent {
        let mut event = self.event;
        match &mut event {
            ChainEvent::Split { wallet, .. }
            | ChainEvent::Merge { wallet, .. }
            | ChainEvent::Redemption { wallet, .. }
            | ChainEvent::Conversion { wallet, .. } => *wallet = user,
            _ => {}
        }
        event
    }

    /// Whether it is such a deed again: the same contract did the same with the same.
    pub(super) fn is_twin(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.actor == other.actor
            && self.subject == other.subject
            && self.log.address == other.log.address
    }

    /// Who got what came of it, from the modules, which say so.
    pub(super) fn recipients(&self) -> [Option<Address>; 2] {
        if !matches!(kind_of(self.log.address), Some(Kind::Module(_))) {
            return [None, None];
        }
        // The decoder has seen to it that these words are there, and addresses.
        let first = self.log.topics.get(3).map(|word| Address::from_word(*word));
        let second = (self.kind == DeedKind::Split).then(|| self.address_in_data()).flatten();
        [first, second]
    }

    /// The contract that keeps the shares.
    pub(super) fn ledger(&self) -> Address {
        match kind_of(self.log.address) {
            Some(Kind::Module(_)) => POSITION_MANAGER,
            _ if matches!(self.subject, Subject::Position(_)) => POSITION_MANAGER,
            _ => CONDITIONAL_TOKENS,
        }
    }

    /// The shares that are given for it, or got by it if it is a split.
    pub(super) fn tokens(&self) -> Vec<TokenId> {
        let is_of_module = self.ledger() == POSITION_MANAGER;
        match self.subject {
            Subject::Position(token) => vec![token],
            Subject::Condition(condition) if is_of_module => {
                [0, 1].into_iter().filter_map(|outcome| protocol_v2_token(condition, outcome)).collect()
            }
            Subject::Condition(condition) => {
                let collateral = self.collateral();
                [0, 1].map(|outcome| ctf_token(collateral, condition, outcome)).into()
            }
            Subject::Market { id, set } => {
                let answers = (0..=u8::MAX).filter(|answer| set.bit(usize::from(*answer)));
                answers.filter_map(|answer| share_against(id, answer, is_of_module)).collect()
            }
        }
    }

    /// The dollar that the shares hang on.
    fn collateral(&self) -> Address {
        let named = match (kind_of(self.log.address), self.kind) {
            (Some(Kind::ConditionalTokens), DeedKind::Redemption) => {
                self.log.topics.get(2).map(|word| Address::from_word(*word))
            }
            (Some(Kind::ConditionalTokens), _) => self.address_in_data(),
            (Some(Kind::NegRiskAdapter), _) => Some(WRAPPED_COLLATERAL),
            _ if self.log.address == COLLATERAL_ADAPTER_NEG_RISK => Some(WRAPPED_COLLATERAL),
            _ => None,
        };
        named.unwrap_or(USDC_E)
    }

    fn address_in_data(&self) -> Option<Address> {
        self.log.data.first_chunk::<32>().map(|word| Address::from_word(B256::new(*word)))
    }
}

/// The share against one answer of a neg-risk market (adapter) or event (module).
fn share_against(market: B256, answer: u8, is_of_module: bool) -> Option<TokenId> {
    let mut id = market;
    if is_of_module {
        // The two bytes behind the event's own 29 number its conditions.
        id[30] = answer;
        return protocol_v2_token(ConditionId(id), 1);
    }
    id[31] = answer;
    let condition = condition_id(crate::contracts::NEG_RISK_ADAPTER, id, 2);
    Some(ctf_token(WRAPPED_COLLATERAL, condition, 1))
}
