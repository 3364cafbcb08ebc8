//! The engine from a whale's fill to a settled trade, and every limit on the way.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod shared;

use decision::portfolio::Holdings;
use decision::{
    Command, Control, Engine, EntryStyle, Event, EventKind, FadePolicy, Last, Outcome, Policy, Record, venue,
};
use domain::{
    Book, ConfidenceModel, Fill, Level, Market, Payouts, Price, Rounding, Shares, Side, Skill, Tick, Tier,
    Timestamp, Usd, Verdict,
};
use shared::nouns::condition;
use shared::{NOON, market, price, token, verdict, wallet};

fn policy() -> Policy {
    let policy = shared::policy();
    Policy { fade: FadePolicy { live: true, entry: EntryStyle::Take, ..policy.fade }, ..policy }
}

/// The first outcome of a market is traded.
fn trade(who: u32, number: u32, side: Side, usd: i32, at: &str) -> Fill {
    shared::trade(who, token(10 * number), side, usd, at)
}

fn book(number: u32, bid: &str, ask: &str) -> Book {
    let deep = |text: &str| vec![Level { price: price(text), shares: Shares::whole(100_000) }];
    Book::new(token(10 * number), NOON, Tick::CENT, deep(bid), deep(ask))
}

/// An engine with ten markets and one whale (wallet 1, score 7).
struct Desk {
    engine: Engine,
    at: Timestamp,
}

impl Desk {
    fn new(policy: Policy) -> Self {
        let mut desk = Self { engine: Engine::new(policy, Holdings::default(), Last::default()), at: NOON };
        for number in 1..=10 {
            desk.tell(EventKind::Market(market(number)));
        }
        desk.tell(EventKind::Scores(vec![verdict(1, 7.0, Tier::Whale)]));
        desk
    }

    fn tell(&mut self, kind: EventKind) -> Outcome {
        self.engine.step(&Event { at: self.at, kind })
    }

    fn fill(&mut self, fill: Fill) -> Outcome {
        self.tell(EventKind::Fill { fill, block_time: self.at })
    }

    /// The whale buys in a market whose book is given, and everything the engine asks is answered.
    fn follow(&mut self, number: u32, paid: &str, book: &Book) -> Vec<Record> {
        let outcome = self.fill(trade(1, number, Side::Buy, 600, paid));
        let mut records = outcome.records;
        let mut commands = outcome.commands;
        while let Some(command) = commands.pop() {
            let kinds = match command {
                Command::Holdings { .. } => continue,
                Command::Quote(_) => vec![EventKind::Book(book.clone())],
                Command::Place(order) => {
                    venue::execute(&order, book, self.at).into_iter().map(EventKind::Order).collect()
                }
                Command::Cancel(order) => panic!("nobody cancels {order}"),
            };
            for kind in kinds {
                let outcome = self.tell(kind);
                records.extend(outcome.records);
                commands.extend(outcome.commands);
            }
        }
        records
    }

