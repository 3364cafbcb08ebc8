//! Facts that are folded together are folded as one by one: what happens to a wallet beside others, before and after a
//! result, and at the edges of what fits together.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "shared/facts.rs"]
mod facts;
#[path = "shared/happened.rs"]
mod happened;
#[path = "shared/nouns.rs"]
mod nouns;

use decision::History;
use domain::{ChainEvent, Fact, Shares, Side, Timestamp, Usd};
use facts::{ANYONE, fill, fill_of, resolution};
use happened::fact;
use nouns::{condition, market, wallet};

fn told(batches: &[&[Fact]]) -> History {
    let mut history = History::new(ANYONE);
    (1..=20).for_each(|number| history.learn(&market(number)));
    batches.iter().for_each(|facts| history.apply_batch(facts));
    history
}

/// However they are cut in two, and one by one, the facts say the same of both wallets an hour and two days later.
fn are_the_same(facts: &[Fact]) -> History {
    let one_by_one: Vec<&[Fact]> = facts.chunks(1).collect();
    let expected = told(&one_by_one);
    let last = facts.last().unwrap().place.block_time;
    for cut in 0..facts.len() {
        let (before, after) = facts.split_at(cut);
        let history = told(&[before, after]);
        assert!(history == expected, "cut before fact {cut}");
        for later in [Timestamp::HOUR, 2 * Timestamp::DAY].map(|later| last.plus_micros(later)) {
            for who in [1, 2] {
                let known = [&history, &expected].map(|history| history.assess(wallet(who), later));
                assert_eq!(known[0], known[1], "cut before fact {cut}");
            }
            assert_eq!(history.results(wallet(1)), expected.results(wallet(1)));
        }
    }
    expected
}

/// The second purchase belongs to the entry of the first, which is due while the facts behind it are folded.
#[test]
fn an_entry_goes_on_beside_what_comes_when_it_is_due() {
    for end in [1_430, 1_439, 1_440, 1_442] {
        let facts = [
            fill_of(0, 1, (1, 0), Side::Buy, 100, 40),
            fill_of(5, 1, (1, 0), Side::Buy, 100, 50),
            fill_of(1_000, 2, (1, 0), Side::Buy, 100, 60),
            fill_of(end, 2, (2, 0), Side::Buy, 100, 50),
            fill_of(1_500, 2, (2, 0), Side::Buy, 100, 50),
        ];
        are_the_same(&facts);
    }
}

/// Whatever is done after a result is worth the result at once, and what was there before is paid just before.
#[test]
fn what_follows_a_result_is_worth_the_result() {
    let of = |event: fn(_, _, _) -> ChainEvent, amount| event(wallet(1), condition(1), Shares::whole(amount));
    let split = |wallet, condition, amount| ChainEvent::Split { wallet, condition, amount };
    let merge = |wallet, condition, amount| ChainEvent::Merge { wallet, condition, amount };
    let collect = |dollars| ChainEvent::Redemption {
        wallet: wallet(1),
        condition: Some(condition(1)),
        token: None,
        payout: Usd::whole(dollars),
    };
    for after in [3, 4] {
        let minute = after * 60;
        let facts = [
            fill(1, 1, 1, Side::Buy, 100, 40),
            fill(2, 1, 2, Side::Buy, 50, 30),
            resolution(3, 1, 0),
            fill_of(minute, 1, (1, 1), Side::Buy, 50, 1),
            fill_of(minute, 1, (2, 0), Side::Sell, 20, 60),
            fill_of(minute, 1, (1, 0), Side::Sell, 100, 99),
            fill_of(minute, 2, (1, 0), Side::Buy, 100, 99),
            fact(after, of(split, 10)),
            fact(after, of(merge, 10)),
            fact(after, collect(100)),
            fact(after, collect(50)),
            resolution(after, 2, 1),
            fill_of(minute, 2, (2, 1), Side::Sell, 10, 98),
        ];
        are_the_same(&facts);
        // Time that goes back does not change what comes after what.
        let mut odd = facts.clone();
        odd[3].place.block_time = Timestamp::from_micros(2 * Timestamp::HOUR);
        are_the_same(&odd);
    }
}

/// What is collected before its result is known waits for it.
#[test]
fn collecting_before_the_result_is_no_result_of_unknown_cost() {
    let payout = Usd::whole(100);
    let collected =
        ChainEvent::Redemption { wallet: wallet(1), condition: Some(condition(1)), token: None, payout };
    let history = are_the_same(&[fill(1, 1, 1, Side::Buy, 100, 40), fact(2, collected), resolution(3, 1, 0)]);
    let known = history.assess(wallet(1), Timestamp::from_micros(4 * Timestamp::HOUR)).unwrap();
    let verdict = &known.verdict;
    assert_eq!((verdict.pnl, verdict.decisions, verdict.wins), (Usd::whole(60), 1, 1));
    assert_eq!(known.figures.unknown_cost, 0);
}
