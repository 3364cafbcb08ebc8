//! The venue on paper: what it takes, what matches at once, what rests, and when what rests is filled.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "shared/policy.rs"]
mod policy;

use std::collections::BTreeMap;

use decision::portfolio::Holdings;
use decision::risk::{self, Approved, Ground};
use decision::venue::{Resting, execute, execute_above, taker_fee, turned_away};
use decision::{Guards, Limits, Policy, Portfolio, Sent, VenueMode};
use domain::{
    Book, Closing, ConditionId, Exchange, Execution, ExitReason, Fee, Fill, Level, Order, OrderEvent,
    OrderNews, Place, Price, Purpose, Role, Rounding, Shares, Side, Size, Tick, TimeInForce, Timestamp,
    TokenId, Usd, Wallet,
};

const NOON: Timestamp = Timestamp::from_seconds(1_790_000_000);
const RATE: u32 = 70_000;

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn policy() -> Policy {
    Policy {
        bankroll: Usd::whole(10_000),
        max_position: Usd::whole(5_000),
        min_stake: Usd::from_micros(1),
        daily_loss_limit: Usd::whole(5_000),
        ..policy::policy()
    }
}

fn order(size: Size, limit: &str, force: TimeInForce) -> Order {
    Order {
        id: 1,
        position: 1,
        at: NOON,
        condition: ConditionId::default(),
        event: "event".to_owned(),
        token: TokenId::default(),
        outcome: 0,
        limit: price(limit),
        size,
        force,
        purpose: Purpose::Enter,
        fee_rate_ppm: RATE,
    }
}

fn buy(usd: &str, limit: &str, force: TimeInForce) -> Approved<Order> {
    let order = order(Size::Spend(usd.parse().unwrap()), limit, force);
    let portfolio = Portfolio::restore(Usd::whole(10_000), Holdings::default());
    let (guards, policy, markets) = (Guards::default(), policy(), BTreeMap::new());
    let (portfolio, guards, policy, markets) = (&portfolio, &guards, &policy, &markets);
    risk::approve(order, Ground { portfolio, guards, policy, markets, at: NOON }).unwrap()
}

/// A sale of shares that a portfolio holds.
fn sell(shares: &str, limit: &str) -> Approved<Order> {
    let mut portfolio = Portfolio::restore(Usd::whole(10_000), Holdings::default());
    portfolio.reserve(order(Size::Spend(Usd::whole(100)), "0.60", TimeInForce::Fak));
    let trade = domain::TradeId("t".to_owned());
    let shares: Shares = shares.parse().unwrap();
    let bought = Execution { trade: trade.clone(), shares, usd: Usd::whole(1), fee: Usd::ZERO };
    for what in [OrderEvent::Filled(bought), OrderEvent::Confirmed(trade)] {
        portfolio.take_in(&OrderNews { order: 1, at: NOON, what }, None, &Limits::default());
    }
    let purpose = Purpose::Exit(ExitReason::Person);
    let order = Order { id: 2, purpose, ..order(Size::Sell(shares), limit, TimeInForce::Fak) };
    risk::reduce(order, &portfolio, &Guards::default()).unwrap()
}

/// Bids at 0.58 and 0.57, offers at 0.60 and 0.62, a hundred shares each.
fn book() -> Book {
    let level = |at: &str| Level { price: price(at), shares: Shares::whole(100) };
    let (bids, asks) = (vec![level("0.58"), level("0.57")], vec![level("0.60"), level("0.62")]);
    Book::new(TokenId::default(), NOON, Tick::CENT, bids, asks)
}

fn gtd(seconds: i64) -> TimeInForce {
    TimeInForce::Gtd { until: NOON.plus_micros(seconds * 1_000_000) }
}

fn post_only(seconds: i64) -> TimeInForce {
    TimeInForce::PostOnly { until: NOON.plus_micros(seconds * 1_000_000) }
}

fn match_of(news: &[OrderNews]) -> Option<Execution> {
    news.iter().find_map(|news| match &news.what {
        OrderEvent::Filled(execution) => Some(execution.clone()),
        _ => None,
    })
}

fn end_of(news: &[OrderNews]) -> &OrderEvent {
    &news.last().unwrap().what
}

fn rejection(order: &Approved<Order>) -> Option<String> {
    match end_of(&execute(order, &book(), NOON)) {
        OrderEvent::Closed { why: Closing::Rejected { reason }, matched } => {
            assert_eq!(*matched, Shares::ZERO);
            Some(reason.clone())
        }
        _ => None,
    }
}

/// An order that rests, with what was said of it.
fn resting(order: &Approved<Order>) -> Sent {
    let mut sent = Sent::new(order.get().clone());
    for news in execute(order, &book(), NOON) {
        sent.take_in(&news.what);
    }
    assert!(sent.is_live() && sent.accepted);
    sent
}

