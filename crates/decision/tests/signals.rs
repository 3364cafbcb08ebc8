//! What becomes a signal: every filter trips with its numbers, panics stay shadows, and everything that was priced
//! is followed to its outcome.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod shared;

use decision::portfolio::Holdings;
use decision::{
    Case, Command, Engine, Event, EventKind, FadePolicy, Filters, Last, Outcome, Policy, Reason, Record,
    Refusal, venue,
};
use domain::{
    Appraisal, Book, ConfidenceModel, Figure, Fill, Level, Market, Payouts, Shares, Side, Signal, SignalKind,
    Skill, Tick, Tier, Timestamp, TokenId, Usd, Verdict,
};
use shared::nouns::condition;
use shared::{NOON, market, policy, price, token, verdict};

/// `who` trades `usd` dollars of a token at a price.
fn trade(who: u32, of: u32, side: Side, usd: i32, at: &str) -> Fill {
    shared::trade(who, token(of), side, usd, at)
}

const HOUR: i64 = Timestamp::HOUR;

fn book_of(of: u32, bid: &str, ask: &str, shares: i32) -> Book {
    let level = |text: &str| vec![Level { price: price(text), shares: Shares::whole(shares) }];
    Book::new(token(of), NOON, Tick::CENT, level(bid), level(ask))
}

fn book(number: u32, bid: &str, ask: &str) -> Book {
    book_of(10 * number, bid, ask, 100_000)
}

/// An engine with ten markets and the whales 1, 2 and 3.
struct Desk {
    engine: Engine,
    at: Timestamp,
    /// What the world answers when it is asked for holdings.
    held: Option<(Timestamp, Vec<(TokenId, Shares)>)>,
}

impl Desk {
    fn new(policy: Policy) -> Self {
        let mut desk =
            Self { engine: Engine::new(policy, Holdings::default(), Last::default()), at: NOON, held: None };
        for number in 1..=10 {
            desk.tell(EventKind::Market(market(number)));
        }
        let whales = (1..=3).map(|number| verdict(number, 8.0, Tier::Whale));
        let degens = (20..30).map(|number| verdict(number, 1.5, Tier::Degen));
        desk.tell(EventKind::Scores(whales.chain(degens).collect()));
        desk
    }

    fn tell(&mut self, kind: EventKind) -> Outcome {
        self.engine.step(&Event { at: self.at, kind })
    }

    fn fill(&mut self, fill: Fill) -> Outcome {
        self.tell(EventKind::Fill { fill, block_time: self.at })
    }