    fn resolve(&mut self, number: u32, winner: usize) -> Vec<Record> {
        let payouts = Payouts::winner(winner, 2).unwrap();
        let mut records = self.tell(EventKind::Resolved { condition: condition(number), payouts }).records;
        records.retain(|record| !matches!(record, Record::Outcome { .. }));
        records
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

/// The strategy's worked example: the whale buys at 0.72, the limit is 0.76 at the nearest tick, p is 0.85,
/// the fill is at 0.74; Kelly's fraction is 0.4231, a quarter of it on $2,000 stakes $211.54, and a win pays
/// 35.14 %, $74.32 before fees.
#[test]
fn the_worked_example_from_fill_to_settlement() {
    for (bankroll, fraction) in [(2_000, 0.25), (1_000, 0.50)] {
        let mut desk =
            Desk::new(Policy { bankroll: Usd::whole(bankroll), kelly_fraction: fraction, ..policy() });
        let records = desk.follow(1, "0.72", &book(1, "0.72", "0.74"));
        let signal = records.iter().find_map(|record| match record {
            Record::Signal(signal) => Some(signal),
            _ => None,
        });
        let signal = signal.unwrap();
        assert_eq!(signal.limit_price, price("0.76"));
        assert!((signal.probability - 0.85).abs() < 1e-9);
        assert_eq!(signal.expected_price, price("0.74"));
        assert!((signal.kelly - 0.4231).abs() < 5e-5);
        assert_eq!(signal.stake.cents(), "211.54");
        assert!(opened(&records));

        let settled = desk.resolve(1, 0);
        let [Record::Settled(settlement), ..] = settled.as_slice() else { panic!("{settled:?}") };
        assert!(settlement.won());
        assert_eq!(settlement.pnl.cents(), "74.32");
        let cost = settlement.proceeds - settlement.pnl;
        assert!((settlement.pnl.to_f64() / cost.to_f64() - 0.3514).abs() < 5e-5);
    }
}

#[test]
fn a_lost_bet_loses_its_stake_and_its_fee() {
    let mut desk = Desk::new(policy());
    desk.tell(EventKind::Market(Market { fee_rate_ppm: 40_000, ..market(1) }));
    let records = desk.follow(1, "0.72", &book(1, "0.72", "0.74"));
    let position = records.iter().find_map(|record| match record {
        Record::Opened(position) => Some(position.clone()),
        _ => None,
    });
    let position = position.unwrap();
    assert!(position.fee.is_positive());
    let settled = desk.resolve(1, 1);
    let [Record::Settled(settlement), ..] = settled.as_slice() else { panic!("{settled:?}") };
    assert!(!settlement.won());
    assert_eq!(settlement.pnl, -position.cost());
}

#[test]
fn wallets_without_enough_history_never_signal() {
    let mut desk = Desk::new(policy());
    desk.tell(EventKind::Scores(vec![verdict(2, 9.9, Tier::Unrated)]));
    for stranger in [2, 3] {
        let outcome = desk.fill(trade(stranger, 1, Side::Buy, 5_000, "0.50"));
        assert_eq!(outcome, Outcome::default());
    }
}

#[test]
fn an_entry_signals_once_however_many_fills_it_has() {
    let mut desk = Desk::new(policy());
    let mut signals = 0;
    for _ in 0..12 {
        let records = desk.follow(1, "0.50", &book(1, "0.49", "0.51"));
        signals += records.iter().filter(|record| matches!(record, Record::Signal(_))).count();
    }
    assert_eq!(signals, 1);
}

#[test]
fn each_objection_before_the_book_has_its_reason() {
    let mut desk = Desk::new(policy());
    let old = EventKind::Fill {
        fill: trade(1, 1, Side::Buy, 600, "0.50"),
        block_time: desk.at.plus_micros(-31_000_000),
    };
    assert_eq!(reasons(&desk.tell(old).records), ["stale"]);
    assert_eq!(reasons(&desk.fill(trade(1, 77, Side::Buy, 600, "0.50")).records), ["unknown_market"]);
    assert_eq!(reasons(&desk.fill(trade(1, 2, Side::Buy, 600, "0.95")).records), ["price_band"]);
    assert_eq!(reasons(&desk.fill(trade(1, 3, Side::Buy, 600, "0.05")).records), ["price_band"]);
    desk.resolve(4, 0);
    assert_eq!(reasons(&desk.fill(trade(1, 4, Side::Buy, 600, "0.50")).records), ["resolved"]);
}

/// The book may come late: what was fresh when it was asked for is judged by the clock of the answer.
#[test]
fn a_book_that_comes_late_is_of_no_use() {
    let mut desk = Desk::new(policy());
    let asked = desk.fill(trade(1, 1, Side::Buy, 600, "0.50")).commands;
    assert_eq!(asked, [Command::Holdings { wallet: wallet(1), token: token(10) }, Command::Quote(token(10))]);
    desk.at = desk.at.plus_micros(31_000_000);
    assert_eq!(reasons(&desk.tell(EventKind::Book(book(1, "0.49", "0.50"))).records), ["stale"]);
}

#[test]
fn a_print_of_dust_moves_no_mark() {
    let mut desk =
        Desk::new(Policy { bankroll: Usd::whole(10_000), daily_loss_limit: Usd::whole(499), ..policy() });
    assert!(opened(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))));
    let dust = Fill {
        shares: Shares::from_micros(9_999),
        usd: Usd::from_micros(1),
        ..trade(50, 1, Side::Sell, 1, "0.5")
    };
    assert!(!desk.fill(dust).records.iter().any(|record| matches!(record, Record::Halt { .. })));
}

