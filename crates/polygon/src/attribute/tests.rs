//! Every shape that a deed takes on its way through the contracts, and what must come of it.

use alloy_primitives::{Address, B256, U256, b256};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fee, Fill, Role, Shares, Side, Timestamp, TokenId, TxHash,
    Usd, Wallet,
};

use super::*;
use crate::contracts::{
    AUTO_REDEEMER, COLLATERAL_ADAPTER, COLLATERAL_ADAPTER_NEG_RISK, COLLATERAL_ADAPTER_NEG_RISK_OLD,
    COLLATERAL_ADAPTER_OLD, CONDITIONAL_TOKENS, POSITION_MANAGER, USDC_E, WRAPPED_COLLATERAL,
    exchange_address, watched_addresses, watched_topics,
};
use crate::decode::{DecodedBlock, decode_block};
use crate::encode::{self, LogBody, Redeemed};
use crate::follow::ChainBlock;
use crate::log::MalformedLog;
use crate::tokens::{condition_id, ctf_token, protocol_v2_token};

const USER: Wallet = Wallet(Address::repeat_byte(0x11));
const OTHER: Wallet = Wallet(Address::repeat_byte(0x22));
const NOBODY: Wallet = Wallet(Address::ZERO);
const CONDITION: ConditionId =
    ConditionId(b256!("182390641d3b1b47cc64274b9da290efd04221c586651ba190880713da6347d9"));
/// A condition of Protocol V2, of the binary module.
const SHORT: ConditionId =
    ConditionId(b256!("0101000102030405060708090a0b0c0d0e000200000000000000000000000700"));
/// The contract for ordinary users' positions, the adapters, the redeemer and the router.
const ROUTER: Wallet = Wallet(alloy_primitives::address!("12121212006e4CD160D18e3f00711DA5c3372600"));
const ADAPTER: Wallet = Wallet(COLLATERAL_ADAPTER);
const OLD_ADAPTER: Wallet = Wallet(COLLATERAL_ADAPTER_OLD);
const NEG_RISK: Wallet = Wallet(NEG_RISK_ADAPTER);
const REDEEMER: Wallet = Wallet(AUTO_REDEEMER);

const TEN: Shares = Shares::whole(10);
const PAID: Usd = Usd::whole(7);

/// The logs of one transaction, in order.
#[derive(Clone, Default)]
struct Tx(Vec<LogBody>);

impl Tx {
    fn log(mut self, body: Option<LogBody>) -> Self {
        self.0.push(body.unwrap());
        self
    }

    fn ctf_split(self, stakeholder: Wallet, collateral: Address) -> Self {
        self.log(encode::position_split(stakeholder, collateral, CONDITION, TEN))
    }

    fn ctf_merge(self, stakeholder: Wallet, collateral: Address) -> Self {
        self.log(encode::positions_merge(stakeholder, collateral, CONDITION, TEN))
    }

    fn ctf_redemption(self, redeemer: Wallet, collateral: Address) -> Self {
        self.log(encode::payout_redemption(redeemer, collateral, CONDITION, PAID))
    }

    /// Both tokens of the condition, in one transfer.
    fn moves(self, from: Wallet, to: Wallet, collateral: Address, amount: Shares) -> Self {
        let both = [0, 1].map(|outcome| (ctf_token(collateral, CONDITION, outcome), amount));
        self.log(encode::transfer_batch(CONDITIONAL_TOKENS, from, to, &both))
    }

    fn moves_one(self, from: Wallet, to: Wallet, token: TokenId, amount: Shares) -> Self {
        self.log(encode::transfer_single(CONDITIONAL_TOKENS, from, to, token, amount))
    }

    /// A fill and its match on an exchange.
    fn matched(self, exchange: Exchange) -> Self {
        let own = Wallet(exchange_address(exchange).unwrap());
        let fill = Fill {
            exchange,
            wallet: USER,
            counterparty: own,
            role: Role::Taker,
            side: Side::Buy,
            token: TokenId(U256::from(5)),
            shares: TEN,
            usd: PAID,
            fee: match exchange {
                Exchange::V1 | Exchange::V1NegRisk => Fee::Shares(Shares::ZERO),
                _ => Fee::NONE,
            },
        };
        let matched =
            encode::orders_matched(exchange, B256::ZERO, USER, Side::Buy, fill.token, fill.shares, fill.usd);
        self.log(encode::order_filled(&fill, B256::ZERO)).log(matched)
    }

