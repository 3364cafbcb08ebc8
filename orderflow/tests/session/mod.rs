//! The three services against the simulated world, in one process, with one account at its venue.

mod believed;

use std::process::{Command, Output};
use std::time::Duration;

use clap::Parser as _;
use devnet::{AccountTruth, Devnet, DevnetConfig, OpenAccount, SignatureType};
use domain::{Usd, Wallet};
use orderflow_reputation::Passes;
use service::{CancellationToken, clock};
use store::Store;
use store::results::{Results, results};
use store::testing::TestDatabase;
use tokio::task::{JoinHandle, JoinSet};

/// What kind of session it is.
pub(crate) struct Kind {
    /// `paper` or `live`.
    pub(crate) mode: &'static str,
    /// The kind of wallet that trades, if it is live.
    pub(crate) wallet: SignatureType,
    /// What the strategy is told.
    pub(crate) strategy: &'static [&'static str],
    /// Whether those who know are believed to be whales from the beginning; if not, they have a past to be found by.
    pub(crate) is_believed: bool,
}

/// Longer than anything here takes, in looks of a tenth of a second.
const LOOKS: usize = 2_400;

pub(crate) struct Session {
    kind: Kind,
    pub(crate) world: Devnet,
    database: TestDatabase,
    pub(crate) store: Store,
    /// The wallet that trades, if it is live.
    pub(crate) wallet: Wallet,
    pub(crate) executor: orderflow_executor::ServiceSettings,
    /// What a command is told of the venue and the account: variables and their values.
    account: Vec<(String, String)>,
    services: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

/// An executor that runs.
pub(crate) struct Running {
    halt: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Fails with what it said if it has ended.
    pub(crate) async fn assert_on(&mut self) {
        if self.task.is_finished() {
            panic!("the executor has ended: {:?}", (&mut self.task).await);
        }
    }

    pub(crate) async fn end(self) {
        self.halt.cancel();
        self.task.await.unwrap().unwrap();
    }
}

impl Session {
    pub(crate) async fn begin(kind: Kind) -> Self {
        service::process::use_tls();
        let stop = CancellationToken::new();
        let config = DevnetConfig {
            seed: 11,
            speed: 3.0,
            wallets: 800,
            skilled: 40,
            history_days: if kind.is_believed { 0 } else { 20 },
            ..DevnetConfig::default()
        };
        let world = Devnet::start(config, clock::now(), stop.clone()).await.unwrap();
        let database = TestDatabase::create().await;
        let store = Store::connect(database.url()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, &world.test_account().private_key_hex).unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        if kind.is_believed {
            believed::publish(&world, &store).await;
        }
        let wallet = world.venue().open_account(OpenAccount {
            owner: world.test_account().address,
            signature_type: kind.wallet,
            wallet: None,
            funds: Usd::whole(10_000),
        });
        let (number, funder) = (kind.wallet.number().to_string(), wallet.to_string());
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
            &number,
            "--funder-address",
            &funder,
            "--live-check-secs",
            "1",
            "--paper-latency-ms",
            "20",
            "--enable-paper-trading",
            if kind.mode == "paper" { "true" } else { "false" },
        ];
        let executor = orderflow_executor::ServiceSettings::parse_from(
            ["executor"].into_iter().chain(kind.strategy.iter().copied()).chain(venue),
        );
        let mut services = JoinSet::new();
        services.spawn(orderflow_listener::run(
            listener.listener,
            listener.clob.clob_url,
            store.clone(),
            stop.clone(),
        ));
        if !kind.is_believed {
            services.spawn(orderflow_reputation::run(
                reputation.reputation,
                Passes::default(),
                store.clone(),
                stop.clone(),
            ));
        }
        let wallet = Wallet(wallet);
        let variable = |flag: &str| flag.trim_start_matches('-').replace('-', "_").to_uppercase();
        let account = venue.chunks_exact(2).map(|of| (variable(of[0]), of[1].to_owned())).collect();
        Self { kind, world, database, store, wallet, executor, account, services, stop, _folder: folder }
    }

    pub(crate) fn run(&self) -> Running {
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

    /// What is really in the wallet, and became of its orders.
    pub(crate) fn truth(&self) -> AccountTruth {
        self.world.venue().account(self.wallet.0).unwrap()
    }

    pub(crate) async fn results(&self) -> Results {
        results(&mut self.store.connection().await.unwrap(), self.kind.mode).await.unwrap()
    }

    /// Waits until something holds of what was traded.
    pub(crate) async fn until(&self, what: &str, running: &mut Running, holds: impl Fn(&Results) -> bool) {
        let mut last = Results::default();
        for _ in 0..LOOKS {
            last = self.results().await;
            if holds(&last) {
                return;
            }
            running.assert_on().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let refusals =
            store::reports::totals(&mut self.store.connection().await.unwrap()).await.unwrap().refusals;
        panic!("{what}: {last:?}, {refusals:?}");
    }

    /// A command of a person, on this session's database and account.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_orderflow"))
            .args(arguments)
            .envs(self.account.iter().map(|(name, value)| (name, value)))
            .env("DATABASE_URL", self.database.url())
            .output()
            .unwrap()
    }

    pub(crate) fn psql(&self, statement: &str) -> String {
        let output = Command::new(store::managed::psql().unwrap())
            .args([self.database.url(), "-v", "ON_ERROR_STOP=1", "-qAtc", statement])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.services.join_next().await {
            ended.unwrap().unwrap();
        }
        self.world.wait().await.unwrap();
    }
}
