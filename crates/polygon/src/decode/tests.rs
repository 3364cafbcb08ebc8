use alloy_primitives::{Address, B256, Bytes, FixedBytes, LogData, U256, address, b256};
use alloy_sol_types::SolEvent;
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fee, FeeKind, Fill, Payouts, Role, Shares, Side, Timestamp,
    TokenId, TxHash, Usd, Wallet,
};

use super::{Decoded, Reason, decode};
use crate::abi;
use crate::contracts::{
    BINARY_MODULE, COMBINATORIAL_MODULE, CONDITIONAL_TOKENS, NEG_RISK_ADAPTER, NEG_RISK_MODULE, PUSD, USDC_E,
    WRAPPED_COLLATERAL, exchange_address, watched_topics,
};
use crate::log::{RawLog, parse_logs};

const USER: Address = address!("0e8d61f16a2373931ffbfc2993f046e33286dfcc");
const CONDITION: B256 = b256!("182390641d3b1b47cc64274b9da290efd04221c586651ba190880713da6347d9");

/// Logs from the chain: a V2 taker's purchase, a V1 maker's purchase, a V2 taker's sale with its fee, and a
/// split of the conditional tokens.
fn recorded() -> [RawLog; 4] {
    parse_logs(include_bytes!("../../tests/logs.json")).unwrap().try_into().unwrap()
}

fn at(address: Address, event: LogData) -> RawLog {
    let (topics, data) = event.split();
    RawLog {
        address,
        topics,
        data,
        block_number: 7,
        block_hash: BlockHash(B256::repeat_byte(1)),
        block_timestamp: None,
        tx_hash: TxHash(B256::repeat_byte(2)),
        log_index: 3,
        removed: false,
    }
}

fn event(log: &RawLog) -> ChainEvent {
    match decode(log).unwrap() {
        Decoded::Event(event) => event,
        Decoded::Unknown => panic!("{log:?} is unknown"),
    }
}

fn reason(log: &RawLog) -> Reason {
    decode(log).unwrap_err().reason
}

fn micros(amount: i64) -> Shares {
    Shares::from_micros(amount)
}

#[test]
fn a_taker_row_of_v2_is_the_aggressors_own_fill() {
    let [log, ..] = recorded();
    let exchange = exchange_address(Exchange::V2).unwrap();
    let expected = Fill {
        exchange: Exchange::V2,
        wallet: "0xd74b83e161d23ef17c6247d4b2f6be07160ced75".parse().unwrap(),
        counterparty: Wallet(exchange),
        role: Role::Taker,
        side: Side::Buy,
        token: "45763018441764333771124945243746174684578244015331389396782339063349542289693"
            .parse()
            .unwrap(),
        shares: micros(5_000_000),
        usd: Usd::from_micros(2_500_000),
        fee: Fee::NONE,
    };
    assert_eq!(event(&log), ChainEvent::Fill(expected));
}

#[test]
fn a_v1_purchase_pays_its_fee_in_shares() {
    let [_, log, ..] = recorded();
    let expected = Fill {
        exchange: Exchange::V1,
        wallet: "0x00000003a358014c7c0e227483dbe01619871000".parse().unwrap(),
        counterparty: "0xe55b90febea370d4611a4b0a9ff201183268b24e".parse().unwrap(),
        role: Role::Maker,
        side: Side::Buy,
        token: "114856201873541567677341731370365137173235058495071385195611596664202155739948"
            .parse()
            .unwrap(),
        shares: micros(17_700_000),
        usd: Usd::from_micros(7_434_000),
        fee: Fee::Shares(micros(1_770_000)),
    };
    assert_eq!(event(&log), ChainEvent::Fill(expected));
}

