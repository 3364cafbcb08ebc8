//! Who starts the server, who stops it, and what they share.

use std::fs;
use std::os::unix::fs::MetadataExt;

use sqlx::{Connection, PgConnection};
use store::managed::{Durability, Left, ManagedError, ManagedPostgres, ManagedSettings};

use crate::program::Program;
use crate::site::{Site, connect, show};

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
