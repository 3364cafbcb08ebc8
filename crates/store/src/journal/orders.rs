//! Orders, and what the venue says of them: told twice, late or out of order, the rows come to the same.

use domain::{Closing, Execution, Order, OrderEvent, OrderNews, Side, Timestamp, TradeId};
use sqlx::PgConnection;

use crate::Statement;
use crate::error::{During as _, StoreError};
use crate::row;

/// The statement that stores an order; its parameters are those that [`bind_order`] binds. `$columns` and `$values` are what
/// else is stored with it.
macro_rules! put_order {
    ($columns:literal, $values:literal) => {
        concat!(
            "INSERT INTO orderflow_orders
                 (id, position_id, created_at, mode, condition_id, event, token_id, outcome_index, side, purpose,
                  limit_price, stake_usd, offered_shares, time_in_force, expires_at, fee_rate",
            $columns,
            ")
             VALUES ($1, $2, $3, $4, $5, $6, $7::text::numeric, $8, $9, $10, $11::bigint::numeric / 1000000,
                     $12::bigint::numeric / 1000000, $13::bigint::numeric / 1000000, $14, $15,
                     $16::bigint::numeric / 1000000",
            $values,
            ")"
        )
    };
}
pub(crate) use put_order;

/// Stores an order on paper, or one that will never be sent.
///
/// # Errors
/// If the database refuses.
pub async fn order(connection: &mut PgConnection, order: &Order, mode: &str) -> Result<(), StoreError> {
    bind_order(sqlx::query(put_order!("", "")), order, mode)
        .execute(connection)
        .await
        .map(|_| ())
        .during("store an order")
}

/// Binds the columns of an order.
pub(crate) fn bind_order<'q>(query: Statement<'q>, order: &'q Order, mode: &'q str) -> Statement<'q> {
    query
        .bind(order.id)
        .bind(order.position)
        .bind(order.at.to_offset_date_time())
        .bind(mode)
        .bind(order.condition.to_string())
        .bind(&order.event)
        .bind(order.token.to_string())
        .bind(row::small(order.outcome))
        .bind(match order.side() {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        })
        .bind(order.purpose.name())
        .bind(row::price_micros(order.limit))
        .bind(order.stake().micros())
        .bind(order.offered().micros())
        .bind(order.force.name())
        .bind(order.force.until().map(Timestamp::to_offset_date_time))
        .bind(i64::from(order.fee_rate_ppm))
}

/// Stores what the venue said of an order.
///
/// # Errors
/// If the database refuses.
pub async fn news(connection: &mut PgConnection, news: &OrderNews) -> Result<(), StoreError> {
    match &news.what {
        OrderEvent::Accepted => accepted(connection, news).await?,
        OrderEvent::Filled(execution) => filled(connection, news, execution).await?,
        OrderEvent::Corrected(execution) => corrected(connection, news, execution).await?,
        OrderEvent::Confirmed(trade) => ended(connection, news, trade, "CONFIRMED").await?,
        OrderEvent::Failed(trade) => ended(connection, news, trade, "FAILED").await?,
        OrderEvent::Closed { why, matched } => {
            let detail = match why {
                Closing::Rejected { reason } => Some(reason.as_str()),
                _ => None,
            };
            sqlx::query(
                "UPDATE orderflow_orders
                 SET closed_at = coalesce(closed_at, $2), closing_detail = coalesce(closing_detail, $4),
                     closing = coalesce(closing, $3),
                     matched_shares = greatest(matched_shares, $5::bigint::numeric / 1000000)
                 WHERE id = $1",
            )
            .bind(news.order)
            .bind(news.at.to_offset_date_time())
            .bind(why.name())
            .bind(detail)
            .bind(matched.micros())
            .execute(&mut *connection)
            .await
            .during("store that an order is closed")?;
        }
    }
    sum_up(connection, news.order).await
}

/// Stores that nothing about an order can change any more.
///
/// # Errors
/// If the database refuses.
pub async fn final_order(connection: &mut PgConnection, order: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_orders SET is_final = true WHERE id = $1")
        .bind(order)
        .execute(connection)
        .await
        .map(|_| ())
        .during("store that an order is final")
}

