//! Listings and records of an order, in any order.

use super::*;
use alloy_primitives::U256;
use domain::{ConditionId, Purpose, Side, Size, TokenId, Usd};
use polymarket::trading::TradeLeg;

const HASH: B256 = B256::repeat_byte(1);
const SOON: Duration = Duration::from_secs(3);
const AT: Timestamp = Timestamp::from_micros(0);

pub(super) fn tracked() -> Tracked {
    let order = Order {
        id: 1,
        position: 1,
        at: AT,
        condition: ConditionId::default(),
        event: String::new(),
        token: TokenId(U256::from(7)),
        outcome: 0,
        limit: "0.7".parse().unwrap(),
        size: Size::Spend(Usd::whole(100)),
        force: TimeInForce::Fak,
        purpose: Purpose::Enter,
        fee_rate_ppm: 0,
    };
    let body = r#"{"order":{"makerAmount":"1","takerAmount":"1","expiration":"0"}}"#;
    Tracked::new(order, SignedOrder::restore(HASH, body.to_owned()).unwrap())
}

/// What the venue says of an order that it killed: that it stands no more, and not how much of it matched.
pub(super) fn killed(trades: &[&str]) -> OpenOrder {
    OpenOrder {
        hash: HASH,
        status: OrderStatus::Cancelled("CANCELED".to_owned()),
        condition: ConditionId::default(),
        token: TokenId(U256::from(7)),
        side: Side::Buy,
        price: None,
        size: None,
        matched: None,
        created: None,
        expires: None,
        trades: trades.iter().map(|id| (*id).to_owned()).collect(),
    }
}

pub(super) fn trade(id: &str) -> Trade {
    let leg = TradeLeg {
        token: TokenId(U256::from(7)),
        side: Side::Buy,
        shares: Shares::whole(10),
        price: "0.6".parse().unwrap(),
    };
    Trade {
        id: id.to_owned(),
        status: TradeStatus::Matched,
        condition: ConditionId::default(),
        taker_order: HASH,
        taker: leg,
        makers: vec![],
        role: None,
        matched_at: None,
        updated_at: None,
        transaction: None,
        failure: None,
    }
}

fn matched(news: Option<OrderNews>) -> Option<Shares> {
    news.map(|news| match news.what {
        OrderEvent::Closed { matched, .. } => matched,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_listing_counts_only_if_it_was_begun_after_the_end() {
    let mut tracked = tracked();
    let before = Instant::now();
    tracked.on_record(&killed(&[]), AT);
    let after = Instant::now();
    assert_eq!(tracked.on_all_trades(before, SOON, AT), None);
    assert_eq!(tracked.on_all_trades(after, SOON, AT), None);
    assert!(tracked.wants_trades() && !tracked.is_over());
    // The same record again begins no new wait.
    tracked.on_record(&killed(&[]), AT);
    tracked.on_trade(&trade("a"), AT);
    assert_eq!(matched(tracked.on_all_trades(after + SOON, SOON, AT)), Some(Shares::whole(10)));
}

#[test]
fn an_order_with_a_trade_that_nobody_has_shown_is_not_over() {
    let mut tracked = tracked();
    tracked.name(&["a".to_owned()]);
    tracked.on_record(&killed(&["a", "b"]), AT);
    let late = Instant::now() + SOON;
    tracked.on_trade(&trade("a"), AT);
    assert_eq!(tracked.on_all_trades(late, SOON, AT), None);
    tracked.on_trade(&trade("b"), AT);
    assert_eq!(matched(tracked.on_all_trades(late, SOON, AT)), Some(Shares::whole(20)));
}