    /// A fill, and the answers to everything that the engine then asks.
    fn act(&mut self, fill: Fill, book: &Book) -> Vec<Record> {
        let outcome = self.fill(fill);
        let mut records = outcome.records;
        let mut commands = std::collections::VecDeque::from(outcome.commands);
        while let Some(command) = commands.pop_front() {
            let kinds = match command {
                Command::Holdings { wallet, token } => match self.held.clone() {
                    Some((as_of, held)) => vec![EventKind::Holdings { wallet, token, as_of, held }],
                    None => continue,
                },
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

    /// Whale 1 buys the first outcome of a market.
    fn follow(&mut self, number: u32, paid: &str, book: &Book) -> Vec<Record> {
        self.act(trade(1, 10 * number, Side::Buy, 600, paid), book)
    }

    /// Prints at 0.60, and twenty minutes later five degens sell a market down to 0.49.
    fn panic(&mut self, number: u32) -> Vec<Record> {
        self.fill(trade(60, 10 * number, Side::Buy, 500, "0.60"));
        self.at = self.at.plus_micros(20 * Timestamp::MINUTE);
        self.sell_off(number)
    }

    fn sell_off(&mut self, number: u32) -> Vec<Record> {
        let book = book(number, "0.49", "0.50");
        (20..25)
            .zip(["0.57", "0.55", "0.53", "0.51", "0.49"])
            .flat_map(|(seller, at)| self.act(trade(seller, 10 * number, Side::Sell, 300, at), &book))
            .collect()
    }

    fn resolve(&mut self, number: u32, winner: usize) -> Vec<Record> {
        let payouts = Payouts::winner(winner, 2).unwrap();
        self.tell(EventKind::Resolved { condition: condition(number), payouts }).records
    }
}

fn refusals(records: &[Record]) -> Vec<&Refusal> {
    records
        .iter()
        .filter_map(|record| match record {
            Record::Refusal(refusal) => Some(refusal),
            _ => None,
        })
        .collect()
}

fn signals(records: &[Record]) -> Vec<&Signal> {
    records
        .iter()
        .filter_map(|record| match record {
            Record::Signal(signal) => Some(&**signal),
            _ => None,
        })
        .collect()
}

/// The one refusal, and that it says in words and figures what decided.
fn reason(records: &[Record]) -> Reason {
    let [refusal] = refusals(records)[..] else { panic!("one refusal was expected: {records:#?}") };
    let (reason, text) = (&refusal.reason, refusal.reason.to_string());
    assert!(reason.figures().is_empty() || text.bytes().any(|byte| byte.is_ascii_digit()), "{text}");
    reason.clone()
}

fn filtered(filters: Filters) -> Policy {
    Policy { filters, ..policy() }
}

#[test]
fn a_whale_whose_score_slipped_is_not_followed() {
    let mut desk = Desk::new(policy());
    desk.tell(EventKind::Scores(vec![verdict(1, 6.8, Tier::Whale)]));
    let records = desk.follow(1, "0.50", &book(1, "0.49", "0.50"));
    assert_eq!(reason(&records), Reason::Score { score: 6.8, minimum: 7.0 });
    desk.tell(EventKind::Scores(vec![verdict(1, 6.8, Tier::Smart)]));
    assert_eq!(desk.fill(trade(1, 20, Side::Buy, 600, "0.50")), Outcome::default());
}

#[test]
fn prices_outside_the_band_are_refused() {
    let band = Filters { min_price: price("0.30"), max_price: price("0.70"), ..policy().filters };
    let mut desk = Desk::new(filtered(band));
    for (number, paid) in [(1, "0.29"), (2, "0.71")] {
        let refused = reason(&desk.fill(trade(1, 10 * number, Side::Buy, 600, paid)).records);
        let expected =
            Reason::PriceBand { price: price(paid), minimum: price("0.30"), maximum: price("0.70") };
        assert_eq!(refused, expected);
    }
    assert_eq!(signals(&desk.follow(3, "0.70", &book(3, "0.69", "0.70"))).len(), 1);
}

#[test]
fn markets_that_end_too_soon_or_too_late_are_refused() {
    let mut desk = Desk::new(policy());
    let ending = |number, left| Market { end: Some(NOON.plus_micros(left)), ..market(number) };
    for (number, left) in [(1u32, 2 * HOUR - 1), (2, -HOUR), (3, 30 * 24 * HOUR + 1), (4, 2 * HOUR)] {
        desk.tell(EventKind::Market(ending(number, left)));
    }
    let mut refused = |number: u32| reason(&desk.fill(trade(1, 10 * number, Side::Buy, 600, "0.50")).records);
    assert_eq!(refused(1), Reason::EndsSoon { left: 2 * HOUR - 1, minimum: 2 * HOUR });
    assert_eq!(refused(2), Reason::EndsSoon { left: -HOUR, minimum: 2 * HOUR });
    assert_eq!(refused(3), Reason::EndsLate { left: 30 * 24 * HOUR + 1, maximum: 30 * 24 * HOUR });
    assert_eq!(signals(&desk.follow(4, "0.50", &book(4, "0.49", "0.50"))).len(), 1);
}

/// Markets of minutes are refused, unless the policy wants them, and then their nearness does not refuse them.
#[test]
fn ultra_short_markets_are_a_matter_of_policy() {
    let short = Market {
        slug: "btc-updown-15m-1790000000".to_owned(),
        end: Some(NOON.plus_micros(10 * Timestamp::MINUTE)),
        ..market(1)
    };
    for wanted in [false, true] {
        let mut desk = Desk::new(filtered(Filters { ultra_short: wanted, ..policy().filters }));
        desk.tell(EventKind::Market(short.clone()));
        let records = desk.follow(1, "0.50", &book(1, "0.49", "0.50"));
        if wanted {
            assert_eq!(signals(&records).len(), 1);
        } else {
            assert_eq!(reason(&records), Reason::UltraShort);
        }
    }
}

#[test]
fn a_wide_book_is_refused() {
    let mut desk = Desk::new(policy());
    let records = desk.follow(1, "0.50", &book(1, "0.46", "0.50"));
    let (bid, ask, maximum) = (price("0.46"), price("0.50"), price("0.03"));
    assert_eq!(reason(&records), Reason::Spread { bid, ask, maximum });
    assert_eq!(signals(&desk.follow(2, "0.50", &book(2, "0.47", "0.50"))).len(), 1);
}

/// A stake is at most a third of what is on offer up to the limit; where the third is too little, none is taken.
#[test]
fn a_thin_book_cuts_the_stake_before_it_refuses() {
    let mut desk = Desk::new(policy());
    // 200 shares at 0.50: $100 on offer.
    let records = desk.follow(1, "0.50", &book_of(10, "0.49", "0.50", 200));
    assert_eq!(signals(&records)[0].stake, Usd::from_micros(33_333_333));
    assert_eq!(signals(&records)[0].appraisal.depth, Usd::whole(100));
    let records = desk.follow(2, "0.50", &book_of(20, "0.49", "0.50", 59));
    let (depth, needed) = (Usd::from_micros(29_500_000), Usd::whole(30));
    assert_eq!(reason(&records), Reason::Depth { depth, needed });
}

#[test]
fn a_market_that_ran_away_is_refused() {
    let mut desk = Desk::new(policy());
    // The limit, 5 % above 0.72, would allow it; the run-up does not.
    let records = desk.follow(1, "0.72", &book(1, "0.74", "0.76"));
    let (whale, mid, maximum) = (price("0.72"), price("0.75"), price("0.02"));
    assert_eq!(reason(&records), Reason::RunUp { whale, mid, maximum });
    assert_eq!(signals(&desk.follow(2, "0.72", &book(2, "0.73", "0.75"))).len(), 1);
}

#[test]
fn a_fill_that_is_known_late_is_refused() {
    let mut desk = Desk::new(Policy { max_signal_age: 5_000_000, ..policy() });
    let block_time = desk.at.plus_micros(-5_000_001);
    let fill = trade(1, 10, Side::Buy, 600, "0.50");
    let records = desk.tell(EventKind::Fill { fill, block_time }).records;
    assert_eq!(reason(&records), Reason::Stale { age: 5_000_001, limit: 5_000_000 });
}

/// Whoever holds the other outcome and buys this one closes a bet. What the world knows may be older than the entry,
/// or already hold it: the answer is the same.
#[test]
fn a_whale_that_closes_a_short_is_not_followed() {
    let held = |yes: i32, no: i32| vec![(token(10), Shares::whole(yes)), (token(11), Shares::whole(no))];
    let before = NOON.plus_micros(-HOUR);
    // 1,200 shares are bought. Known before the entry, and after it.
    for told in [(before, held(0, 5_000)), (NOON, held(1_200, 5_000))] {
        let mut desk = Desk::new(policy());
        desk.held = Some(told);
        let records = desk.follow(1, "0.50", &book(1, "0.49", "0.50"));
        let (before, after) = (Shares::whole(-5_000), Shares::whole(-3_800));
        assert_eq!(reason(&records), Reason::Closing { before, after });
    }
    // More than closed: a new bet, though smaller than the old one; and one larger than it.
    for (no, is_followed) in [(1_100, false), (600, true), (0, true)] {
        let mut desk = Desk::new(policy());
        desk.held = Some((before, held(0, no)));
        let records = desk.follow(1, "0.50", &book(1, "0.49", "0.50"));
        assert_eq!(signals(&records).len(), usize::from(is_followed), "{no}");
    }
}

/// Nobody told what the wallet held; what was seen of it is enough.
#[test]
fn a_whale_that_sells_what_it_buys_is_not_followed() {
    let mut desk = Desk::new(policy());
    desk.fill(trade(1, 10, Side::Buy, 400, "0.50"));
    desk.fill(trade(1, 10, Side::Sell, 700, "0.50"));
    let records = desk.follow(1, "0.50", &book(1, "0.49", "0.50"));
    assert_eq!(signals(&records).len(), 1, "2,000 bought and 1,400 sold: a bet of 600 is opened");
    let mut desk = Desk::new(policy());
    desk.fill(trade(1, 10, Side::Buy, 400, "0.50"));
    desk.fill(trade(1, 10, Side::Sell, 1_100, "0.50"));
    let records = desk.follow(1, "0.50", &book(1, "0.49", "0.50"));
    let (before, after) = (Shares::ZERO, Shares::whole(-200));
    assert_eq!(reason(&records), Reason::Closing { before, after });
}

#[test]
fn whales_that_disagree_are_not_followed() {
    let mut desk = Desk::new(policy());
    // Whale 2 on the other outcome: $330 against $600 is just above 35 %.
    desk.fill(trade(2, 11, Side::Buy, 330, "0.50"));
    let records = desk.follow(1, "0.50", &book(1, "0.49", "0.50"));
    let (with, against) = (Usd::whole(600), Usd::whole(330));
    let Reason::Conflict { with: found, against: other, opposed, maximum } = reason(&records) else {
        panic!("{records:#?}")
    };
    assert_eq!((found, other, maximum), (with, against, 0.35));
    assert!((opposed - 330.0 / 930.0).abs() < 1e-9);
    // Less than that, nobody's, or longer ago than the window is no conflict.
    desk.fill(trade(2, 21, Side::Buy, 300, "0.50"));
    assert_eq!(signals(&desk.follow(2, "0.50", &book(2, "0.49", "0.50"))).len(), 1);
    desk.fill(trade(77, 31, Side::Buy, 9_000, "0.50"));
    assert_eq!(signals(&desk.follow(3, "0.50", &book(3, "0.49", "0.50"))).len(), 1);
    desk.fill(trade(2, 41, Side::Buy, 9_000, "0.50"));
    desk.at = desk.at.plus_micros(6 * HOUR);
    desk.fill(trade(78, 40, Side::Buy, 100, "0.50"));
    assert_eq!(reason(&desk.follow(4, "0.50", &book(4, "0.49", "0.50"))).code(), "conflict");
    desk.at = desk.at.plus_micros(11 * Timestamp::MINUTE);
    assert_eq!(signals(&desk.follow(4, "0.50", &book(4, "0.49", "0.50"))).len(), 1);
}

/// A whale's dollars weigh as much as it knows: of one without an edge they say nothing, but there must not be more of them
/// against the candidate than with it.
#[test]
fn whales_weigh_what_they_know() {
    let knows = |number, kappa| Verdict {
        skill: Skill { kappa, standard_error: 0.06 },
        ..verdict(number, 8.0, Tier::Whale)
    };
    for (kappa, usd, is_refused) in [
        (0.60, 323, false),
        (0.60, 324, true),
        (0.30, 599, false),
        (0.20, 599, false),
        (1.20, 161, false),
        (1.20, 162, true),
        (-0.10, 599, false),
        (-0.10, 600, true),
    ] {
        let mut desk = Desk::new(policy());
        desk.tell(EventKind::Scores(vec![knows(2, kappa)]));
        desk.fill(trade(2, 11, Side::Buy, usd, "0.50"));
        let records = desk.follow(1, "0.50", &book(1, "0.49", "0.50"));
        let found = refusals(&records).iter().any(|refusal| refusal.reason.code() == "conflict");
        assert_eq!(found, is_refused, "{kappa} {usd}");
        let appraisals = signals(&records).into_iter().map(|signal| Some(&signal.appraisal));
        let refused = refusals(&records).into_iter().map(|refusal| refusal.appraisal.as_ref());
        let seen = appraisals.chain(refused).flatten().next().unwrap();
        let against = kappa.max(0.0) * f64::from(usd);
        assert!((seen.whales_opposed - against / (0.6 * 600.0 + against)).abs() < 1e-9);
    }
    // Where all of it may be against the candidate, nobody asks.
    let careless = Filters { max_opposed: 1.0, ..policy().filters };
    let mut desk = Desk::new(filtered(careless));
    desk.fill(trade(2, 11, Side::Buy, 60_000, "0.50"));
    assert_eq!(signals(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))).len(), 1);
}

/// What was known of whales before a restart is told to the engine again, as far back as it asks.
#[test]
fn a_restart_forgets_no_whale_that_disagrees() {
    let old = |whales: &mut Desk| whales.at.plus_micros(-5 * HOUR);
    let mut desk = Desk::new(policy());
    let at = old(&mut desk);
    desk.engine.remember_flow(&trade(2, 11, Side::Buy, 900, "0.50"), at);
    desk.engine.remember_flow(&trade(77, 21, Side::Buy, 900, "0.50"), at);
    assert_eq!(reason(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))).code(), "conflict");
    assert_eq!(signals(&desk.follow(2, "0.50", &book(2, "0.49", "0.50"))).len(), 1, "that was no whale");
    assert!(desk.engine.of_standing().into_iter().eq([1, 2, 3].map(shared::wallet)));
    let kept = desk.engine.flows_kept();
    assert_eq!(kept, 6 * HOUR + policy().max_signal_age);
}

