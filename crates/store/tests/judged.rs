//! What was judged reads back as it was judged, to the bit, because a restart learns from it; and what was judged before
//! something was kept reads as well as it can.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use alloy_primitives::{Address, B256, U256};
use domain::{
    Appraisal, Coefficient, ConditionId, Further, Price, SignalKind, Skill, Timestamp, TokenId, Usd, Wallet,
};
use store::signals::{self, Judged, RefusalRow};
use store::testing::TestDatabase;
use store::{PgConnection, Store};

const NOW: Timestamp = Timestamp::from_seconds(1_780_000_000);

/// Numbers that no short decimal says.
fn appraisal() -> Appraisal {
    let price: Price = "0.55".parse().unwrap();
    let coefficient = Coefficient { mean: 0.1 + 0.2, deviation: 1.0 / 7.0, events: 9 };
    Appraisal {
        condition: ConditionId(B256::repeat_byte(1)),
        event: "event".into(),
        outcome: 1,
        book_at: NOW,
        bids: vec![],
        asks: vec![],
        market_price: price,
        fair_price: 0.55 - 1.0 / 300.0,
        spread: 0.01,
        depth: Usd::whole(1_000),
        reference_price: price,
        run_up: 0.1 + 0.2 - 0.29,
        age: 0,
        waited: 0,
        score: 8.0,
        kappa: 0.2,
        kappa_error: 0.04,
        consensus: Skill { kappa: 0.34 / 1.7, standard_error: 0.05 / 1.7 },
        backers: 2,
        skill_probability: 0.99,
        timing_t: None,
        part: 2.0 / 3.0,
        median_cost: Some(Usd::from_micros(333_333_333)),
        size: Some(1_000.0 / 333.333_333),
        volume: Usd::whole(50_000),
        drop: 1.0 / 9.0,
        whales_with: Usd::whole(1_000),
        whales_against: Usd::ZERO,
        whales_opposed: 0.0,
        held_before: None,
        coefficient,
        further: Some(Further { taken: coefficient, size: coefficient, run_up: coefficient }),
        fee_rate_ppm: 0,
        latency_cost: 0.0,
        expected_price: price,
        limit_price: price,
        cost: 0.55,
        probability: 0.6,
        error: 0.1,
        confidence: 0.5,
        kelly: 0.1,
        policy: "0".into(),
    }
}

async fn only(connection: &mut PgConnection) -> Judged {
    let mut judged = signals::judged(connection).await.unwrap();
    assert_eq!(judged.len(), 1);
    judged.pop().unwrap()
}

#[tokio::test]
async fn what_was_judged_reads_back_to_the_bit() {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    let mut connection = store.connection().await.unwrap();
    let seen = appraisal();
    let refusal = RefusalRow {
        at: NOW,
        kind: SignalKind::FollowWhale,
        signal: None,
        wallet: Wallet(Address::repeat_byte(7)),
        token: TokenId(U256::from(11)),
        notional: Usd::whole(1_000),
        reason: "confidence",
        detail: "not sure enough".into(),
        figures: vec![],
        appraisal: Some(&seen),
    };
    signals::refusals(&mut connection, &[refusal]).await.unwrap();
    let expected = Judged {
        at: NOW,
        kind: SignalKind::FollowWhale,
        condition: seen.condition,
        event: "event".into(),
        outcome: 1,
        fair: seen.fair_price,
        skill: seen.consensus,
        part: seen.part,
        size: seen.size,
        run_up: seen.run_up,
        drop: seen.drop,
        known: None,
    };
    assert_eq!(only(&mut connection).await, expected);

    // Before there was any of that: the middle, and what the wallet knew by itself.
    sqlx::query(
        "UPDATE orderflow_refusals
         SET evidence = evidence - ARRAY['fair_price', 'consensus', 'part', 'size', 'median_cost_usd', 'further']",
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    let before = Judged {
        fair: 0.55,
        skill: Skill { kappa: 0.2, standard_error: 0.04 },
        part: 0.0,
        size: None,
        ..expected
    };
    assert_eq!(only(&mut connection).await, before);
}
