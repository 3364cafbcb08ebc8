//! Where on the chain a writer is, and which blocks are known.

use domain::{BlockHash, Timestamp};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::Point;
use crate::error::{During as _, StoreError};
use crate::row;

/// How far a writer has come on the chain.
///
/// # Errors
/// If the database refuses; never read as "not begun".
pub async fn point(connection: &mut PgConnection, writer: &str) -> Result<Option<Point>, StoreError> {
    let found = sqlx::query("SELECT block_number, block_hash FROM orderflow_cursors WHERE name = $1")
        .bind(writer)
        .fetch_optional(connection)
        .await
        .during("read a place on the chain")?;
    found.as_ref().map(point_of).transpose()
}

/// The newest blocks on the chain as we know it, at most `count`, oldest first.
///
/// # Errors
/// If the database refuses.
pub async fn recent_points(connection: &mut PgConnection, count: u32) -> Result<Vec<Point>, StoreError> {
    let rows = sqlx::query(
        "SELECT block_number, block_hash FROM orderflow_blocks WHERE NOT orphaned
         ORDER BY block_number DESC LIMIT $1",
    )
    .bind(i64::from(count))
    .fetch_all(connection)
    .await
    .during("read the newest blocks")?;
    rows.iter().rev().map(point_of).collect()
}

/// How many fills are on the chain: counted one by one.
///
/// # Errors
/// If the database refuses.
pub async fn count(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let found = sqlx::query("SELECT count(*) AS fills FROM orderflow_fills")
        .fetch_one(connection)
        .await
        .during("count fills")?;
    row::unsigned(&found, "fills")
}

/// How many blocks that are not orphaned happened before a moment.
///
/// # Errors
/// If the database refuses.
pub async fn blocks_before(connection: &mut PgConnection, moment: Timestamp) -> Result<u64, StoreError> {
    let found =
        sqlx::query("SELECT count(*) AS blocks FROM orderflow_blocks WHERE block_time < $1 AND NOT orphaned")
            .bind(moment.to_offset_date_time())
            .fetch_one(connection)
            .await
            .during("count blocks")?;
    row::unsigned(&found, "blocks")
}

/// Which of these blocks are known and not orphaned.
///
/// # Errors
/// If the database refuses.
pub async fn known(
    connection: &mut PgConnection,
    blocks: &[BlockHash],
) -> Result<Vec<BlockHash>, StoreError> {
    let hashes: Vec<String> = blocks.iter().map(ToString::to_string).collect();
    let rows =
        sqlx::query("SELECT block_hash FROM orderflow_blocks WHERE block_hash = ANY($1) AND NOT orphaned")
            .bind(hashes)
            .fetch_all(connection)
            .await
            .during("look for blocks")?;
    rows.iter().map(|found| row::text(found, "block_hash", "a block hash")).collect()
}

fn point_of(found: &PgRow) -> Result<Point, StoreError> {
    Ok(Point {
        number: row::unsigned(found, "block_number")?,
        hash: row::text(found, "block_hash", "a block hash")?,
    })
}

pub(crate) async fn set_point(
    connection: &mut PgConnection,
    writer: &str,
    point: Point,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_cursors (name, block_number, block_hash) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET block_number = $2, block_hash = $3",
    )
    .bind(writer)
    .bind(row::signed(point.number))
    .bind(point.hash.to_string())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store a place on the chain")
}
