//! A private PostgreSQL for whoever has none: with `DATABASE_URL` unset a program runs one of its own in its
//! data directory.
//!
//! The server listens on a unix socket only. The socket's folder can be entered by nobody but the server's
//! user, and that is the whole access control. Any number of programs share one server: the first to need it
//! starts it, the last to leave stops it, and a server whose programs were all killed is found and used by the
//! next one.
//!
//! ```text
//! DATA_DIR/postgres/cluster         PostgreSQL's own data directory
//! DATA_DIR/postgres/postgresql.conf its settings, written once and the user's to change
//! DATA_DIR/postgres/startup.log     what it said until its log was open
//! DATA_DIR/postgres/log             its log, one file a weekday
//! DATA_DIR/postgres/socket          the socket's folder (in the temporary directory where this is too long)
//! DATA_DIR/postgres/socket-dir      names the socket's folder
//! DATA_DIR/postgres/start.lock      held by whoever starts or stops the server
//! DATA_DIR/postgres/users.lock      held, shared, by every program that uses it
//! DATA_DIR/postgresql-VERSION       the programs, where they had to be downloaded
//! ```

mod account;
mod binaries;
mod cluster;
mod command;
mod database;
mod download;
mod error;
mod installed;
mod launch;
mod layout;
mod lock;
mod postmaster;
mod socket;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use account::Account;
use binaries::{Binaries, Place, Search};
use layout::Layout;

pub use error::ManagedError;
pub use installed::psql;

/// The database that every managed server has.
const DATABASE: &str = "orderflow";

/// How long a start waits for another program that is starting (and perhaps downloading) the same server.
const START_TURN: Duration = Duration::from_secs(180);

/// How long a stop waits for another program that is starting or stopping the same server.
const STOP_TURN: Duration = Duration::from_secs(75);

/// A private PostgreSQL, running for as long as anybody holds one of these.
///
/// Dropping it does what [`stop`](ManagedPostgres::stop) does, blocking the thread meanwhile.
#[derive(Debug)]
pub struct ManagedPostgres {
    layout: Layout,
    account: Account,
    binaries: Binaries,
    socket: PathBuf,
    /// Our share of the users' lock; gone once we have left.
    users: Option<File>,
    /// The start lock, while we are still starting.
    turn: Option<File>,
}

/// Where the private PostgreSQL lives, and how carefully it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedSettings {
    /// The program's data directory; created where it is missing.
    pub data_dir: PathBuf,
    /// Whether the data has to survive a power cut.
    pub durability: Durability,
}

/// Whether the data has to survive a power cut. Decided when the database is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// What is committed stays.
    Durable,
    /// Several times faster, for tests and demonstrations. A crash of the machine may destroy it all.
    Throwaway,
}

/// What leaving did to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// We were the last: the server was stopped.
    ServerStopped,
    /// Other programs use it still, perhaps in another container: it was left running.
    ServerInUse,
}

impl ManagedPostgres {
    /// Starts the server, or finds the one that runs already, and makes sure that it has a database
    /// `orderflow`.
    ///
    /// The first start in a data directory creates the database, which takes seconds; where no PostgreSQL is
    /// installed it downloads one, which takes up to minutes. Started as root, the server runs as the user
    /// `postgres` or `nobody`.
    ///
    /// # Errors
    ///
    /// See [`ManagedError`]: each says what can be done about it.
    pub async fn start(settings: &ManagedSettings) -> Result<ManagedPostgres, ManagedError> {
        let path = std::env::var_os("PATH");
        ManagedPostgres::start_from(settings, move |data_dir| {
            Place::on_this_machine(data_dir, path.as_deref())
        })
        .await
    }

    async fn start_from(
        settings: &ManagedSettings,
        places: impl FnOnce(&Path) -> Vec<Place> + Send + 'static,
    ) -> Result<ManagedPostgres, ManagedError> {
        let ManagedSettings { data_dir, durability } = settings.clone();
        let mut site = blocking(move || Site::prepare(&data_dir, durability, places)).await?;
        let binaries = site.binaries().await?;
        let mut managed = blocking(move || site.bring_up(binaries, durability)).await?;
        managed.create_database(DATABASE).await?;
        managed.turn = None;
        Ok(managed)
    }

    /// The URL of one of the server's databases, for `psql` and sqlx alike.
    ///
    /// The database of the programs is `orderflow`.
    pub fn url(&self, database: &str) -> String {
        socket::url(&self.socket, cluster::SUPERUSER, database)
    }

    /// Creates an empty database; one that exists is left as it is.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, does not answer, or refuses the name.
    pub async fn create_database(&self, name: &str) -> Result<(), ManagedError> {
        database::create(&self.socket, name).await
    }

    /// Drops a database and cuts the connections to it; one that does not exist is no error.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, does not answer, or refuses.
    pub async fn drop_database(&self, name: &str) -> Result<(), ManagedError> {
        database::drop(&self.socket, name, true).await
    }

    /// The names of all databases.
    pub(crate) async fn databases(&self) -> Result<Vec<String>, ManagedError> {
        database::list(&self.socket).await
    }

    /// Drops a database unless somebody is connected to it.
    pub(crate) async fn drop_unused_database(&self, name: &str) -> Result<(), ManagedError> {
        database::drop(&self.socket, name, false).await
    }

    /// Stops using the server. The last user stops it in order; connections that are still open are cut.
    ///
    /// # Errors
    ///
    /// The server did not stop in time, or another program held the start lock for too long; the server is
    /// left running then, for the next start to find.
    pub async fn stop(mut self) -> Result<Left, ManagedError> {
        blocking(move || self.leave()).await
    }

