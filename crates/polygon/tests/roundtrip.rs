//! What is encoded decodes to the same, and nothing that can be sent makes the decoder fall.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use alloy_primitives::{Address, B256, Bytes, U256};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fee, FeeKind, Fill, Payouts, Role, Shares, Side, TokenId,
    TxHash, Usd, Wallet,
};
use polygon::contracts::{self, exchange_address, watched_addresses, watched_topics};
use polygon::decode::{Decoded, Reason, decode};
use polygon::encode::{self, LogBody};
use polygon::log::{RawLog, parse_logs};
use polygon::tokens;
use proptest::collection::vec;
use proptest::prelude::*;

fn placed(body: LogBody) -> RawLog {
    RawLog {
        address: body.address,
        topics: body.topics.try_into().unwrap(),
        data: body.data,
        block_number: 1,
        block_hash: BlockHash(B256::repeat_byte(1)),
        block_timestamp: None,
        tx_hash: TxHash(B256::repeat_byte(2)),
        log_index: 3,
        removed: false,
    }
}

fn event(body: Option<LogBody>) -> Option<ChainEvent> {
    match decode(&placed(body?)) {
        Ok(Decoded::Event(event)) => Some(event),
        _ => None,
    }
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::from)
}

fn word() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::from)
}

fn token() -> impl Strategy<Value = TokenId> {
    word()
        .prop_map(|word| TokenId(U256::from_be_bytes(word.0)))
        .prop_filter("V1's dollar", |id| !id.0.is_zero())
}

fn micros() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), Just(i64::MAX), 0..=i64::MAX, 0..1_000_000_000i64]
}

