//! The fold from facts to verdicts.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use decision::{Eligibility, History};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fact, Fee, FeeKind, Fill, Market, Payouts, Place, Price,
    Role, Rounding, Shares, Side, Tick, Tier, Timestamp, TokenId, TxHash, Usd, Wallet, WalletScore,
};
use proptest::prelude::*;

const ANYONE: Eligibility = Eligibility { decisions: 1, events: 1, active_days: 1 };

fn wallet(number: u32) -> Wallet {
    format!("0x{number:040x}").parse().unwrap()
}

fn condition(number: u32) -> ConditionId {
    format!("0x{number:064x}").parse().unwrap()
}

fn token(market: u32, outcome: u32) -> TokenId {
    (10 * market + outcome).to_string().parse().unwrap()
}

fn market(number: u32) -> Market {
    Market {
        condition: condition(number),
        title: String::new(),
        slug: String::new(),
        event: format!("event-{number}"),
        category: None,
        outcomes: vec!["Yes".to_owned(), "No".to_owned()],
        tokens: vec![token(number, 0), token(number, 1)],
        neg_risk: false,
        protocol_v2: false,
        tick: Tick::CENT,
        fee_rate_ppm: 0,
        end: None,
    }
}

fn fact(hour: i64, event: ChainEvent) -> Fact {
    let place = Place {
        block_number: hour.unsigned_abs(),
        block_hash: BlockHash::default(),
        block_time: Timestamp::from_micros(hour * Timestamp::HOUR),
        tx_hash: TxHash::default(),
        log_index: 0,
    };
    Fact { place, event }
}

fn fill(hour: i64, who: u32, market: u32, side: Side, shares: i32, cents: u32) -> Fact {
    let shares = Shares::whole(shares);
    let fill = Fill {
        exchange: Exchange::V2,
        wallet: wallet(who),
        counterparty: wallet(999),
        role: Role::Taker,
        side,
        token: token(market, 0),
        shares,
        usd: shares.at(Price::from_ppm(cents * 10_000).unwrap(), Rounding::Nearest),
        fee: Fee::NONE,
    };
    fact(hour, ChainEvent::Fill(fill))
}

fn resolution(hour: i64, market: u32, winner: usize) -> Fact {
    let payouts = Payouts::winner(winner, 2).unwrap();
    fact(hour, ChainEvent::Resolution { condition: condition(market), payouts })
}

fn verdict(facts: &[Fact], who: u32, hour: i64) -> WalletScore {
    let mut history = History::new(ANYONE);
    (1..=20).for_each(|number| history.learn(&market(number)));
    facts.iter().for_each(|fact| history.apply(fact));
    let as_of = Timestamp::from_micros(hour * Timestamp::HOUR);
    history.pass(as_of);
    history.verdict(wallet(who), as_of).unwrap()
}

#[test]
fn losers_never_redeemed_are_losses() {
    let facts = [
        fill(1, 1, 1, Side::Buy, 100, 40),
        fill(2, 1, 2, Side::Buy, 100, 70),
        resolution(3, 1, 1),
        resolution(4, 2, 0),
    ];
    let verdict = verdict(&facts, 1, 5);
    assert_eq!((verdict.decisions, verdict.wins), (2, 1));
    assert_eq!(verdict.pnl, Usd::whole(-40 + 30));
    assert_eq!(verdict.win_rate, Some(0.5));
    assert!((verdict.break_even_win_rate.unwrap() - 0.55).abs() < 1e-9);
    assert!((verdict.profit_factor.unwrap() - 0.75).abs() < 1e-9);
}

#[test]
fn selling_out_closes_a_decision_and_open_shares_close_none() {
    let facts = [
        fill(1, 1, 1, Side::Buy, 100, 40),
        fill(2, 1, 1, Side::Sell, 100, 55),
        fill(3, 1, 2, Side::Buy, 100, 40),
    ];
    let verdict = verdict(&facts, 1, 5);
    assert_eq!((verdict.decisions, verdict.wins, verdict.trades), (1, 1, 3));
    assert_eq!(verdict.pnl, Usd::whole(15));
}

#[test]
fn fees_in_dollars_and_in_shares_are_paid() {
    let mut charged = fill(1, 1, 1, Side::Buy, 100, 40);
    let mut in_shares = fill(1, 2, 1, Side::Buy, 100, 40);
    if let (ChainEvent::Fill(one), ChainEvent::Fill(other)) = (&mut charged.event, &mut in_shares.event) {
        one.fee = Fee::Usd(Usd::whole(2));
        other.fee = Fee::Shares(Shares::whole(5));
    }
    let facts = [charged, in_shares, resolution(3, 1, 0)];
    assert_eq!(verdict(&facts, 1, 5).pnl, Usd::whole(58));
    assert_eq!(verdict(&facts, 2, 5).pnl, Usd::whole(55));
}

/// V1 took the largest fee the order allowed and gave the rest back: only the difference is paid.
#[test]
fn fees_given_back_are_not_paid() {
    let mut bought = fill(1, 1, 1, Side::Buy, 100, 40);
    if let ChainEvent::Fill(fill) = &mut bought.event {
        fill.fee = Fee::Shares(Shares::whole(5));
    }
    let refund = |token, micros| ChainEvent::Fee {
        exchange: None,
        kind: FeeKind::Refunded,
        receiver: wallet(1),
        token,
        micros,
    };
    let facts = [
        bought,
        fact(1, refund(Some(token(1, 0)), 4_000_000)),
        fact(2, refund(None, 2_000_000)),
        resolution(3, 1, 0),
    ];
    // 99 shares paid $99 for $40, and $2 came back.
    assert_eq!(verdict(&facts, 1, 5).pnl, Usd::whole(61));
}