    fn placed(&self, tx_hash: TxHash, first: u32) -> Vec<RawLog> {
        let place = |(index, body): (u32, &LogBody)| RawLog {
            address: body.address,
            topics: body.topics.clone().try_into().unwrap(),
            data: body.data.clone(),
            block_number: 7,
            block_hash: BlockHash(B256::repeat_byte(7)),
            block_timestamp: None,
            tx_hash,
            log_index: index,
            removed: false,
        };
        (first..).zip(&self.0).map(place).collect()
    }
}

/// A block of these transactions as a listener gets it, with the receipts of those that `wanting_receipts`
/// names, or without.
fn block(transactions: &[Tx], with_receipts: bool) -> (ChainBlock, usize) {
    let mut logs = vec![];
    for (number, tx) in (1u8..).zip(transactions) {
        let first = u32::try_from(logs.len()).unwrap();
        logs.extend(tx.placed(TxHash(B256::repeat_byte(number)), first));
    }
    let watched = |log: &&RawLog| {
        watched_addresses().contains(&log.address) && watched_topics().contains(&log.topics[0])
    };
    let asked: Vec<RawLog> = logs.iter().filter(watched).cloned().collect();
    let wanted = wanting_receipts(&asked);
    let receipt = |tx_hash: &TxHash| Receipt {
        tx_hash: *tx_hash,
        logs: logs.iter().filter(|log| log.tx_hash == *tx_hash).cloned().collect(),
    };
    let receipts = if with_receipts { wanted.iter().map(receipt).collect() } else { vec![] };
    let block = ChainBlock {
        number: 7,
        hash: BlockHash(B256::repeat_byte(7)),
        parent: None,
        time: Timestamp::from_seconds(1_775_220_779),
        logs: asked,
        malformed: vec![],
        receipts,
    };
    (block, wanted.len())
}

fn events(decoded: &DecodedBlock) -> Vec<ChainEvent> {
    decoded.facts.iter().map(|fact| fact.event.clone()).collect()
}

fn split(wallet: Wallet) -> ChainEvent {
    ChainEvent::Split { wallet, condition: CONDITION, amount: TEN }
}

fn merge(wallet: Wallet) -> ChainEvent {
    ChainEvent::Merge { wallet, condition: CONDITION, amount: TEN }
}

fn redemption(wallet: Wallet) -> ChainEvent {
    ChainEvent::Redemption { wallet, condition: Some(CONDITION), token: None, payout: PAID }
}

/// What the block's own logs tell, without a receipt.
#[test]
fn what_the_logs_themselves_tell() {
    let collateral_redemption =
        |adapter: Wallet, by| encode::collateral_redemption(adapter.0, by, CONDITION, [TEN, TEN], PAID);
    let neg_risk_redemption = |by| encode::neg_risk_redemption(by, CONDITION, [TEN, TEN], PAID);
    let neg_risk_adapter = Wallet(COLLATERAL_ADAPTER_NEG_RISK);
    let binary = |user| encode::auto_redemption(user, Redeemed::Binary(CONDITION), PAID);
    let cases: Vec<(&str, Tx, Vec<ChainEvent>)> = vec![
        ("a user at the tokens", Tx::default().ctf_split(USER, USDC_E), vec![split(USER)]),
        ("a user merges", Tx::default().ctf_merge(USER, USDC_E), vec![merge(USER)]),
        ("a user redeems", Tx::default().ctf_redemption(USER, USDC_E), vec![redemption(USER)]),
        (
            "a user at the neg-risk adapter",
            Tx::default()
                .ctf_split(NEG_RISK, WRAPPED_COLLATERAL)
                .log(encode::neg_risk_split(USER, CONDITION, TEN)),
            vec![split(USER)],
        ),
        (
            "a user merges at the neg-risk adapter",
            Tx::default()
                .ctf_merge(NEG_RISK, WRAPPED_COLLATERAL)
                .log(encode::neg_risk_merge(USER, CONDITION, TEN)),
            vec![merge(USER)],
        ),
        (
            "a user redeems at the neg-risk adapter",
            Tx::default().ctf_redemption(NEG_RISK, WRAPPED_COLLATERAL).log(neg_risk_redemption(USER)),
            vec![redemption(USER)],
        ),
        (
            "a user redeems at the collateral adapter",
            Tx::default().ctf_redemption(ADAPTER, USDC_E).log(collateral_redemption(ADAPTER, USER)),
            vec![redemption(USER)],
        ),
        (
            "a user redeems at the neg-risk collateral adapter",
            Tx::default()
                .ctf_redemption(NEG_RISK, WRAPPED_COLLATERAL)
                .log(neg_risk_redemption(neg_risk_adapter))
                .log(collateral_redemption(neg_risk_adapter, USER)),
            vec![redemption(USER)],
        ),
        (
            "the redeemer through the collateral adapter",
            Tx::default()
                .ctf_redemption(ADAPTER, USDC_E)
                .log(collateral_redemption(ADAPTER, REDEEMER))
                .log(binary(USER)),
            vec![redemption(USER)],
        ),
        (
            "the redeemer for two users, through an adapter that tells nothing",
            Tx::default()
                .ctf_redemption(OLD_ADAPTER, USDC_E)
                .log(binary(USER))
                .ctf_redemption(OLD_ADAPTER, USDC_E)
                .log(binary(OTHER)),
            vec![redemption(USER), redemption(OTHER)],
        ),
        (
            "the redeemer speaks first",
            Tx::default()
                .log(encode::auto_redemption(USER, Redeemed::NegRisk(CONDITION), PAID))
                .log(collateral_redemption(neg_risk_adapter, REDEEMER))
                .log(neg_risk_redemption(neg_risk_adapter))
                .ctf_redemption(NEG_RISK, WRAPPED_COLLATERAL),
            vec![redemption(USER)],
        ),
    ];
    for (name, tx, expected) in cases {
        let (block, wanted) = block(&[tx], false);
        let decoded = decode_block(&block);
        assert_eq!(events(&decoded), expected, "{name}");
        assert_eq!((wanted, decoded.unreadable.len()), (0, 0), "{name}");
    }
}

