//! The latches that outlive a restart.

use sqlx::{PgConnection, Row as _};

use crate::StoreError;
use crate::error::During as _;

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
