//! `orderflow demo`: the real three services against a simulated world, over real sockets, for a while.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use devnet::{Devnet, DevnetConfig, Truth};
use domain::{Usd, Wallet};
use orderflow_executor::Choice;
use serde_json::{Value, json};
use service::telemetry::TelemetrySettings;
use service::{Database, Supervisor, clock, interrupted};
use store::managed::{Durability, Left, ManagedPostgres, ManagedSettings};
use store::{Store, reports, scores};

use crate::args::{Demo, Run};
use crate::{live, render, run};

/// How the folders of demonstrations begin.
const FOLDER: &str = "orderflow-demo-";
/// Seconds between two passes of the reputation service: a demonstration has no hour to wait.
const PASS_SECS: u32 = 5;

/// What a demonstration runs on.
struct Stage {
    world: Devnet,
    database: Database,
}

/// Runs the demonstration and ends with what it came to.
pub(crate) async fn run(settings: Demo) -> anyhow::Result<()> {
    // Only what went wrong: the lines that follow are the news.
    TelemetrySettings::only_logs("warn").start()?;
    let screen = if settings.json { live::To::Nowhere } else { live::To::Screen };
    let say = |text: &str| if settings.json { Ok(()) } else { render::line(text) };
    say(
        "*** SIMULATED: an invented market of invented wallets on this machine. No money, no real prices. ***",
    )?;

    let mut supervisor = Supervisor::new();
    // Its own folder, thrown away afterwards: the user's database is never touched, wherever it is.
    let folder = tempfile::Builder::new().prefix(FOLDER).tempdir()?;
    let stage = tokio::select! {
        stage = set_up(&settings, folder.path(), &supervisor) => stage?,
        heard = interrupted() => return heard,
    };
    let Stage { world, database } = stage;
    say(&format!("world   {} with {} fills of history", world.urls().rpc_http, world.fills()))?;
    let services = services(&settings, &world, folder.path())?;
    let truth = world.truth();
    supervisor.spawn("the simulated world", async move { Ok(world.wait().await?) });
    run::spawn_services(&mut supervisor, &database, &services);
    supervisor.spawn("the screen", live::lines(database.store.clone(), screen, supervisor.stop()));
    let (stop, length) = (supervisor.stop(), settings.length);
    tokio::spawn(async move {
        tokio::time::sleep(length).await;
        stop.cancel();
    });
    let ran = supervisor.run().await;
    let summary = summary(&database.store, &truth).await;
    let closed = database.close().await;
    ran?;
    closed?;
    say("*** SIMULATED: nothing above says what the strategy earns in the real market. ***")?;
    Ok(render::summary(&summary?, settings.json)?)
}

async fn set_up(settings: &Demo, folder: &Path, supervisor: &Supervisor) -> anyhow::Result<Stage> {
    clear_away_the_killed().await;
    let config = DevnetConfig { seed: settings.seed, speed: settings.speed, ..DevnetConfig::default() };
    let world = Devnet::start(config, clock::now(), supervisor.stop()).await?;
    let database = Database::private(folder.to_owned(), Durability::Throwaway).await?;
    Ok(Stage { world, database })
}

/// Stops the databases of this user's demonstrations that were killed, and removes their folders. One that still
/// runs keeps its own.
async fn clear_away_the_killed() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for folder in entries.flatten().map(|entry| entry.path()) {
        let is_demo =
            folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(FOLDER));
        // The temporary directory is everybody's: only a real folder of our own is touched.
        let is_ours = std::fs::symlink_metadata(&folder)
            .is_ok_and(|found| found.is_dir() && found.uid() == service::database::user());
        if !is_demo || !is_ours || !folder.join("postgres").join("users.lock").exists() {
            continue;
        }
        let settings = ManagedSettings { data_dir: folder.clone(), durability: Durability::Throwaway };
        let Ok(left) = ManagedPostgres::start(&settings).await else { continue };
        if let Ok(Left::ServerStopped) = left.stop().await {
            // What cannot be removed is in nobody's way.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// The services' settings, which differ from a live run's in the addresses and in how long an hour is.
fn services(settings: &Demo, world: &Devnet, folder: &Path) -> anyhow::Result<Run> {
    let urls = world.urls();
    // The same definitions as for a live run, so that a demonstration cannot drift away from it.
    let defaults = <Defaults as clap::Parser>::try_parse_from([
        "orderflow",
        "--polygon-rpc-url",
        &urls.rpc_ws,
        "--gamma-url",
        &urls.gamma,
        "--clob-url",
        &urls.clob,
        "--start-block",
        &world.first_block().to_string(),
        "--orderflow-data-dir",
        &folder.to_string_lossy(),
    ])?;
    let mut run = defaults.run;
    run.strategy = settings.strategy.clone();
    // Its bets live for minutes: what keeps money out of the last hours of real ones would keep it out of all.
    run.strategy.filters.min_minutes_to_end = 0;
    run.strategy.fade.fade_min_minutes_to_end = 0;
    // Nor is a day of them as long as a real one.
    run.strategy.filters.min_market_volume_usd = Usd::ZERO;
    run.strategy.filters.max_entry_of_volume_pct = 100.0;
    // Its past is days long, and not the months in which a wallet shows how it times its entries.
    run.strategy.filters.min_timed_entries = 0;
    run.strategy.filters.min_timing_t = 0.0;
    // All of its markets end on the day on which they begin, and nobody has seen them move for hours.
    let limits = &mut run.strategy.limits;
    limits.max_same_day = Choice::Set(limits.max_same_day.or(0));
    run.strategy.fade.fade_min_sigmas = 0.0;
    run.strategy.fade.fade_calm_minutes = 0;
    run.reputation = settings.reputation.clone();
    run.reputation.reputation_interval_secs = run.reputation.reputation_interval_secs.min(PASS_SECS);
    Ok(run)
}

/// A command line that is nothing but a run's settings.
#[derive(clap::Parser)]
struct Defaults {
    #[command(flatten)]
    run: Run,
}

/// What it came to, and how many of the truly skilled wallets the two numbers found.
async fn summary(store: &Store, truth: &Truth) -> anyhow::Result<Value> {
    let mut connection = store.connection().await?;
    let mut summary = render::totals(&reports::totals(&mut connection).await?);
    let rated = scores::rated(&mut connection).await?;
    let skilled: BTreeSet<Wallet> = truth.skilled.iter().copied().collect();
    let found = |test: &dyn Fn(&domain::Verdict) -> bool| {
        let chosen: Vec<Wallet> = rated.iter().filter(|verdict| test(verdict)).map(|v| v.wallet).collect();
        let right = chosen.iter().filter(|wallet| skilled.contains(*wallet)).count();
        json!({ "found": right, "mistaken": chosen.len() - right })
    };
    summary["simulated"] = json!(true);
    summary["truly_skilled_wallets"] = json!(skilled.len());
    summary["by_score_7_and_more"] = found(&|verdict| 7.0 <= verdict.score);
    summary["by_skill_two_errors_above_0"] =
        found(&|verdict| 2.0 * verdict.skill.standard_error <= verdict.skill.kappa);
    Ok(summary)
}
