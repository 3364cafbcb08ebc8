//! Who was told of between two passes, before what is known of them was saved.

use domain::Wallet;
use sqlx::PgConnection;

use super::find::WalletNumber;
use crate::bulk;
use crate::error::{During as _, StoreError};

/// Notes whom readers are told of, in the transaction that tells them.
///
/// # Errors
/// If the database refuses.
pub async fn note_told(connection: &mut PgConnection, wallets: &[Wallet]) -> Result<(), StoreError> {
    let statement = "COPY orderflow_told_wallets (wallet_address) FROM STDIN (FORMAT binary)";
    bulk::copy(connection, statement, 1, wallets, |to, wallet| to.text(&wallet.to_string())).await
}

/// Says that what was published is outdated, if anybody was told of since the last pass. Whether that is so.
///
/// # Errors
/// If the database refuses.
pub async fn outdate_told(connection: &mut PgConnection) -> Result<bool, StoreError> {
    sqlx::query(
        "UPDATE orderflow_cursors SET published = 'outdated'
         WHERE name = $1 AND published = 'current' AND EXISTS (SELECT FROM orderflow_told_wallets)",
    )
    .bind(super::READER)
    .execute(connection)
    .await
    .map(|done| done.rows_affected() > 0)
    .during("note that what was told is outdated")
}

/// Whom readers were told of since the last pass.
///
/// # Errors
/// If the database refuses.
pub async fn told(connection: &mut PgConnection) -> Result<Vec<WalletNumber>, StoreError> {
    // Who never traded, but split or merged, is not numbered yet.
    sqlx::query(
        "INSERT INTO orderflow_wallets (address)
         SELECT DISTINCT t.wallet_address FROM orderflow_told_wallets t
         WHERE NOT EXISTS (SELECT FROM orderflow_wallets w WHERE w.address = t.wallet_address)
         ORDER BY t.wallet_address ON CONFLICT DO NOTHING",
    )
    .execute(&mut *connection)
    .await
    .during("number who was told of")?;
    sqlx::query_scalar(
        "SELECT DISTINCT w.id::bigint FROM orderflow_told_wallets t
         JOIN orderflow_wallets w ON w.address = t.wallet_address",
    )
    .fetch_all(connection)
    .await
    .during("read who was told of")
}

/// Forgets who was told of: everybody has been told of again.
pub(super) async fn forget_told(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM orderflow_told_wallets")
        .execute(connection)
        .await
        .map(|_| ())
        .during("forget who was told of")
}