/// Whichever log a node leaves out or garbles, the receipt has it: the deed is told once, by the same log as ever.
#[test]
fn what_is_left_out_stands_in_the_receipt() {
    let tx = Tx::default()
        .ctf_redemption(REDEEMER, USDC_E)
        .moves(USER, NOBODY, USDC_E, TEN)
        .log(encode::auto_redemption(USER, Redeemed::Binary(CONDITION), PAID));
    let (whole, _) = block(std::slice::from_ref(&tx), false);
    let told = decode_block(&whole).facts;
    assert_eq!(told.iter().map(|fact| fact.place.log_index).collect::<Vec<_>>(), [2]);
    let (mut torn, _) = block(std::slice::from_ref(&tx), false);
    let tx_hash = torn.logs[0].tx_hash;
    let mut short = torn.logs.pop().unwrap();
    short.data = short.data.slice(..short.data.len() - 1);
    assert_eq!(wanting_receipts(&torn.logs), [tx_hash]);
    torn.receipts.push(Receipt { tx_hash, logs: tx.placed(tx_hash, 0) });
    let left_out = torn.clone();
    let mut malformed = torn.clone();
    malformed.malformed.push(MalformedLog {
        reason: "field `data` is short".to_owned(),
        raw: String::new(),
        block_number: Some(7),
        log_index: Some(2),
    });
    torn.logs.push(short);
    for block in [left_out, malformed, torn] {
        let decoded = decode_block(&block);
        assert_eq!((&decoded.facts, decoded.unreadable), (&told, vec![]));
    }
}

#[test]
fn what_an_exchange_does_while_it_matches_is_told_by_the_fills() {
    let of = |exchange| Wallet(exchange_address(exchange).unwrap());
    let module = |by| encode::module_split(by, SHORT, [by, by], TEN);
    let cases: Vec<(&str, Tx)> = vec![
        ("V1 mints", Tx::default().ctf_split(of(Exchange::V1), USDC_E).matched(Exchange::V1)),
        ("V1 merges", Tx::default().ctf_merge(of(Exchange::V1), USDC_E).matched(Exchange::V1)),
        (
            "V1 mints neg-risk shares",
            Tx::default()
                .ctf_split(NEG_RISK, WRAPPED_COLLATERAL)
                .log(encode::neg_risk_split(of(Exchange::V1NegRisk), CONDITION, TEN))
                .matched(Exchange::V1NegRisk),
        ),
        ("V2 mints", Tx::default().ctf_split(ADAPTER, USDC_E).matched(Exchange::V2)),
        ("V2 merges", Tx::default().matched(Exchange::V2).ctf_merge(OLD_ADAPTER, USDC_E)),
        (
            "V2 mints neg-risk shares",
            Tx::default()
                .ctf_split(NEG_RISK, WRAPPED_COLLATERAL)
                .log(encode::neg_risk_split(Wallet(COLLATERAL_ADAPTER_NEG_RISK), CONDITION, TEN))
                .matched(Exchange::V2NegRisk),
        ),
        ("V3 mints", Tx::default().log(module(of(Exchange::V3))).matched(Exchange::V3)),
    ];
    for (name, tx) in cases {
        let (block, wanted) = block(&[tx], false);
        let decoded = decode_block(&block);
        assert!(matches!(events(&decoded)[..], [ChainEvent::Fill(_)]), "{name}");
        assert_eq!((wanted, decoded.unreadable.len()), (0, 0), "{name}");
    }
}

