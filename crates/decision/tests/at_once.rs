//! Who may have to be looked at between two passes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "shared/nouns.rs"]
mod nouns;

use alloy_primitives::{B256, U256};
use decision::{Eligibility, History};
use domain::{
    BlockHash, ChainEvent, Exchange, Fact, Fee, Fill, Payouts, Place, Role, Shares, Side, Timestamp, TxHash,
    Usd, Wallet,
};
use nouns::{condition, market, token, wallet};

/// Nobody here ever has decisions enough.
const NEVER: Eligibility = Eligibility { decisions: 1_000, events: 1, active_days: 1 };
const SOON: Eligibility = Eligibility { decisions: 1, events: 1, active_days: 1 };

fn fact(block: u64, event: ChainEvent) -> Fact {
    let place = Place {
        block_number: block,
        block_hash: BlockHash(B256::from(U256::from(block))),
        block_time: time(block),
        tx_hash: TxHash(B256::from(U256::from(block))),
        log_index: 0,
    };
    Fact { place, event }
}

fn time(block: u64) -> Timestamp {
    Timestamp::from_seconds(1_780_000_000 + 3_600 * i64::try_from(block).unwrap())
}

fn trade(who: u32, number: u32, outcome: u32, side: Side) -> ChainEvent {
    ChainEvent::Fill(Fill {
        exchange: Exchange::V2,
        wallet: wallet(who),
        counterparty: wallet(200),
        role: Role::Taker,
        side,
        token: token(10 * number + outcome),
        shares: Shares::whole(50),
        usd: Usd::whole(20),
        fee: Fee::NONE,
    })
}

fn result(number: u32) -> ChainEvent {
    ChainEvent::Resolution { condition: condition(number), payouts: Payouts::winner(0, 2).unwrap() }
}

fn paid(history: &History) -> Vec<Wallet> {
    let mut paid: Vec<Wallet> = history.with_results().collect();
    paid.sort_unstable();
    paid
}

/// A world in which one holds what wins, one what loses, one has sold, and one holds something else.
fn world(eligibility: Eligibility) -> History {
    let mut history = History::new(eligibility);
    history.learn(&market(1));
    history.learn(&market(2));
    for (block, event) in [
        (1, trade(1, 1, 0, Side::Buy)),
        (2, trade(2, 1, 1, Side::Buy)),
        (3, trade(3, 1, 0, Side::Buy)),
        (4, trade(3, 1, 0, Side::Sell)),
        (5, trade(4, 2, 0, Side::Buy)),
    ] {
        history.apply(&fact(block, event));
    }
    history
}

#[test]
fn a_result_concerns_who_holds_what_wins_or_loses_and_nobody_else() {
    let mut history = world(NEVER);
    assert_eq!(paid(&history), []);
    history.apply(&fact(6, result(1)));
    assert_eq!(paid(&history), [wallet(1), wallet(2)]);
    // It is forgotten by itself, and with the pass; news it stays until then.
    let mut other = history.clone();
    other.forget_results();
    assert_eq!(paid(&other), []);
    assert_eq!(other.with_news().count(), 4);
    assert_eq!(history.pass(time(7)).len(), 4);
    history.apply(&fact(8, trade(1, 2, 0, Side::Buy)));
    assert_eq!(paid(&history), []);
    history.apply(&fact(9, result(2)));
    assert_eq!(paid(&history), [wallet(1), wallet(4)]);
}

#[test]
fn a_result_concerns_who_comes_back_behind_it() {
    let mut history = world(NEVER);
    history.pass(time(6));
    history.moved();
    let saved: Vec<_> = history.changed().collect();
    history.forget_wallets();
    history.apply(&fact(7, result(1)));
    assert_eq!(paid(&history), []);
    for saved in &saved {
        history.load(saved.wallet, &saved.bytes).unwrap();
    }
    assert_eq!(paid(&history), [wallet(1), wallet(2)]);
}

#[test]
fn who_has_decisions_enough_is_urgent_and_who_is_wanted() {
    let mut history = world(SOON);
    history.apply(&fact(6, result(1)));
    assert_eq!(history.urgent(|_| false), [wallet(1), wallet(2), wallet(3)]);
    assert_eq!(history.urgent(|_| true), [wallet(1), wallet(2), wallet(3), wallet(4)]);
    assert_eq!(world(NEVER).urgent(|who| who == wallet(4)), [wallet(4)]);
    // Without news nobody is.
    history.pass(time(7));
    assert_eq!(history.urgent(|_| true), []);
}
