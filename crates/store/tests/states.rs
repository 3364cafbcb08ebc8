//! States of wallets in PostgreSQL: saved with their place, found by who needs them, and taken back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{B256, U256};
use domain::{ConditionId, Market, Shares, Tick, Timestamp, TokenId, Usd, Wallet};
use futures_util::TryStreamExt as _;
use store::scores::HeldShares;
use store::states::{self, Published, Reached, WalletState, Wanted, WorldKey};
use store::testing::TestDatabase;
use store::{PgConnection, Store, markets};

fn wallet(number: u32) -> Wallet {
    format!("0x{number:040x}").parse().unwrap()
}

fn token(number: u8, outcome: u8) -> TokenId {
    TokenId(U256::from(number) * U256::from(2u8) + U256::from(outcome))
}

fn condition(number: u8) -> ConditionId {
    ConditionId(B256::repeat_byte(number))
}

fn market(number: u8) -> Market {
    Market {
        condition: condition(number),
        title: format!("Question {number}"),
        slug: format!("question-{number}"),
        event: format!("event {number}"),
        category: None,
        outcomes: vec!["Yes".to_owned(), "No".to_owned()],
        tokens: vec![token(number, 0), token(number, 1)],
        neg_risk: false,
        place: None,
        protocol_v2: false,
        tick: Tick::CENT,
        fee_rate_ppm: 0,
        end: None,
        oracle: None,
    }
}

fn hours(hours: i64) -> Timestamp {
    Timestamp::from_seconds(1_780_000_000 + hours * 3_600)
}

fn state(number: u32, text: &str) -> WalletState {
    WalletState {
        wallet: wallet(number),
        bytes: text.as_bytes().to_vec(),
        wake: None,
        fades: None,
        is_due: false,
        decisions: 0,
        tokens: vec![],
    }
}

fn held(number: u32, shares: i32) -> HeldShares {
    HeldShares {
        wallet: wallet(number),
        token: token(3, 1),
        shares: Shares::whole(shares),
        cost: Usd::whole(1),
        realized: Usd::ZERO,
    }
}

async fn opened() -> (TestDatabase, Store) {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    (database, store)
}

async fn save(store: &Store, block: u64, settled: u64, wallets: &[WalletState]) -> i64 {
    let world: Vec<(WorldKey, Vec<u8>)> = vec![((2, 0), format!("world {block}").into_bytes())];
    let seq = i64::try_from(block).unwrap() * 10;
    let mut transaction = store.begin().await.unwrap();
    let reached = Reached { seq, block: Some(block), is_behind: false, settled };
    let saving = states::begin_save(&mut transaction, reached).await.unwrap();
    // In two parts, and some of it twice: what was before all of it is kept.
    let (front, back) = wallets.split_at(wallets.len() / 2);
    saving.wallets(&mut transaction, front).await.unwrap();
    saving.wallets(&mut transaction, back).await.unwrap();
    saving.wallets(&mut transaction, front).await.unwrap();
    saving.world(&mut transaction, &world).await.unwrap();
    let number = saving.end(&mut transaction).await.unwrap();
    Store::commit(transaction).await.unwrap();
    number
}

async fn save_held(transaction: &mut PgConnection, block: u64, all: &[HeldShares]) {
    let reached = Reached { seq: 1, block: Some(block), is_behind: false, settled: 0 };
    let saving = states::begin_save(transaction, reached).await.unwrap();
    saving.held(transaction, all).await.unwrap();
    saving.held(transaction, all).await.unwrap();
    saving.end(transaction).await.unwrap();
}

/// The wallets that a pass has to publish.
async fn due(store: &Store) -> Vec<Wallet> {
    let mut connection = store.connection().await.unwrap();
    let due = states::due(&mut connection).await.unwrap();
    states::named(&mut connection, &due).await.unwrap()
}

/// Everything that is known, in words.
async fn known(store: &Store, wallets: u32) -> BTreeMap<String, String> {
    let mut connection = store.connection().await.unwrap();
    let all: Vec<Wallet> = (0..wallets).map(wallet).collect();
    let words = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let loaded = states::load(&mut connection, &all).await.unwrap();
    let world = states::world(&mut connection).await.unwrap();
    let wallets = loaded.into_iter().map(|(wallet, bytes)| (wallet.to_string(), words(bytes)));
    wallets.chain(world.into_iter().map(|(key, bytes)| (format!("{key:?}"), words(bytes)))).collect()
}

