//! Bringing the schema up to date.

use sqlx::PgPool;
use sqlx::migrate::Migrator;

use crate::error::StoreError;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// The first schema as it was before its indexes on `orderflow_trades` asked whether that is still a table: the
/// SHA-384 of the file. What it makes is the same.
const FIRST_SCHEMA_BEFORE: &str =
    "874f56b022bf259b06037a81702432f44fffca924e9383bc809775adf4e9861420f5c4373d6822589bd882043361cad6";

/// Applies what is missing.
///
/// # Errors
/// If a migration fails, or the database was made by a newer version.
pub(crate) async fn run(pool: &PgPool) -> Result<(), StoreError> {
    accept_first_schema(pool).await.map_err(|error| StoreError::Migrate(error.into()))?;
    MIGRATOR.run(pool).await.map_err(StoreError::Migrate)
}

/// Lets databases through that were made with the first schema's earlier text.
async fn accept_first_schema(pool: &PgPool) -> Result<(), sqlx::Error> {
    let has_history: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(pool).await?;
    let Some(first) = MIGRATOR.iter().next().filter(|_| has_history) else { return Ok(()) };
    sqlx::query(
        "UPDATE _sqlx_migrations SET checksum = $1 WHERE version = $2 AND checksum = decode($3, 'hex')",
    )
    .bind(first.checksum.as_ref())
    .bind(first.version)
    .bind(FIRST_SCHEMA_BEFORE)
    .execute(pool)
    .await
    .map(|_| ())
}