#[test]
fn splits_and_merges_are_purchases_and_sales_of_both_outcomes() {
    let facts = [
        fact(1, ChainEvent::Split { wallet: wallet(1), condition: condition(1), amount: Shares::whole(100) }),
        fill(2, 1, 1, Side::Sell, 100, 70),
        resolution(3, 1, 1),
    ];
    // $100 became 100 of each; YES sold for $70, NO paid $100.
    assert_eq!(verdict(&facts, 1, 5).pnl, Usd::whole(70));
}

#[test]
fn a_split_before_the_description_counts_all_the_same() {
    let split = ChainEvent::Split { wallet: wallet(1), condition: condition(1), amount: Shares::whole(100) };
    let facts = [fact(1, split), fill(2, 1, 1, Side::Sell, 100, 70), resolution(3, 1, 1)];
    let mut history = History::new(ANYONE);
    facts.iter().for_each(|fact| history.apply(fact));
    history.learn(&market(1));
    let as_of = Timestamp::from_micros(5 * Timestamp::HOUR);
    assert_eq!(history.verdict(wallet(1), as_of).unwrap().pnl, Usd::whole(70));
}

#[test]
fn what_was_sold_without_being_seen_arriving_is_no_decision() {
    let facts = [fill(1, 1, 1, Side::Sell, 100, 70), resolution(3, 1, 1)];
    let verdict = verdict(&facts, 1, 5);
    assert_eq!(verdict.decisions, 0);
    assert_eq!(verdict.pnl, Usd::whole(70));
}

#[test]
fn a_market_described_late_settles_all_the_same() {
    let facts = [fill(1, 1, 1, Side::Buy, 100, 40), resolution(3, 1, 0)];
    let mut history = History::new(ANYONE);
    facts.iter().for_each(|fact| history.apply(fact));
    history.learn(&market(1));
    let as_of = Timestamp::from_micros(5 * Timestamp::HOUR);
    assert_eq!(history.verdict(wallet(1), as_of).unwrap().pnl, Usd::whole(60));
}

#[test]
fn too_little_history_is_unrated_whatever_the_score() {
    let facts = [fill(1, 1, 1, Side::Buy, 100, 40), resolution(3, 1, 0)];
    let mut history = History::new(Eligibility { decisions: 30, events: 15, active_days: 21 });
    history.learn(&market(1));
    facts.iter().for_each(|fact| history.apply(fact));
    let as_of = Timestamp::from_micros(5 * Timestamp::HOUR);
    assert_eq!(history.verdict(wallet(1), as_of).unwrap().tier, Tier::Unrated);
}

#[test]
fn timing_is_the_price_a_day_after_the_entry() {
    let facts = [
        fill(1, 1, 1, Side::Buy, 100, 40),
        fill(20, 2, 1, Side::Buy, 100, 43),
        fill(30, 2, 1, Side::Buy, 100, 90),
    ];
    let verdict = verdict(&facts, 1, 48);
    assert!((verdict.mean_drift.unwrap() - 0.03).abs() < 1e-9);
    assert!((verdict.factors.timing - 10.0).abs() < 1e-9);
}

fn world() -> impl Strategy<Value = Vec<Fact>> {
    let trade = (1u32..6, 1u32..8, any::<bool>(), 1i32..500, 5u32..95);
    prop::collection::vec(trade, 1..120).prop_map(|trades| {
        let mut facts: Vec<Fact> = trades
            .into_iter()
            .zip(1i64..)
            .map(|((who, market, buys, shares, cents), hour)| {
                fill(hour, who, market, if buys { Side::Buy } else { Side::Sell }, shares, cents)
            })
            .collect();
        let end = i64::try_from(facts.len()).unwrap() + 1;
        facts.extend((1..8).map(|market| resolution(end, market, usize::from(market % 2 == 0))));
        facts
    })
}

proptest! {
    /// However the facts are cut into passes, the verdicts at the end are the same.
    #[test]
    fn batches_do_not_matter(facts in world(), cut in 1usize..20) {
        let as_of = Timestamp::from_micros(200 * Timestamp::HOUR);
        let all = |every: usize| {
            let mut history = History::new(ANYONE);
            (1..=20).for_each(|number| history.learn(&market(number)));
            for chunk in facts.chunks(every) {
                chunk.iter().for_each(|fact| history.apply(fact));
                // Passes made long after the facts, as during a backfill, change nothing either.
                history.pass(as_of);
            }
            history.pass(as_of);
            (1..6).map(|who| history.verdict(wallet(who), as_of)).collect::<Vec<_>>()
        };
        prop_assert_eq!(all(cut), all(facts.len()));
    }

    /// Once everything is resolved, a wallet's result is its cash flow plus what its shares paid.
    #[test]
    fn results_tie_to_cash_and_payouts(facts in world()) {
        let mut history = History::new(ANYONE);
        (1..=20).for_each(|number| history.learn(&market(number)));
        facts.iter().for_each(|fact| history.apply(fact));
        let as_of = Timestamp::from_micros(200 * Timestamp::HOUR);
        for who in 1..6 {
            let mut expected = Usd::ZERO;
            for fact in &facts {
                let ChainEvent::Fill(fill) = &fact.event else { continue };
                if fill.wallet == wallet(who) {
                    let wins = (1..8).any(|m| m % 2 == 1 && token(m, 0) == fill.token);
                    expected += fill.cash_change();
                    if wins {
                        expected += Usd::from_micros(fill.share_change().micros());
                    }
                }
            }
            let found = history.verdict(wallet(who), as_of).map_or(Usd::ZERO, |verdict| verdict.pnl);
            prop_assert_eq!(found, expected);
        }
    }
}
