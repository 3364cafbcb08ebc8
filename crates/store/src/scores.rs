//! Verdicts about wallets, and what they hold.

mod columns;

use domain::{Assessment, Shares, Skill, Tier, Timestamp, TokenId, Usd, Verdict, Wallet};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::{announce, row, take_turn};

/// How many rows are written at once: few enough that their arrays are a few megabytes.
const CHUNK: usize = 5_000;

/// The columns of a verdict, as [`verdict_of`] reads them. One from before copying was judged is not copied.
macro_rules! verdict {
    () => {
        "wallet_address, reputation_score::float8, trader_tier, skill_kappa::float8, skill_se::float8,
         coalesce(is_copyable, false) AS is_copyable"
    };
}

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

/// Publishes one pass: the newest verdicts, the history of the rated ones, what wallets hold; and tells the
/// readers.
///
/// # Errors
/// If the database refuses.
pub async fn publish(
    connection: &mut PgConnection,
    as_of: Timestamp,
    learned: Timestamp,
    assessments: &[Assessment],
    held: &[HeldShares],
) -> Result<(), StoreError> {
    let told = write(connection, as_of, assessments).await?;
    for chunk in held.chunks(CHUNK) {
        upsert_held(connection, chunk).await?;
    }
    if told > 0 {
        tell(connection, as_of, learned).await?;
    }
    Ok(())
}

/// Writes verdicts, of which readers are told by [`tell`] in the same transaction; how many they have to hear of.
///
/// # Errors
/// If the database refuses.
pub async fn write(
    connection: &mut PgConnection,
    as_of: Timestamp,
    assessments: &[Assessment],
) -> Result<i64, StoreError> {
    let mut told = 0;
    for chunk in assessments.chunks(CHUNK) {
        let appended = columns::publish(as_of, chunk).fetch_one(&mut *connection).await;
        told += appended.during("write verdicts")?.try_get::<i64, _>(0).during("read a column")?;
    }
    Ok(told)
}

/// Tells the readers of the verdicts of a moment. From here to the end of the transaction nobody else tells anything,
/// so that it comes last.
///
/// # Errors
/// If the database refuses.
pub async fn tell(
    connection: &mut PgConnection,
    as_of: Timestamp,
    learned: Timestamp,
) -> Result<(), StoreError> {
    take_turn(connection).await?;
    sqlx::query("INSERT INTO orderflow_outbox (learned_at, kind, as_of) VALUES ($1, 'scores', $2)")
        .bind(learned.to_offset_date_time())
        .bind(as_of.to_offset_date_time())
        .execute(&mut *connection)
        .await
        .during("tell of new verdicts")?;
    announce(connection).await
}

/// What was last published of those who are whales.
///
/// # Errors
/// If the database refuses.
pub async fn whales(connection: &mut PgConnection) -> Result<Vec<Verdict>, StoreError> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        verdict!(),
        " FROM orderflow_wallet_stats WHERE trader_tier = 'WHALE' ORDER BY wallet_address"
    ))
    .fetch_all(connection)
    .await
    .during("read the whales")?;
    rows.iter().map(verdict_of).collect()
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
    let rows = sqlx::query(concat!(
        "SELECT ",
        verdict!(),
        " FROM orderflow_score_history WHERE as_of = $1 ORDER BY wallet_address"
    ))
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
    let rows = sqlx::query(concat!(
        "SELECT ",
        verdict!(),
        " FROM orderflow_wallet_stats WHERE trader_tier <> 'UNRATED' ORDER BY wallet_address"
    ))
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
    let rows = sqlx::query(concat!(
        "SELECT DISTINCT ON (wallet_address) ",
        verdict!(),
        " FROM orderflow_score_history
             WHERE as_of <= (SELECT max(as_of) FROM orderflow_outbox WHERE kind = 'scores' AND seq <= $1)
             ORDER BY wallet_address, as_of DESC"
    ))
    .bind(seq)
    .fetch_all(connection)
    .await
    .during("read what was believed")?;
    rows.iter().map(verdict_of).collect()
}

fn verdict_of(found: &sqlx::postgres::PgRow) -> Result<Verdict, StoreError> {
    let number = |column: &'static str| found.try_get::<f64, _>(column).during("read a column");
    Ok(Verdict {
        wallet: row::text(found, "wallet_address", "an address")?,
        score: number("reputation_score")?,
        tier: row::named(found, "trader_tier", "a tier", Tier::from_name)?,
        skill: Skill { kappa: number("skill_kappa")?, standard_error: number("skill_se")? },
        is_copyable: found.try_get("is_copyable").during("read a column")?,
    })
}
