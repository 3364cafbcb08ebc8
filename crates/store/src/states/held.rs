//! What wallets hold, for people and for reports: written with the states it is read off.

use sqlx::PgConnection;

use crate::error::{During as _, StoreError};
use crate::scores::HeldShares;

/// Writes what wallets hold of tokens.
pub(super) async fn put(
    connection: &mut PgConnection,
    save: i64,
    held: &[HeldShares],
) -> Result<(), StoreError> {
    if held.is_empty() {
        return Ok(());
    }
    let numbers = |column: fn(&HeldShares) -> i64| -> Vec<i64> { held.iter().map(column).collect() };
    sqlx::query(
        "INSERT INTO orderflow_wallet_positions (wallet_address, token_id, shares, cost_usd, realized_pnl_usd, save)
         SELECT wallet, token::numeric, shares::numeric / 1000000, cost::numeric / 1000000,
                realized::numeric / 1000000, $6
         FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
              AS fresh (wallet, token, shares, cost, realized)
         ON CONFLICT (wallet_address, token_id) DO UPDATE SET
             shares = excluded.shares, cost_usd = excluded.cost_usd,
             realized_pnl_usd = excluded.realized_pnl_usd, save = excluded.save",
    )
    .bind(held.iter().map(|held| held.wallet.to_string()).collect::<Vec<_>>())
    .bind(held.iter().map(|held| held.token.to_string()).collect::<Vec<_>>())
    .bind(numbers(|held| held.shares.micros()))
    .bind(numbers(|held| held.cost.micros()))
    .bind(numbers(|held| held.realized.micros()))
    .bind(save)
    .execute(connection)
    .await
    .map(|_| ())
    .during("write what wallets hold")
}

/// Keeps what a save is about to overwrite.
pub(super) async fn keep(
    connection: &mut PgConnection,
    save: i64,
    held: &[HeldShares],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_wallet_positions_before
         SELECT $1, fresh.wallet, fresh.token::numeric, p.shares, p.cost_usd, p.realized_pnl_usd, p.save
         FROM UNNEST($2::text[], $3::text[]) AS fresh (wallet, token)
         LEFT JOIN orderflow_wallet_positions p
              ON p.wallet_address = fresh.wallet AND p.token_id = fresh.token::numeric
         ON CONFLICT DO NOTHING",
    )
    .bind(save)
    .bind(held.iter().map(|held| held.wallet.to_string()).collect::<Vec<_>>())
    .bind(held.iter().map(|held| held.token.to_string()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(|_| ())
    .during("keep what wallets held")
}

/// Says that nothing is held of what was written before everything was folded anew, and not since.
///
/// # Errors
/// If the database refuses.
pub async fn clear_stale(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE orderflow_wallet_positions SET shares = 0, cost_usd = 0, realized_pnl_usd = 0
         WHERE coalesce(save, 0) <= (SELECT begun_save FROM orderflow_cursors WHERE name = $1)
           AND (shares, cost_usd, realized_pnl_usd) <> (0, 0, 0)",
    )
    .bind(super::READER)
    .execute(connection)
    .await
    .map(|_| ())
    .during("clear what nobody holds any more")
}

/// Takes back what was written by all saves after one.
pub(super) async fn go_back(connection: &mut PgConnection, save: i64) -> Result<(), StoreError> {
    for (statement, operation) in [
        (
            "DELETE FROM orderflow_wallet_positions p USING orderflow_wallet_positions_before b
             WHERE b.save > $1 AND p.wallet_address = b.wallet_address AND p.token_id = b.token_id",
            "take back what wallets hold",
        ),
        (
            "INSERT INTO orderflow_wallet_positions (wallet_address, token_id, shares, cost_usd, realized_pnl_usd, save)
             SELECT wallet_address, token_id, shares, cost_usd, realized_pnl_usd, written_by
             FROM (SELECT DISTINCT ON (wallet_address, token_id) *
                   FROM orderflow_wallet_positions_before WHERE save > $1
                   ORDER BY wallet_address, token_id, save) AS before
             WHERE shares IS NOT NULL",
            "put back what wallets held",
        ),
        ("DELETE FROM orderflow_wallet_positions_before WHERE save > $1", "forget what wallets held"),
    ] {
        sqlx::query(statement).bind(save).execute(&mut *connection).await.during(operation)?;
    }
    Ok(())
}