    /// Stops using the server and leaves it running, for programs that are not ours: the next of ours that
    /// leaves last stops it.
    pub fn keep_running(mut self) {
        self.users = None;
        self.turn = None;
    }

    fn leave(&mut self) -> Result<Left, ManagedError> {
        let Some(users) = self.users.take() else {
            return Ok(Left::ServerInUse);
        };
        let turn = match self.turn.take() {
            Some(turn) => Ok(turn),
            None => lock::exclusive(&self.layout.start_lock, STOP_TURN),
        };
        // Without our turn we leave all the same, or we would keep the others from stopping it.
        let last = lock::was_last(&self.layout.users_lock, &users)?;
        let _turn = turn?;
        if !last {
            return Ok(Left::ServerInUse);
        }
        if launch::stop(&self.layout, &self.account, &self.binaries)? {
            Ok(Left::ServerStopped)
        } else {
            Ok(Left::ServerInUse)
        }
    }
}

impl Drop for ManagedPostgres {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the private PostgreSQL may be left running");
        }
    }
}

/// A data directory in which we hold the start lock.
struct Site {
    layout: Layout,
    account: Account,
    search: Search,
    turn: File,
}

impl Site {
    fn prepare(
        data_dir: &Path,
        durability: Durability,
        places: impl FnOnce(&Path) -> Vec<Place>,
    ) -> Result<Site, ManagedError> {
        let layout = Layout::open(data_dir)?;
        let account = Account::choose(&layout.cluster)?;
        layout.admit(&account)?;
        let turn = lock::exclusive(&layout.start_lock, START_TURN)?;
        cluster::check_durability(&layout, durability)?;
        let search = Search::look(&places(&layout.data_dir), &account);
        Ok(Site { layout, account, search, turn })
    }

    /// The programs that fit the cluster, downloaded if need be.
    async fn binaries(&mut self) -> Result<Binaries, ManagedError> {
        let major = cluster::major(&self.layout);
        if let Some(binaries) = self.search.pick(major) {
            return Ok(binaries.clone());
        }
        // Before anything is fetched: perhaps nothing is missing but the right to run it.
        let account = self.account.clone();
        blocking(move || account.check()).await?;
        let failure = match download::download(&self.layout.data_dir, major).await {
            Ok(()) => "the downloaded programs do not run on this machine".to_owned(),
            Err(reason) => reason,
        };
        let place = [Place::downloaded(&self.layout.data_dir)];
        let account = self.account.clone();
        let downloaded = blocking(move || Ok(Search::look(&place, &account))).await?;
        match downloaded.pick(major) {
            Some(binaries) => Ok(binaries.clone()),
            None => {
                Err(ManagedError::NoBinaries { major, searched: self.search.report(), download: failure })
            }
        }
    }

    fn bring_up(self, binaries: Binaries, durability: Durability) -> Result<ManagedPostgres, ManagedError> {
        let Site { layout, account, turn, .. } = self;
        if cluster::major(&layout).is_none() {
            cluster::create(&layout, &account, &binaries, durability)?;
        }
        // Counted before the server runs: who cannot be counted starts none. A server that does not get ready
        // in time is left running, for the next start to find: it may be recovering from a crash, and a
        // recovery that is stopped begins anew. Once it is ready, whatever fails stops it by dropping us.
        let users = lock::shared(&layout.users_lock, STOP_TURN)?;
        let socket = launch::ensure_running(&layout, &account, &binaries)?;
        Ok(ManagedPostgres { layout, account, binaries, socket, users: Some(users), turn: Some(turn) })
    }
}

/// The major version that a new cluster gets on this machine.
pub(crate) async fn major_of_new_cluster() -> Result<u32, ManagedError> {
    blocking(installed::major_of_new_cluster).await
}

/// Runs what waits for processes and files on a thread where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ManagedError> + Send + 'static,
) -> Result<T, ManagedError> {
    tokio::task::spawn_blocking(work).await.map_err(ManagedError::Interrupted)?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set in the process that has no network.
    const OFFLINE: &str = "ORDERFLOW_TEST_OFFLINE";

    /// The test runs itself again with a proxy that nobody answers at, because there may be a network here.
    #[test]
    fn without_binaries_and_network_one_message_says_what_to_do() {
        if std::env::var_os(OFFLINE).is_some() {
            return check_message();
        }
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "managed::tests::without_binaries_and_network_one_message_says_what_to_do"]);
        child.arg("--nocapture").env(OFFLINE, "1");
        for proxy in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            child.env(proxy, "http://127.0.0.1:1");
        }
        child.env_remove("NO_PROXY").env_remove("no_proxy");
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    fn check_message() {
        let data_dir = tempfile::tempdir().unwrap();
        let settings =
            ManagedSettings { data_dir: data_dir.path().to_owned(), durability: Durability::Throwaway };
        let places = |_: &Path| vec![Place::Folder("/nowhere/bin".into())];
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let error = runtime.block_on(ManagedPostgres::start_from(&settings, places)).unwrap_err();
        let message = error.to_string();
        let parts = [
            "apt install postgresql ",
            "brew install postgresql@17",
            "dnf install postgresql-server",
            "DATABASE_URL",
            "/nowhere/bin",
        ];
        for part in parts {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
        assert!(matches!(error, ManagedError::NoBinaries { major: None, .. }));
        println!("{message}");
    }
}
