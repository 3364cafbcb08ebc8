//! Every SQL statement of the system, its migrations, and the PostgreSQL it can run by itself.
//!
//! Invariant: a fact and the cursor that says it was taken in commit in one transaction, on the writing side
//! and on every reading side. So a crash anywhere loses nothing and doubles nothing.

pub mod audit;
mod bulk;
pub mod controls;
pub mod coverage;
mod error;
pub mod facts;
pub mod feed;
pub mod halts;
pub mod journal;
pub mod live;
pub mod managed;
pub mod markets;
mod migrations;
pub mod recording;
pub mod reports;
pub mod results;
pub mod resume;
pub mod retention;
mod row;
pub mod scores;
pub mod signals;
pub mod sources;
pub mod states;
pub mod status;
pub mod stories;
pub mod testing;
pub mod worth;

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};

use error::During as _;
pub use error::StoreError;
pub use sqlx::PgConnection;
/// A connection of the pool.
pub type Connection = sqlx::pool::PoolConnection<sqlx::Postgres>;
/// An open transaction: what is not committed never happened.
pub type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;

/// A statement with what is bound to it so far.
pub(crate) type Statement<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// A connection that was not used for so long is asked whether it is there.
const IDLE: Duration = Duration::from_secs(5);

/// The channel on which writers say that there is news.
const CHANNEL: &str = "orderflow";
/// What is said there where the news are new blocks and nothing else.
const BLOCKS: &str = "blocks";

/// A pool of connections to a database whose schema is up to date.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    /// What this process stored last, for its own readers.
    recent: facts::Recent,
}

impl Store {
    /// Connects and brings the schema up to date.
    ///
    /// # Errors
    /// If the address is no address, nobody answers, or a migration fails.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        // The address may hold a password: errors name the host and database only.
        let unreadable =
            |source| StoreError::Connect { database: "given in DATABASE_URL".to_owned(), source };
        let options: PgConnectOptions = url.parse().map_err(unreadable)?;
        let database =
            format!("{} on {}", options.get_database().unwrap_or("of the user's name"), options.get_host());
        // Tables grow from nothing to millions of rows under statements prepared once: a plan made for an empty
        // table must not be kept.
        let options = options
            .application_name("orderflow")
            .options([("plan_cache_mode", "force_custom_plan"), ("jit", "off")]);
        let pool =
            pool().connect_with(options).await.map_err(|source| StoreError::Connect { database, source })?;
        Self::over(pool).await
    }

    /// A store over a pool that exists.
    ///
    /// # Errors
    /// If a migration fails.
    pub async fn over(pool: PgPool) -> Result<Self, StoreError> {
        migrations::run(&pool).await?;
        Ok(Self { pool, recent: facts::Recent::default() })
    }

    /// The same database for work that can be done again from its source: commits do not wait for the disk, which
    /// takes most of the time of small ones. A machine that fails loses the newest of them, and never one without
    /// those that followed it: whoever acts on one of them and waits for the disk waits for both.
    #[must_use]
    pub fn repeatable(&self) -> Self {
        self.with(&[("synchronous_commit", "off")])
    }

    /// The same database for many small steps that somebody waits for, over connections that plan each statement once:
    /// finding the way to a few rows by their keys anew takes longer than to go it. A plan lasts until PostgreSQL counts the
    /// rows again, and one that was made of an empty table would read all of it when it is not empty any more: so tables are
    /// not read whole where an index leads to what is asked for.
    #[must_use]
    pub fn in_small_steps(&self) -> Self {
        self.with(&[("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")])
    }

    /// The same database for who must not wait long for a lock, because others wait meanwhile for what it has: PostgreSQL
    /// sees no circle that goes through two connections of one process.
    pub(crate) fn in_a_hurry(&self) -> Self {
        self.with(&[("lock_timeout", "200ms")])
    }

    /// The same database over connections with other settings, which are made when they are needed.
    fn with(&self, settings: &[(&str, &str)]) -> Self {
        let options = self.pool.connect_options().as_ref().clone().options(settings.iter().copied());
        Self { pool: pool().connect_lazy_with(options), recent: self.recent.clone() }
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// If there is none.
    pub async fn connection(&self) -> Result<Connection, StoreError> {
        self.pool.acquire().await.during("get a connection")
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        self.pool.begin().await.during("begin a transaction")
    }

    /// Begins a transaction whose commit does not wait for the disk, as all of a [`repeatable`](Self::repeatable) store do
    /// not.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn begin_repeatable(&self) -> Result<Transaction, StoreError> {
        const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = off";
        self.pool.begin_with(BEGIN).await.during("begin a transaction")
    }

    /// Begins a transaction whose turn it is to write into the outbox: see [`take_turn`]. In one round trip, because the
    /// newest block waits for it.
    pub(crate) async fn begin_in_turn(&self) -> Result<Transaction, StoreError> {
        const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('orderflow outbox', 0))";
        self.pool.begin_with(BEGIN).await.during("wait for the outbox")
    }

    /// Begins a transaction that sees the database as it is now, whatever others commit meanwhile.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn begin_snapshot(&self) -> Result<Transaction, StoreError> {
        let mut transaction = self.pool.begin().await.during("begin a transaction")?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .execute(&mut *transaction)
            .await
            .during("see the database as it is now")?;
        Ok(transaction)
    }

    /// Makes a transaction's changes real.
    ///
    /// # Errors
    /// If the database refuses or has gone; then nothing of it happened, or will be found to have.
    pub async fn commit(transaction: Transaction) -> Result<(), StoreError> {
        transaction.commit().await.during("commit a transaction")
    }

    /// Makes a transaction as if it had never been, and waits for that: others may wait for what it locked.
    pub(crate) async fn give_up(transaction: Transaction) -> Result<(), StoreError> {
        transaction.rollback().await.during("roll a transaction back")
    }

    /// Listens for news. Notifications can be lost with a connection: readers look by themselves as well.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn listen(&self) -> Result<News, StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await.during("connect for notifications")?;
        listener.listen(CHANNEL).await.during("listen for notifications")?;
        Ok(News { listener })
    }

    /// Takes the role that only one process may have, for as long as the returned value lives.
    ///
    /// # Errors
    /// If another process has it, or there is no connection.
    pub async fn become_only(&self, role: &'static str) -> Result<OnlyOne, StoreError> {
        let mut connection = self.pool.acquire().await.during("connect for a lock")?.detach();
        let is_ours: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))")
            .bind(role)
            .fetch_one(&mut connection)
            .await
            .during("take the lock of a role")?;
        if is_ours { Ok(OnlyOne { connection }) } else { Err(StoreError::AlreadyRunning { role }) }
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// How connections are shared. One that was used a moment ago is there: to ask it first, as sqlx does otherwise, would
/// cost every step a round trip.
fn pool() -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(15))
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move { Ok(used.idle_for <= IDLE || connection.ping().await.is_ok()) })
        })
}

