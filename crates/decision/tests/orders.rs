//! What the venue says of orders, in any order and any number of times, and what the portfolio makes of it.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use decision::portfolio::{Holdings, Kept};
use decision::{Limits, Portfolio, Record};
use domain::{
    Closing, ConditionId, Ending, Execution, ExitReason, Order, OrderEvent, OrderNews, Payouts, Position,
    Price, Purpose, Settlement, Shares, Side, Size, TimeInForce, Timestamp, TokenId, TradeId, Usd,
};
use proptest::prelude::*;

const NOON: Timestamp = Timestamp::from_seconds(1_790_000_000);
const BANKROLL: Usd = Usd::whole(1_000);

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn order(id: i64, size: Size) -> Order {
    let (limit, purpose) = match size {
        Size::Spend(_) => (price("0.60"), Purpose::Enter),
        Size::Sell(_) => (price("0.30"), Purpose::Exit(ExitReason::Person)),
    };
    Order {
        id,
        position: 1,
        at: NOON,
        condition: ConditionId::default(),
        event: "event".to_owned(),
        token: TokenId::default(),
        outcome: 0,
        limit,
        size,
        force: TimeInForce::Fak,
        purpose,
        fee_rate_ppm: 0,
    }
}

fn execution(trade: &str, shares: i64, usd: i64, fee: i64) -> Execution {
    Execution {
        trade: TradeId(trade.to_owned()),
        shares: Shares::from_micros(shares),
        usd: Usd::from_micros(usd),
        fee: Usd::from_micros(fee),
    }
}

fn closed(order: i64, matched: i64) -> OrderNews {
    let what = OrderEvent::Closed { why: Closing::Killed, matched: Shares::from_micros(matched) };
    OrderNews { order, at: NOON, what }
}

fn filled(order: i64, execution: &Execution) -> OrderNews {
    OrderNews { order, at: NOON, what: OrderEvent::Filled(execution.clone()) }
}

fn confirmed(order: i64, execution: &Execution) -> OrderNews {
    OrderNews { order, at: NOON, what: OrderEvent::Confirmed(execution.trade.clone()) }
}

fn failed(order: i64, execution: &Execution) -> OrderNews {
    OrderNews { order, at: NOON, what: OrderEvent::Failed(execution.trade.clone()) }
}

fn portfolio() -> Portfolio {
    Portfolio::restore(BANKROLL, Holdings::default())
}

fn tell(portfolio: &mut Portfolio, news: &OrderNews) -> Vec<Record> {
    portfolio.take_in(news, None, &Limits::default())
}

fn settlements(records: &[Record]) -> Vec<Settlement> {
    records
        .iter()
        .filter_map(|record| match record {
            Record::Settled(settlement) => Some(*settlement),
            _ => None,
        })
        .collect()
}

/// What the chain says of a match counts, however often it and the venue's own word are told, and in whichever order; and
/// it is that which a failure takes back.
#[test]
fn what_the_chain_says_of_a_match_counts() {
    let told = execution("a", 10_000_000, 5_000_000, 100_000);
    let settled = execution("a", 10_000_000, 4_900_000, 120_000);
    let corrected = OrderNews { order: 1, at: NOON, what: OrderEvent::Corrected(settled.clone()) };
    let (first, second) = (filled(1, &told), corrected);
    for news in [[&first, &second], [&second, &first]] {
        let mut portfolio = portfolio();
        portfolio.reserve(order(1, Size::Spend(Usd::whole(6))));
        for news in news.into_iter().chain(news) {
            tell(&mut portfolio, news);
        }
        tell(&mut portfolio, &closed(1, 10_000_000));
        assert_eq!(portfolio.held(1).unwrap().spent, settled.usd + settled.fee);
        assert_eq!(portfolio.free_cash(), BANKROLL - settled.usd - settled.fee);
        tell(&mut portfolio, &failed(1, &settled));
        assert_eq!(portfolio.free_cash(), BANKROLL);
        assert!(portfolio.held(1).is_none());
    }
}