#[test]
fn each_objection_to_the_book_has_its_reason() {
    let mut desk = Desk::new(policy());
    assert_eq!(reasons(&desk.follow(1, "0.72", &book(1, "0.76", "0.77"))), ["above_limit"]);
    let empty = Book::new(token(20), NOON, Tick::CENT, vec![], vec![]);
    assert_eq!(reasons(&desk.follow(2, "0.72", &empty)), ["one_sided_book"]);
    desk.fill(trade(1, 3, Side::Buy, 600, "0.50"));
    let none = EventKind::NoBook { token: token(30), detail: "gone".to_owned() };
    assert_eq!(reasons(&desk.tell(none).records), ["no_book"]);
    // At 0.86 the naive probability of 0.85 leaves no edge, and none is staked.
    assert_eq!(reasons(&desk.follow(4, "0.86", &book(4, "0.85", "0.86"))), ["no_edge"]);
}

#[test]
fn confidence_below_the_minimum_is_refused() {
    let mut desk = Desk::new(Policy { min_confidence: 0.86, ..policy() });
    assert_eq!(reasons(&desk.follow(1, "0.72", &book(1, "0.72", "0.74"))), ["confidence"]);
}

/// The skill model asks whether copying pays: a record of nothing but luck is refused whatever its score.
#[test]
fn luck_does_not_pass_for_skill() {
    let mut desk = Desk::new(Policy { confidence_model: ConfidenceModel::Skill, ..policy() });
    let lucky =
        Verdict { skill: Skill { kappa: 0.02, standard_error: 0.07 }, ..verdict(1, 9.9, Tier::Whale) };
    desk.tell(EventKind::Scores(vec![lucky]));
    assert_eq!(reasons(&desk.follow(1, "0.50", &book(1, "0.50", "0.51"))).len(), 1);
    desk.tell(EventKind::Scores(vec![verdict(1, 9.9, Tier::Whale)]));
    assert!(opened(&desk.follow(2, "0.50", &book(2, "0.49", "0.50"))));
}

/// Whatever the record: where copying cannot work there is no signal.
#[test]
fn a_flagged_wallet_is_not_followed() {
    let mut desk = Desk::new(policy());
    desk.tell(EventKind::Scores(vec![Verdict { is_copyable: false, ..verdict(1, 9.9, Tier::Whale) }]));
    assert_eq!(reasons(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))), ["not_copyable"]);
    desk.tell(EventKind::Scores(vec![verdict(1, 9.9, Tier::Whale)]));
    assert!(opened(&desk.follow(2, "0.50", &book(2, "0.49", "0.50"))));
}

#[test]
fn five_positions_at_once_and_no_more() {
    let mut desk =
        Desk::new(Policy { bankroll: Usd::whole(100_000), max_position: Usd::whole(50), ..policy() });
    for number in 1..=5 {
        assert!(opened(&desk.follow(number, "0.50", &book(number, "0.49", "0.50"))));
    }
    assert_eq!(reasons(&desk.follow(6, "0.50", &book(6, "0.49", "0.50"))), ["too_many_positions"]);
    desk.resolve(1, 0);
    assert!(opened(&desk.follow(7, "0.50", &book(7, "0.49", "0.50"))));
}

#[test]
fn one_position_an_event() {
    let mut desk = Desk::new(Policy { max_position: Usd::whole(50), ..policy() });
    desk.tell(EventKind::Market(Market { event: "event-1".to_owned(), ..market(2) }));
    assert!(opened(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))));
    assert_eq!(reasons(&desk.follow(2, "0.50", &book(2, "0.49", "0.50"))), ["event_held"]);
}

