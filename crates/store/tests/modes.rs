//! What was done on paper and what was done with money, kept apart in one PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use domain::{Day, Timestamp, Usd};
use sqlx::raw_sql;
use store::testing::TestDatabase;
use store::{Store, journal, live, resume};

/// Closed position `id` of a mode, which won `won` dollars and whose one order is final or not. Its signal is left out:
/// nothing that is read here looks at it.
async fn closed(database: &TestDatabase, id: i64, mode: &str, won: i64, is_final: bool) {
    let sql = format!(
        "BEGIN;
         SET LOCAL session_replication_role = replica;
         INSERT INTO orderflow_orders
             (id, position_id, created_at, mode, condition_id, token_id, limit_price, stake_usd, is_final)
         VALUES ({id}, {id}, now(), '{mode}', '0x' || lpad('{id}', 64, '0'), {id}, 0.5, 50, {is_final});
         INSERT INTO orderflow_positions
             (id, opened_at, closed_at, mode, condition_id, event, token_id, outcome_index, shares, cost_usd, fee_usd,
              proceeds_usd, pnl_usd, status, ending)
         VALUES ({id}, now(), now(), '{mode}', '0x' || lpad('{id}', 64, '0'), 'event', {id}, 0, 100, 50, 0,
                 50 + {won}, {won}, 'WON', 'RESOLVED');
         COMMIT"
    );
    raw_sql(sqlx::AssertSqlSafe(sql)).execute(&database.pool()).await.unwrap();
}

#[tokio::test]
async fn what_was_won_on_paper_sizes_no_real_stake() {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    closed(&database, 1, "live", 7, true).await;
    closed(&database, 2, "paper", 4_000, true).await;
    let mut connection = store.connection().await.unwrap();
    let day = Day { number: 10, result: Usd::whole(4_000), bankroll: Usd::whole(5_000) };
    let until = Timestamp::from_seconds(1_000);
    journal::day(&mut connection, &day, "paper").await.unwrap();
    journal::losses(&mut connection, 3, Some(until), "paper").await.unwrap();
    journal::halt(&mut connection, until, "paper").await.unwrap();
    let paper = resume::books(&mut connection, 0, "paper").await.unwrap();
    assert_eq!((paper.realized, paper.day, paper.losses_in_a_row), (Usd::whole(4_000), Some(day), 3));
    assert_eq!((paper.halted_until, paper.cooling_until), (Some(until), Some(until)));
    let real = resume::books(&mut connection, 0, "live").await.unwrap();
    assert_eq!((real.realized, real.day, real.losses_in_a_row), (Usd::whole(7), None, 0));
    assert_eq!((real.halted_until, real.cooling_until), (None, None));
    assert_eq!(real.last_order, 2);
}

/// A day's loss in earnest stops entries in earnest, although paper was traded on the same database since.
#[tokio::test]
async fn paper_lifts_no_real_halt() {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    let mut connection = store.connection().await.unwrap();
    let (lost, until) = (Usd::whole(-500), Timestamp::from_seconds(86_400));
    let day = Day { number: 10, result: lost, bankroll: Usd::whole(9_500) };
    closed(&database, 1, "live", -500, true).await;
    journal::day(&mut connection, &day, "live").await.unwrap();
    journal::losses(&mut connection, 2, Some(until), "live").await.unwrap();
    journal::halt(&mut connection, until, "live").await.unwrap();
    // The newest order is one on paper, which has a day and a row of losses of its own.
    closed(&database, 2, "paper", 10, true).await;
    let quiet = Day { number: 10, result: Usd::ZERO, bankroll: Usd::whole(10_000) };
    journal::day(&mut connection, &quiet, "paper").await.unwrap();
    journal::losses(&mut connection, 0, None, "paper").await.unwrap();
    let real = resume::books(&mut connection, 0, "live").await.unwrap();
    assert_eq!((real.day, real.halted_until), (Some(day), Some(until)));
    assert_eq!((real.losses_in_a_row, real.cooling_until), (2, Some(until)));
    let paper = resume::books(&mut connection, 0, "paper").await.unwrap();
    assert_eq!((paper.losses_in_a_row, paper.halted_until), (0, None));
}

/// The one account of before was that of the mode of the newest order, and stays that mode's.
#[tokio::test]
async fn the_account_of_before_goes_to_the_mode_it_was_of() {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    closed(&database, 1, "live", 7, true).await;
    raw_sql(
        "DROP TABLE orderflow_mode_accounts;
         UPDATE orderflow_controls
         SET day = date '1970-01-11', day_result_usd = -500, day_bankroll_usd = 9500, losses_in_a_row = 3,
             halted_until = 'epoch', cooling_until = NULL",
    )
    .execute(&database.pool())
    .await
    .unwrap();
    let migration = include_str!("../../../migrations/012_executor_rules.sql");
    // The second time it finds everything done.
    for _ in 0..2 {
        raw_sql(migration).execute(&database.pool()).await.unwrap();
    }
    let mut connection = store.connection().await.unwrap();
    let real = resume::books(&mut connection, 0, "live").await.unwrap();
    let day = Day { number: 10, result: Usd::whole(-500), bankroll: Usd::whole(9_500) };
    assert_eq!((real.day, real.losses_in_a_row), (Some(day), 3));
    assert_eq!(real.halted_until, Some(Timestamp::default()));
    let paper = resume::books(&mut connection, 0, "paper").await.unwrap();
    assert_eq!((paper.day, paper.losses_in_a_row, paper.halted_until), (None, 0, None));
}

/// The shares of a buy that is not settled are in no wallet yet: that they are not there is no payment.
#[tokio::test]
async fn a_winner_is_looked_for_once_its_orders_are_settled() {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    closed(&database, 1, "live", 50, true).await;
    closed(&database, 2, "live", 50, false).await;
    let mut connection = store.connection().await.unwrap();
    let unpaid = live::unpaid(&mut connection).await.unwrap();
    assert_eq!(unpaid.iter().map(|winner| winner.position).collect::<Vec<_>>(), [1]);
    raw_sql("UPDATE orderflow_orders SET is_final = true").execute(&database.pool()).await.unwrap();
    let unpaid = live::unpaid(&mut connection).await.unwrap();
    assert_eq!(unpaid.iter().map(|winner| winner.position).collect::<Vec<_>>(), [1, 2]);
}
