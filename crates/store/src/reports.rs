//! What people and scripts are shown: rows as JSON objects whose keys are the columns' names.

use std::collections::BTreeMap;

use domain::{Tier, Timestamp, Wallet};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::During as _;
use crate::{StoreError, row};

/// The totals of everything in the database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Fills.
    pub trades: i64,
    /// Wallets with a fill.
    pub wallets: i64,
    /// Markets that are known.
    pub markets: i64,
    /// Those with a result.
    pub resolved_markets: i64,
    /// Wallets with enough history for a verdict.
    pub wallets_rated: i64,
    /// Signals by type.
    pub signals: BTreeMap<String, i64>,
    /// Positions ever opened.
    pub opened: i64,
    /// Those that made money.
    pub won: i64,
    /// Those that made none.
    pub lost: i64,
    /// Those not yet settled.
    pub open: i64,
    /// The result of the settled ones, dollars.
    pub pnl_usd: f64,
    /// Refusals by reason.
    pub refusals: BTreeMap<String, i64>,
}

/// Counts everything.
///
/// # Errors
/// If the database refuses.
pub async fn totals(connection: &mut PgConnection) -> Result<Totals, StoreError> {
    let counts = sqlx::query(
        "SELECT (SELECT count(*) FROM orderflow_fills) AS trades,
                (SELECT count(DISTINCT wallet) FROM orderflow_fills) AS wallets,
                (SELECT count(*) FROM orderflow_markets) AS markets,
                (SELECT count(*) FROM orderflow_markets WHERE resolved_at IS NOT NULL) AS resolved,
                (SELECT count(*) FROM orderflow_wallet_stats WHERE trader_tier <> 'UNRATED') AS rated,
                (SELECT count(*) FROM orderflow_positions) AS opened,
                (SELECT count(*) FROM orderflow_positions WHERE status = 'WON') AS won,
                (SELECT count(*) FROM orderflow_positions WHERE status = 'LOST') AS lost,
                (SELECT count(*) FROM orderflow_positions WHERE status = 'OPEN') AS open,
                (SELECT coalesce(sum(pnl_usd), 0)::float8 FROM orderflow_positions) AS pnl",
    )
    .fetch_one(&mut *connection)
    .await
    .during("count everything")?;
    let count = |column: &'static str| counts.try_get::<i64, _>(column).during("read a column");
    Ok(Totals {
        trades: count("trades")?,
        wallets: count("wallets")?,
        markets: count("markets")?,
        resolved_markets: count("resolved")?,
        wallets_rated: count("rated")?,
        opened: count("opened")?,
        won: count("won")?,
        lost: count("lost")?,
        open: count("open")?,
        pnl_usd: counts.try_get("pnl").during("read a column")?,
        signals: grouped(
            connection,
            "SELECT signal_type AS name, count(*) AS number FROM orderflow_signals GROUP BY 1",
        )
        .await?,
        refusals: grouped(
            connection,
            "SELECT reason AS name, count(*) AS number FROM orderflow_refusals GROUP BY 1",
        )
        .await?,
    })
}

async fn grouped(
    connection: &mut PgConnection,
    statement: &'static str,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let rows = sqlx::query(statement).fetch_all(connection).await.during("count by name")?;
    rows.iter()
        .map(|found| {
            Ok((
                found.try_get("name").during("read a column")?,
                found.try_get("number").during("read a column")?,
            ))
        })
        .collect()
}

/// What is believed about a wallet: the newest verdict, or the newest that is not later than a moment. Both have
/// the columns of `orderflow_score_history`, those that were not kept then as null.
///
/// # Errors
/// If the database refuses.
pub async fn wallet(
    connection: &mut PgConnection,
    wallet: Wallet,
    at: Option<Timestamp>,
) -> Result<Option<Value>, StoreError> {
    // Wallets without enough history have no rows but the newest. As a row of the history its numbers look the same.
    let found = sqlx::query(
        "SELECT object::text AS object
         FROM (SELECT as_of, to_jsonb(jsonb_populate_record(null::orderflow_score_history, to_jsonb(s))) AS object
               FROM orderflow_wallet_stats s WHERE wallet_address = $1 AND ($2::timestamptz IS NULL OR as_of <= $2)
               UNION ALL
               (SELECT as_of, to_jsonb(h)
                FROM orderflow_score_history h WHERE wallet_address = $1 AND as_of <= $2
                ORDER BY as_of DESC LIMIT 1)) AS believed
         ORDER BY as_of DESC LIMIT 1",
    )
    .bind(wallet.to_string())
    .bind(at.map(Timestamp::to_offset_date_time))
    .fetch_optional(connection)
    .await
    .during("read a wallet's verdict")?;
    found.as_ref().map(object_of).transpose()
}

/// Since when a wallet has had the tier that a verdict of `as_of` gave it, without a break in the history. `None`:
/// the history does not know the wallet.
///
/// # Errors
/// If the database refuses.
pub async fn tier_since(
    connection: &mut PgConnection,
    wallet: Wallet,
    as_of: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let found = sqlx::query(
        "WITH past AS (SELECT as_of, trader_tier FROM orderflow_score_history
                       WHERE wallet_address = $1 AND as_of <= $2)
         SELECT min(as_of) AS since FROM past
         WHERE as_of > coalesce((SELECT max(as_of) FROM past
                                 WHERE trader_tier <> (SELECT trader_tier FROM past ORDER BY as_of DESC LIMIT 1)),
                                '-infinity')",
    )
    .bind(wallet.to_string())
    .bind(as_of.to_offset_date_time())
    .fetch_one(connection)
    .await
    .during("read since when a wallet has its tier")?;
    row::maybe_time(&found, "since")
}

