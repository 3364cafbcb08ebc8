//! A simulated world, a real database, the listener as a process that lives, and the executor as one that is killed.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use devnet::{AccountTruth, Devnet, DevnetConfig, OpenAccount, SignatureType, VenueHandle};
use domain::{
    Assessment, FactorScores, Figures, Probability, Skill, Tier, Timestamp, Usd, Wallet, WalletScore,
};
use service::{CancellationToken, clock};
use sqlx::PgPool;
use store::scores::{self, Publication};
use store::testing::TestDatabase;
use store::{Store, controls};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::books::{Sum, differences};
use crate::process::Process;
use crate::story;

/// What is paid in at first: more than is ever lost.
const FUNDS: Usd = Usd::whole(1_000_000);

/// How long a rest may take: an order of unknown fate is looked up for half a minute, and then cancelled.
const PATIENCE: Duration = Duration::from_secs(150);

/// How long a moment to kill at may be waited for.
const SOON: Duration = Duration::from_secs(90);

/// Everything there is.
pub(crate) struct Scene {
    pub(crate) venue: VenueHandle,
    pub(crate) wallet: Wallet,
    pub(crate) store: Store,
    pub(crate) pool: PgPool,
    devnet: Devnet,
    database: TestDatabase,
    folder: TempDir,
    listener: Process,
    executor: Option<Process>,
    stop: CancellationToken,
}

impl Scene {
    /// The same seed gives the same past. At speed 1 a market lives for a quarter of a minute to a whole one.
    pub(crate) async fn begin(seed: u64, speed: f64) -> Self {
        service::process::use_tls();
        let stop = CancellationToken::new();
        let config = DevnetConfig {
            seed,
            speed,
            wallets: 400,
            skilled: 40,
            history_days: 4,
            ..DevnetConfig::default()
        };
        let devnet = Devnet::start(config, clock::now(), stop.clone()).await.unwrap();
        let venue = devnet.venue();
        let owner = devnet.test_account().address;
        let wallet = venue.open_account(OpenAccount {
            owner,
            signature_type: SignatureType::Eoa,
            wallet: None,
            funds: FUNDS,
        });
        let database = TestDatabase::create().await;
        let store = Store::connect(database.url()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, &devnet.test_account().private_key_hex).unwrap();
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        let listener = listener(&devnet, &database, &folder);
        let mut scene = Self {
            venue,
            wallet: Wallet(wallet),
            store,
            pool: database.pool(),
            devnet,
            database,
            folder,
            listener,
            executor: None,
            stop,
        };
        scene.rate().await;
        scene.read_the_past().await;
        scene
    }

    /// Those who know more than the price count as whales from the beginning.
    async fn rate(&self) {
        let as_of = clock::now();
        let skilled = self.devnet.truth().skilled;
        let verdicts: Vec<Assessment> = skilled.into_iter().map(|wallet| whale(wallet, as_of)).collect();
        let publication = Publication { as_of, learned: as_of, folded: 0 };
        let mut transaction = self.store.begin().await.unwrap();
        scores::write(&mut transaction, publication, &verdicts).await.unwrap();
        scores::tell(&mut transaction, as_of, as_of).await.unwrap();
        Store::commit(transaction).await.unwrap();
    }

    async fn read_the_past(&mut self) {
        let (pool, devnet) = (&self.pool, &self.devnet);
        let reached = async || {
            let found: Option<i64> = sqlx::query_scalar("SELECT max(block_number) FROM orderflow_blocks")
                .fetch_one(pool)
                .await
                .unwrap();
            found.is_some_and(|block| devnet.head().number <= u64::try_from(block).unwrap() + 3)
        };
        self.listener.until("the head", reached).await;
    }

    /// What is really in the account.
    pub(crate) fn truth(&self) -> AccountTruth {
        self.venue.account(self.wallet.0).unwrap()
    }

    /// The executor runs after this, and may open positions where `trades`.
    pub(crate) async fn run(&mut self, trades: bool) {
        controls::set_paused(&mut self.store.connection().await.unwrap(), !trades).await.unwrap();
        if self.executor.is_none() {
            self.executor = Some(self.start());
        }
    }

    fn start(&self) -> Process {
        let (urls, key) = (self.devnet.urls(), self.folder.path().join("key"));
        let arguments = [
            ["--database-url", self.database.url()],
            ["--enable-paper-trading", "false"],
            ["--clob-url", &urls.clob],
            ["--clob-ws-url", urls.clob_ws.trim_end_matches("/ws/market")],
            ["--geoblock-url", urls.geoblock.trim_end_matches("/api/geoblock")],
            ["--private-key-file", key.to_str().unwrap()],
            ["--signature-type", "0"],
            ["--live-check-secs", "1"],
            // Stakes of some dollars, as many as come; what keeps money out of the last hours of real bets would keep
            // it out of all of these, which live for less than a minute.
            ["--confidence-model", "score"],
            ["--bankroll-usd", "100000"],
            ["--max-position-usd", "40"],
            ["--max-open-positions", "20"],
            ["--daily-loss-limit-usd", "1000000"],
            ["--min-whale-trade-usd", "50"],
            ["--min-minutes-to-end", "0"],
            ["--max-spread-cents", "10"],
            ["--max-run-up-cents", "10"],
            ["--max-opposed-pct", "100"],
            ["--min-depth-multiple", "1"],
            ["--min-market-volume-usd", "0"],
            ["--max-entry-of-volume-pct", "100"],
            ["--min-taker-pct", "0"],
            ["--log-level", "info,sqlx=warn"],
        ];
        let arguments = std::iter::once("executor").chain(arguments.into_iter().flatten());
        Process::start(arguments.map(str::to_owned).collect(), self.folder.path().join("executor.log"))
    }

