//! What the executor needs to go on where it was: exactly what its last commit left.

mod orders;
mod positions;

use domain::{ConditionId, Day, Fill, Payouts, Price, Shares, SignalKind, Timestamp, TokenId, Usd, Wallet};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::{facts, row};

pub use orders::{SentOrder, orders};
pub use positions::{ExitRow, KeptPosition, exits};

/// The executor's books as they stood.
#[derive(Clone, Debug, PartialEq)]
pub struct Books {
    /// The number of the last signal; 0 before the first.
    pub last_signal: i64,
    /// The number of the last order; 0 before the first.
    pub last_order: i64,
    /// The result of the positions that are over for good.
    pub realized: Usd,
    /// The positions that are open, or have ended while something may still become known of their orders.
    pub positions: Vec<KeptPosition>,
    /// The orders about which something may still become known.
    pub orders: Vec<SentOrder>,
    /// The last price of each of those positions' tokens up to the executor's place.
    pub prints: Vec<(TokenId, Price)>,
    /// What is remembered of leaving them.
    pub exits: Vec<ExitRow>,
    /// The account of the current day.
    pub day: Option<Day>,
    /// Until when the day's loss stops entries.
    pub halted_until: Option<Timestamp>,
    /// Positions that lost since the last that won.
    pub losses_in_a_row: u32,
    /// Until when they stop entries.
    pub cooling_until: Option<Timestamp>,
}

/// A candidate that was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Which signal.
    pub kind: SignalKind,
    /// Whose entry.
    pub wallet: Wallet,
    /// Which token.
    pub token: TokenId,
    /// The dollars of the entry by then.
    pub notional: Usd,
    /// When.
    pub at: Timestamp,
    /// Whether a signal was raised.
    pub raised: bool,
}

/// The executor's books of one mode; `seq` is its place in the outbox. What was won or lost in the other mode is not
/// part of them, and neither is its day's account.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn books(connection: &mut PgConnection, seq: i64, mode: &str) -> Result<Books, StoreError> {
    let positions = positions::positions(connection).await?;
    let totals = sqlx::query(
        "SELECT (SELECT coalesce(max(id), 0) FROM orderflow_signals) AS last_signal,
                (SELECT coalesce(max(id), 0) FROM orderflow_orders) AS last_order,
                (SELECT coalesce(sum(pnl_usd) * 1000000, 0)::bigint FROM orderflow_positions p
                 WHERE p.mode = $1 AND NOT EXISTS
                    (SELECT FROM orderflow_orders o WHERE o.position_id = p.id AND NOT o.is_final)) AS realized",
    )
    .bind(mode)
    .fetch_one(&mut *connection)
    .await
    .during("read results")?;
    let account = sqlx::query(
        "SELECT halted_until, (day - date '1970-01-01')::bigint AS day,
                (day_result_usd * 1000000)::bigint AS result, (day_bankroll_usd * 1000000)::bigint AS bankroll,
                losses_in_a_row::bigint AS losses, cooling_until
         FROM orderflow_mode_accounts WHERE mode = $1",
    )
    .bind(mode)
    .fetch_one(&mut *connection)
    .await
    .during("read the day's account")?;
    let day: Option<i64> = account.try_get("day").during("read a column")?;
    let day = match day {
        None => None,
        Some(number) => Some(Day {
            number,
            result: row::usd(&account, "result")?,
            bankroll: row::usd(&account, "bankroll")?,
        }),
    };
    let mut prints = vec![];
    for kept in &positions {
        let print = positions::last_price(connection, &kept.position, seq).await?;
        prints.extend(print.map(|price| (kept.position.token, price)));
    }
    Ok(Books {
        last_signal: totals.try_get("last_signal").during("read a column")?,
        last_order: totals.try_get("last_order").during("read a column")?,
        realized: row::usd(&totals, "realized")?,
        positions,
        orders: orders::orders(connection).await?,
        prints,
        exits: positions::exits(connection, seq).await?,
        day,
        halted_until: row::maybe_time(&account, "halted_until")?,
        losses_in_a_row: row::unsigned(&account, "losses")?,
        cooling_until: row::maybe_time(&account, "cooling_until")?,
    })
}