/// What is known of a wallet of which nothing was believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbelieved {
    /// Whether it ever traded here.
    pub is_known: bool,
    /// The first moment of which there is a verdict.
    pub first: Option<Timestamp>,
}

/// Why there is no verdict about a wallet.
///
/// # Errors
/// If the database refuses.
pub async fn unbelieved(connection: &mut PgConnection, wallet: Wallet) -> Result<Unbelieved, StoreError> {
    let found = sqlx::query(
        "SELECT EXISTS (SELECT FROM orderflow_fills f JOIN orderflow_wallets w ON w.id = f.wallet
                        WHERE w.address = $1)
                OR EXISTS (SELECT FROM orderflow_ledger_events WHERE wallet_address = $1) AS is_known,
                least((SELECT min(as_of) FROM orderflow_score_history WHERE wallet_address = $1),
                      (SELECT as_of FROM orderflow_wallet_stats WHERE wallet_address = $1)) AS first",
    )
    .bind(wallet.to_string())
    .fetch_one(connection)
    .await
    .during("look for a wallet")?;
    let is_known = found.try_get("is_known").during("read a column")?;
    Ok(Unbelieved { is_known, first: row::maybe_time(&found, "first")? })
}

/// Which of the wallets are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WantedWallets {
    /// Those of one tier. `None`: those of every tier but `UNRATED`.
    pub tier: Option<Tier>,
    /// Only those that nothing speaks against copying.
    pub copyable: bool,
    /// Only those whose record stands out.
    pub verified: bool,
}

/// The best wallets, best first.
///
/// # Errors
/// If the database refuses.
pub async fn wallets(
    connection: &mut PgConnection,
    wanted: WantedWallets,
    limit: i64,
) -> Result<Vec<Value>, StoreError> {
    let rows = sqlx::query(
        "SELECT to_jsonb(s)::text AS object
         FROM (SELECT * FROM orderflow_wallet_stats
               WHERE CASE WHEN $2::text IS NULL THEN trader_tier <> 'UNRATED' ELSE trader_tier = $2 END
                 AND (is_copyable OR NOT $3) AND (is_verified OR NOT $4)
               ORDER BY reputation_score DESC, wallet_address LIMIT $1) AS s
         ORDER BY s.reputation_score DESC, s.wallet_address",
    )
    .bind(limit)
    .bind(wanted.tier.map(Tier::name))
    .bind(wanted.copyable)
    .bind(wanted.verified)
    .fetch_all(connection)
    .await
    .during("read the best wallets")?;
    rows.iter().map(object_of).collect()
}

/// The newest positions, newest first.
///
/// # Errors
/// If the database refuses.
pub async fn positions(connection: &mut PgConnection, limit: i64) -> Result<Vec<Value>, StoreError> {
    objects(
        connection,
        "SELECT to_jsonb(p)::text AS object FROM orderflow_position_details p ORDER BY id DESC LIMIT $1",
        limit,
    )
    .await
}

/// Positions that settled, beyond the first `seen` that did, in the order they settled.
///
/// # Errors
/// If the database refuses.
pub async fn settled_after(connection: &mut PgConnection, seen: i64) -> Result<Vec<Value>, StoreError> {
    objects(
        connection,
        "SELECT to_jsonb(p)::text AS object FROM orderflow_position_details p
         WHERE status <> 'OPEN' ORDER BY closed_at, id OFFSET $1 LIMIT 50",
        seen,
    )
    .await
}

/// How far a reader of signals and settlements would have to be to have seen all of them: the number of the last
/// signal, and how many positions have settled.
///
/// # Errors
/// If the database refuses.
pub async fn seen_all(connection: &mut PgConnection) -> Result<(i64, i64), StoreError> {
    let found = sqlx::query(
        "SELECT (SELECT coalesce(max(id), 0) FROM orderflow_signals) AS signal,
                (SELECT count(*) FROM orderflow_positions WHERE status <> 'OPEN') AS settled",
    )
    .fetch_one(connection)
    .await
    .during("read how far signals and settlements are")?;
    let number = |column: &'static str| found.try_get(column).during("read a column");
    Ok((number("signal")?, number("settled")?))
}

pub(crate) async fn objects(
    connection: &mut PgConnection,
    statement: &'static str,
    number: i64,
) -> Result<Vec<Value>, StoreError> {
    let rows = sqlx::query(statement).bind(number).fetch_all(connection).await.during("read a report")?;
    rows.iter().map(object_of).collect()
}

pub(crate) fn object_of(found: &PgRow) -> Result<Value, StoreError> {
    let text: String = found.try_get("object").during("read a column")?;
    serde_json::from_str(&text).map_err(|_| StoreError::Corrupt {
        column: "object",
        value: text,
        expected: "a JSON object",
    })
}