#[test]
fn what_is_reserved_stays_so_until_every_match_is_known() {
    let mut portfolio = portfolio();
    portfolio.reserve(order(1, Size::Spend(Usd::whole(100))));
    assert_eq!(portfolio.free_cash(), Usd::whole(900));
    let (one, two) = (execution("a", 100_000_000, 50_000_000, 0), execution("b", 50_000_000, 30_000_000, 0));
    // It is closed before its matches are told: both are still to come.
    tell(&mut portfolio, &closed(1, 150_000_000));
    assert_eq!(portfolio.free_cash(), Usd::whole(900));
    tell(&mut portfolio, &filled(1, &one));
    assert_eq!(portfolio.free_cash(), Usd::whole(900));
    assert_eq!(portfolio.reserved(), Usd::whole(50));
    tell(&mut portfolio, &filled(1, &two));
    assert_eq!(portfolio.reserved(), Usd::ZERO);
    assert_eq!(portfolio.free_cash(), Usd::whole(920));
}

#[test]
fn what_is_told_twice_changes_nothing() {
    let mut portfolio = portfolio();
    portfolio.reserve(order(1, Size::Spend(Usd::whole(100))));
    let bought = execution("a", 100_000_000, 50_000_000, 1_000_000);
    for news in [filled(1, &bought), closed(1, 100_000_000), confirmed(1, &bought)] {
        assert!(!tell(&mut portfolio, &news).is_empty());
        let before = portfolio.clone();
        assert_eq!(tell(&mut portfolio, &news), []);
        assert_eq!(portfolio, before);
    }
}

#[test]
fn a_match_that_never_settles_is_taken_out_to_the_micro_dollar() {
    let mut portfolio = portfolio();
    portfolio.reserve(order(1, Size::Spend(Usd::whole(100))));
    let (good, bad) = (execution("a", 33_333_333, 17_000_001, 7), execution("b", 66_666_666, 33_999_999, 13));
    for news in [filled(1, &good), filled(1, &bad), closed(1, 99_999_999), confirmed(1, &good)] {
        tell(&mut portfolio, &news);
    }
    assert_eq!(portfolio.sellable(1), good.shares);
    tell(&mut portfolio, &failed(1, &bad));
    let held = portfolio.held(1).unwrap();
    assert_eq!((held.bought, held.spent, held.fee), (good.shares, good.usd + good.fee, good.fee));
    assert_eq!(portfolio.free_cash(), BANKROLL - held.spent);
}

#[test]
fn an_entry_that_never_settles_at_all_leaves_nothing() {
    let mut portfolio = portfolio();
    portfolio.reserve(order(1, Size::Spend(Usd::whole(100))));
    let bought = execution("a", 100_000_000, 50_000_000, 0);
    tell(&mut portfolio, &filled(1, &bought));
    tell(&mut portfolio, &closed(1, 100_000_000));
    let records = tell(&mut portfolio, &failed(1, &bought));
    let [ended] = settlements(&records)[..] else { panic!("{records:?}") };
    assert_eq!((ended.ending, ended.pnl), (Ending::Void, Usd::ZERO));
    assert_eq!(portfolio, self::portfolio());
}

/// The end is told before the match it ends.
#[test]
fn confirmed_before_filled_is_a_match_like_any_other() {
    let mut portfolio = portfolio();
    portfolio.reserve(order(1, Size::Spend(Usd::whole(100))));
    let bought = execution("a", 100_000_000, 50_000_000, 0);
    tell(&mut portfolio, &confirmed(1, &bought));
    assert!(portfolio.held(1).is_none());
    tell(&mut portfolio, &filled(1, &bought));
    assert_eq!(portfolio.sellable(1), bought.shares);
    // Failed before filled never was.
    let ghost = execution("b", 10_000_000, 5_000_000, 0);
    tell(&mut portfolio, &failed(1, &ghost));
    tell(&mut portfolio, &filled(1, &ghost));
    assert_eq!(portfolio.held(1).unwrap().bought, bought.shares);
}

