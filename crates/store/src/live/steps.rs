//! When each step of an order was taken, for whoever wants to know where its time went.

use domain::Timestamp;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::row;

/// When an order to open a position went through its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Its hash, the venue's name for it.
    pub hash: String,
    /// The block with the fill that it follows; `None` where that was read as history, or taken back.
    pub block: Option<u64>,
    /// When the listener had that block, about to store it.
    pub learned: Timestamp,
    /// When its book was known and it was decided.
    pub decided: Timestamp,
    /// When it was signed, about to be stored and sent.
    pub signed: Timestamp,
}

/// The steps of every order that was signed to open a position, in their order.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn steps(connection: &mut PgConnection) -> Result<Vec<Steps>, StoreError> {
    let rows = sqlx::query(
        "SELECT s.order_hash, s.learned_at, o.created_at, s.signed_at,
                (SELECT max(t.block_number) FROM orderflow_outbox b
                 JOIN orderflow_trades t ON t.block_number = b.block_number
                 WHERE b.kind = 'block' AND b.learned_at = s.learned_at
                   AND t.wallet_address = g.wallet_address AND t.token_id = g.token_id) AS block_number
         FROM orderflow_signed_orders s
         JOIN orderflow_orders o ON o.id = s.order_id
         JOIN orderflow_signals g ON g.id = o.position_id
         WHERE o.purpose = 'ENTER' ORDER BY s.order_id",
    )
    .fetch_all(connection)
    .await
    .during("read the steps of orders")?;
    rows.iter()
        .map(|found| {
            let block: Option<i64> = found.try_get("block_number").during("read a column")?;
            Ok(Steps {
                hash: row::string(found, "order_hash")?,
                block: block.and_then(|number| u64::try_from(number).ok()),
                learned: row::time(found, "learned_at")?,
                decided: row::time(found, "created_at")?,
                signed: row::time(found, "signed_at")?,
            })
        })
        .collect()
}
