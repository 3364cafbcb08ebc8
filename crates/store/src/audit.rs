//! Reading a second time what became final, and mending what the first reading missed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use domain::{BlockHash, ChainEvent};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::facts::{self, Block, Point, Stretch, Writer};
use crate::{Store, coverage, row};

/// The name of the audit's place on the chain.
const AUDIT: &str = "orderflow-audit";

/// In what two readings of the same blocks differed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Logs the first reading had not, or could not read; they are there now.
    pub missing: u64,
    /// Logs only the first reading had. They stay: one source that is silent proves nothing.
    pub surplus: u64,
    /// Blocks of another hash. They stay: whoever follows the chain goes back by itself.
    pub replaced: u64,
}

/// The highest block that was audited.
///
/// # Errors
/// If the database refuses.
pub async fn place(connection: &mut PgConnection) -> Result<Option<Point>, StoreError> {
    facts::point(connection, AUDIT).await
}

/// Whether logs of a range were kept aside because they could not be read, or not be credited.
///
/// # Errors
/// If the database refuses.
pub async fn has_unread(connection: &mut PgConnection, from: u64, to: u64) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM orderflow_quarantine q JOIN orderflow_blocks b USING (block_hash)
                        WHERE q.block_number BETWEEN $1 AND $2 AND NOT b.orphaned)",
    )
    .bind(row::signed(from))
    .bind(row::signed(to))
    .fetch_one(connection)
    .await
    .during("look for logs kept aside")
}

/// Compares a second reading with what is stored, and changes nothing.
///
/// # Errors
/// If the database refuses.
pub async fn compare(
    connection: &mut PgConnection,
    stretch: &Stretch<'_>,
) -> Result<Differences, StoreError> {
    Ok(Stored::read(connection, stretch).await?.differences(stretch).0)
}

/// Compares a second reading with what is stored, adds what is missing, and notes both.
///
/// # Errors
/// If the database refuses.
pub async fn heal(writer: &mut Writer, stretch: &Stretch<'_>) -> Result<Differences, StoreError> {
    let mut transaction = writer.begin(stretch.blocks).await?;
    let (differences, late) = Stored::read(&mut transaction, stretch).await?.differences(stretch);
    writer.add_late(&mut transaction, &late, stretch.source).await?;
    // Conditions have no row under their index: what is there already stays as it is.
    facts::insert_conditions(&mut transaction, stretch.blocks).await?;
    release(&mut transaction, &late).await?;
    note(&mut transaction, stretch, differences).await?;
    let place = place(&mut transaction).await?;
    if place.is_none_or(|place| place.number < stretch.through.number) {
        facts::set_point(&mut transaction, AUDIT, stretch.through).await?;
    }
    Store::commit(transaction).await?;
    Ok(differences)
}

/// The parts of a range that were not audited, by height.
///
/// # Errors
/// If the database refuses.
pub async fn holes(
    connection: &mut PgConnection,
    from: u64,
    to: u64,
) -> Result<Vec<RangeInclusive<u64>>, StoreError> {
    coverage::gaps(
        connection,
        "SELECT first_block::bigint AS first, last_block::bigint AS last FROM orderflow_audits
         WHERE last_block >= $1 AND first_block <= $2 ORDER BY first_block",
        from,
        to,
    )
    .await
}

/// Lets go of what was kept aside as unreadable and could be read now: whoever told it first had garbled it.
async fn release(connection: &mut PgConnection, late: &[Block]) -> Result<(), StoreError> {
    let facts = late.iter().flat_map(|block| block.facts.iter().map(move |fact| (block, fact)));
    let (hashes, logs): (Vec<String>, Vec<i32>) =
        facts.map(|(block, fact)| (block.hash.to_string(), row::small(fact.place.log_index))).unzip();
    sqlx::query(
        "DELETE FROM orderflow_quarantine q USING UNNEST($1::text[], $2::int[]) AS late (hash, log)
         WHERE q.block_hash = late.hash AND q.log_index = late.log",
    )
    .bind(hashes)
    .bind(logs)
    .execute(connection)
    .await
    .map(|_| ())
    .during("let go of logs that were read after all")
}

/// What the first reading left.
struct Stored {
    hashes: BTreeMap<u64, BlockHash>,
    /// What it read.
    read: BTreeSet<(u64, u32)>,
    /// What it could not read and kept aside.
    aside: BTreeSet<(u64, u32)>,
}

