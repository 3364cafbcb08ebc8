//! What the books say that an account must hold.

use domain::{Shares, TokenId, Usd};
use sqlx::raw_sql;
use store::testing::TestDatabase;
use store::{Store, live};

/// Three live positions of a hundred shares: a winner and a loser whose markets the chain has resolved, and one that is open.
/// The executor has heard of no result yet.
const HELD: &str = "
    BEGIN;
    SET LOCAL session_replication_role = replica;
    INSERT INTO orderflow_positions
        (id, opened_at, mode, condition_id, event, token_id, outcome_index, shares, cost_usd, fee_usd)
    SELECT id, now(), 'live', '0x' || lpad(id::text, 64, '0'), 'event', id, 0, 100, 50, 0
    FROM generate_series(1, 3) AS id;
    INSERT INTO orderflow_ledger_events
        (block_hash, log_index, block_number, block_time, tx_hash, kind, condition_id, payout_numerators, orphaned)
    VALUES ('0xaa', 1, 7, now(), '0x01', 'resolution', '0x' || lpad('1', 64, '0'), '{1,0}', false),
           ('0xaa', 2, 7, now(), '0x02', 'resolution', '0x' || lpad('2', 64, '0'), '{0,1}', false),
           ('0xbb', 1, 7, now(), '0x03', 'resolution', '0x' || lpad('3', 64, '0'), '{1,0}', true);
    COMMIT";

/// The venue redeems as soon as the chain has the result, whether or not the books have heard of it: neither that the shares
/// are there nor that they are paid is a difference. What the chain took back is no result.
#[tokio::test]
async fn what_the_chain_has_resolved_may_be_redeemed_before_the_books_know() {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    raw_sql(HELD).execute(&database.pool()).await.unwrap();
    let account = live::account(&mut store.connection().await.unwrap()).await.unwrap();
    let third: TokenId = "3".parse().unwrap();
    assert_eq!(account.shares, [(third, Shares::whole(100))].into());
    assert_eq!(account.unpaid, Usd::whole(100));
}