#[test]
fn no_trade_stakes_more_than_its_limit() {
    let limits = Policy { bankroll: Usd::whole(1_000_000), daily_loss_limit: Usd::whole(5_000), ..policy() };
    let mut desk = Desk::new(limits);
    let records = desk.follow(1, "0.50", &book(1, "0.49", "0.50"));
    let order = records.iter().find_map(|record| match record {
        Record::Order(order) => Some(order.stake()),
        _ => None,
    });
    assert_eq!(order, Some(Usd::whole(1_000)));
}

/// −$500 a day, then 24 hours without entries; the stake itself never exceeds what the day may still lose.
#[test]
fn the_days_loss_stops_entries_for_24_hours() {
    let mut desk = Desk::new(Policy { bankroll: Usd::whole(10_000), ..policy() });
    let mut halted = None;
    for number in 1..=4 {
        let records = desk.follow(number, "0.50", &book(number, "0.49", "0.50"));
        if !opened(&records) {
            break;
        }
        halted = desk.resolve(number, 1).into_iter().find_map(|record| match record {
            Record::Halt { until, loss } => Some((until, loss)),
            _ => None,
        });
    }
    let (until, loss) = halted.unwrap();
    assert_eq!(loss, Usd::whole(500));
    assert_eq!(until, NOON.plus_micros(Timestamp::DAY));
    assert_eq!(reasons(&desk.follow(8, "0.50", &book(8, "0.49", "0.50"))), ["halted"]);
    desk.at = until;
    assert!(opened(&desk.follow(9, "0.50", &book(9, "0.49", "0.50"))));
}

/// An open position that falls counts toward the day's loss before it is settled.
#[test]
fn the_days_loss_is_marked_to_the_market() {
    let mut desk = Desk::new(Policy { bankroll: Usd::whole(10_000), ..policy() });
    assert!(opened(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))));
    let crash = desk.fill(trade(50, 1, Side::Sell, 100, "0.001"));
    assert!(reasons(&crash.records).is_empty());
    // $500 were staked at 0.50; at 0.001 they are worth $1: a loss of $499 does not trip the limit yet,
    assert!(!crash.records.iter().any(|record| matches!(record, Record::Halt { .. })));
    // and whatever is left of the day is all that a new trade may stake.
    assert_eq!(reasons(&desk.follow(2, "0.50", &book(2, "0.49", "0.50"))), ["stake_too_small"]);
}

#[test]
fn a_pause_stops_entries_and_not_settlements() {
    let mut desk = Desk::new(policy());
    assert!(opened(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))));
    desk.tell(EventKind::Control(Control::Pause));
    assert_eq!(reasons(&desk.follow(2, "0.50", &book(2, "0.49", "0.50"))), ["paused"]);
    assert!(matches!(desk.resolve(1, 0).as_slice(), [Record::Settled(_), ..]));
    desk.tell(EventKind::Control(Control::Resume));
    assert!(opened(&desk.follow(3, "0.50", &book(3, "0.49", "0.50"))));
}

#[test]
fn money_in_positions_is_not_staked_twice() {
    let mut desk = Desk::new(Policy {
        bankroll: Usd::whole(500),
        kelly_fraction: 1.0,
        daily_loss_limit: Usd::whole(2_000),
        ..policy()
    });
    assert!(opened(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))));
    // What is left is less than Kelly's stake, and all that the next order gets.
    assert!(opened(&desk.follow(2, "0.50", &book(2, "0.49", "0.50"))));
    assert!(desk.engine.portfolio().exposure() <= Usd::whole(500));
    desk.resolve(1, 1);
    desk.resolve(2, 1);
    // The day's stakes are parts of the bankroll it began with, which is lost by now.
    assert_eq!(reasons(&desk.follow(3, "0.50", &book(3, "0.49", "0.50"))), ["cash"]);
}

/// What a panic of these wallets in market 1 asks: what each of them held, and the book.
fn questions(sellers: std::ops::Range<u32>) -> Vec<Command> {
    let held = sellers.map(|number| Command::Holdings { wallet: wallet(number), token: token(10) });
    held.chain([Command::Quote(token(10))]).collect()
}

