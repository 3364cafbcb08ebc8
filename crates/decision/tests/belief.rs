//! What a candidate is believed to be worth, from what the engine was told: what prices are worth, what the wallet
//! usually stakes, and who else bought.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod shared;

use std::collections::BTreeMap;

use decision::experience::Known;
use decision::portfolio::Holdings;
use decision::{Bet, Case, Command, Engine, Event, EventKind, Guards, Last, Outcome, Policy, Record};
use domain::{
    Appraisal, Book, Category, ConfidenceModel, Fill, Horizon, Level, Market, PriceMap, Shares, Side,
    SignalKind, Skill, Tick, Tier, Timestamp, Usd, Verdict,
};
use shared::nouns::condition;
use shared::{NOON, market, policy, price, token, trade, verdict};

/// An engine that judges by skill, with ten markets, the whales 1, 2 and 3, and wallets that panic.
struct Desk {
    engine: Engine,
    at: Timestamp,
}

impl Desk {
    fn new() -> Self {
        let policy = Policy { confidence_model: ConfidenceModel::Skill, ..policy() };
        let mut desk = Self { engine: Engine::new(policy, Holdings::default(), Last::default()), at: NOON };
        for number in 1..=10 {
            desk.tell(EventKind::Market(Market { category: Some("Sports".into()), ..market(number) }));
        }
        let whales = (1..=3).map(modest);
        let degens = (20..30).map(|number| verdict(number, 1.5, Tier::Degen));
        desk.tell(EventKind::Scores(whales.chain(degens).collect()));
        desk
    }

    fn tell(&mut self, kind: EventKind) -> Outcome {
        self.engine.step(&Event { at: self.at, kind })
    }

    /// What a candidate looked like that this fill made; `None` where it made none.
    fn judge(&mut self, fill: Fill, book: &Book) -> Option<Appraisal> {
        let outcome = self.tell(EventKind::Fill { fill, block_time: self.at });
        let asked = outcome.commands.iter().any(|command| matches!(command, Command::Quote(_)));
        let records = asked.then(|| self.tell(EventKind::Book(book.clone())).records)?;
        records.into_iter().find_map(|record| match record {
            Record::Signal(signal) => Some(*signal.appraisal),
            Record::Refusal(refusal) => refusal.appraisal.map(|appraisal| *appraisal),
            _ => None,
        })
    }

    /// What whale 1 makes a market's first outcome look like.
    fn follow(&mut self, number: u32) -> Appraisal {
        self.judge(trade(1, token(10 * number), Side::Buy, 600, "0.50"), &book(number)).unwrap()
    }
}

/// A whale whose edge is small enough that no cap cuts the belief in it.
fn modest(number: u32) -> Verdict {
    Verdict { skill: Skill { kappa: 0.20, standard_error: 0.04 }, ..verdict(number, 8.0, Tier::Whale) }
}

/// A book around 0.50.
fn book(number: u32) -> Book {
    let level = |text: &str| vec![Level { price: price(text), shares: Shares::whole(100_000) }];
    Book::new(token(10 * number), NOON, Tick::CENT, level("0.49"), level("0.51"))
}

/// Prices of a category are worth a cent less, or more, at a horizon.
fn shifted(horizon: Horizon, shift: f64) -> EventKind {
    EventKind::Prices(PriceMap::new([((Category::Sports, horizon), [shift; PriceMap::BINS])]))
}

fn horizon_of(market: &Market) -> Horizon {
    Horizon::of(NOON, market.end)
}

#[test]
fn a_belief_starts_from_what_the_price_is_worth() {
    let mut desk = Desk::new();
    let horizon = horizon_of(&market(1));
    let plain = desk.follow(1);
    assert!((plain.fair_price - 0.50).abs() < 1e-12, "nothing is learned of prices yet");
    desk.tell(shifted(horizon, -0.01));
    let dearer = desk.follow(2);
    assert_eq!(dearer.market_price, plain.market_price);
    assert!((dearer.fair_price - 0.49).abs() < 1e-12);
    // All of it is a cent lower: where it starts, and the most it may differ from there.
    assert!((plain.probability - dearer.probability - 0.01).abs() < 1e-3);
    desk.tell(EventKind::Scores(vec![verdict(1, 8.0, Tier::Whale)]));
    assert!(
        (desk.follow(4).probability - 0.55).abs() < 1e-9,
        "at most six cents above what the price is worth"
    );
    let elsewhere = Horizon::ALL.into_iter().find(|other| *other != horizon).unwrap();
    desk.tell(shifted(elsewhere, -0.03));
    assert!(
        (desk.follow(3).fair_price - 0.50).abs() < 1e-12,
        "the last map holds, and for its horizon alone"
    );
}

