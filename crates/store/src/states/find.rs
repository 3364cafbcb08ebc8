//! Whose bytes are needed, and the bytes.

use std::collections::{BTreeSet, HashMap};

use domain::{ConditionId, Timestamp, TokenId, Wallet};
use futures_util::{Stream, StreamExt as _};
use sqlx::{PgConnection, Row as _};

use super::{WALLET, WalletState, WorldKey};
use crate::error::{During as _, StoreError};
use crate::row;

/// The number of a wallet among the states.
pub type WalletNumber = i64;

/// Who is needed beside those that are known by name.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Everybody whom the results of these conditions concern.
    pub resolved: &'a [ConditionId],
    /// Everybody who ever traded, split or converted these conditions.
    pub regrouped: &'a [ConditionId],
    /// Everybody who has to be looked at by then.
    pub awake: Option<Timestamp>,
}

/// The wallets that are needed.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn find(connection: &mut PgConnection, wanted: Wanted<'_>) -> Result<Vec<Wallet>, StoreError> {
    let names = |conditions: &[ConditionId]| conditions.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut found = Vec::new();
    if !wanted.resolved.is_empty() {
        let rows = sqlx::query(
            "SELECT DISTINCT w.address FROM orderflow_markets m
             JOIN orderflow_tokens k ON k.token_id = ANY(m.token_ids)
             JOIN orderflow_token_holders h ON h.token = k.id
             JOIN orderflow_wallets w ON w.id = h.wallet
             WHERE m.condition_id = ANY($1)",
        );
        found.extend(
            rows.bind(names(wanted.resolved)).fetch_all(&mut *connection).await.during("find holders")?,
        );
    }
    if !wanted.regrouped.is_empty() {
        let rows = sqlx::query(
            "SELECT w.address FROM orderflow_markets m
             JOIN orderflow_tokens k ON k.token_id = ANY(m.token_ids)
             JOIN orderflow_fills f ON f.token = k.id
             JOIN orderflow_wallets w ON w.id = f.wallet
             WHERE m.condition_id = ANY($1)
             UNION
             SELECT e.wallet_address FROM orderflow_markets m
             JOIN orderflow_ledger_events e
                  ON e.condition_id IN (m.condition_id, m.neg_risk_market) OR e.token_id = ANY(m.token_ids)
             WHERE m.condition_id = ANY($1) AND e.wallet_address IS NOT NULL",
        );
        found.extend(
            rows.bind(names(wanted.regrouped)).fetch_all(&mut *connection).await.during("find traders")?,
        );
    }
    if let Some(awake) = wanted.awake {
        let rows = sqlx::query(
            "SELECT w.address FROM orderflow_wallet_states s JOIN orderflow_wallets w ON w.id = s.id
             WHERE s.kind = 0 AND s.wake <= $1",
        );
        let rows = rows.bind(awake.to_offset_date_time()).fetch_all(connection).await;
        found.extend(rows.during("find who is awake")?);
    }
    found.iter().map(|found| row::text(found, "address", "an address")).collect()
}

/// Everybody whom the results of these conditions concern, in order.
///
/// # Errors
/// If the database refuses.
pub async fn holders(
    connection: &mut PgConnection,
    resolved: &[ConditionId],
) -> Result<Vec<WalletNumber>, StoreError> {
    sqlx::query_scalar(
        "SELECT DISTINCT h.wallet::bigint FROM orderflow_markets m
         JOIN orderflow_tokens k ON k.token_id = ANY(m.token_ids)
         JOIN orderflow_token_holders h ON h.token = k.id
         WHERE m.condition_id = ANY($1) ORDER BY 1",
    )
    .bind(resolved.iter().map(ToString::to_string).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
    .during("find holders")
}

/// The bytes of those wallets of which something is known.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn load(
    connection: &mut PgConnection,
    wallets: &[Wallet],
) -> Result<Vec<(Wallet, Vec<u8>)>, StoreError> {
    let rows = sqlx::query(
        // The state by itself, so that no plan reads all states for the sake of some.
        "SELECT address, coalesce(state, '') AS state
         FROM (SELECT w.address, (SELECT s.state FROM orderflow_wallet_states s
                                  WHERE s.kind = $2 AND s.id = w.id) AS state
               FROM orderflow_wallets w WHERE w.address = ANY($1)) AS found",
    )
    .bind(wallets.iter().map(ToString::to_string).collect::<Vec<_>>())
    .bind(WALLET)
    .fetch_all(connection)
    .await
    .during("load wallets")?;
    let mut loaded: Vec<(Wallet, Vec<u8>)> = rows.iter().map(state_of).collect::<Result<_, _>>()?;
    loaded.retain(|(_, state)| !state.is_empty());
    Ok(loaded)
}