fn print(at: &str, shares: i32) -> Fill {
    let shares = Shares::whole(shares);
    Fill {
        exchange: Exchange::V2,
        wallet: Wallet::default(),
        counterparty: Wallet::default(),
        role: Role::Taker,
        side: Side::Sell,
        token: TokenId::default(),
        shares,
        usd: shares.at(price(at), Rounding::Down),
        fee: Fee::Usd(Usd::ZERO),
    }
}

#[test]
fn at_once_takes_what_there_is_and_the_rest_is_killed() {
    let all = execute(&buy("60", "0.60", TimeInForce::Fak), &book(), NOON);
    let got = match_of(&all).unwrap();
    assert_eq!((got.shares, got.usd), (Shares::whole(100), Usd::whole(60)));
    assert_eq!(got.fee, taker_fee(Shares::whole(100), price("0.60"), RATE));
    assert_eq!(*end_of(&all), OrderEvent::Closed { why: Closing::Matched, matched: got.shares });

    let part = execute(&buy("90", "0.61", TimeInForce::Fak), &book(), NOON);
    let killed = OrderEvent::Closed { why: Closing::Killed, matched: Shares::whole(100) };
    assert_eq!((match_of(&part).unwrap().shares, end_of(&part)), (Shares::whole(100), &killed));

    let nothing = execute(&buy("90", "0.59", TimeInForce::Fak), &book(), NOON);
    assert_eq!(nothing.len(), 1);
    assert_eq!(*end_of(&nothing), OrderEvent::Closed { why: Closing::Killed, matched: Shares::ZERO });
}

#[test]
fn amounts_are_whole_hundredths() {
    let got = match_of(&execute(&buy("60.009999", "0.62", TimeInForce::Fak), &book(), NOON)).unwrap();
    assert!(got.usd <= Usd::whole(60), "{got:?}");
    let sold = match_of(&execute(&sell("10.019999", "0.50"), &book(), NOON)).unwrap();
    assert_eq!((sold.shares, sold.usd.cents()), ("10.01".parse().unwrap(), "5.81".to_owned()));
    // At 0.59 these dollars buy 33.898305 shares.
    assert_eq!(resting(&buy("20", "0.59", gtd(600))).resting(), "33.89".parse().unwrap());
}

#[test]
fn what_the_venue_would_not_have_is_rejected() {
    let rests = gtd(600);
    for (order, why) in [
        (buy("20", "0.605", TimeInForce::Fak), "grid"),
        (buy("20", "0.601", rests), "grid"),
        (buy("0.99", "0.02", TimeInForce::Fak), "a dollar"),
        (buy("2.94", "0.59", rests), "for 5 shares"),
        (sell("4.999999", "0.50"), "for 5 shares"),
        (buy("20", "0.60", post_only(600)), "post-only"),
        (buy("20", "0.99", post_only(600)), "post-only"),
    ] {
        let said = rejection(&order);
        assert!(said.as_ref().is_some_and(|said| said.contains(why)), "{why}: {said:?}");
    }
    for taken in [buy("1.00", "0.62", TimeInForce::Fak), buy("2.95", "0.59", rests), sell("5", "0.50")] {
        assert_eq!(rejection(&taken), None);
    }
}

/// A market may ask for more shares than others, or for fewer.
#[test]
fn a_market_has_its_own_fewest_shares() {
    let said = |order: &Approved<Order>, least: i32| {
        let least = Shares::whole(least);
        match end_of(&execute_above(order, &book(), least, NOON)) {
            OrderEvent::Closed { why: Closing::Rejected { reason }, .. } => Some(reason.clone()),
            _ => None,
        }
    };
    let ten = buy("5.90", "0.59", gtd(600));
    assert!(said(&ten, 11).unwrap().contains("for 11 shares"));
    assert_eq!(said(&ten, 10), None);
    assert_eq!(said(&sell("2", "0.50"), 2), None);
    // What matches at once is counted in dollars.
    assert_eq!(said(&buy("1.00", "0.62", TimeInForce::Fak), 11), None);
}

/// It stands for so many shares: what is cheaper than its limit leaves money, and no more shares.
#[test]
fn an_order_until_a_time_takes_what_it_can_and_rests_with_the_rest() {
    let order = buy("124", "0.62", gtd(600));
    let told = execute(&order, &book(), NOON);
    let got = match_of(&told).unwrap();
    assert_eq!((got.shares, got.usd), (Shares::whole(200), Usd::whole(122)));
    assert_eq!(*end_of(&told), OrderEvent::Closed { why: Closing::Matched, matched: got.shares });

    let order = buy("120", "0.60", gtd(600));
    let told = execute(&order, &book(), NOON);
    assert_eq!(match_of(&told).unwrap().shares, Shares::whole(100));
    assert_eq!(*end_of(&told), OrderEvent::Accepted);
    assert_eq!(resting(&order).resting(), Shares::whole(100));
}

