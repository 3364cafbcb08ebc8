//! The folders, users and environments it has to get along with.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;

use sqlx::Connection;
use store::managed::{Left, ManagedError, ManagedPostgres, ManagedSettings};

use crate::program::Program;
use crate::site::{Site, answer, closed_folder, connect, is_root, psql};

#[tokio::test]
async fn psql_and_sqlx_take_the_url_whatever_the_folder_is_called() {
    let deep = "d".repeat(120);
    for name in ["plain", "Application Support", "50% off?#&+\u{e9}", "a,b'c\"d", &deep] {
        let site = Site::throwaway();
        // Only the data directory itself is ours to open.
        fs::set_permissions(site.folder.path(), Permissions::from_mode(0o711)).unwrap();
        let settings = ManagedSettings { data_dir: site.folder.path().join(name), ..site.settings() };
        let managed = ManagedPostgres::start(&settings).await.unwrap();
        let url = managed.url("orderflow");
        connect(&managed).await.ping().await.unwrap();
        assert_eq!(answer(&mut psql(&url)), "42", "{url}");

        let second = ManagedPostgres::start(&settings).await.unwrap();
        assert_eq!(second.url("orderflow"), url);
        second.stop().await.unwrap();
        let folder = fs::read_to_string(settings.data_dir.join("postgres/socket-dir")).unwrap();
        assert!(folder.len() < 100 && fs::metadata(&folder).unwrap().mode() & 0o777 == 0o700, "{folder}");
        assert_eq!(managed.stop().await.unwrap(), Left::ServerStopped);
        let inside = Path::new(&folder).starts_with(&settings.data_dir);
        assert_eq!(inside, Path::new(&folder).exists(), "a short folder outside is left behind: {folder}");
    }
}

#[tokio::test]
async fn the_environment_of_another_postgresql_changes_nothing() {
    let site = Site::throwaway();
    let mut command = Program::command();
    let elsewhere = [
        ("PGHOST", "db.example"),
        ("PGPORT", "6543"),
        ("PGDATA", "/nowhere"),
        ("PGUSER", "somebody"),
        ("PGDATABASE", "something"),
        ("PGSSLMODE", "require"),
    ];
    let program = Program::start(command.envs(elsewhere), site.folder.path());
    assert_eq!(answer(psql(&program.url).envs(elsewhere)), "42");
    assert_eq!(program.finish(), "ServerStopped");
}

#[tokio::test]
async fn a_closed_data_directory_is_opened_and_a_closed_parent_is_named() {
    let site = Site::throwaway();
    site.start().await.stop().await.unwrap();
    let mode = fs::metadata(site.folder.path()).unwrap().mode() & 0o777;
    if !is_root() {
        // The server runs as ourselves then, and nothing had to be opened.
        assert_eq!(mode, 0o700);
        return;
    }
    assert_eq!(mode, 0o711, "the folder may be passed, but not listed");

    let closed = closed_folder();
    let data_dir = closed.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    let error = ManagedPostgres::start(&ManagedSettings { data_dir, ..site.settings() }).await.unwrap_err();
    assert!(matches!(&error, ManagedError::ClosedAncestor { closed: named, .. } if named == closed.path()));
    let message = error.to_string();
    assert!(message.contains("ORDERFLOW_DATA_DIR"), "{message}");
    assert_eq!(fs::metadata(closed.path()).unwrap().mode() & 0o777, 0o700, "a folder of others was opened");
}

/// Root's tests run the server as another user; this one runs all of it as an ordinary user.
#[tokio::test]
async fn an_ordinary_user_runs_it_as_himself() {
    if !is_root() {
        return;
    }
    const NOBODY: u32 = 65_534;
    let site = Site::throwaway();
    let program = closed_folder();
    for folder in [&site.folder, &program] {
        std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    // The build's folder may be closed to others.
    let copy = program.path().join("managed");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let mut command = Program::at(&copy);
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    let running = Program::start(&mut command, site.folder.path());
    assert_eq!(fs::metadata(site.cluster()).unwrap().uid(), NOBODY);
    assert_eq!(fs::metadata(site.folder.path()).unwrap().mode() & 0o777, 0o700);
    assert_eq!(answer(psql(&running.url).uid(NOBODY).gid(NOBODY).current_dir("/")), "42");

    // Root may join, and keeps to the owner.
    let pid = site.pid();
    let root = site.start().await;
    assert_eq!(site.pid(), pid);
    assert_eq!(running.finish(), "ServerInUse");
    root.stop().await.unwrap();
    let root = site.start().await;
    assert_eq!(fs::metadata(site.pid_file()).unwrap().uid(), NOBODY);
    assert_eq!(root.stop().await.unwrap(), Left::ServerStopped);
}