/// What only the transfers tell: with the receipt a fact, without it a log set aside.
#[test]
fn what_only_a_receipt_tells() {
    let (usdc, wrapped) = (USDC_E, WRAPPED_COLLATERAL);
    let old_neg_risk = Wallet(COLLATERAL_ADAPTER_NEG_RISK_OLD);
    let token = |outcome| ctf_token(USDC_E, CONDITION, outcome);
    let cases: Vec<(&str, Tx, Vec<ChainEvent>)> =
        vec![
            (
                "a split through the collateral adapter",
                Tx::default()
                    .moves(NOBODY, ADAPTER, usdc, TEN)
                    .ctf_split(ADAPTER, usdc)
                    .moves(ADAPTER, USER, usdc, TEN),
                vec![split(USER)],
            ),
            (
                "a split handed on token by token",
                Tx::default()
                    .ctf_split(OLD_ADAPTER, usdc)
                    .moves_one(OLD_ADAPTER, USER, token(0), TEN)
                    .moves_one(OLD_ADAPTER, USER, token(1), TEN),
                vec![split(USER)],
            ),
            (
                "a split through both adapters",
                Tx::default()
                    .ctf_split(NEG_RISK, wrapped)
                    .moves(NEG_RISK, old_neg_risk, wrapped, TEN)
                    .log(encode::neg_risk_split(old_neg_risk, CONDITION, TEN))
                    .moves(old_neg_risk, USER, wrapped, TEN),
                vec![split(USER)],
            ),
            (
                "a merge through the collateral adapter",
                Tx::default()
                    .moves(USER, ADAPTER, usdc, TEN)
                    .moves(ADAPTER, NOBODY, usdc, TEN)
                    .ctf_merge(ADAPTER, usdc),
                vec![merge(USER)],
            ),
            (
                "a redemption of one outcome through the adapter that tells nothing",
                Tx::default()
                    .moves_one(USER, OLD_ADAPTER, token(1), Shares::whole(7))
                    .moves_one(OLD_ADAPTER, NOBODY, token(1), Shares::whole(7))
                    .ctf_redemption(OLD_ADAPTER, usdc),
                vec![redemption(USER)],
            ),
            (
                "two users one after the other",
                Tx::default()
                    .moves(USER, ADAPTER, usdc, TEN)
                    .ctf_merge(ADAPTER, usdc)
                    .moves(OTHER, ADAPTER, usdc, TEN)
                    .ctf_merge(ADAPTER, usdc)
                    .ctf_split(ADAPTER, usdc)
                    .moves(ADAPTER, OTHER, usdc, TEN)
                    .ctf_split(ADAPTER, usdc)
                    .moves(ADAPTER, USER, usdc, TEN),
                vec![merge(USER), merge(OTHER), split(OTHER), split(USER)],
            ),
        ];
    for (name, tx, expected) in cases {
        let (with, wanted) = block(std::slice::from_ref(&tx), true);
        let decoded = decode_block(&with);
        assert_eq!((events(&decoded), decoded.unreadable), (expected.clone(), vec![]), "{name}");
        assert_eq!(wanted, 1, "{name}");
        let (without, _) = block(&[tx], false);
        let decoded = decode_block(&without);
        assert_eq!(decoded.facts, [], "{name}");
        assert_eq!(decoded.unreadable.len(), expected.len(), "{name}");
        assert!(decoded.unreadable[0].reason.contains("no receipt"), "{name}");
    }
}

