//! Guards that stop entries, what a person asks for, and when a position is left before its market resolves.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "shared/desk.rs"]
mod desk;
mod shared;

use decision::exits::{ExitState, Lead};
use decision::portfolio::Holdings;
use decision::{
    Bound, Command, Control, Engine, Event, EventKind, Exits, Guard, Last, Limits, Outcome, Policy, Record,
    VenueMode, venue,
};
use domain::{
    Book, Ending, ExitReason, Fill, Level, Market, Oracle, Price, Purpose, Shares, Side, Tick, Tier,
    Timestamp, TokenId, Usd, Verdict,
};
use shared::nouns::condition;
use shared::{NOON, market, price, token, trade};

fn policy(limits: Limits) -> Policy {
    Policy {
        bankroll: Usd::whole(10_000),
        max_position: Usd::whole(100),
        daily_loss_limit: Usd::whole(5_000),
        limits,
        ..shared::policy()
    }
}

fn verdict(number: u32) -> Verdict {
    shared::verdict(number, 7.0, Tier::Whale)
}

/// An engine with ten markets, two whales (wallets 1 and 2), and one book for whatever is asked about.
struct Desk {
    engine: Engine,
    at: Timestamp,
    bid: &'static str,
    depth: i32,
}

fn book(token: TokenId, at: Timestamp, bid: &str, depth: i32) -> Book {
    let bid = price(bid);
    let level = |price| vec![Level { price, shares: Shares::whole(depth) }];
    let ask = Price::from_ppm(bid.ppm() + 10_000).unwrap();
    Book::new(token, at, Tick::CENT, level(bid), level(ask))
}

impl Desk {
    fn new(limits: Limits) -> Self {
        let engine = Engine::new(policy(limits), Holdings::default(), Last::default());
        let mut desk = Self { engine, at: NOON, bid: "0.49", depth: 100_000 };
        for number in 1..=10 {
            desk.tell(EventKind::Market(market(number)));
        }
        desk.tell(EventKind::Scores(vec![verdict(1), verdict(2)]));
        desk
    }

    fn tell(&mut self, kind: EventKind) -> Outcome {
        self.engine.step(&Event { at: self.at, kind })
    }

    /// Tells the engine something and answers all it asks.
    fn run(&mut self, kind: EventKind) -> Vec<Record> {
        let Self { engine, at, bid, depth } = self;
        desk::run(engine, *at, kind, |token| book(token, *at, bid, *depth), |_, _| vec![])
    }

    fn fill(&mut self, fill: Fill) -> Vec<Record> {
        self.run(EventKind::Fill { fill, block_time: self.at })
    }

    fn follow(&mut self, number: u32) -> Vec<Record> {
        self.fill(trade(1, token(10 * number), Side::Buy, 600, "0.50"))
    }

    fn control(&mut self, control: Control) -> Vec<Record> {
        self.run(EventKind::Control(control))
    }
}

fn reasons(records: &[Record]) -> Vec<&'static str> {
    records
        .iter()
        .filter_map(|record| match record {
            Record::Refusal(refusal) => Some(refusal.reason.code()),
            _ => None,
        })
        .collect()
}

fn opened(records: &[Record]) -> bool {
    records.iter().any(|record| matches!(record, Record::Opened(_)))
}

fn ended(records: &[Record]) -> Vec<Ending> {
    records
        .iter()
        .filter_map(|record| match record {
            Record::Settled(settlement) => Some(settlement.ending),
            _ => None,
        })
        .collect()
}

fn exits(records: &[Record]) -> Vec<ExitReason> {
    records
        .iter()
        .filter_map(|record| match record {
            Record::Order(order) => match order.purpose {
                Purpose::Exit(reason) => Some(reason),
                Purpose::Enter => None,
            },
            _ => None,
        })
        .collect()
}

/// Each guard stops the entry with its own reason, and lets it pass again once the world is well.
#[test]
fn each_guard_stops_entries_until_it_is_well_again() {
    let disagreement = Some("the venue holds 5 shares more".to_owned());
    let guards = [
        (Guard::Chain { age: 60_000_001 }, Guard::Chain { age: 2_000_000 }, "stale_chain"),
        (Guard::Books { age: 60_000_001 }, Guard::Books { age: 0 }, "stale_book"),
        (Guard::Clock { skew: -5_000_001 }, Guard::Clock { skew: 5_000_000 }, "clock_skew"),
        (Guard::Venue(VenueMode::PostOnly), Guard::Venue(VenueMode::Normal), "venue_mode"),
        (Guard::Venue(VenueMode::CancelOnly), Guard::Venue(VenueMode::Normal), "venue_mode"),
        (Guard::Venue(VenueMode::Disabled), Guard::Venue(VenueMode::Normal), "venue_mode"),
        (Guard::Reconcile(disagreement), Guard::Reconcile(None), "disagreement"),
    ];
    for (ill, well, reason) in guards {
        let mut desk = Desk::new(Limits::default());
        desk.tell(EventKind::Guard(ill));
        assert_eq!(reasons(&desk.follow(1)), [reason]);
        desk.tell(EventKind::Guard(well));
        assert!(opened(&desk.follow(2)), "{reason}");
    }
}

