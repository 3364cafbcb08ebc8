//! Conversions among questions that exclude each other, and the published balances of matched orders.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "shared/happened.rs"]
mod happened;

use alloy_primitives::{B256, U256};
use decision::{Eligibility, History};
use domain::{
    ChainEvent, ConditionId, Exchange, Fact, Fee, Fill, Market, NegRiskPlace, Payouts, Role, Shares, Side,
    Tick, Timestamp, TokenId, Usd, Wallet,
};
use happened::fact;

const ANYONE: Eligibility = Eligibility { decisions: 1, events: 1, active_days: 1 };

fn group() -> B256 {
    let mut id = B256::ZERO;
    id[..31].fill(7);
    id
}

fn wallet(number: u32) -> Wallet {
    format!("0x{number:040x}").parse().unwrap()
}

fn condition(question: u8) -> ConditionId {
    format!("0x{:064x}", u32::from(question) + 1).parse().unwrap()
}

fn token(question: u8, outcome: u8) -> TokenId {
    TokenId(U256::from(10 * (u32::from(question) + 1) + u32::from(outcome)))
}

fn question(number: u8, questions: Option<u8>) -> Market {
    Market {
        condition: condition(number),
        title: String::new(),
        slug: String::new(),
        event: "siblings".to_owned(),
        category: None,
        outcomes: vec!["Yes".to_owned(), "No".to_owned()],
        tokens: vec![token(number, 0), token(number, 1)],
        neg_risk: true,
        place: Some(NegRiskPlace { market: group(), question: number, questions }),
        protocol_v2: false,
        tick: Tick::CENT,
        fee_rate_ppm: 0,
        end: None,
        oracle: None,
    }
}

/// Shares for whole dollars, and a fee in tenths of a dollar.
fn fill(who: u32, side: Side, token: TokenId, shares: i32, dollars: i32, tenths: i32) -> Fact {
    fact(
        1,
        ChainEvent::Fill(Fill {
            exchange: Exchange::V2NegRisk,
            wallet: wallet(who),
            counterparty: wallet(999),
            role: Role::Taker,
            side,
            token,
            shares: Shares::whole(shares),
            usd: Usd::whole(dollars),
            fee: Fee::Usd(Usd::from_micros(i64::from(tenths) * 100_000)),
        }),
    )
}

fn convert(questions: &[u32], shares: i32) -> Fact {
    let index_set = questions.iter().fold(U256::ZERO, |set, bit| set | (U256::ONE << *bit));
    let amount = Shares::whole(shares);
    fact(2, ChainEvent::Conversion { wallet: wallet(1), market: group(), index_set, amount })
}

fn resolve(question: u8, numerators: [u64; 2]) -> Fact {
    let payouts = Payouts::new(numerators.to_vec()).unwrap();
    fact(3, ChainEvent::Resolution { condition: condition(question), payouts })
}

fn history(questions: u8, facts: &[Fact]) -> History {
    let mut history = History::new(ANYONE);
    (0..questions).for_each(|number| history.learn(&question(number, Some(questions))));
    history.apply_batch(facts);
    history
}

/// Of each token the shares, the cost and the result.
fn held(history: &mut History) -> Vec<(TokenId, Shares, Usd, Usd)> {
    let moved = history.moved().into_iter().filter(|position| position.wallet == wallet(1));
    moved
        .map(|position| {
            let holding = position.holding;
            (position.token, holding.shares, holding.cost, holding.realized)
        })
        .collect()
}

fn pnl(history: &History, who: u32) -> Usd {
    history.verdict(wallet(who), Timestamp::from_micros(9 * Timestamp::HOUR)).unwrap().pnl
}