fn state_of(found: &sqlx::postgres::PgRow) -> Result<(Wallet, Vec<u8>), StoreError> {
    let wallet = row::text(found, "address", "an address")?;
    Ok((wallet, found.try_get("state").during("read a column")?))
}

/// What belongs to questions and to everybody.
///
/// # Errors
/// If the database refuses.
pub async fn world(connection: &mut PgConnection) -> Result<Vec<(WorldKey, Vec<u8>)>, StoreError> {
    let rows = sqlx::query(
        "SELECT kind, id, state FROM orderflow_wallet_states WHERE kind > $1 AND state <> '' ORDER BY kind, id",
    )
    .bind(WALLET)
    .fetch_all(connection)
    .await
    .during("load what is everybody's")?;
    let state = |found: &sqlx::postgres::PgRow| {
        let key =
            (found.try_get("kind").during("read a column")?, found.try_get("id").during("read a column")?);
        Ok((key, found.try_get("state").during("read a column")?))
    };
    rows.iter().map(state).collect()
}

/// The wallets that the next pass has to publish, those of which nothing is known any more among them.
///
/// # Errors
/// If the database refuses.
pub async fn due(connection: &mut PgConnection) -> Result<Vec<WalletNumber>, StoreError> {
    sqlx::query_scalar("SELECT id FROM orderflow_wallet_states WHERE kind = 0 AND is_due ORDER BY id")
        .fetch_all(connection)
        .await
        .during("find the wallets with news")
}

/// The wallets that a pass of a moment has to look at, whether there is anything to publish or not.
///
/// # Errors
/// If the database refuses.
pub async fn restless(connection: &mut PgConnection, by: Timestamp) -> Result<Vec<WalletNumber>, StoreError> {
    sqlx::query_scalar(
        "SELECT id FROM orderflow_wallet_states WHERE kind = 0 AND wake <= $1
         UNION SELECT id FROM orderflow_wallet_states WHERE kind = 0 AND fades <= $1 ORDER BY id",
    )
    .bind(by.to_offset_date_time())
    .fetch_all(connection)
    .await
    .during("find the wallets for which something is due")
}

/// All wallets.
///
/// # Errors
/// If the database refuses.
pub async fn everybody(connection: &mut PgConnection) -> Result<Vec<WalletNumber>, StoreError> {
    sqlx::query_scalar("SELECT id FROM orderflow_wallet_states WHERE kind = 0 ORDER BY id")
        .fetch_all(connection)
        .await
        .during("find all wallets")
}

/// The wallets with as many closed decisions.
///
/// # Errors
/// If the database refuses.
pub async fn seasoned(
    connection: &mut PgConnection,
    decisions: u32,
) -> Result<Vec<WalletNumber>, StoreError> {
    sqlx::query_scalar(
        "SELECT id FROM orderflow_wallet_states
         WHERE kind = 0 AND decisions >= $1 AND state <> '' ORDER BY id",
    )
    .bind(row::small(decisions))
    .fetch_all(connection)
    .await
    .during("find the wallets with enough decisions")
}

/// The wallets with these numbers and their bytes, which are empty where nothing is known any more: one by one, so that
/// whoever takes them in does so while the server looks for the next ones.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub fn load_numbered<'a>(
    connection: &'a mut PgConnection,
    numbers: &'a [WalletNumber],
) -> impl Stream<Item = Result<(Wallet, Vec<u8>), StoreError>> + Send + 'a {
    let rows = sqlx::query(
        // Each by itself, so that no plan reads all states, or all wallets, for the sake of some.
        "SELECT (SELECT w.address FROM orderflow_wallets w WHERE w.id = n.id) AS address,
                coalesce((SELECT s.state FROM orderflow_wallet_states s WHERE s.kind = 0 AND s.id = n.id), '') AS state
         FROM UNNEST($1::bigint[]) AS n (id)",
    );
    let rows = rows.bind(numbers).fetch(connection);
    rows.map(|found| found.during("load wallets").and_then(|found| state_of(&found)))
}

/// The wallets with these numbers.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn named(
    connection: &mut PgConnection,
    numbers: &[WalletNumber],
) -> Result<Vec<Wallet>, StoreError> {
    let rows = sqlx::query("SELECT address FROM orderflow_wallets WHERE id = ANY($1) ORDER BY id")
        .bind(numbers)
        .fetch_all(connection)
        .await
        .during("name wallets")?;
    rows.iter().map(|found| row::text(found, "address", "an address")).collect()
}