#[test]
fn what_else_is_seen_of_a_bet_is_kept_and_counts() {
    let mut desk = Desk::new();
    let usual = desk.follow(1);
    assert_eq!((usual.median_cost, usual.size), (Some(Usd::whole(600)), Some(1.0)));
    let buy = |usd| trade(1, token(20), Side::Buy, usd, "0.50");
    let large = desk.judge(buy(6_000), &book(2)).unwrap();
    assert_eq!(large.size, Some(10.0));
    assert!(usual.error < large.error && (usual.probability - large.probability).abs() < 1e-12);
    // The middle stands a cent above what the whale paid: half of it is lost, before anything is learned.
    let late = desk.judge(trade(1, token(30), Side::Buy, 600, "0.49"), &book(3)).unwrap();
    assert!((late.run_up - 0.01).abs() < 1e-12 && late.probability < usual.probability);
    // Of whom nobody knows what they usually stake, size says nothing.
    desk.tell(EventKind::Scores(vec![Verdict { median_cost: None, ..modest(1) }]));
    let unknown = desk.judge(trade(1, token(40), Side::Buy, 6_000, "0.50"), &book(4)).unwrap();
    assert_eq!((unknown.median_cost, unknown.size), (None, None));
    assert!((unknown.error - usual.error).abs() < 1e-12);
}

/// An entry is worth a look from the larger of two thresholds on: of dollars, and of what is usual for the wallet.
#[test]
fn an_entry_that_is_little_for_its_wallet_is_not_looked_at() {
    let mut desk = Desk::new();
    let rich = Verdict { median_cost: Some(Usd::whole(4_000)), ..modest(1) };
    let careful = Verdict { median_cost: Some(Usd::whole(40)), ..modest(2) };
    desk.tell(EventKind::Scores(vec![rich, careful, Verdict { median_cost: None, ..modest(3) }]));
    let mut buy = |who, number: u32, usd| {
        desk.judge(trade(who, token(10 * number), Side::Buy, usd, "0.50"), &book(number)).is_some()
    };
    assert!(!buy(1, 1, 1_999) && buy(1, 2, 2_000));
    assert!(buy(1, 1, 1), "fills of one entry add up");
    assert!(!buy(2, 3, 499) && buy(2, 4, 500), "the smaller threshold does not count");
    assert!(!buy(3, 5, 499) && buy(3, 6, 500), "nor does what nobody knows");
}

/// What outcomes taught holds for the next day's bets, each term by itself, and what is told again teaches the same.
#[test]
fn outcomes_teach_each_term() {
    let case = |number: u32, part: f64, size: f64, run_up: f64| {
        let bet = Bet { fair: 0.5, skill: modest(1).skill, part, size: Some(size), run_up };
        Case {
            at: NOON,
            kind: SignalKind::FollowWhale,
            condition: condition(number),
            event: format!("event-{number}"),
            outcome: 0,
            fair: 0.5,
            terms: Case::terms(SignalKind::FollowWhale, &bet, 0.0),
        }
    };
    // Large bets paid and small ones did not; those whose price ran away lost.
    let known = (1..=400u32).map(|number| {
        let (is_large, is_late) = (number % 2 == 0, number % 5 == 0);
        let case = case(number, 1.0, if is_large { 4.0 } else { 0.25 }, if is_late { 0.02 } else { 0.0 });
        Known { case, payoff: f64::from(u8::from(is_large && !is_late)), learned: NOON }
    });
    let mut desk = Desk::new();
    for known in known {
        desk.engine.remember_outcome(known);
    }
    let before = desk.follow(1).further.unwrap();
    assert_eq!((before.size.mean, before.size.events), (0.0, 0), "not on the same day");
    desk.at = desk.at.plus_micros(Timestamp::DAY);
    let appraisal = desk.follow(2);
    let learned = appraisal.further.unwrap();
    assert_eq!(learned.size.events, 400);
    assert!(0.1 < learned.size.mean && learned.size.deviation < before.size.deviation);
    assert!(before.run_up.mean < learned.run_up.mean);
    assert!(appraisal.coefficient.deviation < 0.15);
}