impl Stored {
    async fn read(connection: &mut PgConnection, stretch: &Stretch<'_>) -> Result<Self, StoreError> {
        let (from, to) = (row::signed(stretch.from), row::signed(stretch.through.number));
        let blocks = sqlx::query(
            "SELECT block_number, block_hash FROM orderflow_blocks
             WHERE block_number BETWEEN $1 AND $2 AND NOT orphaned",
        )
        .bind(from)
        .bind(to)
        .fetch_all(&mut *connection)
        .await
        .during("read the blocks audited")?;
        let logs = sqlx::query(
            "SELECT block_number::bigint AS block_number, log_index::bigint AS log_index, false AS is_aside
             FROM orderflow_fills WHERE block_number BETWEEN $1 AND $2
             UNION
             SELECT block_number, log_index, false FROM orderflow_ledger_events
             WHERE block_number BETWEEN $1 AND $2 AND NOT orphaned
             UNION
             SELECT q.block_number, q.log_index, true
             FROM orderflow_quarantine q JOIN orderflow_blocks b USING (block_hash)
             WHERE q.block_number BETWEEN $1 AND $2 AND q.log_index >= 0 AND NOT b.orphaned",
        )
        .bind(from)
        .bind(to)
        .fetch_all(connection)
        .await
        .during("read the logs audited")?;
        let hash_of = |found| {
            Ok((row::unsigned(found, "block_number")?, row::text(found, "block_hash", "a block hash")?))
        };
        let (mut read, mut aside) = (BTreeSet::new(), BTreeSet::new());
        for found in &logs {
            let is_aside: bool = found.try_get("is_aside").during("read a column")?;
            let log = (row::unsigned(found, "block_number")?, row::unsigned(found, "log_index")?);
            if is_aside {
                aside.insert(log)
            } else {
                read.insert(log)
            };
        }
        let hashes = blocks.iter().map(hash_of).collect::<Result<_, StoreError>>()?;
        Ok(Self { hashes, read, aside })
    }

    /// All logs that left anything.
    fn logs(&self) -> BTreeSet<(u64, u32)> {
        self.read.union(&self.aside).copied().collect()
    }

    /// In what a second reading differs, and the blocks with what is missing from them.
    fn differences(&self, stretch: &Stretch<'_>) -> (Differences, Vec<Block>) {
        let mut late = vec![];
        let mut seen = BTreeSet::new();
        let mut replaced = BTreeSet::new();
        for block in stretch.blocks {
            seen.extend(kept_logs(block).map(|log| (block.number, log)));
            match self.hashes.get(&block.number) {
                Some(hash) if *hash != block.hash => {
                    replaced.insert(block.number);
                }
                _ => late.extend(self.missing_of(block)),
            }
        }
        let logs = self.logs();
        let surplus = logs.difference(&seen).filter(|(number, _)| !replaced.contains(number)).count();
        let missing = late.iter().map(|block| row::count(block.facts.len() + block.unreadable.len())).sum();
        (Differences { missing, surplus: row::count(surplus), replaced: row::count(replaced.len()) }, late)
    }

    /// What of a block is not there; `None` where nothing is missing. A log that is only kept aside is missing
    /// for as long as nobody could read it.
    fn missing_of(&self, block: &Block) -> Option<Block> {
        let is_unread = |log: u32| !self.read.contains(&(block.number, log));
        let is_unseen = |log: u32| is_unread(log) && !self.aside.contains(&(block.number, log));
        let facts: Vec<_> = block
            .facts
            .iter()
            .filter(|fact| is_kept(&fact.event) && is_unread(fact.place.log_index))
            .cloned()
            .collect();
        let unreadable: Vec<_> =
            block.unreadable.iter().filter(|log| log.log_index.is_some_and(is_unseen)).cloned().collect();
        let is_whole = facts.is_empty() && unreadable.is_empty();
        (!is_whole).then(|| Block { facts, unreadable, ..block.clone() })
    }
}

/// The logs of a block that leave a row under their index.
fn kept_logs(block: &Block) -> impl Iterator<Item = u32> {
    let facts = block.facts.iter().filter(|fact| is_kept(&fact.event)).map(|fact| fact.place.log_index);
    facts.chain(block.unreadable.iter().filter_map(|log| log.log_index))
}

fn is_kept(event: &ChainEvent) -> bool {
    matches!(event, ChainEvent::Fill(_)) || facts::is_ledger_event(event)
}

/// Notes an audit; one without differences grows the one below it, if that had none either.
async fn note(
    connection: &mut PgConnection,
    stretch: &Stretch<'_>,
    differences: Differences,
) -> Result<(), StoreError> {
    let Differences { missing, surplus, replaced } = differences;
    if differences == Differences::default() {
        let grown = sqlx::query(
            "UPDATE orderflow_audits SET last_block = $2, audited_at = now()
             WHERE last_block = $1 - 1 AND source = $3 AND missing = 0 AND surplus = 0 AND replaced = 0",
        )
        .bind(row::exact(stretch.from, "first_block")?)
        .bind(row::exact(stretch.through.number, "last_block")?)
        .bind(stretch.source)
        .execute(&mut *connection)
        .await
        .during("note an audit")?;
        if grown.rows_affected() > 0 {
            return Ok(());
        }
    }
    sqlx::query(
        "INSERT INTO orderflow_audits (first_block, last_block, source, missing, surplus, replaced)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(row::exact(stretch.from, "first_block")?)
    .bind(row::exact(stretch.through.number, "last_block")?)
    .bind(stretch.source)
    .bind(row::small(missing))
    .bind(row::small(surplus))
    .bind(row::small(replaced))
    .execute(connection)
    .await
    .map(|_| ())
    .during("note an audit")
}

/// Forgets that anything above a height was audited.
pub(crate) async fn cut(connection: &mut PgConnection, to: Point) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM orderflow_audits WHERE first_block > $1",
        "UPDATE orderflow_audits SET last_block = $1 WHERE last_block > $1",
    ] {
        sqlx::query(statement)
            .bind(row::signed(to.number))
            .execute(&mut *connection)
            .await
            .during("cut the audits")?;
    }
    if place(connection).await?.is_some_and(|place| place.number > to.number) {
        facts::set_point(connection, AUDIT, to).await?;
    }
    Ok(())
}