/// Five wallets of score below 3 sell within minutes and the price falls: what they sell is bought.
#[test]
fn a_panic_of_degens_is_faded() {
    let mut desk = Desk::new(policy());
    let degens = (20..26).map(|number| verdict(number, 1.5, Tier::Degen)).collect();
    desk.tell(EventKind::Scores(degens));
    desk.fill(trade(60, 1, Side::Buy, 500, "0.60"));
    desk.at = desk.at.plus_micros(20 * Timestamp::MINUTE);
    let mut outcome = Outcome::default();
    for (number, paid) in (20..25).zip(["0.57", "0.55", "0.53", "0.51", "0.49"]) {
        outcome = desk.fill(trade(number, 1, Side::Sell, 300, paid));
    }
    assert_eq!(outcome.commands, questions(20..25));
    let mut records = vec![];
    let book = book(1, "0.49", "0.50");
    let outcome = desk.tell(EventKind::Book(book.clone()));
    records.extend(outcome.records);
    for command in outcome.commands {
        let Command::Place(order) = command else { panic!("an order was expected") };
        for news in venue::execute(&order, &book, desk.at) {
            records.extend(desk.tell(EventKind::Order(news)).records);
        }
    }
    let kinds: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Signal(signal) => Some((signal.kind.name(), signal.wallets)),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [("FADE_DEGEN", 5)]);
    assert!(opened(&records));
}

#[test]
fn selling_that_moves_no_price_is_no_panic_until_it_does() {
    let mut desk = Desk::new(policy());
    desk.tell(EventKind::Scores((20..26).map(|number| verdict(number, 1.5, Tier::Degen)).collect()));
    desk.fill(trade(60, 1, Side::Buy, 500, "0.60"));
    desk.at = desk.at.plus_micros(20 * Timestamp::MINUTE);
    let mut records = vec![];
    for number in 20..25 {
        records.extend(desk.fill(trade(number, 1, Side::Sell, 300, "0.59")).records);
    }
    assert_eq!(records, []);
    assert_eq!(desk.fill(trade(25, 1, Side::Sell, 300, "0.50")).commands, questions(20..26));
}

mod any_sequence {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Buy { market: u32, cents: u32 },
        Sell { market: u32, cents: u32 },
        Resolve { market: u32, winner: usize },
        Wait { minutes: i64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1u32..=10, 5u32..95).prop_map(|(market, cents)| Step::Buy { market, cents }),
            (1u32..=10, 1u32..99).prop_map(|(market, cents)| Step::Sell { market, cents }),
            (1u32..=10, 0usize..2).prop_map(|(market, winner)| Step::Resolve { market, winner }),
            (1i64..600).prop_map(|minutes| Step::Wait { minutes }),
        ]
    }

    fn cents(cents: u32) -> Price {
        Price::from_ppm(cents * 10_000).unwrap()
    }

    proptest! {
        #[test]
        fn keeps_to_its_limits_and_repeats_itself(steps in prop::collection::vec(step(), 1..80)) {
            let run = || {
                let mut desk = Desk::new(policy());
                let mut diary = vec![];
                for step in &steps {
                    match step {
                        Step::Buy { market, cents: at } => {
                            let ask = Price::from_ppm(at * 10_000 + 10_000).unwrap();
                            let book = book(*market, &cents(*at).to_string(), &ask.to_string());
                            diary.extend(desk.follow(*market, &cents(*at).to_string(), &book));
                        }
                        Step::Sell { market, cents: at } => {
                            let sale = trade(70, *market, Side::Sell, 200, &cents(*at).to_string());
                            diary.extend(desk.fill(sale).records);
                        }
                        Step::Resolve { market, winner } => diary.extend(desk.resolve(*market, *winner)),
                        Step::Wait { minutes } => desk.at = desk.at.plus_micros(minutes * Timestamp::MINUTE),
                    }
                    let portfolio = desk.engine.portfolio();
                    assert!(portfolio.slots_taken() <= 5);
                    assert!(Usd::ZERO <= portfolio.free_cash());
                }
                diary
            };
            let first = run();
            prop_assert_eq!(&first, &run());
            for record in &first {
                if let Record::Order(order) = record {
                    prop_assert!(order.stake() <= Usd::whole(1_000));
                    prop_assert_eq!(order.limit, order.limit.on_tick(Tick::CENT, Rounding::Nearest));
                }
            }
        }
    }
}
