//! Entries that rest: where, for how long, and what takes them out of the book again.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "shared/desk.rs"]
mod desk;
mod shared;

use decision::portfolio::Holdings;
use decision::venue::{self, Resting};
use decision::{
    Command, Control, Engine, EntryStyle, Event, EventKind, Filters, Guard, Last, Limits, Policy, Record,
    VenueMode,
};
use domain::{
    Book, Fill, Level, Market, Oracle, Order, OrderEvent, Payouts, Place, Role, Shares, Side, Tick, Tier,
    Timestamp, Usd,
};
use shared::nouns::condition;
use shared::{NOON, market, policy, price, token, trade, verdict};

const LASTS: i64 = 10 * Timestamp::MINUTE;

/// An engine that rests, and a paper venue beside it.
struct Desk {
    engine: Engine,
    at: Timestamp,
    cancelled: Vec<i64>,
}

impl Desk {
    fn new(policy: Policy) -> Self {
        let limits = Limits { entry: EntryStyle::Rest { lasts: LASTS }, ..policy.limits.clone() };
        let engine = Engine::new(Policy { limits, ..policy }, Holdings::default(), Last::default());
        let mut desk = Self { engine, at: NOON, cancelled: vec![] };
        for number in 1..=2 {
            let market = Market { fee_rate_ppm: 70_000, ..market(number) };
            desk.run(EventKind::Market(market));
        }
        desk.run(EventKind::Scores(vec![verdict(1, 8.0, Tier::Whale), verdict(2, 8.0, Tier::Whale)]));
        desk
    }

    fn run(&mut self, kind: EventKind) -> Vec<Record> {
        let Self { engine, at, cancelled } = self;
        desk::run(engine, *at, kind, book, |engine, command| {
            let Command::Cancel(id) = command else { return vec![] };
            cancelled.push(id);
            let sent = engine.portfolio().orders().find(|sent| sent.order.id == id);
            let news = sent.and_then(Resting::new).map(|order| order.cancel(*at));
            news.map(EventKind::Order).into_iter().collect()
        })
    }

    fn fill(&mut self, fill: Fill) -> Vec<Record> {
        self.run(EventKind::Fill { fill, block_time: self.at })
    }

    /// Whale 1 buys the first outcome of market 1 at 0.50; what is ordered then.
    fn follow(&mut self) -> Order {
        let records = self.fill(trade(1, token(10), Side::Buy, 600, "0.50"));
        let ordered = records.iter().find_map(|record| match record {
            Record::Order(order) => Some(order.clone()),
            _ => None,
        });
        ordered.unwrap_or_else(|| panic!("{records:?}"))
    }

    fn rests(&self) -> bool {
        self.engine.portfolio().orders().any(|sent| Resting::new(sent).is_some())
    }
}

fn book(token: domain::TokenId) -> Book {
    let level = |text: &str| vec![Level { price: price(text), shares: Shares::whole(100) }];
    Book::new(token, NOON, Tick::CENT, level("0.45"), level("0.54"))
}

/// A tick above the best bid, without a fee, for ten minutes; a thin offer is no reason against it, and neither is an entry
/// of the whale's that rested itself.
#[test]
fn an_entry_rests_a_tick_above_the_best_bid() {
    let wide = Filters { max_spread: price("0.20"), ..policy().filters };
    let mut desk = Desk::new(Policy { filters: wide, ..policy() });
    desk.fill(trade(60, token(11), Side::Sell, 5_000, "0.50"));
    let rested = Fill { role: Role::Maker, ..trade(1, token(10), Side::Buy, 600, "0.50") };
    let records = desk.fill(rested);
    let Some(Record::Order(order)) = records.iter().find(|record| matches!(record, Record::Order(_))) else {
        panic!("{records:?}")
    };
    assert_eq!((order.limit, order.fee_rate_ppm), (price("0.46"), 0));
    assert_eq!(order.force.until(), Some(NOON.plus_micros(LASTS)));
    assert!(desk.rests());
    // A print at its limit leaves it; one through it fills it, at its own price and without a fee.
    let sent = || desk.engine.portfolio().orders().next().unwrap().clone();
    let at_limit = trade(61, token(10), Side::Sell, 50, "0.46");
    assert_eq!(Resting::new(&sent()).unwrap().on_print(&at_limit, &Place::default(), NOON), []);
    let through = trade(61, token(10), Side::Sell, 10_000, "0.45");
    for news in Resting::new(&sent()).unwrap().on_print(&through, &Place::default(), NOON) {
        desk.run(EventKind::Order(news));
    }
    let held = desk.engine.portfolio().open().next().unwrap();
    assert_eq!((held.fee, desk.engine.portfolio().slots_taken()), (Usd::ZERO, 1));
    assert!(held.cost() <= order.stake());
}

