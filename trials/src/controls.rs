//! From what a person asks, with the trading service at work, to its being in force: as the service itself measures it.

use std::time::Duration;

use devnet::{Devnet, DevnetConfig};
use service::{CancellationToken, clock};
use store::{controls, live};
use tokio::time::sleep;

use crate::earnest::Manner;
use crate::machine::say;
use crate::samples;
use crate::stage::Stage;
use crate::trading;

/// So many orders show that the service is at work.
const WARM_UP: usize = 20;
/// How long these may take to come about.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two wishes, and a little more each time, so that they meet the service at all of its moments.
const PAUSE: Duration = Duration::from_millis(700);
const MORE: Duration = Duration::from_millis(37);

/// Pauses, resumes, kills and lifts so many times each.
pub(crate) async fn run(times: u32, log: &str) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    let stop = CancellationToken::new();
    let config = DevnetConfig { speed: 4.0, history_days: 0, wallets: 2_000, ..DevnetConfig::default() };
    let world = Devnet::start(config, clock::now(), stop.clone()).await?;
    let manner = Manner { paper: false, check_secs: 60, poll_millis: 2_750 };
    let mut process = trading::begin(&world, &stage, manner, log).await?;
    let mut connection = stage.database.store.connection().await?;
    let begun = tokio::time::Instant::now();
    while live::steps(&mut connection).await?.len() < WARM_UP {
        anyhow::ensure!(process.try_wait()?.is_none(), "the trading process ended");
        anyhow::ensure!(begun.elapsed() < PATIENCE, "no orders came about");
        sleep(Duration::from_secs(1)).await;
    }
    trading::forget(&mut process).await?;
    for time in 0..times {
        for wish in 0..4 {
            match wish {
                0 => controls::set_paused(&mut connection, true).await?,
                1 => controls::set_paused(&mut connection, false).await?,
                2 => controls::kill(&mut connection, "a drill").await?,
                _ => drop(controls::lift(&mut connection).await?),
            }
            sleep(PAUSE + MORE * (time % 20)).await;
        }
    }
    drop(connection);
    let said = trading::end(process).await?;
    stop.cancel();
    world.wait().await?;
    say(&format!("controls   {times} of each wish, from its commit to its being heard, in milliseconds"));
    samples::print(&said, "control")?;
    stage.database.close().await
}