#[test]
fn a_conversion_through_an_adapter_is_whose_shares_were_given() {
    let market = b256!("cc4727a6394620b9c8ae82db3db50a34d5ca9828675547bcc4cddf5e86b63000");
    let against = |question: u8| {
        let mut id = market;
        id[31] = question;
        ctf_token(WRAPPED_COLLATERAL, condition_id(NEG_RISK_ADAPTER, id, 2), 1)
    };
    let set = U256::from(0b1001);
    let adapter = Wallet(COLLATERAL_ADAPTER_NEG_RISK);
    let given = [(against(0), TEN), (against(3), TEN)];
    let tx = |given: &[(TokenId, Shares)]| {
        Tx::default()
            .log(encode::transfer_batch(CONDITIONAL_TOKENS, USER, adapter, given))
            // The shares of the other answers are made by splits of the adapter.
            .ctf_split(NEG_RISK, WRAPPED_COLLATERAL)
            .log(encode::neg_risk_conversion(adapter, market, set, TEN))
    };
    let expected = |wallet| ChainEvent::Conversion { wallet, market, index_set: set, amount: TEN };
    let (with, wanted) = block(&[tx(&given)], true);
    let decoded = decode_block(&with);
    assert_eq!((events(&decoded), decoded.unreadable, wanted), (vec![expected(USER)], vec![], 1));
    // Not the shares that were converted.
    let (with, _) = block(&[tx(&given[..1])], true);
    assert!(decode_block(&with).unreadable[0].reason.contains("not as many"));
    // Straight at the adapter, it names the user.
    let direct = Tx::default()
        .ctf_split(NEG_RISK, WRAPPED_COLLATERAL)
        .log(encode::neg_risk_conversion(USER, market, set, TEN));
    let (direct, wanted) = block(&[direct], true);
    let decoded = decode_block(&direct);
    assert_eq!((events(&decoded), decoded.unreadable, wanted), (vec![expected(USER)], vec![], 0));
}

#[test]
fn modules_name_the_user_as_initiator_or_recipient() {
    let yes = protocol_v2_token(SHORT, 0).unwrap();
    let redeemed = |by, to| encode::module_redemption(by, yes, to, TEN, PAID);
    let auto = encode::auto_redemption(USER, Redeemed::Position(yes), PAID);
    let split = ChainEvent::Split { wallet: USER, condition: SHORT, amount: TEN };
    let merge = ChainEvent::Merge { wallet: USER, condition: SHORT, amount: TEN };
    let redemption = ChainEvent::Redemption { wallet: USER, condition: None, token: Some(yes), payout: PAID };
    let market = b256!("0201000102030405060708090a0b0c0d0e000200000000000000000000000000");
    let conversion =
        ChainEvent::Conversion { wallet: USER, market, index_set: U256::from(1u64 << 3), amount: TEN };
    let one = |body| Tx::default().log(body);
    let cases: Vec<(&str, Tx, ChainEvent)> = vec![
        ("a user splits", one(encode::module_split(USER, SHORT, [USER, OTHER], TEN)), split.clone()),
        ("a router splits", one(encode::module_split(ROUTER, SHORT, [USER, USER], TEN)), split),
        ("a user merges", one(encode::module_merge(USER, SHORT, OTHER, TEN)), merge.clone()),
        ("a router merges", one(encode::module_merge(ROUTER, SHORT, USER, TEN)), merge),
        ("a user redeems", one(redeemed(USER, USER)), redemption.clone()),
        ("a router redeems", one(redeemed(ROUTER, USER)), redemption.clone()),
        ("the redeemer redeems", one(redeemed(REDEEMER, REDEEMER)).log(auto), redemption),
        ("a router converts", one(encode::module_conversion(ROUTER, market, USER, 3, TEN)), conversion),
    ];
    for (name, tx, expected) in cases {
        let (block, wanted) = block(&[tx], false);
        let decoded = decode_block(&block);
        assert_eq!((events(&decoded), decoded.unreadable, wanted), (vec![expected], vec![], 0), "{name}");
    }
}

