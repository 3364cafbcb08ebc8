//! What keeps a candidate from being a signal beside its price: a record that may be luck, an entry that rested, a market
//! that is quiet, and a panic that is no panic.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "shared/desk.rs"]
mod desk;
mod shared;

use decision::portfolio::Holdings;
use decision::volume::Traded;
use decision::{Command, Engine, EventKind, FadePolicy, Filters, Last, Policy, Reason, Record};
use domain::{
    Book, ConfidenceModel, Fill, Level, Market, Oracle, Role, Shares, Side, SignalKind, Skill, Tick, Tier,
    Timestamp, Timing, TokenId, Usd, Verdict, Wallet,
};
use shared::{NOON, market, policy, price, token, trade, verdict, wallet};

/// An engine with two markets, whale 1 and the degens 20 to 29; a book at 0.49 and 0.50 for whatever is asked about.
struct Desk {
    engine: Engine,
    at: Timestamp,
    /// What each wallet holds of the token it is asked about.
    held: Box<dyn Fn(Wallet) -> Option<Shares>>,
}

impl Desk {
    fn new(policy: Policy) -> Self {
        let engine = Engine::new(policy, Holdings::default(), Last::default());
        let mut desk = Self { engine, at: NOON, held: Box::new(|_| None) };
        for number in 1..=2 {
            desk.run(EventKind::Market(market(number)));
        }
        let degens = (20..30).map(|number| verdict(number, 1.5, Tier::Degen));
        desk.run(EventKind::Scores(degens.chain([verdict(1, 8.0, Tier::Whale)]).collect()));
        desk
    }

    /// Tells the engine something, and answers all that it asks.
    fn run(&mut self, kind: EventKind) -> Vec<Record> {
        let Self { engine, at, held } = self;
        desk::run(engine, *at, kind, book, |_, command| {
            let Command::Holdings { wallet, token } = command else { panic!("nobody asks {command:?}") };
            let as_of = NOON.plus_micros(-Timestamp::HOUR);
            let told = |shares| EventKind::Holdings { wallet, token, as_of, held: vec![(token, shares)] };
            held(wallet).map(told).into_iter().collect()
        })
    }

    fn fill(&mut self, fill: Fill) -> Vec<Record> {
        self.run(EventKind::Fill { fill, block_time: self.at })
    }

    /// Whale 1 buys the first outcome of market 1 for $600.
    fn follow(&mut self) -> Vec<Record> {
        self.fill(trade(1, token(10), Side::Buy, 600, "0.50"))
    }

    /// Prints at 0.60, and twenty minutes later five degens sell 545 to 612 shares each, down to 0.49.
    fn panic(&mut self, others: &[Fill]) -> Vec<Record> {
        self.fill(trade(60, token(10), Side::Buy, 500, "0.60"));
        self.at = self.at.plus_micros(20 * Timestamp::MINUTE);
        for other in others {
            self.fill(*other);
        }
        let prices = ["0.57", "0.55", "0.53", "0.51", "0.49"];
        let sales = (20..25).zip(prices).map(|(seller, at)| trade(seller, token(10), Side::Sell, 300, at));
        sales.flat_map(|sale| self.fill(sale)).collect()
    }
}

fn book(token: TokenId) -> Book {
    let level = |text: &str| vec![Level { price: price(text), shares: Shares::whole(100_000) }];
    Book::new(token, NOON, Tick::CENT, level("0.49"), level("0.50"))
}

fn reason(records: &[Record]) -> Option<Reason> {
    records.iter().find_map(|record| match record {
        Record::Refusal(refusal) => Some(refusal.reason.clone()),
        _ => None,
    })
}

fn kinds(records: &[Record]) -> Vec<SignalKind> {
    let kind = |record: &Record| match record {
        Record::Signal(signal) => Some(signal.kind),
        _ => None,
    };
    records.iter().filter_map(kind).collect()
}

fn filtered(filters: Filters) -> Policy {
    Policy { filters, ..policy() }
}

/// The settings are those of the reference where nothing else is said.
#[test]
fn the_strategy_s_own_limits() {
    let filters = Filters::default();
    assert_eq!(
        (filters.min_skill_probability, filters.min_timed_entries, filters.min_timing),
        (0.9, 30, 1.0)
    );
    assert_eq!((filters.min_taker_part, filters.max_volume_part), (0.5, 0.5));
    assert_eq!(filters.min_volume, Usd::whole(10_000));
    let fade = FadePolicy::default();
    assert_eq!((fade.min_part_sold, fade.min_sell_share), (0.3, 0.6));
}

