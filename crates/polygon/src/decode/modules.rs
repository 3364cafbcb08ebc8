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
        index_set: set_of_one(index)?,
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

/// The set of one condition of its event, a bit each. The module has one event for each condition, the adapter
/// before it one for all.
fn set_of_one(index: Word<'_>) -> Result<U256, Reason> {
    let bit = index.byte().ok_or(Reason::IndexTooLarge)?;
    Ok(U256::ONE << usize::from(bit))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::FixedBytes;
    use domain::{Payouts, Wallet};

    use super::*;
    use crate::abi;
    use crate::contracts::{BINARY_MODULE, COMBINATORIAL_MODULE, NEG_RISK_MODULE, PUSD};
    use crate::decode::sample::{USER, at, event, micros, reason};
    use crate::decode::{Decoded, decode};

    /// A Protocol V2 condition: 31 bytes, and the same padded.
    fn short_condition() -> (FixedBytes<31>, ConditionId) {
        let short = FixedBytes::<31>::repeat_byte(3);
        let mut padded = B256::repeat_byte(3);
        padded[31] = 0;
        (short, ConditionId(padded))
    }

    #[test]
    fn modules_split_merge_and_redeem() {
        let (short, condition) = short_condition();
        let (wallet, amount) = (Wallet(USER), U256::from(10));
        let split = abi::modules::PositionsSplit {
            initiator: USER,
            conditionId: short,
            recipient0: USER,
            recipient1: PUSD,
            amount,
        };
        let merge =
            abi::modules::PositionsMerged { initiator: USER, conditionId: short, recipient: USER, amount };
        let redeemed = abi::modules::PositionRedeemed {
            initiator: USER,
            positionId: U256::from(5),
            recipient: USER,
            amount,
            payout: U256::from(7),
        };
        for module in [BINARY_MODULE, NEG_RISK_MODULE, COMBINATORIAL_MODULE] {
            let at_module = |data| event(&at(module, data));
            assert_eq!(
                at_module(split.encode_log_data()),
                ChainEvent::Split { wallet, condition, amount: micros(10) }
            );
            assert_eq!(
                at_module(merge.encode_log_data()),
                ChainEvent::Merge { wallet, condition, amount: micros(10) }
            );
            let expected = ChainEvent::Redemption {
                wallet,
                condition: None,
                token: Some(TokenId(U256::from(5))),
                payout: Usd::from_micros(7),
            };
            assert_eq!(at_module(redeemed.encode_log_data()), expected);
        }
        let mut dirty = at(BINARY_MODULE, merge.encode_log_data());
        dirty.topics[2].0[31] = 1;
        assert_eq!(reason(&dirty), Reason::DirtyPadding { field: "conditionId" });
    }

    #[test]
    fn a_condition_of_protocol_v2_resolves_in_parts_per_million() {
        let (short, condition) = short_condition();
        let resolved = |result: &[u64]| {
            let result = result.iter().copied().map(U256::from).collect();
            let event = abi::modules::ConditionResolved { conditionId: short, result };
            at(BINARY_MODULE, event.encode_log_data())
        };
        let payouts = Payouts::new(vec![250_000, 750_000]).unwrap();
        assert_eq!(event(&resolved(&[250_000, 750_000])), ChainEvent::Resolution { condition, payouts });
        assert_eq!(reason(&resolved(&[1, 0])), Reason::PayoutPpm(1));
        assert_eq!(reason(&resolved(&[0, 0])), Reason::PayoutSum);
        // Parlays do not resolve by themselves.
        let parlay = RawLog { address: COMBINATORIAL_MODULE, ..resolved(&[0, 1_000_000]) };
        assert_eq!(decode(&parlay), Ok(Decoded::Unknown));
    }

    #[test]
    fn siblings_of_a_neg_risk_event_follow_without_an_event_of_their_own() {
        let (short, condition) = short_condition();
        let event_id = FixedBytes::<29>::repeat_byte(4);
        let mut padded = B256::repeat_byte(4);
        padded[29..].fill(0);
        let no = abi::modules::RemainingConditionsDerivableAsNo { eventId: event_id };
        let yes = abi::modules::SyntheticConditionDerivableAsYes { eventId: event_id, conditionId: short };
        assert_eq!(
            event(&at(NEG_RISK_MODULE, no.encode_log_data())),
            ChainEvent::Derivable { event: padded, yes: None }
        );
        assert_eq!(
            event(&at(NEG_RISK_MODULE, yes.encode_log_data())),
            ChainEvent::Derivable { event: padded, yes: Some(condition) }
        );
        let mut dirty = at(NEG_RISK_MODULE, no.encode_log_data());
        dirty.topics[1].0[29] = 1;
        assert_eq!(reason(&dirty), Reason::DirtyPadding { field: "eventId" });
        assert_eq!(decode(&at(BINARY_MODULE, no.encode_log_data())), Ok(Decoded::Unknown));
    }

    #[test]
    fn a_conversion_at_the_module_names_one_condition() {
        let converted = |index: u64| {
            let event = abi::modules::PositionConverted {
                initiator: USER,
                eventId: FixedBytes::repeat_byte(4),
                recipient: USER,
                conditionIndex: U256::from(index),
                amount: U256::from(10),
            };
            at(NEG_RISK_MODULE, event.encode_log_data())
        };
        for (index, set) in [(0, U256::from(1)), (10, U256::from(1024)), (255, U256::from(1) << 255)] {
            let ChainEvent::Conversion { wallet, index_set, amount, .. } = event(&converted(index)) else {
                panic!("no conversion")
            };
            assert_eq!((wallet, index_set, amount), (Wallet(USER), set, micros(10)));
        }
        assert_eq!(reason(&converted(256)), Reason::IndexTooLarge);
    }
}
