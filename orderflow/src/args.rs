//! The command line: what can be asked, in one definition that also gives the help and the variables.

use std::path::PathBuf;

use domain::{Tier, Timestamp, Wallet};
use orderflow_executor::{StakeSettings, StrategySettings, VenueSettings};
use orderflow_listener::{ChainSource, ListenerSettings};
use orderflow_reputation::{Passes, ReputationSettings};
use service::DatabaseSettings;
use service::telemetry::TelemetrySettings;

/// Order flow of Polymarket: every trade streamed, every wallet scored, whales followed on paper.
#[derive(Debug, clap::Parser)]
#[command(
    name = "orderflow",
    version,
    about = "Order flow of Polymarket: every trade streamed, every wallet scored, whales followed on paper",
    max_term_width = 100
)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What `orderflow` can do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Run listener, reputation and executor against the live chain and the live books, on paper.
    Run(Box<Run>),
    /// Run the same three services for a while against a simulated world, to see them work.
    Demo(Box<Demo>),
    /// Run the simulated world alone, for any client to be pointed at.
    Devnet(Devnet),
    /// Play a recorded tape (trades and resolutions, as CSV or Parquet) through the strategy, in the tape's own time; or
    /// make every decision of this database again, from what was recorded of it, and compare.
    Replay(Box<Replay>),
    /// Read history into the database, beside whatever runs: in parallel, resumable, never twice.
    Backfill(Box<Backfill>),
    /// Score every wallet from the stored facts, hourly, once, or anew; or those of a recorded tape.
    Reputation(Box<Reputation>),
    /// Test the scores on two simulated pasts: one with planted skill, one where nobody knows anything.
    Evidence(Evidence),
    /// Show what is covered, how far behind it is, what it costs and what went wrong.
    Status(View),
    /// Decode logs as `eth_getLogs` returns them: a JSON array in, JSON lines out.
    Decode {
        /// The file; `-` for standard input.
        file: PathBuf,
    },
    /// Show how a wallet's number came about: factors, skill, what speaks against copying it, its result.
    Wallet(Box<Explain>),
    /// Show the rated wallets, best first.
    Wallets(Wallets),
    /// Show the newest signals as cards, or what was refused.
    Signals(Signals),
    /// Tell a signal's or a refusal's whole story: everything it was decided on, and what it came to.
    Why(Why),
    /// Show the newest positions.
    Positions(List),
    /// Stop new entries; open positions go on to their end.
    Pause(View),
    /// Allow new entries again.
    Resume(View),
    /// Sell a position, or all of them.
    Close {
        /// The position's number.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        position: Option<i64>,
        /// All positions.
        #[arg(long)]
        all: bool,
        /// How the answer is shown.
        #[command(flatten)]
        view: View,
    },
    /// Cancel every order and stop all entries until a person lifts it.
    Kill {
        /// Why; every refusal says it.
        #[arg(default_value = "by hand")]
        reason: String,
        /// How the answer is shown.
        #[command(flatten)]
        view: View,
    },
    /// Allow entries again after a kill, or after the venue said what stops trading: `orderflow status` shows why.
    Lift(View),
    /// Check everything that live trading needs: place, account, money, clock, chain, signing. Fails where a line is red.
    Doctor {
        /// What one trade may cost.
        #[command(flatten)]
        stake: StakeSettings,
        /// Which account and which database.
        #[command(flatten)]
        venue: Box<Venue>,
    },
    /// Compare the books with the venue: orders, shares, dollars, winners. Fails where they disagree.
    Reconcile {
        /// Take the wallet's dollars as they are, after money was paid in or taken out.
        #[arg(long)]
        accept: bool,
        /// Which account and which database.
        #[command(flatten)]
        venue: Box<Venue>,
    },
    /// Print the database's address for `psql`; a private PostgreSQL is started if need be and left running.
    Db {
        /// Stop the private PostgreSQL, unless a program uses it.
        #[arg(long)]
        stop: bool,
        /// Which database.
        #[command(flatten)]
        database: DatabaseSettings,
    },
}

