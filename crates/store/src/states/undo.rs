//! Taking saves back: every state that was overwritten since goes back to what it was, and the others stay.

use domain::Wallet;
use sqlx::PgConnection;

use super::{Standing, held, stand, standing_of};
use crate::error::{During as _, StoreError};
use crate::row;

/// Keeps what a save is about to overwrite.
pub(super) async fn keep(
    connection: &mut PgConnection,
    save: i64,
    kinds: &[i16],
    ids: &[i64],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_wallet_states_before (save, kind, id, wake, fades, decisions, state)
         SELECT $1, fresh.kind, fresh.id, s.wake, s.fades, coalesce(s.decisions, 0), coalesce(s.state, '')
         FROM UNNEST($2::smallint[], $3::bigint[]) AS fresh (kind, id)
         LEFT JOIN orderflow_wallet_states s ON s.kind = fresh.kind AND s.id = fresh.id
         ON CONFLICT DO NOTHING",
    )
    .bind(save)
    .bind(kinds)
    .bind(ids)
    .execute(connection)
    .await
    .map(|_| ())
    .during("keep the states that are overwritten")
}

/// Lets go of what nobody can go back to any more: the newest save that is settled is the oldest one that counts.
pub(super) async fn settle(connection: &mut PgConnection, settled: i64) -> Result<(), StoreError> {
    for (statement, operation) in [
        (
            "DELETE FROM orderflow_wallet_states_before
             WHERE save <= (SELECT max(save) FROM orderflow_wallet_saves WHERE block <= $1)",
            "let go of settled states",
        ),
        (
            "DELETE FROM orderflow_wallet_positions_before
             WHERE save <= (SELECT max(save) FROM orderflow_wallet_saves WHERE block <= $1)",
            "let go of settled holdings",
        ),
        (
            "DELETE FROM orderflow_wallet_saves
             WHERE save < (SELECT max(save) FROM orderflow_wallet_saves WHERE block <= $1)",
            "let go of settled saves",
        ),
    ] {
        sqlx::query(statement).bind(settled).execute(&mut *connection).await.during(operation)?;
    }
    Ok(())
}

/// Takes back every save that knows more than the blocks up to a height (`None`: than no block at all), within a
/// transaction: where the fold stands then, and whose states changed by it. `None`: there is no such save any more,
/// and everything has to be folded anew.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn go_back(
    connection: &mut PgConnection,
    height: Option<u64>,
) -> Result<Option<(Standing, Vec<Wallet>)>, StoreError> {
    let found = sqlx::query(
        "SELECT save, seq, block, is_behind FROM orderflow_wallet_saves WHERE block <= $1
         ORDER BY save DESC LIMIT 1",
    )
    .bind(height.map_or(-1, row::signed))
    .fetch_optional(&mut *connection)
    .await
    .during("look for a save to go back to")?;
    let Some(found) = found else { return Ok(None) };
    let target = standing_of(&found)?;
    let number: i64 = sqlx::query_scalar("SELECT max(save) + 1 FROM orderflow_wallet_saves")
        .fetch_one(&mut *connection)
        .await
        .during("number a save")?;
    let wallets: Vec<String> = sqlx::query_scalar(
        "WITH before AS (
             SELECT DISTINCT ON (kind, id) kind, id, wake, fades, decisions, state
             FROM orderflow_wallet_states_before WHERE save > $1 ORDER BY kind, id, save),
         gone AS (
             UPDATE orderflow_wallet_states s
             SET save = $2, is_due = true, wake = b.wake, fades = b.fades, decisions = b.decisions, state = b.state
             FROM before b WHERE s.kind = b.kind AND s.id = b.id
             RETURNING s.kind, s.id)
         SELECT w.address FROM gone JOIN orderflow_wallets w ON w.id = gone.id WHERE gone.kind = 0",
    )
    .bind(target.save)
    .bind(number)
    .fetch_all(&mut *connection)
    .await
    .during("take states back")?;
    for statement in [
        "DELETE FROM orderflow_wallet_states_before WHERE save > $1",
        "DELETE FROM orderflow_wallet_saves WHERE save > $1",
    ] {
        sqlx::query(statement).bind(target.save).execute(&mut *connection).await.during("take saves back")?;
    }
    held::go_back(connection, target.save).await?;
    let standing = Standing { save: number, ..target };
    note(connection, standing).await?;
    if super::published(connection).await? == super::Published::Current {
        super::set(connection, Some("outdated")).await?;
    }
    let parse = |address: String| {
        address.parse().map_err(|_| StoreError::Corrupt {
            column: "address",
            value: address.clone(),
            expected: "an address",
        })
    };
    Ok(Some((standing, wallets.into_iter().map(parse).collect::<Result<_, _>>()?)))
}

/// Forgets all states, so that everything known at an item of the outbox is folded anew.
///
/// # Errors
/// If the database refuses.
pub async fn forget_all(connection: &mut PgConnection, seq: i64) -> Result<Standing, StoreError> {
    let number: i64 = sqlx::query_scalar("SELECT coalesce(max(save), 0) + 1 FROM orderflow_wallet_saves")
        .fetch_one(&mut *connection)
        .await
        .during("number a save")?;
    for statement in [
        "DELETE FROM orderflow_wallet_states",
        "DELETE FROM orderflow_wallet_states_before",
        "DELETE FROM orderflow_wallet_saves",
        "DELETE FROM orderflow_token_holders",
        "DELETE FROM orderflow_wallet_positions_before",
    ] {
        sqlx::query(statement).execute(&mut *connection).await.during("forget all states")?;
    }
    let standing = Standing { save: number, seq, block: None, is_behind: true };
    note(connection, standing).await?;
    sqlx::query("UPDATE orderflow_cursors SET begun_save = $2 WHERE name = $1")
        .bind(super::READER)
        .bind(number)
        .execute(&mut *connection)
        .await
        .during("note where the fold began anew")?;
    super::set(connection, None).await?;
    Ok(standing)
}

/// The lowest height above which the items between two places change what was told before: by taking it back, or by
/// telling more of it. `None`: none of them does; below zero: all of it.
///
/// # Errors
/// If the database refuses.
pub async fn changed_from(
    connection: &mut PgConnection,
    after: i64,
    until: i64,
) -> Result<Option<i64>, StoreError> {
    sqlx::query_scalar(
        "SELECT min(CASE kind WHEN 'reverted' THEN block_number
                              WHEN 'late' THEN block_number - 1
                              ELSE first_block - 1 END)
         FROM orderflow_outbox
         WHERE kind IN ('reverted', 'late', 'history') AND seq > $1 AND seq <= $2",
    )
    .bind(after)
    .bind(until)
    .fetch_one(connection)
    .await
    .during("look for another past")
}

async fn note(connection: &mut PgConnection, standing: Standing) -> Result<(), StoreError> {
    let block = standing.block.map_or(-1, row::signed);
    sqlx::query("INSERT INTO orderflow_wallet_saves (save, seq, block, is_behind) VALUES ($1, $2, $3, $4)")
        .bind(standing.save)
        .bind(standing.seq)
        .bind(block)
        .bind(standing.is_behind)
        .execute(&mut *connection)
        .await
        .during("note where the fold stands")?;
    stand(connection, standing.seq).await
}
