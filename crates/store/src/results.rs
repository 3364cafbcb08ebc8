//! What trading came to: totals of one mode, and each entry by what it followed, so that two runs can be laid beside
//! each other.

use std::collections::BTreeMap;

use domain::{Shares, TokenId, Usd, Wallet};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::row;

/// What the trading of one mode came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Results {
    /// Signals raised, shadows not counted.
    pub signals: i64,
    /// Orders approved.
    pub orders: i64,
    /// Orders of which something matched and stood.
    pub filled: i64,
    /// Matches that stood.
    pub fills: i64,
    /// Dollars that changed hands in them, fees not included.
    pub turnover: Usd,
    /// Fees.
    pub fees: Usd,
    /// How much more a share cost than was expected of the book at the decision, in cents, weighted by shares; `None`
    /// where nothing was bought.
    pub slippage_cents: Option<f64>,
    /// How much more it cost than the followed wallet paid.
    pub run_up_cents: Option<f64>,
    /// The result of all positions that ended.
    pub pnl: Usd,
    /// Positions that have not ended.
    pub open: i64,
    /// Orders of which something may still become known.
    pub moving: i64,
}

/// An entry: what it got for how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Shares bought.
    pub shares: Shares,
    /// Dollars for them, fees not included.
    pub usd: Usd,
    /// The result of its position, where that has ended.
    pub pnl: Option<Usd>,
}

/// Sums up the trading of one mode, `paper` or `live`.
///
/// # Errors
/// If the database refuses.
pub async fn results(connection: &mut PgConnection, mode: &str) -> Result<Results, StoreError> {
    let found = sqlx::query(
        "WITH matches AS (
             SELECT e.order_id, e.shares, e.usd, e.fee_usd, o.purpose, s.expected_price, s.reference_price
             FROM orderflow_executions e
             JOIN orderflow_orders o ON o.id = e.order_id
             JOIN orderflow_signals s ON s.id = o.position_id
             WHERE o.mode = $1 AND e.status <> 'FAILED' AND e.usd IS NOT NULL),
         entries AS (
             SELECT nullif(sum(shares), 0) AS shares, sum(usd) AS usd, sum(shares * expected_price) AS expected,
                    sum(shares * reference_price) AS reference
             FROM matches WHERE purpose = 'ENTER')
         SELECT (SELECT count(*) FROM orderflow_signals WHERE NOT shadow) AS signals,
                (SELECT count(*) FROM orderflow_orders WHERE mode = $1) AS orders,
                (SELECT count(*) FROM orderflow_orders WHERE mode = $1 AND NOT is_final) AS moving,
                (SELECT count(DISTINCT order_id) FROM matches) AS filled,
                (SELECT count(*) FROM matches) AS fills,
                (SELECT (coalesce(sum(usd), 0) * 1000000)::bigint FROM matches) AS turnover,
                (SELECT (coalesce(sum(fee_usd), 0) * 1000000)::bigint FROM matches) AS fees,
                (SELECT ((usd - expected) / shares * 100)::float8 FROM entries) AS slippage,
                (SELECT ((usd - reference) / shares * 100)::float8 FROM entries) AS run_up,
                (SELECT (coalesce(sum(pnl_usd), 0) * 1000000)::bigint FROM orderflow_positions WHERE mode = $1) AS pnl,
                (SELECT count(*) FROM orderflow_positions WHERE mode = $1 AND status = 'OPEN') AS open",
    )
    .bind(mode)
    .fetch_one(connection)
    .await
    .during("sum up what trading came to")?;
    let count = |column: &'static str| found.try_get::<i64, _>(column).during("read a column");
    let cents = |column: &'static str| found.try_get::<Option<f64>, _>(column).during("read a column");
    Ok(Results {
        signals: count("signals")?,
        orders: count("orders")?,
        filled: count("filled")?,
        fills: count("fills")?,
        turnover: row::usd(&found, "turnover")?,
        fees: row::usd(&found, "fees")?,
        slippage_cents: cents("slippage")?,
        run_up_cents: cents("run_up")?,
        pnl: row::usd(&found, "pnl")?,
        open: count("open")?,
        moving: count("moving")?,
    })
}

/// The entries of one mode by the wallet and the token they followed; where a wallet was followed into a token more
/// than once, the first.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn entries(
    connection: &mut PgConnection,
    mode: &str,
) -> Result<BTreeMap<(Wallet, TokenId), Entry>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT ON (s.wallet_address, s.token_id) s.wallet_address, s.token_id::text AS token_id,
                (p.shares * 1000000)::bigint AS shares, ((p.cost_usd - p.fee_usd) * 1000000)::bigint AS usd,
                (p.pnl_usd * 1000000)::bigint AS pnl
         FROM orderflow_positions p JOIN orderflow_signals s USING (id)
         WHERE p.mode = $1 AND p.status <> 'VOID'
         ORDER BY s.wallet_address, s.token_id, s.id",
    )
    .bind(mode)
    .fetch_all(connection)
    .await
    .during("read the entries")?;
    rows.iter()
        .map(|found| {
            let followed = (
                row::text(found, "wallet_address", "an address")?,
                row::text(found, "token_id", "a token id")?,
            );
            let pnl: Option<i64> = found.try_get("pnl").during("read a column")?;
            let entry = Entry {
                shares: row::shares(found, "shares")?,
                usd: row::usd(found, "usd")?,
                pnl: pnl.map(Usd::from_micros),
            };
            Ok((followed, entry))
        })
        .collect()
}
