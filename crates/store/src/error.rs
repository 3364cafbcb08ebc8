//! What can go wrong between us and PostgreSQL.

use std::borrow::Cow;

/// A database operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no connection.
    #[error("could not connect to the database {database}: is it running, and is DATABASE_URL right?")]
    Connect {
        /// The database, without its password.
        database: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("could not apply the schema's migrations")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("could not {operation}")]
    Statement {
        /// What was to be done.
        operation: &'static str,
        /// Why it was not.
        #[source]
        source: sqlx::Error,
    },
    /// A row does not hold what its column promises: somebody else wrote it.
    #[error("column {column} holds `{value}`, which is not {expected}")]
    Corrupt {
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// The database belongs to another world of facts.
    #[error(
        "this database was filled from {found}, and facts of {wanted} must not be mixed in: \
         choose another database with DATABASE_URL, or another folder with ORDERFLOW_DATA_DIR"
    )]
    ForeignSource {
        /// What it was filled from.
        found: String,
        /// What was to be added.
        wanted: String,
    },
    /// Another process already does what only one may do.
    #[error("another {role} is already running on this database")]
    AlreadyRunning {
        /// What only one process may be.
        role: &'static str,
    },
}

impl StoreError {
    /// Whether a range was to be covered that is covered already, by somebody else or before.
    #[must_use]
    pub fn is_overlap(&self) -> bool {
        let constraint = match self {
            Self::Statement { source: sqlx::Error::Database(error), .. } => error.constraint(),
            _ => None,
        };
        constraint.is_some_and(|name| OVERLAPS.iter().any(|overlap| name.starts_with(overlap)))
    }

    /// Whether somebody else does the same at the same moment, so that another try comes out differently.
    #[must_use]
    pub fn is_collision(&self) -> bool {
        self.is_overlap() || self.code().is_some_and(|code| CIRCLES.contains(&code.as_ref()))
    }

    /// Whether it took longer to come to a lock than whoever asked could wait ([`Store::in_a_hurry`](crate::Store)).
    pub(crate) fn is_impatience(&self) -> bool {
        self.code().as_deref() == Some(IMPATIENCE)
    }

    /// Whether the database understood and refused, so that asking again would not help: not a lost connection.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.code().is_some_and(|code| !CIRCLES.contains(&code.as_ref()) && !code.starts_with(LEAVING))
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Statement { source: sqlx::Error::Database(error), .. } => error.code(),
            _ => None,
        }
    }
}

/// Deadlock and failed serialisation: PostgreSQL ends one of two so that the other can go on.
const CIRCLES: [&str; 2] = ["40P01", "40001"];
/// A lock that was not to be had in time.
const IMPATIENCE: &str = "55P03";
/// The class of errors with which a server that shuts down says goodbye.
const LEAVING: &str = "57P";

/// The constraints that stand against a block's being taken in twice.
const OVERLAPS: [&str; 3] = ["orderflow_coverage", "orderflow_blocks_canonical", "orderflow_fills"];

/// Names the operation that failed.
pub(crate) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, sqlx::Error> {
    fn during(self, operation: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Statement { operation, source })
    }
}
