//! How things stand with the facts: what is covered, what it costs, and what went wrong.

use domain::Timestamp;
use serde_json::Value;
use sqlx::{PgConnection, Row as _};

use crate::StoreError;
use crate::error::During as _;

/// The state of the listener's part of the database as one JSON object; see the statement for its fields.
///
/// # Errors
/// If the database refuses.
pub async fn listener(connection: &mut PgConnection, now: Timestamp) -> Result<Value, StoreError> {
    let text: String = sqlx::query_scalar(include_str!("status/listener.sql"))
        .bind(now.to_offset_date_time())
        .fetch_one(connection)
        .await
        .during("read the listener's state")?;
    serde_json::from_str(&text).map_err(|_| StoreError::Corrupt {
        column: "status",
        value: text.chars().take(80).collect(),
        expected: "a JSON object",
    })
}

/// What fills take on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnDisk {
    /// How many they are.
    pub fills: i64,
    /// Bytes of their rows and all indexes, and of what is kept for their blocks' sake.
    pub bytes: i64,
    /// Bytes of the wallets and tokens they name.
    pub names: i64,
}

/// Measures what fills take on disk. They are counted, so not for every second.
///
/// # Errors
/// If the database refuses.
pub async fn fills_on_disk(connection: &mut PgConnection) -> Result<OnDisk, StoreError> {
    let found = sqlx::query(
        "SELECT (SELECT count(*) FROM orderflow_fills) AS fills,
                (SELECT coalesce(sum(pg_total_relation_size(i.inhrelid)), 0)::bigint FROM pg_inherits i
                 WHERE i.inhparent = 'orderflow_fills'::regclass)
                + pg_total_relation_size('orderflow_block_txs') + pg_total_relation_size('orderflow_blocks')
                + pg_total_relation_size('orderflow_outbox')
                + pg_total_relation_size('orderflow_coverage') AS bytes,
                pg_total_relation_size('orderflow_wallets') + pg_total_relation_size('orderflow_tokens') AS names",
    )
    .fetch_one(connection)
    .await
    .during("measure the fills")?;
    let column = |name| found.try_get::<i64, _>(name).during("read a column");
    Ok(OnDisk { fills: column("fills")?, bytes: column("bytes")?, names: column("names")? })
}
