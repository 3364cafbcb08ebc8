//! What it takes to trade in earnest in the simulated world: money, a key, whales to follow, and the settings.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use devnet::{Devnet, OpenAccount, SignatureType};
use domain::{Timestamp, Usd};
use service::clock;
use store::Store;
use store::scores::{self, Publication};
use store::testing::whale;

/// What a run is told beside the addresses: a lot of money in small bets, so that nothing but the strategy's own
/// judgement of each fill stands between a whale and an order.
const STRATEGY: &str = "
    --signature-type 0
    --bankroll-usd 1000000 --max-position-usd 100 --min-position-usd 2 --max-open-positions 10000
    --daily-loss-limit-usd 1000000 --confidence-model score --min-whale-trade-usd 1 --max-signal-age-secs 120
    --min-minutes-to-end 0 --follow-ultra-short true --max-spread-cents 20 --min-depth-multiple 1
    --max-run-up-cents 20 --max-opposed-pct 100 --min-price 0.05 --max-price 0.95
    --min-market-volume-usd 0 --max-entry-of-volume-pct 100 --min-taker-pct 0
    --min-entry-of-median-pct 0";

/// Enough money for all of it.
pub(crate) fn fund(world: &Devnet) {
    let _wallet = world.venue().open_account(OpenAccount {
        owner: world.test_account().address,
        signature_type: SignatureType::Eoa,
        wallet: None,
        funds: Usd::whole(1_000_000),
    });
}

/// Those who know are whales from the beginning.
pub(crate) async fn believe(world: &Devnet, store: &Store) -> anyhow::Result<()> {
    let as_of = clock::now().plus_micros(-Timestamp::HOUR);
    let believed: Vec<_> = world.truth().skilled.into_iter().map(|wallet| whale(wallet, as_of)).collect();
    let mut transaction = store.begin().await?;
    let publication = Publication { as_of, learned: as_of, folded: 0 };
    scores::write(&mut transaction, publication, &believed).await?;
    scores::tell(&mut transaction, as_of, as_of).await?;
    Ok(Store::commit(transaction).await?)
}

/// The key of the account, as a file that only its owner can read.
pub(crate) fn key_file(world: &Devnet, folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("key");
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(world.test_account().private_key_hex.as_bytes())?;
    Ok(path)
}

/// How the trading process trades.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// On paper, against the simulated venue's books.
    pub(crate) paper: bool,
    /// Seconds between two looks at the account.
    pub(crate) check_secs: u32,
    /// Milliseconds between two looks at the head where none is announced.
    pub(crate) poll_millis: u32,
}

/// What the trading process is told.
pub(crate) fn arguments(
    world: &Devnet,
    database: &str,
    key: &Path,
    log: &str,
    manner: Manner,
) -> Vec<String> {
    let urls = world.urls();
    let first = world.first_block().to_string();
    let (key, check) = (key.to_string_lossy(), manner.check_secs.to_string());
    let poll = manner.poll_millis.to_string();
    let mut arguments = vec!["trade", "--live-check-secs", &check, "--poll-interval-ms", &poll];
    arguments.extend(["--enable-paper-trading", if manner.paper { "true" } else { "false" }]);
    arguments.extend(["--database", database, "--log-level", log, "--private-key-file", &key]);
    arguments.extend(["--polygon-rpc-url", &urls.rpc_ws, "--new-heads", "always", "--start-block", &first]);
    arguments.extend(["--gamma-url", &urls.gamma, "--clob-url", &urls.clob]);
    arguments.extend(["--clob-ws-url", urls.clob_ws.trim_end_matches("/ws/market")]);
    arguments.extend(["--geoblock-url", urls.geoblock.trim_end_matches("/api/geoblock")]);
    arguments.extend(STRATEGY.split_whitespace());
    arguments.into_iter().map(str::to_owned).collect()
}