/// A dispute leaves what is held in its market and keeps out what would enter; a question that is asked anew is open.
#[test]
fn a_disputed_market_is_left_and_not_entered() {
    let told = |number, oracle| EventKind::Market(Market { oracle, ..market(number) });
    let mut desk = Desk::new(Limits::default());
    assert!(opened(&desk.follow(1)));
    for calm in [None, Some(Oracle::Open), Some(Oracle::Proposed)] {
        assert_eq!(exits(&desk.run(told(1, calm))), []);
    }
    let records = desk.run(told(1, Some(Oracle::Disputed)));
    assert_eq!((exits(&records), ended(&records)), (vec![ExitReason::Dispute], vec![Ending::Sold]));
    desk.run(told(2, Some(Oracle::Disputed)));
    assert_eq!(reasons(&desk.follow(2)), ["disputed"]);
    // Another source describes the market, and says nothing of its oracle.
    desk.run(told(2, None));
    assert_eq!(reasons(&desk.follow(2)), ["disputed"]);
    desk.run(told(2, Some(Oracle::Open)));
    desk.follow(2);
    assert!(opened(&desk.follow(2)));
}

/// What is bought after the dispute was told is left with the next tick.
#[test]
fn what_filled_after_the_dispute_is_left_too() {
    let mut desk = Desk::new(Limits::default());
    let token = token(10);
    let outcome =
        desk.tell(EventKind::Fill { fill: trade(1, token, Side::Buy, 600, "0.50"), block_time: desk.at });
    assert!(!outcome.commands.is_empty());
    let outcome = desk.tell(EventKind::Book(book(token, desk.at, desk.bid, desk.depth)));
    let placed = outcome.commands.into_iter().find_map(|command| match command {
        Command::Place(order) => Some(order),
        _ => None,
    });
    desk.tell(EventKind::Market(Market { oracle: Some(Oracle::Disputed), ..market(1) }));
    for news in venue::execute(&placed.unwrap(), &book(token, desk.at, desk.bid, desk.depth), desk.at) {
        desk.tell(EventKind::Order(news));
    }
    assert_eq!(exits(&desk.run(EventKind::Tick)), [ExitReason::Dispute]);
}

#[test]
fn a_dispute_is_held_through_where_that_is_set() {
    let exits_of = Exits { dispute: false, ..Exits::default() };
    let mut desk = Desk::new(Limits { exits: exits_of, ..Limits::default() });
    assert!(opened(&desk.follow(1)));
    let records = desk.run(EventKind::Market(Market { oracle: Some(Oracle::Disputed), ..market(1) }));
    assert_eq!(exits(&records), []);
    assert_eq!(exits(&desk.run(EventKind::Tick)), []);
}

/// A sale that the chain took back is no exit: what was to be left for it is held after all, and nothing else is.
#[test]
fn an_exit_whose_sale_was_taken_back_is_none() {
    let lead = |left| Lead {
        wallet: shared::wallet(1),
        token: token(10),
        entry: Shares::whole(1_200),
        left: Shares::whole(left),
    };
    let whale = ExitReason::WhaleExit;
    let mut desk = Desk::new(Limits::default());
    desk.engine.remember_exits(ExitState {
        leads: [(1, lead(100)), (2, lead(600)), (3, lead(0))].into(),
        leaving: [(1, whale), (2, whale), (3, ExitReason::Person)].into(),
        ..ExitState::default()
    });
    let held = [Record::Leaving { position: 1, reason: None, at: desk.at }];
    assert_eq!(desk.engine.reconsider_leads(desk.at), held);
    assert_eq!(desk.engine.reconsider_leads(desk.at), []);
}

#[test]
fn a_kill_stops_entries_until_it_is_lifted() {
    let mut desk = Desk::new(Limits::default());
    assert!(opened(&desk.follow(1)));
    desk.control(Control::Kill { reason: "a drill".to_owned() });
    assert_eq!(reasons(&desk.follow(2)), ["killed"]);
    // Nothing is left by itself after a kill; what a person closes is closed.
    assert_eq!(exits(&desk.fill(trade(1, token(10), Side::Sell, 600, "0.50"))), []);
    assert_eq!(ended(&desk.control(Control::Close(1))), [Ending::Sold]);
    desk.control(Control::Lift);
    assert!(opened(&desk.follow(3)));
}