/// NO at 60 and 80 cents of four questions: 140 dollars less the 100 that come in are the cost of the two YES.
#[test]
fn shares_against_some_become_shares_for_the_others_at_what_is_left_of_the_cost() {
    let facts = [
        fill(1, Side::Buy, token(0, 1), 100, 60, 0),
        fill(1, Side::Buy, token(1, 1), 100, 80, 0),
        convert(&[0, 1], 100),
    ];
    let mut history = history(4, &facts);
    let (hundred, twenty) = (Shares::whole(100), Usd::whole(20));
    let nothing = |token| (token, Shares::ZERO, Usd::ZERO, Usd::ZERO);
    // Tokens without anything in them and without a result are not told.
    let expected = [(token(2, 0), hundred, twenty, Usd::ZERO), (token(3, 0), hundred, twenty, Usd::ZERO)];
    assert_eq!(
        held(&mut history).into_iter().filter(|held| *held != nothing(held.0)).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(pnl(&history, 1), Usd::ZERO);

    let results = [resolve(0, [0, 1]), resolve(1, [0, 1]), resolve(2, [1, 0]), resolve(3, [0, 1])];
    history.apply_batch(&results);
    assert_eq!(pnl(&history, 1), Usd::whole(-140 + 100 + 100));
    let verdict = history.verdict(wallet(1), Timestamp::from_micros(9 * Timestamp::HOUR)).unwrap();
    // Both bets against were closed at what they cost, one bet for won.
    assert_eq!((verdict.decisions, verdict.wins), (4, 1));
}

#[test]
fn what_does_not_divide_is_not_lost() {
    let bought = fill(1, Side::Buy, token(0, 1), 100, 50, 1);
    let mut history = history(4, &[bought, convert(&[0], 100)]);
    // 50.10 dollars in three parts.
    let costs: Vec<i64> =
        held(&mut history).iter().map(|held| held.2.micros()).filter(|cost| *cost != 0).collect();
    assert_eq!(costs, [16_700_000, 16_700_000, 16_700_000]);
    let mut history = self::history(8, &[fill(1, Side::Buy, token(0, 1), 100, 50, 1), convert(&[0], 100)]);
    let costs: Vec<i64> =
        held(&mut history).iter().map(|held| held.2.micros()).filter(|cost| *cost != 0).collect();
    assert_eq!((costs.len(), costs.iter().sum::<i64>()), (7, 50_100_000));
    assert!(costs.iter().all(|cost| (7_157_142..=7_157_143).contains(cost)));
}

/// Where all are converted, all is cash: two dollars for each three.
#[test]
fn against_all_questions_is_cash() {
    let bought = (0..3).map(|number| fill(1, Side::Buy, token(number, 1), 100, 60, 0));
    let facts: Vec<Fact> = bought.chain([convert(&[0, 1, 2], 100)]).collect();
    let mut history = history(3, &facts);
    assert_eq!(pnl(&history, 1), Usd::whole(200 - 180));
    assert!(held(&mut history).iter().all(|held| held.1 == Shares::ZERO && held.2 == Usd::ZERO));
}

/// NO at 30 cents each: a dollar comes in for 60 cents, and YES is there for less than nothing.
#[test]
fn cheap_shares_against_make_shares_for_of_negative_cost() {
    let facts = [
        fill(1, Side::Buy, token(0, 1), 100, 30, 0),
        fill(1, Side::Buy, token(1, 1), 100, 30, 0),
        convert(&[0, 1], 100),
    ];
    let mut history = history(3, &facts);
    assert!(held(&mut history).contains(&(token(2, 0), Shares::whole(100), Usd::whole(-40), Usd::ZERO)));
    history.apply_batch(&[resolve(0, [0, 1]), resolve(1, [1, 0]), resolve(2, [0, 1])]);
    assert_eq!(pnl(&history, 1), Usd::whole(-60 + 100));
    let verdict = history.verdict(wallet(1), Timestamp::from_micros(9 * Timestamp::HOUR)).unwrap();
    // What cost nothing was no bet.
    assert_eq!((verdict.decisions, verdict.wins), (2, 0));
}

#[test]
fn halves_pay_halves_after_a_conversion() {
    let facts = [
        fill(1, Side::Buy, token(0, 1), 100, 60, 0),
        convert(&[0], 50),
        resolve(0, [1, 1]),
        resolve(1, [1, 1]),
        resolve(2, [0, 1]),
    ];
    // 50 NO of the first and 50 YES of the second pay half, 50 YES of the third nothing.
    assert_eq!(pnl(&history(3, &facts), 1), Usd::whole(25 + 25 - 60));
}

#[test]
fn what_is_converted_without_having_been_seen_has_no_known_cost() {
    let facts = [
        fill(1, Side::Buy, token(0, 1), 100, 60, 0),
        convert(&[0, 1], 100),
        resolve(0, [0, 1]),
        resolve(1, [0, 1]),
        resolve(2, [1, 0]),
    ];
    let history = history(3, &facts);
    let at = Timestamp::from_micros(9 * Timestamp::HOUR);
    // The money ties: 100 from the conversion and 100 for YES, less 60, less the 100 that the unseen NO would pay.
    assert_eq!(pnl(&history, 1), Usd::whole(40));
    let (verdict, figures) =
        (history.verdict(wallet(1), at).unwrap(), history.assess(wallet(1), at).unwrap().figures);
    // The first was sold at what it cost; the other two are of unknown cost.
    assert_eq!((verdict.decisions, verdict.wins, figures.unknown_cost), (1, 0, 2));
}

/// Until all questions are described, a conversion waits, and with it whatever the wallet does among them.
#[test]
fn a_conversion_waits_for_all_questions() {
    let facts = [
        fill(1, Side::Buy, token(0, 1), 100, 60, 0),
        convert(&[0], 100),
        fill(1, Side::Sell, token(1, 0), 100, 40, 0),
        fill(2, Side::Buy, token(1, 0), 100, 40, 0),
        resolve(2, [1, 0]),
    ];
    let expected = history(3, &facts);
    assert_eq!(pnl(&expected, 1), Usd::whole(40 - 30 + 100 - 30));
    assert_told_in_any_order(&facts, &expected);
}

/// Who waits and collects before the result is known has collected the result, and nothing beside it.
#[test]
fn a_waiter_collects_before_the_result() {
    let payout = Usd::whole(100);
    let collected =
        ChainEvent::Redemption { wallet: wallet(1), condition: Some(condition(0)), token: None, payout };
    let facts = [
        fill(1, Side::Buy, token(1, 1), 100, 60, 0),
        convert(&[1], 100),
        fill(1, Side::Buy, token(0, 0), 100, 40, 0),
        fact(2, collected),
        resolve(0, [1, 0]),
    ];
    let expected = history(3, &facts);
    let known = expected.assess(wallet(1), Timestamp::from_micros(9 * Timestamp::HOUR)).unwrap();
    assert_eq!(known.figures.unknown_cost, 0);
    assert_told_in_any_order(&facts, &expected);
}

/// Whichever of three questions is described before the facts, and which after them, first or last.
fn assert_told_in_any_order(facts: &[Fact], expected: &History) {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut history = History::new(ANYONE);
        history.learn(&question(order[0], Some(3)));
        history.apply_batch(facts);
        history.learn(&question(order[1], Some(3)));
        assert!(history != *expected);
        history.learn(&question(order[2], Some(3)));
        assert!(history == *expected, "{order:?}");
    }
}

