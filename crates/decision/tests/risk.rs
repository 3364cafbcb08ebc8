//! What everything that is held and ordered leaves to the next stake: of the day, of the bankroll, and of bets that stand
//! and fall together.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "shared/desk.rs"]
mod desk;
mod shared;

use decision::portfolio::Holdings;
use decision::{Engine, EntryStyle, EventKind, Last, Limits, Policy, Reason, Record};
use domain::{
    Book, ConfidenceModel, Level, Market, Order, Payouts, Shares, Side, Tick, Tier, Timestamp, TokenId, Usd,
};
use shared::nouns::condition;
use shared::{NOON, market, policy, price, token, trade, verdict};

/// The first microsecond of the UTC day after the tests' own.
fn midnight() -> Timestamp {
    Timestamp::from_micros((NOON.day() + 1) * Timestamp::DAY)
}

/// An engine with ten markets of politics that end in ten days, and whale 1, whose score read literally makes a quarter of
/// Kelly 17.5 % of the bankroll at 0.50.
struct Desk {
    engine: Engine,
    at: Timestamp,
    bid: &'static str,
}

fn book(token: TokenId, at: Timestamp, bid: &str) -> Book {
    let level = |text: &str| vec![Level { price: price(text), shares: Shares::whole(1_000_000) }];
    Book::new(token, at, Tick::CENT, level(bid), level("0.50"))
}

impl Desk {
    fn new(policy: Policy) -> Self {
        let engine = Engine::new(policy, Holdings::default(), Last::default());
        let mut desk = Self { engine, at: NOON, bid: "0.49" };
        for number in 1..=10 {
            desk.describe(number, "politics", Some(NOON.plus_micros(10 * Timestamp::DAY)));
        }
        desk.run(EventKind::Scores(vec![verdict(1, 7.0, Tier::Whale)]));
        desk
    }

    fn describe(&mut self, number: u32, category: &str, end: Option<Timestamp>) {
        let category = (!category.is_empty()).then(|| category.to_owned());
        self.run(EventKind::Market(Market { category, end, ..market(number) }));
    }

    fn run(&mut self, kind: EventKind) -> Vec<Record> {
        let Self { engine, at, bid } = self;
        desk::run(engine, *at, kind, |token| book(token, *at, bid), |_, _| vec![])
    }

    /// The whale buys in a market at 0.50; the order that follows, or why there is none.
    fn follow(&mut self, number: u32) -> Result<Order, Reason> {
        let fill = trade(1, token(10 * number), Side::Buy, 600, "0.50");
        let records = self.run(EventKind::Fill { fill, block_time: self.at });
        let said = format!("{records:?}");
        let decided = records.into_iter().find_map(|record| match record {
            Record::Order(order) => Some(Ok(order)),
            Record::Refusal(refusal) => Some(Err(refusal.reason)),
            _ => None,
        });
        decided.unwrap_or_else(|| panic!("{said}"))
    }

    fn stake(&mut self, number: u32) -> Usd {
        self.follow(number).unwrap().stake()
    }

    fn resolve(&mut self, number: u32, winner: usize) {
        let payouts = Payouts::winner(winner, 2).unwrap();
        self.run(EventKind::Resolved { condition: condition(number), payouts });
    }
}

/// As much money as it takes for nothing but the limit in question to bind.
fn rich(limits: Limits) -> Policy {
    Policy { bankroll: Usd::whole(10_000), daily_loss_limit: Usd::whole(9_000), limits, ..policy() }
}

#[test]
fn the_limits_of_a_model() {
    let Limits { max_exposure, max_stake, max_same_day, cluster_correlation, .. } =
        Limits::of(ConfidenceModel::Skill);
    assert_eq!((max_exposure, max_stake, max_same_day, cluster_correlation), (0.25, 0.05, 2, 0.5));
    assert_eq!(Limits::of(ConfidenceModel::Score), Limits::default());
}

/// What ends later does not take from what the day may still lose; what ends today, should have ended, or ends at nobody
/// knows when does.
#[test]
fn only_what_may_end_today_is_taken_from_the_day() {
    let ends = [
        (Some(midnight().plus_micros(-1)), 1_000),
        (Some(NOON.plus_micros(3 * Timestamp::HOUR)), 1_000),
        (None, 1_000),
        (Some(midnight()), 0),
        (Some(NOON.plus_micros(29 * Timestamp::DAY)), 0),
    ];
    for (end, taken) in ends {
        let mut desk = Desk::new(Policy { daily_loss_limit: Usd::whole(1_500), ..rich(Limits::default()) });
        desk.describe(1, "", end);
        assert_eq!(desk.stake(1), Usd::whole(1_000));
        // What is left of the day is what a share at the bid of 0.49 lost, and what is at risk at that bid.
        desk.run(EventKind::Tick);
        let marked = if taken == 0 { Usd::whole(20) } else { Usd::ZERO };
        let left = Usd::whole(1_500 - taken) - marked;
        assert_eq!(desk.stake(2), left.min(Usd::whole(1_000)), "{end:?}");
    }
    // A market that should have ended, and has not.
    let mut desk = Desk::new(Policy { daily_loss_limit: Usd::whole(1_500), ..rich(Limits::default()) });
    assert_eq!(desk.stake(1), Usd::whole(1_000));
    desk.describe(1, "", Some(NOON.plus_micros(-Timestamp::DAY)));
    assert_eq!(desk.stake(2), Usd::whole(500));
}

