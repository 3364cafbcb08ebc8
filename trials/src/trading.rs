//! The process that trades while it is measured.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// The trading process, which keeps what it measures of itself until its input says otherwise.
pub(crate) fn begin(arguments: Vec<String>) -> anyhow::Result<Child> {
    Ok(Command::new(std::env::current_exe()?)
        .args(arguments)
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
