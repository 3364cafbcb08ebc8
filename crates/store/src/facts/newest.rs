//! Blocks at the head of the chain, in as few statements as can be: whoever acts on the newest block waits for each of
//! them, and most of what a small one takes is the way there and back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use domain::BlockHash;
use sqlx::{PgConnection, Row as _};

use super::dictionary::Dictionary;
use super::write::{self, Txs};
use super::{Block, Point, Stretch, ledger};
use crate::coverage::{self, Kind};
use crate::error::{During as _, StoreError};
use crate::{BLOCKS, CHANNEL, row};

/// What of a stretch was not known.
pub(super) struct News {
    /// The heights that nobody had covered.
    pub(super) holes: Vec<RangeInclusive<u64>>,
    /// The blocks in them that are new, or count again.
    pub(super) blocks: BTreeSet<BlockHash>,
}

/// Inserts the blocks of a stretch that lie where nothing is covered.
pub(super) async fn insert_blocks(
    connection: &mut PgConnection,
    stretch: &Stretch<'_>,
) -> Result<News, StoreError> {
    let blocks = stretch.blocks;
    let rows = sqlx::query(
        "WITH covered AS (
             SELECT first_block::bigint AS first, last_block::bigint AS last FROM orderflow_coverage
             WHERE last_block >= $5 AND first_block <= $6),
         new AS (
             INSERT INTO orderflow_blocks (block_hash, block_number, block_time, parent_hash)
             SELECT hash, number, at, parent
             FROM UNNEST($1::text[], $2::bigint[], $3::timestamptz[], $4::text[]) AS told (hash, number, at, parent)
             WHERE NOT EXISTS (SELECT FROM covered WHERE number BETWEEN first AND last)
             ON CONFLICT (block_hash) DO UPDATE SET orphaned = false WHERE orderflow_blocks.orphaned
             RETURNING block_hash, xmax <> 0 AS is_back)
         SELECT first, last, NULL AS block_hash, NULL AS is_back FROM covered
         UNION ALL SELECT NULL, NULL, block_hash, is_back FROM new
         ORDER BY first",
    )
    .bind(blocks.iter().map(|block| block.hash.to_string()).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| row::signed(block.number)).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| block.time.to_offset_date_time()).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| block.parent.map(|hash| hash.to_string())).collect::<Vec<_>>())
    .bind(row::signed(stretch.from))
    .bind(row::signed(stretch.through.number))
    .fetch_all(&mut *connection)
    .await
    .during("insert blocks")?;
    let (mut covered, mut inserted) = (vec![], vec![]);
    for found in rows {
        let hash: Option<String> = found.try_get("block_hash").during("read a column")?;
        match hash {
            Some(_) => inserted.push(found),
            None => covered.push((row::unsigned(&found, "first")?, row::unsigned(&found, "last")?)),
        }
    }
    let holes = coverage::left_out(&covered, stretch.from, stretch.through.number);
    Ok(News { holes, blocks: write::inserted(connection, &inserted).await? })
}

/// What is stored of new blocks together: their transactions, fills and ledger events, that they are covered, what the
/// readers are told, and the writer's place.
pub(super) struct Together<'a> {
    pub(super) dictionary: &'a Dictionary,
    pub(super) blocks: &'a [&'a Block],
    pub(super) covered: &'a RangeInclusive<u64>,
    pub(super) source: &'a str,
    /// The writer's name, and how far it has come.
    pub(super) writer: &'static str,
    pub(super) through: Point,
}

impl Together<'_> {
    /// Stores it, and wakes the readers; how many fills were new.
    pub(super) async fn insert(&self, connection: &mut PgConnection) -> Result<u64, StoreError> {
        let lists: BTreeMap<u64, Txs> = write::list_transactions(BTreeMap::new(), self.blocks);
        let fills = write::rows_of(self.dictionary, self.blocks, &lists)?;
        let told: Vec<&&Block> = self.blocks.iter().filter(|block| !block.facts.is_empty()).collect();
        let query = sqlx::query(STATEMENT)
            .bind(lists.keys().map(|number| row::signed(*number)).collect::<Vec<_>>())
            .bind(lists.values().map(Txs::bytes).collect::<Vec<_>>());
        let query = ledger::bind_events(write::bind_fills(query, &fills), &ledger::events_of(self.blocks));
        let found = query
            .bind(row::exact(*self.covered.start(), "first_block")?)
            .bind(row::exact(*self.covered.end(), "last_block")?)
            .bind(self.source)
            .bind(Kind::Live.name())
            .bind(told.iter().map(|block| block.learned.to_offset_date_time()).collect::<Vec<_>>())
            .bind(told.iter().map(|block| block.hash.to_string()).collect::<Vec<_>>())
            .bind(told.iter().map(|block| row::signed(block.number)).collect::<Vec<_>>())
            .bind(CHANNEL)
            .bind(self.writer)
            .bind(row::signed(self.through.number))
            .bind(self.through.hash.to_string())
            .bind(BLOCKS)
            .fetch_one(connection)
            .await
            .during("insert what blocks hold")?;
        row::unsigned(&found, "fills")
    }
}

const STATEMENT: &str = concat!(
    "WITH txs AS (",
    write::put_txs!("$1", "$2"),
    "), fills AS (",
    write::put_fills!("$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12"),
    " RETURNING 1), events AS (",
    ledger::put_events!(
        "$13", "$14", "$15", "$16", "$17", "$18", "$19", "$20", "$21", "$22", "$23", "$24"
    ),
    "), grown AS (
         UPDATE orderflow_coverage SET last_block = $26, covered_at = now()
         WHERE last_block = $25 - 1 AND source = $27 AND kind = $28 RETURNING 1),
     begun AS (
         INSERT INTO orderflow_coverage (first_block, last_block, source, kind)
         SELECT $25, $26, $27, $28 WHERE NOT EXISTS (SELECT FROM grown)),
     news AS (
         INSERT INTO orderflow_outbox (learned_at, kind, block_hash, block_number)
         SELECT learned_at, 'block', block_hash, block_number
         FROM UNNEST($29::timestamptz[], $30::text[], $31::bigint[])
              WITH ORDINALITY AS told (learned_at, block_hash, block_number, place)
         ORDER BY place
         RETURNING seq),
     place AS (
         INSERT INTO orderflow_cursors (name, block_number, block_hash) VALUES ($33, $34, $35)
         ON CONFLICT (name) DO UPDATE SET block_number = excluded.block_number, block_hash = excluded.block_hash)
     SELECT (SELECT count(*) FROM fills) AS fills, (SELECT pg_notify($32, $36)::text FROM news LIMIT 1) AS told"
);
