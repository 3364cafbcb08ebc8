//! Deeds outside of a match, as the contracts on their way write them, and the transfers that come with them.

use alloy_primitives::{Address, B256, FixedBytes, U256};
use alloy_sol_types::SolEvent;
use domain::{ConditionId, Shares, TokenId, Usd, Wallet};

use super::{LogBody, module_address, unsigned};
use crate::abi::{auto_redeemer, collateral_adapter, modules, neg_risk_adapter, transfers};
use crate::contracts::{AUTO_REDEEMER, NEG_RISK_ADAPTER};

/// What the redeemer redeemed for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// A position of Protocol V2.
    Position(TokenId),
    /// The shares of an ordinary condition.
    Binary(ConditionId),
    /// The shares of a neg-risk condition.
    NegRisk(ConditionId),
}

/// A split at the neg-risk adapter. `None` for a negative amount.
#[must_use]
pub fn neg_risk_split(stakeholder: Wallet, condition: ConditionId, amount: Shares) -> Option<LogBody> {
    let amount = unsigned(amount.micros())?;
    let event =
        neg_risk_adapter::PositionSplit { stakeholder: stakeholder.0, conditionId: condition.0, amount };
    Some(LogBody::new(NEG_RISK_ADAPTER, event.encode_log_data()))
}

/// A merge at the neg-risk adapter. `None` for a negative amount.
#[must_use]
pub fn neg_risk_merge(stakeholder: Wallet, condition: ConditionId, amount: Shares) -> Option<LogBody> {
    let amount = unsigned(amount.micros())?;
    let event =
        neg_risk_adapter::PositionsMerge { stakeholder: stakeholder.0, conditionId: condition.0, amount };
    Some(LogBody::new(NEG_RISK_ADAPTER, event.encode_log_data()))
}

/// A conversion at the neg-risk adapter; `index_set` has a bit for each question. `None` for a negative amount.
#[must_use]
pub fn neg_risk_conversion(
    stakeholder: Wallet,
    market: B256,
    index_set: U256,
    amount: Shares,
) -> Option<LogBody> {
    let event = neg_risk_adapter::PositionsConverted {
        stakeholder: stakeholder.0,
        marketId: market,
        indexSet: index_set,
        amount: unsigned(amount.micros())?,
    };
    Some(LogBody::new(NEG_RISK_ADAPTER, event.encode_log_data()))
}

/// A redemption at the neg-risk adapter. `None` for a negative amount.
#[must_use]
pub fn neg_risk_redemption(
    redeemer: Wallet,
    condition: ConditionId,
    amounts: [Shares; 2],
    payout: Usd,
) -> Option<LogBody> {
    let event = neg_risk_adapter::PayoutRedemption {
        redeemer: redeemer.0,
        conditionId: condition.0,
        amounts: both(amounts)?,
        payout: unsigned(payout.micros())?,
    };
    Some(LogBody::new(NEG_RISK_ADAPTER, event.encode_log_data()))
}

/// A redemption at one of the collateral adapters. `None` for a negative amount.
#[must_use]
pub fn collateral_redemption(
    adapter: Address,
    initiator: Wallet,
    condition: ConditionId,
    amounts: [Shares; 2],
    payout: Usd,
) -> Option<LogBody> {
    let event = collateral_adapter::PositionsRedeemed {
        initiator: initiator.0,
        conditionId: condition.0,
        amounts: both(amounts)?,
        payout: unsigned(payout.micros())?,
    };
    Some(LogBody::new(adapter, event.encode_log_data()))
}

/// A redemption by the contract that redeems for users. `None` for a negative payout.
#[must_use]
pub fn auto_redemption(user: Wallet, what: Redeemed, payout: Usd) -> Option<LogBody> {
    let (from, payout) = (user.0, unsigned(payout.micros())?);
    let data = match what {
        Redeemed::Position(token) => {
            auto_redeemer::Redemption { from, positionId: token.0, payout }.encode_log_data()
        }
        Redeemed::Binary(condition) => {
            auto_redeemer::BinaryRedemption { from, conditionId: condition.0, payout }.encode_log_data()
        }
        Redeemed::NegRisk(condition) => {
            auto_redeemer::NegRiskRedemption { from, conditionId: condition.0, payout }.encode_log_data()
        }
    };
    Some(LogBody::new(AUTO_REDEEMER, data))
}

