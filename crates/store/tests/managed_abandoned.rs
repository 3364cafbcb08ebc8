//! What killed tests leave behind. It is alone in its process, because a process clears up once.

use std::time::{SystemTime, UNIX_EPOCH};

use store::managed::{Durability, ManagedPostgres, ManagedSettings};
use store::testing::TestDatabase;

#[tokio::test]
async fn databases_of_tests_long_dead_are_dropped_and_those_of_today_are_not() {
    let settings = ManagedSettings {
        data_dir: store::testing::data_dir().await.unwrap(),
        durability: Durability::Throwaway,
    };
    let server = ManagedPostgres::start(&settings).await.unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let process = std::process::id();
    let young = format!("test_{}_{process}_young", now - 600);
    let old = format!("test_{}_{process}_old", now - 7_200);
    for name in [&young, &old, "test_of_something_else"] {
        server.create_database(name).await.unwrap();
    }

    let database = TestDatabase::create().await;
    let left: Vec<String> = sqlx::query_scalar("SELECT datname::text FROM pg_database")
        .fetch_all(&database.pool())
        .await
        .unwrap();
    assert!(!left.contains(&old), "{left:?}");
    assert!(left.contains(&young), "{left:?}");
    assert!(left.iter().any(|name| name == "test_of_something_else"), "{left:?}");

    for name in [&young, "test_of_something_else"] {
        server.drop_database(name).await.unwrap();
    }
    drop(database);
    server.stop().await.unwrap();
}
