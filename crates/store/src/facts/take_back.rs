//! Taking back what a reorganisation of the chain undid. Nothing is deleted: it moves to where it is marked.

use domain::Timestamp;
use sqlx::PgConnection;

use super::{Point, place};
use crate::error::{During as _, StoreError};
use crate::{announce, audit, coverage, row, take_turn};

/// Takes back everything above a height: its rows are marked orphaned, its results undone, the readers told;
/// how many blocks that were.
pub(super) async fn revert(
    connection: &mut PgConnection,
    writer: &str,
    to: Point,
    learned: Timestamp,
) -> Result<u64, StoreError> {
    take_turn(connection).await?;
    let height = row::signed(to.number);
    for (statement, operation) in [
        ("SET LOCAL orderflow.moving = 'on'", "announce that fills move"),
        // The view knows a fill's block as long as the block counts.
        (
            "INSERT INTO orderflow_orphaned_trades
             SELECT block_hash, log_index, block_number, block_time, tx_hash, exchange, wallet_address,
                    counterparty_address, role, side, token_id, shares, usd, price, fee, fee_asset
             FROM orderflow_trades WHERE block_number > $1 AND NOT orphaned
             ON CONFLICT DO NOTHING",
            "keep the fills taken back",
        ),
        ("DELETE FROM orderflow_fills WHERE block_number > $1", "take fills back"),
        ("DELETE FROM orderflow_block_txs WHERE block_number > $1", "take transactions back"),
        (
            "UPDATE orderflow_markets SET payout_numerators = NULL, resolved_at = NULL
             WHERE condition_id IN (SELECT condition_id FROM orderflow_ledger_events
                                    WHERE kind = 'resolution' AND block_number > $1 AND NOT orphaned)",
            "take results back",
        ),
        (
            "UPDATE orderflow_ledger_events SET orphaned = true WHERE block_number > $1 AND NOT orphaned",
            "orphan ledger events",
        ),
    ] {
        let query = sqlx::query(statement);
        let query = if statement.contains("$1") { query.bind(height) } else { query };
        query.execute(&mut *connection).await.during(operation)?;
    }
    let orphaned =
        sqlx::query("UPDATE orderflow_blocks SET orphaned = true WHERE block_number > $1 AND NOT orphaned")
            .bind(height)
            .execute(&mut *connection)
            .await
            .during("orphan blocks")?
            .rows_affected();
    coverage::cut(connection, to.number).await?;
    audit::cut(connection, to).await?;
    sqlx::query("INSERT INTO orderflow_outbox (learned_at, kind, block_number) VALUES ($1, 'reverted', $2)")
        .bind(learned.to_offset_date_time())
        .bind(height)
        .execute(&mut *connection)
        .await
        .during("tell of a reorganisation")?;
    place::set_point(connection, writer, to).await?;
    announce(connection).await?;
    Ok(orphaned)
}