/// An order is on its way when everything is killed: it is asked back.
#[test]
fn a_kill_asks_every_live_order_back() {
    let mut desk = Desk::new(Limits::default());
    let fill = trade(1, token(10), Side::Buy, 600, "0.50");
    desk.tell(EventKind::Fill { fill, block_time: NOON });
    let book = book(token(10), desk.at, desk.bid, desk.depth);
    let placed = desk.tell(EventKind::Book(book)).commands;
    assert!(matches!(placed.as_slice(), [Command::Place(_)]));
    let killed = desk.tell(EventKind::Control(Control::Kill { reason: "a drill".to_owned() }));
    assert_eq!(killed.commands, [Command::Cancel(1)]);
}

#[test]
fn exposure_of_all_positions_has_a_cap() {
    let mut desk = Desk::new(Limits { max_exposure: 0.015, ..Limits::default() });
    assert!(opened(&desk.follow(1)));
    let second = desk.follow(2);
    assert!(opened(&second));
    assert!(desk.engine.portfolio().exposure() <= Usd::whole(150));
    assert_eq!(reasons(&desk.follow(3)), ["stake_too_small"]);
}

#[test]
fn losses_in_a_row_make_entries_rest() {
    let limits = Limits { cooldown_losses: 2, cooldown: Timestamp::HOUR, ..Limits::default() };
    let mut desk = Desk::new(limits);
    for number in 1..=2 {
        assert!(opened(&desk.follow(number)));
        let payouts = domain::Payouts::winner(1, 2).unwrap();
        desk.run(EventKind::Resolved { condition: condition(number), payouts });
    }
    assert_eq!(reasons(&desk.follow(3)), ["cooling"]);
    desk.at = desk.at.plus_micros(Timestamp::HOUR);
    assert!(opened(&desk.follow(4)));
}

#[test]
fn a_position_is_left_when_the_whale_has_left() {
    let mut desk = Desk::new(Limits::default());
    assert!(opened(&desk.follow(1)));
    assert_eq!(exits(&desk.fill(trade(1, token(10), Side::Sell, 200, "0.50"))), []);
    // Another wallet's sale says nothing.
    assert_eq!(exits(&desk.fill(trade(50, token(10), Side::Sell, 600, "0.50"))), []);
    // $200 of $600 by selling, and the rest of its half by buying the other side.
    let records = desk.fill(trade(1, token(11), Side::Buy, 150, "0.50"));
    assert_eq!(exits(&records), [ExitReason::WhaleExit]);
    assert_eq!(ended(&records), [Ending::Sold]);
    assert_eq!(desk.engine.portfolio().slots_taken(), 0);
}

#[test]
fn a_position_is_left_when_whales_are_on_both_sides() {
    let mut desk = Desk::new(Limits::default());
    assert!(opened(&desk.follow(1)));
    let records = desk.fill(trade(2, token(11), Side::Buy, 700, "0.50"));
    assert_eq!(exits(&records), [ExitReason::Conflict]);
}

#[test]
fn a_position_is_left_after_its_longest_time() {
    let mut desk = Desk::new(Limits::default());
    assert!(opened(&desk.follow(1)));
    desk.at = desk.at.plus_micros(30 * Timestamp::DAY - 1);
    assert_eq!(exits(&desk.run(EventKind::Tick)), []);
    desk.at = desk.at.plus_micros(1);
    assert_eq!(exits(&desk.run(EventKind::Tick)), [ExitReason::Time]);
}

/// A thin book takes a part; each tick sells what it can, and never more than is held.
#[test]
fn what_a_book_cannot_take_is_sold_on_later_ticks() {
    let mut desk = Desk::new(Limits::default());
    assert!(opened(&desk.follow(1)));
    let held = desk.engine.portfolio().held(1).unwrap().shares();
    desk.depth = 150;
    assert_eq!(ended(&desk.control(Control::CloseAll)), []);
    let left = desk.engine.portfolio().held(1).unwrap().shares();
    assert_eq!(left, held - Shares::whole(150));
    assert_eq!(ended(&desk.run(EventKind::Tick)), [Ending::Sold]);
    let portfolio = desk.engine.portfolio();
    assert_eq!(portfolio.free_cash(), Usd::whole(10_000) + portfolio.realized());
}

