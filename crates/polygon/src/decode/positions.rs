//! Positions of the first protocol: the conditional tokens, the adapters before them, and the redeemer.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolEvent;
use domain::{ChainEvent, Shares, TokenId, Usd};

use super::Reason;
use super::words::{Word, fixed, numbers, payouts, topics, with_array};
use crate::abi::{auto_redeemer as redeemer, collateral_adapter as collateral};
use crate::abi::{conditional_tokens as ctf, neg_risk_adapter as adapter};
use crate::contracts::{USDC_E, WRAPPED_COLLATERAL};
use crate::log::RawLog;

/// An event of the conditional-token contract.
pub(super) fn conditional_tokens(topic: B256, log: &RawLog) -> Result<Option<ChainEvent>, Reason> {
    match topic {
        ctf::ConditionResolution::SIGNATURE_HASH => resolution(log).map(Some),
        ctf::PositionSplit::SIGNATURE_HASH => Ok(regrouping(log)?.map(Regrouping::split)),
        ctf::PositionsMerge::SIGNATURE_HASH => Ok(regrouping(log)?.map(Regrouping::merge)),
        ctf::PayoutRedemption::SIGNATURE_HASH => redemption(log),
        _ => Ok(None),
    }
}

/// An event of the neg-risk adapter.
pub(super) fn neg_risk_adapter(topic: B256, log: &RawLog) -> Result<Option<ChainEvent>, Reason> {
    match topic {
        adapter::PositionSplit::SIGNATURE_HASH => adapter_regrouping(log).map(Regrouping::split).map(Some),
        adapter::PositionsMerge::SIGNATURE_HASH => adapter_regrouping(log).map(Regrouping::merge).map(Some),
        adapter::PositionsConverted::SIGNATURE_HASH => conversion(log).map(Some),
        adapter::PayoutRedemption::SIGNATURE_HASH => amounts_redeemed(log).map(Some),
        _ => Ok(None),
    }
}

/// An event of the collateral adapters. Those of April 2026 emit none.
pub(super) fn collateral_adapter(topic: B256, log: &RawLog) -> Result<Option<ChainEvent>, Reason> {
    match topic {
        collateral::PositionsRedeemed::SIGNATURE_HASH => amounts_redeemed(log).map(Some),
        _ => Ok(None),
    }
}

/// An event of the contract that redeems for users, whose shares they name in `from`.
pub(super) fn auto_redeemer(topic: B256, log: &RawLog) -> Result<Option<ChainEvent>, Reason> {
    let by_position = match topic {
        redeemer::Redemption::SIGNATURE_HASH => true,
        redeemer::BinaryRedemption::SIGNATURE_HASH | redeemer::NegRiskRedemption::SIGNATURE_HASH => false,
        _ => return Ok(None),
    };
    let [_, from, what] = topics(log)?;
    let [payout] = fixed(log)?;
    Ok(Some(ChainEvent::Redemption {
        wallet: from.wallet("from")?,
        condition: (!by_position).then(|| what.condition()),
        token: by_position.then(|| TokenId(what.number())),
        payout: Usd::from_micros(payout.micros("payout")?),
    }))
}

fn resolution(log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, condition, oracle, _question] = topics(log)?;
    let ([outcomes, _offset], numerators) = with_array::<2>(log, 1, "payoutNumerators")?;
    oracle.address("oracle")?;
    if outcomes.number() != U256::from(numerators.len()) {
        return Err(Reason::PayoutCount);
    }
    Ok(ChainEvent::Resolution { condition: condition.condition(), payouts: payouts(numerators)? })
}

/// Dollars that became sets of shares, or the other way round.
struct Regrouping {
    wallet: domain::Wallet,
    condition: domain::ConditionId,
    amount: Shares,
}

impl Regrouping {
    fn read(wallet: Word<'_>, condition: Word<'_>, amount: Word<'_>) -> Result<Self, Reason> {
        Ok(Self {
            wallet: wallet.wallet("stakeholder")?,
            condition: condition.condition(),
            amount: Shares::from_micros(amount.micros("amount")?),
        })
    }

    fn split(self) -> ChainEvent {
        ChainEvent::Split { wallet: self.wallet, condition: self.condition, amount: self.amount }
    }

    fn merge(self) -> ChainEvent {
        ChainEvent::Merge { wallet: self.wallet, condition: self.condition, amount: self.amount }
    }
}

/// A split or merge of the conditional tokens; `None` where it is not between dollars and a full set.
fn regrouping(log: &RawLog) -> Result<Option<Regrouping>, Reason> {
    let [_, stakeholder, parent, condition] = topics(log)?;
    let ([token, _offset, amount], partition) = with_array::<3>(log, 1, "partition")?;
    let of_dollars = is_dollar(token.address("collateralToken")?) && parent.bytes().is_zero();
    if !(of_dollars && is_full_set(numbers(partition))) {
        return Ok(None);
    }
    Regrouping::read(stakeholder, condition, amount).map(Some)
}

fn adapter_regrouping(log: &RawLog) -> Result<Regrouping, Reason> {
    let [_, stakeholder, condition] = topics(log)?;
    let [amount] = fixed(log)?;
    Regrouping::read(stakeholder, condition, amount)
}

/// A redemption at the conditional tokens; `None` where what was paid is not the dollar.
fn redemption(log: &RawLog) -> Result<Option<ChainEvent>, Reason> {
    let [_, redeemer, token, parent] = topics(log)?;
    let ([condition, _offset, payout], _index_sets) = with_array::<3>(log, 1, "indexSets")?;
    let wallet = redeemer.wallet("redeemer")?;
    if !(is_dollar(token.address("collateralToken")?) && parent.bytes().is_zero()) {
        return Ok(None);
    }
    Ok(Some(ChainEvent::Redemption {
        wallet,
        condition: Some(condition.condition()),
        token: None,
        payout: Usd::from_micros(payout.micros("payout")?),
    }))
}

/// A redemption at an adapter: they share one form, the amount of each outcome and the sum paid.
fn amounts_redeemed(log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, redeemer, condition] = topics(log)?;
    let ([_offset, payout], _amounts) = with_array::<2>(log, 0, "amounts")?;
    Ok(ChainEvent::Redemption {
        wallet: redeemer.wallet("redeemer")?,
        condition: Some(condition.condition()),
        token: None,
        payout: Usd::from_micros(payout.micros("payout")?),
    })
}

fn conversion(log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, stakeholder, market, index_set] = topics(log)?;
    let [amount] = fixed(log)?;
    Ok(ChainEvent::Conversion {
        wallet: stakeholder.wallet("stakeholder")?,
        market: market.bytes(),
        index_set: index_set.number(),
        amount: Shares::from_micros(amount.micros("amount")?),
    })
}

/// The conditional tokens take any ERC-20 as collateral. Sets of a market's shares that hang on another one
/// are other tokens, free to make and worth nothing, and must not pass for dollars.
fn is_dollar(token: Address) -> bool {
    token == USDC_E || token == WRAPPED_COLLATERAL
}

/// Whether a partition is the two single outcomes: markets have two, and only their full set is worth a dollar.
fn is_full_set(mut partition: impl ExactSizeIterator<Item = U256>) -> bool {
    let (one, two) = (U256::from(1), U256::from(2));
    partition.len() == 2
        && matches!((partition.next(), partition.next()), (Some(a), Some(b)) if (a == one && b == two) || (a == two && b == one))
}
