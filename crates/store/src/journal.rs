//! What the executor decided and did. Every function is part of one transaction with the executor's cursor.

mod orders;
mod positions;

use domain::{Day, Signal, SignalKind, Timestamp, TokenId, Usd, Wallet};
use sqlx::PgConnection;

use crate::error::{During as _, StoreError};
use crate::row;

pub use orders::{final_order, news, order, sent};
pub use positions::{Missed, bid, lead, leaving, missed, position, reopened, settled};

/// Why something was not done, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusalRow<'a> {
    /// When.
    pub at: Timestamp,
    /// Of which kind of signal.
    pub kind: SignalKind,
    /// The signal that had been raised by then, if one had.
    pub signal: Option<i64>,
    /// Whose fill led to it.
    pub wallet: Wallet,
    /// Which token.
    pub token: TokenId,
    /// The dollars of the entry by then.
    pub notional: Usd,
    /// The name under which it is counted.
    pub reason: &'a str,
    /// A sentence with the numbers.
    pub detail: String,
}

/// Stores a signal.
///
/// # Errors
/// If the database refuses.
pub async fn signal(connection: &mut PgConnection, signal: &Signal) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_signals
             (id, created_at, signal_type, wallet_address, reputation_score, trader_tier, skill_kappa, skill_se,
              wallet_count, notional_usd, reference_price, condition_id, token_id, market_title, outcome,
              confidence_model, win_probability, confidence, market_price, expected_price, limit_price,
              kelly_fraction, kelly_applied, stake_usd, fee_rate)
         VALUES ($1, $2, $3, $4, $5::float8, $6, $7::float8, $8::float8, $9, $10::bigint::numeric / 1000000,
                 $11::bigint::numeric / 1000000, $12, $13::text::numeric, $14, $15, $16, $17::float8,
                 $18::float8, $19::bigint::numeric / 1000000, $20::bigint::numeric / 1000000,
                 $21::bigint::numeric / 1000000, $22::float8, $23::float8, $24::bigint::numeric / 1000000,
                 $25::bigint::numeric / 1000000)",
    )
    .bind(signal.id)
    .bind(signal.at.to_offset_date_time())
    .bind(signal.kind.name())
    .bind(signal.wallet.to_string())
    .bind(signal.score)
    .bind(signal.tier.name())
    .bind(signal.skill.kappa)
    .bind(signal.skill.standard_error)
    .bind(row::small(signal.wallets))
    .bind(signal.notional.micros())
    .bind(row::price_micros(signal.reference_price))
    .bind(signal.condition.to_string())
    .bind(signal.token.to_string())
    .bind(&signal.title)
    .bind(&signal.outcome)
    .bind(signal.model.name())
    .bind(signal.probability)
    .bind(signal.confidence)
    .bind(row::price_micros(signal.market_price))
    .bind(row::price_micros(signal.expected_price))
    .bind(row::price_micros(signal.limit_price))
    .bind(signal.kelly)
    .bind(signal.kelly_applied)
    .bind(signal.stake.micros())
    .bind(i64::from(signal.fee_rate_ppm))
    .execute(connection)
    .await
    .map(|_| ())
    .during("store a signal")
}

/// Stores a refusal; a signal it ends is marked refused.
///
/// # Errors
/// If the database refuses.
pub async fn refusal(connection: &mut PgConnection, refusal: &RefusalRow<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_refusals
             (created_at, signal_type, signal_id, wallet_address, token_id, notional_usd, reason, detail)
         VALUES ($1, $2, $3, $4, $5::text::numeric, $6::bigint::numeric / 1000000, $7, $8)",
    )
    .bind(refusal.at.to_offset_date_time())
    .bind(refusal.kind.name())
    .bind(refusal.signal)
    .bind(refusal.wallet.to_string())
    .bind(refusal.token.to_string())
    .bind(refusal.notional.micros())
    .bind(refusal.reason)
    .bind(&refusal.detail)
    .execute(&mut *connection)
    .await
    .during("store a refusal")?;
    let Some(signal) = refusal.signal else { return Ok(()) };
    sqlx::query("UPDATE orderflow_signals SET status = 'REFUSED' WHERE id = $1")
        .bind(signal)
        .execute(connection)
        .await
        .map(|_| ())
        .during("mark a signal refused")
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

/// Stores the losses in a row, and until when they stop entries.
///
/// # Errors
/// If the database refuses.
pub async fn losses(
    connection: &mut PgConnection,
    in_a_row: u32,
    cooling_until: Option<Timestamp>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_controls SET losses_in_a_row = $1, cooling_until = $2")
        .bind(row::small(in_a_row))
        .bind(cooling_until.map(Timestamp::to_offset_date_time))
        .execute(connection)
        .await
        .map(|_| ())
        .during("store the losses in a row")
}
