//! Letting old fills go, a partition at a time, once nobody needs them; and what the executor was told while they were
//! new, a few rows at a time.

use domain::Timestamp;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::row;

/// The reader whose verdicts are made of fills.
const SCORER: &str = "orderflow-reputation";

/// What retention came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Partitions dropped.
    pub dropped: Vec<String>,
    /// Partitions old enough that reputation still needs.
    pub waiting: Vec<String>,
}

/// Drops the partitions whose newest block happened before a moment and is folded into the wallets' records,
/// within a transaction.
///
/// # Errors
/// If the database refuses.
pub async fn drop_before(connection: &mut PgConnection, moment: Timestamp) -> Result<Retention, StoreError> {
    // Whoever reads a partition for long must not make every writer wait behind the one who drops it.
    sqlx::query("SET LOCAL lock_timeout = '2s'")
        .execute(&mut *connection)
        .await
        .during("wait for a partition's readers only a little")?;
    let rows = sqlx::query(
        "WITH slices AS (
             SELECT c.relname::text AS name,
                    (substr(c.relname, length('orderflow_fills_') + 1)::bigint + 1) * 131072 AS past
             FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'orderflow_fills'::regclass)
         SELECT name, past,
                coalesce(past <= (SELECT folded_block FROM orderflow_cursors WHERE name = $2), false) AS folded
         FROM slices
         WHERE (SELECT block_time FROM orderflow_blocks b WHERE b.block_number >= past AND NOT b.orphaned
                ORDER BY b.block_number LIMIT 1) < $1
         ORDER BY past",
    )
    .bind(moment.to_offset_date_time())
    .bind(SCORER)
    .fetch_all(&mut *connection)
    .await
    .during("look for old partitions")?;
    let mut retention = Retention::default();
    for found in &rows {
        let name = row::string(found, "name")?;
        if !found.try_get::<bool, _>("folded").during("read a column")? {
            retention.waiting.push(name);
            continue;
        }
        let past: i64 = found.try_get("past").during("read a column")?;
        sqlx::query("SELECT orderflow_drop_fills($1)")
            .bind(past)
            .execute(&mut *connection)
            .await
            .during("drop a partition of the fills")?;
        retention.dropped.push(name);
    }
    Ok(retention)
}

/// Lets the oldest steps of the executor's recording from before a moment go, `most` at most, within a transaction: how many
/// went. What was decided stays. A recording without its beginning cannot be told again.
///
/// # Errors
/// If the database refuses.
pub async fn drop_steps(
    connection: &mut PgConnection,
    moment: Timestamp,
    most: u32,
) -> Result<u64, StoreError> {
    sqlx::query("SET LOCAL orderflow.letting_go = 'on'")
        .execute(&mut *connection)
        .await
        .during("begin to let the recording go")?;
    let gone = sqlx::query(
        "DELETE FROM orderflow_steps WHERE id IN (
             SELECT id FROM (SELECT id, at FROM orderflow_steps ORDER BY id LIMIT $2) AS oldest WHERE at < $1)",
    )
    .bind(moment.to_offset_date_time())
    .bind(i64::from(most))
    .execute(connection)
    .await
    .during("let old steps of the recording go")?;
    Ok(gone.rows_affected())
}
