//! What the executor needs to go on where it was: exactly what its last commit left.

use domain::{ConditionId, Day, Fill, Payouts, Position, Price, SignalKind, Timestamp, TokenId, Usd, Wallet};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::{facts, row};

/// The executor's books as they stood.
#[derive(Clone, Debug, PartialEq)]
pub struct Books {
    /// The number of the last signal; 0 before the first.
    pub last_signal: i64,
    /// The result of all settled positions.
    pub realized: Usd,
    /// The positions that are open.
    pub positions: Vec<Position>,
    /// The last price of each open position's token up to the executor's place.
    pub marks: Vec<(TokenId, Price)>,
    /// The account of the current day.
    pub day: Option<Day>,
    /// Whether entries are paused.
    pub paused: bool,
    /// Until when the day's loss stops entries.
    pub halted_until: Option<Timestamp>,
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

/// The executor's books; `seq` is its place in the outbox.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn books(connection: &mut PgConnection, seq: i64) -> Result<Books, StoreError> {
    let positions = sqlx::query(
        "SELECT id, opened_at, condition_id, event, token_id::text, outcome_index::bigint,
                (shares * 1000000)::bigint AS shares, (cost_usd * 1000000)::bigint AS cost,
                (fee_usd * 1000000)::bigint AS fee
         FROM orderflow_positions WHERE status = 'OPEN' ORDER BY id",
    )
    .fetch_all(&mut *connection)
    .await
    .during("read open positions")?;
    let positions: Vec<Position> = positions.iter().map(position_of).collect::<Result<_, _>>()?;
    let totals = sqlx::query(
        "SELECT (SELECT coalesce(max(id), 0) FROM orderflow_signals) AS last_signal,
                (SELECT coalesce(sum(pnl_usd) * 1000000, 0)::bigint FROM orderflow_positions) AS realized",
    )
    .fetch_one(&mut *connection)
    .await
    .during("read results")?;
    let controls = sqlx::query(
        "SELECT paused, halted_until, (day - date '1970-01-01')::bigint AS day,
                (day_result_usd * 1000000)::bigint AS result, (day_bankroll_usd * 1000000)::bigint AS bankroll
         FROM orderflow_controls",
    )
    .fetch_one(&mut *connection)
    .await
    .during("read the controls")?;
    let day: Option<i64> = controls.try_get("day").during("read a column")?;
    let day = match day {
        None => None,
        Some(number) => Some(Day {
            number,
            result: row::usd(&controls, "result")?,
            bankroll: row::usd(&controls, "bankroll")?,
        }),
    };
    let mut marks = vec![];
    for position in &positions {
        let mark = last_price(connection, position.token, position.opened, seq).await?;
        marks.extend(mark.map(|price| (position.token, price)));
    }
    Ok(Books {
        last_signal: totals.try_get("last_signal").during("read a column")?,
        realized: row::usd(&totals, "realized")?,
        positions,
        marks,
        day,
        paused: controls.try_get("paused").during("read a column")?,
        halted_until: row::maybe_time(&controls, "halted_until")?,
    })
}

/// The last price of a token that became known after `since` and up to the executor's place; before that
/// there is the price that was paid for it.
async fn last_price(
    connection: &mut PgConnection,
    token: TokenId,
    since: Timestamp,
    seq: i64,
) -> Result<Option<Price>, StoreError> {
    let found = sqlx::query(
        "SELECT round(f.usd::numeric * 1000000 / f.shares)::bigint AS price
         FROM orderflow_fills f JOIN orderflow_tokens k ON k.id = f.token
         JOIN orderflow_blocks b ON b.block_number = f.block_number AND NOT b.orphaned
         JOIN orderflow_outbox o ON o.block_hash = b.block_hash AND o.kind = 'block' AND o.seq <= $2
         WHERE k.token_id = $1::text::numeric AND o.learned_at > $3
           -- What became known since then happened since then, but for the time a block takes to come in.
           AND b.block_time > $3::timestamptz - interval '1 hour'
           AND f.shares >= 10000 AND f.usd > 0 AND f.usd < f.shares
           -- A print that was told late marks nothing.
           AND orderflow_told(b.block_hash, f.log_index, $2) = o.seq
         ORDER BY o.seq DESC, f.log_index DESC LIMIT 1",
    )
    .bind(token.to_string())
    .bind(seq)
    .bind(since.to_offset_date_time())
    .fetch_optional(&mut *connection)
    .await
    .during("read a last price")?;
    if let Some(found) = found {
        let ppm: u32 = row::unsigned(&found, "price")?;
        return Ok(Price::from_ppm(ppm));
    }
    let paid = sqlx::query(
        "SELECT (filled_usd * 1000000)::bigint AS usd, (filled_shares * 1000000)::bigint AS shares
         FROM orderflow_orders WHERE token_id = $1::text::numeric AND status = 'FILLED'
         ORDER BY id DESC LIMIT 1",
    )
    .bind(token.to_string())
    .fetch_optional(connection)
    .await
    .during("read a price paid")?;
    paid.map(|paid| Ok(Price::average(row::usd(&paid, "usd")?, row::shares(&paid, "shares")?)))
        .transpose()
        .map(Option::flatten)
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
         ORDER BY told.seq, f.log_index"
    ))
    .bind(seq)
    .bind(since.to_offset_date_time())
    .fetch_all(connection)
    .await
    .during("read recent fills")?;
    rows.iter().map(|found| Ok((facts::fill_of(found)?, row::time(found, "block_time")?))).collect()
}

/// The results that were known at the executor's place, and nothing of what came after.
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
         WHERE e.kind = 'resolution' AND NOT e.orphaned
           AND orderflow_told(e.block_hash, e.log_index, $1) <= $1",
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

fn position_of(found: &PgRow) -> Result<Position, StoreError> {
    Ok(Position {
        id: found.try_get("id").during("read a column")?,
        opened: row::time(found, "opened_at")?,
        condition: row::text(found, "condition_id", "a condition")?,
        event: found.try_get("event").during("read a column")?,
        token: row::text(found, "token_id", "a token id")?,
        outcome: row::unsigned(found, "outcome_index")?,
        shares: row::shares(found, "shares")?,
        cost: row::usd(found, "cost")?,
        fee: row::usd(found, "fee")?,
    })
}