/// What lies between the trades that are told of all and the last trade of a token is not left out, where that was some
/// time before the restart.
#[test]
fn a_restart_leaves_no_gap_before_what_it_is_told_of_all() {
    let mut desk = Desk::new(policy());
    let before = |minutes: i64| desk.at.plus_micros(-minutes * Timestamp::MINUTE);
    let (since, disagreed, traded) = (before(75), before(100), before(60));
    desk.engine.remember_from(since);
    desk.engine.remember_flow(&trade(2, 11, Side::Buy, 900, "0.50"), disagreed);
    desk.engine.remember(&trade(77, 11, Side::Buy, 5, "0.50"), traded);
    assert_eq!(reason(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))).code(), "conflict");
}

/// A whale that slipped is not followed, but what it does still counts against another.
#[test]
fn a_slipped_whale_still_disagrees() {
    let mut desk = Desk::new(policy());
    desk.tell(EventKind::Scores(vec![verdict(2, 6.6, Tier::Whale)]));
    desk.fill(trade(2, 10, Side::Sell, 900, "0.50"));
    let records = desk.follow(1, "0.50", &book(1, "0.49", "0.50"));
    assert_eq!(reason(&records).code(), "conflict");
}

#[test]
fn one_position_an_event_is_kept() {
    let mut desk = Desk::new(policy());
    desk.tell(EventKind::Market(Market { event: "event-1".to_owned(), ..market(2) }));
    assert!(refusals(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))).is_empty());
    let records = desk.act(trade(1, 20, Side::Buy, 600, "0.50"), &book(2, "0.49", "0.50"));
    assert_eq!(reason(&records), Reason::EventHeld);
}

