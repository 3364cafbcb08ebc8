//! Trading in earnest and trading on paper, in the same simulated world, beside each other.
//!
//! A market of that world opens, trades and is answered within a minute or less, so that ten minutes hold what takes a
//! real one days. Entries stop when the time is over; what is held then is seen to its end, and then every dollar of the
//! account must be explained by the books: to the micro-dollar.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::ensure;
use devnet::{Devnet, DevnetConfig};
use domain::{Price, TokenId, Usd, Wallet};
use service::{CancellationToken, clock};
use store::results::{Entry, Results, entries, results};
use store::{Store, controls, live};
use tokio::process::Child;

use crate::earnest::{self, Manner};
use crate::machine::say;
use crate::stage::Stage;

/// How long what is held when entries stop may take to its end.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often the books are looked at meanwhile.
const LOOK: Duration = Duration::from_secs(1);

type Entries = BTreeMap<(Wallet, TokenId), Entry>;

/// What one run came to.
struct Ran {
    results: Results,
    entries: Entries,
    /// What the venue says that the account gained; nothing on paper.
    gained: Option<Usd>,
}

/// The world and how long it is traded in.
struct Setting<'a> {
    length: Duration,
    seed: u64,
    speed: f64,
    log: &'a str,
}

/// Trades for so many minutes in earnest, and as many on paper.
pub(crate) async fn run(minutes: u64, seed: u64, speed: f64, log: &str) -> anyhow::Result<()> {
    let setting = Setting { length: Duration::from_secs(60 * minutes), seed, speed, log };
    let earnest = trade(&setting, false).await?;
    let paper = trade(&setting, true).await?;
    say(&format!("earnest    seed {seed}, {minutes} minutes each at {speed} times the chain's own pace"));
    table(&earnest.results, &paper.results);
    let gained = earnest.gained.unwrap_or_default();
    let apart = gained - earnest.results.pnl;
    say(&format!(
        "           in earnest the venue's ledger says {gained}, the books say {}: {} micro-dollars apart",
        earnest.results.pnl,
        apart.micros()
    ));
    common(&earnest.entries, &paper.entries);
    ensure!(apart == Usd::ZERO, "the books are {apart} off");
    Ok(())
}

/// Trades in a world of its own, into a database of its own.
async fn trade(setting: &Setting<'_>, paper: bool) -> anyhow::Result<Ran> {
    let stage = Stage::set_up().await?;
    let stop = CancellationToken::new();
    let config = DevnetConfig {
        seed: setting.seed,
        speed: setting.speed,
        history_days: 0,
        wallets: 1_000,
        ..DevnetConfig::default()
    };
    let world = Devnet::start(config, clock::now(), stop.clone()).await?;
    earnest::fund(&world);
    let store = &stage.database.store;
    earnest::believe(&world, store).await?;
    let key = earnest::key_file(&world, stage.folder())?;
    let manner = Manner { paper, check_secs: 5, poll_millis: 250 };
    let mut trading = tokio::process::Command::new(std::env::current_exe()?)
        .args(earnest::arguments(&world, stage.database.url(), &key, setting.log, manner))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let ran = watch(setting.length, store, &world, paper, &mut trading).await;
    trading.kill().await?;
    stop.cancel();
    world.wait().await?;
    let ran = ran?;
    stage.database.close().await?;
    Ok(ran)
}

/// Lets it trade, stops entries, and waits until nothing is held or on its way.
async fn watch(
    length: Duration,
    store: &Store,
    world: &Devnet,
    paper: bool,
    trading: &mut Child,
) -> anyhow::Result<Ran> {
    let mode = if paper { "paper" } else { "live" };
    let begun = Instant::now();
    let mut is_paused = false;
    loop {
        tokio::time::sleep(LOOK).await;
        if let Some(status) = trading.try_wait()? {
            anyhow::bail!("the trading process ended with {status}");
        }
        if begun.elapsed() < length {
            continue;
        }
        let connection = &mut *store.connection().await?;
        if !is_paused {
            controls::set_paused(connection, true).await?;
            is_paused = true;
        }
        let results = results(connection, mode).await?;
        let account = live::account(connection).await?;
        if results.open == 0 && results.moving == 0 && account.unpaid == Usd::ZERO {
            let entries = entries(connection, mode).await?;
            return Ok(Ran { results, entries, gained: (!paper).then(|| gained(world)).flatten() });
        }
        ensure!(begun.elapsed() < length + PATIENCE, "{mode}: {results:?}, {account:?}");
    }
}

/// What the account has beyond what was paid in, by the venue's own ledger.
fn gained(world: &Devnet) -> Option<Usd> {
    let truth = world.venue().account(world.test_account().address)?;
    Some(truth.cash - truth.funded)
}

fn table(earnest: &Results, paper: &Results) {
    let cents = |value: Option<f64>| value.map_or("-".to_owned(), |cents| format!("{cents:+.3} c"));
    let between =
        |one: Option<f64>, other: Option<f64>| cents(one.zip(other).map(|(one, other)| one - other));
    say(&format!("           {:<30} {:>16} {:>16} {:>16}", "", "in earnest", "on paper", "apart"));
    for (name, one, other) in [
        ("signals", earnest.signals, paper.signals),
        ("orders", earnest.orders, paper.orders),
        ("orders filled, in part or all", earnest.filled, paper.filled),
        ("matches", earnest.fills, paper.fills),
    ] {
        say(&format!("           {name:<30} {one:>16} {other:>16} {:>+16}", one - other));
    }
    for (name, one, other) in [
        ("paid more than expected, share", earnest.slippage_cents, paper.slippage_cents),
        ("paid more than the whale, share", earnest.run_up_cents, paper.run_up_cents),
    ] {
        say(&format!(
            "           {name:<30} {:>16} {:>16} {:>16}",
            cents(one),
            cents(other),
            between(one, other)
        ));
    }
    for (name, one, other) in [
        ("turnover", earnest.turnover, paper.turnover),
        ("fees", earnest.fees, paper.fees),
        ("P&L", earnest.pnl, paper.pnl),
    ] {
        let [one, other, apart] = [one, other, one - other].map(|usd| format!("${usd}"));
        say(&format!("           {name:<30} {one:>16} {other:>16} {apart:>16}"));
    }
}

/// What was followed in both runs, where the difference is the venue's alone.
fn common(earnest: &Entries, paper: &Entries) {
    let both: Vec<(&Entry, &Entry)> =
        earnest.iter().filter_map(|(followed, one)| Some((one, paper.get(followed)?))).collect();
    let mut prices: Vec<i64> = both
        .iter()
        .filter_map(|(one, other)| {
            let [one, other] = [one, other].map(|entry| Price::average(entry.usd, entry.shares));
            Some(i64::from(one?.ppm()) - i64::from(other?.ppm()))
        })
        .collect();
    prices.sort_unstable();
    let same = prices.iter().filter(|apart| **apart == 0).count();
    let at = |part: usize| prices.get(prices.len() * part / 100).copied().unwrap_or_default();
    let pnl = |wanted: fn(&(&Entry, &Entry)) -> Option<Usd>| both.iter().filter_map(wanted).sum::<Usd>();
    say(&format!(
        "           {} entries in both ({} in earnest, {} on paper): {same} at the same price, half between {:+} and \
         {:+} millionths of a dollar a share; P&L of these ${} and ${}",
        both.len(),
        earnest.len(),
        paper.len(),
        at(25),
        at(75),
        pnl(|(one, _)| one.pnl),
        pnl(|(_, other)| other.pnl)
    ));
}
