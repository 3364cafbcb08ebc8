//! Panics that are bought: when the price has come to rest, when a drop is more than the market's usual ones, how it is
//! bought, and when it is sold again.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "shared/desk.rs"]
mod desk;
mod shared;

use decision::portfolio::Holdings;
use decision::venue::Resting;
use decision::{Command, Engine, EntryStyle, EventKind, FadePolicy, Last, Policy, Reason, Record};
use domain::{
    Book, ConfidenceModel, ExitReason, Level, Market, Order, Place, Price, Purpose, Shares, Side, Signal,
    Tick, Tier, TimeInForce, Timestamp, TokenId,
};
use shared::{NOON, market, price, token, trade, verdict, wallet};

const MINUTE: i64 = Timestamp::MINUTE;

/// An engine with a market that costs a taker fee, and the degens 20 to 29; a book for whatever is asked about.
struct Desk {
    engine: Engine,
    at: Timestamp,
    bid: &'static str,
    cancelled: Vec<i64>,
}

fn book(token: TokenId, at: Timestamp, bid: Price) -> Book {
    let level = |price| vec![Level { price, shares: Shares::whole(100_000) }];
    let ask = Price::from_ppm(bid.ppm() + 10_000).unwrap();
    Book::new(token, at, Tick::CENT, level(bid), level(ask))
}

impl Desk {
    fn new(fade: FadePolicy) -> Self {
        let policy = Policy { fade: FadePolicy { live: true, ..fade }, ..shared::policy() };
        let engine = Engine::new(policy, Holdings::default(), Last::default());
        let mut desk = Self { engine, at: NOON, bid: "0.49", cancelled: vec![] };
        desk.run(EventKind::Market(Market { fee_rate_ppm: 70_000, ..market(1) }));
        let degens = (20..30).map(|number| verdict(number, 1.5, Tier::Degen));
        desk.run(EventKind::Scores(degens.collect()));
        desk
    }

    fn run(&mut self, kind: EventKind) -> Vec<Record> {
        let Self { engine, at, bid, cancelled } = self;
        desk::run(
            engine,
            *at,
            kind,
            |token| book(token, *at, price(bid)),
            |engine, command| {
                let Command::Cancel(id) = command else { return vec![] };
                cancelled.push(id);
                let sent = engine.portfolio().orders().find(|sent| sent.order.id == id);
                let news = sent.and_then(Resting::new).map(|order| order.cancel(*at));
                news.map(EventKind::Order).into_iter().collect()
            },
        )
    }

    /// After so many microseconds somebody trades the token, and takes what rests: $300, a stranger $20.
    fn trade(&mut self, after: i64, who: u32, side: Side, at: &str) -> Vec<Record> {
        self.at = self.at.plus_micros(after);
        let usd = if who < 70 { 300 } else { 20 };
        let (fill, block_time) = (trade(who, token(10), side, usd, at), self.at);
        self.run(EventKind::Fill { fill, block_time })
    }

    /// A print at 0.60, and twenty minutes later five degens sell down to 0.49, all at once.
    fn panic(&mut self) -> Vec<Record> {
        self.trade(0, 60, Side::Buy, "0.60");
        self.at = self.at.plus_micros(20 * MINUTE);
        self.sell_off()
    }

    fn sell_off(&mut self) -> Vec<Record> {
        let sales = (20..25).zip(["0.57", "0.55", "0.53", "0.51", "0.49"]);
        sales.flat_map(|(seller, at)| self.trade(0, seller, Side::Sell, at)).collect()
    }

    /// What rests is filled by somebody who sells through it.
    fn fill_what_rests(&mut self) {
        let sent = self.engine.portfolio().orders().next().unwrap().clone();
        let through = trade(61, token(10), Side::Sell, 10_000, "0.40");
        for news in Resting::new(&sent).unwrap().on_print(&through, &Place::default(), self.at) {
            self.run(EventKind::Order(news));
        }
    }
}

/// A panic as soon as five sell, whatever the market's ways.
fn at_once() -> FadePolicy {
    FadePolicy { min_sigmas: 0.0, calm: 0, ..FadePolicy::default() }
}

fn reason(records: &[Record]) -> Option<Reason> {
    records.iter().find_map(|record| match record {
        Record::Refusal(refusal) => Some(refusal.reason.clone()),
        _ => None,
    })
}

fn signal(records: &[Record]) -> Option<Signal> {
    records.iter().find_map(|record| match record {
        Record::Signal(signal) => Some((**signal).clone()),
        _ => None,
    })
}

fn entry(records: &[Record]) -> Option<Order> {
    records.iter().find_map(|record| match record {
        Record::Order(order) if order.purpose == Purpose::Enter => Some(order.clone()),
        _ => None,
    })
}

fn exits(records: &[Record]) -> Vec<ExitReason> {
    let why = |record: &Record| match record {
        Record::Order(Order { purpose: Purpose::Exit(reason), .. }) => Some(*reason),
        _ => None,
    };
    records.iter().filter_map(why).collect()
}