/// How something is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct View {
    /// As JSON, for scripts.
    #[arg(long)]
    pub(crate) json: bool,
    /// Which database.
    #[command(flatten)]
    pub(crate) database: DatabaseSettings,
}

/// A question about the account at the venue.
#[derive(Debug, clap::Args)]
pub(crate) struct Venue {
    /// How it is shown.
    #[command(flatten)]
    pub(crate) view: View,
    /// Which account, and where the venue is.
    #[command(flatten)]
    pub(crate) venue: VenueSettings,
}

/// A list.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// How many rows.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) top: u32,
    /// How it is shown.
    #[command(flatten)]
    pub(crate) view: View,
}

/// A list of signals.
#[derive(Debug, clap::Args)]
pub(crate) struct Signals {
    /// Go on showing signals as they are raised, and positions as they settle, until Ctrl-C.
    #[arg(long, conflicts_with = "refused")]
    pub(crate) watch: bool,
    /// Show what was refused instead.
    #[arg(long)]
    pub(crate) refused: bool,
    /// How many, and how they are shown. With --watch, JSON is an object a line.
    #[command(flatten)]
    pub(crate) list: List,
}

/// A signal or a refusal to be explained.
#[derive(Debug, clap::Args)]
pub(crate) struct Why {
    /// A signal's number, such as 847, or a refusal's, such as r123.
    pub(crate) id: crate::why::Asked,
    /// How it is shown.
    #[command(flatten)]
    pub(crate) view: View,
}

/// A wallet to be explained.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The 0x-address that trades.
    pub(crate) address: Wallet,
    /// What was believed at a time (RFC 3339), or at the end of a day (UTC), of what was known by then.
    #[arg(long, value_name = "TIME", value_parser = crate::wallet::moment)]
    pub(crate) at: Option<Timestamp>,
    /// How it is shown.
    #[command(flatten)]
    pub(crate) view: View,
    /// What a verdict needs.
    #[command(flatten)]
    pub(crate) reputation: ReputationSettings,
}

/// A list of wallets.
#[derive(Debug, clap::Args)]
pub(crate) struct Wallets {
    /// Only those of one tier: WHALE, SMART, AVERAGE, NOVICE, DEGEN or UNRATED.
    #[arg(long, value_parser = tier)]
    pub(crate) tier: Option<Tier>,
    /// Only those that nothing speaks against copying.
    #[arg(long)]
    pub(crate) copyable: bool,
    /// Only those whose record stands out from all others'.
    #[arg(long)]
    pub(crate) verified: bool,
    /// How many, and how they are shown.
    #[command(flatten)]
    pub(crate) list: List,
}

/// Everything the three services can be told, and the logs.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) database: DatabaseSettings,
    #[command(flatten)]
    pub(crate) listener: ListenerSettings,
    #[command(flatten)]
    pub(crate) reputation: ReputationSettings,
    #[command(flatten)]
    pub(crate) strategy: StrategySettings,
    #[command(flatten)]
    pub(crate) venue: VenueSettings,
    #[command(flatten)]
    pub(crate) telemetry: TelemetrySettings,
}

/// The scoring service alone.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("one_pass").args(["once", "tape"]).multiple(true)))]
pub(crate) struct Reputation {
    #[command(flatten)]
    pub(crate) passes: Passes,
    /// Take this folder's tape in (trades and resolutions, as CSV or Parquet) and make one pass as of its last moment,
    /// without trading.
    #[arg(long, value_name = "DIR")]
    pub(crate) tape: Option<PathBuf>,
    /// With --once or --tape: end with one JSON object instead of a sentence.
    #[arg(long, requires = "one_pass")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseSettings,
    #[command(flatten)]
    pub(crate) reputation: ReputationSettings,
    #[command(flatten)]
    pub(crate) telemetry: TelemetrySettings,
}

