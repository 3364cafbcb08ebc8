//! The official Python client, as it is published, trades on the simulated venue: it derives a key, places, cancels
//! and fills orders with every kind of wallet on every kind of market. It needs Python 3 and a package index.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::Path;
use std::time::Duration;

use devnet::{Devnet, DevnetConfig};
use service::{CancellationToken, clock};
use tokio::process::Command;

/// The client: the last of its line.
const PACKAGE: &str = "py-clob-client-v2==1.2.1";

/// How long fetching it may take, and how long the trading.
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_trades_with_every_wallet_on_every_market() {
    service::process::use_tls();
    let room = tempfile::tempdir().unwrap();
    let python = installed(room.path()).await;
    let stop = CancellationToken::new();
    // At life's speed: a block each second and a half, markets of up to a minute.
    let config = DevnetConfig { wallets: 400, skilled: 20, history_days: 4, ..DevnetConfig::default() };
    let world = Devnet::start(config, clock::now(), stop.clone()).await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/official_client/trade.py");
    let mut trading = Command::new(python);
    trading
        .arg(script)
        .env("CLOB_URL", &world.urls().clob)
        .env("GAMMA_URL", &world.urls().gamma)
        // The venue is on this machine, whatever proxy the environment names.
        .env("NO_PROXY", "127.0.0.1");
    let said = run(trading).await;
    println!("{said}");
    assert!(said.contains("12 of 12 done"), "{said}");
    stop.cancel();
    world.wait().await.unwrap();
}

/// Python with the client, in an environment of its own.
async fn installed(room: &Path) -> std::path::PathBuf {
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(room.join("venv"));
    run(make).await;
    let python = room.join("venv/bin/python");
    let mut fetch = Command::new(&python);
    fetch.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]);
    run(fetch).await;
    python
}

/// What a program says that ends well.
async fn run(mut command: Command) -> String {
    command.kill_on_drop(true);
    let ended = tokio::time::timeout(PATIENCE, command.output()).await.expect("it takes too long").unwrap();
    let [out, complaints] = [&ended.stdout, &ended.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(ended.status.success(), "{command:?} ended with {}:\n{out}\n{complaints}", ended.status);
    out.into_owned()
}
