//! A folder with a server in it, and what tests do to both.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use store::managed::{Durability, ManagedError, ManagedPostgres, ManagedSettings};
use tempfile::TempDir;

/// A data directory, closed to others at first, as `mktemp -d` makes it.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    durability: Durability,
}

impl Site {
    pub(crate) fn new(durability: Durability) -> Site {
        Site { folder: closed_folder(), durability }
    }

    pub(crate) fn throwaway() -> Site {
        Site::new(Durability::Throwaway)
    }

    pub(crate) fn settings(&self) -> ManagedSettings {
        ManagedSettings { data_dir: self.folder.path().to_owned(), durability: self.durability }
    }

    pub(crate) async fn start(&self) -> ManagedPostgres {
        self.try_start().await.unwrap()
    }

    pub(crate) async fn try_start(&self) -> Result<ManagedPostgres, ManagedError> {
        ManagedPostgres::start(&self.settings()).await
    }

    pub(crate) fn cluster(&self) -> PathBuf {
        self.folder.path().join("postgres/cluster")
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.cluster().join("postmaster.pid")
    }

    /// The server's process number, while there is a server.
    pub(crate) fn pid(&self) -> Option<String> {
        Some(fs::read_to_string(self.pid_file()).ok()?.lines().next()?.to_owned())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        let folder = fs::read_to_string(self.folder.path().join("postgres/socket-dir")).unwrap();
        Path::new(&folder).join(".s.PGSQL.5432")
    }

    pub(crate) fn listens(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok()
    }

    /// Ends the server as the kernel does when memory runs out, and waits until it is gone.
    pub(crate) async fn kill_server(&self) {
        kill("-KILL", &self.pid().unwrap());
        wait_until("the killed server is gone", || !self.listens()).await;
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // A test that failed must not leave a server behind.
        if let Some(pid) = self.pid().filter(|_| self.listens()) {
            kill("-QUIT", &pid);
        }
    }
}

pub(crate) fn closed_folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

pub(crate) fn kill(signal: &str, process: &str) {
    let status = Command::new("sh").args(["-c", "kill \"$1\" \"$2\"", "sh", signal, process]).status();
    assert!(status.unwrap().success());
}

pub(crate) async fn wait_until(what: &str, mut true_now: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !true_now() {
        assert!(begin.elapsed() < Duration::from_secs(20), "still not: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

pub(crate) async fn connect(managed: &ManagedPostgres) -> PgConnection {
    PgConnection::connect(&managed.url("orderflow")).await.unwrap()
}

pub(crate) async fn show(connection: &mut PgConnection, setting: &str) -> String {
    sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(connection).await.unwrap()
}

/// `psql` as a user would call it, from wherever it is installed.
pub(crate) fn psql(url: &str) -> Command {
    let mut command = Command::new(store::managed::psql().expect("these tests need PostgreSQL's client"));
    command.arg(url).args(["-X", "-A", "-t", "-c", "SELECT 41 + 1"]);
    command
}

pub(crate) fn answer(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
