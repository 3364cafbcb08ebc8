//! Whether the books and the account say the same, and whether it may be traded with at all.

use clap::Parser as _;
use devnet::{OpenAccount, SignatureType, Trouble, VenueFault, VenueRoute};
use domain::{Exchange, Price, TimeInForce, Timestamp, Usd};
use orderflow_executor::ServiceSettings;
use orderflow_executor::preflight::{Check, preflight};
use orderflow_executor::reconcile::{Difference, accept, reconcile};
use service::clock;
use store::markets;

use crate::bench::{Bench, exchange_of, key_file};

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

/// Somebody buys by hand with the same wallet: what the books know nothing of is seen, with its name, as soon as the chain
/// was read, and is gone when it is sold.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_bought_by_hand_is_seen_with_its_name() {
    let mut bench = Bench::begin().await;
    let (wallet, store) = (bench.wallet(), bench.store.clone());
    let trader = bench.live.handle();
    let trader = trader.trader();
    let market = bench.market.clone();
    markets::learn(&mut store.connection().await.unwrap(), &[market], clock::now()).await.unwrap();
    reconcile(trader, &store).await.unwrap();

    // What we bought ourselves is known, also when the chain has told of it.
    let ours = bench.buy_now(Usd::whole(20)).await;
    bench.place(&ours).await;
    bench.until_final(ours.get().id).await;
    bench.read_own_trades().await;
    assert_eq!(reconcile(trader, &store).await.unwrap().differences, []);

    // And an order that nobody committed.
    let (known, held) = (bench.token(), bench.portfolio.held(ours.get().id).unwrap().shares());
    bench.take_other_side().await;
    let other = bench.token();
    assert_ne!(other, known);
    let by_hand = bench.buy_now(Usd::whole(20)).await;
    let prepared = bench.live.prepare(&by_hand, Some(&bench.market)).await.unwrap();
    bench.live.send(prepared).await;
    let bought = bench.until_in_wallet(other).await;
    bench.read_own_trades().await;
    accept(trader, &store).await.unwrap();
    let found = reconcile(trader, &store).await.unwrap();
    let what = Some(format!(
        "{} of \"{}\"",
        bench.market.outcomes[bench.market.outcome_index(other).unwrap()],
        bench.market.title
    ));
    assert_eq!(found.differences, [Difference::Unknown { token: other, what, venue: bought }]);
    assert!(found.text().unwrap().contains(&bench.market.title));
    assert_eq!(bench.truth().shares, [(known, held), (other, bought)].into());
    assert_eq!(wallet, trader.account().funder());
    bench.end().await;
}

fn red(checks: &[Check]) -> Vec<&str> {
    checks.iter().filter(|check| !check.is_green()).map(|check| check.name).collect()
}