/// An order that rests may be filled at any time: it counts like what is held.
#[test]
fn an_order_on_its_way_is_taken_from_the_day() {
    let limits = Limits { entry: EntryStyle::Rest { lasts: 10 * Timestamp::MINUTE }, ..Limits::default() };
    for (end, next) in [(midnight().plus_micros(-1), 500), (midnight(), 1_000)] {
        let mut desk = Desk::new(Policy { daily_loss_limit: Usd::whole(1_500), ..rich(limits.clone()) });
        desk.describe(1, "", Some(end));
        assert_eq!((desk.stake(1), desk.stake(2)), (Usd::whole(1_000), Usd::whole(next)));
    }
}

/// The cap of one trade is reached by as many trades as there may be, where they end later, and the loss that they mark
/// still stops entries.
#[test]
fn five_trades_of_the_largest_size_fit_into_one_day() {
    let policy = Policy { daily_loss_limit: Usd::whole(1_000), ..rich(Limits::default()) };
    let mut desk = Desk::new(policy);
    for number in 1..=5 {
        assert_eq!(desk.stake(number), Usd::whole(1_000), "{number}");
    }
    desk.bid = "0.40";
    assert!(desk.run(EventKind::Tick).iter().any(|record| matches!(record, Record::Halt { .. })));
    desk.bid = "0.49";
    assert!(matches!(desk.follow(6), Err(Reason::Halted { .. })));
}

/// The second bet on one day of one category gets two thirds of its stake, the third none; another category, or another
/// day, has nothing to do with it.
#[test]
fn bets_that_stand_and_fall_together_share_their_stake() {
    let limits = Limits { max_same_day: 2, cluster_correlation: 0.5, ..Limits::default() };
    let mut desk = Desk::new(Policy { max_open_positions: 10, ..rich(limits.clone()) });
    let later = NOON.plus_micros(11 * Timestamp::DAY);
    desk.describe(3, "crypto", Some(NOON.plus_micros(10 * Timestamp::DAY)));
    desk.describe(4, "politics", Some(later));
    let stakes = [1, 2, 3, 4].map(|number| desk.stake(number).cents());
    // Kelly's 17.5 % of $10,000 is above the cap of one trade; two thirds of it are as well.
    assert_eq!(stakes, ["1000.00", "1000.00", "1000.00", "1000.00"]);
    assert_eq!(desk.follow(5), Err(Reason::SameDay { open: 2, limit: 2 }));
    let said = Reason::SameDay { open: 2, limit: 2 };
    assert_eq!((said.code(), said.figures().len()), ("same_day", 2));
    // One of them has ended: there is room for one.
    desk.resolve(1, 0);
    assert!(desk.follow(6).is_ok());

    let mut desk = Desk::new(Policy { bankroll: Usd::whole(3_000), ..rich(limits) });
    desk.describe(3, "crypto", Some(later));
    let stakes = [1, 2, 3].map(|number| desk.stake(number).cents());
    assert_eq!(stakes, ["525.00", "350.00", "525.00"]);
}

/// Nobody knows whether markets without a category or an end have anything to do with each other.
#[test]
fn what_nobody_has_described_counts_as_one() {
    let limits = Limits { max_same_day: 2, ..Limits::default() };
    for (category, end) in [("", Some(midnight())), ("politics", None), ("", None)] {
        let mut desk = Desk::new(rich(limits.clone()));
        for number in 1..=3 {
            desk.describe(number, category, end);
        }
        assert!(desk.follow(1).is_ok() && desk.follow(2).is_ok());
        assert!(matches!(desk.follow(3), Err(Reason::SameDay { .. })), "{category} {end:?}");
        assert!(desk.follow(4).is_ok(), "that one is described");
    }
}

/// A stake is cut to its part of the bankroll, the fee included, and so is what all of them come to.
#[test]
fn a_position_and_all_of_them_are_parts_of_the_bankroll() {
    let limits = Limits { max_stake: 0.05, max_exposure: 0.12, ..Limits::default() };
    let mut desk = Desk::new(rich(limits));
    desk.run(EventKind::Market(Market { fee_rate_ppm: 40_000, ..market(1) }));
    let order = desk.follow(1).unwrap();
    let cost = order.most();
    assert!(Usd::whole(500) - Usd::from_micros(2) <= cost && cost <= Usd::whole(500), "{cost}");
    assert_eq!(desk.stake(2), Usd::whole(500));
    let rest = Usd::whole(1_200) - desk.engine.portfolio().exposure();
    assert_eq!(desk.stake(3), rest);
    assert!(matches!(desk.follow(4), Err(Reason::StakeTooSmall { .. })));
}