fn exchange() -> impl Strategy<Value = Exchange> {
    prop::sample::select(&Exchange::ALL[..5])
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

prop_compose! {
    fn fill()(
        exchange in exchange(), wallet in address(), other in address(), takes in any::<bool>(),
        side in side(), token in token(), shares in micros(), usd in micros(), fee in micros(),
    ) -> Fill {
        let in_shares = matches!(exchange, Exchange::V1 | Exchange::V1NegRisk) && side == Side::Buy;
        let own = exchange_address(exchange).unwrap();
        Fill {
            exchange,
            wallet: Wallet(wallet),
            counterparty: Wallet(if takes { own } else { other }),
            role: if takes || other == own { Role::Taker } else { Role::Maker },
            side,
            token,
            shares: Shares::from_micros(shares),
            usd: Usd::from_micros(usd),
            fee: if in_shares { Fee::Shares(Shares::from_micros(fee)) } else { Fee::Usd(Usd::from_micros(fee)) },
        }
    }
}

fn recorded() -> Vec<RawLog> {
    parse_logs(include_bytes!("logs.json")).unwrap()
}

/// Every event that is decoded, also those that nobody asks for.
fn known_topics() -> Vec<B256> {
    let told = [Exchange::V1, Exchange::V2].into_iter().flat_map(|exchange| {
        let (wallet, shares, usd) = (Wallet::default(), Shares::from_micros(1), Usd::from_micros(1));
        [
            encode::orders_matched(exchange, B256::ZERO, wallet, Side::Buy, TokenId::default(), shares, usd),
            encode::fee_charged(exchange, wallet, usd),
        ]
    });
    watched_topics().into_iter().chain(told.flatten().map(|body| body.topics[0])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_fill_survives(fill in fill(), order in word()) {
        prop_assert_eq!(event(encode::order_filled(&fill, order)), Some(ChainEvent::Fill(fill)));
    }

    #[test]
    fn a_match_survives(
        exchange in exchange(), order in word(), wallet in address(), side in side(), token in token(),
        shares in micros(), usd in micros(),
    ) {
        let (wallet, shares, usd) = (Wallet(wallet), Shares::from_micros(shares), Usd::from_micros(usd));
        let body = encode::orders_matched(exchange, order, wallet, side, token, shares, usd);
        prop_assert_eq!(event(body), Some(ChainEvent::Match { exchange, wallet, side, token, shares, usd }));
    }

    #[test]
    fn a_fee_survives(exchange in exchange(), receiver in address(), micros in micros()) {
        let receiver = Wallet(receiver);
        let body = encode::fee_charged(exchange, receiver, Usd::from_micros(micros));
        let kind = FeeKind::Charged;
        let expected = ChainEvent::Fee { exchange: Some(exchange), kind, receiver, token: None, micros };
        prop_assert_eq!(event(body), Some(expected));
    }

    #[test]
    fn positions_survive(wallet in address(), condition in word(), micros in micros(), wrapped in any::<bool>()) {
        let collateral = if wrapped { contracts::WRAPPED_COLLATERAL } else { contracts::USDC_E };
        let (wallet, condition, amount) = (Wallet(wallet), ConditionId(condition), Shares::from_micros(micros));
        let split = encode::position_split(wallet, collateral, condition, amount);
        prop_assert_eq!(event(split), Some(ChainEvent::Split { wallet, condition, amount }));
        let merge = encode::positions_merge(wallet, collateral, condition, amount);
        prop_assert_eq!(event(merge), Some(ChainEvent::Merge { wallet, condition, amount }));
        let payout = Usd::from_micros(micros);
        let redemption = encode::payout_redemption(wallet, collateral, condition, payout);
        let expected = ChainEvent::Redemption { wallet, condition: Some(condition), token: None, payout };
        prop_assert_eq!(event(redemption), Some(expected));
    }

    #[test]
    fn a_resolution_survives(
        condition in word(), oracle in address(), question in word(), numerators in vec(any::<u32>(), 0..6),
    ) {
        let numerators: Vec<u64> = numerators.into_iter().map(u64::from).collect();
        let body = encode::condition_resolution(ConditionId(condition), oracle, question, &numerators);
        let condition = ConditionId(condition);
        let expected = Payouts::new(numerators).map(|payouts| ChainEvent::Resolution { condition, payouts });
        prop_assert_eq!(event(Some(body)), expected);
    }

    #[test]
    fn a_resolution_of_protocol_v2_survives(mut condition in word(), yes in 0u64..=1_000_000) {
        condition[0] = 1 + condition[0] % 2;
        condition[31] = 0;
        let (condition, result) = (ConditionId(condition), vec![yes, 1_000_000 - yes]);
        let body = encode::condition_resolved(condition, &result);
        let payouts = Payouts::new(result).unwrap();
        prop_assert_eq!(event(body), Some(ChainEvent::Resolution { condition, payouts }));
    }

    #[test]
    fn random_logs_never_panic(
        address in prop_oneof![prop::sample::select(watched_addresses()), address()],
        topic in prop_oneof![prop::sample::select(known_topics()), word()],
        topics in vec(prop_oneof![word(), any::<u8>().prop_map(B256::with_last_byte)], 0..4),
        data in vec(any::<u8>(), 0..300),
    ) {
        let topics = std::iter::once(topic).chain(topics).collect();
        let _ = decode(&placed(LogBody { address, topics, data: Bytes::from(data) }));
    }

    /// Small words make offsets and lengths that nearly fit.
    #[test]
    fn nearly_right_logs_never_panic(
        address in prop::sample::select(watched_addresses()),
        topic in prop::sample::select(known_topics()),
        topics in vec(any::<u8>().prop_map(B256::with_last_byte), 0..4),
        words in vec(prop_oneof![
            (0u64..4).prop_map(U256::from), (0u64..8).prop_map(|words| U256::from(words * 32)), Just(U256::MAX),
        ], 0..9),
    ) {
        let topics = std::iter::once(topic).chain(topics).collect();
        let data: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
        let _ = decode(&placed(LogBody { address, topics, data: data.into() }));
    }

    #[test]
    fn a_recorded_log_of_another_length_is_refused(
        index in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), more in vec(any::<u8>(), 1..70),
    ) {
        let logs = recorded();
        let log = &logs[index.index(logs.len())];
        let shorter = RawLog { data: log.data.slice(..cut.index(log.data.len())), ..log.clone() };
        let longer = RawLog { data: [log.data.as_ref(), &more].concat().into(), ..log.clone() };
        for damaged in [shorter, longer] {
            let reason = decode(&damaged).unwrap_err().reason;
            let expected = matches!(reason, Reason::BodyLength { .. } | Reason::ArrayLength { .. });
            prop_assert!(expected, "{}", reason);
        }
    }

    #[test]
    fn a_recorded_log_with_one_bit_flipped_never_passes_for_itself(
        index in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let logs = recorded();
        let log = &logs[index.index(logs.len())];
        let mut data = log.data.to_vec();
        let at = at.index(data.len());
        data[at] ^= 1 << bit;
        let damaged = RawLog { data: data.into(), ..log.clone() };
        // The builder's code and the metadata say nothing that is kept.
        let ignored = log.topics.len() == 4 && log.data.len() == 224 && at >= 160;
        prop_assert_eq!(decode(&damaged) == decode(log), ignored);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}", bytes in vec(any::<u8>(), 0..200)) {
        let _ = parse_logs(text.as_bytes());
        let _ = parse_logs(&bytes);
    }

    #[test]
    fn a_log_survives_json(
        address in address(), topics in vec(word(), 0..5), data in vec(any::<u8>(), 0..100),
        number in any::<u64>(), index in any::<u32>(), removed in any::<bool>(),
        seconds in prop::option::of(0i64..253_402_300_800),
    ) {
        let log = RawLog {
            block_number: number,
            log_index: index,
            removed,
            block_timestamp: seconds.map(domain::Timestamp::from_seconds),
            ..placed(LogBody { address, topics, data: data.into() })
        };
        let json = serde_json::to_vec(&[&log]).unwrap();
        prop_assert_eq!(parse_logs(&json).unwrap(), vec![log]);
    }
}

