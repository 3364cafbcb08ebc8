//! Publishing verdicts: what one resolution with many holders asks for, and what telling of anything costs.

use std::process::Stdio;
use std::time::Instant;

use alloy_primitives::Address;
use anyhow::{Context as _, bail};
use domain::{Assessment, Tier, Timestamp, Wallet};
use store::Store;
use store::scores::{self, Publication};
use store::testing::assessment;
use tokio::io::AsyncWriteExt as _;

use crate::machine::say;
use crate::stage::Stage;

/// Passes over the same wallets: the first one is about wallets that nobody knew.
const PASSES: i64 = 4;

/// Measures passes over so many rated wallets, and the outbox with and without its index by time.
pub(crate) async fn run(wallets: u64) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    for pass in 0..PASSES {
        let as_of = Timestamp::from_seconds(1_780_000_000).plus_micros(pass * Timestamp::HOUR);
        let verdicts: Vec<Assessment> =
            (1..=wallets).map(|number| assessment(scattered(number), Tier::Average, as_of)).collect();
        let begun = Instant::now();
        let mut transaction = stage.database.store.begin().await?;
        let publication = Publication { as_of, learned: as_of, folded: 0 };
        scores::write(&mut transaction, publication, &verdicts).await?;
        scores::tell(&mut transaction, as_of, as_of).await?;
        Store::commit(transaction).await?;
        let which = if pass == 0 { "new" } else { "known" };
        say(&format!(
            "verdicts   {wallets} of {which} wallets, into the newest and the history: {:.3} s",
            begun.elapsed().as_secs_f64()
        ));
    }
    outbox(&stage).await?;
    stage.database.close().await
}

/// A wallet anywhere among the others, as addresses are.
fn scattered(number: u64) -> Wallet {
    Wallet(Address::left_padding_from(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()))
}

async fn outbox(stage: &Stage) -> anyhow::Result<()> {
    let psql = tokio::task::spawn_blocking(store::managed::psql).await?;
    let mut running = tokio::process::Command::new(psql.context("there is no psql on this machine")?)
        .args([stage.database.url(), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut script = running.stdin.take().context("psql has no input")?;
    script.write_all(include_str!("../outbox.sql").as_bytes()).await?;
    drop(script);
    let output = running.wait_with_output().await?;
    if !output.status.success() {
        bail!("psql: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8_lossy(&output.stdout).lines().for_each(say);
    Ok(())
}
