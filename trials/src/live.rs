//! From a block being visible at the node to its rows being committed and its readers told, at ten times today's
//! rate.

use std::time::{Duration, Instant};

use devnet::load::{LoadConfig, LoadNode};
use store::{Store, facts, feed};

use crate::machine::{millis, quantile, say};
use crate::stage::{Child, Measured, Stage};

/// Ten times Polygon's 52 fills a second: 78 every 150 ms.
const INTERVAL: Duration = Duration::from_millis(150);
const FILLS_PER_BLOCK: u32 = 78;
/// A burst each so many blocks, of so many fills.
const BURST: (u64, u32) = (50, 3_000);
/// The first blocks warm up caches, connections and plans.
const WARM_UP: u64 = 20;

pub(crate) async fn run(seconds: u64) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    let blocks = seconds * 1_000 / u64::try_from(INTERVAL.as_millis())? + WARM_UP;
    let config = LoadConfig {
        first_block: 1,
        blocks,
        fills_per_block: FILLS_PER_BLOCK,
        block_interval: Some(INTERVAL),
        burst: Some(BURST),
        ..LoadConfig::default()
    };
    let node = LoadNode::start(config).await?;
    let child = Child::new("listen", &stage, node.url_ws(), 1).subscribing();
    let listener = Measured::spawn(&child)?;
    let (usual, bursts) = measure(&stage.database.store, &node, blocks).await?;
    let last = usual.last().copied().unwrap_or_default();
    let stored = facts::count(&mut *stage.database.store.connection().await?).await?;
    let peak = listener.peak();
    listener.kill().await?;
    anyhow::ensure!(stored == node.fills_in_all(), "{stored} fills stored of {}", node.fills_in_all());
    for (name, mut taken) in [("blocks of 78", usual), ("bursts of 3,000", bursts)] {
        taken.sort_unstable();
        say(&format!(
            "live       {name}: seen → committed and told p50 {}, p99 {}, longest {} ({} blocks)",
            millis(quantile(&taken, 0.5)),
            millis(quantile(&taken, 0.99)),
            millis(quantile(&taken, 1.0)),
            taken.len()
        ));
    }
    say(&format!(
        "           {stored} fills at {:.0} fills/s, the last block as soon as {} after it was there; {peak:.0} MB \
         resident at most",
        f64::from(FILLS_PER_BLOCK) / INTERVAL.as_secs_f64()
            + f64::from(BURST.1) / INTERVAL.as_secs_f64() / BURST.0 as f64,
        millis(last)
    ));
    stage.database.close().await
}

/// How long each block took until a reader that waits for news saw it; usual blocks and bursts apart.
async fn measure(
    store: &Store,
    node: &LoadNode,
    blocks: u64,
) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
    let mut news = store.listen().await?;
    let (mut usual, mut bursts) = (vec![], vec![]);
    let (mut read, mut last) = (0, 0);
    while last < blocks {
        tokio::time::timeout(Duration::from_secs(30), news.wait()).await??;
        let told = Instant::now();
        let connection = &mut *store.connection().await?;
        for (seq, number) in feed::told_blocks(connection, read).await? {
            (read, last) = (seq, last.max(number));
            let Some(seen) = node.announced(number).filter(|_| number > WARM_UP) else { continue };
            let taken = told.saturating_duration_since(seen);
            if number % BURST.0 == 0 { bursts.push(taken) } else { usual.push(taken) }
        }
    }
    Ok((usual, bursts))
}