    /// Waits until `holds`, looking every other millisecond: this is how a moment is hit.
    pub(crate) async fn until(&mut self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self).await {
            let executor = self.executor.as_mut().unwrap();
            assert!(!executor.has_ended(), "the executor ended by itself");
            let is_late = begun.elapsed() > SOON;
            assert!(!is_late, "it does not come to {what}:\n{}", self.said());
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// The last words of the executor.
    pub(crate) fn said(&self) -> String {
        self.executor.as_ref().map(Process::said).unwrap_or_default()
    }

    /// Kills it as the operating system kills.
    pub(crate) async fn kill(&mut self) {
        if let Some(executor) = self.executor.take() {
            assert!(executor.kill().await, "the executor ended by itself");
        }
    }

    /// Lets everything come to its end with nothing new begun, and asserts that the books are true.
    pub(crate) async fn rest(&mut self) -> Sum {
        self.venue.lift_faults();
        self.run(false).await;
        let begun = Instant::now();
        loop {
            assert!(!self.executor.as_mut().unwrap().has_ended(), "the executor ended by itself");
            assert!(!self.listener.has_ended(), "the listener ended by itself");
            let found = differences(self).await;
            match found {
                Ok(sum) => return sum,
                Err(differences) if begun.elapsed() > PATIENCE => {
                    let unfinished = unfinished(&self.pool).await;
                    let differences = differences.join("\n");
                    panic!("the books do not become true:\n{differences}\n{unfinished}\n{}", self.said())
                }
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// The last word on it.
    pub(crate) async fn end(mut self) -> Sum {
        let sum = self.rest().await;
        self.kill().await;
        self.listener.kill().await;
        self.stop.cancel();
        self.devnet.wait().await.unwrap();
        sum
    }
}

fn listener(devnet: &Devnet, database: &TestDatabase, folder: &TempDir) -> Process {
    let (urls, from) = (devnet.urls(), devnet.first_block().to_string());
    let arguments = [
        ["child", "listen"],
        ["--database", database.url()],
        ["--rpc", &urls.rpc_ws],
        ["--gamma", &urls.gamma],
        ["--clob", &urls.clob],
        ["--from", &from],
        ["--poll", "100"],
        ["--log", "info"],
    ];
    let mut arguments: Vec<String> = arguments.into_iter().flatten().map(str::to_owned).collect();
    arguments.push("--subscribe".to_owned());
    Process::start(arguments, folder.path().join("listener.log"))
}

/// The stories of the positions of which something may still become known, and of those that ended last.
async fn unfinished(pool: &PgPool) -> String {
    let query = "(SELECT position_id FROM orderflow_orders WHERE NOT is_final)
                 UNION (SELECT position_id FROM orderflow_orders ORDER BY id DESC LIMIT 6)";
    let positions: Vec<i64> = sqlx::query_scalar(query).fetch_all(pool).await.unwrap();
    story::of(pool, &positions.into_iter().collect()).await
}

/// A wallet that nothing speaks against.
fn whale(wallet: Wallet, as_of: Timestamp) -> Assessment {
    let factors =
        FactorScores { win_rate: 9.0, profit_factor: 9.0, consistency: 9.0, volume: 9.0, timing: 9.0 };
    let since = as_of.plus_micros(-30 * Timestamp::DAY);
    Assessment {
        verdict: WalletScore {
            wallet,
            as_of,
            score: 9.0,
            tier: Tier::Whale,
            factors,
            skill: Skill { kappa: 0.2, standard_error: 0.05 },
            skill_probability: Probability::clamped(0.99),
            win_rate: Some(0.7),
            break_even_win_rate: Some(0.5),
            profit_factor: Some(2.5),
            roi: Some(0.2),
            profitable_weeks: Some(0.8),
            mean_drift: Some(0.01),
            volume_30d: Usd::whole(10_000),
            volume: Usd::whole(10_000),
            pnl: Usd::whole(2_000),
            trades: 100,
            decisions: 50,
            wins: 35,
            events: 40,
            active_days: 20,
            first_trade: since,
            last_trade: as_of,
        },
        figures: Figures {
            win_rate_30d: Some(0.7),
            break_even_win_rate_30d: Some(0.5),
            decisions_30d: 50,
            wins_30d: 35,
            unknown_cost: 0,
            unknown_cost_pnl: Usd::ZERO,
            tier_before: Some(Tier::Whale),
        },
        skill: None,
        roi: 0.2,
        median_cost: None,
        clv: None,
        calibrated: factors,
        is_verified: true,
        flags: vec![],
    }
}