/// Sold in two parts, the second of which comes back.
#[test]
fn a_position_is_sold_in_parts_and_opens_again_if_a_sale_fails() {
    let mut portfolio = portfolio();
    portfolio.reserve(order(1, Size::Spend(Usd::whole(100))));
    let bought = execution("a", 100_000_000, 50_000_000, 0);
    for news in [filled(1, &bought), confirmed(1, &bought), closed(1, 100_000_000)] {
        tell(&mut portfolio, &news);
    }
    portfolio.reserve(order(2, Size::Sell(Shares::whole(100))));
    assert_eq!(portfolio.sellable(1), Shares::ZERO);
    let (one, two) = (execution("c", 40_000_000, 24_000_000, 0), execution("d", 60_000_000, 36_000_000, 0));
    tell(&mut portfolio, &filled(2, &one));
    let held = portfolio.held(1).unwrap();
    assert_eq!((held.cost(), held.realized()), (Usd::whole(30), Usd::whole(4)));
    tell(&mut portfolio, &filled(2, &two));
    let records = tell(&mut portfolio, &closed(2, 100_000_000));
    let [sold] = settlements(&records)[..] else { panic!("{records:?}") };
    assert_eq!((sold.ending, sold.pnl), (Ending::Sold, Usd::whole(10)));

    let records = tell(&mut portfolio, &failed(2, &two));
    assert!(records.contains(&Record::Reopened(1)));
    assert_eq!(portfolio.held(1).unwrap().shares(), two.shares);
    assert_eq!(portfolio.sellable(1), two.shares);
}

/// A position that stands as `orders` and `news` left it, as it is found after a restart.
fn restarted(portfolio: &Portfolio, ended: Option<Settlement>, position: Position) -> Portfolio {
    let orders = portfolio.orders().cloned().collect();
    let positions = vec![Kept { position, ended }];
    Portfolio::restore(BANKROLL, Holdings { positions, orders, ..Holdings::default() })
}

/// A sale is taken back when its settlement fails, and then its position is there again: until the sale is final its
/// event is not free for another. A restart in between changes nothing about that.
#[test]
fn an_event_is_free_only_when_the_sale_of_its_position_cannot_be_taken_back() {
    let mut portfolio = portfolio();
    portfolio.reserve(order(1, Size::Spend(Usd::whole(100))));
    let bought = execution("a", 100_000_000, 50_000_000, 0);
    for news in [filled(1, &bought), confirmed(1, &bought), closed(1, 100_000_000)] {
        tell(&mut portfolio, &news);
    }
    portfolio.reserve(order(2, Size::Sell(Shares::whole(100))));
    let sold = execution("b", 100_000_000, 60_000_000, 0);
    let mut position = portfolio.held(1).unwrap().clone();
    position.add(Side::Sell, &sold);
    let mut records = tell(&mut portfolio, &filled(2, &sold));
    records.extend(tell(&mut portfolio, &closed(2, 100_000_000)));
    let [ended] = settlements(&records)[..] else { panic!("{records:?}") };
    assert_eq!(ended.ending, Ending::Sold);

    for mut portfolio in [restarted(&portfolio, Some(ended), position), portfolio] {
        assert!(portfolio.held(1).is_none());
        assert!(portfolio.holds_event("event"));
        assert_eq!(portfolio.slots_taken(), 1);
        tell(&mut portfolio, &failed(2, &sold));
        assert_eq!(portfolio.held(1).unwrap().shares(), bought.shares);
        assert!(portfolio.holds_event("event"));
        portfolio.reserve(order(3, Size::Sell(Shares::whole(100))));
        let again = execution("c", 100_000_000, 55_000_000, 0);
        for news in [filled(3, &again), closed(3, 100_000_000)] {
            tell(&mut portfolio, &news);
            assert!(portfolio.holds_event("event"));
        }
        tell(&mut portfolio, &confirmed(3, &again));
        assert!(!portfolio.holds_event("event"));
        assert_eq!((portfolio.slots_taken(), portfolio.realized()), (0, Usd::whole(5)));
    }
}