/// A backfill.
#[derive(Debug, clap::Args)]
pub(crate) struct Backfill {
    /// The first block wanted.
    #[arg(long, value_name = "NUMBER", conflicts_with = "days", required_unless_present = "days")]
    pub(crate) from_block: Option<u64>,
    /// The last block wanted. Not set: the newest that is final, or the one the listener has come to.
    #[arg(long, value_name = "NUMBER", requires = "from_block")]
    pub(crate) to_block: Option<u64>,
    /// Instead of a first block: how many days back.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub(crate) days: Option<u32>,
    /// Where to read from, if not as CHAIN_SOURCE says.
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<ChainSource>,
    /// End with one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseSettings,
    #[command(flatten)]
    pub(crate) chain: ListenerSettings,
    #[command(flatten)]
    pub(crate) telemetry: TelemetrySettings,
}

impl Backfill {
    /// The chain's settings, with the source that was asked for.
    pub(crate) fn listener(&self) -> ListenerSettings {
        let mut chain = self.chain.clone();
        chain.chain_source = self.source.unwrap_or(chain.chain_source);
        chain
    }
}

/// A replay.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The folder with trades.csv or trades.parquet, and resolutions.csv or resolutions.parquet.
    #[arg(required_unless_present = "decisions")]
    pub(crate) folder: Option<PathBuf>,
    /// Instead of a tape: tell the strategy once more all that it was told when it traded into this database, and fail
    /// where it decides anything else. The settings must be those of then.
    #[arg(long, conflicts_with_all = ["folder", "verify"])]
    pub(crate) decisions: bool,
    /// With --decisions: let orders be answered by the rules of paper trading, at the books that were told. Every candidate
    /// must be judged as it was, whether the session was live or on paper; stakes and fills may differ, and are shown.
    #[arg(long, requires = "decisions")]
    pub(crate) on_paper: bool,
    /// Compare every wallet's result with its cash and payouts by separate arithmetic, and fail where they differ by
    /// half a cent.
    #[arg(long)]
    pub(crate) verify: bool,
    /// End with one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseSettings,
    #[command(flatten)]
    pub(crate) reputation: ReputationSettings,
    #[command(flatten)]
    pub(crate) strategy: StrategySettings,
}

/// A demonstration.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// The simulated world: the same seed is the same world.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// How long it runs, such as 90s or 5m.
    #[arg(long = "for", default_value = "60s", value_parser = duration, value_name = "DURATION")]
    pub(crate) length: std::time::Duration,
    /// How many times faster than Polygon the world goes.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// End with one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) strategy: StrategySettings,
    #[command(flatten)]
    pub(crate) reputation: ReputationSettings,
}

/// The simulated world alone.
#[derive(Debug, clap::Args)]
pub(crate) struct Devnet {
    /// The simulated world: the same seed is the same world.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// The chain's port; the CLOB takes the next one, Gamma the one after. Not set: any that are free.
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// How many times faster than Polygon the world goes.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
}

/// A trial of the scores.
#[derive(Debug, clap::Args)]
pub(crate) struct Evidence {
    /// The simulated pasts: the same seed gives the same answer, to the byte.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// How many trade in each, market makers aside.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(20..=50_000))]
    pub(crate) wallets: u32,
    /// How many of 100 know a little more than the price, in the first past; at most 25.
    #[arg(long, default_value_t = 4.0, value_parser = percent, value_name = "PERCENT")]
    pub(crate) skilled: f64,
    /// How many days each past has.
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u32).range(1..=730))]
    pub(crate) days: u32,
    /// One JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

fn tier(text: &str) -> Result<Tier, String> {
    Tier::from_name(&text.to_uppercase()).ok_or_else(|| {
        let names = Tier::ALL.map(Tier::name).join(", ");
        format!("`{text}` is none of {names}")
    })
}

/// Reads `90s`, `5m`, `1h`, or plain seconds.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let unreadable = || format!("`{text}` is not a duration such as 90s, 5m or 1h");
    let split = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| unreadable())?;
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(unreadable()),
    };
    let length = number.checked_mul(seconds).filter(|length| (1..=86_400).contains(length));
    length
        .map(std::time::Duration::from_secs)
        .ok_or_else(|| "it must be between 1 second and 24 hours".to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if (0.1..=20.0).contains(&number) { Ok(number) } else { Err("it must be between 0.1 and 20".to_owned()) }
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if (0.0..=25.0).contains(&number) {
        Ok(number.abs())
    } else {
        Err("it must be between 0 and 25".to_owned())
    }
}