/// Notifications that there is something new in the outbox.
#[derive(Debug)]
pub struct News {
    listener: PgListener,
}

impl News {
    /// Returns when there may be news.
    ///
    /// # Errors
    /// If the connection is lost and cannot be made again.
    pub async fn wait(&mut self) -> Result<(), StoreError> {
        self.listener.recv().await.map(|_| ()).during("wait for notifications")
    }

    /// Returns when there may be news that are not new blocks: those come all the time, and whoever does not follow
    /// them should not be in the way of who does.
    ///
    /// # Errors
    /// If the connection is lost and cannot be made again.
    pub async fn wait_beside_blocks(&mut self) -> Result<(), StoreError> {
        loop {
            let heard = self.listener.recv().await.during("wait for notifications")?;
            if heard.payload() != BLOCKS {
                return Ok(());
            }
        }
    }
}

/// A role that only one process may have. The lock goes with the connection, so a crash frees it.
#[derive(Debug)]
pub struct OnlyOne {
    connection: PgConnection,
}

impl OnlyOne {
    /// Makes sure that the role is still ours: a connection that idles may be cut, and the lock with it.
    ///
    /// # Errors
    /// If the connection is gone; somebody else may have the role by now.
    pub async fn still_is(&mut self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1")
            .execute(&mut self.connection)
            .await
            .map(|_| ())
            .during("keep the lock of a role")
    }
}

/// Says that there is something new in the outbox; delivered when the transaction commits.
pub(crate) async fn announce(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, '')")
        .bind(CHANNEL)
        .execute(connection)
        .await
        .map(|_| ())
        .during("notify the readers of the outbox")
}

/// Makes writers of the outbox take turns, so that its numbers become visible in their order and no reader
/// steps over one that is not committed yet. Held until the transaction ends.
pub(crate) async fn take_turn(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('orderflow outbox', 0))")
        .execute(connection)
        .await
        .map(|_| ())
        .during("wait for the outbox")
}