/// The fills up to the executor's place that happened since `since`, in the order they became known.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn recent_fills(
    connection: &mut PgConnection,
    seq: i64,
    since: Timestamp,
) -> Result<Vec<(Fill, Timestamp)>, StoreError> {
    let rows = sqlx::query(facts::select_fills!(
        "CROSS JOIN LATERAL (SELECT orderflow_told(b.block_hash, f.log_index, $1) AS seq) AS told
         WHERE told.seq <= $1 AND b.block_time >= $2
           -- Says which partitions need not be looked at.
           AND f.block_number >= (SELECT min(n.block_number) FROM orderflow_blocks n
                                  WHERE NOT n.orphaned AND n.block_time >= $2)
         ORDER BY told.seq, f.log_index"
    ))
    .bind(seq)
    .bind(since.to_offset_date_time())
    .fetch_all(connection)
    .await
    .during("read recent fills")?;
    rows.iter().map(|found| Ok((facts::fill_of(found)?, row::time(found, "block_time")?))).collect()
}

/// The fills of some wallets from `since` on and before `until`, as they were known at the executor's place, in the order
/// in which they were told.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn fills_of(
    connection: &mut PgConnection,
    seq: i64,
    wallets: &[Wallet],
    since: Timestamp,
    until: Timestamp,
) -> Result<Vec<(Fill, Timestamp)>, StoreError> {
    let wallets: Vec<String> = wallets.iter().map(ToString::to_string).collect();
    let rows = sqlx::query(facts::select_fills!(
        "JOIN (SELECT DISTINCT unnest($4::text[]) AS address) AS wanted ON wanted.address = w.address
         -- When a fill was told is dear to find, and asked of these wallets' alone.
         CROSS JOIN LATERAL (SELECT CASE WHEN wanted.address IS NOT NULL
                                         THEN orderflow_told(b.block_hash, f.log_index, $1) END AS seq) AS told
         WHERE told.seq <= $1 AND b.block_time >= $2 AND b.block_time < $3
           -- Says which partitions need not be looked at.
           AND f.block_number >= (SELECT min(n.block_number) FROM orderflow_blocks n
                                  WHERE NOT n.orphaned AND n.block_time >= $2)
         ORDER BY told.seq, f.log_index"
    ))
    .bind(seq)
    .bind(since.to_offset_date_time())
    .bind(until.to_offset_date_time())
    .bind(wallets)
    .fetch_all(connection)
    .await
    .during("read what some wallets traded")?;
    rows.iter().map(|found| Ok((facts::fill_of(found)?, row::time(found, "block_time")?))).collect()
}

/// The dollars and shares that were traded of each token in each quarter of an hour since `since`, as it was known at the
/// executor's place. Each match counts once, as its taker's.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn volumes(
    connection: &mut PgConnection,
    seq: i64,
    since: Timestamp,
) -> Result<Vec<(TokenId, Timestamp, Usd, Shares)>, StoreError> {
    let rows = sqlx::query(
        "WITH known AS MATERIALIZED (
             SELECT b.block_number, date_bin('15 minutes', b.block_time, timestamptz 'epoch') AS quarter
             FROM orderflow_blocks b
             WHERE NOT b.orphaned AND b.block_time >= $2
               AND coalesce((SELECT max(o.seq) FROM orderflow_outbox o
                             WHERE o.kind = 'block' AND o.block_hash = b.block_hash), 0) <= $1
               AND NOT EXISTS (SELECT FROM orderflow_outbox o
                               WHERE o.kind = 'history' AND o.seq > $1
                                 AND b.block_number BETWEEN o.first_block AND o.block_number))
         SELECT k.token_id::text AS token_id, t.quarter, t.usd, t.shares
         FROM (SELECT f.token, b.quarter, sum(f.usd)::bigint AS usd, sum(f.shares)::bigint AS shares
               FROM known b JOIN orderflow_fills f ON f.block_number = b.block_number
               WHERE f.kind & 8 <> 0
                 -- Says which partitions need not be looked at.
                 AND f.block_number >= (SELECT min(block_number) FROM known)
               GROUP BY f.token, b.quarter) AS t
         JOIN orderflow_tokens k ON k.id = t.token",
    )
    .bind(seq)
    .bind(since.to_offset_date_time())
    .fetch_all(connection)
    .await
    .during("read what was traded")?;
    let volume = |found: &sqlx::postgres::PgRow| {
        let token = row::text(found, "token_id", "a token id")?;
        Ok((token, row::time(found, "quarter")?, row::usd(found, "usd")?, row::shares(found, "shares")?))
    };
    rows.iter().map(volume).collect()
}