/// However many fills an entry has, however often it is asked about, it is one signal.
#[test]
fn one_signal_an_episode() {
    let mut desk = Desk::new(policy());
    let mut raised = 0;
    for _ in 0..40 {
        desk.at = desk.at.plus_micros(Timestamp::MINUTE);
        raised += signals(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))).len();
    }
    assert_eq!(raised, 1);
    desk.at = desk.at.plus_micros(11 * Timestamp::MINUTE);
    assert_eq!(signals(&desk.follow(1, "0.50", &book(1, "0.49", "0.50"))).len(), 1, "another entry");
}

#[test]
fn a_panic_is_a_shadow_until_it_is_allowed_to_be_more() {
    let mut desk = Desk::new(policy());
    let records = desk.panic(1);
    let raised = signals(&records);
    assert_eq!((raised.len(), raised[0].kind, raised[0].wallets), (1, SignalKind::FadeDegen, 5));
    assert!(raised[0].shadow && raised[0].stake.is_positive());
    assert!(
        !records.iter().any(|record| matches!(record, Record::Order(_) | Record::Refusal(_))),
        "{records:#?}"
    );
    assert_eq!(desk.engine.portfolio().slots_taken(), 0);
    // It is followed to its outcome all the same.
    let outcome = desk.resolve(1, 0);
    let expected =
        Record::Outcome { condition: condition(1), payouts: Payouts::winner(0, 2).unwrap(), at: desk.at };
    assert_eq!(outcome, [expected]);

    let live = FadePolicy { live: true, ..policy().fade };
    let records = Desk::new(Policy { fade: live, ..policy() }).panic(1);
    assert!(records.iter().any(|record| matches!(record, Record::Order(_))), "{records:#?}");
}

