//! What the executor did about what it decided. Every function is part of one transaction with the executor's cursor.

mod orders;
mod positions;

use domain::{Day, Timestamp};
use sqlx::PgConnection;

use crate::error::{During as _, StoreError};
use crate::row;

pub(crate) use orders::{bind_order, put_order};
pub use orders::{final_order, news, order};
pub use positions::{Missed, bid, lead, leaving, missed, position, reopened, settled};

/// Stores the account a UTC day began with in a mode.
///
/// # Errors
/// If the database refuses.
pub async fn day(connection: &mut PgConnection, day: &Day, mode: &str) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE orderflow_mode_accounts
         SET day = date '1970-01-01' + $1::int, day_result_usd = $2::bigint::numeric / 1000000,
             day_bankroll_usd = $3::bigint::numeric / 1000000
         WHERE mode = $4",
    )
    .bind(row::small(day.number))
    .bind(day.result.micros())
    .bind(day.bankroll.micros())
    .bind(mode)
    .execute(connection)
    .await
    .map(|_| ())
    .during("store the day's account")
}

/// Stores that the day's loss stopped entries in a mode.
///
/// # Errors
/// If the database refuses.
pub async fn halt(connection: &mut PgConnection, until: Timestamp, mode: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_mode_accounts SET halted_until = $1 WHERE mode = $2")
        .bind(until.to_offset_date_time())
        .bind(mode)
        .execute(connection)
        .await
        .map(|_| ())
        .during("store that entries are stopped")
}

/// Stores the losses in a row of a mode, and until when they stop entries.
///
/// # Errors
/// If the database refuses.
pub async fn losses(
    connection: &mut PgConnection,
    in_a_row: u32,
    cooling_until: Option<Timestamp>,
    mode: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_mode_accounts SET losses_in_a_row = $1, cooling_until = $2 WHERE mode = $3")
        .bind(row::small(in_a_row))
        .bind(cooling_until.map(Timestamp::to_offset_date_time))
        .bind(mode)
        .execute(connection)
        .await
        .map(|_| ())
        .during("store the losses in a row")
}
