//! From a whale's fill on the chain's socket to our signed order at the venue: the real listener and executor against
//! the simulated world, over sockets, with every commit on the way waiting for the disk.
//!
//! Both ends are the simulated world's own clock: when it told the block with the whale's fill, and when the request
//! with our order came in. The steps in between are what the database remembers of each order.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use alloy_primitives::B256;
use devnet::{Devnet, DevnetConfig};
use domain::Timestamp;
use service::{CancellationToken, clock};
use store::live::Steps;
use store::{Store, live};
use tokio::process::Child;

use crate::earnest::Manner;
use crate::machine::{millis, peak_memory, quantile, say};
use crate::samples;
use crate::stage::Stage;
use crate::trading;

/// A block of the simulated world has about so many fills, and comes after so many seconds at speed 1.
const FILLS_A_BLOCK: f64 = 25.8;
const BLOCK: f64 = 1.5;
/// So long after the venue's books have moved a block is told: on the real chain it is seconds.
const SETTLING: Duration = Duration::from_millis(100);
/// Orders that warm up connections, caches and plans, and by which most wallets and markets of the simulated world have
/// been met, as those of the real one have been by a system that runs.
const WARM_UP: usize = 150;
/// How long the orders may take to come about.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often the disk is asked how long it takes.
const SYNCS: usize = 200;

/// What one order took.
struct Way {
    /// How many orders follow fills of its block: they go out one after the other.
    in_block: usize,
    /// By the simulated world's clock.
    whole: Duration,
    /// By both clocks, which are compared when the world begins.
    parts: [Duration; 4],
}

const PARTS: [&str; 4] = [
    "told → had by the listener",
    "stored (A), told on, read, decided",
    "market read, signed",
    "intent stored (C), sent, received",
];

/// Follows whales until `orders` orders were received, at about `rate` fills a second.
pub(crate) async fn run(orders: usize, rate: f64, log: &str) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    let stop = CancellationToken::new();
    let config = DevnetConfig {
        speed: (rate / FILLS_A_BLOCK * BLOCK).clamp(0.1, 100.0),
        history_days: 0,
        wallets: 2_000,
        taker_delays: false,
        settling: SETTLING,
        ..DevnetConfig::default()
    };
    let world = Devnet::start(config, clock::now(), stop.clone()).await?;
    let manner = Manner { paper: false, check_secs: 3_600, poll_millis: 2_750 };
    let mut process = trading::begin(&world, &stage, manner, log).await?;
    let begun = (Instant::now(), world.fills());
    let ways = watch(&stage.database.store, &world, orders + WARM_UP, &mut process).await;
    let seconds = begun.0.elapsed().as_secs_f64();
    let fills = world.fills().saturating_sub(begun.1);
    let peak = process.id().and_then(peak_memory).unwrap_or_default();
    let said = trading::end(process).await;
    stop.cancel();
    world.wait().await?;
    let ways = ways?;
    say(&format!(
        "latency    {} orders after {WARM_UP}, among {:.0} fills/s; {peak:.0} MB resident at most; {}",
        ways.len(),
        fills as f64 / seconds,
        conditions(stage.folder())?
    ));
    let (ordinary, bursts): (Vec<&Way>, Vec<&Way>) = ways.iter().partition(|way| way.in_block == 1);
    print("the one of its block", &ordinary);
    print("one of several of its block", &bursts);
    samples::print(&said?, "step")?;
    stage.database.close().await
}

fn print(what: &str, ways: &[&Way]) {
    samples::line(what, ways.iter().map(|way| way.whole).collect());
    for (place, name) in PARTS.iter().enumerate() {
        samples::line(name, ways.iter().map(|way| way.parts[place]).collect());
    }
}

/// What the machine was at meanwhile, and how long its disk takes for what an intent waits for.
fn conditions(folder: &Path) -> anyhow::Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let mut file = std::fs::File::create(folder.join("probe"))?;
    let mut taken = vec![];
    for _ in 0..SYNCS {
        file.write_all(&[1; 8_192])?;
        let begun = Instant::now();
        file.sync_data()?;
        taken.push(begun.elapsed());
    }
    taken.sort_unstable();
    let (half, most) = (millis(quantile(&taken, 0.5)), millis(quantile(&taken, 0.99)));
    Ok(format!("load {load}; the disk takes {half}, {most} at p99"))
}

/// Waits for the orders; the first ones do not count.
async fn watch(
    store: &Store,
    world: &Devnet,
    orders: usize,
    process: &mut Child,
) -> anyhow::Result<Vec<Way>> {
    let begun = Instant::now();
    let mut is_warm = false;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        if let Some(status) = process.try_wait()? {
            anyhow::bail!("the trading process ended with {status}");
        }
        let steps = live::steps(&mut *store.connection().await?).await?;
        if !is_warm && WARM_UP <= steps.len() {
            is_warm = true;
            trading::forget(process).await?;
        }
        // The last one may be on its way.
        if orders < steps.len() {
            let mut in_block = BTreeMap::<Option<u64>, usize>::new();
            steps.iter().for_each(|steps| *in_block.entry(steps.block).or_default() += 1);
            let way = |steps: &Steps| way(world, steps, in_block.get(&steps.block).copied()?);
            return Ok(steps.iter().take(orders).skip(WARM_UP).filter_map(way).collect());
        }
        let found = steps.len();
        anyhow::ensure!(begun.elapsed() < PATIENCE, "only {found} of {orders} orders came about");
    }
}

fn way(world: &Devnet, steps: &Steps, in_block: usize) -> Option<Way> {
    let received = world.venue().received(steps.hash.parse::<B256>().ok()?)?;
    let told = world.announced(steps.block?)?;
    // The world's clock began as a copy of this one, and runs on its own.
    let ahead = world.venue().now().micros_since(clock::now());
    let by_ours = |at: Timestamp| at.plus_micros(-ahead);
    let between = |from: Timestamp, to: Timestamp| {
        Duration::from_micros(u64::try_from(to.micros_since(from)).unwrap_or_default())
    };
    Some(Way {
        in_block,
        whole: between(told, received),
        parts: [
            between(by_ours(told), steps.learned),
            between(steps.learned, steps.decided),
            between(steps.decided, steps.signed),
            between(steps.signed, by_ours(received)),
        ],
    })
}
