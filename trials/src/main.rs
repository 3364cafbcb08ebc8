//! The benchmarks, printed by one command: `cargo run --release -p trials`.
//!
//! Each measures the real parts over real sockets into a real PostgreSQL, the measured part in a process of its
//! own, so that its memory is what the operating system says; the fold, which is pure, is measured in this one.
//! Figures depend on the machine: the first lines say which one it was.

mod backfill;
mod beside;
mod controls;
mod cost;
mod decode;
mod earnest;
mod engine;
mod fold;
mod latency;
mod live;
mod machine;
mod reputation;
mod samples;
mod stage;
mod storage;
mod trade;
mod trading;
mod verdicts;

use clap::Parser as _;
use stage::{Child, Executor};
use trade::Trade;

/// What to measure.
#[derive(Debug, clap::Parser)]
#[command(name = "trials", about = "The benchmarks of orderflow")]
struct Args {
    /// Which; all of them if none is named.
    #[command(subcommand)]
    which: Option<Which>,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Which {
    /// All of them.
    All,
    /// Decoding logs, against parsing the same JSON into borrowed structs.
    Decode,
    /// History from a node on loopback into PostgreSQL.
    Backfill {
        /// A node to read from instead of the built-in one, such as http://127.0.0.1:18545.
        #[arg(long)]
        rpc: Option<String>,
        /// The last block there, if it is another node.
        #[arg(long, default_value_t = 9_000)]
        blocks: u64,
        /// Fills to read from the built-in node.
        #[arg(long, default_value_t = 2_000_000)]
        fills: u64,
    },
    /// From a block being visible to its rows being committed and told, at ten times today's rate.
    Live {
        /// For how many seconds.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// What following the head costs in compute units, at today's rhythm, fifty times faster than life.
    Cost {
        /// How many blocks of a second and a half.
        #[arg(long, default_value_t = 2_400)]
        blocks: u64,
    },
    /// Bytes a fill takes on disk, indexes included.
    Storage {
        /// How many fills.
        #[arg(long, default_value_t = 10_000_000)]
        fills: u64,
    },
    /// Folding a synthetic history in memory: fills a second on as many threads as the fold has.
    Fold {
        /// How many fills.
        #[arg(long, default_value_t = 10_000_000)]
        fills: u64,
        /// Of how many wallets.
        #[arg(long, default_value_t = 1_000_000)]
        wallets: u32,
        /// In how many markets.
        #[arg(long, default_value_t = 50_000)]
        markets: u32,
        /// All wallets trade nearly alike, instead of the busiest as much as in life: the hard case.
        #[arg(long)]
        even: bool,
    },
    /// Stepping the engine, in memory, through what a crowd does: microseconds a step, and bytes.
    Engine {
        /// How many steps count, at least.
        #[arg(long, default_value_t = 600_000)]
        events: usize,
        /// How many wallets are scored.
        #[arg(long, default_value_t = 1_000_000)]
        wallets: u32,
        /// How many markets are watched.
        #[arg(long, default_value_t = 1_000)]
        markets: u32,
        /// Fills a second.
        #[arg(long, default_value_t = 100)]
        rate: u32,
    },
    /// From what a person asks of the service at work to its being in force.
    Controls {
        /// How often each is asked.
        #[arg(long, default_value_t = 25)]
        times: u32,
        /// What is logged.
        #[arg(long, default_value = "error")]
        log: String,
    },
    /// From a whale's fill on the chain's socket to our signed order at the venue.
    Latency {
        /// How many orders count.
        #[arg(long, default_value_t = 200)]
        orders: usize,
        /// Fills a second on the chain, about.
        #[arg(long, default_value_t = 100.0)]
        rate: f64,
        /// What the trading process logs.
        #[arg(long, default_value = "error")]
        log: String,
    },
    /// Trading in earnest in the simulated world, then on paper in the same one again: both results beside each other,
    /// and the books against the venue's own ledger.
    Earnest {
        /// For how many minutes each; what is held then is seen to its end.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// The simulated world: the same seed is the same world.
        #[arg(long, default_value_t = 7)]
        seed: u64,
        /// How many times faster than Polygon the world goes.
        #[arg(long, default_value_t = 3.0)]
        speed: f64,
        /// What the trading process logs.
        #[arg(long, default_value = "error")]
        log: String,
    },
    /// Publishing the verdicts of one pass, and what an item of the outbox costs with and without its index by time.
    Verdicts {
        /// About how many wallets.
        #[arg(long, default_value_t = 20_000)]
        wallets: u64,
    },
    /// An hourly pass of the reputation service, over a database of many wallets of which some have news.
    Reputation {
        /// How many wallets the database has.
        #[arg(long, default_value_t = 2_000_000)]
        wallets: u32,
        /// How many of them trade in the hour.
        #[arg(long, default_value_t = 50_000)]
        news: u32,
    },
    /// From one result to the new scores of all its holders, who are not in memory.
    Resolution {
        /// How many hold shares of it.
        #[arg(long, default_value_t = 20_000)]
        holders: u32,
        /// How many wallets the database has.
        #[arg(long, default_value_t = 200_000)]
        wallets: u32,
    },
    /// The measured process of another benchmark.
    #[command(hide = true)]
    Child(Child),
    /// The executor as its own program runs it, for the trials that kill it.
    #[command(hide = true)]
    Executor(Box<Executor>),
    /// The process that trades in earnest for another benchmark.
    #[command(hide = true)]
    Trade(Box<Trade>),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    service::process::use_tls();
    let which = Args::parse().which.unwrap_or(Which::All);
    match which {
        Which::Child(child) => return stage::run_child(child).await,
        Which::Executor(executor) => return stage::run_executor(*executor).await,
        Which::Trade(settings) => return trade::run(*settings).await,
        _ => {}
    }
    machine::describe()?;
    match which {
        Which::All => {
            decode::run().await?;
            backfill::run(None, 0, 2_000_000).await?;
            live::run(60).await?;
            cost::run(2_400).await?;
            storage::run(10_000_000).await?;
            fold::run(10_000_000, 1_000_000, 50_000, false)?;
            verdicts::run(20_000).await?;
            reputation::pass(2_000_000, 50_000).await?;
            reputation::resolution(20_000, 200_000).await?;
            engine::run(600_000, 1_000_000, 1_000, 100)?;
            controls::run(25, "error").await?;
            latency::run(200, 100.0, "error").await
        }
        Which::Decode => decode::run().await,
        Which::Backfill { rpc, blocks, fills } => backfill::run(rpc, blocks, fills).await,
        Which::Live { seconds } => live::run(seconds).await,
        Which::Cost { blocks } => cost::run(blocks).await,
        Which::Storage { fills } => storage::run(fills).await,
        Which::Fold { fills, wallets, markets, even } => fold::run(fills, wallets, markets, even),
        Which::Engine { events, wallets, markets, rate } => engine::run(events, wallets, markets, rate),
        Which::Controls { times, log } => controls::run(times, &log).await,
        Which::Latency { orders, rate, log } => latency::run(orders, rate, &log).await,
        Which::Earnest { minutes, seed, speed, log } => beside::run(minutes, seed, speed, &log).await,
        Which::Verdicts { wallets } => verdicts::run(wallets).await,
        Which::Reputation { wallets, news } => reputation::pass(wallets, news).await,
        Which::Resolution { holders, wallets } => reputation::resolution(holders, wallets).await,
        Which::Child(_) | Which::Executor(_) | Which::Trade(_) => Ok(()),
    }
}