/// Every line but that of the build's own signing, whose test is beside it.
#[tokio::test(flavor = "multi_thread")]
async fn each_line_of_the_preflight_turns_red_with_what_it_is_about() {
    let bench = Bench::begin().await;
    let folder = tempfile::tempdir().unwrap();
    let key = key_file(folder.path(), &bench.devnet);
    let urls = bench.devnet.urls();
    let geoblock = urls.geoblock.trim_end_matches("/api/geoblock").to_owned();
    let arguments = [
        "executor",
        "--enable-paper-trading",
        "false",
        "--clob-url",
        &urls.clob,
        "--geoblock-url",
        &geoblock,
        "--private-key-file",
        key.to_str().unwrap(),
        "--signature-type",
        "0",
    ];
    let ServiceSettings { venue, strategy, .. } = ServiceSettings::parse_from(arguments);
    let stake = strategy.stake;
    let store = bench.store.clone();
    let look = async || preflight(&venue, stake, &mut store.connection().await.unwrap()).await;

    // Nobody reads the chain here.
    let checks = look().await;
    assert_eq!(red(&checks), ["chain"], "{checks:?}");
    let names: Vec<&str> = checks.iter().map(|check| check.name).collect();
    let wallet = bench.wallet().0;
    bench.venue.set_geoblocked(true);
    assert_eq!(red(&look().await), ["chain", "place"]);
    bench.venue.set_geoblocked(false);
    bench.venue.set_closed_only(wallet, true).unwrap();
    assert_eq!(red(&look().await), ["chain", "standing"]);
    bench.venue.set_closed_only(wallet, false).unwrap();

    // A clock that is really off: requests are signed by the venue's, so that nothing else suffers.
    for ahead in [7_000_000, -7_000_000] {
        bench.venue.set_clock_ahead(ahead);
        assert_eq!(red(&look().await), ["chain", "clock"]);
    }
    bench.venue.set_clock_ahead(0);

    // An approval counts as the chain has it, not as the venue remembers it.
    for (exchange, line) in [
        (Exchange::V2, "allowance V2"),
        (Exchange::V2NegRisk, "allowance NR"),
        (Exchange::V3, "allowance V3"),
    ] {
        bench.venue.allow_dollars(wallet, exchange, false).unwrap();
        assert_eq!(red(&look().await), ["chain", line]);
        bench.venue.allow_dollars(wallet, exchange, true).unwrap();
    }

    // What could be bought and not be sold again is not bought. Without a market there is nothing to buy.
    let market = bench.market.clone();
    let exchange = exchange_of(&market);
    let line = match exchange {
        Exchange::V3 => "sales V3",
        Exchange::V2NegRisk => "sales NR",
        _ => "sales V2",
    };
    bench.venue.allow_shares(wallet, exchange, false).unwrap();
    assert_eq!(red(&look().await), ["chain"]);
    markets::learn(&mut store.connection().await.unwrap(), &[market], clock::now()).await.unwrap();
    assert_eq!(red(&look().await), ["chain", line]);
    bench.venue.allow_shares(wallet, exchange, true).unwrap();
    assert_eq!(red(&look().await), ["chain"]);

    // The grid of a market that was traded lately.
    bench.read_a_trade().await;
    assert_eq!(red(&look().await), [""; 0], "a block was read");
    bench.venue.set_tick(bench.token(), 100_000).unwrap();
    assert_eq!(red(&look().await), ["grid"]);
    bench.venue.set_tick(bench.token(), bench.market.tick.ppm()).unwrap();

    // The wrong kind of wallet has nothing, and the venue sees the money in another.
    let wrong = arguments.map(|argument| if argument == "0" { "2" } else { argument });
    let of_safe = ServiceSettings::parse_from(wrong).venue;
    let checks = preflight(&of_safe, stake, &mut store.connection().await.unwrap()).await;
    assert!(red(&checks).starts_with(&["wallet", "balance"]), "{checks:?}");
    // A Safe that is not the key's.
    let strange = format!("0x{}", "77".repeat(20));
    let strange = wrong.iter().copied().chain(["--funder-address", &strange]);
    let of_strange = ServiceSettings::parse_from(strange).venue;
    let checks = preflight(&of_strange, stake, &mut store.connection().await.unwrap()).await;
    assert!(red(&checks).contains(&"wallet"), "{checks:?}");

    // Without credentials, and without a key that only its owner can read, the rest says what it waits for.
    let behind = [
        "wallet",
        "standing",
        "balance",
        "allowance V2",
        "allowance NR",
        "allowance V3",
        "sales V2",
        "sales NR",
        "sales V3",
    ];
    bench.venue.add_fault(VenueFault {
        route: Some(VenueRoute::Auth),
        trouble: Trouble::Refused { status: 401, message: "Invalid L1 Request headers".to_owned() },
        times: None,
    });
    let checks = look().await;
    assert_eq!(red(&checks), [["credentials"].as_slice(), &behind].concat());
    bench.venue.lift_faults();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let checks = look().await;
    assert_eq!(red(&checks), [["key", "credentials"].as_slice(), &behind].concat());
    assert_eq!(checks.iter().map(|check| check.name).collect::<Vec<_>>(), names, "no line is missing");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();

    // What is on paper cannot be sold in earnest, and a database that cannot say whether there is any is no good one.
    bench.psql("ALTER TABLE orderflow_positions RENAME TO elsewhere");
    assert_eq!(red(&look().await), ["database"]);
    bench.psql("ALTER TABLE elsewhere RENAME TO orderflow_positions");
    assert_eq!(red(&look().await), [""; 0]);
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
