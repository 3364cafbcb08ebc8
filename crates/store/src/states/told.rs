//! Who was told of between two passes, before what is known of them was saved.

use domain::Wallet;
use sqlx::PgConnection;

use super::find::{WalletNumber, numbers};
use crate::error::{During as _, StoreError};
use crate::{bulk, row};

/// How many wallets are numbered at once.
const PAGE: usize = 5_000;

/// Notes whom readers are told of, in the transaction that tells them.
///
/// # Errors
/// If the database refuses.
pub async fn note_told(connection: &mut PgConnection, wallets: &[Wallet]) -> Result<(), StoreError> {
    let statement = "COPY orderflow_told_wallets (wallet_address) FROM STDIN (FORMAT binary)";
    bulk::copy(connection, statement, 1, wallets, |to, wallet| to.text(&wallet.to_string())).await
}

/// Whether anybody was told of since the last pass.
///
/// # Errors
/// If the database refuses.
pub async fn has_told(connection: &mut PgConnection) -> Result<bool, StoreError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM orderflow_told_wallets)")
        .fetch_one(connection)
        .await
        .during("look for who was told of")
}

/// Whom readers were told of since the last pass.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn told(connection: &mut PgConnection) -> Result<Vec<WalletNumber>, StoreError> {
    let rows = sqlx::query("SELECT DISTINCT wallet_address AS address FROM orderflow_told_wallets")
        .fetch_all(&mut *connection)
        .await
        .during("read who was told of")?;
    let told: Vec<Wallet> =
        rows.iter().map(|found| row::text(found, "address", "an address")).collect::<Result<_, _>>()?;
    let mut all = Vec::with_capacity(told.len());
    for page in told.chunks(PAGE) {
        all.extend(numbers(connection, page).await?.into_iter().map(i64::from));
    }
    Ok(all)
}

/// Forgets who was told of: everybody has been told of again.
pub(super) async fn forget_told(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM orderflow_told_wallets")
        .execute(connection)
        .await
        .map(|_| ())
        .during("forget who was told of")
}
