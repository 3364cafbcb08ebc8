//! The databases that other tests are given.

use store::testing::TestDatabase;

#[tokio::test]
async fn each_test_has_a_database_of_its_own_that_goes_with_it() {
    let first = TestDatabase::create().await;
    let second = TestDatabase::create().await;
    assert_ne!(first.url(), second.url());
    sqlx::raw_sql("CREATE TABLE mark (n int)").execute(&first.pool()).await.unwrap();
    let elsewhere: Option<String> =
        sqlx::query_scalar("SELECT to_regclass('mark')::text").fetch_one(&second.pool()).await.unwrap();
    assert_eq!(elsewhere, None, "a table of one test is seen by another");

    let name: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&first.pool()).await.unwrap();
    // A connection is still open: it must not keep the database.
    let _open = first.pool().acquire().await.unwrap();
    drop(first);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1")
        .bind(&name)
        .fetch_one(&second.pool())
        .await
        .unwrap();
    assert_eq!(left, 0, "{name} was not dropped");
}

/// A folder that outlived an upgrade of PostgreSQL would hold a cluster that the new programs cannot open.
#[tokio::test]
async fn the_servers_folder_is_named_after_the_version_it_was_made_by() {
    let _database = TestDatabase::create().await;
    let folder = store::testing::data_dir().await.unwrap();
    let version = std::fs::read_to_string(folder.join("postgres/cluster/PG_VERSION")).unwrap();
    let name = folder.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(&format!("orderflow-test-postgres-{}-", version.trim())), "{name} {version}");
}

#[tokio::test]
async fn many_tests_at_once_share_the_server() {
    let databases: Vec<_> = (0..12).map(|_| tokio::spawn(TestDatabase::create())).collect();
    let mut servers = Vec::new();
    for database in databases {
        let database = database.await.unwrap();
        let server: String = sqlx::query_scalar("SELECT pg_postmaster_start_time()::text")
            .fetch_one(&database.pool())
            .await
            .unwrap();
        servers.push((server, database));
    }
    assert!(servers.windows(2).all(|pair| pair[0].0 == pair[1].0), "{servers:?}");
}
