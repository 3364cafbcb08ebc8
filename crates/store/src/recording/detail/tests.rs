//! What the engine was told is read as it was written.

use super::*;
use alloy_primitives::U256;
use domain::{ConditionId, TokenId, Wallet};

fn assert_kept(step: &Step) {
    let detail = written(step).unwrap();
    assert_eq!(&read(step.kind(), step.seq(), detail).ok().unwrap(), step);
}

#[test]
fn what_is_read_is_what_was_written() {
    let token = TokenId(U256::MAX);
    let (at, shares) = (Timestamp::from_micros(1_780_000_000_123_456), Shares::from_micros(7));
    assert_kept(&Step::Begun(Begun {
        seq: 9,
        mode: "live".to_owned(),
        policy: "00ff".to_owned(),
        last: (3, 4),
        killed: Some("by hand".to_owned()),
        wallet: Some(Wallet::default()),
        leads: vec![(3, shares)],
        ..Begun::default()
    }));
    assert_kept(&Step::Market(Market {
        condition: ConditionId::default(),
        title: "Will it rain? \"Maybe\"".to_owned(),
        slug: "rain".to_owned(),
        event: "weather".to_owned(),
        category: None,
        outcomes: vec!["Yes".to_owned(), "No".to_owned()],
        tokens: vec![token, TokenId::default()],
        neg_risk: true,
        place: Some(NegRiskPlace { market: ConditionId::default().0, question: 2, questions: Some(5) }),
        protocol_v2: false,
        tick: Tick::CENT,
        fee_rate_ppm: 70_000,
        end: Some(at),
        oracle: Some(Oracle::Disputed),
    }));
    let level = Level { price: Price::from_ppm(510_000).unwrap(), shares };
    // A crossed book, and one that a venue put in an order of its own, stay as they are.
    assert_kept(&Step::Book(Book {
        token,
        at,
        bids: vec![level, level],
        asks: vec![level],
        tick: Tick::CENT,
    }));
    assert_kept(&Step::SameBook { token, made: at });
    assert_kept(&Step::NoBook { token, says: "404".to_owned() });
    let held = vec![(token, shares)];
    assert_kept(&Step::Holdings { wallet: Wallet::default(), token, as_of: at, held });
    let said = Said { name: "chain".to_owned(), number: Some(-1), text: None };
    assert_kept(&Step::Guard(said.clone()));
    assert_kept(&Step::Control(Said { text: Some("why".to_owned()), ..said }));
}

#[test]
fn so_is_everything_a_venue_can_say() {
    let execution = Execution {
        trade: TradeId("t-1".to_owned()),
        shares: Shares::whole(3),
        usd: Usd::from_micros(-1),
        fee: Usd::ZERO,
    };
    let closings = [
        Closing::Matched,
        Closing::Killed,
        Closing::Cancelled,
        Closing::Expired,
        Closing::Rejected { reason: "no".to_owned() },
    ];
    let closed = closings.map(|why| OrderEvent::Closed { why, matched: Shares::whole(1) });
    let others = [
        OrderEvent::Accepted,
        OrderEvent::Filled(execution.clone()),
        OrderEvent::Corrected(execution),
        OrderEvent::Confirmed(TradeId("t-1".to_owned())),
        OrderEvent::Failed(TradeId("t-1".to_owned())),
    ];
    for what in closed.into_iter().chain(others) {
        assert_kept(&Step::Order(OrderNews { order: 5, at: Timestamp::from_micros(8), what }));
    }
}

#[test]
fn a_detail_that_somebody_else_wrote_is_an_error() {
    for (kind, detail) in
        [("book", "{}"), ("same_book", r#"{"token":"x","made":1}"#), ("weather", "{}"), ("order", "null")]
    {
        assert!(read(kind, None, detail.to_owned()).is_err(), "{kind} {detail}");
    }
}