#[test]
fn positions_of_protocol_v2_tell_too_where_nobody_is_named() {
    let [yes, no] = [0, 1].map(|outcome| protocol_v2_token(SHORT, outcome).unwrap());
    let merged = Tx::default()
        .log(encode::transfer_batch(POSITION_MANAGER, USER, ROUTER, &[(yes, TEN), (no, TEN)]))
        .log(encode::module_merge(ROUTER, SHORT, ROUTER, TEN));
    let redeemed = Tx::default()
        .log(encode::transfer_single(POSITION_MANAGER, OTHER, REDEEMER, yes, TEN))
        .log(encode::module_redemption(REDEEMER, yes, REDEEMER, TEN, PAID));
    let (with, wanted) = block(&[merged, redeemed], true);
    let decoded = decode_block(&with);
    assert_eq!(wanted, 2);
    assert_eq!(decoded.unreadable, []);
    let expected = [
        ChainEvent::Merge { wallet: USER, condition: SHORT, amount: TEN },
        ChainEvent::Redemption { wallet: OTHER, condition: None, token: Some(yes), payout: PAID },
    ];
    assert_eq!(events(&decoded), expected);
}

#[test]
fn what_cannot_be_told_is_set_aside_with_the_reason() {
    let usdc = USDC_E;
    let cases: Vec<(&str, Tx)> = vec![
        ("no user's shares", Tx::default().ctf_split(ADAPTER, usdc).moves(ADAPTER, OLD_ADAPTER, usdc, TEN)),
        (
            "2 users",
            Tx::default()
                .ctf_split(ADAPTER, usdc)
                .moves(ADAPTER, USER, usdc, TEN)
                .moves(ADAPTER, OTHER, usdc, TEN),
        ),
        ("not as many", Tx::default().ctf_split(ADAPTER, usdc).moves(ADAPTER, USER, usdc, Shares::whole(9))),
        // Given before a split, or got after a merge, is something else.
        ("no user's shares", Tx::default().moves(ADAPTER, USER, usdc, TEN).ctf_split(ADAPTER, usdc)),
        ("no user's shares", Tx::default().ctf_merge(ADAPTER, usdc).moves(USER, ADAPTER, usdc, TEN)),
        // An exchange that matched nothing, and the adapter's own deed without the adapter's own log.
        ("no user's shares", Tx::default().ctf_split(Wallet(exchange_address(Exchange::V1).unwrap()), usdc)),
        ("no user's shares", Tx::default().ctf_redemption(NEG_RISK, WRAPPED_COLLATERAL)),
        ("no user's shares", Tx::default().log(encode::module_split(ROUTER, SHORT, [USER, OTHER], TEN))),
    ];
    for (reason, tx) in cases {
        let (with, wanted) = block(&[tx], true);
        let decoded = decode_block(&with);
        assert_eq!((decoded.facts.len(), decoded.unreadable.len(), wanted), (0, 1, 1), "{reason}");
        assert!(decoded.unreadable[0].reason.contains(reason), "{}", decoded.unreadable[0].reason);
        assert!(decoded.unreadable[0].raw.contains("address 0x"));
    }
}

#[test]
fn one_transaction_says_nothing_of_another() {
    // A match in the first does not excuse the split of the second, nor do its transfers tell of it.
    let match_alone = Tx::default().matched(Exchange::V2);
    let moves_alone = Tx::default().ctf_split(USER, USDC_E).moves(ADAPTER, OTHER, USDC_E, TEN);
    let lone_split = Tx::default().ctf_split(ADAPTER, USDC_E);
    let (with, wanted) = block(&[match_alone, lone_split, moves_alone], true);
    let decoded = decode_block(&with);
    assert_eq!((wanted, decoded.facts.len(), decoded.unreadable.len()), (1, 2, 1));
}

#[test]
fn what_is_malformed_or_damaged_is_set_aside_with_the_rest_kept() {
    let (mut block, _) = block(&[Tx::default().ctf_split(USER, USDC_E).ctf_merge(USER, USDC_E)], false);
    block.logs[1].data = block.logs[1].data.slice(..40);
    let reason = "half a log".to_owned();
    block.malformed.push(MalformedLog {
        reason,
        raw: "{}".to_owned(),
        block_number: Some(7),
        log_index: None,
    });
    let decoded = decode_block(&block);
    assert_eq!(events(&decoded), [split(USER)]);
    let [malformed, damaged] = decoded.unreadable.try_into().unwrap();
    assert_eq!(
        (malformed.log_index, malformed.reason.as_str(), malformed.raw.as_str()),
        (None, "half a log", "{}")
    );
    assert_eq!(damaged.log_index, Some(1));
    assert!(damaged.reason.contains("bytes of data"), "{}", damaged.reason);
}
