//! Positions of the first protocol: the conditional tokens, the adapters before them, and the redeemer.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolEvent;
use domain::{ChainEvent, Shares, TokenId, Usd};

use super::Reason;
use super::words::{Word, fixed, numbers, payouts, topics, with_array};
use crate::abi::{auto_redeemer as redeemer, collateral_adapter as collateral};
use crate::abi::{conditional_tokens as ctf, neg_risk_adapter as adapter};
use crate::contracts::{NEG_RISK_ADAPTER, USDC_E, WRAPPED_COLLATERAL};
use crate::log::RawLog;
use crate::tokens::{condition_id, ctf_token};

/// How many outcomes the conditions of markets have. The contract takes conditions of any number from anybody.
const OUTCOMES: u64 = 2;

/// An event of the conditional-token contract.
pub(super) fn conditional_tokens(topic: B256, log: &RawLog) -> Result<Option<ChainEvent>, Reason> {
    match topic {
        ctf::ConditionPreparation::SIGNATURE_HASH => preparation(log),
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

/// A condition that comes into being; `None` where it is not one of two outcomes. Which dollar its tokens hang
/// on follows from who will resolve it.
fn preparation(log: &RawLog) -> Result<Option<ChainEvent>, Reason> {
    let [_, condition, oracle, question] = topics(log)?;
    let [outcomes] = fixed(log)?;
    let (condition, oracle) = (condition.condition(), oracle.address("oracle")?);
    if outcomes.number() != U256::from(OUTCOMES) {
        return Ok(None);
    }
    if condition != condition_id(oracle, question.bytes(), OUTCOMES) {
        return Err(Reason::WrongCondition);
    }
    let collateral = if oracle == NEG_RISK_ADAPTER { WRAPPED_COLLATERAL } else { USDC_E };
    let tokens = [0, 1].map(|outcome| ctf_token(collateral, condition, outcome));
    Ok(Some(ChainEvent::Preparation { condition, tokens }))
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

/// Whether a partition is the two single outcomes: markets have two, and only their full set is worth a
/// dollar.
fn is_full_set(mut partition: impl ExactSizeIterator<Item = U256>) -> bool {
    let (one, two) = (U256::from(1), U256::from(2));
    match (partition.len(), partition.next(), partition.next()) {
        (2, Some(a), Some(b)) => (a == one && b == two) || (a == two && b == one),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{address, b256};
    use domain::{ConditionId, Payouts, Wallet};
    use proptest::prelude::*;

    use super::*;
    use crate::abi;
    use crate::contracts::{CONDITIONAL_TOKENS, PUSD};
    use crate::decode::sample::{CONDITION, USER, at, event, micros, reason, recorded};
    use crate::decode::{Decoded, decode};

    #[test]
    fn a_split_is_read_with_its_condition() {
        let [.., log] = recorded();
        let expected = ChainEvent::Split {
            wallet: "0x20d2309cd92b797ae7ca175ed828ed8a27fbe29d".parse().unwrap(),
            condition: "0xb907d819a95244f9e19dc779e3db2a33133a864d22e9ce222d09a16b48759f49".parse().unwrap(),
            amount: micros(20_000_000),
        };
        assert_eq!(event(&log), expected);
    }

    #[test]
    fn a_prepared_condition_says_which_tokens_it_will_have() {
        let prepared = |oracle: Address, question: B256, outcomes: u64| {
            let condition = condition_id(oracle, question, OUTCOMES);
            let event = abi::conditional_tokens::ConditionPreparation {
                conditionId: condition.0,
                oracle,
                questionId: question,
                outcomeSlotCount: U256::from(outcomes),
            };
            (condition, at(CONDITIONAL_TOKENS, event.encode_log_data()))
        };
        // Market 0xcc47…3000, question 7.
        let question = b256!("cc4727a6394620b9c8ae82db3db50a34d5ca9828675547bcc4cddf5e86b63007");
        let (condition, log) = prepared(NEG_RISK_ADAPTER, question, 2);
        let tokens = [
            "96833685517457790753237027711749956491556223430098771101130535462280443103710",
            "112683192116716745370273337699109698649408967993699289993927321945615517688893",
        ]
        .map(|token| token.parse().unwrap());
        assert_eq!(event(&log), ChainEvent::Preparation { condition, tokens });

        let (condition, log) = prepared(USER, question, 2);
        let tokens = [0, 1].map(|outcome| ctf_token(USDC_E, condition, outcome));
        assert_eq!(event(&log), ChainEvent::Preparation { condition, tokens });
        // A condition that is not the hash of what it is made of.
        let mut wrong = log.clone();
        wrong.topics[3] = CONDITION;
        assert_eq!(reason(&wrong), Reason::WrongCondition);
        let (_, of_three) = prepared(USER, question, 3);
        assert_eq!(decode(&of_three), Ok(Decoded::Unknown));
    }

    fn resolution(outcomes: u64, numerators: &[U256]) -> RawLog {
        let event = abi::conditional_tokens::ConditionResolution {
            conditionId: CONDITION,
            oracle: USER,
            questionId: B256::ZERO,
            outcomeSlotCount: U256::from(outcomes),
            payoutNumerators: numerators.to_vec(),
        };
        at(CONDITIONAL_TOKENS, event.encode_log_data())
    }

    #[test]
    fn payouts_must_pay_somebody() {
        let (zero, one) = (U256::ZERO, U256::from(1));
        let paid = ChainEvent::Resolution {
            condition: ConditionId(CONDITION),
            payouts: Payouts::winner(1, 2).unwrap(),
        };
        assert_eq!(event(&resolution(2, &[zero, one])), paid);
        assert_eq!(reason(&resolution(2, &[zero, zero])), Reason::PayoutSum);
        assert_eq!(reason(&resolution(0, &[])), Reason::PayoutSum);
        assert_eq!(reason(&resolution(3, &[zero, one])), Reason::PayoutCount);
        assert_eq!(
            reason(&resolution(2, &[zero, U256::from(1) << 64])),
            Reason::PayoutTooLarge { outcome: 1 }
        );
        let full = U256::from(u64::MAX);
        assert_eq!(reason(&resolution(2, &[full, one])), Reason::PayoutSum);
    }

    #[test]
    fn an_array_stands_in_one_place_only() {
        let log = resolution(2, &[U256::ZERO, U256::from(1)]);
        let changed = |word: usize, value: u64| {
            let mut data = log.data.to_vec();
            data[word * 32..][..32].copy_from_slice(&U256::from(value).to_be_bytes::<32>());
            RawLog { data: data.into(), ..log.clone() }
        };
        let field = "payoutNumerators";
        assert_eq!(reason(&changed(1, 96)), Reason::ArrayOffset { field });
        assert_eq!(reason(&changed(1, 0)), Reason::ArrayOffset { field });
        assert_eq!(reason(&changed(2, 1)), Reason::ArrayLength { field });
        assert_eq!(reason(&changed(2, u64::MAX)), Reason::ArrayLength { field });
        let longer = RawLog { data: [log.data.as_ref(), &[0; 32]].concat().into(), ..log.clone() };
        assert_eq!(reason(&longer), Reason::ArrayLength { field });
        let ragged = RawLog { data: [log.data.as_ref(), &[0]].concat().into(), ..log.clone() };
        assert_eq!(reason(&ragged), Reason::ArrayLength { field });
        let short = RawLog { data: log.data.slice(..64), ..log.clone() };
        assert_eq!(reason(&short), Reason::BodyLength { expected: 96, found: 64 });
    }

    #[test]
    fn only_full_sets_of_dollars_are_splits_and_merges() {
        let split = |collateral: Address, parent: B256, partition: &[u64]| {
            let event = abi::conditional_tokens::PositionSplit {
                stakeholder: USER,
                collateralToken: collateral,
                parentCollectionId: parent,
                conditionId: CONDITION,
                partition: partition.iter().copied().map(U256::from).collect(),
                amount: U256::from(3),
            };
            at(CONDITIONAL_TOKENS, event.encode_log_data())
        };
        let expected =
            ChainEvent::Split { wallet: Wallet(USER), condition: ConditionId(CONDITION), amount: micros(3) };
        assert_eq!(event(&split(USDC_E, B256::ZERO, &[1, 2])), expected);
        assert_eq!(event(&split(WRAPPED_COLLATERAL, B256::ZERO, &[2, 1])), expected);
        for other in [
            split(PUSD, B256::ZERO, &[1, 2]),
            split(USDC_E, CONDITION, &[1, 2]),
            split(USDC_E, B256::ZERO, &[1, 1]),
            split(USDC_E, B256::ZERO, &[1, 2, 4]),
            split(USDC_E, B256::ZERO, &[3]),
            split(USDC_E, B256::ZERO, &[]),
        ] {
            assert_eq!(decode(&other), Ok(Decoded::Unknown));
        }
    }

    #[test]
    fn a_redemption_in_a_worthless_token_pays_nothing() {
        let redemption = |collateral| {
            let event = abi::conditional_tokens::PayoutRedemption {
                redeemer: USER,
                collateralToken: collateral,
                parentCollectionId: B256::ZERO,
                conditionId: CONDITION,
                indexSets: vec![U256::from(1)],
                payout: U256::from(59),
            };
            at(CONDITIONAL_TOKENS, event.encode_log_data())
        };
        let expected = ChainEvent::Redemption {
            wallet: Wallet(USER),
            condition: Some(ConditionId(CONDITION)),
            token: None,
            payout: Usd::from_micros(59),
        };
        assert_eq!(event(&redemption(USDC_E)), expected);
        assert_eq!(decode(&redemption(USER)), Ok(Decoded::Unknown));
    }

    #[test]
    fn the_adapters_speak_for_users() {
        let amount = U256::from(10);
        let split =
            abi::neg_risk_adapter::PositionSplit { stakeholder: USER, conditionId: CONDITION, amount };
        let merge =
            abi::neg_risk_adapter::PositionsMerge { stakeholder: USER, conditionId: CONDITION, amount };
        let (wallet, condition) = (Wallet(USER), ConditionId(CONDITION));
        let at_adapter = |data| event(&at(NEG_RISK_ADAPTER, data));
        assert_eq!(
            at_adapter(split.encode_log_data()),
            ChainEvent::Split { wallet, condition, amount: micros(10) }
        );
        assert_eq!(
            at_adapter(merge.encode_log_data()),
            ChainEvent::Merge { wallet, condition, amount: micros(10) }
        );
        let converted = abi::neg_risk_adapter::PositionsConverted {
            stakeholder: USER,
            marketId: CONDITION,
            indexSet: U256::from(1024),
            amount,
        };
        let conversion = ChainEvent::Conversion {
            wallet,
            market: CONDITION,
            index_set: U256::from(1024),
            amount: micros(10),
        };
        assert_eq!(at_adapter(converted.encode_log_data()), conversion);

        let payout = U256::from(7);
        let redeemed = ChainEvent::Redemption {
            wallet,
            condition: Some(condition),
            token: None,
            payout: Usd::from_micros(7),
        };
        let amounts = vec![amount, U256::ZERO];
        let direct = abi::neg_risk_adapter::PayoutRedemption {
            redeemer: USER,
            conditionId: CONDITION,
            amounts: amounts.clone(),
            payout,
        };
        assert_eq!(at_adapter(direct.encode_log_data()), redeemed);
        let indirect = abi::collateral_adapter::PositionsRedeemed {
            initiator: USER,
            conditionId: CONDITION,
            amounts,
            payout,
        };
        let adapter = address!("AdA100Db00Ca00073811820692005400218FcE1f");
        assert_eq!(event(&at(adapter, indirect.encode_log_data())), redeemed);
        assert_eq!(decode(&at(NEG_RISK_ADAPTER, indirect.encode_log_data())), Ok(Decoded::Unknown));
    }

    #[test]
    fn the_redeemer_names_whose_shares_it_redeemed() {
        let redeemer = address!("a1200000d0002264C9a1698e001292D00E1b00af");
        let payout = U256::from(7);
        let redeemed = |condition, token| ChainEvent::Redemption {
            wallet: Wallet(USER),
            condition,
            token,
            payout: Usd::from_micros(7),
        };
        let position = abi::auto_redeemer::Redemption { from: USER, positionId: U256::from(5), payout };
        assert_eq!(
            event(&at(redeemer, position.encode_log_data())),
            redeemed(None, Some(TokenId(U256::from(5))))
        );
        let binary = abi::auto_redeemer::BinaryRedemption { from: USER, conditionId: CONDITION, payout };
        let neg_risk = abi::auto_redeemer::NegRiskRedemption { from: USER, conditionId: CONDITION, payout };
        for data in [binary.encode_log_data(), neg_risk.encode_log_data()] {
            assert_eq!(event(&at(redeemer, data)), redeemed(Some(ConditionId(CONDITION)), None));
        }
    }

    proptest! {
        /// The full decoder of the ABI takes any encoding; what it reads, written again, shows which was the
        /// canonical one.
        #[test]
        fn only_canonical_arrays_pass(words in proptest::collection::vec(
            prop_oneof![(0u64..4).prop_map(U256::from), (0u64..6).prop_map(|words| U256::from(words * 32))], 0..7,
        )) {
            let data: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
            let mut log = resolution(2, &[]);
            log.data = data.clone().into();
            let read = ctf::ConditionResolution::decode_raw_log(log.topics.iter().copied(), &data);
            let canonical = read.is_ok_and(|event| event.encode_log_data().data == log.data);
            let refused = matches!(
                decode(&log).map_err(|error| error.reason),
                Err(Reason::ArrayOffset { .. } | Reason::ArrayLength { .. } | Reason::BodyLength { .. })
            );
            prop_assert_eq!(canonical, !refused);
        }
    }
}