async fn found(store: &Store, resolved: &[u8], awake: Option<Timestamp>) -> BTreeSet<Wallet> {
    let mut connection = store.connection().await.unwrap();
    let resolved: Vec<ConditionId> = resolved.iter().map(|number| condition(*number)).collect();
    let wanted = Wanted { resolved: &resolved, regrouped: &[], awake };
    states::find(&mut connection, wanted).await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn what_is_saved_is_found_by_whoever_needs_it() {
    let (_database, store) = opened().await;
    let mut connection = store.connection().await.unwrap();
    assert_eq!(states::standing(&mut connection).await.unwrap(), None);
    markets::learn(&mut connection, &[market(3), market(4)], hours(0)).await.unwrap();
    let wallets = [
        WalletState { tokens: vec![token(3, 0), token(4, 1)], wake: Some(hours(5)), ..state(1, "one") },
        WalletState { tokens: vec![token(4, 0)], decisions: 30, ..state(2, "two") },
        WalletState { wake: Some(hours(9)), decisions: 29, ..state(3, "three") },
    ];
    let first = save(&store, 100, u64::MAX, &wallets).await;
    let standing = states::standing(&mut connection).await.unwrap().unwrap();
    assert_eq!((standing.save, standing.seq, standing.block), (first, 1_000, Some(100)));

    assert_eq!(found(&store, &[], Some(hours(4))).await, BTreeSet::new());
    assert_eq!(found(&store, &[], Some(hours(5))).await, BTreeSet::from([wallet(1)]));
    assert_eq!(found(&store, &[4], None).await, BTreeSet::from([wallet(1), wallet(2)]));
    assert_eq!(found(&store, &[3, 9], Some(hours(10))).await, BTreeSet::from([wallet(1), wallet(3)]));
    for (resolved, expected) in
        [(vec![3], vec![wallet(1)]), (vec![3, 4], vec![wallet(1), wallet(2)]), (vec![9], vec![])]
    {
        let resolved: Vec<ConditionId> = resolved.into_iter().map(condition).collect();
        let holders = states::holders(&mut connection, &resolved).await.unwrap();
        assert!(holders.is_sorted());
        let loaded: Vec<_> = states::load_numbered(&mut connection, &holders).try_collect().await.unwrap();
        assert_eq!(loaded.into_iter().map(|(wallet, _)| wallet).collect::<Vec<_>>(), expected);
    }
    let seasoned = states::seasoned(&mut connection, 30).await.unwrap();
    let loaded: Vec<_> = states::load_numbered(&mut connection, &seasoned).try_collect().await.unwrap();
    assert_eq!(loaded, [(wallet(2), b"two".to_vec())]);

    // Who has news is found; who has none, stays as it was.
    save(&store, 200, u64::MAX, &[state(1, "one again"), WalletState { is_due: true, ..state(4, "four") }])
        .await;
    assert_eq!(due(&store).await, [wallet(4)]);
    let everybody = states::everybody(&mut connection).await.unwrap();
    assert_eq!((everybody.len(), states::count(&mut connection).await.unwrap()), (4, 4));
    let fading = WalletState { fades: Some(hours(20)), ..state(2, "two") };
    save(&store, 200, u64::MAX, &[fading]).await;
    for (by, expected) in [(8, vec![]), (9, vec![wallet(3)]), (20, vec![wallet(2), wallet(3)])] {
        let restless = states::restless(&mut connection, hours(by)).await.unwrap();
        let mut named = states::named(&mut connection, &restless).await.unwrap();
        named.sort_unstable();
        assert_eq!(named, expected, "by {by}");
    }
    // It sleeps now, and is found as somebody who held it once.
    assert_eq!(found(&store, &[3], Some(hours(8))).await, BTreeSet::from([wallet(1)]));
    let known = known(&store, 9).await;
    assert_eq!(known.values().collect::<Vec<_>>(), ["world 200", "one again", "two", "three", "four"]);
    let folded: i64 =
        sqlx::query_scalar("SELECT folded_block FROM orderflow_cursors WHERE name = 'orderflow-reputation'")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
    assert_eq!(folded, 200);
}

/// Saves that overwrite each other at random, above a settled block that rises; going back to any height that is
/// not settled gives what was known there, and what is settled cannot be gone behind.
#[tokio::test]
async fn whatever_is_not_settled_can_be_taken_back() {
    let (database, store) = opened().await;
    let mut random = 7u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    // What was known at each save's block.
    let mut then: BTreeMap<u64, BTreeMap<String, String>> = BTreeMap::new();
    let (mut block, mut settled) = (0, 0);
    save(&store, 0, 0, &[]).await;
    then.insert(0, known(&store, 12).await);
    for round in 0..120u64 {
        let mut connection = store.connection().await.unwrap();
        if round % 10 == 9 {
            let height = settled + next(block + 1 - settled);
            let oldest = *then.range(..=settled).next_back().map_or(&0, |(block, _)| block);
            let mut transaction = store.begin().await.unwrap();
            let went = states::go_back(&mut transaction, Some(height)).await.unwrap();
            Store::commit(transaction).await.unwrap();
            let (standing, _) = went.unwrap();
            let target = standing.block.unwrap();
            assert!(oldest <= target && target <= height, "{oldest} {target} {height}");
            assert_eq!(Some(&target), then.range(..=height).next_back().map(|(block, _)| block));
            assert_eq!(states::standing(&mut connection).await.unwrap(), Some(standing));
            then.split_off(&(target + 1));
            assert_eq!(known(&store, 12).await, then[&target], "round {round}, back to {target}");
            block = target;
            // A reorganisation of what had been confirmed would be another matter.
            settled = settled.min(block);
            continue;
        }
        drop(connection);
        block += 1 + next(5);
        settled = settled.max(block.saturating_sub(20));
        let changed: BTreeSet<u32> = (0..=next(4)).map(|_| u32::try_from(next(12)).unwrap()).collect();
        let wallets: Vec<WalletState> =
            changed.into_iter().map(|number| state(number, &format!("{number} at {round}"))).collect();
        save(&store, block, settled, &wallets).await;
        then.insert(block, known(&store, 12).await);
    }
    // What cannot be needed is not kept.
    let kept: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM orderflow_wallet_saves WHERE block < (SELECT max(block) FROM orderflow_wallet_saves) - 30",
    )
    .fetch_one(&database.pool())
    .await
    .unwrap();
    assert_eq!(kept, 0);
    let mut transaction = store.begin().await.unwrap();
    assert_eq!(states::go_back(&mut transaction, Some(1)).await.unwrap(), None);
}