/// A print of a transaction, by its log.
fn place(log_index: u32) -> Place {
    Place { log_index, ..Place::default() }
}

/// The process ends after any part of what a print did was committed, and reads the print again: it is the same match, and
/// what was not heard of it before is heard.
#[test]
fn a_print_that_is_told_twice_fills_once() {
    for (large, is_last) in [(30, false), (500, true)] {
        let mut whole = resting(&buy("59", "0.59", post_only(600)));
        let told = Resting::new(&whole).unwrap().on_print(&print("0.58", large), &place(7), NOON);
        for news in &told {
            whole.take_in(&news.what);
        }
        for heard in 0..told.len() {
            let mut sent = resting(&buy("59", "0.59", post_only(600)));
            for news in &told[..heard] {
                sent.take_in(&news.what);
            }
            let again = Resting::new(&sent).unwrap().on_print(&print("0.58", large), &place(7), NOON);
            assert_eq!(again, told);
            for news in again {
                sent.take_in(&news.what);
            }
            assert_eq!(sent, whole);
        }
        // The next print of the same transaction is another match.
        if !is_last {
            let next = Resting::new(&whole).unwrap().on_print(&print("0.58", large), &place(8), NOON);
            assert_ne!(match_of(&next).unwrap().trade, match_of(&told).unwrap().trade);
        }
    }
}

#[test]
fn what_rests_is_filled_only_where_prices_trade_through_it() {
    let order = buy("59", "0.59", post_only(600));
    let mut sent = resting(&order);
    let on_print =
        |sent: &Sent, fill: &Fill, log| Resting::new(sent).unwrap().on_print(fill, &place(log), NOON);
    assert_eq!(on_print(&sent, &print("0.60", 500), 1), []);
    assert_eq!(on_print(&sent, &print("0.59", 500), 2), [], "nobody knows who stood before it");
    let other = Fill { token: TokenId(alloy_primitives::U256::from(9)), ..print("0.50", 500) };
    assert_eq!(on_print(&sent, &other, 3), []);
    // No further than the print was large, at its own limit, without a fee.
    for (large, is_last) in [(30, false), (500, true)] {
        let told = on_print(&sent, &print("0.58", large), large.unsigned_abs());
        let got = match_of(&told).unwrap();
        let expected = Shares::whole(if is_last { 70 } else { 30 });
        assert_eq!((got.shares, got.fee), (expected, Usd::ZERO));
        assert_eq!(got.usd, expected.at(price("0.59"), Rounding::Up));
        let ends = matches!(end_of(&told), OrderEvent::Closed { why: Closing::Matched, .. });
        assert_eq!(ends, is_last);
        for news in told {
            sent.take_in(&news.what);
        }
    }
    assert!(Resting::new(&sent).is_none() && sent.is_final());
}

/// The venue takes no order for less than two minutes.
#[test]
fn what_rests_ends_when_its_time_is_over_or_when_it_is_cancelled() {
    for (asked, stands) in [(600, 600), (5, 120)] {
        let sent = resting(&buy("59", "0.59", gtd(asked)));
        let on_time = |seconds: i64| {
            Resting::new(&sent).unwrap().on_time(NOON.plus_micros(seconds * 1_000_000)).map(|news| news.what)
        };
        assert_eq!(on_time(stands - 1), None);
        let expired = OrderEvent::Closed { why: Closing::Expired, matched: Shares::ZERO };
        assert_eq!(on_time(stands), Some(expired));
    }
    let sent = resting(&buy("120", "0.60", gtd(600)));
    let cancelled = OrderEvent::Closed { why: Closing::Cancelled, matched: Shares::whole(100) };
    assert_eq!(Resting::new(&sent).unwrap().cancel(NOON).what, cancelled);
}

#[test]
fn a_mode_turns_away_what_it_does_not_take() {
    let (at_once, rests) = (buy("60", "0.60", TimeInForce::Fak), buy("59", "0.59", post_only(600)));
    for (mode, takes) in [
        (VenueMode::Normal, (true, true)),
        (VenueMode::PostOnly, (false, true)),
        (VenueMode::CancelOnly, (false, false)),
        (VenueMode::Disabled, (false, false)),
    ] {
        let is_taken = |order: &Approved<Order>| turned_away(order, mode, NOON).is_none();
        assert_eq!((is_taken(&at_once), is_taken(&rests)), takes, "{mode:?}");
    }
}
