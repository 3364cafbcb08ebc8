//! Facts in PostgreSQL: taken in once, taken back whole, healed, and small.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod blocks;
mod turns;

use alloy_primitives::B256;
use blocks::{block, fill, hash, other, resolution, stretch, time};
use domain::{ChainEvent, ConditionId, Fact, Fill, Payouts, Timestamp, Wallet};
use sqlx::Row as _;
use store::facts::{self, Block, Point, Unreadable, Writer};
use store::feed::{self, News, Wanted};
use store::testing::TestDatabase;
use store::{Store, audit, coverage, resume, retention};

const WRITER: &str = "test-listener";

async fn commit(writer: &mut Writer, blocks: &[Block]) -> u64 {
    let (transaction, added) = writer.append(&stretch(blocks)).await.unwrap();
    Store::commit(transaction).await.unwrap();
    added.fills
}

async fn revert(store: &Store, writer: &Writer, to: u64) {
    let mut transaction = store.begin().await.unwrap();
    writer.revert(&mut transaction, Point { number: to, hash: hash(to, 0) }, time(to)).await.unwrap();
    Store::commit(transaction).await.unwrap();
}

async fn opened() -> (TestDatabase, Store, Writer) {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    let writer = Writer::new(store.clone(), WRITER);
    (database, store, writer)
}

