//! Positions, how they end, and what is remembered of those that may be left.

use domain::{Ending, ExitReason, Position, Price, Settlement, Shares, Timestamp, TokenId, Usd};
use sqlx::PgConnection;

use crate::error::{During as _, StoreError};
use crate::row;

/// What leaving a position at a price bound would have realised, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The position.
    pub position: i64,
    /// Which bound.
    pub reason: ExitReason,
    /// When it was reached.
    pub at: Timestamp,
    /// The best bid.
    pub bid: Price,
    /// What a sale would have brought.
    pub proceeds: Usd,
    /// The position's result then.
    pub pnl: Usd,
}

/// Stores a position as it is now.
///
/// # Errors
/// If the database refuses.
pub async fn position(
    connection: &mut PgConnection,
    position: &Position,
    mode: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_positions
             (id, opened_at, mode, condition_id, event, token_id, outcome_index, shares, cost_usd, fee_usd,
              sold_shares, sold_usd)
         VALUES ($1, $2, $3, $4, $5, $6::text::numeric, $7, $8::bigint::numeric / 1000000,
                 $9::bigint::numeric / 1000000, $10::bigint::numeric / 1000000,
                 $11::bigint::numeric / 1000000, $12::bigint::numeric / 1000000)
         ON CONFLICT (id) DO UPDATE
         SET shares = excluded.shares, cost_usd = excluded.cost_usd, fee_usd = excluded.fee_usd,
             sold_shares = excluded.sold_shares, sold_usd = excluded.sold_usd",
    )
    .bind(position.id)
    .bind(position.opened.to_offset_date_time())
    .bind(mode)
    .bind(position.condition.to_string())
    .bind(&position.event)
    .bind(position.token.to_string())
    .bind(row::small(position.outcome))
    .bind(position.bought.micros())
    .bind(position.spent.micros())
    .bind(position.fee.micros())
    .bind(position.sold.micros())
    .bind(position.proceeds.micros())
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
    let status = match settlement.ending {
        Ending::Void => "VOID",
        Ending::Resolved | Ending::Sold if settlement.won() => "WON",
        Ending::Resolved | Ending::Sold => "LOST",
    };
    sqlx::query(
        "UPDATE orderflow_positions
         SET status = $2, closed_at = $3, proceeds_usd = $4::bigint::numeric / 1000000,
             pnl_usd = $5::bigint::numeric / 1000000, ending = $6
         WHERE id = $1",
    )
    .bind(settlement.id)
    .bind(status)
    .bind(settlement.at.to_offset_date_time())
    .bind(settlement.proceeds.micros())
    .bind(settlement.pnl.micros())
    .bind(settlement.ending.name())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store how a position ended")
}

/// Stores that a position has not ended after all.
///
/// # Errors
/// If the database refuses.
pub async fn reopened(connection: &mut PgConnection, position: i64) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE orderflow_positions
         SET status = 'OPEN', closed_at = NULL, proceeds_usd = NULL, pnl_usd = NULL, ending = NULL
         WHERE id = $1",
    )
    .bind(position)
    .execute(connection)
    .await
    .map(|_| ())
    .during("store that a position is open again")
}

/// Stores the best bid of a token that is held, or that it is not known any more.
///
/// # Errors
/// If the database refuses.
pub async fn bid(
    connection: &mut PgConnection,
    token: TokenId,
    bid: Option<Price>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE orderflow_positions SET bid_price = $2::bigint::numeric / 1000000
         WHERE token_id = $1::text::numeric AND status = 'OPEN'",
    )
    .bind(token.to_string())
    .bind(bid.map(row::price_micros))
    .execute(connection)
    .await
    .map(|_| ())
    .during("store a best bid")
}

/// Stores that a position is to be left, or without a reason that it is held after all.
///
/// # Errors
/// If the database refuses.
pub async fn leaving(
    connection: &mut PgConnection,
    position: i64,
    reason: Option<ExitReason>,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_exits (position_id, reason, since) VALUES ($1, $2, $3)
         ON CONFLICT (position_id) DO UPDATE SET reason = excluded.reason, since = excluded.since",
    )
    .bind(position)
    .bind(reason.map(ExitReason::name))
    .bind(reason.map(|_| at.to_offset_date_time()))
    .execute(connection)
    .await
    .map(|_| ())
    .during("store that a position is to be left")
}

/// Stores how many shares of its entry the wallet that a position follows has given up.
///
/// # Errors
/// If the database refuses.
pub async fn lead(connection: &mut PgConnection, position: i64, left: Shares) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_exits (position_id, whale_left) VALUES ($1, $2::bigint::numeric / 1000000)
         ON CONFLICT (position_id) DO UPDATE SET whale_left = excluded.whale_left",
    )
    .bind(position)
    .bind(left.micros())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store what a followed wallet gave up")
}

/// Stores what leaving a position at a price bound would have realised.
///
/// # Errors
/// If the database refuses.
pub async fn missed(connection: &mut PgConnection, missed: &Missed) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_counterfactuals
             (position_id, reason, reached_at, bid_price, proceeds_usd, pnl_usd)
         VALUES ($1, $2, $3, $4::bigint::numeric / 1000000, $5::bigint::numeric / 1000000,
                 $6::bigint::numeric / 1000000)
         ON CONFLICT DO NOTHING",
    )
    .bind(missed.position)
    .bind(missed.reason.name())
    .bind(missed.at.to_offset_date_time())
    .bind(row::price_micros(missed.bid))
    .bind(missed.proceeds.micros())
    .bind(missed.pnl.micros())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store what a price bound would have realised")
}
