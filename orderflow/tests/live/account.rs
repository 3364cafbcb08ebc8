//! Whether the books and the account say the same, and whether it may be traded with at all.

use clap::Parser as _;
use devnet::{OpenAccount, SignatureType};
use domain::{Exchange, Price, TimeInForce, Timestamp, Usd};
use orderflow_executor::ServiceSettings;
use orderflow_executor::preflight::{Check, preflight};
use orderflow_executor::reconcile::{Difference, accept, reconcile};
use service::clock;
use store::markets;

use crate::bench::{Bench, key_file};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_traded_here_agrees_and_what_is_done_by_hand_does_not() {
    let mut bench = Bench::begin().await;
    let handle = bench.live.handle();
    let first = reconcile(handle.trader(), &bench.store).await.unwrap();
    assert_eq!(first.differences, []);

    let order = bench.buy_now(Usd::whole(20)).await;
    bench.place(&order).await;
    bench.until_final(order.get().id).await;
    let traded = reconcile(handle.trader(), &bench.store).await.unwrap();
    assert_eq!(traded.differences, []);

    // An order of which the books know nothing, and dollars that nobody has told of.
    let until = clock::now().plus_micros(Timestamp::HOUR);
    let stray = bench.buy(Usd::whole(20), Price::from_ppm(20_000).unwrap(), TimeInForce::Gtd { until });
    let prepared = bench.live.prepare(&stray, Some(&bench.market)).await.unwrap();
    let hash = prepared.hash();
    bench.live.send(prepared).await;
    let _wallet = bench.venue.open_account(OpenAccount {
        owner: bench.wallet().0,
        signature_type: SignatureType::Eoa,
        wallet: None,
        funds: Usd::whole(7),
    });
    let found = loop {
        let found = reconcile(handle.trader(), &bench.store).await.unwrap();
        if 2 <= found.differences.len() {
            break found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let is_stray = |difference: &Difference| matches!(difference, Difference::StrayOrder { hash: found, .. } if *found == hash);
    assert!(found.differences.iter().any(is_stray), "{found:?}");
    assert!(
        found.differences.iter().any(|difference| matches!(difference, Difference::Cash { .. })),
        "{found:?}"
    );
    assert!(found.text().unwrap().contains("orderflow reconcile --accept"));

    handle.trader().cancel_all().await.unwrap();
    accept(handle.trader(), &bench.store).await.unwrap();
    let settled = reconcile(handle.trader(), &bench.store).await.unwrap();
    assert_eq!(settled.differences, []);
    bench.end().await;
}

fn red(checks: &[Check]) -> Vec<&str> {
    checks.iter().filter(|check| !check.is_green()).map(|check| check.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_of_the_preflight_turns_red_with_what_it_is_about() {
    let bench = Bench::begin().await;
    let folder = tempfile::tempdir().unwrap();
    let key = key_file(folder.path(), &bench.devnet);
    let urls = bench.devnet.urls();
    let geoblock = urls.geoblock.trim_end_matches("/api/geoblock");
    let arguments = [
        "executor",
        "--enable-paper-trading",
        "false",
        "--clob-url",
        &urls.clob,
        "--geoblock-url",
        geoblock,
        "--private-key-file",
        key.to_str().unwrap(),
        "--signature-type",
        "0",
    ];
    let ServiceSettings { venue, strategy, .. } = ServiceSettings::parse_from(arguments);
    let stake = strategy.stake;
    let look = async || preflight(&venue, stake, &mut bench.store.connection().await.unwrap()).await;

    // Nobody reads the chain here.
    let checks = look().await;
    assert_eq!(red(&checks), ["chain"], "{checks:?}");
    bench.venue.set_geoblocked(true);
    assert_eq!(red(&look().await), ["chain", "place"]);
    bench.venue.set_geoblocked(false);
    bench.venue.set_closed_only(bench.wallet().0, true).unwrap();
    assert_eq!(red(&look().await), ["chain", "standing"]);
    bench.venue.set_closed_only(bench.wallet().0, false).unwrap();
    bench.venue.allow_dollars(bench.wallet().0, Exchange::V2NegRisk, false).unwrap();
    assert_eq!(red(&look().await), ["chain", "allowance NR"]);
    bench.venue.allow_dollars(bench.wallet().0, Exchange::V2NegRisk, true).unwrap();

    // What could be bought and not be sold again is not bought. Without a market there is nothing to buy.
    let market = bench.market.clone();
    let (exchange, line) = match (market.protocol_v2, market.neg_risk) {
        (true, _) => (Exchange::V3, "sales V3"),
        (false, true) => (Exchange::V2NegRisk, "sales NR"),
        (false, false) => (Exchange::V2, "sales V2"),
    };
    bench.venue.allow_shares(bench.wallet().0, exchange, false).unwrap();
    assert_eq!(red(&look().await), ["chain"]);
    markets::learn(&mut bench.store.connection().await.unwrap(), &[market], clock::now()).await.unwrap();
    assert_eq!(red(&look().await), ["chain", line]);
    bench.venue.allow_shares(bench.wallet().0, exchange, true).unwrap();
    assert_eq!(red(&look().await), ["chain"]);

    // The wrong kind of wallet has nothing, and a key that others can read is none.
    let wrong = arguments.map(|argument| if argument == "0" { "2" } else { argument });
    let venue = ServiceSettings::parse_from(wrong).venue;
    let checks = preflight(&venue, stake, &mut bench.store.connection().await.unwrap()).await;
    assert!(red(&checks).contains(&"balance"), "{checks:?}");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let checks = preflight(&venue, stake, &mut bench.store.connection().await.unwrap()).await;
    assert_eq!(red(&checks), ["chain", "key"]);
    bench.end().await;
}

/// Without an answer to where we are nothing is traded.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_to_ask_where_we_are_counts_as_nowhere() {
    let bench = Bench::begin().await;
    let arguments =
        ["executor", "--clob-url", &bench.devnet.urls().clob, "--geoblock-url", "http://127.0.0.1:9"];
    let ServiceSettings { venue, strategy, .. } = ServiceSettings::parse_from(arguments);
    let checks = preflight(&venue, strategy.stake, &mut bench.store.connection().await.unwrap()).await;
    assert!(red(&checks).contains(&"place"), "{checks:?}");
    bench.end().await;
}