/// With skill as the model a record that may be luck is not followed; the score read literally does not ask.
#[test]
fn a_record_that_may_be_luck_is_not_followed() {
    let sure = verdict(1, 8.0, Tier::Whale);
    // Φ(1.25) is 0.894, Φ(1.3) is 0.903.
    let skilled = |kappa| Verdict { skill: Skill { kappa, standard_error: 0.1 }, ..sure };
    let timed =
        |observations, copyable, t| Verdict { timing: Some(Timing { observations, copyable, t }), ..sure };
    for (verdict, code) in [
        (skilled(0.125), Some("skill")),
        (skilled(0.13), None),
        (Verdict { timing: None, ..sure }, Some("timing")),
        (timed(29, 0.02, 3.0), Some("timing")),
        (timed(30, 0.02, 0.99), Some("timing")),
        (timed(30, -0.01, 1.5), Some("timing")),
        (timed(30, 0.001, 1.0), None),
    ] {
        for model in [ConfidenceModel::Skill, ConfidenceModel::Score] {
            let mut desk = Desk::new(Policy { confidence_model: model, ..policy() });
            desk.run(EventKind::Scores(vec![verdict]));
            let found = reason(&desk.follow()).map(|reason| reason.code());
            let is_record = found == Some("skill") || found == Some("timing");
            match model {
                ConfidenceModel::Skill if code.is_some() => assert_eq!(found, code, "{verdict:?}"),
                _ => assert!(!is_record, "{verdict:?}: {found:?}"),
            }
        }
    }
    // A least of nothing asks nothing.
    let lenient =
        Filters { min_timed_entries: 0, min_timing: 0.0, min_skill_probability: 0.0, ..policy().filters };
    let mut desk = Desk::new(Policy { confidence_model: ConfidenceModel::Skill, ..filtered(lenient) });
    desk.run(EventKind::Scores(vec![Verdict { timing: None, ..skilled(0.13) }]));
    assert_ne!(reason(&desk.follow()).map(|reason| reason.code()), Some("timing"));
}

/// Who rests in the book is met by chance: at least half of an entry must have taken what rested.
#[test]
fn an_entry_that_mostly_rested_is_not_followed() {
    let rests = |usd| Fill { role: Role::Maker, ..trade(1, token(10), Side::Buy, usd, "0.50") };
    let takes = |usd| trade(1, token(10), Side::Buy, usd, "0.50");
    let mut desk = Desk::new(policy());
    desk.fill(takes(250));
    let refused = reason(&desk.fill(rests(251))).unwrap();
    assert!(
        matches!(refused, Reason::Resting { part, minimum } if part < 0.5 && minimum == 0.5),
        "{refused}"
    );
    let mut desk = Desk::new(policy());
    // Who rests moves no dollars of his own; others trade as well.
    desk.fill(trade(60, token(11), Side::Sell, 1_000, "0.50"));
    desk.fill(rests(250));
    assert_eq!(kinds(&desk.fill(takes(250))), [SignalKind::FollowWhale]);
}

/// A market counts by what was seen of it in the last day, each match once; what came before the start counts as well.
#[test]
fn a_quiet_market_is_not_entered() {
    let quiet = || Desk::new(filtered(Filters::default()));
    let crowd = |usd| trade(60, token(11), Side::Sell, usd, "0.50");
    let mut desk = quiet();
    desk.fill(crowd(9_399));
    let refused = reason(&desk.follow()).unwrap();
    let (volume, minimum) = (Usd::whole(9_999), Usd::whole(10_000));
    assert_eq!(refused, Reason::Volume { volume, minimum });

    let mut desk = quiet();
    desk.fill(crowd(9_400));
    assert_eq!(kinds(&desk.follow()), [SignalKind::FollowWhale]);

    // The other side of a match is the same dollars.
    let mut desk = quiet();
    desk.fill(crowd(9_000));
    desk.fill(Fill { role: Role::Maker, ..crowd(9_000) });
    assert_eq!(reason(&desk.follow()).unwrap().code(), "volume");

    // A day later it has been quiet.
    let mut desk = quiet();
    desk.fill(crowd(50_000));
    desk.at = NOON.plus_micros(Timestamp::DAY);
    assert_eq!(reason(&desk.follow()).unwrap().code(), "volume");

    let mut desk = quiet();
    let (usd, shares) = (Usd::whole(9_400), Shares::whole(18_800));
    desk.engine.remember_volumes([Traded { token: token(10), at: NOON, usd, shares }]);
    assert_eq!(kinds(&desk.follow()), [SignalKind::FollowWhale]);
}

#[test]
fn an_entry_that_is_most_of_the_trading_is_not_followed() {
    let filters = Filters { min_volume: Usd::ZERO, ..Filters::default() };
    let crowd = |usd| trade(60, token(11), Side::Sell, usd, "0.50");
    let mut desk = Desk::new(filtered(filters));
    desk.fill(crowd(599));
    let refused = reason(&desk.follow()).unwrap();
    let (entry, volume) = (Usd::whole(600), Usd::whole(1_199));
    assert_eq!(refused, Reason::EntryOfVolume { entry, volume, maximum: 0.5 });
    let mut desk = Desk::new(filtered(filters));
    desk.fill(crowd(600));
    assert_eq!(kinds(&desk.follow()), [SignalKind::FollowWhale]);
}

