//! The outbox as its readers see it: what became known, in the order it became known.

use std::collections::BTreeMap;

use domain::{BlockHash, Fact, Market, Timestamp, Verdict};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::{facts, markets, row, scores};

/// One thing that became known.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its number, rising; numbers may be missing.
    pub seq: i64,
    /// When it became known.
    pub learned: Timestamp,
    /// What.
    pub news: News,
}

/// What can become known.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A block's facts, by log index. Empty if the block has been orphaned since.
    Block(Vec<Fact>),
    /// Everything above this height is orphaned.
    Reverted(u64),
    /// A market's description.
    Market(Box<Market>),
    /// The verdicts of one pass over rated wallets, and those rated until then.
    Scores(Vec<Verdict>),
}

/// What a reader wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Facts and markets: what verdicts are made of.
    Facts,
    /// Verdicts as well.
    Everything,
}

/// What follows after `after` and not beyond `until`, at most `limit` items. A block that came back after a
/// reorganisation counts where it came back.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn read(
    connection: &mut PgConnection,
    after: i64,
    until: i64,
    limit: u32,
    wanted: Wanted,
) -> Result<Vec<Item>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, learned_at, kind, block_hash, block_number, condition_id, as_of
         FROM orderflow_outbox o
         WHERE seq > $1 AND seq <= $2 AND (kind <> 'scores' OR $4)
           AND NOT EXISTS (SELECT FROM orderflow_outbox later
                           WHERE o.kind = 'block' AND later.kind = 'block'
                             AND later.block_hash = o.block_hash AND later.seq > o.seq)
         ORDER BY seq LIMIT $3",
    )
    .bind(after)
    .bind(until)
    .bind(i64::from(limit))
    .bind(wanted == Wanted::Everything)
    .fetch_all(&mut *connection)
    .await
    .during("read the outbox")?;
    let mut hashes: Vec<BlockHash> = vec![];
    let mut conditions: Vec<String> = vec![];
    for found in &rows {
        hashes.extend(row::maybe_text::<BlockHash>(found, "block_hash", "a block hash")?);
        conditions.extend(found.try_get::<Option<String>, _>("condition_id").during("read a column")?);
    }
    let mut facts = facts::of_blocks(connection, &hashes).await?;
    let mut described: BTreeMap<String, Market> = markets::of_conditions(connection, &conditions)
        .await?
        .into_iter()
        .map(|market| (market.condition.to_string(), market))
        .collect();
    let mut items = Vec::with_capacity(rows.len());
    for found in &rows {
        let kind: String = found.try_get("kind").during("read a column")?;
        let news = match kind.as_str() {
            "block" => {
                let hash: BlockHash = row::text(found, "block_hash", "a block hash")?;
                News::Block(facts.remove(&hash).unwrap_or_default())
            }
            "reverted" => News::Reverted(row::unsigned(found, "block_number")?),
            "market" => {
                let condition: String = found.try_get("condition_id").during("read a column")?;
                let Some(market) = described.remove(&condition) else {
                    continue;
                };
                News::Market(Box::new(market))
            }
            _ => {
                let as_of = row::time(found, "as_of")?;
                News::Scores(scores::published(connection, as_of).await?)
            }
        };
        let seq = found.try_get("seq").during("read a column")?;
        items.push(Item { seq, learned: row::time(found, "learned_at")?, news });
    }
    Ok(items)
}

/// The number of the newest item; 0 before the first.
///
/// # Errors
/// If the database refuses.
pub async fn newest(connection: &mut PgConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM orderflow_outbox")
        .fetch_one(connection)
        .await
        .during("read the outbox's end")
}

/// Whether the chain took anything back between two places.
///
/// # Errors
/// If the database refuses.
pub async fn has_reverted(connection: &mut PgConnection, after: i64, until: i64) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM orderflow_outbox WHERE kind = 'reverted' AND seq > $1 AND seq <= $2)",
    )
    .bind(after)
    .bind(until)
    .fetch_one(connection)
    .await
    .during("look for reorganisations")
}

/// A reader's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The last item taken in; 0 before the first.
    pub seq: i64,
    /// The moment of the reader's last pass.
    pub as_of: Option<Timestamp>,
    /// The settings that pass was made under.
    pub settings: Option<String>,
}

/// How far a reader has come.
///
/// # Errors
/// If the database refuses; never read as "not begun".
pub async fn cursor(connection: &mut PgConnection, reader: &str) -> Result<Cursor, StoreError> {
    let found = sqlx::query("SELECT seq, as_of, settings FROM orderflow_cursors WHERE name = $1")
        .bind(reader)
        .fetch_optional(connection)
        .await
        .during("read a cursor")?;
    match found {
        None => Ok(Cursor::default()),
        Some(found) => Ok(Cursor {
            seq: found.try_get("seq").during("read a column")?,
            as_of: row::maybe_time(&found, "as_of")?,
            settings: found.try_get("settings").during("read a column")?,
        }),
    }
}

/// Says how far a reader has come; part of the transaction that stores what it did.
///
/// # Errors
/// If the database refuses.
pub async fn set_cursor(
    connection: &mut PgConnection,
    reader: &str,
    cursor: Cursor,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_cursors (name, seq, as_of, settings) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET seq = $2, as_of = $3, settings = $4",
    )
    .bind(reader)
    .bind(cursor.seq)
    .bind(cursor.as_of.map(Timestamp::to_offset_date_time))
    .bind(cursor.settings)
    .execute(connection)
    .await
    .map(|_| ())
    .during("store a cursor")
}