/// What is too small to sell holds no event, but only once it is sure that no more than that is left.
#[test]
fn a_rest_too_small_to_sell_frees_its_event_when_its_sale_is_final() {
    let mut portfolio = portfolio();
    portfolio.reserve(order(1, Size::Spend(Usd::whole(100))));
    let bought = execution("a", 100_009_999, 50_000_000, 0);
    for news in [filled(1, &bought), confirmed(1, &bought), closed(1, 100_009_999)] {
        tell(&mut portfolio, &news);
    }
    portfolio.reserve(order(2, Size::Sell(Shares::whole(100))));
    let sold = execution("b", 100_000_000, 60_000_000, 0);
    for news in [filled(2, &sold), closed(2, 100_000_000)] {
        tell(&mut portfolio, &news);
        assert!(portfolio.holds_event("event"));
    }
    tell(&mut portfolio, &confirmed(2, &sold));
    assert_eq!(portfolio.held(1).unwrap().shares(), Shares::from_micros(9_999));
    assert!(!portfolio.holds_event("event"));
    assert_eq!(portfolio.slots_taken(), 0);
}

/// A market's first description may not tell its event: what was bought then counts in it from when it is known.
#[test]
fn a_position_counts_in_the_event_that_its_market_turns_out_to_belong_to() {
    let mut portfolio = portfolio();
    portfolio.reserve(order(1, Size::Spend(Usd::whole(100))));
    portfolio.regroup(ConditionId::default(), "the real event");
    assert!(portfolio.holds_event("the real event") && !portfolio.holds_event("event"));
    let bought = execution("a", 100_000_000, 50_000_000, 0);
    tell(&mut portfolio, &filled(1, &bought));
    assert!(portfolio.holds_event("the real event"));
}

#[test]
fn a_match_told_after_the_result_is_paid_by_it() {
    let mut portfolio = portfolio();
    let payouts = Payouts::winner(0, 2).unwrap();
    portfolio.reserve(order(1, Size::Spend(Usd::whole(100))));
    let (one, two) = (execution("a", 100_000_000, 50_000_000, 0), execution("b", 50_000_000, 25_000_000, 0));
    tell(&mut portfolio, &filled(1, &one));
    let records = portfolio.settle(ConditionId::default(), &payouts, NOON, &Limits::default());
    assert_eq!(settlements(&records)[0].pnl, Usd::whole(50));
    let records = portfolio.take_in(&filled(1, &two), Some(&payouts), &Limits::default());
    assert_eq!(settlements(&records)[0].pnl, Usd::whole(75));
    for news in [closed(1, 150_000_000), confirmed(1, &one), confirmed(1, &two)] {
        portfolio.take_in(&news, Some(&payouts), &Limits::default());
    }
    assert_eq!(portfolio.free_cash(), BANKROLL + Usd::whole(75));
    assert_eq!(portfolio.realized(), Usd::whole(75));
    assert!(!portfolio.knows(1));
}

/// What one order's matches come to in the end.
#[derive(Clone, Debug)]
struct Story {
    size: Size,
    matches: Vec<(Execution, bool)>,
}

fn story(id: i64, is_entry: bool) -> impl Strategy<Value = Story> {
    // Less than a hundredth of a share is no match that an order waits for.
    let matches = prop::collection::vec(
        (10_000i64..40_000_000, 300_000i64..600_000, 0i64..10_000, any::<bool>()),
        0..4,
    );
    matches.prop_map(move |matches| {
        let matches: Vec<_> = matches
            .into_iter()
            .enumerate()
            .map(|(number, (shares, ppm, fee, settles))| {
                let usd = shares * ppm / 1_000_000;
                (execution(&format!("{id}-{number}"), shares, usd, fee), settles)
            })
            .collect();
        let size = if is_entry { Size::Spend(Usd::whole(100)) } else { Size::Sell(Shares::whole(160)) };
        Story { size, matches }
    })
}

