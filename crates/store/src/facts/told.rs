//! Telling the readers what became known, in the outbox.

use std::ops::RangeInclusive;

use sqlx::PgConnection;

use super::Block;
use crate::error::{During as _, StoreError};
use crate::row;

/// Tells the readers that settled blocks became known.
pub(super) async fn tell_of_history(
    connection: &mut PgConnection,
    covered: RangeInclusive<u64>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_outbox (learned_at, kind, first_block, block_number)
         VALUES (now(), 'history', $1, $2)",
    )
    .bind(row::signed(*covered.start()))
    .bind(row::signed(*covered.end()))
    .execute(connection)
    .await
    .map(|_| ())
    .during("tell of history")
}

/// Tells the readers of single facts that were missing from blocks they may know already.
pub(super) async fn tell_late(connection: &mut PgConnection, blocks: &[&Block]) -> Result<(), StoreError> {
    for block in blocks {
        let logs: Vec<i32> = block.facts.iter().map(|fact| row::small(fact.place.log_index)).collect();
        sqlx::query(
            "INSERT INTO orderflow_outbox (learned_at, kind, block_hash, block_number, log_indexes)
             VALUES ($1, 'late', $2, $3, $4)",
        )
        .bind(block.learned.to_offset_date_time())
        .bind(block.hash.to_string())
        .bind(row::signed(block.number))
        .bind(logs)
        .execute(&mut *connection)
        .await
        .during("tell of late facts")?;
    }
    Ok(())
}