/// The venue takes no sale of fewer than five shares: what is left of a position below that is offered to nobody, and is
/// held to the result.
#[test]
fn a_rest_that_the_venue_would_not_take_is_held_to_the_result() {
    let mut desk = Desk::new(Limits::default());
    assert!(opened(&desk.follow(1)));
    let held = desk.engine.portfolio().held(1).unwrap().shares();
    desk.depth = 197;
    assert_eq!(exits(&desk.control(Control::Close(1))), [ExitReason::Person]);
    let left = desk.engine.portfolio().held(1).unwrap().shares();
    assert_eq!(left, held - Shares::whole(197));
    assert!(left < venue::MIN_SHARES);
    desk.depth = 100_000;
    // It is not being left any more, and nothing begins that again: neither a person, nor its age.
    let records = desk.run(EventKind::Tick);
    assert_eq!(records, [Record::Leaving { position: 1, reason: None, at: desk.at }]);
    desk.at = desk.at.plus_micros(31 * Timestamp::DAY);
    for _ in 0..2 {
        let records = [desk.control(Control::Close(1)), desk.run(EventKind::Tick)].concat();
        let is_quiet = |record: &Record| !matches!(record, Record::Order(_) | Record::Leaving { .. });
        assert!(records.iter().all(is_quiet), "{records:?}");
    }
    assert_eq!(desk.engine.portfolio().held(1).unwrap().shares(), left);
    let payouts = domain::Payouts::winner(0, 2).unwrap();
    let records = desk.run(EventKind::Resolved { condition: condition(1), payouts });
    assert_eq!(ended(&records), [Ending::Resolved]);
}

/// A bound that is off is watched once; one that is on is obeyed.
#[test]
fn a_price_bound_is_recorded_or_obeyed() {
    for is_obeyed in [false, true] {
        let stop_loss = Bound { at: 0.3, is_obeyed };
        let limits = Limits { exits: Exits { stop_loss, ..Exits::default() }, ..Limits::default() };
        let mut desk = Desk::new(limits);
        assert!(opened(&desk.follow(1)));
        desk.bid = "0.34";
        let records: Vec<Record> = [desk.run(EventKind::Tick), desk.run(EventKind::Tick)].concat();
        let missed: Vec<_> = records
            .iter()
            .filter_map(|record| match record {
                Record::Counterfactual(missed) => Some((missed.reason, missed.bid, missed.pnl)),
                _ => None,
            })
            .collect();
        if is_obeyed {
            assert_eq!((missed, exits(&records)), (vec![], vec![ExitReason::StopLoss]));
        } else {
            // $100 at 0.50 are 200 shares, and 0.34 each is $68.
            assert_eq!(missed, [(ExitReason::StopLoss, price("0.34"), Usd::whole(-32))]);
            assert_eq!(exits(&records), []);
        }
    }
}

/// The day's loss is counted at the bid, whatever the last print was.
#[test]
fn an_open_position_is_worth_its_bid() {
    let mut desk = Desk::new(Limits::default());
    assert!(opened(&desk.follow(1)));
    desk.bid = "0.40";
    desk.run(EventKind::Tick);
    assert_eq!(desk.engine.portfolio().day_loss(), Usd::whole(20));
    desk.tell(EventKind::NoBook { token: token(10), detail: "gone".to_owned() });
    assert_eq!(desk.engine.portfolio().day_loss(), Usd::ZERO);
}

/// A book in which nobody bids is no reason to believe in the last print: the loss counts, and stops entries.
#[test]
fn a_position_that_nobody_bids_for_is_worth_next_to_nothing() {
    let mut desk = Desk::new(Limits::default());
    assert!(opened(&desk.follow(1)));
    let book = Book { bids: vec![], ..book(token(10), desk.at, desk.bid, desk.depth) };
    desk.tell(EventKind::Book(book));
    // 200 shares at a millionth of a dollar.
    assert_eq!(desk.engine.portfolio().day_loss(), Usd::whole(100) - Usd::from_micros(200));
}

/// No exit while the venue takes nothing; the wish is kept, and done when it takes orders again.
#[test]
fn a_wish_to_leave_outlives_a_venue_that_takes_nothing() {
    let mut desk = Desk::new(Limits::default());
    assert!(opened(&desk.follow(1)));
    desk.tell(EventKind::Guard(Guard::Venue(VenueMode::CancelOnly)));
    assert_eq!(exits(&desk.control(Control::Close(1))), []);
    desk.tell(EventKind::Guard(Guard::Venue(VenueMode::Normal)));
    assert_eq!(exits(&desk.run(EventKind::Tick)), [ExitReason::Person]);
}