#[test]
fn a_v2_sale_pays_its_fee_in_dollars() {
    let [.., log, _] = recorded();
    let ChainEvent::Fill(fill) = event(&log) else { panic!("no fill") };
    assert_eq!((fill.side, fill.role), (Side::Sell, Role::Taker));
    assert_eq!((fill.shares, fill.usd), (micros(2_560_000), Usd::from_micros(2_355_200)));
    assert_eq!(fill.fee, Fee::Usd(Usd::from_micros(13_180)));
    assert_eq!(fill.cash_change(), Usd::from_micros(2_342_020));
}

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
fn the_emitter_tells_v2_from_v3_and_strangers_from_both() {
    let [mut log, ..] = recorded();
    log.address = exchange_address(Exchange::V3).unwrap();
    let ChainEvent::Fill(fill) = event(&log) else { panic!("no fill") };
    assert_eq!(fill.exchange, Exchange::V3);
    // The taker field still names the V2 exchange, which on V3 is somebody like any other.
    assert_eq!(fill.role, Role::Maker);
    log.address = address!("e2222d002000Ba0053CEF3375333610F64600036");
    let ChainEvent::Fill(fill) = event(&log) else { panic!("no fill") };
    assert_eq!(fill.exchange, Exchange::V2NegRisk);
    for foreign in [USER, PUSD, CONDITIONAL_TOKENS, exchange_address(Exchange::V1).unwrap()] {
        log.address = foreign;
        assert_eq!(decode(&log), Ok(Decoded::Unknown));
    }
}

#[test]
fn every_watched_topic_from_a_stranger_is_unknown() {
    for topic in watched_topics() {
        let mut log = at(USER, LogData::default());
        log.topics = vec![topic];
        assert_eq!(decode(&log), Ok(Decoded::Unknown));
    }
    assert_eq!(decode(&at(CONDITIONAL_TOKENS, LogData::default())), Ok(Decoded::Unknown));
}

/// The recorded V2 log with one word of its data replaced.
fn with_word(index: usize, word: U256) -> RawLog {
    let [mut log, ..] = recorded();
    let mut data = log.data.to_vec();
    data[index * 32..][..32].copy_from_slice(&word.to_be_bytes::<32>());
    log.data = Bytes::from(data);
    log
}

#[test]
fn a_damaged_fill_says_what_is_wrong() {
    assert_eq!(reason(&with_word(0, U256::from(2))), Reason::UnknownSide(2));
    assert_eq!(reason(&with_word(0, U256::from(256))), Reason::DirtySide);
    let too_large = U256::from(1) << 63;
    assert_eq!(reason(&with_word(2, too_large)), Reason::AmountTooLarge { field: "makerAmountFilled" });
    assert_eq!(reason(&with_word(3, too_large)), Reason::AmountTooLarge { field: "takerAmountFilled" });
    assert_eq!(reason(&with_word(4, U256::MAX)), Reason::AmountTooLarge { field: "fee" });
    assert!(decode(&with_word(2, too_large - U256::from(1))).is_ok());

    let [log, ..] = recorded();
    for (length, cut) in [(0, 224), (223, 1), (192, 32)] {
        let shorter = RawLog { data: log.data.slice(..224 - cut), ..log.clone() };
        assert_eq!(reason(&shorter), Reason::BodyLength { expected: 224, found: length });
    }
    let longer = RawLog { data: [log.data.as_ref(), &[0]].concat().into(), ..log.clone() };
    assert_eq!(reason(&longer), Reason::BodyLength { expected: 224, found: 225 });
    let fewer = RawLog { topics: log.topics[..3].to_vec(), ..log.clone() };
    assert_eq!(reason(&fewer), Reason::TopicCount { expected: 4, found: 3 });
    for (topic, field) in [(2, "maker"), (3, "taker")] {
        let mut dirty = log.clone();
        dirty.topics[topic].0[11] = 1;
        assert_eq!(reason(&dirty), Reason::DirtyAddress { field });
    }
    let error = decode(&fewer).unwrap_err().to_string();
    assert!(error.contains("log 257 of transaction 0x5a82") && error.contains("block 85050371"), "{error}");
}