async fn count(database: &TestDatabase, from: &str) -> i64 {
    let statement = format!("SELECT count(*) FROM {from}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&database.pool()).await.unwrap()
}

async fn items(store: &Store) -> Vec<News> {
    let mut connection = store.connection().await.unwrap();
    let items = feed::read(&mut connection, 0, i64::MAX, 100, Wanted::Everything).await.unwrap();
    // Who stored the blocks remembers them, and tells the same.
    assert_eq!(feed::read_newest(store, 0, 100).await.unwrap(), items);
    items.into_iter().map(|item| item.news).collect()
}

#[tokio::test]
async fn what_goes_in_comes_out_and_reads_in_plain_sql() {
    let (database, store, mut writer) = opened().await;
    let blocks = [block(10, 5), block(11, 0), block(12, 30)];
    assert_eq!(commit(&mut writer, &blocks).await, 35);
    let told: Vec<Vec<Fact>> =
        blocks.iter().map(|block| block.facts.clone()).filter(|facts| !facts.is_empty()).collect();
    let read: Vec<Vec<Fact>> = items(&store)
        .await
        .into_iter()
        .map(|news| match news {
            News::Block(facts) => facts,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(read, told);
    let in_order =
        facts::in_chain_order(&mut store.connection().await.unwrap(), None, i64::MAX, 9).await.unwrap();
    assert_eq!(in_order.into_iter().flat_map(|(_, facts)| facts).collect::<Vec<_>>(), told.concat());

    let row = sqlx::query("SELECT *, shares::text AS s, price::text AS p FROM orderflow_trades WHERE log_index = 3 AND block_number = 12")
        .fetch_one(&database.pool())
        .await
        .unwrap();
    let Fact { place, event: ChainEvent::Fill(fill) } = fill(12, 3) else { panic!() };
    assert_eq!(row.get::<String, _>("wallet_address"), fill.wallet.to_string());
    assert_eq!(row.get::<String, _>("tx_hash"), place.tx_hash.to_string());
    assert_eq!(row.get::<String, _>("exchange"), "v1-neg-risk");
    assert_eq!(row.get::<String, _>("role"), "taker");
    assert_eq!(row.get::<String, _>("side"), "SELL");
    assert_eq!(row.get::<String, _>("s"), fill.shares.to_string());
    assert_eq!(row.get::<String, _>("p"), "0.407116");
}

#[tokio::test]
async fn what_is_covered_is_not_taken_in_again() {
    let (database, _store, mut writer) = opened().await;
    let blocks = [block(10, 5), block(11, 4)];
    assert_eq!(commit(&mut writer, &blocks).await, 9);
    assert_eq!(commit(&mut writer, &blocks).await, 0);
    assert_eq!(count(&database, "orderflow_trades").await, 9);
    assert_eq!(count(&database, "orderflow_outbox").await, 2);
    let error = writer.history(&stretch(&blocks)).await.unwrap_err();
    assert!(error.is_overlap(), "{error:?}");
    assert_eq!(count(&database, "orderflow_trades").await, 9);
}

#[tokio::test]
async fn the_seam_between_history_and_head_is_covered_once() {
    let (database, store, mut writer) = opened().await;
    commit(&mut writer, &[block(20, 3), block(21, 3)]).await;
    let mut history = Writer::new(store.clone(), "test-history");
    assert_eq!(history.history(&stretch(&[block(1, 4), block(9, 4)])).await.unwrap().fills, 8);
    let mut connection = store.connection().await.unwrap();
    assert_eq!(coverage::holes(&mut connection, 1, 25).await.unwrap(), [10..=19, 22..=25]);
    // From right to left, so that nothing grows by itself.
    assert_eq!(history.history(&stretch(&[block(15, 1), block(19, 1)])).await.unwrap().fills, 2);
    assert_eq!(history.history(&stretch(&[block(10, 1), block(14, 0)])).await.unwrap().fills, 1);
    assert_eq!(coverage::holes(&mut connection, 1, 21).await.unwrap(), []);
    let mut transaction = store.begin().await.unwrap();
    coverage::join(&mut transaction).await.unwrap();
    Store::commit(transaction).await.unwrap();
    // The live side comes to blocks that history has: they add nothing, and everything stays covered once.
    let live = [block(9, 4), block(19, 1), block(22, 2)];
    assert_eq!(commit(&mut writer, &live).await, 2);
    assert_eq!(count(&database, "orderflow_trades").await, 8 + 3 + 6 + 2);
    facts::index_partitions(&mut connection).await.unwrap();
    let kinds: Vec<_> =
        coverage::all(&mut connection).await.unwrap().into_iter().map(|one| (one.blocks, one.kind)).collect();
    assert_eq!(
        kinds,
        [(1..=19, "history".to_owned()), (20..=22, "live".to_owned())],
        "neighbours of one source are one row"
    );
}

#[tokio::test]
async fn many_writers_come_to_a_new_partition_at_once() {
    let (database, store, _) = opened().await;
    let mut writing = tokio::task::JoinSet::new();
    for part in 0..4 {
        let store = store.clone();
        writing.spawn(async move {
            let mut writer = Writer::new(store, "test-history");
            let first = 131_072 * 700 + part * 10;
            writer.history(&stretch(&[block(first, 3), block(first + 9, 3)])).await.unwrap().fills
        });
    }
    assert_eq!(writing.join_all().await.into_iter().sum::<u64>(), 24);
    assert_eq!(count(&database, "orderflow_trades").await, 24);
    // And the same with indexes, as the head and its audit want them where history was.
    let mut history = Writer::new(store.clone(), "test-history");
    for slice in 800..815 {
        history.history(&stretch(&[block(131_072 * slice, 1)])).await.unwrap();
        let mut beginning = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let mut writer = Writer::new(store.clone(), WRITER);
            beginning.spawn(async move { drop(writer.begin(&[block(131_072 * slice, 1)]).await.unwrap()) });
        }
        beginning.join_all().await;
    }
}

/// Whoever loses takes in what is left: see `StoreError::is_collision`.
#[tokio::test]
async fn head_and_history_take_in_the_same_blocks_at_once() {
    let (database, store, mut writer) = opened().await;
    for round in 0..8 {
        let first = 1 + round * 20;
        let blocks: Vec<Block> = (first..first + 20).map(|number| block(number, 5)).collect();
        let history = {
            let (store, blocks) = (store.clone(), blocks.clone());
            tokio::spawn(async move {
                let mut writer = Writer::new(store, "test-history");
                writer.history(&stretch(&blocks)).await
            })
        };
        let live = async {
            loop {
                match writer.append(&stretch(&blocks)).await {
                    Ok((transaction, _)) => break Store::commit(transaction).await.unwrap(),
                    Err(error) => assert!(error.is_collision(), "{error:?}"),
                }
            }
        };
        live.await;
        if let Err(error) = history.await.unwrap() {
            assert!(error.is_collision(), "{error:?}");
        }
        assert_eq!(count(&database, "orderflow_trades").await, i64::try_from((round + 1) * 100).unwrap());
    }
    assert_eq!(coverage::holes(&mut store.connection().await.unwrap(), 1, 160).await.unwrap(), []);
}

#[tokio::test]
async fn what_was_told_late_was_not_known_before() {
    let (_database, store, mut writer) = opened().await;
    let mut first = [block(10, 4), block(11, 4)];
    first[0].facts.remove(1);
    commit(&mut writer, &first).await;
    let mut second = [block(10, 4), block(11, 4)];
    second[0].facts.push(resolution(10, 9));
    audit::heal(&mut writer, &stretch(&second)).await.unwrap();
    let mut connection = store.connection().await.unwrap();
    let newest = feed::newest(&mut connection).await.unwrap();
    let before = resume::recent_fills(&mut connection, newest - 1, time(0)).await.unwrap();
    assert_eq!((before.len(), resume::results(&mut connection, newest - 1).await.unwrap().len()), (7, 0));
    let after = resume::recent_fills(&mut connection, newest, time(0)).await.unwrap();
    assert_eq!((after.len(), resume::results(&mut connection, newest).await.unwrap().len()), (8, 1));
    assert_eq!(after.last().unwrap().1, time(10), "in the order in which they became known");
}

/// Of some wallets, from a moment on and before another, as it was known at a place: those of all fills that are theirs.
#[tokio::test]
async fn the_fills_of_some_wallets_are_those_of_all_that_are_theirs() {
    let (_database, store, mut writer) = opened().await;
    commit(&mut writer, &[block(10, 4), block(11, 4), block(12, 4)]).await;
    let mut connection = store.connection().await.unwrap();
    let newest = feed::newest(&mut connection).await.unwrap();
    let all = resume::recent_fills(&mut connection, newest, time(0)).await.unwrap();
    let whale = all.iter().find(|(_, at)| *at == time(11)).unwrap().0.wallet;
    let is_theirs =
        |(fill, at): &&(Fill, Timestamp)| fill.wallet == whale && time(11) <= *at && *at < time(12);
    let expected: Vec<_> = all.iter().filter(is_theirs).copied().collect();
    assert!(!expected.is_empty() && expected.len() < all.len());
    let mut asked = async |seq, wallets: &[Wallet]| {
        resume::fills_of(&mut connection, seq, wallets, time(11), time(12)).await.unwrap()
    };
    assert_eq!(asked(newest, &[whale]).await, expected);
    assert_eq!(asked(newest, &[]).await, []);
    assert_eq!(asked(newest - 2, &[whale]).await, [], "it was not known yet");
}

/// A result that has ended a position was committed with an order further on in its block, before the place moved:
/// whoever takes the books up there must know it, and no other result of that block.
#[tokio::test]
async fn a_result_that_has_ended_a_position_is_known_before_its_block_is_behind() {
    let (database, store, mut writer) = opened().await;
    let mut blocks = [block(10, 4), block(11, 4)];
    let mut foreign = resolution(11, 8);
    if let ChainEvent::Resolution { condition, .. } = &mut foreign.event {
        *condition = ConditionId(B256::repeat_byte(8));
    }
    blocks[1].facts.extend([foreign, resolution(11, 9)]);
    commit(&mut writer, &blocks).await;
    let mut connection = store.connection().await.unwrap();
    let before = feed::newest(&mut connection).await.unwrap() - 1;
    assert_eq!(resume::results(&mut connection, before).await.unwrap(), []);
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "BEGIN;
         -- Its signal is left out: nothing that is read here looks at it.
         SET LOCAL session_replication_role = replica;
         INSERT INTO orderflow_positions
             (id, opened_at, closed_at, mode, condition_id, event, token_id, outcome_index, shares, cost_usd, fee_usd,
              proceeds_usd, pnl_usd, status, ending)
         VALUES (1, now(), now(), 'live', '{}', 'event', 1, 0, 100, 50, 0, 100, 50, 'WON', 'RESOLVED');
         COMMIT",
        ConditionId(B256::repeat_byte(9))
    )))
    .execute(&database.pool())
    .await
    .unwrap();
    let ended = [(ConditionId(B256::repeat_byte(9)), Payouts::new(vec![1, 0]).unwrap())];
    assert_eq!(resume::results(&mut connection, before).await.unwrap(), ended);
    // Taken back by the chain, which has not told another yet.
    revert(&store, &writer, 10).await;
    let newest = feed::newest(&mut connection).await.unwrap();
    assert_eq!(resume::results(&mut connection, newest).await.unwrap(), ended);
}