#[test]
fn whales_that_sell_too_make_no_panic() {
    let mut desk = Desk::new(policy());
    desk.fill(trade(60, 10, Side::Buy, 500, "0.60"));
    desk.at = desk.at.plus_micros(20 * Timestamp::MINUTE);
    desk.fill(trade(3, 10, Side::Sell, 80, "0.58"));
    assert_eq!(reason(&desk.sell_off(1)), Reason::WhaleSelling { sold: Usd::whole(80) });
    // Buying the other outcome is the same.
    let mut desk = Desk::new(policy());
    desk.fill(trade(60, 10, Side::Buy, 500, "0.60"));
    desk.at = desk.at.plus_micros(20 * Timestamp::MINUTE);
    desk.fill(trade(3, 11, Side::Buy, 80, "0.42"));
    assert_eq!(reason(&desk.sell_off(1)), Reason::WhaleSelling { sold: Usd::whole(80) });
}

#[test]
fn siblings_that_moved_too_make_it_news() {
    for (sibling_now, is_news) in [("0.34", true), ("0.31", false)] {
        let mut desk = Desk::new(policy());
        desk.tell(EventKind::Market(Market { event: "event-1".to_owned(), ..market(2) }));
        desk.fill(trade(60, 10, Side::Buy, 500, "0.60"));
        desk.fill(trade(61, 20, Side::Buy, 500, "0.30"));
        desk.at = desk.at.plus_micros(20 * Timestamp::MINUTE);
        desk.fill(trade(61, 20, Side::Buy, 500, sibling_now));
        let records = desk.sell_off(1);
        if is_news {
            let Reason::News { sibling, moved, maximum } = reason(&records) else { panic!("{records:#?}") };
            assert_eq!((sibling, maximum), (condition(2), price("0.03")));
            assert!((moved - 0.04).abs() < 1e-6);
        } else {
            assert_eq!(signals(&records).len(), 1);
        }
    }
}