#[test]
fn what_no_contract_could_write_is_not_encoded() {
    let fill = Fill {
        exchange: Exchange::V2,
        wallet: Wallet(Address::repeat_byte(1)),
        counterparty: Wallet(Address::repeat_byte(2)),
        role: Role::Maker,
        side: Side::Buy,
        token: TokenId(U256::from(5)),
        shares: Shares::whole(1),
        usd: Usd::whole(1),
        fee: Fee::NONE,
    };
    let encodes = |fill: Fill| encode::order_filled(&fill, B256::ZERO).is_some();
    let exchange = Wallet(exchange_address(Exchange::V2).unwrap());
    assert!(encodes(fill));
    assert!(encodes(Fill { role: Role::Taker, counterparty: exchange, ..fill }));
    assert!(!encodes(Fill { exchange: Exchange::Tape, ..fill }));
    assert!(!encodes(Fill { role: Role::Taker, ..fill }));
    assert!(!encodes(Fill { counterparty: exchange, ..fill }));
    assert!(!encodes(Fill { shares: Shares::whole(-1), ..fill }));
    assert!(!encodes(Fill { usd: Usd::whole(-1), ..fill }));
    assert!(!encodes(Fill { fee: Fee::Usd(Usd::whole(-1)), ..fill }));
    assert!(!encodes(Fill { fee: Fee::Shares(Shares::whole(1)), ..fill }));
    assert!(!encodes(Fill { exchange: Exchange::V1, ..fill }));
    let v1 = Fill { exchange: Exchange::V1, fee: Fee::Shares(Shares::ZERO), ..fill };
    assert!(encodes(v1));
    assert!(!encodes(Fill { token: TokenId(U256::ZERO), ..v1 }));
    // A parlay does not resolve by itself, and a hash names no module.
    let parlay = ConditionId(U256::from(3).checked_shl(248).unwrap().into());
    assert_eq!(encode::condition_resolved(parlay, &[1_000_000, 0]), None);
    assert_eq!(encode::condition_resolved(ConditionId(B256::repeat_byte(1)), &[1_000_000, 0]), None);
}

#[test]
fn a_preparation_is_read_with_its_tokens() {
    let (oracle, question) = (Address::repeat_byte(7), B256::repeat_byte(8));
    let condition = tokens::condition_id(oracle, question, 2);
    let tokens = [0, 1].map(|outcome| tokens::ctf_token(contracts::USDC_E, condition, outcome));
    let body = encode::condition_preparation(condition, oracle, question, 2);
    assert_eq!(event(Some(body)), Some(ChainEvent::Preparation { condition, tokens }));
    let stranger = encode::condition_preparation(ConditionId(B256::ZERO), oracle, question, 2);
    assert_eq!(decode(&placed(stranger)).unwrap_err().reason, Reason::WrongCondition);
}