#[tokio::test]
async fn a_reorganisation_moves_fills_aside_and_another_brings_them_back() {
    let (database, store, mut writer) = opened().await;
    commit(&mut writer, &[block(10, 4), block(11, 4), block(12, 4)]).await;
    revert(&store, &writer, 10).await;
    assert_eq!(count(&database, "orderflow_trades WHERE orphaned").await, 8);
    assert_eq!(count(&database, "orderflow_trades WHERE NOT orphaned").await, 4);
    commit(&mut writer, &[other(11, 2), other(12, 3)]).await;
    assert_eq!(count(&database, "orderflow_trades WHERE NOT orphaned").await, 9);
    revert(&store, &writer, 10).await;
    commit(&mut writer, &[block(11, 4), block(12, 4)]).await;
    assert_eq!(count(&database, "orderflow_trades WHERE NOT orphaned").await, 12);
    assert_eq!(count(&database, "orderflow_trades WHERE orphaned").await, 5);
    let told: usize = items(&store)
        .await
        .into_iter()
        .map(|news| match news {
            News::Block(facts) => facts.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(told, 12, "what is orphaned is not told again, and what came back once");
    let deleted = sqlx::query("DELETE FROM orderflow_fills").execute(&database.pool()).await;
    assert!(deleted.is_err(), "only a reorganisation moves fills");
}

#[tokio::test]
async fn two_blocks_never_count_at_one_height() {
    let (_database, store, mut writer) = opened().await;
    commit(&mut writer, &[block(10, 1)]).await;
    revert(&store, &writer, 9).await;
    commit(&mut writer, &[other(10, 1)]).await;
    // Somebody whose coverage was lost tries to bring the first one back.
    sqlx::query("DELETE FROM orderflow_coverage")
        .execute(&mut *store.connection().await.unwrap())
        .await
        .unwrap();
    let blocks = [block(10, 1)];
    let mut transaction = writer.begin(&blocks).await.unwrap();
    let error = writer.commit(&mut transaction, &stretch(&blocks)).await.unwrap_err();
    assert!(error.is_overlap(), "{error:?}");
}

#[tokio::test]
async fn an_audit_heals_what_is_missing_and_tells_it_late() {
    let (database, store, mut writer) = opened().await;
    let mut first = [block(10, 6), block(12, 3)];
    first[0].facts.remove(2);
    commit(&mut writer, &first).await;
    let mut second = vec![block(10, 6), block(11, 2), other(12, 3)];
    second[1].facts.push(resolution(11, 2));
    second[1].unreadable.push(Unreadable { log_index: Some(7), reason: "odd".into(), raw: "raw".into() });
    let found = audit::heal(&mut writer, &stretch(&second)).await.unwrap();
    assert_eq!((found.missing, found.surplus, found.replaced), (1 + 4, 0, 1));
    assert_eq!(count(&database, "orderflow_trades WHERE NOT orphaned").await, 6 + 2 + 3);
    let again = audit::heal(&mut writer, &stretch(&second)).await.unwrap();
    assert_eq!((again.missing, again.surplus, again.replaced), (0, 0, 1));
    let short = [block(10, 5), block(11, 2)];
    let found = audit::heal(&mut writer, &stretch(&short)).await.unwrap();
    assert_eq!((found.missing, found.surplus), (0, 1 + 2), "what only the first reading has stays");

    let news = items(&store).await;
    let [News::Block(ten), News::Block(twelve), News::Late(late_ten), News::Late(late_eleven)] =
        news.as_slice()
    else {
        panic!("{news:?}");
    };
    assert_eq!((ten.len(), twelve.len(), late_ten.len(), late_eleven.len()), (5, 3, 1, 3));
    assert_eq!(late_ten[0], fill(10, 2));
}

#[tokio::test]
async fn partitions_go_only_when_they_are_old_and_folded() {
    let (database, store, mut writer) = opened().await;
    commit(&mut writer, &[block(10, 4), block(131_072, 2), block(131_073, 2)]).await;
    let drop_before = async |moment| {
        let mut transaction = store.begin().await.unwrap();
        let came = retention::drop_before(&mut transaction, moment).await.unwrap();
        Store::commit(transaction).await.unwrap();
        (came.dropped.len(), came.waiting.len())
    };
    assert_eq!(drop_before(time(131_072)).await, (0, 0), "not old enough");
    assert_eq!(drop_before(time(131_074)).await, (0, 1), "not folded");
    sqlx::query("INSERT INTO orderflow_cursors (name, folded_block) VALUES ('orderflow-reputation', 131072)")
        .execute(&database.pool())
        .await
        .unwrap();
    assert_eq!(drop_before(time(131_074)).await, (1, 0));
    assert_eq!(count(&database, "orderflow_trades").await, 4);
}

#[tokio::test]
async fn a_database_of_the_first_schema_moves_over() {
    let database = TestDatabase::create().await;
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/");
    for file in ["001_orderflow_schema.sql", "002_feeds_and_journal.sql"] {
        let text = std::fs::read_to_string(format!("{root}{file}")).unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&database.pool()).await.unwrap();
    }
    sqlx::raw_sql(
        "INSERT INTO orderflow_blocks VALUES ('0xaa', 7, now(), false), ('0xbb', 7, now(), true);
         INSERT INTO orderflow_cursors (name, block_number, block_hash) VALUES ('orderflow-listener', 9, '0xcc');
         INSERT INTO orderflow_trades (block_hash, log_index, block_number, block_time, tx_hash, exchange,
                 wallet_address, counterparty_address, role, side, token_id, shares, usd, fee, fee_asset, orphaned)
             SELECT hash, log, 7, now(), '0x' || repeat(tx, 32), 'v3', '0xwallet', '0xother', 'taker', 'SELL', 5, 2,
                    1.5, 0.25, 'shares', hash = '0xbb'
             FROM (VALUES ('0xaa', 1, 'ab'), ('0xaa', 2, 'cd'), ('0xbb', 1, 'ef')) AS rows (hash, log, tx)",
    )
    .execute(&database.pool())
    .await
    .unwrap();
    let before = everything(&database).await;
    let store = Store::over(database.pool()).await.unwrap();
    assert_eq!(everything(&database).await, before);
    assert_eq!(coverage::holes(&mut store.connection().await.unwrap(), 7, 9).await.unwrap(), []);
}

async fn everything(database: &TestDatabase) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT jsonb_build_array(block_hash, log_index, block_number, block_time, tx_hash, exchange, wallet_address,
                counterparty_address, role, side, token_id, shares, usd, price, fee, fee_asset, orphaned)::text
         FROM orderflow_trades ORDER BY block_hash, log_index",
    )
    .fetch_all(&database.pool())
    .await
    .unwrap()
}