/// What would not be entered now is not filled later either.
#[test]
fn what_speaks_against_an_entry_takes_it_out_of_the_book() {
    let wide = Filters { max_spread: price("0.20"), ..policy().filters };
    let open = || Desk::new(Policy { filters: wide, ..policy() });
    let disputed = Market { oracle: Some(Oracle::Disputed), ..market(1) };
    let kinds = [
        EventKind::Control(Control::Pause),
        EventKind::Control(Control::Kill { reason: "a drill".to_owned() }),
        EventKind::Control(Control::Close(1)),
        EventKind::Market(disputed),
        // The whale leaves.
        EventKind::Fill { fill: trade(1, token(10), Side::Sell, 600, "0.50"), block_time: NOON },
        // Another whale enters against it.
        EventKind::Fill { fill: trade(2, token(11), Side::Buy, 5_000, "0.50"), block_time: NOON },
        EventKind::Guard(Guard::Chain { age: 60_000_001 }),
        EventKind::Guard(Guard::Books { age: 60_000_001 }),
        EventKind::Guard(Guard::Clock { skew: -5_000_001 }),
        EventKind::Guard(Guard::Venue(VenueMode::CancelOnly)),
        EventKind::Guard(Guard::Reconcile(Some("the venue holds 5 shares more".to_owned()))),
    ];
    for kind in kinds {
        let mut desk = open();
        let order = desk.follow();
        assert!(desk.rests());
        desk.run(kind.clone());
        assert_eq!(desk.cancelled, [order.id], "{kind:?}");
        let is_gone = desk.engine.portfolio().orders().all(|sent| sent.order.id != order.id);
        assert!(is_gone && !desk.engine.portfolio().knows(order.position), "{kind:?}");
    }
    // What has nothing to do with it leaves it where it is.
    let mut desk = open();
    desk.follow();
    desk.run(EventKind::Market(Market { oracle: Some(Oracle::Disputed), ..market(2) }));
    desk.run(EventKind::Fill { fill: trade(60, token(10), Side::Sell, 600, "0.50"), block_time: NOON });
    // Nor does a world that is well, or a venue that takes what rests.
    desk.run(EventKind::Guard(Guard::Chain { age: 60_000_000 }));
    desk.run(EventKind::Guard(Guard::Venue(VenueMode::PostOnly)));
    desk.run(EventKind::Guard(Guard::Reconcile(None)));
    assert!(desk.rests() && desk.cancelled.is_empty());
}

/// A loss too many in a row, in another market, takes what rests out of the book as well.
#[test]
fn a_cooldown_takes_entries_out_of_the_book() {
    let limits = Limits { cooldown_losses: 1, cooldown: Timestamp::HOUR, ..Limits::default() };
    let wide = Filters { max_spread: price("0.20"), ..policy().filters };
    let mut desk = Desk::new(Policy { filters: wide, limits, ..policy() });
    let first = desk.follow();
    let sent = desk.engine.portfolio().orders().next().unwrap().clone();
    let through = trade(61, token(10), Side::Sell, 10_000, "0.45");
    for news in Resting::new(&sent).unwrap().on_print(&through, &Place::default(), NOON) {
        desk.run(EventKind::Order(news));
    }
    desk.fill(trade(2, token(20), Side::Buy, 600, "0.50"));
    assert!(desk.rests() && desk.cancelled.is_empty());
    let lost = Payouts::winner(1, 2).unwrap();
    desk.run(EventKind::Resolved { condition: condition(1), payouts: lost });
    assert_eq!(desk.cancelled, [first.id + 1]);
    assert!(!desk.rests());
}

/// A guard fails while an entry is on its way: it is not left in the book when the venue takes it.
#[test]
fn an_entry_that_is_taken_after_a_guard_failed_is_cancelled() {
    let wide = Filters { max_spread: price("0.20"), ..policy().filters };
    let mut desk = Desk::new(Policy { filters: wide, ..policy() });
    let step = |desk: &mut Desk, kind| desk.engine.step(&Event { at: NOON, kind }).commands;
    let fill = trade(1, token(10), Side::Buy, 600, "0.50");
    step(&mut desk, EventKind::Fill { fill, block_time: NOON });
    let placed = step(&mut desk, EventKind::Book(book(token(10))));
    let [Command::Place(order)] = placed.as_slice() else { panic!("{placed:?}") };
    let accepted = venue::execute(order, &book(token(10)), NOON).remove(0);
    assert_eq!(accepted.what, OrderEvent::Accepted);
    step(&mut desk, EventKind::Guard(Guard::Chain { age: 60_000_001 }));
    assert_eq!(step(&mut desk, EventKind::Order(accepted)), [Command::Cancel(order.get().id)]);
}
