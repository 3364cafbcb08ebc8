//! The three services in earnest against the simulated world: whales are followed with orders at its venue, and in the end
//! the books come to what the venue's own ledger says, to the micro-dollar.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::time::Duration;

use clap::Parser as _;
use devnet::{Devnet, DevnetConfig};
use domain::Wallet;
use orderflow_executor::reconcile::reconcile;
use orderflow_reputation::Passes;
use service::{CancellationToken, clock};
use store::testing::TestDatabase;
use store::{Store, controls, live};
use tokio::task::JoinSet;

async fn sent(store: &Store) -> i64 {
    live::delays(&mut store.connection().await.unwrap()).await.unwrap().map_or(0, |delays| delays.sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_come_to_what_the_venue_says() {
    service::process::use_tls();
    let stop = CancellationToken::new();
    let config = DevnetConfig { seed: 7, speed: 3.0, wallets: 1_000, skilled: 40, ..DevnetConfig::default() };
    let world = Devnet::start(config, clock::now(), stop.clone()).await.unwrap();
    let database = TestDatabase::create().await;
    let store = Store::connect(database.url()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, &world.test_account().private_key_hex).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();

    let urls = world.urls();
    let listener = orderflow_listener::ServiceSettings::parse_from([
        "listener",
        "--polygon-rpc-url",
        &urls.rpc_ws,
        "--gamma-url",
        &urls.gamma,
        "--clob-url",
        &urls.clob,
        "--start-block",
        &world.first_block().to_string(),
    ]);
    let reputation =
        orderflow_reputation::ServiceSettings::parse_from(["reputation", "--reputation-interval-secs", "2"]);
    let executor = orderflow_executor::ServiceSettings::parse_from([
        "executor",
        "--confidence-model",
        "score",
        "--min-confidence",
        "50",
        "--min-whale-trade-usd",
        "100",
        "--min-minutes-to-end",
        "0",
        "--min-market-volume-usd",
        "0",
        "--max-entry-of-volume-pct",
        "100",
        "--min-taker-pct",
        "0",
        "--max-signal-age-secs",
        "600",
        "--enable-paper-trading",
        "false",
        "--clob-url",
        &urls.clob,
        "--clob-ws-url",
        urls.clob_ws.trim_end_matches("/ws/market"),
        "--geoblock-url",
        urls.geoblock.trim_end_matches("/api/geoblock"),
        "--private-key-file",
        key.to_str().unwrap(),
        "--signature-type",
        "0",
        "--live-check-secs",
        "1",
    ]);
    let trader = orderflow_executor::trader(&executor.venue).await.unwrap();
    let mut services = JoinSet::new();
    services.spawn(orderflow_listener::run(
        listener.listener,
        listener.clob.clob_url,
        store.clone(),
        stop.clone(),
    ));
    services.spawn(orderflow_reputation::run(
        reputation.reputation,
        Passes::default(),
        store.clone(),
        stop.clone(),
    ));
    let halt = CancellationToken::new();
    let earnest =
        tokio::spawn(orderflow_executor::run(executor.strategy, executor.venue, store.clone(), halt.clone()));

    for _ in 0..1_200 {
        if 2 <= sent(&store).await || earnest.is_finished() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let orders = sent(&store).await;
    assert!(!earnest.is_finished(), "{:?}", earnest.await);
    let refusals = store::reports::totals(&mut store.connection().await.unwrap()).await.unwrap().refusals;
    assert!(2 <= orders, "{orders} orders; {refusals:?}");

    // No more entries: what is on its way comes to its end, and then both sides must say the same.
    controls::set_paused(&mut store.connection().await.unwrap(), true).await.unwrap();
    let wallet = Wallet(world.test_account().address);
    let mut last = String::new();
    for _ in 0..600 {
        let account = live::account(&mut store.connection().await.unwrap()).await.unwrap();
        let opening = live::opening(&mut store.connection().await.unwrap(), wallet).await.unwrap().unwrap();
        let truth = world.venue().account(wallet.0).unwrap();
        let is_still = account.moving.is_empty() && account.unpaid == domain::Usd::ZERO;
        if is_still && opening + account.flow == truth.cash {
            let found = reconcile(&trader, &store).await.unwrap();
            if found.differences.is_empty() {
                halt.cancel();
                earnest.await.unwrap().unwrap();
                stop.cancel();
                while let Some(ended) = services.join_next().await {
                    ended.unwrap().unwrap();
                }
                world.wait().await.unwrap();
                return;
            }
        }
        last = format!("{opening} and {account:?} in the books, {truth:?} at the venue");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{last}");
}