async fn accepted(connection: &mut PgConnection, news: &OrderNews) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_orders SET accepted_at = coalesce(accepted_at, $2) WHERE id = $1")
        .bind(news.order)
        .bind(news.at.to_offset_date_time())
        .execute(connection)
        .await
        .map(|_| ())
        .during("store that an order is accepted")
}

/// A match with its amounts, as the venue reports it or as the chain has it: the same row either way.
async fn put_match(
    connection: &mut PgConnection,
    statement: &'static str,
    news: &OrderNews,
    execution: &Execution,
) -> Result<(), sqlx::Error> {
    sqlx::query(statement)
        .bind(news.order)
        .bind(&execution.trade.0)
        .bind(news.at.to_offset_date_time())
        .bind(execution.shares.micros())
        .bind(execution.usd.micros())
        .bind(execution.fee.micros())
        .execute(connection)
        .await
        .map(|_| ())
}

async fn filled(
    connection: &mut PgConnection,
    news: &OrderNews,
    execution: &Execution,
) -> Result<(), StoreError> {
    let statement = "INSERT INTO orderflow_executions AS known
             (order_id, trade_id, matched_at, shares, usd, fee_usd)
         VALUES ($1, $2, $3, $4::bigint::numeric / 1000000, $5::bigint::numeric / 1000000,
                 $6::bigint::numeric / 1000000)
         ON CONFLICT (order_id, trade_id) DO UPDATE
         SET matched_at = excluded.matched_at, shares = excluded.shares, usd = excluded.usd,
             fee_usd = excluded.fee_usd
         WHERE known.shares IS NULL";
    put_match(connection, statement, news, execution).await.during("store a match")
}

/// What the chain says counts; what the venue's report made of it stays beside it.
async fn corrected(
    connection: &mut PgConnection,
    news: &OrderNews,
    execution: &Execution,
) -> Result<(), StoreError> {
    let statement = "INSERT INTO orderflow_executions AS known
             (order_id, trade_id, matched_at, shares, usd, fee_usd, chain_at)
         VALUES ($1, $2, $3, $4::bigint::numeric / 1000000, $5::bigint::numeric / 1000000,
                 $6::bigint::numeric / 1000000, $3)
         ON CONFLICT (order_id, trade_id) DO UPDATE
         SET matched_at = coalesce(known.matched_at, excluded.matched_at), chain_at = excluded.chain_at,
             shares = excluded.shares, usd = excluded.usd, fee_usd = excluded.fee_usd,
             told_shares = coalesce(known.told_shares, known.shares),
             told_usd = coalesce(known.told_usd, known.usd), told_fee = coalesce(known.told_fee, known.fee_usd)";
    put_match(connection, statement, news, execution).await.during("store what the chain says of a match")
}

/// What is known of a match only grows: matched, confirmed, failed.
async fn ended(
    connection: &mut PgConnection,
    news: &OrderNews,
    trade: &TradeId,
    status: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_executions AS known (order_id, trade_id, status, settled_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (order_id, trade_id) DO UPDATE
         SET status = excluded.status, settled_at = excluded.settled_at
         WHERE known.status = 'MATCHED' OR known.status = 'CONFIRMED' AND excluded.status = 'FAILED'",
    )
    .bind(news.order)
    .bind(&trade.0)
    .bind(status)
    .bind(news.at.to_offset_date_time())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store how a match ended")
}

/// The order's totals are those of its matches that did not fail.
async fn sum_up(connection: &mut PgConnection, order: i64) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE orderflow_orders o
         SET filled_shares = t.shares, filled_usd = t.usd, fee_usd = t.fee,
             status = CASE WHEN t.shares > 0 THEN 'FILLED' WHEN o.closing IS NULL THEN 'PENDING' ELSE 'UNFILLED' END
         FROM (SELECT coalesce(sum(shares), 0) AS shares, coalesce(sum(usd), 0) AS usd,
                      coalesce(sum(fee_usd), 0) AS fee
               FROM orderflow_executions WHERE order_id = $1 AND status <> 'FAILED') AS t
         WHERE o.id = $1",
    )
    .bind(order)
    .execute(connection)
    .await
    .map(|_| ())
    .during("sum an order's matches up")
}