fn news_of(id: i64, story: &Story) -> Vec<OrderNews> {
    let matched = story.matches.iter().map(|(execution, _)| execution.shares.micros()).sum();
    let mut news = vec![closed(id, matched), OrderNews { order: id, at: NOON, what: OrderEvent::Accepted }];
    for (execution, settles) in &story.matches {
        news.push(filled(id, execution));
        news.push(if *settles { confirmed(id, execution) } else { failed(id, execution) });
    }
    news
}

proptest! {
    /// Any interleaving, with any repetition: the books always tie to the cash that flowed, and end the same.
    #[test]
    fn the_books_tie_to_the_cash_whatever_is_told_when(
        stories in (story(1, true), story(2, false), story(3, false)),
        shuffle in prop::collection::vec(any::<u32>(), 60),
        repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let stories = [(1, stories.0), (2, stories.1), (3, stories.2)];
        let mut news: Vec<OrderNews> = stories.iter().flat_map(|(id, story)| news_of(*id, story)).collect();
        for index in repeats {
            news.push(news[index.index(news.len())].clone());
        }
        let mut keyed: Vec<(u32, OrderNews)> = shuffle.into_iter().cycle().zip(news).collect();
        keyed.sort_by_key(|(key, _)| *key);

        let mut portfolio = portfolio();
        for (id, story) in &stories {
            portfolio.reserve(order(*id, story.size));
        }
        for (_, news) in &keyed {
            tell(&mut portfolio, news);
            let (held, realized) = portfolio.held(1).map_or_else(
                || (Usd::ZERO, portfolio.realized()),
                |held| (held.cost(), portfolio.realized()),
            );
            if portfolio.held(1).is_some() {
                // Realized less the cost of what is left is the cash that flowed.
                prop_assert_eq!(BANKROLL + realized - held, portfolio.free_cash() + portfolio.reserved());
            }
        }
        let flow: Usd = stories
            .iter()
            .flat_map(|(_, story)| story.matches.iter().map(|(execution, settles)| (story.size, execution, *settles)))
            .filter(|(_, _, settles)| *settles)
            .map(|(size, execution, _)| match order(0, size).side() {
                Side::Buy => -(execution.usd + execution.fee),
                Side::Sell => execution.usd - execution.fee,
            })
            .sum();
        prop_assert_eq!(portfolio.reserved(), Usd::ZERO);
        prop_assert_eq!(portfolio.free_cash(), BANKROLL + flow);
        prop_assert_eq!(portfolio.orders().count(), 0);
    }
}

/// A sale at a loss that never settled, and one that did, are one loss.
#[test]
fn a_loss_that_was_taken_back_counts_once() {
    let mut portfolio = portfolio();
    let bought = execution("a", 10_000_000, 6_000_000, 0);
    portfolio.reserve(order(1, Size::Spend(Usd::whole(6))));
    for news in [filled(1, &bought), confirmed(1, &bought), closed(1, 10_000_000)] {
        tell(&mut portfolio, &news);
    }
    let mut counts = vec![];
    for (number, trade, is_settled) in [(2, "b", false), (3, "c", true)] {
        let sold = execution(trade, 10_000_000, 4_000_000, 0);
        portfolio.reserve(order(number, Size::Sell(Shares::whole(10))));
        let end = if is_settled { confirmed(number, &sold) } else { failed(number, &sold) };
        for news in [filled(number, &sold), closed(number, 10_000_000), end] {
            counts.extend(tell(&mut portfolio, &news).into_iter().filter_map(|record| match record {
                Record::Losses(losses) => Some(losses.in_a_row),
                _ => None,
            }));
        }
    }
    assert_eq!(counts, [1, 0, 1]);
}
