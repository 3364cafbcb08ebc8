//! A session against the simulated world, live and on paper, with restarts, a reorganisation and people who interfere;
//! and every decision of it made again from what was recorded: the same, row for row.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::process::{Command, Output};
use std::time::Duration;

use clap::Parser as _;
use devnet::{Devnet, DevnetConfig};
use orderflow_executor::rehearsal::{Rehearsal, rehearse};
use orderflow_reputation::Passes;
use service::{CancellationToken, clock};
use store::results::{Results, results};
use store::testing::TestDatabase;
use store::{Store, controls};
use tokio::task::{JoinHandle, JoinSet};

/// What both venues are told: more trades, and less patience, than anybody would want with money.
const STRATEGY: [&str; 16] = [
    "--confidence-model",
    "score",
    "--min-confidence",
    "50",
    "--min-whale-trade-usd",
    "50",
    "--min-minutes-to-end",
    "0",
    "--max-signal-age-secs",
    "600",
    "--max-open-positions",
    "50",
    "--max-position-usd",
    "100",
    "--bankroll-usd",
    "10000",
];

/// Longer than anything here takes, in looks of a tenth of a second.
const LOOKS: usize = 2_400;

struct Session {
    mode: &'static str,
    world: Devnet,
    database: TestDatabase,
    store: Store,
    executor: orderflow_executor::ServiceSettings,
    services: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

/// An executor that runs.
struct Running {
    halt: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn end(self) {
        self.halt.cancel();
        self.task.await.unwrap().unwrap();
    }
}

impl Session {
    async fn begin(mode: &'static str) -> Self {
        service::process::use_tls();
        let stop = CancellationToken::new();
        let config = DevnetConfig {
            seed: 11,
            speed: 3.0,
            wallets: 800,
            skilled: 40,
            history_days: 20,
            ..DevnetConfig::default()
        };
        let world = Devnet::start(config, clock::now(), stop.clone()).await.unwrap();
        let database = TestDatabase::create().await;
        let store = Store::connect(database.url()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, &world.test_account().private_key_hex).unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let urls = world.urls();
        let first = world.first_block().to_string();
        let listener = orderflow_listener::ServiceSettings::parse_from([
            "listener",
            "--polygon-rpc-url",
            &urls.rpc_ws,
            "--gamma-url",
            &urls.gamma,
            "--clob-url",
            &urls.clob,
            "--start-block",
            &first,
        ]);
        let reputation = orderflow_reputation::ServiceSettings::parse_from([
            "reputation",
            "--reputation-interval-secs",
            "2",
        ]);
        let venue = [
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
            "--paper-latency-ms",
            "20",
            "--enable-paper-trading",
            if mode == "paper" { "true" } else { "false" },
        ];
        let executor = orderflow_executor::ServiceSettings::parse_from(
            ["executor"].into_iter().chain(STRATEGY).chain(venue),
        );
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
        Self { mode, world, database, store, executor, services, stop, _folder: folder }
    }

    fn run(&self) -> Running {
        let halt = CancellationToken::new();
        let (strategy, venue) = (self.executor.strategy.clone(), self.executor.venue.clone());
        let (store, stop) = (self.store.clone(), halt.clone());
        let task = async move {
            // Whatever runs services tries again while the one before is still letting go of its lock.
            loop {
                match orderflow_executor::run(strategy.clone(), venue.clone(), store.clone(), stop.clone())
                    .await
                {
                    Err(error) if error.to_string().contains("already running") => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    ended => return ended,
                }
            }
        };
        Running { halt, task: tokio::spawn(task) }
    }

    async fn results(&self) -> Results {
        results(&mut self.store.connection().await.unwrap(), self.mode).await.unwrap()
    }

    /// Waits until something holds of what was traded.
    async fn until(&self, what: &str, running: &mut Running, holds: impl Fn(&Results) -> bool) {
        let mut last = Results::default();
        for _ in 0..LOOKS {
            last = self.results().await;
            if holds(&last) {
                return;
            }
            if running.task.is_finished() {
                panic!("the executor ended before {what}: {:?}", (&mut running.task).await);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let refusals =
            store::reports::totals(&mut self.store.connection().await.unwrap()).await.unwrap().refusals;
        panic!("{what}: {last:?}, {refusals:?}");
    }

    async fn rehearse(&self) -> Rehearsal {
        rehearse(&self.store, &self.executor.strategy.policy()).await.unwrap()
    }

    /// The command of a person, on this session's database.
    fn replay(&self, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_orderflow"))
            .args(["replay", "--decisions", "--json"])
            .args(STRATEGY)
            .args(more)
            .env("DATABASE_URL", self.database.url())
            .output()
            .unwrap()
    }

    fn psql(&self, statement: &str) {
        let output = Command::new(store::managed::psql().unwrap())
            .args([self.database.url(), "-v", "ON_ERROR_STOP=1", "-qc", statement])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.services.join_next().await {
            ended.unwrap().unwrap();
        }
        self.world.wait().await.unwrap();
    }
}

fn stored(rehearsal: &Rehearsal, name: &str) -> i64 {
    rehearsal.tables.iter().find(|table| table.name == name).unwrap().stored
}

/// Trades for a while with everything that makes an engine begin anew, and compares while it still trades.
async fn trade(mode: &'static str) {
    let session = Session::begin(mode).await;
    let mut running = session.run();
    session.until("the first orders", &mut running, |so_far| 2 <= so_far.filled).await;
    running.end().await;
    let before = session.results().await.orders;
    let mut running = session.run();
    session.until("more orders", &mut running, |so_far| before < so_far.orders).await;
    session.world.reorg(2);
    let before = session.results().await.orders;
    session.until("orders on the other branch", &mut running, |so_far| before < so_far.orders).await;
    let connection = &mut session.store.connection().await.unwrap();
    controls::set_paused(connection, true).await.unwrap();
    controls::request_close(connection, None).await.unwrap();
    session.until("everything is over", &mut running, |so_far| so_far.open == 0 && so_far.moving == 0).await;

    // It still runs, and nobody minds.
    let rehearsal = session.rehearse().await;
    assert!(rehearsal.is_same(), "{rehearsal:#?}");
    assert!(3 <= rehearsal.beginnings, "{rehearsal:?}");
    for name in ["signals", "refusals", "orders", "matches", "positions", "exits", "limits"] {
        assert!(0 < stored(&rehearsal, name), "{name}: {rehearsal:?}");
    }
    running.end().await;
    let rehearsal = session.rehearse().await;
    println!("{mode}: {} steps, {} beginnings", rehearsal.steps, rehearsal.beginnings);
    for table in &rehearsal.tables {
        println!("{:>6} {}", table.stored, table.name);
    }

    let told = session.replay(&[]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["same"], true);
    assert_eq!(told["tables"][0]["stored"], stored(&rehearsal, "signals"));
    // Other settings are another strategy, and a row that somebody changed is found.
    let other = session.replay(&["--kelly-fraction", "0.2"]);
    assert!(!other.status.success() && String::from_utf8_lossy(&other.stderr).contains("settings"));
    session.psql("UPDATE orderflow_signals SET stake_usd = stake_usd + 0.000001 WHERE id = 1");
    let changed = session.rehearse().await;
    let signals = &changed.tables[0];
    assert_eq!((signals.missing, signals.new), (1, 1), "{changed:?}");
    assert!(!session.replay(&[]).status.success());
    session.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_live_is_decided_again() {
    trade("live").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_on_paper_is_decided_again() {
    trade("paper").await;
}
