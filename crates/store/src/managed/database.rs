use std::future::Future;
use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::cluster::SUPERUSER;
use super::error::ManagedError;
use super::socket;

/// How long one statement about a whole database may take.
const ANSWER: Duration = Duration::from_secs(60);

/// The database that every cluster has; nothing of ours is in it.
const MAINTENANCE: &str = "postgres";

/// Creates the database unless it is there.
pub(super) async fn create(folder: &Path, database: &str) -> Result<(), ManagedError> {
    in_time(async {
        let mut connection = connect(folder).await?;
        let failed = |source| ManagedError::CreateDatabase { database: database.to_owned(), source };
        let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(database)
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?;
        if !there {
            // template0 rather than template1, because nobody can be connected to it, which would make
            // this fail.
            let sql = format!("CREATE DATABASE {} TEMPLATE template0", quoted(database));
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.map_err(failed)?;
        }
        connection.close().await.map_err(failed)
    })
    .await
}

/// Drops the database if it is there. Connections to it are cut when `force` is given, else they make it fail.
pub(super) async fn drop(folder: &Path, database: &str, force: bool) -> Result<(), ManagedError> {
    in_time(async {
        let mut connection = connect(folder).await?;
        let failed = |source| ManagedError::DropDatabase { database: database.to_owned(), source };
        let force = if force { " WITH (FORCE)" } else { "" };
        let sql = format!("DROP DATABASE IF EXISTS {}{force}", quoted(database));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.map_err(failed)?;
        connection.close().await.map_err(failed)
    })
    .await
}

/// The names of all databases.
pub(super) async fn list(folder: &Path) -> Result<Vec<String>, ManagedError> {
    in_time(async {
        let mut connection = connect(folder).await?;
        let names = sqlx::query_scalar("SELECT datname::text FROM pg_database")
            .fetch_all(&mut connection)
            .await
            .map_err(ManagedError::ListDatabases)?;
        connection.close().await.map_err(ManagedError::ListDatabases)?;
        Ok(names)
    })
    .await
}

async fn connect(folder: &Path) -> Result<PgConnection, ManagedError> {
    let failed = |source| ManagedError::Connect { database: MAINTENANCE.to_owned(), source };
    let options: PgConnectOptions = socket::url(folder, SUPERUSER, MAINTENANCE).parse().map_err(failed)?;
    options.connect().await.map_err(failed)
}

async fn in_time<T>(work: impl Future<Output = Result<T, ManagedError>>) -> Result<T, ManagedError> {
    match tokio::time::timeout(ANSWER, work).await {
        Ok(result) => result,
        Err(_) => Err(ManagedError::NoAnswer { deadline: ANSWER }),
    }
}

/// An identifier in SQL: any name, its quotes doubled.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
