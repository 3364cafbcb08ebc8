//! Protocol V2: the modules that run its markets.
//!
//! Conditions are 31 bytes and events 29, kept padded right with zeros; the padded condition is what a
//! position's own bits give too.

use alloy_primitives::{B256, U256};
use alloy_sol_types::SolEvent;
use domain::{ChainEvent, ConditionId, MICRO, Shares, TokenId, Usd};

use super::Reason;
use super::words::{Word, fixed, payouts, topics, with_array};
use crate::abi::modules as abi;
use crate::contracts::Module;
use crate::log::RawLog;

const CONDITION_BYTES: usize = 31;
const EVENT_BYTES: usize = 29;

/// An event of one of the modules; each emits only what its kind of market has.
pub(super) fn decode(module: Module, topic: B256, log: &RawLog) -> Result<Option<ChainEvent>, Reason> {
    let resolves = module != Module::Combinatorial;
    let neg_risk = module == Module::NegRisk;
    let event = match topic {
        abi::PositionsSplit::SIGNATURE_HASH => split(log)?,
        abi::PositionsMerged::SIGNATURE_HASH => merge(log)?,
        abi::PositionRedeemed::SIGNATURE_HASH => redemption(log)?,
        abi::ConditionResolved::SIGNATURE_HASH if resolves => resolution(log)?,
        abi::PositionConverted::SIGNATURE_HASH if neg_risk => conversion(log)?,
        abi::RemainingConditionsDerivableAsNo::SIGNATURE_HASH if neg_risk => derivable_as_no(log)?,
        abi::SyntheticConditionDerivableAsYes::SIGNATURE_HASH if neg_risk => derivable_as_yes(log)?,
        _ => return Ok(None),
    };
    Ok(Some(event))
}

fn split(log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, initiator, id, recipient_0] = topics(log)?;
    let [recipient_1, amount] = fixed(log)?;
    recipient_0.address("recipient0")?;
    recipient_1.address("recipient1")?;
    Ok(ChainEvent::Split {
        wallet: initiator.wallet("initiator")?,
        condition: condition(id)?,
        amount: Shares::from_micros(amount.micros("amount")?),
    })
}

fn merge(log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, initiator, id, recipient] = topics(log)?;
    let [amount] = fixed(log)?;
    recipient.address("recipient")?;
    Ok(ChainEvent::Merge {
        wallet: initiator.wallet("initiator")?,
        condition: condition(id)?,
        amount: Shares::from_micros(amount.micros("amount")?),
    })
}

fn redemption(log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, initiator, position, recipient] = topics(log)?;
    let [_amount, payout] = fixed(log)?;
    recipient.address("recipient")?;
    Ok(ChainEvent::Redemption {
        wallet: initiator.wallet("initiator")?,
        condition: None,
        token: Some(TokenId(position.number())),
        payout: Usd::from_micros(payout.micros("payout")?),
    })
}

fn resolution(log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, id] = topics(log)?;
    let ([_offset], result) = with_array::<1>(log, 0, "result")?;
    let payouts = payouts(result)?;
    // `Payouts` has checked that the sum fits.
    let sum: u64 = payouts.numerators().iter().sum();
    if sum != MICRO.unsigned_abs() {
        return Err(Reason::PayoutPpm(sum));
    }
    Ok(ChainEvent::Resolution { condition: condition(id)?, payouts })
}

fn conversion(log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, initiator, event, recipient] = topics(log)?;
    let [index, amount] = fixed(log)?;
    recipient.address("recipient")?;
    Ok(ChainEvent::Conversion {
        wallet: initiator.wallet("initiator")?,
        market: event.short(EVENT_BYTES, "eventId")?,
        index_set: index_below(index)?,
        amount: Shares::from_micros(amount.micros("amount")?),
    })
}

fn derivable_as_no(log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, event] = topics(log)?;
    let [] = fixed(log)?;
    Ok(ChainEvent::Derivable { event: event.short(EVENT_BYTES, "eventId")?, yes: None })
}

fn derivable_as_yes(log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, event, id] = topics(log)?;
    let [] = fixed(log)?;
    Ok(ChainEvent::Derivable { event: event.short(EVENT_BYTES, "eventId")?, yes: Some(condition(id)?) })
}

fn condition(word: Word<'_>) -> Result<ConditionId, Reason> {
    word.short(CONDITION_BYTES, "conditionId").map(ConditionId)
}

/// The index of a condition within its event, which a position keeps in 16 bits.
fn index_below(word: Word<'_>) -> Result<U256, Reason> {
    let index = word.number();
    if index > U256::from(u16::MAX) {
        return Err(Reason::IndexTooLarge);
    }
    Ok(index)
}
