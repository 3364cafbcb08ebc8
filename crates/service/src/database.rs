//! The database a program works on: the one it is given, or a private one that it runs.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use store::Store;
use store::managed::{Durability, ManagedPostgres, ManagedSettings};

use crate::settings::set;

/// The number of the user this program runs as.
#[must_use]
pub fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Where the database is.
#[derive(Clone, Default, clap::Args)]
pub struct DatabaseSettings {
    /// The PostgreSQL to use, 15 or newer. Not set: a private one is run in the data directory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", help_heading = "Database")]
    pub database_url: Option<String>,
    /// Where the private PostgreSQL and everything else on disk lives. Not set: the platform's data folder
    /// (/var/lib/orderflow for root).
    #[arg(
        long,
        env = "ORDERFLOW_DATA_DIR",
        value_name = "DIR",
        // An empty variable is one that is not set: clap's own parser of paths would refuse it.
        value_parser = |text: &str| Ok::<_, std::convert::Infallible>(PathBuf::from(text)),
        help_heading = "Database"
    )]
    pub orderflow_data_dir: Option<PathBuf>,
}

/// The address may hold a password and is not shown.
impl fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSettings")
            .field("database_url", &self.database_url.as_ref().map(|_| "(set)"))
            .field("orderflow_data_dir", &self.orderflow_data_dir)
            .finish()
    }
}

impl DatabaseSettings {
    /// The data directory that is meant.
    ///
    /// # Errors
    /// If the platform has none for this user.
    pub fn data_dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(chosen) = self.orderflow_data_dir.as_ref().filter(|dir| !dir.as_os_str().is_empty()) {
            return std::path::absolute(chosen).context("ORDERFLOW_DATA_DIR cannot be made absolute");
        }
        // Root's own folders are closed to the unprivileged user PostgreSQL runs as.
        if nix::unistd::geteuid().is_root() {
            return Ok(PathBuf::from("/var/lib/orderflow"));
        }
        let folders = directories::ProjectDirs::from("", "", "orderflow")
            .context("this user has no data folder: set ORDERFLOW_DATA_DIR")?;
        Ok(folders.data_dir().to_owned())
    }

    /// Opens the database that is meant, running a private one if none is given.
    ///
    /// # Errors
    /// If it cannot be reached, started or brought up to date.
    pub async fn open(&self) -> anyhow::Result<Database> {
        match set(self.database_url.as_deref()) {
            Some(url) => {
                Ok(Database { store: Store::connect(url).await?, url: url.to_owned(), managed: None })
            }
            None => Database::private(self.data_dir()?, Durability::Durable).await,
        }
    }
}

/// An open database.
pub struct Database {
    /// What is in it.
    pub store: Store,
    url: String,
    managed: Option<ManagedPostgres>,
}

/// The address may hold a password and is not shown.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("managed", &self.managed.is_some()).finish_non_exhaustive()
    }
}

impl Database {
    /// A private PostgreSQL in a directory.
    ///
    /// # Errors
    /// If it cannot be started or brought up to date.
    pub async fn private(data_dir: PathBuf, durability: Durability) -> anyhow::Result<Self> {
        let managed = ManagedPostgres::start(&ManagedSettings { data_dir, durability }).await?;
        let url = managed.url("orderflow");
        let store = Store::connect(&url).await?;
        Ok(Self { store, url, managed: Some(managed) })
    }

    /// Its address, for `psql` and other programs. May hold a password: for the user alone.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Closes the connections and leaves the private server running, for programs such as `psql`; the next
    /// program of ours that ends stops it.
    pub async fn leave_running(self) {
        self.store.close().await;
        if let Some(managed) = self.managed {
            managed.keep_running();
        }
    }

    /// Closes the connections, and the private server if nobody else uses it.
    ///
    /// # Errors
    /// If the server does not stop.
    pub async fn close(self) -> anyhow::Result<()> {
        self.store.close().await;
        if let Some(managed) = self.managed {
            managed.stop().await?;
        }
        Ok(())
    }
}
