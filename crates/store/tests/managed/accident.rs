//! What is killed, cut short, given up or broken.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::Connection;
use store::managed::{Durability, Left, ManagedError};

use crate::program::{Program, is_offline, run_offline};
use crate::site::{Site, connect, is_root, kill};

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
async fn a_cluster_of_a_version_that_is_not_here_is_left_alone() {
    const NAME: &str = "accident::a_cluster_of_a_version_that_is_not_here_is_left_alone";
    if !is_offline() {
        return run_offline(NAME);
    }
    let site = Site::throwaway();
    site.start().await.stop().await.unwrap();
    fs::write(site.cluster().join("PG_VERSION"), "9\n").unwrap();
    let begin = Instant::now();
    let error = site.try_start().await.unwrap_err();
    assert!(matches!(error, ManagedError::NoBinaries { major: Some(9), .. }), "{error}");
    assert!(error.to_string().contains("postgresql-9"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(20), "somebody was waited for");
    assert_eq!(fs::read_to_string(site.cluster().join("PG_VERSION")).unwrap(), "9\n");
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
