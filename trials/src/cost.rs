//! What following the head costs: today's rhythm of blocks, fifty times faster than life, with everything else
//! faster in proportion.

use std::time::{Duration, Instant};

use devnet::load::{LoadConfig, LoadNode};
use service::clock;
use store::{facts, feed, status};

use crate::machine::{quantile, say};
use crate::stage::{Child, Measured, Stage};

/// How much faster than life.
const SPEED: u32 = 50;
/// Polygon's blocks in late 2026.
const BLOCK: Duration = Duration::from_millis(1_500);
const FILLS_PER_BLOCK: u32 = 78;
/// The listener's defaults: a look at the head each 2.75 s, an audit each two minutes (of the whole seconds the
/// setting has, two and a half at this speed become two).
const POLL: u32 = 2_750;
const AUDIT: u32 = 2;

pub(crate) async fn run(blocks: u64) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    let config = LoadConfig {
        first_block: 1,
        blocks,
        fills_per_block: FILLS_PER_BLOCK,
        block_interval: Some(BLOCK / SPEED),
        ..LoadConfig::default()
    };
    let node = LoadNode::start(config).await?;
    let child = Child::new("listen", &stage, node.url_http(), 1).polling(POLL / SPEED, AUDIT);
    let listener = Measured::spawn(&child)?;
    let store = &stage.database.store;
    let mut news = store.listen().await?;
    let (mut read, mut last) = (0, 0);
    let mut lags = vec![];
    while last < blocks {
        tokio::time::timeout(Duration::from_secs(30), news.wait()).await??;
        let told = Instant::now();
        for (seq, number) in feed::told_blocks(&mut *store.connection().await?, read).await? {
            (read, last) = (seq, last.max(number));
            // The first blocks find the listener still starting.
            if let Some(seen) = node.announced(number).filter(|_| number > 100) {
                lags.push(told.saturating_duration_since(seen) * SPEED);
            }
        }
    }
    // The books are written each five seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let stored = facts::count(&mut *store.connection().await?).await?;
    listener.kill().await?;
    anyhow::ensure!(stored == node.fills_in_all(), "{stored} fills stored of {}", node.fills_in_all());
    let state = status::listener(&mut *store.connection().await?, clock::now()).await?;
    let units = state["compute_units"]["this_month"].as_f64().unwrap_or_default();
    let days = blocks as f64 * BLOCK.as_secs_f64() / 86_400.0;
    lags.sort_unstable();
    say(&format!(
        "cost       {blocks} blocks of {FILLS_PER_BLOCK} fills, {:.1} hours: {units:.0} compute units, {:.2} M a day, \
         {:.1} M a month of 30 days",
        days * 24.0,
        units / days / 1e6,
        units / days * 30.0 / 1e6
    ));
    say(&format!(
        "           behind the head at life's speed: p50 {:.2} s, p99 {:.2} s, at most {:.2} s",
        quantile(&lags, 0.5).as_secs_f64(),
        quantile(&lags, 0.99).as_secs_f64(),
        quantile(&lags, 1.0).as_secs_f64()
    ));
    for one in state["compute_units"]["by_method"].as_array().into_iter().flatten() {
        say(&format!(
            "           {:<28}{:>8} calls {:>10} units",
            one["method"].as_str().unwrap_or_default(),
            one["calls"],
            one["compute_units"]
        ));
    }
    stage.database.close().await
}