#[tokio::test]
async fn who_was_not_known_is_forgotten_again() {
    let (database, store) = opened().await;
    save(&store, 10, 0, &[state(1, "one")]).await;
    let mut transaction = store.begin().await.unwrap();
    save_held(&mut transaction, 11, &[held(1, 5)]).await;
    Store::commit(transaction).await.unwrap();
    save(&store, 20, 0, &[state(2, "two")]).await;
    let mut transaction = store.begin().await.unwrap();
    states::set_published(&mut transaction).await.unwrap();
    assert_eq!(states::published(&mut transaction).await.unwrap(), Published::Current);
    save_held(&mut transaction, 30, &[held(1, 6), held(2, 6)]).await;
    let (_, gone) = states::go_back(&mut transaction, Some(15)).await.unwrap().unwrap();
    assert_eq!(gone, [wallet(2)]);
    Store::commit(transaction).await.unwrap();

    let mut connection = store.connection().await.unwrap();
    assert_eq!(states::published(&mut connection).await.unwrap(), Published::Outdated);
    assert_eq!(due(&store).await, [wallet(2)]);
    assert_eq!(states::count(&mut connection).await.unwrap(), 1);
    assert_eq!(states::load(&mut connection, &[wallet(2)]).await.unwrap(), []);
    let holders: Vec<String> =
        sqlx::query_scalar("SELECT wallet_address || ' ' || shares FROM orderflow_wallet_positions")
            .fetch_all(&database.pool())
            .await
            .unwrap();
    assert_eq!(holders, [format!("{} 5.000000", wallet(1))]);

    // Known again, by the same number.
    save(&store, 16, 0, &[state(2, "two on another branch")]).await;
    assert_eq!(known(&store, 3).await[&wallet(2).to_string()], "two on another branch");
    let mut transaction = store.begin().await.unwrap();
    let anew = states::forget_all(&mut transaction, 5).await.unwrap();
    Store::commit(transaction).await.unwrap();
    assert_eq!((anew.seq, anew.block, anew.is_behind), (5, None, true));
    assert!(known(&store, 3).await.is_empty());
    assert_eq!(states::published(&mut connection).await.unwrap(), Published::Nothing);
    // What wallets held is there until it is written again, and nothing in the end if it is not.
    assert_eq!(shares(&database).await, ["5.000000"]);
    let mut transaction = store.begin().await.unwrap();
    save_held(&mut transaction, 40, &[held(3, 7)]).await;
    states::clear_stale(&mut transaction).await.unwrap();
    Store::commit(transaction).await.unwrap();
    assert_eq!(shares(&database).await, ["0.000000", "7.000000"]);
}

async fn shares(database: &TestDatabase) -> Vec<String> {
    sqlx::query_scalar("SELECT shares::text FROM orderflow_wallet_positions ORDER BY wallet_address")
        .fetch_all(&database.pool())
        .await
        .unwrap()
}

/// Facts that a save could be gone back behind are not said to be needed no more.
#[tokio::test]
async fn facts_are_needed_until_nobody_can_go_back_behind_them() {
    let (database, store) = opened().await;
    let mut folded = Vec::new();
    for (block, settled) in [(100, 50), (200, 60), (300, 250), (400, 400)] {
        save(&store, block, settled, &[state(1, "one")]).await;
        let until: Option<i64> = sqlx::query_scalar(
            "SELECT folded_block FROM orderflow_cursors WHERE name = 'orderflow-reputation'",
        )
        .fetch_one(&database.pool())
        .await
        .unwrap();
        folded.push(until);
    }
    assert_eq!(folded, [Some(100), Some(100), Some(200), Some(400)]);
}
