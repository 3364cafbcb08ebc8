//! The private PostgreSQL, on real servers in folders of their own.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use store::managed::{Durability, Left, ManagedError, ManagedPostgres, ManagedSettings};
use tempfile::TempDir;

/// A data directory, closed to others at first, as `mktemp -d` makes it.
struct Site {
    folder: TempDir,
    durability: Durability,
}

impl Site {
    fn new(durability: Durability) -> Site {
        Site { folder: closed_folder(), durability }
    }

    fn throwaway() -> Site {
        Site::new(Durability::Throwaway)
    }

    fn settings(&self) -> ManagedSettings {
        ManagedSettings { data_dir: self.folder.path().to_owned(), durability: self.durability }
    }

    async fn start(&self) -> ManagedPostgres {
        self.try_start().await.unwrap()
    }

    async fn try_start(&self) -> Result<ManagedPostgres, ManagedError> {
        ManagedPostgres::start(&self.settings()).await
    }

    fn cluster(&self) -> PathBuf {
        self.folder.path().join("postgres/cluster")
    }

    fn pid_file(&self) -> PathBuf {
        self.cluster().join("postmaster.pid")
    }

    /// The server's process number, while there is a server.
    fn pid(&self) -> Option<String> {
        Some(fs::read_to_string(self.pid_file()).ok()?.lines().next()?.to_owned())
    }

    fn socket(&self) -> PathBuf {
        let folder = fs::read_to_string(self.folder.path().join("postgres/socket-dir")).unwrap();
        Path::new(&folder).join(".s.PGSQL.5432")
    }

    fn listens(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok()
    }

