//! The services against the simulated world, over real sockets: what is in the database is what happened there.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::time::Duration;

use clap::Parser as _;
use devnet::{Devnet, DevnetConfig};
use domain::{Tier, Timestamp, Wallet};
use orderflow_reputation::Reputation;
use service::{CancellationToken, clock};
use store::Store;
use store::reports::WantedWallets;
use store::testing::TestDatabase;
use tokio::task::JoinHandle;

struct Listening {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Listening {
    fn begin(world: &Devnet, store: &Store, url: &str) -> Self {
        let settings = orderflow_listener::ServiceSettings::parse_from([
            "listener",
            "--polygon-rpc-url",
            url,
            "--gamma-url",
            &world.urls().gamma,
            "--start-block",
            &world.first_block().to_string(),
            "--clob-url",
            &world.urls().clob,
            "--poll-interval-ms",
            "500",
        ]);
        let stop = CancellationToken::new();
        let task = tokio::spawn(orderflow_listener::run(
            settings.listener,
            settings.clob.clob_url,
            store.clone(),
            stop.clone(),
        ));
        Self { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

async fn world(stop: &CancellationToken) -> Devnet {
    service::process::use_tls();
    let config = DevnetConfig {
        seed: 11,
        speed: 2.0,
        wallets: 300,
        skilled: 5,
        history_days: 30,
        ..DevnetConfig::default()
    };
    Devnet::start(config, clock::now(), stop.clone()).await.unwrap()
}

async fn count(store: &Store) -> i64 {
    store::reports::totals(&mut store.connection().await.unwrap()).await.unwrap().trades
}

/// Waits until the database has what the world has: the world goes on meanwhile, so both are looked at again.
async fn until_equal(world: &Devnet, store: &Store) {
    for _ in 0..400 {
        let before = world.fills();
        let found = count(store).await;
        if i64::try_from(before).unwrap() == found && before == world.fills() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the world has {} fills, the database {}", world.fills(), count(store).await);
}

/// History, head, a stop in between, and reorganisations: nothing is lost and nothing doubled, over HTTP and
/// over WebSocket.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_holds_what_happened_and_nothing_else() {
    for over_socket in [false, true] {
        let stop = CancellationToken::new();
        let world = world(&stop).await;
        let url = if over_socket { world.urls().rpc_ws.clone() } else { world.urls().rpc_http.clone() };
        let database = TestDatabase::create().await;
        let store = Store::connect(database.url()).await.unwrap();

        let listening = Listening::begin(&world, &store, &url);
        until_equal(&world, &store).await;
        listening.end().await;

        // While nobody listens the world goes on, and takes back blocks that were stored.
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.reorg(5);
        let listening = Listening::begin(&world, &store, &url);
        until_equal(&world, &store).await;
        for depth in [1, 3, 12] {
            world.reorg(depth);
            until_equal(&world, &store).await;
        }
        listening.end().await;
        stop.cancel();
        world.wait().await.unwrap();
    }
}

/// What is believed after a reorganisation is what would be believed if the other blocks had never been.
#[tokio::test(flavor = "multi_thread")]
async fn beliefs_are_found_anew_after_a_reorganisation() {
    let stop = CancellationToken::new();
    let world = world(&stop).await;
    let database = TestDatabase::create().await;
    let store = Store::connect(database.url()).await.unwrap();
    let eligibility = decision::Eligibility { decisions: 5, events: 3, active_days: 3 };

    let listening = Listening::begin(&world, &store, &world.urls().rpc_ws);
    until_equal(&world, &store).await;
    let mut reputation = Reputation::resume(store.clone(), eligibility).await.unwrap();
    reputation.catch_up(i64::MAX).await.unwrap();
    reputation.publish(clock::now(), clock::now()).await.unwrap();
    world.reorg(8);
    until_equal(&world, &store).await;
    listening.end().await;

    // A restart in between must not take what was published for what is true.
    let mut reputation = Reputation::resume(store.clone(), eligibility).await.unwrap();
    let as_of: Timestamp = clock::now();
    reputation.catch_up(i64::MAX).await.unwrap();
    reputation.publish(as_of, as_of).await.unwrap();
    let healed = beliefs(&store).await;

    let mut afresh = Reputation::resume(store.clone(), eligibility).await.unwrap();
    afresh.catch_up(i64::MAX).await.unwrap();
    afresh.publish(as_of, as_of).await.unwrap();
    assert_eq!(healed, beliefs(&store).await);
    let trades: u64 = healed.iter().map(|(_, trades)| trades).sum();
    assert_eq!(i64::try_from(trades).unwrap(), count(&store).await);
    stop.cancel();
    world.wait().await.unwrap();
}

/// Every wallet with its number of fills.
async fn beliefs(store: &Store) -> Vec<(Wallet, u64)> {
    let mut connection = store.connection().await.unwrap();
    let mut rows = vec![];
    for tier in [None, Some(Tier::Unrated)] {
        let wanted = WantedWallets { tier, ..WantedWallets::default() };
        rows.extend(store::reports::wallets(&mut connection, wanted, 100_000).await.unwrap());
    }
    let mut beliefs: Vec<(Wallet, u64)> = rows
        .iter()
        .map(|row| {
            (row["wallet_address"].as_str().unwrap().parse().unwrap(), row["total_trades"].as_u64().unwrap())
        })
        .collect();
    beliefs.sort();
    beliefs
}
