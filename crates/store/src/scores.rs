//! Verdicts about wallets, and what they hold.

mod columns;

use std::collections::BTreeMap;

use domain::{Assessment, Shares, Skill, Tier, Timestamp, Timing, TokenId, Usd, Verdict, Wallet};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::{announce, bulk, row, take_turn};

/// How many rows are written at once: few enough that the table they come through stays in memory.
const CHUNK: usize = 10_000;

/// The columns of a verdict, as [`verdict_of`] reads them. One from before copying was judged is not copied.
macro_rules! verdict {
    () => {
        "wallet_address, reputation_score::float8, trader_tier, skill_kappa::float8, skill_se::float8,
         clv_observations::bigint AS clv_observations, clv_copyable, clv_t,
         (median_cost_usd * 1000000)::bigint AS median_cost,
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

/// What a pass was made for, and of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The moment that the verdicts are about.
    pub as_of: Timestamp,
    /// When they were found.
    pub learned: Timestamp,
    /// The last item of the outbox that they were made of.
    pub folded: i64,
}

/// Writes verdicts, of which readers are told by [`tell`] in the same transaction; how many they have to hear of.
///
/// # Errors
/// If the database refuses.
pub async fn write(
    connection: &mut PgConnection,
    publication: Publication,
    assessments: &[Assessment],
) -> Result<i64, StoreError> {
    let mut told = 0;
    if assessments.is_empty() {
        return Ok(told);
    }
    make_stage(connection).await?;
    // Newest verdicts are looked up one by one in an index. A plan made while there were few would read all of them for
    // each, and this statement adds to them.
    sqlx::query("SET LOCAL enable_seqscan = off")
        .execute(&mut *connection)
        .await
        .during("ask for the index")?;
    for chunk in assessments.chunks(CHUNK) {
        // What came through in the same transaction before.
        sqlx::query("TRUNCATE orderflow_fresh_verdicts")
            .execute(&mut *connection)
            .await
            .during("make room for more verdicts")?;
        bulk::copy(connection, columns::COPY.as_str(), columns::count(), chunk, |to, assessment| {
            columns::encode(to, publication, assessment);
        })
        .await?;
        let appended = sqlx::query(columns::PUBLISH.as_str()).fetch_one(&mut *connection).await;
        told += appended.during("write verdicts")?.try_get::<i64, _>(0).during("read a column")?;
    }
    sqlx::query("SET LOCAL enable_seqscan = on")
        .execute(&mut *connection)
        .await
        .during("ask for the index no more")?;
    Ok(told)
}

/// Makes the table that verdicts come through, where this connection has none.
async fn make_stage(connection: &mut PgConnection) -> Result<(), StoreError> {
    let has_one: bool =
        sqlx::query_scalar("SELECT to_regclass('pg_temp.orderflow_fresh_verdicts') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await
            .during("look for the table that verdicts come through")?;
    if has_one {
        return Ok(());
    }
    let made = sqlx::query(columns::STAGE.as_str()).execute(connection).await;
    made.map(|_| ()).during("make the table that verdicts come through")
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

/// How many verdicts there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// About wallets at all.
    pub verdicts: u64,
    /// About those with enough history.
    pub rated: u64,
}

/// How many verdicts stand, whenever they were published.
///
/// # Errors
/// If the database refuses.
pub async fn standing(connection: &mut PgConnection) -> Result<Standing, StoreError> {
    let found = sqlx::query(
        "SELECT count(*) AS verdicts, count(*) FILTER (WHERE trader_tier <> 'UNRATED') AS rated
         FROM orderflow_wallet_stats",
    )
    .fetch_one(connection)
    .await
    .during("count the verdicts that stand")?;
    Ok(Standing { verdicts: row::unsigned(&found, "verdicts")?, rated: row::unsigned(&found, "rated")? })
}

/// What every wallet with a verdict has made by sales and results, as its verdict says.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn results(connection: &mut PgConnection) -> Result<BTreeMap<Wallet, Usd>, StoreError> {
    let rows = sqlx::query(
        "SELECT wallet_address, (total_pnl_usd * 1000000)::bigint AS micros FROM orderflow_wallet_stats",
    )
    .fetch_all(connection)
    .await
    .during("read results of wallets")?;
    rows.iter()
        .map(|found| {
            let micros = found.try_get("micros").during("read a column")?;
            Ok((row::text(found, "wallet_address", "an address")?, Usd::from_micros(micros)))
        })
        .collect()
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

/// What a wallet held of the outcomes of a token's market when verdicts were last made, and the moment they were made
/// for. `None` before the first.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn held(
    connection: &mut PgConnection,
    wallet: Wallet,
    token: TokenId,
    scorer: &str,
) -> Result<Option<(Timestamp, Vec<(TokenId, Shares)>)>, StoreError> {
    let rows = sqlx::query(
        "SELECT c.as_of, p.token_id::text, (p.shares * 1000000)::bigint AS shares
         FROM orderflow_cursors c
         LEFT JOIN (orderflow_markets m
                    JOIN orderflow_wallet_positions p ON p.token_id = ANY (m.token_ids) AND p.wallet_address = $1)
             ON m.token_ids @> ARRAY[$2::text::numeric(78,0)]
         WHERE c.name = $3 AND c.as_of IS NOT NULL",
    )
    .bind(wallet.to_string())
    .bind(token.to_string())
    .bind(scorer)
    .fetch_all(connection)
    .await
    .during("read what a wallet holds")?;
    let Some(first) = rows.first() else { return Ok(None) };
    let as_of = row::time(first, "as_of")?;
    let mut held = vec![];
    for found in &rows {
        let token: Option<TokenId> = row::maybe_text(found, "token_id", "a token id")?;
        if let Some(token) = token {
            held.push((token, row::shares(found, "shares")?));
        }
    }
    Ok(Some((as_of, held)))
}

fn verdict_of(found: &sqlx::postgres::PgRow) -> Result<Verdict, StoreError> {
    let number = |column: &'static str| found.try_get::<f64, _>(column).during("read a column");
    let observations: Option<i64> = found.try_get("clv_observations").during("read a column")?;
    let median_cost: Option<i64> = found.try_get("median_cost").during("read a column")?;
    let timing = match observations {
        None => None,
        Some(_) => Some(Timing {
            observations: row::unsigned(found, "clv_observations")?,
            copyable: number("clv_copyable")?,
            t: number("clv_t")?,
        }),
    };
    Ok(Verdict {
        wallet: row::text(found, "wallet_address", "an address")?,
        score: number("reputation_score")?,
        tier: row::named(found, "trader_tier", "a tier", Tier::from_name)?,
        skill: Skill { kappa: number("skill_kappa")?, standard_error: number("skill_se")? },
        timing,
        median_cost: median_cost.map(Usd::from_micros),
        is_copyable: found.try_get("is_copyable").during("read a column")?,
    })
}