#[test]
fn a_panic_needs_more_time_than_a_whale() {
    let mut desk = Desk::new(policy());
    desk.tell(EventKind::Market(Market { end: Some(NOON.plus_micros(6 * HOUR)), ..market(1) }));
    let left = 6 * HOUR - 20 * Timestamp::MINUTE;
    assert_eq!(reason(&desk.panic(1)), Reason::EndsSoon { left, minimum: 6 * HOUR });
}

/// A signal says what it was decided on.
#[test]
fn a_signal_keeps_everything_it_was_decided_on() {
    let mut desk = Desk::new(Policy { confidence_model: ConfidenceModel::Skill, ..policy() });
    desk.tell(EventKind::Market(Market { fee_rate_ppm: 20_000, ..market(1) }));
    desk.held = Some((NOON.plus_micros(-HOUR), vec![(token(10), Shares::whole(70))]));
    let asks = [("0.50", 1_000), ("0.51", 500)]
        .map(|(text, shares)| Level { price: price(text), shares: Shares::whole(shares) });
    let bids = vec![Level { price: price("0.49"), shares: Shares::whole(900) }];
    let book = Book::new(token(10), NOON, Tick::CENT, bids.clone(), asks.to_vec());
    desk.fill(trade(2, 10, Side::Buy, 250, "0.50"));
    let records = desk.follow(1, "0.50", &book);
    let signal = signals(&records)[0];
    let Appraisal { bids: seen, asks: offered, depth, cost, error, probability, .. } = &*signal.appraisal;
    assert_eq!((seen, offered), (&bids, &asks.to_vec()));
    assert_eq!(*depth, Usd::whole(755));
    // Price, fee (0.02 · 0.25) and what is lost until the order arrives.
    assert!((cost - (0.5 + 0.005 + 0.002)).abs() < 1e-9, "{cost}");
    // Two whales agree, which is a wider guess.
    assert!(0.0 < *error && *error < 0.08 && *probability == signal.probability);
    assert_eq!(signal.appraisal.held_before, Some(Shares::whole(70)));
    assert_eq!(signal.appraisal.whales_with, Usd::whole(850));
    assert_eq!(signal.appraisal.coefficient.events, 0);
    let under = Policy { confidence_model: ConfidenceModel::Skill, ..policy() };
    assert_eq!(signal.appraisal.policy, under.digest());
    assert_ne!(under.digest(), policy().digest());
}