    /// Ends the server as the kernel does when memory runs out, and waits until it is gone.
    async fn kill_server(&self) {
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

fn closed_folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn kill(signal: &str, process: &str) {
    let status = Command::new("sh").args(["-c", "kill \"$1\" \"$2\"", "sh", signal, process]).status();
    assert!(status.unwrap().success());
}

async fn wait_until(what: &str, mut true_now: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !true_now() {
        assert!(begin.elapsed() < Duration::from_secs(20), "still not: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

async fn connect(managed: &ManagedPostgres) -> PgConnection {
    PgConnection::connect(&managed.url("orderflow")).await.unwrap()
}

async fn show(connection: &mut PgConnection, setting: &str) -> String {
    sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(connection).await.unwrap()
}

/// `psql` as a user would call it.
fn psql(url: &str) -> Command {
    let mut command = Command::new("psql");
    command.arg(url).args(["-X", "-A", "-t", "-c", "SELECT 41 + 1"]);
    command
}

fn answer(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Set for the process that [`program`] runs in.
const DATA_DIR: &str = "ORDERFLOW_TEST_DATA_DIR";

/// A program that starts a server, prints its URL and waits for the end of its input: these tests' own
/// executable, told to run [`program`] only.
struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    url: String,
}

/// What a [`Program`] does; for nobody else.
#[tokio::test]
#[ignore = "it is the program that other tests start"]
async fn program() {
    let Some(data_dir) = std::env::var_os(DATA_DIR).map(PathBuf::from) else {
        return;
    };
    let settings = ManagedSettings { data_dir, durability: Durability::Throwaway };
    let managed = ManagedPostgres::start(&settings).await.unwrap();
    println!("\nURL {}", managed.url("orderflow"));
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    println!("\nLEFT {:?}", managed.stop().await.unwrap());
}

impl Program {
    fn command() -> Command {
        Program::at(&std::env::current_exe().unwrap())
    }

    fn at(executable: &Path) -> Command {
        let mut command = Command::new(executable);
        command.args(["--exact", "program", "--ignored", "--nocapture"]);
        command
    }

    fn start(command: &mut Command, data_dir: &Path) -> Program {
        command.env(DATA_DIR, data_dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let url = line_after("URL ", &mut output);
        Program { child, output, url }
    }

    /// Ends its input and returns what it says about the server.
    fn finish(mut self) -> String {
        drop(self.child.stdin.take());
        let left = line_after("LEFT ", &mut self.output);
        // It must be able to say the rest, too.
        self.output.read_to_end(&mut Vec::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
        left
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

fn line_after(mark: &str, output: &mut BufReader<ChildStdout>) -> String {
    let line = output.lines().map(|line| line.unwrap()).find(|line| line.starts_with(mark));
    line.expect("the program ended too early")[mark.len()..].to_owned()
}

#[tokio::test]
async fn a_new_server_is_private_and_as_asked_for() {
    let site = Site::new(Durability::Durable);
    let managed = site.start().await;
    let mut connection = connect(&managed).await;
    for (setting, value) in [
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("max_connections", "100"),
        ("shared_buffers", "64MB"),
        ("TimeZone", "UTC"),
        ("unix_socket_permissions", "0700"),
    ] {
        assert_eq!(show(&mut connection, setting).await, value, "{setting}");
    }
    let (user, superuser, collation): (String, bool, String) = sqlx::query_as(
        "SELECT current_user::text, usesuper, datcollate::text FROM pg_user, pg_database \
         WHERE usename = current_user AND datname = current_database()",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!((user.as_str(), superuser, collation.as_str()), ("orderflow", true, "C"));

    let folder = fs::metadata(site.socket().parent().unwrap()).unwrap();
    assert_eq!(folder.mode() & 0o777, 0o700);
    assert_eq!(folder.uid(), fs::metadata(site.cluster()).unwrap().uid());
    assert_ne!(folder.uid(), 0, "PostgreSQL's files belong to root");
    let logs = fs::read_dir(site.folder.path().join("postgres/log")).unwrap();
    assert!(logs.count() > 0, "there is no log");
    assert_eq!(managed.stop().await.unwrap(), Left::ServerStopped);
}

#[tokio::test]
async fn two_programs_share_a_server_and_the_last_stops_it() {
    let site = Site::throwaway();
    let first = site.start().await;
    let pid = site.pid();
    let second = site.start().await;
    assert_eq!(site.pid(), pid, "the second start has started another server");
    assert_eq!(first.url("orderflow"), second.url("orderflow"));

    assert_eq!(first.stop().await.unwrap(), Left::ServerInUse);
    let mut connection = connect(&second).await;
    connection.ping().await.unwrap();
    assert_eq!(site.pid(), pid);

    // The connection is open still, and is cut rather than waited for.
    assert_eq!(second.stop().await.unwrap(), Left::ServerStopped);
    assert!(connection.ping().await.is_err());
    assert!(!site.listens() && site.pid().is_none(), "the server runs on");

    drop(site.start().await);
    assert!(!site.listens() && site.pid().is_none(), "a dropped handle did not stop the server");
}

#[tokio::test]
async fn many_starts_at_once_start_one_server() {
    let site = Site::throwaway();
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let settings = site.settings();
            tokio::spawn(async move { ManagedPostgres::start(&settings).await.unwrap() })
        })
        .collect();
    let programs: Vec<_> = (0..2)
        .map(|_| {
            let folder = site.folder.path().to_owned();
            std::thread::spawn(move || Program::start(&mut Program::command(), &folder))
        })
        .collect();
    let mut running = Vec::new();
    for start in starts {
        running.push(start.await.unwrap());
    }
    let programs: Vec<_> = programs.into_iter().map(|program| program.join().unwrap()).collect();
    // A second server would have left its first line in the log as well.
    let log = fs::read_to_string(site.folder.path().join("postgres/startup.log")).unwrap();
    assert_eq!(log.matches("starting PostgreSQL").count(), 1, "{log}");
    assert!(!log.contains("shutting down"), "{log}");
    for program in programs {
        assert_eq!(program.finish(), "ServerInUse");
    }
    let last = running.pop().unwrap();
    for managed in running {
        assert_eq!(managed.stop().await.unwrap(), Left::ServerInUse);
    }
    assert_eq!(last.stop().await.unwrap(), Left::ServerStopped);
}

#[tokio::test]
async fn starts_and_stops_that_overlap_never_leave_a_program_without_its_server() {
    let site = Site::throwaway();
    let rounds: Vec<_> = (0..4)
        .map(|_| {
            let settings = site.settings();
            tokio::spawn(async move {
                for _ in 0..5 {
                    let managed = ManagedPostgres::start(&settings).await.unwrap();
                    connect(&managed).await.ping().await.unwrap();
                    managed.stop().await.unwrap();
                }
            })
        })
        .collect();
    for round in rounds {
        round.await.unwrap();
    }
    assert!(!site.listens() && site.pid().is_none(), "the last program left the server running");
}

#[tokio::test]
async fn what_was_committed_survives_a_killed_server() {
    let site = Site::new(Durability::Durable);
    let managed = site.start().await;
    let mut connection = connect(&managed).await;
    sqlx::raw_sql("CREATE TABLE fact (n int); INSERT INTO fact VALUES (7)")
        .execute(&mut connection)
        .await
        .unwrap();
    let killed = site.pid();
    site.kill_server().await;

    let again = site.start().await;
    assert_ne!(site.pid(), killed);
    let fact: i32 =
        sqlx::query_scalar("SELECT n FROM fact").fetch_one(&mut connect(&again).await).await.unwrap();
    assert_eq!(fact, 7);
    assert_eq!(managed.stop().await.unwrap(), Left::ServerInUse);
    assert_eq!(again.stop().await.unwrap(), Left::ServerStopped);
}

#[tokio::test]
async fn a_leftover_lock_with_the_number_of_a_living_process_does_not_block_the_start() {
    let site = Site::throwaway();
    let managed = site.start().await;
    site.kill_server().await;
    // After a power cut, or in a new container, the number is soon somebody else's: here a process of the
    // server's own user, which PostgreSQL could not tell from a server.
    let owner = fs::metadata(site.cluster()).unwrap();
    let mut other = Command::new("sleep");
    other.arg("60");
    if is_root() {
        other.uid(owner.uid()).gid(owner.gid());
    }
    let mut other = other.spawn().unwrap();
    let text = fs::read_to_string(site.pid_file()).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    fs::write(site.pid_file(), format!("{}\n{rest}", other.id())).unwrap();

    let again = site.start().await;
    connect(&again).await.ping().await.unwrap();
    assert_ne!(site.pid(), Some(other.id().to_string()));
    other.kill().unwrap();
    other.wait().unwrap();
    again.stop().await.unwrap();
    managed.stop().await.unwrap();

    // Neither does an empty one, which is what a power cut can make of it.
    fs::write(site.pid_file(), "").unwrap();
    assert_eq!(site.start().await.stop().await.unwrap(), Left::ServerStopped);
}

#[tokio::test]
async fn a_killed_program_leaves_its_server_to_the_next() {
    let site = Site::throwaway();
    let mut program = Program::start(&mut Program::command(), site.folder.path());
    let pid = site.pid();
    kill("-KILL", &program.pid());
    program.child.wait().unwrap();
    assert!(site.listens(), "the server died with its program");

    let next = site.start().await;
    assert_eq!(site.pid(), pid);
    assert_eq!(next.stop().await.unwrap(), Left::ServerStopped);
    assert!(!site.listens());
}

#[tokio::test]
async fn a_killed_program_and_a_killed_server_are_started_again() {
    let site = Site::throwaway();
    let mut program = Program::start(&mut Program::command(), site.folder.path());
    kill("-KILL", &program.pid());
    program.child.wait().unwrap();
    // Where the first process collects no orphans, as in many containers, the server's number stays taken.
    site.kill_server().await;
    let next = site.start().await;
    connect(&next).await.ping().await.unwrap();
    assert_eq!(next.stop().await.unwrap(), Left::ServerStopped);
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_no_server() {
    let site = Site::throwaway();
    let mut given_up = 0;
    for milliseconds in [1, 10, 50, 100, 200, 400, 800] {
        let patience = Duration::from_millis(milliseconds);
        if let Ok(managed) = tokio::time::timeout(patience, site.start()).await {
            managed.stop().await.unwrap();
        } else {
            given_up += 1;
        }
    }
    assert!(given_up > 0, "no start took as long as a millisecond");
    // The last one given up may be at work still; the next start waits for it.
    assert_eq!(site.start().await.stop().await.unwrap(), Left::ServerStopped);
    assert!(!site.listens() && site.pid().is_none());
}

#[tokio::test]
async fn ctrl_c_does_not_reach_the_server() {
    let site = Site::throwaway();
    let mut command = Program::command();
    let mut program = Program::start(command.process_group(0), site.folder.path());
    // What a terminal does: the signal goes to the whole group.
    kill("-INT", &format!("-{}", program.pid()));
    program.child.wait().unwrap();
    let next = site.start().await;
    connect(&next).await.ping().await.unwrap();
    let log = fs::read_to_string(site.folder.path().join("postgres/startup.log")).unwrap();
    assert!(!log.contains("shutdown request"), "{log}");
    assert_eq!(next.stop().await.unwrap(), Left::ServerStopped);
}

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
async fn databases_are_created_and_dropped_whatever_they_are_called() {
    let site = Site::throwaway();
    let managed = site.start().await;
    for name in ["plain", "with \"quotes\" and 'more'", "x/y?z", "Gro\u{df}"] {
        managed.create_database(name).await.unwrap();
        managed.create_database(name).await.unwrap();
        let mut connection = PgConnection::connect(&managed.url(name)).await.unwrap();
        let there: String =
            sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut connection).await.unwrap();
        assert_eq!(there, name);
        // A connection does not keep it.
        managed.drop_database(name).await.unwrap();
        managed.drop_database(name).await.unwrap();
        assert!(PgConnection::connect(&managed.url(name)).await.is_err());
    }
    managed.stop().await.unwrap();
}

#[tokio::test]
async fn lasting_data_is_not_put_where_it_would_not_last() {
    let site = Site::throwaway();
    site.start().await.stop().await.unwrap();
    let settings = ManagedSettings { durability: Durability::Durable, ..site.settings() };
    let error = ManagedPostgres::start(&settings).await.unwrap_err();
    assert!(matches!(error, ManagedError::ThrowawayCluster { .. }), "{error}");
}

#[tokio::test]
async fn a_cluster_of_a_version_that_is_not_here_is_left_alone() {
    let site = Site::throwaway();
    site.start().await.stop().await.unwrap();
    // No build of this version is published, so that it cannot be downloaded either.
    fs::write(site.cluster().join("PG_VERSION"), "9\n").unwrap();
    let error = site.try_start().await.unwrap_err();
    assert!(matches!(error, ManagedError::NoBinaries { major: Some(9), .. }), "{error}");
    assert!(error.to_string().contains("postgresql-9"), "{error}");
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let site = Site::throwaway();
    site.start().await.stop().await.unwrap();
    let settings = site.folder.path().join("postgres/postgresql.conf");
    let good = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{good}\nno_such_setting = 1\n")).unwrap();
    let begin = Instant::now();
    let error = site.try_start().await.unwrap_err();
    assert!(matches!(error, ManagedError::EndedWhileStarting { .. }), "{error}");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(20), "it waited though the server had ended");
    fs::write(&settings, good).unwrap();
    assert_eq!(site.start().await.stop().await.unwrap(), Left::ServerStopped);
}

#[tokio::test]
async fn a_creation_that_was_cut_short_is_begun_again() {
    let site = Site::throwaway();
    let unfinished = site.folder.path().join("postgres/cluster.new-1");
    fs::create_dir_all(unfinished.join("base")).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    let managed = site.start().await;
    assert!(!unfinished.exists());
    assert_eq!(managed.stop().await.unwrap(), Left::ServerStopped);
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