#[test]
fn a_v1_fill_trades_a_token_for_dollars() {
    let [_, log, ..] = recorded();
    let with_assets = |maker: u64, taker: u64| {
        let mut data = log.data.to_vec();
        data[..32].copy_from_slice(&U256::from(maker).to_be_bytes::<32>());
        data[32..64].copy_from_slice(&U256::from(taker).to_be_bytes::<32>());
        RawLog { data: data.into(), ..log.clone() }
    };
    assert_eq!(reason(&with_assets(0, 0)), Reason::NoToken);
    assert_eq!(reason(&with_assets(1, 2)), Reason::NoDollar);
    let ChainEvent::Fill(sale) = event(&with_assets(9, 0)) else { panic!("no fill") };
    assert_eq!((sale.side, sale.token), (Side::Sell, TokenId(U256::from(9))));
    assert_eq!((sale.shares, sale.usd), (micros(7_434_000), Usd::from_micros(17_700_000)));
    assert_eq!(sale.fee, Fee::Usd(Usd::from_micros(1_770_000)));
}

#[test]
fn fees_name_their_asset() {
    let v1 = exchange_address(Exchange::V1NegRisk).unwrap();
    let charged = |id: u64| {
        let event = abi::v1::FeeCharged { receiver: USER, tokenId: U256::from(id), amount: U256::from(5) };
        at(v1, event.encode_log_data())
    };
    let expected = |token| ChainEvent::Fee {
        exchange: Some(Exchange::V1NegRisk),
        kind: FeeKind::Charged,
        receiver: Wallet(USER),
        token,
        micros: 5,
    };
    assert_eq!(event(&charged(0)), expected(None));
    assert_eq!(event(&charged(8)), expected(Some(TokenId(U256::from(8)))));
}

#[test]
fn both_generations_of_refunds_are_read() {
    let module = address!("B768891e3130F6dF18214Ac804d4DB76c2C37730");
    let refund = abi::fee_module::FeeRefunded {
        orderHash: B256::repeat_byte(9),
        to: USER,
        id: U256::ZERO,
        refund: U256::from(11),
        feeCharged: U256::from(4),
    };
    let old = abi::old_fee_module::FeeRefunded {
        token: USDC_E,
        to: USER,
        id: U256::from(6),
        amount: U256::from(2),
    };
    let expected = |token, micros| ChainEvent::Fee {
        exchange: None,
        kind: FeeKind::Refunded,
        receiver: Wallet(USER),
        token,
        micros,
    };
    assert_eq!(event(&at(module, refund.encode_log_data())), expected(None, 11));
    assert_eq!(event(&at(module, old.encode_log_data())), expected(Some(TokenId(U256::from(6))), 2));
    assert_eq!(
        decode(&at(exchange_address(Exchange::V1).unwrap(), refund.encode_log_data())),
        Ok(Decoded::Unknown)
    );
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
    let paid =
        ChainEvent::Resolution { condition: ConditionId(CONDITION), payouts: Payouts::winner(1, 2).unwrap() };
    assert_eq!(event(&resolution(2, &[zero, one])), paid);
    assert_eq!(reason(&resolution(2, &[zero, zero])), Reason::PayoutSum);
    assert_eq!(reason(&resolution(0, &[])), Reason::PayoutSum);
    assert_eq!(reason(&resolution(3, &[zero, one])), Reason::PayoutCount);
    assert_eq!(reason(&resolution(2, &[zero, U256::from(1) << 64])), Reason::PayoutTooLarge { outcome: 1 });
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
    let split = abi::neg_risk_adapter::PositionSplit { stakeholder: USER, conditionId: CONDITION, amount };
    let merge = abi::neg_risk_adapter::PositionsMerge { stakeholder: USER, conditionId: CONDITION, amount };
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
    let conversion =
        ChainEvent::Conversion { wallet, market: CONDITION, index_set: U256::from(1024), amount: micros(10) };
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
    let ChainEvent::Conversion { wallet, index_set, amount, .. } = event(&converted(65_535)) else {
        panic!("no conversion")
    };
    assert_eq!((wallet, index_set, amount), (Wallet(USER), U256::from(65_535), micros(10)));
    assert_eq!(reason(&converted(65_536)), Reason::IndexTooLarge);
}

#[test]
fn the_place_is_the_logs_own() {
    let [log, ..] = recorded();
    let place = log.place(Timestamp::from_seconds(1_775_220_779));
    assert_eq!((place.block_number, place.log_index), (85_050_371, 257));
    assert_eq!(Some(place.block_time), log.block_timestamp);
}