/// What is refused after it was priced is kept as it was, for its outcome teaches as well.
#[test]
fn a_refusal_with_a_price_keeps_what_it_looked_like() {
    let mut desk = Desk::new(Policy { min_confidence: 0.99, ..policy() });
    let records = desk.follow(1, "0.50", &book(1, "0.49", "0.50"));
    let [refusal] = refusals(&records)[..] else { panic!("{records:#?}") };
    assert_eq!(refusal.reason.figures()[1], ("minimum", Figure::Number(0.99)));
    assert_eq!(refusal.appraisal.as_ref().unwrap().condition, condition(1));
    assert!(matches!(desk.resolve(1, 1).as_slice(), [Record::Outcome { .. }]));
    let unpriced = desk.fill(trade(1, 20, Side::Buy, 600, "0.95"));
    assert_eq!(refusals(&unpriced.records)[0].appraisal, None);
    assert_eq!(desk.resolve(2, 0), [], "what was never priced has no outcome");
}

/// Outcomes of a day teach from the next on, whether their signals were taken or not, and a restart forgets none.
#[test]
fn confidence_is_learned_from_the_next_day_on() {
    let skill = Policy { confidence_model: ConfidenceModel::Skill, min_confidence: 0.999, ..policy() };
    let mut desk = Desk::new(skill.clone());
    let mut cases = vec![];
    for number in 1..=10 {
        let records = desk.follow(number, "0.50", &book(number, "0.49", "0.50"));
        let [refusal] = refusals(&records)[..] else { panic!("{records:#?}") };
        assert_eq!(refusal.appraisal.as_ref().unwrap().coefficient.events, 0);
        cases.push(Case::of(refusal.kind, refusal.at, refusal.appraisal.as_ref().unwrap()));
    }
    for number in 1..=9 {
        desk.resolve(number, 1);
    }
    let learned = |desk: &mut Desk| {
        desk.tell(EventKind::Market(market(11)));
        let records = desk.follow(11, "0.50", &book(11, "0.49", "0.50"));
        refusals(&records)[0].appraisal.clone().unwrap().coefficient
    };
    assert_eq!(learned(&mut desk).events, 0, "not on the same day");

    let mut restarted = Desk::new(skill);
    for case in &cases[..9] {
        let (case, learned) = (case.clone(), NOON);
        restarted.engine.remember_outcome(decision::experience::Known { case, payoff: 0.0, learned });
    }
    restarted.engine.remember_case(cases[9].clone());
    for desk in [&mut desk, &mut restarted] {
        desk.at = NOON.plus_micros(Timestamp::DAY);
    }
    let coefficient = learned(&mut desk);
    assert_eq!(coefficient.events, 9);
    assert!(coefficient.mean < 0.25 && coefficient.deviation < 0.15, "{coefficient:?}");
    assert_eq!(learned(&mut restarted), coefficient);
}
