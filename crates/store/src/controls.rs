//! The latches that outlive a restart.

use domain::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::During as _;
use crate::{StoreError, row};

/// Says what this database is filled from, or finds that it is filled from something else.
///
/// # Errors
/// `ForeignSource` if the database belongs to another world, or if the database refuses.
pub async fn claim(connection: &mut PgConnection, source: &str) -> Result<(), StoreError> {
    let found: String =
        sqlx::query_scalar("UPDATE orderflow_controls SET source = coalesce(source, $1) RETURNING source")
            .bind(source)
            .fetch_one(connection)
            .await
            .during("claim the database")?;
    if found == source { Ok(()) } else { Err(StoreError::ForeignSource { found, wanted: source.to_owned() }) }
}

/// What a database filled from a tape belongs to.
pub const TAPE: &str = "a recorded tape";

/// What a database filled from a chain belongs to.
#[must_use]
pub fn chain(id: u64) -> String {
    format!("chain {id}")
}

/// Makes sure that the database is not a tape's: what runs by the clock has no business in the past.
///
/// # Errors
/// `ForeignSource` if it is, or if the database refuses.
pub async fn refuse_tape(connection: &mut PgConnection) -> Result<(), StoreError> {
    let found: Option<String> = sqlx::query_scalar("SELECT source FROM orderflow_controls")
        .fetch_one(connection)
        .await
        .during("read what the database is filled from")?;
    match found {
        Some(found) if found == TAPE => {
            Err(StoreError::ForeignSource { found, wanted: "the live chain".to_owned() })
        }
        _ => Ok(()),
    }
}

/// Pauses or resumes entries.
///
/// # Errors
/// If the database refuses.
pub async fn set_paused(connection: &mut PgConnection, paused: bool) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_controls SET paused = $1")
        .bind(paused)
        .execute(&mut *connection)
        .await
        .during("pause or resume")?;
    crate::announce(connection).await
}

/// Whether entries are paused.
///
/// # Errors
/// If the database refuses.
pub async fn paused(connection: &mut PgConnection) -> Result<bool, StoreError> {
    sqlx::query("SELECT paused FROM orderflow_controls")
        .fetch_one(connection)
        .await
        .during("read the controls")?
        .try_get("paused")
        .during("read a column")
}

/// The latches that a person sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latches {
    /// Whether entries are paused.
    pub paused: bool,
    /// Why all trading is stopped, until it is lifted.
    pub killed: Option<String>,
    /// When any of this was set last.
    pub since: Timestamp,
}

/// What a person asked to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseRequest {
    /// The request's number.
    pub id: i64,
    /// The position; `None` for all of them.
    pub position: Option<i64>,
    /// When it was asked for.
    pub asked: Timestamp,
}

/// The latches as they are.
///
/// # Errors
/// If the database refuses.
pub async fn latches(connection: &mut PgConnection) -> Result<Latches, StoreError> {
    let found = sqlx::query(
        "SELECT paused, CASE WHEN killed_at IS NOT NULL THEN coalesce(kill_reason, '') END AS killed,
                updated_at
             FROM orderflow_controls",
    )
    .fetch_one(connection)
    .await
    .during("read the controls")?;
    latches_of(&found)
}

fn latches_of(found: &PgRow) -> Result<Latches, StoreError> {
    Ok(Latches {
        paused: found.try_get("paused").during("read a column")?,
        killed: found.try_get("killed").during("read a column")?,
        since: row::time(found, "updated_at")?,
    })
}

/// Stops all trading until a person lifts it. The first reason stays.
///
/// # Errors
/// If the database refuses.
pub async fn kill(connection: &mut PgConnection, reason: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_controls SET killed_at = now(), kill_reason = $1 WHERE killed_at IS NULL")
        .bind(reason)
        .execute(&mut *connection)
        .await
        .during("stop all trading")?;
    crate::announce(connection).await
}

/// What a person lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// Whether a kill stood.
    pub was_killed: bool,
    /// How many [halts](crate::halts) by the venue's word stood.
    pub halts: u64,
}

/// Allows trading again, after a kill and after what the venue said.
///
/// # Errors
/// If the database refuses.
pub async fn lift(connection: &mut PgConnection) -> Result<Lifted, StoreError> {
    let lifted = sqlx::query(
        "UPDATE orderflow_controls SET killed_at = NULL, kill_reason = NULL WHERE killed_at IS NOT NULL",
    )
    .execute(&mut *connection)
    .await
    .during("allow trading again")?;
    let halts = crate::halts::lift(connection).await?;
    crate::announce(connection).await?;
    Ok(Lifted { was_killed: lifted.rows_affected() > 0, halts })
}

/// Asks for one position to be closed, or for all; says whether there was anything open to close.
///
/// # Errors
/// If the database refuses.
pub async fn request_close(connection: &mut PgConnection, position: Option<i64>) -> Result<bool, StoreError> {
    let asked = sqlx::query(
        "INSERT INTO orderflow_close_requests (position_id)
         SELECT $1 WHERE EXISTS (
             SELECT FROM orderflow_positions WHERE status = 'OPEN' AND id = coalesce($1, id)
             UNION ALL
             SELECT FROM orderflow_orders WHERE NOT is_final AND position_id = coalesce($1, position_id))",
    )
    .bind(position)
    .execute(&mut *connection)
    .await
    .during("ask for a position to be closed")?;
    crate::announce(connection).await?;
    Ok(asked.rows_affected() > 0)
}

/// What a person asked for: the latches as they are, and the requests that nobody has obeyed yet, oldest first.
///
/// # Errors
/// If the database refuses.
pub async fn wishes(connection: &mut PgConnection) -> Result<(Latches, Vec<CloseRequest>), StoreError> {
    let rows = sqlx::query(
        "SELECT c.paused, CASE WHEN c.killed_at IS NOT NULL THEN coalesce(c.kill_reason, '') END AS killed,
                c.updated_at, r.id, r.position_id, r.asked_at
         FROM orderflow_controls c LEFT JOIN orderflow_close_requests r ON r.obeyed_at IS NULL ORDER BY r.id",
    )
    .fetch_all(connection)
    .await
    .during("read what a person asked for")?;
    let latches = latches_of(rows.first().ok_or(sqlx::Error::RowNotFound).during("read the controls")?)?;
    let mut requests = vec![];
    for found in &rows {
        if let Some(id) = found.try_get("id").during("read a column")? {
            let position = found.try_get("position_id").during("read a column")?;
            requests.push(CloseRequest { id, position, asked: row::time(found, "asked_at")? });
        }
    }
    Ok((latches, requests))
}

/// Marks a request obeyed, in the transaction of what it led to.
///
/// # Errors
/// If the database refuses.
pub async fn obeyed(connection: &mut PgConnection, request: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_close_requests SET obeyed_at = now() WHERE id = $1")
        .bind(request)
        .execute(connection)
        .await
        .map(|_| ())
        .during("mark a request obeyed")
}
