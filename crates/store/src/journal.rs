//! What the executor did about what it decided. Every function is part of one transaction with the executor's cursor.

use domain::{Day, Order, Position, Report, Settlement, Timestamp};
use sqlx::PgConnection;

use crate::error::{During as _, StoreError};
use crate::row;

/// Stores an order before anything is sent.
///
/// # Errors
/// If the database refuses.
pub async fn order(connection: &mut PgConnection, order: &Order, mode: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_orders (id, created_at, mode, condition_id, token_id, limit_price, stake_usd)
         VALUES ($1, $2, $3, $4, $5::text::numeric, $6::bigint::numeric / 1000000,
                 $7::bigint::numeric / 1000000)",
    )
    .bind(order.id)
    .bind(order.at.to_offset_date_time())
    .bind(mode)
    .bind(order.condition.to_string())
    .bind(order.token.to_string())
    .bind(row::price_micros(order.limit))
    .bind(order.stake.micros())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store an order")
}

/// Stores what became of an order.
///
/// # Errors
/// If the database refuses.
pub async fn report(connection: &mut PgConnection, report: &Report) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE orderflow_orders
         SET status = $2, filled_shares = $3::bigint::numeric / 1000000,
             filled_usd = $4::bigint::numeric / 1000000, fee_usd = $5::bigint::numeric / 1000000
         WHERE id = $1",
    )
    .bind(report.order)
    .bind(if report.shares.is_positive() { "FILLED" } else { "UNFILLED" })
    .bind(report.shares.micros())
    .bind(report.usd.micros())
    .bind(report.fee.micros())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store what became of an order")
}

/// Stores a position.
///
/// # Errors
/// If the database refuses.
pub async fn opened(
    connection: &mut PgConnection,
    position: &Position,
    mode: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_positions
             (id, opened_at, mode, condition_id, event, token_id, outcome_index, shares, cost_usd, fee_usd)
         VALUES ($1, $2, $3, $4, $5, $6::text::numeric, $7, $8::bigint::numeric / 1000000,
                 $9::bigint::numeric / 1000000, $10::bigint::numeric / 1000000)",
    )
    .bind(position.id)
    .bind(position.opened.to_offset_date_time())
    .bind(mode)
    .bind(position.condition.to_string())
    .bind(&position.event)
    .bind(position.token.to_string())
    .bind(row::small(position.outcome))
    .bind(position.shares.micros())
    .bind(position.cost.micros())
    .bind(position.fee.micros())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store a position")
}

/// Stores how a position ended; its signal follows by itself.
///
/// # Errors
/// If the database refuses.
pub async fn settled(connection: &mut PgConnection, settlement: &Settlement) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE orderflow_positions
         SET status = $2, closed_at = $3, proceeds_usd = $4::bigint::numeric / 1000000,
             pnl_usd = $5::bigint::numeric / 1000000
         WHERE id = $1",
    )
    .bind(settlement.id)
    .bind(if settlement.won() { "WON" } else { "LOST" })
    .bind(settlement.at.to_offset_date_time())
    .bind(settlement.proceeds.micros())
    .bind(settlement.pnl.micros())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store how a position ended")
}

/// Stores the account a UTC day began with.
///
/// # Errors
/// If the database refuses.
pub async fn day(connection: &mut PgConnection, day: &Day) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE orderflow_controls
         SET day = date '1970-01-01' + $1::int, day_result_usd = $2::bigint::numeric / 1000000,
             day_bankroll_usd = $3::bigint::numeric / 1000000",
    )
    .bind(row::small(day.number))
    .bind(day.result.micros())
    .bind(day.bankroll.micros())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store the day's account")
}

/// Stores that the day's loss stopped entries.
///
/// # Errors
/// If the database refuses.
pub async fn halt(connection: &mut PgConnection, until: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_controls SET halted_until = $1")
        .bind(until.to_offset_date_time())
        .execute(connection)
        .await
        .map(|_| ())
        .during("store that entries are stopped")
}