/// The wallets that have a verdict that says something, and of which nothing is known.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn unknown(connection: &mut PgConnection) -> Result<Vec<Wallet>, StoreError> {
    let rows = sqlx::query(
        "SELECT v.wallet_address AS address FROM orderflow_wallet_stats v
         WHERE (v.trader_tier <> 'UNRATED' OR v.total_trades > 0 OR v.total_pnl_usd <> 0)
           AND NOT EXISTS (SELECT FROM orderflow_wallets w
                           JOIN orderflow_wallet_states s ON s.kind = 0 AND s.id = w.id AND s.state <> ''
                           WHERE w.address = v.wallet_address)",
    )
    .fetch_all(connection)
    .await
    .during("find verdicts without facts")?;
    rows.iter().map(|found| row::text(found, "address", "an address")).collect()
}

/// How many wallets something is known of.
///
/// # Errors
/// If the database refuses.
pub async fn count(connection: &mut PgConnection) -> Result<usize, StoreError> {
    // Both are counted in indexes alone.
    let count: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM orderflow_wallet_states WHERE kind = 0)
              - (SELECT count(*) FROM orderflow_wallet_states WHERE kind = 0 AND state = '')",
    )
    .fetch_one(connection)
    .await
    .during("count the wallets")?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The numbers of wallets, in their order; who has none gets one.
pub(super) async fn numbers(
    connection: &mut PgConnection,
    wallets: &[Wallet],
) -> Result<Vec<i32>, StoreError> {
    let names: Vec<String> = wallets.iter().map(ToString::to_string).collect();
    let mut known: HashMap<String, i32> = HashMap::with_capacity(names.len());
    for statement in [
        "SELECT id, address FROM orderflow_wallets WHERE address = ANY($1)",
        // Only who never traded is not numbered yet: who only split or merged. In order, as all do who number.
        "INSERT INTO orderflow_wallets (address) SELECT name FROM UNNEST($1::text[]) AS name ORDER BY name
         ON CONFLICT DO NOTHING RETURNING id, address",
        "SELECT id, address FROM orderflow_wallets WHERE address = ANY($1)",
    ] {
        let missing: Vec<&String> = names.iter().filter(|name| !known.contains_key(*name)).collect();
        if missing.is_empty() {
            break;
        }
        let rows = sqlx::query(statement)
            .bind(missing)
            .fetch_all(&mut *connection)
            .await
            .during("number wallets")?;
        for found in &rows {
            known.insert(row::string(found, "address")?, found.try_get("id").during("read a column")?);
        }
    }
    let number = |name: &String| {
        known.get(name).copied().ok_or_else(|| StoreError::Corrupt {
            column: "address",
            value: name.clone(),
            expected: "a wallet that was given a number",
        })
    };
    names.iter().map(number).collect()
}

/// Notes by which tokens' results wallets are found.
pub(super) async fn note_holders(
    connection: &mut PgConnection,
    wallets: &[WalletState],
    ids: &[i32],
) -> Result<(), StoreError> {
    let pairs =
        || wallets.iter().zip(ids).flat_map(|(state, id)| state.tokens.iter().map(move |of| (of, *id)));
    let (tokens, holders): (Vec<String>, Vec<i32>) =
        pairs().map(|(token, id)| (token.to_string(), id)).unzip();
    if tokens.is_empty() {
        return Ok(());
    }
    let of: BTreeSet<&TokenId> = pairs().map(|(token, _)| token).collect();
    // Only what was split and never traded has no number yet.
    sqlx::query(
        "INSERT INTO orderflow_tokens (token_id)
         SELECT token::numeric FROM UNNEST($1::text[]) AS token
         WHERE NOT EXISTS (SELECT FROM orderflow_tokens WHERE token_id = token::numeric)
         ON CONFLICT DO NOTHING",
    )
    .bind(of.iter().map(ToString::to_string).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await
    .during("number tokens")?;
    sqlx::query(
        "INSERT INTO orderflow_token_holders (token, wallet)
         SELECT k.id, fresh.wallet FROM UNNEST($1::text[], $2::integer[]) AS fresh (token, wallet)
         JOIN orderflow_tokens k ON k.token_id = fresh.token::numeric
         ON CONFLICT DO NOTHING",
    )
    .bind(tokens)
    .bind(holders)
    .execute(connection)
    .await
    .map(|_| ())
    .during("note whom a result concerns")
}
