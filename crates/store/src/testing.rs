//! Databases for tests, on a real server, and what to put into them.
//!
//! It is here rather than behind a feature because the tests of several crates need it; programs have no use
//! for it.

mod believed;
mod wallets;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::unistd::geteuid;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::OnceCell;

pub use believed::{assessment, whale};
pub use wallets::copy_wallets;

use crate::managed::{self, Durability, ManagedError, ManagedPostgres, ManagedSettings};

/// How many connections a test may hold, out of the server's 200.
const CONNECTIONS: u32 = 5;

/// How long a test waits for one of its connections.
const ACQUIRE: Duration = Duration::from_secs(30);

/// After this time a database was left by a test that was killed.
const ABANDONED: Duration = Duration::from_secs(3_600);

/// The beginning of every test database's name, before the second it was created in.
const PREFIX: &str = "test_";

/// An empty database of one test, dropped with this value.
///
/// All tests of one user share a server in [`data_dir`], which the last of them stops.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    pool: PgPool,
    /// Always there until dropped, which takes it away.
    server: Option<ManagedPostgres>,
    url: String,
}

impl TestDatabase {
    /// Creates a new empty database, starting the server if it does not run.
    ///
    /// # Panics
    ///
    /// The server cannot be started or the database not be created, which fails the test with the reason.
    pub async fn create() -> TestDatabase {
        match TestDatabase::try_create().await {
            Ok(database) => database,
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                panic!("no database for the test: {error} {cause}");
            }
        }
    }

    async fn try_create() -> Result<TestDatabase, ManagedError> {
        let settings = ManagedSettings { data_dir: data_dir().await?, durability: Durability::Throwaway };
        let server = ManagedPostgres::start(&settings).await?;
        drop_abandoned(&server).await;
        let name = new_name();
        server.create_database(&name).await?;
        let url = server.url(&name);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .connect(&url)
            .await
            .map_err(|source| ManagedError::Connect { database: name.clone(), source })?;
        Ok(TestDatabase { name, pool, server: Some(server), url })
    }

    /// The database's URL, as a program would be given it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes it hold something of a condition, on paper, without the signal that led to it.
    ///
    /// # Panics
    ///
    /// The database refuses, which fails the test with the reason.
    pub async fn hold(&self, condition: domain::ConditionId) {
        let sql = format!(
            "BEGIN;
             SET LOCAL session_replication_role = replica;
             INSERT INTO orderflow_positions
                 (id, opened_at, mode, condition_id, event, token_id, outcome_index, shares, cost_usd, fee_usd)
             VALUES (1, now(), 'paper', '{condition}', 'event', 1, 0, 100, 50, 0);
             COMMIT"
        );
        if let Err(error) = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&self.pool).await {
            panic!("nothing is held: {error}");
        }
    }

    /// Connections to the database; the same few for every caller.
    pub fn pool(&self) -> PgPool {
        self.pool.clone()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        let name = std::mem::take(&mut self.name);
        // A runtime of its own, because the test's may be ending; waited for, because the process may be.
        let farewell = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // Whatever fails here is made good an hour later by another test.
            if let Ok(runtime) = runtime {
                let _ = runtime.block_on(server.drop_database(&name));
            }
            drop(server);
        });
        let _ = farewell.join();
    }
}

/// One folder for all test processes of this user, in the temporary directory.
///
/// It is named after PostgreSQL's major version, too: the temporary directory may outlive an upgrade, and the
/// new programs cannot open what the old ones made. The name is known to everybody, so a folder that is not
/// our own is refused.
///
/// # Errors
///
/// The folder cannot be made, or is somebody else's; the server's user is not known.
pub async fn data_dir() -> Result<PathBuf, ManagedError> {
    // Once in a process: every server on the machine is run for its version.
    static MAJOR: OnceCell<u32> = OnceCell::const_new();
    let major = MAJOR.get_or_try_init(managed::major_of_new_cluster).await?;
    let path = std::env::temp_dir().join(format!("orderflow-test-postgres-{major}-{}", geteuid()));
    let failed = |source| ManagedError::Prepare { path: path.clone(), source };
    match DirBuilder::new().mode(0o711).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let metadata = fs::symlink_metadata(&path).map_err(failed)?;
    if metadata.is_dir() && metadata.uid() == geteuid().as_raw() {
        return Ok(path);
    }
    Err(failed(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to somebody else")))
}

/// A name that no other test has, and that tells its age: second, process, number.
fn new_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}_{}_{count}", now().as_secs(), std::process::id())
}

/// Drops what killed tests left behind, once in a process.
async fn drop_abandoned(server: &ManagedPostgres) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::Relaxed) {
        return;
    }
    // A database that stays costs nothing but its place on the disk: no test fails for it.
    for name in server.databases().await.unwrap_or_default() {
        let created = name.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next()?.parse().ok());
        let age = created.map(|created| now().saturating_sub(Duration::from_secs(created)));
        if age.is_some_and(|age| age > ABANDONED) {
            let _ = server.drop_unused_database(&name).await;
        }
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
