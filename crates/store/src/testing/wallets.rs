//! Databases of millions of wallets, made within a minute.

use domain::Wallet;
use sqlx::PgConnection;

use crate::bulk;
use crate::error::{During as _, StoreError};
use crate::row;

/// Adds wallets with these addresses, of which the same is known as of those that are there already, in turn.
///
/// # Errors
/// If the database refuses.
pub async fn copy_wallets(connection: &mut PgConnection, addresses: &[Wallet]) -> Result<(), StoreError> {
    let there: i32 = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM orderflow_wallets")
        .fetch_one(&mut *connection)
        .await
        .during("count the wallets that are there")?;
    let numbered = addresses.iter().zip(there.saturating_add(1)..);
    let statement = "COPY orderflow_wallets (id, address) FROM STDIN (FORMAT binary)";
    bulk::copy(connection, statement, 2, numbered, |to, (wallet, id)| {
        to.integer(id);
        to.text(&wallet.to_string());
    })
    .await?;
    let last = there.saturating_add(row::small(addresses.len()));
    let mut behind = there;
    while there > 0 && behind < last {
        for (statement, operation) in [
            (
                "INSERT INTO orderflow_wallet_states (kind, id, save, wake, fades, is_due, decisions, state)
                 SELECT kind, id + $1, save, wake, fades, is_due, decisions, state FROM orderflow_wallet_states
                 WHERE kind = 0 AND id <= least($2, $3 - $1) ORDER BY id",
                "copy states",
            ),
            (
                "INSERT INTO orderflow_token_holders (token, wallet)
                 SELECT token, wallet + $1 FROM orderflow_token_holders
                 WHERE wallet <= least($2, $3 - $1) ORDER BY token, wallet",
                "copy whom results concern",
            ),
        ] {
            let statement = sqlx::query(statement).bind(behind).bind(there).bind(last);
            statement.execute(&mut *connection).await.during(operation)?;
        }
        behind = behind.saturating_add(there);
    }
    sqlx::query("SELECT setval(pg_get_serial_sequence('orderflow_wallets', 'id'), $1)")
        .bind(i64::from(last))
        .execute(connection)
        .await
        .map(|_| ())
        .during("number wallets behind the copies")
}
