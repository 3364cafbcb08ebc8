//! An order's intent: all that must be known of it before it is sent, in one statement, because a whale's fill waits for
//! it.

use domain::{Order, Timestamp};
use sqlx::PgConnection;

use super::SignedRow;
use crate::error::{During as _, StoreError};
use crate::journal;
use crate::recording::{self, Step};

/// What is stored of an order before it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Intent<'a> {
    /// The order.
    pub order: &'a Order,
    /// `live`, or what else it is traded in.
    pub mode: &'a str,
    /// Its bytes.
    pub signed: &'a SignedRow,
    /// When what it acts on was learned.
    pub learned: Timestamp,
    /// The reader that decided it, and how far in the outbox it has come.
    pub reader: &'a str,
    /// See `reader`.
    pub seq: i64,
    /// What the engine was told since it was last recorded.
    pub steps: &'a [(Timestamp, Step)],
}

/// Stores an order with the bytes that are to be sent, what led to it, and the place at which it was decided.
///
/// # Errors
/// If the database refuses.
pub async fn intent(connection: &mut PgConnection, intent: &Intent<'_>) -> Result<(), StoreError> {
    const STATEMENT: &str = concat!(
        "WITH kept AS (",
        journal::put_order!(", order_hash, sent_at", ", $17, $20"),
        "), signed AS (
             INSERT INTO orderflow_signed_orders (order_id, order_hash, body, maker, signed_at, learned_at)
             VALUES ($1, $17, $18, $19, $20, $21)), steps AS (",
        recording::put_steps!("$24", "$25", "$26", "$27", "$28"),
        ")
         INSERT INTO orderflow_cursors (name, seq) VALUES ($22, $23)
         ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, as_of = NULL, settings = NULL"
    );
    let query = journal::bind_order(sqlx::query(STATEMENT), intent.order, intent.mode)
        .bind(&intent.signed.hash)
        .bind(&intent.signed.body)
        .bind(intent.signed.maker.to_string())
        .bind(intent.signed.at.to_offset_date_time())
        .bind(intent.learned.to_offset_date_time())
        .bind(intent.reader)
        .bind(intent.seq);
    recording::bind_steps(query, intent.steps)
        .execute(connection)
        .await
        .map(|_| ())
        .during("store a signed order")
}