/// At midnight an open position counts at what it would bring where that is less than it cost, and at its cost where it is
/// more; during the day nothing changes.
#[test]
fn an_open_position_makes_the_bankroll_smaller_and_never_larger() {
    // $1,000 at 0.50 are 2,000 shares.
    for (bid, bankroll) in [("0.40", 9_800), ("0.49", 9_980), ("0.50", 10_000), ("0.60", 10_000)] {
        let mut desk = Desk::new(rich(Limits::default()));
        assert_eq!(desk.stake(1), Usd::whole(1_000));
        desk.bid = bid;
        desk.at = midnight().plus_micros(-1);
        desk.run(EventKind::Tick);
        assert_eq!(desk.engine.portfolio().bankroll(), Usd::whole(10_000));
        desk.at = midnight();
        desk.run(EventKind::Tick);
        assert_eq!(desk.engine.portfolio().bankroll(), Usd::whole(bankroll), "{bid}");
        // What it ends with counts from the next day on.
        desk.resolve(1, 0);
        assert_eq!(desk.engine.portfolio().bankroll(), Usd::whole(bankroll));
        desk.at = desk.at.plus_micros(Timestamp::DAY);
        desk.run(EventKind::Tick);
        assert_eq!(desk.engine.portfolio().bankroll(), Usd::whole(11_000));
    }
}

mod any_sequence {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Describe { market: u32, category: &'static str, days: Option<i64> },
        Follow { market: u32 },
        Resolve { market: u32, winner: usize },
        Mark { bid: &'static str },
        Wait { hours: i64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        let category = prop_oneof![Just("politics"), Just("crypto"), Just("")];
        let days = prop_oneof![Just(None), (0i64..4).prop_map(Some)];
        prop_oneof![
            2 => (1u32..=10, category, days)
                .prop_map(|(market, category, days)| Step::Describe { market, category, days }),
            6 => (1u32..=10).prop_map(|market| Step::Follow { market }),
            1 => (1u32..=10, 0usize..2).prop_map(|(market, winner)| Step::Resolve { market, winner }),
            1 => prop_oneof![Just("0.40"), Just("0.48"), Just("0.49")].prop_map(|bid| Step::Mark { bid }),
            1 => (1i64..30).prop_map(|hours| Step::Wait { hours }),
        ]
    }

    /// What is held of each market, by what the test itself knows of them.
    fn held(desk: &Desk, described: &[(&'static str, Option<Timestamp>)], number: u32) -> usize {
        let cluster = |number: u32| {
            let (category, end) = described[number as usize];
            (category, end.map(Timestamp::day))
        };
        let of = |wanted| (1..=10u32).find(|number| condition(*number) == wanted).unwrap();
        let open = desk.engine.portfolio().open();
        open.filter(|position| cluster(of(position.condition)) == cluster(number)).count()
    }

    proptest! {
        /// Whatever happens, no entry breaks a limit of the skill model at the moment it is made.
        #[test]
        fn no_entry_breaks_a_limit(steps in prop::collection::vec(step(), 1..120)) {
            let limits = Limits::of(ConfidenceModel::Skill);
            let policy = Policy { daily_loss_limit: Usd::whole(700), ..rich(limits) };
            let mut desk = Desk::new(policy);
            let mut described = vec![("politics", Some(NOON.plus_micros(10 * Timestamp::DAY))); 11];
            for step in steps {
                match step {
                    Step::Describe { market, category, days } => {
                        // Far enough away for the market to be followed at all, and all on a few days.
                        let end = days.map(|days| desk.at.plus_micros(days * Timestamp::DAY + 3 * Timestamp::HOUR));
                        desk.describe(market, category, end);
                        described[market as usize] = (category, end);
                    }
                    Step::Follow { market } => {
                        // Another entry of the whale's, and the day is the one it is made on.
                        desk.at = desk.at.plus_micros(11 * Timestamp::MINUTE);
                        desk.run(EventKind::Tick);
                        let before = held(&desk, &described, market);
                        let lost = desk.engine.portfolio().day_loss();
                        let may_end = |of| (1u32..).zip(&described[1..]).any(|(number, (_, end))| {
                            condition(number) == of && end.is_none_or(|end| end.day() <= desk.at.day())
                        });
                        let at_risk = desk.engine.portfolio().at_risk(may_end);
                        let Ok(order) = desk.follow(market) else { continue };
                        let portfolio = desk.engine.portfolio();
                        let part = |percent: i64| Usd::from_micros(portfolio.bankroll().micros() / 100 * percent + 100);
                        prop_assert!(before < 2, "{before} of its cluster");
                        prop_assert!(order.most() <= part(5), "{order:?}");
                        prop_assert!(portfolio.exposure() <= part(25));
                        prop_assert!(order.most() <= Usd::whole(700) - lost - at_risk);
                    }
                    Step::Resolve { market, winner } => desk.resolve(market, winner),
                    Step::Mark { bid } => {
                        desk.bid = bid;
                        desk.run(EventKind::Tick);
                        desk.bid = "0.49";
                    }
                    Step::Wait { hours } => {
                        desk.at = desk.at.plus_micros(hours * Timestamp::HOUR);
                        desk.run(EventKind::Tick);
                    }
                }
            }
        }
    }
}