/// A split at the Protocol V2 module that the condition names; the recipients get YES and NO.
/// `None` for a negative amount and a condition of no module.
#[must_use]
pub fn module_split(
    initiator: Wallet,
    condition: ConditionId,
    recipients: [Wallet; 2],
    amount: Shares,
) -> Option<LogBody> {
    let [yes, no] = recipients;
    let (module, id) = module_condition(condition)?;
    let event = modules::PositionsSplit {
        initiator: initiator.0,
        conditionId: id,
        recipient0: yes.0,
        recipient1: no.0,
        amount: unsigned(amount.micros())?,
    };
    Some(LogBody::new(module, event.encode_log_data()))
}

/// A merge at the Protocol V2 module that the condition names.
/// `None` for a negative amount and a condition of no module.
#[must_use]
pub fn module_merge(
    initiator: Wallet,
    condition: ConditionId,
    recipient: Wallet,
    amount: Shares,
) -> Option<LogBody> {
    let (module, id) = module_condition(condition)?;
    let event = modules::PositionsMerged {
        initiator: initiator.0,
        conditionId: id,
        recipient: recipient.0,
        amount: unsigned(amount.micros())?,
    };
    Some(LogBody::new(module, event.encode_log_data()))
}

/// A redemption at the Protocol V2 module that the position names.
/// `None` for a negative amount and a position of no module.
#[must_use]
pub fn module_redemption(
    initiator: Wallet,
    position: TokenId,
    recipient: Wallet,
    amount: Shares,
    payout: Usd,
) -> Option<LogBody> {
    let [module, ..] = position.0.to_be_bytes::<32>();
    let event = modules::PositionRedeemed {
        initiator: initiator.0,
        positionId: position.0,
        recipient: recipient.0,
        amount: unsigned(amount.micros())?,
        payout: unsigned(payout.micros())?,
    };
    Some(LogBody::new(module_address(module)?, event.encode_log_data()))
}

/// A conversion at Protocol V2's neg-risk module, of the shares against one condition of an event (29 bytes,
/// padded right). `None` for a negative amount.
#[must_use]
pub fn module_conversion(
    initiator: Wallet,
    event: B256,
    recipient: Wallet,
    condition_index: u8,
    amount: Shares,
) -> Option<LogBody> {
    let event = modules::PositionConverted {
        initiator: initiator.0,
        eventId: FixedBytes::try_from(event.get(..29)?).ok()?,
        recipient: recipient.0,
        conditionIndex: U256::from(condition_index),
        amount: unsigned(amount.micros())?,
    };
    Some(LogBody::new(module_address(2)?, event.encode_log_data()))
}

/// Shares of one token that go from one wallet to another; `ledger` keeps them. `None` for a negative amount.
#[must_use]
pub fn transfer_single(
    ledger: Address,
    from: Wallet,
    to: Wallet,
    token: TokenId,
    amount: Shares,
) -> Option<LogBody> {
    let event = transfers::TransferSingle {
        operator: from.0,
        from: from.0,
        to: to.0,
        id: token.0,
        value: unsigned(amount.micros())?,
    };
    Some(LogBody::new(ledger, event.encode_log_data()))
}

/// Shares of several tokens that go from one wallet to another. `None` for a negative amount.
#[must_use]
pub fn transfer_batch(
    ledger: Address,
    from: Wallet,
    to: Wallet,
    shares: &[(TokenId, Shares)],
) -> Option<LogBody> {
    let event = transfers::TransferBatch {
        operator: from.0,
        from: from.0,
        to: to.0,
        ids: shares.iter().map(|(token, _)| token.0).collect(),
        values: shares.iter().map(|(_, amount)| unsigned(amount.micros())).collect::<Option<_>>()?,
    };
    Some(LogBody::new(ledger, event.encode_log_data()))
}

fn both(amounts: [Shares; 2]) -> Option<Vec<U256>> {
    amounts.into_iter().map(|amount| unsigned(amount.micros())).collect()
}

/// The module of a condition, and the condition without its padding.
fn module_condition(condition: ConditionId) -> Option<(Address, FixedBytes<31>)> {
    let (padding, id) = condition.0.split_last()?;
    let module = module_address(*id.first()?).filter(|_| *padding == 0)?;
    Some((module, FixedBytes::try_from(id).ok()?))
}