/// The results that were known at the executor's place, and nothing of what came after; but also those that have ended
/// a position, whose late matches they pay. Such a result may lie just ahead of the place, committed with an order that
/// went out further on in its block; and where the chain took it back, it counts until another is told.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn results(
    connection: &mut PgConnection,
    seq: i64,
) -> Result<Vec<(ConditionId, Payouts)>, StoreError> {
    let rows = sqlx::query(
        "SELECT e.condition_id, e.payout_numerators
         FROM orderflow_ledger_events e
         WHERE e.kind = 'resolution'
           AND (NOT e.orphaned AND orderflow_told(e.block_hash, e.log_index, $1) <= $1
                OR e.condition_id IN (SELECT condition_id FROM orderflow_positions WHERE ending = 'RESOLVED'))
         -- Whoever keeps the last of a condition keeps the chain's own.
         ORDER BY e.orphaned DESC",
    )
    .bind(seq)
    .fetch_all(connection)
    .await
    .during("read the results known")?;
    rows.iter()
        .map(|found| Ok((row::text(found, "condition_id", "a condition")?, facts::payouts_of(found)?)))
        .collect()
}

/// The time of the newest block up to the executor's place.
///
/// # Errors
/// If the database refuses.
pub async fn reached(connection: &mut PgConnection, seq: i64) -> Result<Option<Timestamp>, StoreError> {
    let found = sqlx::query(
        "SELECT b.block_time FROM orderflow_outbox o JOIN orderflow_blocks b USING (block_hash)
         WHERE o.kind = 'block' AND o.seq <= $1 ORDER BY o.seq DESC LIMIT 1",
    )
    .bind(seq)
    .fetch_optional(connection)
    .await
    .during("read the time reached")?;
    found.map(|found| row::time(&found, "block_time")).transpose()
}

/// The candidates judged since `since`, oldest first.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn judged(connection: &mut PgConnection, since: Timestamp) -> Result<Vec<Judged>, StoreError> {
    let rows = sqlx::query(
        "SELECT created_at, signal_type, wallet_address, token_id::text,
                (notional_usd * 1000000)::bigint AS notional, true AS raised
         FROM orderflow_signals WHERE created_at >= $1
         UNION ALL
         SELECT created_at, signal_type, wallet_address, token_id::text,
                (notional_usd * 1000000)::bigint AS notional, false AS raised
         FROM orderflow_refusals WHERE created_at >= $1 AND signal_id IS NULL
         ORDER BY created_at",
    )
    .bind(since.to_offset_date_time())
    .fetch_all(connection)
    .await
    .during("read what was judged")?;
    rows.iter()
        .map(|found| {
            Ok(Judged {
                kind: row::named(found, "signal_type", "a signal", SignalKind::from_name)?,
                wallet: row::text(found, "wallet_address", "an address")?,
                token: row::text(found, "token_id", "a token id")?,
                notional: row::usd(found, "notional")?,
                at: row::time(found, "created_at")?,
                raised: found.try_get("raised").during("read a column")?,
            })
        })
        .collect()
}