#[test]
fn the_strategy_s_own_settings() {
    let FadePolicy { live, entry, max_holding, rebound, min_price, max_price, .. } = FadePolicy::default();
    assert_eq!((live, entry), (false, EntryStyle::Rest { lasts: 10 * MINUTE }));
    assert_eq!((max_holding, rebound), (Timestamp::DAY, 0.5));
    assert_eq!((min_price, max_price), (price("0.15"), price("0.85")));
    let FadePolicy { min_sigmas, min_moves, calm, .. } = FadePolicy::default();
    assert_eq!((min_sigmas, min_moves, calm), (3.0, 8, 5 * MINUTE));
}

/// The sellers' average price may stand on either edge of the band, and not beyond it.
#[test]
fn panics_have_a_band_of_their_own() {
    let average = signal(&Desk::new(at_once()).panic()).unwrap().reference_price;
    let next = |by: i32| domain::Price::from_ppm(average.ppm().checked_add_signed(by).unwrap()).unwrap();
    let (low, high) = (price("0.15"), price("0.85"));
    for (min_price, max_price, is_inside) in
        [(average, high, true), (next(1), high, false), (low, average, true), (low, next(-1), false)]
    {
        let records = Desk::new(FadePolicy { min_price, max_price, ..at_once() }).panic();
        let refused = Reason::PriceBand { price: average, minimum: min_price, maximum: max_price };
        assert_eq!(reason(&records), (!is_inside).then_some(refused));
    }
}

/// At the best bid, for as long as entries rest, without a fee; or at once, where that is set.
#[test]
fn what_a_panic_sells_is_bid_for() {
    let mut desk = Desk::new(at_once());
    let records = desk.panic();
    let (signal, order) = (signal(&records).unwrap(), entry(&records).unwrap());
    assert_eq!((order.limit, order.fee_rate_ppm), (price("0.49"), 0));
    assert_eq!(order.force, TimeInForce::PostOnly { until: desk.at.plus_micros(10 * MINUTE) });
    assert_eq!((signal.expected_price, signal.appraisal.cost), (price("0.49"), 0.49));
    assert_eq!(signal.wallet, wallet(24), "who sold last");

    let mut desk = Desk::new(FadePolicy { entry: EntryStyle::Take, ..at_once() });
    let order = entry(&desk.panic()).unwrap();
    assert_eq!((order.force, order.fee_rate_ppm), (TimeInForce::Fak, 70_000));
}

/// Half a spread and what comes back of the drop is worth an order that rests, and no more than that.
#[test]
fn under_the_skill_model_only_a_bid_gains() {
    for (entry, is_worth_it) in [(FadePolicy::default().entry, true), (EntryStyle::Take, false)] {
        let fade = FadePolicy { live: true, entry, ..at_once() };
        let confidence_model = ConfidenceModel::Skill;
        let policy = Policy { fade, confidence_model, ..shared::policy() };
        let mut desk = Desk::new(fade);
        desk.engine = Engine::new(policy, Holdings::default(), Last::default());
        desk.run(EventKind::Market(Market { fee_rate_ppm: 70_000, ..market(1) }));
        desk.run(EventKind::Scores((20..30).map(|number| verdict(number, 1.5, Tier::Degen)).collect()));
        let records = desk.panic();
        assert_eq!(signal(&records).is_some(), is_worth_it, "{records:#?}");
    }
}

/// A panic is judged once no new low was set for five minutes, by whoever sells then; before that nothing is refused, and
/// a new low begins the wait anew.
#[test]
fn a_price_that_still_falls_is_not_bought() {
    let mut desk = Desk::new(FadePolicy { calm: 5 * MINUTE, ..at_once() });
    assert_eq!(desk.panic(), []);
    assert_eq!(desk.trade(3 * MINUTE, 70, Side::Sell, "0.48"), [], "a new low");
    assert_eq!(desk.trade(4 * MINUTE, 70, Side::Sell, "0.48"), [], "the same once more is none");
    assert_eq!(desk.trade(MINUTE - 1, 70, Side::Sell, "0.50"), []);
    let records = desk.trade(1, 70, Side::Sell, "0.50");
    let signal = signal(&records).unwrap();
    assert_eq!((signal.wallet, signal.wallets), (wallet(24), 5));
    // What has come back by then is no part of the drop.
    assert!((signal.appraisal.drop - 0.10).abs() < 1e-9);
    // It was judged: for an hour nobody asks again.
    assert_eq!(desk.trade(5 * MINUTE, 70, Side::Sell, "0.50"), []);
}

/// A print in each of so many quarters of an hour before the panic, up and down between 0.60 and another price.
fn with_a_past(fade: FadePolicy, quarters: u32, other: &str) -> Desk {
    let mut desk = Desk::new(fade);
    let quarter = 15 * MINUTE;
    let start = desk.at.micros().div_euclid(quarter) * quarter;
    desk.at = Timestamp::from_micros(start);
    for number in 0..quarters {
        let at = if number % 2 == 0 { "0.60" } else { other };
        desk.trade(quarter, 60, Side::Buy, at);
    }
    // The panic's own minutes are left out, as is the quarter they begin in.
    desk.at = desk.at.plus_micros(30 * MINUTE);
    desk
}

