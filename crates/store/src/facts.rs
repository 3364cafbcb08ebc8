//! Facts into the database, exactly once, and out again in their order.

mod read;
mod write;

use domain::{BlockHash, Fact, Timestamp};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use crate::error::{During as _, StoreError};
use crate::{announce, row, take_turn};

pub(crate) use read::{fill_of, of_blocks, payouts_of};

/// A block and what of it concerns us.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// Its own time.
    pub time: Timestamp,
    /// When we learned of it.
    pub learned: Timestamp,
    /// Its facts, by log index.
    pub facts: Vec<Fact>,
    /// Its logs that could not be read.
    pub unreadable: Vec<Unreadable>,
}

/// A log that could not be read, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its index in the block.
    pub log_index: u32,
    /// Why.
    pub reason: String,
    /// Address, topics and data.
    pub raw: String,
}

/// A place on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The height.
    pub number: u64,
    /// The hash of the block there.
    pub hash: BlockHash,
}

/// What a commit added: nothing that was there before counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Blocks.
    pub blocks: u64,
    /// Fills.
    pub fills: u64,
}

/// Takes blocks in, with the writer's place on the chain, and tells the readers: all or nothing.
///
/// A block that is known already, and not orphaned, adds nothing and is not announced again.
///
/// # Errors
/// If the database refuses.
pub async fn commit(
    connection: &mut PgConnection,
    writer: &str,
    blocks: &[Block],
    through: Point,
) -> Result<Added, StoreError> {
    take_turn(connection).await?;
    let new = write::insert_blocks(connection, blocks).await?;
    let fresh: Vec<&Block> = blocks.iter().filter(|block| new.contains(&block.hash)).collect();
    let fills = write::insert_trades(connection, &fresh).await?;
    write::insert_ledger_events(connection, &fresh).await?;
    write::insert_unreadable(connection, &fresh).await?;
    write::apply_resolutions(connection, &fresh).await?;
    let told: Vec<&Block> = fresh.iter().copied().filter(|block| !block.facts.is_empty()).collect();
    if !told.is_empty() {
        write::tell(connection, &told).await?;
        announce(connection).await?;
    }
    set_point(connection, writer, through).await?;
    Ok(Added { blocks: row::count(fresh.len()), fills })
}

/// Takes back everything above a height: its rows are marked orphaned, its results undone, the readers told.
///
/// # Errors
/// If the database refuses.
pub async fn revert(
    connection: &mut PgConnection,
    writer: &str,
    to: Point,
    learned: Timestamp,
) -> Result<u64, StoreError> {
    take_turn(connection).await?;
    let height = row::signed(to.number);
    let orphaned =
        sqlx::query("UPDATE orderflow_blocks SET orphaned = true WHERE block_number > $1 AND NOT orphaned")
            .bind(height)
            .execute(&mut *connection)
            .await
            .during("orphan blocks")?
            .rows_affected();
    for statement in [
        "UPDATE orderflow_trades SET orphaned = true WHERE block_number > $1 AND NOT orphaned",
        "UPDATE orderflow_markets SET payout_numerators = NULL, resolved_at = NULL
         WHERE condition_id IN (SELECT condition_id FROM orderflow_ledger_events
                                WHERE kind = 'resolution' AND block_number > $1 AND NOT orphaned)",
        "UPDATE orderflow_ledger_events SET orphaned = true WHERE block_number > $1 AND NOT orphaned",
    ] {
        sqlx::query(statement).bind(height).execute(&mut *connection).await.during("orphan facts")?;
    }
    sqlx::query("INSERT INTO orderflow_outbox (learned_at, kind, block_number) VALUES ($1, 'reverted', $2)")
        .bind(learned.to_offset_date_time())
        .bind(height)
        .execute(&mut *connection)
        .await
        .during("tell of a reorganisation")?;
    set_point(connection, writer, to).await?;
    announce(connection).await?;
    Ok(orphaned)
}

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

async fn set_point(connection: &mut PgConnection, writer: &str, point: Point) -> Result<(), StoreError> {
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
