//! Nothing that a live run ever says or stores holds the key or the credentials: at the finest level of the log, while
//! the venue and the chain misbehave, which is when things are said that are not said otherwise.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../src/earnest.rs"]
mod earnest;

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use alloy_primitives::B256;
use devnet::{Devnet, DevnetConfig, Trouble, VenueFault, VenueRoute};
use earnest::Manner;
use polymarket::trading::{Account, KeyDesk, PrivateKey, WalletKind};
use service::{CancellationToken, clock};
use sqlx::PgPool;
use store::testing::TestDatabase;
use store::{Store, live};
use tokio::time::{Instant, sleep};

/// So many orders go out, those that meet trouble among them.
const ORDERS: usize = 14;
/// With money, and few looks at the account between the orders.
const LIVE: Manner = Manner { paper: false, check_secs: 3_600, poll_millis: 250 };
/// How long that may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_said_or_stored() {
    service::process::use_tls();
    let stop = CancellationToken::new();
    let config = DevnetConfig {
        speed: 2.0,
        history_days: 0,
        wallets: 500,
        taker_delays: false,
        ..DevnetConfig::default()
    };
    let world = Devnet::start(config, clock::now(), stop.clone()).await.unwrap();
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    earnest::fund(&world);
    earnest::believe(&world, &store).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key = earnest::key_file(&world, folder.path()).unwrap();
    misbehave(&world);

    let said = folder.path().join("said");
    trade(&world, &database, &store, &key, &said).await;

    let said = std::fs::read_to_string(said).unwrap();
    let stored = stored(&database.pool()).await;
    let secrets = secrets(&world, &key).await;
    stop.cancel();
    world.wait().await.unwrap();

    // The search finds what is there: the wallet is no secret, and every level of the log was written.
    let wallet = "f39fd6e51aad88f6f4ce6ab8827279cfffb92266";
    assert!(holds(&said, wallet) && holds(&stored, wallet), "what is searched is what was said and stored");
    assert!(said.contains("TRACE") && said.contains("an order goes out"), "the log is the finest there is");
    for (name, secret) in secrets {
        assert!(secret.len() >= 16, "the {name} is long enough to be looked for");
        for (place, text) in [("log", &said), ("database", &stored)] {
            // Not the line itself: it would be said here.
            assert!(!holds(text, &secret), "the {name} is in the {place}");
        }
    }
}

/// Each of the next orders meets another trouble, and so do other requests.
fn misbehave(world: &Devnet) {
    let refused = |status, message: &str| Trouble::Refused { status, message: message.to_owned() };
    for trouble in [
        Trouble::CutAfter,
        Trouble::Half,
        refused(400, "not enough balance / allowance"),
        refused(401, "Unauthorized/Invalid api key"),
        refused(425, "service not ready"),
        refused(500, "internal server error"),
    ] {
        world.venue().add_fault(VenueFault { route: Some(VenueRoute::PlaceOrder), trouble, times: Some(1) });
    }
}

/// Trades until enough orders went out, while sockets break; all output of the process goes to a file.
async fn trade(world: &Devnet, database: &TestDatabase, store: &Store, key: &Path, said: &Path) {
    let output = File::create(said).unwrap();
    let mut trading = tokio::process::Command::new(env!("CARGO_BIN_EXE_trials"))
        .args(earnest::arguments(world, database.url(), key, "trace", LIVE))
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let mut sent = 0;
    while sent < ORDERS {
        sleep(Duration::from_millis(500)).await;
        let before = sent;
        sent = live::steps(&mut store.connection().await.unwrap()).await.unwrap().len();
        if before < ORDERS / 2 && ORDERS / 2 <= sent {
            world.venue().cut_sockets();
            world.disconnect_all();
        }
        let ended = trading.try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}\n{}", last_words(said));
        assert!(begun.elapsed() < PATIENCE, "only {sent} orders\n{}", last_words(said));
    }
    trading.kill().await.unwrap();
}

fn last_words(said: &Path) -> String {
    let said = std::fs::read_to_string(said).unwrap_or_default();
    let loud: Vec<&str> =
        said.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    loud[loud.len().saturating_sub(20)..].join("\n")
}

/// Every row of every table, as text.
async fn stored(pool: &PgPool) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let mut all = String::new();
    for table in tables {
        let query = format!("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {table} t");
        let rows: String = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(pool).await.unwrap();
        all.push_str(&rows);
        all.push('\n');
    }
    all
}

/// What nobody may ever read.
async fn secrets(world: &Devnet, key: &Path) -> [(&'static str, String); 6] {
    let account = Account::new(PrivateKey::from_hex_file(key).unwrap(), WalletKind::Eoa, None).unwrap();
    let desk = KeyDesk::new(&world.urls().clob, Duration::from_secs(10)).unwrap();
    desk.sync_clock().await.unwrap();
    let credentials = desk.derive_or_create(&account, 0).await.unwrap();
    let secret = credentials.expose_secret().to_owned();
    let key = world.test_account().private_key_hex.trim_start_matches("0x").to_owned();
    // As a derived `Debug` shows bytes, and as JSON does.
    let bytes: B256 = key.parse().unwrap();
    let numbers = |between: &str| bytes.0.map(|byte| byte.to_string()).join(between);
    [
        ("private key", key),
        ("private key as a list", numbers(", ")),
        ("private key as an array", numbers(",")),
        ("secret in the other alphabet", secret.replace('-', "+").replace('_', "/")),
        ("secret", secret),
        ("passphrase", credentials.expose_passphrase().to_owned()),
    ]
}

/// Whether a text holds a word, in letters of either size.
fn holds(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(&word.to_lowercase())
}