/// The drop from the average of the hour before must be three of the market's own deviations, in log-odds.
#[test]
fn a_drop_that_is_usual_is_no_panic() {
    let asks = FadePolicy { min_sigmas: 3.0, ..at_once() };
    // Between 0.60 and 0.61 nothing moves; between 0.60 and 0.65 it is 0.21 each time, of which the drop is not thrice.
    let quiet = with_a_past(asks, 9, "0.61").sell_off();
    assert!(signal(&quiet).is_some(), "{quiet:#?}");
    let refused = reason(&with_a_past(asks, 9, "0.65").sell_off()).unwrap();
    let Reason::Ordinary { fall, deviation, minimum } = refused else { panic!("{refused}") };
    let odds = |p: f64| libm::log(p / (1.0 - p));
    assert!((deviation - (odds(0.65) - odds(0.60))).abs() < 1e-6, "{deviation}");
    assert!(minimum == 3.0 && 0.4 < fall && fall < 3.0 * deviation, "{fall}");
    // At the boundary it is enough, and above it it is not.
    for (min_sigmas, is_enough) in
        [(fall / deviation * 0.999_999, true), (fall / deviation * 1.000_001, false)]
    {
        let records = with_a_past(FadePolicy { min_sigmas, ..asks }, 9, "0.65").sell_off();
        assert_eq!(signal(&records).is_some(), is_enough, "{min_sigmas}");
    }
}

/// Where fewer than eight moves are known nobody can say what is usual, and nothing is bought; where nobody asks it is.
#[test]
fn a_drop_that_cannot_be_measured_is_refused() {
    let asks = FadePolicy { min_sigmas: 3.0, ..at_once() };
    let refused = reason(&with_a_past(asks, 8, "0.61").sell_off()).unwrap();
    assert_eq!(refused, Reason::Unmeasured { moves: 7, minimum: 8 });
    assert_eq!((refused.code(), refused.figures().len()), ("unmeasured", 2));
    assert!(signal(&with_a_past(asks, 9, "0.61").sell_off()).is_some());
    let fewer = FadePolicy { min_moves: 7, ..asks };
    assert!(signal(&with_a_past(fewer, 8, "0.61").sell_off()).is_some());
    assert!(signal(&with_a_past(at_once(), 2, "0.61").sell_off()).is_some());
}

/// The middle of the book was at 0.495 and the drop 11 cents: at 0.55 half of it is back.
#[test]
fn what_was_bought_is_sold_once_half_of_the_drop_is_back() {
    for (rebound, bid, is_sold) in [
        (0.5, "0.54", false),
        (0.5, "0.55", true),
        (0.9, "0.59", false),
        (0.9, "0.60", true),
        (0.0, "0.80", false),
    ] {
        let mut desk = Desk::new(FadePolicy { rebound, ..at_once() });
        desk.panic();
        desk.fill_what_rests();
        assert!(desk.engine.portfolio().open().next().is_some());
        desk.bid = bid;
        let expected: &[ExitReason] = if is_sold { &[ExitReason::TakeProfit] } else { &[] };
        assert_eq!(exits(&desk.run(EventKind::Tick)), expected, "{rebound} {bid}");
    }
}

/// What is still bid for when the drop has come back is not to be bought any more.
#[test]
fn what_has_come_back_is_not_bid_for_any_more() {
    let mut desk = Desk::new(at_once());
    let order = entry(&desk.panic()).unwrap();
    let sent = desk.engine.portfolio().orders().next().unwrap().clone();
    // Some of it is sold to us, and the rest stands.
    let some = trade(61, token(10), Side::Sell, 60, "0.40");
    for news in Resting::new(&sent).unwrap().on_print(&some, &Place::default(), desk.at) {
        desk.run(EventKind::Order(news));
    }
    let held = desk.engine.portfolio().open().next().unwrap().clone();
    assert!(held.cost() < order.stake() && held.cost().is_positive());
    desk.bid = "0.55";
    assert_eq!(exits(&desk.run(EventKind::Tick)), [ExitReason::TakeProfit]);
    assert_eq!(desk.cancelled, [order.id]);
}

#[test]
fn what_was_bought_is_sold_after_a_day() {
    for (max_holding, longest) in
        [(Timestamp::DAY, Timestamp::DAY), (40 * Timestamp::DAY, 30 * Timestamp::DAY)]
    {
        let mut desk = Desk::new(FadePolicy { max_holding, ..at_once() });
        desk.panic();
        desk.fill_what_rests();
        desk.at = desk.at.plus_micros(longest - 1);
        assert_eq!(exits(&desk.run(EventKind::Tick)), []);
        desk.at = desk.at.plus_micros(1);
        assert_eq!(exits(&desk.run(EventKind::Tick)), [ExitReason::Time]);
    }
}
