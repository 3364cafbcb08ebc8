//! Verdicts about wallets, and what they hold.

use domain::{Shares, Skill, Tier, Timestamp, TokenId, Usd, Verdict, Wallet, WalletScore};
use serde::Serialize;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::{announce, row, take_turn};

/// How many rows are written at once: PostgreSQL takes no JSON array above 256 MB.
const CHUNK: usize = 5_000;

/// What a wallet holds of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldShares {
    /// Whose.
    pub wallet: Wallet,
    /// Of what.
    pub token: TokenId,
    /// How many.
    pub shares: Shares,
    /// At what cost.
    pub cost: Usd,
    /// With what result so far.
    pub realized: Usd,
}

/// A row of `orderflow_wallet_stats`, named as its columns are.
#[derive(Serialize)]
struct StatsRow {
    wallet_address: String,
    reputation_score: f64,
    trader_tier: &'static str,
    win_rate_score: f64,
    profit_factor_score: f64,
    consistency_score: f64,
    volume_score: f64,
    timing_score: f64,
    win_rate: Option<f64>,
    break_even_win_rate: Option<f64>,
    profit_factor: Option<f64>,
    roi: Option<f64>,
    profitable_weeks: Option<f64>,
    mean_drift_24h: Option<f64>,
    volume_30d_usd: String,
    total_volume_usd: String,
    total_pnl_usd: String,
    total_trades: u32,
    closed_decisions: u32,
    winning_decisions: u32,
    distinct_events: u32,
    active_days: u32,
    skill_kappa: f64,
    skill_se: f64,
    skill_probability: f64,
    first_trade_at: String,
    last_trade_at: String,
    as_of: String,
}

impl StatsRow {
    fn of(score: &WalletScore) -> Self {
        Self {
            wallet_address: score.wallet.to_string(),
            reputation_score: score.score,
            trader_tier: score.tier.name(),
            win_rate_score: score.factors.win_rate,
            profit_factor_score: score.factors.profit_factor,
            consistency_score: score.factors.consistency,
            volume_score: score.factors.volume,
            timing_score: score.factors.timing,
            win_rate: score.win_rate,
            break_even_win_rate: score.break_even_win_rate,
            profit_factor: score.profit_factor.map(bounded),
            roi: score.roi.map(bounded),
            profitable_weeks: score.profitable_weeks,
            mean_drift_24h: score.mean_drift,
            volume_30d_usd: score.volume_30d.to_string(),
            total_volume_usd: score.volume.to_string(),
            total_pnl_usd: score.pnl.to_string(),
            total_trades: score.trades,
            closed_decisions: score.decisions,
            winning_decisions: score.wins,
            distinct_events: score.events,
            active_days: score.active_days,
            skill_kappa: score.skill.kappa,
            skill_se: score.skill.standard_error,
            skill_probability: score.skill_probability.to_f64(),
            first_trade_at: score.first_trade.to_string(),
            last_trade_at: score.last_trade.to_string(),
            as_of: score.as_of.to_string(),
        }
    }
}

/// A ratio over almost nothing is kept to what its column holds.
fn bounded(ratio: f64) -> f64 {
    ratio.clamp(-1e12, 1e12)
}

/// Publishes one pass: the newest verdicts, the history of the rated ones, what wallets hold; and tells the
/// readers.
///
/// # Errors
/// If the database refuses.
pub async fn publish(
    connection: &mut PgConnection,
    as_of: Timestamp,
    learned: Timestamp,
    verdicts: &[WalletScore],
    held: &[HeldShares],
) -> Result<(), StoreError> {
    take_turn(connection).await?;
    let mut told = 0;
    for chunk in verdicts.chunks(CHUNK) {
        told += append_history(connection, as_of, chunk).await?;
        upsert_stats(connection, chunk).await?;
    }
    for chunk in held.chunks(CHUNK) {
        upsert_held(connection, chunk).await?;
    }
    if told > 0 {
        sqlx::query("INSERT INTO orderflow_outbox (learned_at, kind, as_of) VALUES ($1, 'scores', $2)")
            .bind(learned.to_offset_date_time())
            .bind(as_of.to_offset_date_time())
            .execute(&mut *connection)
            .await
            .during("tell of new verdicts")?;
        announce(connection).await?;
    }
    Ok(())
}

