use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why the private PostgreSQL could not be started, used or stopped.
///
/// The messages end with what the reader can do, because they reach somebody who only wanted to run
/// the program.
#[derive(Debug, thiserror::Error)]
pub enum ManagedError {
    /// The data directory, or something the server needs inside it, could not be created or prepared.
    #[error("cannot prepare {path} for the private PostgreSQL (set ORDERFLOW_DATA_DIR to another folder, or DATABASE_URL to your own PostgreSQL)", path = path.display())]
    Prepare {
        /// What was to be prepared.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Started as root, the server runs as an unprivileged user, who cannot enter a folder on the way.
    #[error("PostgreSQL does not run as root, and the user {user} it would run as may not enter {closed}, which {data_dir} is in: set ORDERFLOW_DATA_DIR to a folder outside it (for example /var/lib/orderflow), or DATABASE_URL to your own PostgreSQL", closed = closed.display(), data_dir = data_dir.display())]
    ClosedAncestor {
        /// The folder that is closed to the user.
        closed: PathBuf,
        /// The data directory inside it.
        data_dir: PathBuf,
        /// The user the server would run as.
        user: String,
    },
    /// Started as root on a machine with neither a `postgres` nor a `nobody` user.
    #[error(
        "PostgreSQL does not run as root, and this machine has neither a user postgres nor a user nobody: create one (useradd --system postgres), start the program as an ordinary user, or set DATABASE_URL"
    )]
    NoUnprivilegedUser,
    /// Root without the right to become another user, as in a container with its capabilities dropped.
    #[error(
        "PostgreSQL does not run as root, and this process may not become the user {user}: start it as an ordinary user, give the container the capabilities SETUID, SETGID and CHOWN, or set DATABASE_URL"
    )]
    SwitchUser {
        /// The user the server would run as.
        user: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The user database could not be read.
    #[error("cannot look up the user the private PostgreSQL would run as")]
    LookUpUser(#[source] io::Error),
    /// The cluster belongs to another user than the one who runs this program.
    #[error("the database in {path} belongs to the user number {owner}, and this program runs as number {user}: start it as that user, or set ORDERFLOW_DATA_DIR to another folder", path = path.display())]
    ForeignCluster {
        /// The cluster's folder.
        path: PathBuf,
        /// Who owns it (uid).
        owner: u32,
        /// Who we are (uid).
        user: u32,
    },
    /// A lasting database was asked for where there is one that does not survive a power cut.
    #[error("the database in {path} was made for a demo or a test and would not survive a power cut: set ORDERFLOW_DATA_DIR to another folder, or delete this one", path = path.display())]
    ThrowawayCluster {
        /// The server's folder.
        path: PathBuf,
    },
    /// No usable PostgreSQL on this machine, and none could be downloaded.
    #[error("{}", no_binaries(*major, searched, download))]
    NoBinaries {
        /// The only major version that can open the existing database; none for a new one.
        major: Option<u32>,
        /// Where was looked, and why what was found there does not do.
        searched: Vec<String>,
        /// Why the download failed.
        download: String,
    },
    /// One of PostgreSQL's programs could not be started.
    #[error("cannot run {program}", program = program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// One of PostgreSQL's programs did not end in time and was ended.
    #[error("{program} did not finish within {} s: {output}", deadline.as_secs(), program = program.display())]
    Stalled {
        /// The program.
        program: PathBuf,
        /// How long it had.
        deadline: Duration,
        /// What it had said.
        output: String,
    },
    /// One of PostgreSQL's programs ended with an error.
    #[error("{program} failed ({status}): {output}", program = program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        output: String,
    },
    /// The server ended while it was starting.
    #[error("the private PostgreSQL ended while starting ({status}); its log in {log} ends with:\n{tail}", log = log.display())]
    EndedWhileStarting {
        /// How it ended.
        status: ExitStatus,
        /// The folder with its logs.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The server was not ready in time. It is left running: recovery after a crash goes on.
    #[error("the private PostgreSQL is not ready after {} s; it keeps trying, so starting again later may succeed. Its log in {log} ends with:\n{tail}", deadline.as_secs(), log = log.display())]
    NotReady {
        /// How long it had.
        deadline: Duration,
        /// The folder with its logs.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A lock file could not be opened or locked.
    #[error("cannot lock {path}", path = path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another program holds the lock for longer than a start or stop can take.
    #[error("another program has been starting or stopping the same private PostgreSQL for more than {} s (it holds {path})", deadline.as_secs(), path = path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long we waited.
        deadline: Duration,
    },
    /// No folder for the socket is both short enough and ours.
    #[error(
        "no folder for the database's socket: {reason}; set ORDERFLOW_DATA_DIR to a folder with a shorter, plainer path"
    )]
    SocketFolder {
        /// What was tried and why it did not do.
        reason: String,
    },
    /// The server runs, and a connection to one of its databases failed.
    #[error("cannot connect to the database {database} of the private PostgreSQL")]
    Connect {
        /// The database.
        database: String,
        /// What went wrong.
        source: sqlx::Error,
    },
    /// The server accepts connections but does not answer.
    #[error("the private PostgreSQL did not answer within {} s", deadline.as_secs())]
    NoAnswer {
        /// How long it had.
        deadline: Duration,
    },
    /// A database could not be created.
    #[error("cannot create the database {database}")]
    CreateDatabase {
        /// The database.
        database: String,
        /// What went wrong.
        source: sqlx::Error,
    },
    /// A database could not be dropped.
    #[error("cannot drop the database {database}")]
    DropDatabase {
        /// The database.
        database: String,
        /// What went wrong.
        source: sqlx::Error,
    },
    /// The databases could not be listed.
    #[error("cannot list the databases of the private PostgreSQL")]
    ListDatabases(#[source] sqlx::Error),
    /// The runtime ended, or a bug panicked, in the middle of the work.
    #[error("the work on the private PostgreSQL was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

fn no_binaries(major: Option<u32>, searched: &[String], download: &str) -> String {
    let (what, apt, brew, dnf) = match major {
        Some(major) => (
            format!("PostgreSQL {major}, which made the existing database, was not found"),
            format!("apt install postgresql-{major}"),
            format!("brew install postgresql@{major}"),
            format!("dnf install postgresql{major}-server"),
        ),
        None => (
            "PostgreSQL 15 or newer was not found".to_owned(),
            "apt install postgresql".to_owned(),
            "brew install postgresql@17".to_owned(),
            "dnf install postgresql-server".to_owned(),
        ),
    };
    format!(
        "{what} on this machine and could not be downloaded ({download}). \
         Install it ({apt} · {brew} · {dnf}), or set DATABASE_URL to a PostgreSQL of your own. \
         Searched: {}",
        searched.join(", ")
    )
}
