//! Who waits for whom: the newest block waits for others, and others for their turn behind it, and never all of them.

use std::time::Duration;

use domain::ChainEvent;
use sqlx::{Connection as _, PgConnection};
use store::Store;
use store::facts::{Block, Writer};
use store::testing::TestDatabase;
use tokio::task::JoinHandle;

use crate::blocks::{block, stretch};

/// Longer than anything here takes, and shorter than anybody's patience.
const SOON: Duration = Duration::from_secs(60);

/// What a pass or a backfill says when it comes to what it tells.
const TURN: &str = "SELECT pg_advisory_xact_lock(hashtextextended('orderflow outbox', 0))";

/// Somebody else, who is in the middle of something.
struct Other {
    connection: PgConnection,
}

impl Other {
    /// Begins, and does the first part of it.
    async fn at(database: &TestDatabase, work: &str) -> Self {
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        for statement in ["BEGIN", work] {
            sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        }
        Self { connection }
    }

    /// Waits until somebody waits for it, and then for its own turn.
    async fn come_to_the_outbox(mut self) {
        let is_waited_for = "SELECT EXISTS (SELECT FROM pg_stat_activity
                                            WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)))";
        while !sqlx::query_scalar::<_, bool>(is_waited_for).fetch_one(&mut self.connection).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for statement in [TURN, "COMMIT"] {
            sqlx::query(statement).execute(&mut self.connection).await.unwrap();
        }
    }
}

fn append(store: &Store, block: Block) -> JoinHandle<u64> {
    let mut writer = Writer::new(store.clone(), "test-listener");
    tokio::spawn(async move {
        let blocks = [block];
        let (transaction, added) = writer.append(&stretch(&blocks)).await.unwrap();
        Store::commit(transaction).await.unwrap();
        added.fills
    })
}

/// A pass gives a number to somebody who only split so far, and who trades in the newest block.
#[tokio::test]
async fn a_block_does_not_wait_for_a_number_while_others_wait_for_it() {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    append(&store, block(10, 1)).await.unwrap();
    let block = block(11, 3);
    let ChainEvent::Fill(fill) = &block.facts[0].event else { panic!() };
    let number = format!("INSERT INTO orderflow_wallets (address) VALUES ('{}')", fill.wallet);
    let pass = Other::at(&database, &number).await;
    let appended = append(&store, block);
    tokio::time::timeout(SOON, pass.come_to_the_outbox()).await.expect("the pass gets its turn");
    assert_eq!(tokio::time::timeout(SOON, appended).await.expect("and then the block").unwrap(), 3);
}

/// A backfill writes where the head wants indexes.
#[tokio::test]
async fn a_block_does_not_wait_for_an_index_while_others_wait_for_it() {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    let mut history = Writer::new(store.clone(), "test-history");
    history.history(&stretch(&[block(10, 1)])).await.unwrap();
    let backfill = Other::at(&database, "LOCK TABLE orderflow_fills_0 IN ROW EXCLUSIVE MODE").await;
    let appended = append(&store, block(20, 3));
    tokio::time::timeout(SOON, backfill.come_to_the_outbox()).await.expect("the backfill gets its turn");
    assert_eq!(tokio::time::timeout(SOON, appended).await.expect("and then the block").unwrap(), 3);
}