async fn upsert_stats(connection: &mut PgConnection, verdicts: &[WalletScore]) -> Result<(), StoreError> {
    let rows: Vec<StatsRow> = verdicts.iter().map(StatsRow::of).collect();
    let rows = serde_json::to_string(&rows).map_err(|source| StoreError::Statement {
        operation: "write verdicts as JSON",
        source: sqlx::Error::Encode(source.into()),
    })?;
    sqlx::query(
        "INSERT INTO orderflow_wallet_stats
         SELECT (jsonb_populate_record(null::orderflow_wallet_stats,
                                       fresh || jsonb_build_object('updated_at', now()))).*
         FROM jsonb_array_elements($1::jsonb) AS fresh
         ON CONFLICT (wallet_address) DO UPDATE SET
             reputation_score = excluded.reputation_score, trader_tier = excluded.trader_tier,
             win_rate_score = excluded.win_rate_score, profit_factor_score = excluded.profit_factor_score,
             consistency_score = excluded.consistency_score, volume_score = excluded.volume_score,
             timing_score = excluded.timing_score, win_rate = excluded.win_rate,
             break_even_win_rate = excluded.break_even_win_rate, profit_factor = excluded.profit_factor,
             roi = excluded.roi, profitable_weeks = excluded.profitable_weeks,
             mean_drift_24h = excluded.mean_drift_24h, volume_30d_usd = excluded.volume_30d_usd,
             total_volume_usd = excluded.total_volume_usd, total_pnl_usd = excluded.total_pnl_usd,
             total_trades = excluded.total_trades, closed_decisions = excluded.closed_decisions,
             winning_decisions = excluded.winning_decisions, distinct_events = excluded.distinct_events,
             active_days = excluded.active_days, skill_kappa = excluded.skill_kappa,
             skill_se = excluded.skill_se, skill_probability = excluded.skill_probability,
             first_trade_at = excluded.first_trade_at, last_trade_at = excluded.last_trade_at,
             as_of = excluded.as_of",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(|_| ())
    .during("write verdicts")
}

/// Appends the verdicts about rated wallets, and about those that were rated until now: whoever acts on
/// verdicts must hear of both. Comes before the newest verdicts are overwritten.
async fn append_history(
    connection: &mut PgConnection,
    as_of: Timestamp,
    verdicts: &[WalletScore],
) -> Result<u64, StoreError> {
    let numbers = |column: fn(&WalletScore) -> f64| -> Vec<f64> { verdicts.iter().map(column).collect() };
    let appended = sqlx::query(
        "INSERT INTO orderflow_score_history
             (wallet_address, as_of, reputation_score, trader_tier, skill_kappa, skill_se, closed_decisions,
              total_pnl_usd)
         SELECT wallet, $1, score, tier, kappa, se, decisions, pnl::numeric / 1000000
         FROM UNNEST($2::text[], $3::float8[], $4::text[], $5::float8[], $6::float8[], $7::bigint[],
                     $8::bigint[]) AS fresh (wallet, score, tier, kappa, se, decisions, pnl)
         WHERE tier <> 'UNRATED'
            OR EXISTS (SELECT FROM orderflow_wallet_stats
                       WHERE wallet_address = wallet AND trader_tier <> 'UNRATED')
         ON CONFLICT (wallet_address, as_of) DO UPDATE SET
             reputation_score = excluded.reputation_score, trader_tier = excluded.trader_tier,
             skill_kappa = excluded.skill_kappa, skill_se = excluded.skill_se,
             closed_decisions = excluded.closed_decisions, total_pnl_usd = excluded.total_pnl_usd",
    )
    .bind(as_of.to_offset_date_time())
    .bind(verdicts.iter().map(|score| score.wallet.to_string()).collect::<Vec<_>>())
    .bind(numbers(|score| score.score))
    .bind(verdicts.iter().map(|score| score.tier.name()).collect::<Vec<_>>())
    .bind(numbers(|score| score.skill.kappa))
    .bind(numbers(|score| score.skill.standard_error))
    .bind(verdicts.iter().map(|score| i64::from(score.decisions)).collect::<Vec<_>>())
    .bind(verdicts.iter().map(|score| score.pnl.micros()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .during("write the history of verdicts")?;
    Ok(appended.rows_affected())
}

async fn upsert_held(connection: &mut PgConnection, held: &[HeldShares]) -> Result<(), StoreError> {
    let numbers = |column: fn(&HeldShares) -> i64| -> Vec<i64> { held.iter().map(column).collect() };
    sqlx::query(
        "INSERT INTO orderflow_wallet_positions (wallet_address, token_id, shares, cost_usd, realized_pnl_usd)
         SELECT wallet, token::numeric, shares::numeric / 1000000, cost::numeric / 1000000,
                realized::numeric / 1000000
         FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
              AS fresh (wallet, token, shares, cost, realized)
         ON CONFLICT (wallet_address, token_id) DO UPDATE SET
             shares = excluded.shares, cost_usd = excluded.cost_usd,
             realized_pnl_usd = excluded.realized_pnl_usd",
    )
    .bind(held.iter().map(|held| held.wallet.to_string()).collect::<Vec<_>>())
    .bind(held.iter().map(|held| held.token.to_string()).collect::<Vec<_>>())
    .bind(numbers(|held| held.shares.micros()))
    .bind(numbers(|held| held.cost.micros()))
    .bind(numbers(|held| held.realized.micros()))
    .execute(connection)
    .await
    .map(|_| ())
    .during("write what wallets hold")
}

/// The verdicts of the pass made for a moment.
pub(crate) async fn published(
    connection: &mut PgConnection,
    as_of: Timestamp,
) -> Result<Vec<Verdict>, StoreError> {
    let rows = sqlx::query(
        "SELECT wallet_address, reputation_score::float8, trader_tier, skill_kappa::float8, skill_se::float8
         FROM orderflow_score_history WHERE as_of = $1 ORDER BY wallet_address",
    )
    .bind(as_of.to_offset_date_time())
    .fetch_all(connection)
    .await
    .during("read verdicts")?;
    rows.iter().map(verdict_of).collect()
}

/// What is believed now about every rated wallet, for reports.
///
/// # Errors
/// If the database refuses.
pub async fn rated(connection: &mut PgConnection) -> Result<Vec<Verdict>, StoreError> {
    let rows = sqlx::query(
        "SELECT wallet_address, reputation_score::float8, trader_tier, skill_kappa::float8, skill_se::float8
         FROM orderflow_wallet_stats WHERE trader_tier <> 'UNRATED' ORDER BY wallet_address",
    )
    .fetch_all(connection)
    .await
    .during("read the rated wallets")?;
    rows.iter().map(verdict_of).collect()
}

/// What was believed about every rated wallet at a place in the outbox, and nothing of what came after.
///
/// # Errors
/// If the database refuses.
pub async fn rated_at(connection: &mut PgConnection, seq: i64) -> Result<Vec<Verdict>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT ON (wallet_address) wallet_address, reputation_score::float8, trader_tier,
                skill_kappa::float8, skill_se::float8
         FROM orderflow_score_history
         WHERE as_of <= (SELECT max(as_of) FROM orderflow_outbox WHERE kind = 'scores' AND seq <= $1)
         ORDER BY wallet_address, as_of DESC",
    )
    .bind(seq)
    .fetch_all(connection)
    .await
    .during("read what was believed")?;
    rows.iter().map(verdict_of).collect()
}

/// Forgets everything believed, so that it can be found anew from the facts: after a reorganisation.
/// The history stays: it is what was believed then.
///
/// # Errors
/// If the database refuses.
pub async fn forget_beliefs(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM orderflow_wallet_positions")
        .execute(&mut *connection)
        .await
        .during("forget what wallets hold")?;
    // Whoever has no fact left has no verdict either; everybody else is about to get a new one.
    sqlx::query(
        "DELETE FROM orderflow_wallet_stats s
         WHERE NOT EXISTS (SELECT FROM orderflow_fills f JOIN orderflow_wallets w ON w.id = f.wallet
                           WHERE w.address = s.wallet_address)",
    )
    .execute(connection)
    .await
    .map(|_| ())
    .during("forget wallets without facts")
}

fn verdict_of(found: &sqlx::postgres::PgRow) -> Result<Verdict, StoreError> {
    let number = |column: &'static str| found.try_get::<f64, _>(column).during("read a column");
    Ok(Verdict {
        wallet: row::text(found, "wallet_address", "an address")?,
        score: number("reputation_score")?,
        tier: row::named(found, "trader_tier", "a tier", Tier::from_name)?,
        skill: Skill { kappa: number("skill_kappa")?, standard_error: number("skill_se")? },
    })
}
