//! The process that trades while it is measured.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use devnet::Devnet;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::earnest::{self, Manner};
use crate::stage::Stage;

/// Begins to trade in a world, with money, a key, and whales to follow from the beginning. The process keeps what it
/// measures of itself until its input says otherwise.
pub(crate) async fn begin(world: &Devnet, stage: &Stage, manner: Manner, log: &str) -> anyhow::Result<Child> {
    earnest::fund(world);
    earnest::believe(world, &stage.database.store).await?;
    let key = earnest::key_file(world, stage.folder())?;
    Ok(Command::new(std::env::current_exe()?)
        .args(earnest::arguments(world, stage.database.url(), &key, log, manner))
        .arg("--samples")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?)
}

/// Has the trading process forget what it measured so far.
pub(crate) async fn forget(trading: &mut Child) -> anyhow::Result<()> {
    let stdin = trading.stdin.as_mut().context("the trading process has no input")?;
    Ok(stdin.write_all(b"\n").await?)
}

/// Ends the trading process; what it measured.
pub(crate) async fn end(mut trading: Child) -> anyhow::Result<String> {
    drop(trading.stdin.take());
    let ended = tokio::time::timeout(Duration::from_secs(20), trading.wait_with_output()).await??;
    Ok(String::from_utf8(ended.stdout)?)
}
