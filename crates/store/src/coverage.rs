//! Which blocks were read, and from whom: the proof that none is missing, or the list of those that are.

use std::ops::RangeInclusive;

use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::row;

/// How a range was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// From block to block, as they came.
    Live,
    /// As a settled range.
    History,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::History => "history",
        }
    }
}

/// Blocks that were read from one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Which.
    pub blocks: RangeInclusive<u64>,
    /// From whom, without what may be secret in its address.
    pub source: String,
    /// `live` or `history`.
    pub kind: String,
}

/// All that is covered, by height.
///
/// # Errors
/// If the database refuses.
pub async fn all(connection: &mut PgConnection) -> Result<Vec<Covered>, StoreError> {
    let rows = sqlx::query(
        "SELECT first_block::bigint AS first, last_block::bigint AS last, source, kind
         FROM orderflow_coverage ORDER BY first_block",
    )
    .fetch_all(connection)
    .await
    .during("read the coverage")?;
    rows.iter()
        .map(|found| {
            Ok(Covered {
                blocks: row::unsigned(found, "first")?..=row::unsigned(found, "last")?,
                source: row::string(found, "source")?,
                kind: row::string(found, "kind")?,
            })
        })
        .collect()
}

/// The parts of a range that are not covered, by height.
///
/// # Errors
/// If the database refuses.
pub async fn holes(
    connection: &mut PgConnection,
    from: u64,
    to: u64,
) -> Result<Vec<RangeInclusive<u64>>, StoreError> {
    gaps(
        connection,
        "SELECT first_block::bigint AS first, last_block::bigint AS last FROM orderflow_coverage
         WHERE last_block >= $1 AND first_block <= $2 ORDER BY first_block",
        from,
        to,
    )
    .await
}

/// What the ranges of a statement, by height, leave out of a range.
pub(crate) async fn gaps(
    connection: &mut PgConnection,
    ranges: &'static str,
    from: u64,
    to: u64,
) -> Result<Vec<RangeInclusive<u64>>, StoreError> {
    let rows = sqlx::query(ranges)
        .bind(row::signed(from))
        .bind(row::signed(to))
        .fetch_all(connection)
        .await
        .during("look for gaps")?;
    let ranges = rows
        .iter()
        .map(|found| Ok((row::unsigned(found, "first")?, row::unsigned(found, "last")?)))
        .collect::<Result<Vec<(u64, u64)>, StoreError>>()?;
    Ok(left_out(&ranges, from, to))
}

/// What ranges, by height, leave out of a range.
pub(crate) fn left_out(ranges: &[(u64, u64)], from: u64, to: u64) -> Vec<RangeInclusive<u64>> {
    let mut gaps = vec![];
    let mut next = from;
    for (first, last) in ranges {
        if next < *first {
            gaps.push(next..=first - 1);
        }
        next = next.max(last.saturating_add(1));
    }
    if next <= to {
        gaps.push(next..=to);
    }
    gaps
}

/// Marks a range as covered. Where it continues what the same source has read in the same way, that grows;
/// a range that overlaps what is covered is refused by the database.
pub(crate) async fn extend(
    connection: &mut PgConnection,
    blocks: RangeInclusive<u64>,
    source: &str,
    kind: Kind,
) -> Result<(), StoreError> {
    let (first, last) =
        (row::exact(*blocks.start(), "first_block")?, row::exact(*blocks.end(), "last_block")?);
    let grown = sqlx::query(
        "UPDATE orderflow_coverage SET last_block = $2, covered_at = now()
         WHERE last_block = $1 - 1 AND source = $3 AND kind = $4",
    )
    .bind(first)
    .bind(last)
    .bind(source)
    .bind(kind.name())
    .execute(&mut *connection)
    .await
    .during("extend the coverage")?;
    if grown.rows_affected() > 0 {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO orderflow_coverage (first_block, last_block, source, kind) VALUES ($1, $2, $3, $4)",
    )
    .bind(first)
    .bind(last)
    .bind(source)
    .bind(kind.name())
    .execute(connection)
    .await
    .map(|_| ())
    .during("note what is covered")
}

/// Forgets that anything above a height was covered.
pub(crate) async fn cut(connection: &mut PgConnection, to: u64) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM orderflow_coverage WHERE first_block > $1",
        "UPDATE orderflow_coverage SET last_block = $1 WHERE last_block > $1",
    ] {
        sqlx::query(statement)
            .bind(row::signed(to))
            .execute(&mut *connection)
            .await
            .during("cut the coverage")?;
    }
    Ok(())
}

/// The last block covered, if any is.
///
/// # Errors
/// If the database refuses.
pub async fn end(connection: &mut PgConnection) -> Result<Option<u64>, StoreError> {
    let found = sqlx::query("SELECT max(last_block)::bigint AS last FROM orderflow_coverage")
        .fetch_one(connection)
        .await
        .during("read the coverage's end")?;
    let last: Option<i64> = found.try_get("last").during("read a column")?;
    last.map(|_| row::unsigned(&found, "last")).transpose()
}

/// Joins neighbours that were read from the same source in the same way, within a transaction.
///
/// # Errors
/// If the database refuses.
pub async fn join(connection: &mut PgConnection) -> Result<(), StoreError> {
    for statement in [
        // Nobody else may cover anything between the reading and the writing.
        "LOCK TABLE orderflow_coverage IN SHARE ROW EXCLUSIVE MODE",
        "CREATE TEMPORARY TABLE joined ON COMMIT DROP AS
         SELECT min(first_block) AS first_block, max(last_block) AS last_block, source, kind,
                max(covered_at) AS covered_at
         FROM (SELECT *, sum(begins) OVER (ORDER BY first_block) AS island
               FROM (SELECT *, CASE WHEN lag(last_block) OVER w = first_block - 1 AND lag(source) OVER w = source
                                     AND lag(kind) OVER w = kind THEN 0 ELSE 1 END AS begins
                     FROM orderflow_coverage WINDOW w AS (ORDER BY first_block)) AS marked) AS islands
         GROUP BY island, source, kind",
        "DELETE FROM orderflow_coverage",
        "INSERT INTO orderflow_coverage (first_block, last_block, source, kind, covered_at)
         SELECT first_block, last_block, source, kind, covered_at FROM joined",
    ] {
        sqlx::query(statement).execute(&mut *connection).await.during("join the coverage")?;
    }
    Ok(())
}