/// Sixty percent of what is sold into bids must be theirs; who rests on the offer does not sell into them.
#[test]
fn a_panic_of_few_among_many_is_none() {
    let other = |usd| trade(61, token(10), Side::Sell, usd, "0.59");
    let mut desk = Desk::new(policy());
    let refused = reason(&desk.panic(&[other(1_001)])).unwrap();
    assert!(
        matches!(refused, Reason::SellShare { part, minimum } if part < 0.6 && minimum == 0.6),
        "{refused}"
    );
    let mut desk = Desk::new(policy());
    assert_eq!(kinds(&desk.panic(&[other(999)])), [SignalKind::FadeDegen]);
    let mut desk = Desk::new(policy());
    let rests = Fill { role: Role::Maker, ..other(5_000) };
    assert_eq!(kinds(&desk.panic(&[rests])), [SignalKind::FadeDegen]);
}

/// Who sells a little of a lot does not panic.
#[test]
fn sellers_that_keep_most_of_what_they_hold_make_no_panic() {
    let mut desk = Desk::new(policy());
    // Wallet 22 sells 566 of 2,000 shares, which is less than 30 %; the others all they have.
    desk.held = Box::new(|asked| Some(Shares::whole(if asked == wallet(22) { 2_000 } else { 600 })));
    let refused = reason(&desk.panic(&[])).unwrap();
    assert_eq!(refused, Reason::NoPanic { sellers: 4, minimum: 5, part: 0.3 });
    let mut desk = Desk::new(policy());
    desk.held = Box::new(|asked| Some(Shares::whole(if asked == wallet(22) { 1_800 } else { 600 })));
    assert_eq!(kinds(&desk.panic(&[])), [SignalKind::FadeDegen]);
}

/// Once a result is proposed, whoever sells may know it.
#[test]
fn selling_after_a_proposal_is_no_panic() {
    for (oracle, code) in
        [(Oracle::Proposed, "proposed"), (Oracle::Settled, "proposed"), (Oracle::Disputed, "disputed")]
    {
        let mut desk = Desk::new(policy());
        desk.run(EventKind::Market(Market { oracle: Some(oracle), ..market(1) }));
        assert_eq!(reason(&desk.panic(&[])).unwrap().code(), code);
    }
}

/// What was decided on is kept with the signal.
#[test]
fn a_signal_says_how_sure_its_company_was() {
    let mut desk = Desk::new(policy());
    desk.fill(trade(60, token(11), Side::Sell, 400, "0.50"));
    let records = desk.follow();
    let Some(Record::Signal(signal)) = records.iter().find(|record| matches!(record, Record::Signal(_)))
    else {
        panic!("{records:?}")
    };
    let appraisal = &signal.appraisal;
    assert!(appraisal.skill_probability > 0.999);
    assert_eq!((appraisal.timing_t, appraisal.part), (Some(3.0), 1.0));
    assert_eq!(appraisal.volume, Usd::whole(1_000));
}

/// What is left of the edge after all costs must be worth the trade: a cent, and one and a half percent of the cost.
#[test]
fn an_edge_that_is_hardly_one_is_refused() {
    let skill = |min_edge, min_edge_part| Policy {
        confidence_model: ConfidenceModel::Skill,
        min_confidence: 0.0,
        ..filtered(Filters { min_edge, min_edge_part, min_skill_probability: 0.0, ..policy().filters })
    };
    let followed = |policy: Policy, kappa: f64| {
        let mut desk = Desk::new(policy);
        let record = Skill { kappa, standard_error: 0.06 };
        desk.run(EventKind::Scores(vec![Verdict { skill: record, ..verdict(1, 8.0, Tier::Whale) }]));
        desk.follow()
    };
    let edge_of = |records: &[Record]| {
        records.iter().find_map(|record| match record {
            Record::Signal(signal) => {
                Some((signal.probability - signal.appraisal.cost, signal.appraisal.cost))
            }
            _ => None,
        })
    };
    let (edge, cost) = edge_of(&followed(skill(0.0, 0.0), 0.2)).unwrap();
    assert!(0.01 < edge && edge < 0.02, "{edge}");
    for (least, part) in [(edge, 0.0), (0.0, (edge - 1e-12) / cost)] {
        assert!(edge_of(&followed(skill(least, part), 0.2)).is_some(), "{least} {part}");
    }
    for (least, part) in [(edge + 1e-9, 0.0), (0.0, (edge + 1e-9) / cost)] {
        let refused = reason(&followed(skill(least, part), 0.2)).unwrap();
        let Reason::NoEdge { probability, cost: paid, minimum } = refused else { panic!("{refused}") };
        assert_eq!((probability - paid, paid), (edge, cost));
        assert!((minimum - edge - 1e-9).abs() < 1e-12, "{minimum}");
    }
    // Kelly asks for a hundredth of what a share can win, whatever else is asked.
    let refused = reason(&followed(skill(0.0, 0.0), 0.09)).unwrap();
    assert!(
        matches!(refused, Reason::NoEdge { minimum, .. } if (minimum - 0.00498).abs() < 1e-9),
        "{refused}"
    );
    // The score read literally does not ask.
    let literal = Policy { confidence_model: ConfidenceModel::Score, ..skill(0.9, 0.9) };
    assert!(edge_of(&followed(literal, 0.2)).is_some());
    let Filters { min_edge, min_edge_part, .. } = Filters::default();
    assert_eq!((min_edge, min_edge_part), (0.01, 0.015));
}