/// Where nobody says how many questions there are, those up to the last one described are taken for all.
#[test]
fn an_unsaid_number_of_questions_is_that_of_the_described() {
    let mut history = History::new(ANYONE);
    history.learn(&question(0, None));
    history.apply_batch(&[fill(1, Side::Buy, token(0, 1), 100, 60, 0), convert(&[0, 1], 100)]);
    history.learn(&question(2, None));
    assert!(!held(&mut history).iter().any(|held| held.0 == token(2, 0)), "the second is missing");
    history.learn(&question(1, None));
    assert!(held(&mut history).iter().any(|held| held.0 == token(2, 0) && held.1 == Shares::whole(100)));
    // A place that is told later makes a known market one of the siblings.
    let mut history = History::new(ANYONE);
    history.learn(&Market { place: None, ..question(0, None) });
    history.learn(&question(1, Some(2)));
    history.apply_batch(&[fill(1, Side::Buy, token(0, 1), 100, 60, 0), convert(&[0], 100)]);
    assert!(!held(&mut history).iter().any(|held| held.0 == token(1, 0)));
    history.learn(&question(0, Some(2)));
    assert!(held(&mut history).contains(&(token(1, 0), Shares::whole(100), Usd::whole(60), Usd::ZERO)));
}

/// The balances that the exchange's own tests publish: every cash change, with who bought, sold, minted and merged.
#[test]
fn matched_orders_move_what_the_exchange_says_they_move() {
    let (yes, no) = (token(0, 0), token(0, 1));
    let (bob, carla, dave) = (1, 2, 3);
    let buy = |who, token, shares, dollars, tenths| fill(who, Side::Buy, token, shares, dollars, tenths);
    let sell = |who, token, shares, dollars, tenths| fill(who, Side::Sell, token, shares, dollars, tenths);
    let complementary =
        [buy(bob, yes, 300, 150, 75), sell(carla, yes, 100, 50, 25), sell(dave, yes, 200, 100, 50)];
    let taker_sells = [sell(bob, yes, 100, 50, 25), buy(carla, yes, 100, 50, 0)];
    let mint = [buy(bob, yes, 200, 100, 50), buy(carla, no, 100, 50, 25), buy(dave, no, 100, 50, 25)];
    let merge = [sell(bob, yes, 200, 100, 50), sell(carla, no, 100, 50, 25), sell(dave, no, 100, 50, 25)];
    let cases: [(&[Fact], [i64; 3]); 4] = [
        (&complementary, [-1_575, 475, 950]),
        (&taker_sells, [475, -500, 0]),
        (&mint, [-1_050, -525, -525]),
        (&merge, [950, 475, 475]),
    ];
    for (facts, tenths) in cases {
        let mut history = history(1, facts);
        for position in history.moved() {
            let who = (1u32..=3).find(|who| wallet(*who) == position.wallet).unwrap();
            // Nothing is realised yet: what came in is the negative cost of shares nobody saw arriving.
            let cash = position.holding.realized - position.holding.cost;
            assert_eq!(cash, Usd::from_micros(tenths[usize::try_from(who).unwrap() - 1] * 100_000), "{who}");
        }
        // With the shares paid or not, result and fees sum to the shares' worth: here all of them are worthless.
        history.apply(&resolve(0, [0, 1]));
        let paid: i64 = facts
            .iter()
            .map(|fact| match &fact.event {
                ChainEvent::Fill(fill) if fill.token == no => fill.share_change().micros(),
                _ => 0,
            })
            .sum();
        let total: i64 = (1..=3)
            .filter_map(|who| history.verdict(wallet(who), Timestamp::from_micros(9 * Timestamp::HOUR)))
            .map(|verdict| verdict.pnl.micros())
            .sum();
        assert_eq!(total, tenths.iter().sum::<i64>() * 100_000 + paid);
    }
}