#[test]
fn a_panic_is_measured_from_what_the_price_is_worth() {
    let panic = |shift: f64| {
        let mut desk = Desk::new();
        desk.tell(shifted(horizon_of(&market(1)), shift));
        desk.judge(trade(60, token(10), Side::Buy, 500, "0.60"), &book(1));
        desk.at = desk.at.plus_micros(20 * Timestamp::MINUTE);
        let sold = (20..25).zip(["0.57", "0.55", "0.53", "0.51", "0.49"]);
        let judged =
            sold.filter_map(|(who, at)| desk.judge(trade(who, token(10), Side::Sell, 300, at), &book(1)));
        judged.last().unwrap()
    };
    let (plain, richer) = (panic(0.0), panic(0.02));
    assert!((richer.fair_price - 0.52).abs() < 1e-12 && (plain.fair_price - 0.50).abs() < 1e-12);
    assert!((richer.probability - plain.probability - 0.02).abs() < 1e-9);
    assert!(
        (plain.probability - 0.50 - 0.10 * plain.drop).abs() < 1e-9,
        "and a tenth of the drop comes back"
    );
}

/// Copyable WHALE and SMART wallets that bought the same in the last six hours make one belief, of which the candidate's own
/// is the first; who sold again, bought long ago, must not be copied or is of no standing says nothing.
#[test]
fn who_bought_the_same_agrees() {
    let of =
        |number, tier| Verdict { skill: Skill { kappa: 0.14, standard_error: 0.03 }, tier, ..modest(number) };
    let rated = || {
        let mut desk = Desk::new();
        let smart = (4..=6).map(|number| Verdict { score: 6.0, ..of(number, Tier::Smart) });
        let barred = Verdict { is_copyable: false, ..of(7, Tier::Smart) };
        let average = Verdict { score: 5.0, ..of(8, Tier::Average) };
        desk.tell(EventKind::Scores(smart.chain([barred, average]).collect()));
        desk
    };
    let mut desk = rated();
    let alone = desk.follow(1);
    assert_eq!((alone.backers, alone.consensus), (1, modest(1).skill));

    let mut desk = rated();
    let trades =
        |desk: &mut Desk, who, side, usd| desk.judge(trade(who, token(10), side, usd, "0.50"), &book(1));
    trades(&mut desk, 4, Side::Buy, 100);
    trades(&mut desk, 5, Side::Buy, 100);
    trades(&mut desk, 5, Side::Sell, 100);
    trades(&mut desk, 7, Side::Buy, 100);
    trades(&mut desk, 8, Side::Buy, 100);
    desk.judge(trade(6, token(11), Side::Buy, 100, "0.50"), &book(1));
    desk.at = desk.at.plus_micros(5 * Timestamp::HOUR);
    let agreed = desk.follow(1);
    assert_eq!(agreed.backers, 2, "number 4 alone is with it");
    assert!((agreed.consensus.kappa - (0.20 + 0.14) / 1.7).abs() < 1e-12);
    assert!((agreed.consensus.standard_error - 0.05 / 1.7).abs() < 1e-12);
    assert_eq!((agreed.kappa, agreed.kappa_error), (0.20, 0.04), "its own is kept beside it");
    // Two errors that are independent say more than one.
    assert!(agreed.error < alone.error);
    // What outcomes teach is learned from what was believed, which is that of all.
    let terms = Case::of(SignalKind::FollowWhale, NOON, &agreed).terms;
    assert!((terms[0] - 0.34 / 1.7 / 0.5).abs() < 1e-12);

    let mut late = rated();
    trades(&mut late, 4, Side::Buy, 100);
    late.at = late.at.plus_micros(6 * Timestamp::HOUR + 1);
    assert_eq!(late.follow(1).backers, 1);
    // Nor does who has lost its standing since.
    let mut fallen = rated();
    trades(&mut fallen, 4, Side::Buy, 100);
    fallen.tell(EventKind::Scores(vec![Verdict { score: 5.0, ..of(4, Tier::Average) }]));
    assert_eq!(fallen.follow(1).backers, 1);
}

/// A process that takes up the work is told who bought in the hours before, and believes the same.
#[test]
fn a_restart_remembers_who_bought() {
    let mut desk = Desk::new();
    let bought = trade(2, token(10), Side::Buy, 100, "0.50");
    let begun = desk.at;
    desk.judge(bought, &book(1));
    desk.at = desk.at.plus_micros(3 * Timestamp::HOUR);
    let mut again =
        Desk { engine: desk.engine.clone().restarted(Guards::default(), &BTreeMap::new()), at: desk.at };
    assert!(again.engine.of_standing().contains(&bought.wallet));
    again.engine.remember_flow(&bought, begun);
    let (before, after) = (desk.follow(1), again.follow(1));
    assert_eq!((before.backers, before), (2, after));
}
