//! The outbox as its readers see it: what became known, in the order it became known.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use domain::{BlockHash, Fact, Market, PriceMap, Timestamp, Verdict};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::{Store, facts, markets, row, scores, worth};

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
    /// Single facts of a block that were missing when it was told, by log index.
    Late(Vec<Fact>),
    /// Settled blocks became known, behind the order in which everything else is told: whoever needs them reads
    /// [`facts::in_chain_order`].
    History(RangeInclusive<u64>),
    /// Everything above this height is orphaned.
    Reverted(u64),
    /// A market's description.
    Market(Box<Market>),
    /// What one pass found.
    Scores {
        /// What prices are worth from here on; `None` where it is what was known before.
        prices: Option<Box<PriceMap>>,
        /// The verdicts over rated wallets, and those rated until then.
        verdicts: Vec<Verdict>,
    },
}

/// What a reader wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Descriptions of markets alone.
    Markets,
    /// Facts and markets: what verdicts are made of.
    Facts,
    /// Verdicts as well.
    Everything,
}

/// What follows after an item, at most `limit` items, as [`read`] tells it; what a block holds comes from memory where
/// this process has stored it a moment ago, because a whale's fill waits for it.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn read_newest(store: &Store, after: i64, limit: u32) -> Result<Vec<Item>, StoreError> {
    let mut connection = store.connection().await?;
    read_with(&mut connection, &store.recent, (after, i64::MAX), limit, Wanted::Everything).await
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
    read_with(connection, &facts::Recent::default(), (after, until), limit, wanted).await
}

async fn read_with(
    connection: &mut PgConnection,
    recent: &facts::Recent,
    (after, until): (i64, i64),
    limit: u32,
    wanted: Wanted,
) -> Result<Vec<Item>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, learned_at, kind, block_hash, first_block, block_number, condition_id, as_of,
                -- What a block's own item leaves to the item that told it late.
                CASE kind WHEN 'block' THEN ARRAY(SELECT unnest(late.log_indexes) FROM orderflow_outbox late
                                                  WHERE late.kind = 'late' AND late.block_hash = o.block_hash)
                          ELSE log_indexes END AS log_indexes,
                kind = 'block' AND EXISTS (SELECT FROM orderflow_blocks b
                                           WHERE b.block_hash = o.block_hash AND NOT b.orphaned) AS counts
         FROM orderflow_outbox o
         WHERE seq > $1 AND seq <= $2 AND (kind = 'market' OR $5) AND (kind <> 'scores' OR $4)
           AND (kind <> 'block' OR seq = (SELECT max(later.seq) FROM orderflow_outbox later
                                          WHERE later.kind = 'block' AND later.block_hash = o.block_hash))
         ORDER BY seq LIMIT $3",
    )
    .bind(after)
    .bind(until)
    .bind(i64::from(limit))
    .bind(wanted == Wanted::Everything)
    .bind(wanted != Wanted::Markets)
    .fetch_all(&mut *connection)
    .await
    .during("read the outbox")?;
    // Most looks find nothing, and what follows would be planned at some cost to find nothing as well.
    if rows.is_empty() {
        return Ok(vec![]);
    }
    let mut blocks: Vec<(u64, BlockHash)> = vec![];
    let mut facts: BTreeMap<BlockHash, Vec<Fact>> = BTreeMap::new();
    let mut conditions: Vec<String> = vec![];
    for found in &rows {
        if let Some(hash) = row::maybe_text::<BlockHash>(found, "block_hash", "a block hash")? {
            let counts: Option<bool> = found.try_get("counts").during("read a column")?;
            match recent.of(hash).filter(|_| counts == Some(true)) {
                Some(known) => drop(facts.insert(hash, known)),
                None => blocks.push((row::unsigned(found, "block_number")?, hash)),
            }
        }
        conditions.extend(found.try_get::<Option<String>, _>("condition_id").during("read a column")?);
    }
    facts.extend(facts::of_blocks(connection, &blocks).await?);
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
                let told_later = row::indexes(found, "log_indexes")?;
                News::Block(logs_of(&facts, hash, |log| !told_later.contains(&log)))
            }
            "late" => {
                let hash: BlockHash = row::text(found, "block_hash", "a block hash")?;
                let logs = row::indexes(found, "log_indexes")?;
                News::Late(logs_of(&facts, hash, |log| logs.contains(&log)))
            }
            "history" => {
                News::History(row::unsigned(found, "first_block")?..=row::unsigned(found, "block_number")?)
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
                News::Scores {
                    prices: worth::published(connection, as_of).await?.map(Box::new),
                    verdicts: scores::published(connection, as_of).await?,
                }
            }
        };
        let seq = found.try_get("seq").during("read a column")?;
        items.push(Item { seq, learned: row::time(found, "learned_at")?, news });
    }
    Ok(items)
}

fn logs_of(
    facts: &BTreeMap<BlockHash, Vec<Fact>>,
    block: BlockHash,
    is_wanted: impl Fn(u32) -> bool,
) -> Vec<Fact> {
    let facts = facts.get(&block).into_iter().flatten();
    facts.filter(|fact| is_wanted(fact.place.log_index)).cloned().collect()
}

/// The blocks told after an item, each with its item's number, in their order.
///
/// # Errors
/// If the database refuses.
pub async fn told_blocks(connection: &mut PgConnection, after: i64) -> Result<Vec<(i64, u64)>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, block_number FROM orderflow_outbox WHERE kind = 'block' AND seq > $1 ORDER BY seq",
    )
    .bind(after)
    .fetch_all(connection)
    .await
    .during("read which blocks were told")?;
    rows.iter()
        .map(|found| {
            Ok((found.try_get("seq").during("read a column")?, row::unsigned(found, "block_number")?))
        })
        .collect()
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

/// The last item that verdicts of a moment can have been made of: the newest that was told by then, and before these
/// verdicts were; 0 where that was before the first.
///
/// # Errors
/// If the database refuses.
pub async fn newest_by(connection: &mut PgConnection, moment: Timestamp) -> Result<i64, StoreError> {
    // A tape's facts are told with their own time, which may be the very end of the hour that was scored before.
    sqlx::query_scalar(
        "SELECT coalesce(least((SELECT seq FROM orderflow_outbox WHERE learned_at <= $1
                                ORDER BY learned_at DESC, seq DESC LIMIT 1),
                               (SELECT max(seq) FROM orderflow_outbox WHERE kind = 'scores' AND as_of = $1)), 0)",
    )
    .bind(moment.to_offset_date_time())
    .fetch_one(connection)
    .await
    .during("read how far the outbox was")
}

/// The last item behind `after` up to which everything was known by a moment; `after` where there is none.
///
/// # Errors
/// If the database refuses.
pub async fn known_by(
    connection: &mut PgConnection,
    after: i64,
    moment: Timestamp,
) -> Result<i64, StoreError> {
    sqlx::query_scalar(
        "SELECT coalesce((SELECT seq - 1 FROM orderflow_outbox WHERE seq > $1 AND learned_at > $2
                          ORDER BY seq LIMIT 1),
                         (SELECT max(seq) FROM orderflow_outbox WHERE seq > $1), $1)",
    )
    .bind(after)
    .bind(moment.to_offset_date_time())
    .fetch_one(connection)
    .await
    .during("read what was known by a moment")
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
