//! The service's settings: the strategy's limits, and where the books are.

use decision::Policy;
use domain::{ConfidenceModel, Usd};
use service::DatabaseSettings;
use service::telemetry::TelemetrySettings;

use crate::fade::FadeSettings;
use crate::filters::FilterSettings;
use crate::key_settings::LiveSettings;
use crate::limits::LimitSettings;

/// What the account must be able to pay, which its checks must know as well as the strategy.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct StakeSettings {
    /// The most one trade may cost, in dollars, fee included.
    #[arg(long, env = "MAX_POSITION_USD", default_value = "1000", value_parser = dollars, help_heading = "Strategy")]
    pub max_position_usd: Usd,
}

/// What the strategy may do with how much money.
#[derive(Clone, Debug, clap::Args)]
pub struct StrategySettings {
    /// Dollars the strategy starts with.
    #[arg(long, env = "BANKROLL_USD", default_value = "2000", value_parser = dollars, help_heading = "Strategy")]
    pub bankroll_usd: Usd,
    /// The part of the Kelly stake that is taken, above 0 and at most 1.
    #[arg(long, env = "KELLY_FRACTION", default_value = "0.25", value_parser = fraction, help_heading = "Strategy")]
    pub kelly_fraction: f64,
    /// The most one trade may cost.
    #[command(flatten)]
    pub stake: StakeSettings,
    /// The smallest stake worth an order, in dollars.
    #[arg(long, env = "MIN_POSITION_USD", default_value = "10", value_parser = dollars, help_heading = "Strategy")]
    pub min_position_usd: Usd,
    /// The most positions at once.
    #[arg(long, env = "MAX_OPEN_POSITIONS", default_value_t = 5, help_heading = "Strategy")]
    pub max_open_positions: usize,
    /// The loss of one UTC day, in dollars, that stops new entries for 24 hours.
    #[arg(
        long,
        env = "DAILY_LOSS_LIMIT_USD",
        default_value = "500",
        value_parser = dollars,
        help_heading = "Strategy"
    )]
    pub daily_loss_limit_usd: Usd,
    /// How far above the whale's price an order may go, in percent of it.
    #[arg(long, env = "MAX_SLIPPAGE_PCT", default_value = "5", value_parser = percent, help_heading = "Strategy")]
    pub max_slippage_pct: f64,
    /// The least confidence of a signal, in percent.
    #[arg(long, env = "MIN_CONFIDENCE", default_value = "70", value_parser = percent, help_heading = "Strategy")]
    pub min_confidence: f64,
    /// The score from which a rated wallet is followed, 0 to 10.
    #[arg(long, env = "MIN_WHALE_SCORE", default_value = "7", value_parser = score, help_heading = "Strategy")]
    pub min_whale_score: f64,
    /// The dollars of one entry that make it worth following.
    #[arg(
        long,
        env = "MIN_WHALE_TRADE_USD",
        default_value = "500",
        value_parser = dollars,
        help_heading = "Strategy"
    )]
    pub min_whale_trade_usd: Usd,
    /// The score below which a rated wallet counts as panicking, 0 to 10.
    #[arg(long, env = "MAX_DEGEN_SCORE", default_value = "3", value_parser = score, help_heading = "Strategy")]
    pub max_degen_score: f64,
    /// How many such wallets make a panic.
    #[arg(long, env = "MIN_PANIC_SELLERS", default_value_t = 5, help_heading = "Strategy")]
    pub min_panic_sellers: usize,
    /// How confidence is found: skill (the shrunken, price-adjusted edge, after fee and spread) or score
    /// (0.50 + 0.05 a point of score, at most 0.95).
    #[arg(
        long,
        env = "CONFIDENCE_MODEL",
        default_value = "skill",
        value_parser = confidence_model,
        value_name = "skill|score",
        help_heading = "Strategy"
    )]
    pub confidence_model: ConfidenceModel,
    /// Seconds after which a fill is too old to act on.
    #[arg(
        long,
        env = "MAX_SIGNAL_AGE_SECS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Strategy"
    )]
    pub max_signal_age_secs: u32,
    /// What holds for all orders together.
    #[command(flatten)]
    pub limits: LimitSettings,
    /// What else keeps a candidate from being a signal.
    #[command(flatten)]
    pub filters: FilterSettings,
    /// What holds for panics alone.
    #[command(flatten)]
    pub fade: FadeSettings,
}

impl StrategySettings {
    /// The engine's policy.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            bankroll: self.bankroll_usd,
            kelly_fraction: self.kelly_fraction,
            max_position: self.stake.max_position_usd,
            min_stake: self.min_position_usd,
            max_open_positions: self.max_open_positions,
            daily_loss_limit: self.daily_loss_limit_usd,
            max_slippage: self.max_slippage_pct / 100.0,
            min_confidence: self.min_confidence / 100.0,
            min_whale_score: self.min_whale_score,
            min_whale_trade: self.min_whale_trade_usd,
            max_degen_score: self.max_degen_score,
            min_panic_sellers: self.min_panic_sellers,
            confidence_model: self.confidence_model,
            max_signal_age: i64::from(self.max_signal_age_secs) * 1_000_000,
            limits: self.limits.limits(self.confidence_model),
            filters: self.filters.filters(),
            fade: self.fade.policy(self.limits.rests()),
        }
    }
}

/// Where orders go.
#[derive(Clone, Debug, clap::Args)]
pub struct VenueSettings {
    /// Whether orders are filled on paper, against the live books. With `false` they are sent with real money, once
    /// every line of `orderflow doctor` is green.
    #[arg(
        long,
        env = "ENABLE_PAPER_TRADING",
        default_value = "true",
        action = clap::ArgAction::Set,
        help_heading = "Venue"
    )]
    pub enable_paper_trading: bool,
    /// Milliseconds an order on paper is on its way: it meets the book as it stands then.
    #[arg(
        long,
        env = "PAPER_LATENCY_MS",
        default_value_t = 250,
        value_parser = clap::value_parser!(u32).range(..=60_000),
        help_heading = "Venue"
    )]
    pub paper_latency_ms: u32,
    /// The CLOB whose books are read.
    #[arg(
        long,
        env = "CLOB_URL",
        default_value = "https://clob.polymarket.com",
        value_name = "URL",
        help_heading = "Venue"
    )]
    pub clob_url: String,
    /// Live trading.
    #[command(flatten)]
    pub live: LiveSettings,
}

/// Everything the service can be told.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "orderflow-executor",
    version,
    about = "Turns trades and scores into signals, orders and positions"
)]
pub struct ServiceSettings {
    /// The database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// The strategy.
    #[command(flatten)]
    pub strategy: StrategySettings,
    /// The venue.
    #[command(flatten)]
    pub venue: VenueSettings,
    /// The logs.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}

fn dollars(text: &str) -> Result<Usd, String> {
    let amount: Usd = text.parse().map_err(|error: domain::money::AmountError| error.to_string())?;
    if amount.is_positive() { Ok(amount) } else { Err("it must be above zero".to_owned()) }
}

pub(crate) fn within(text: &str, range: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    let (least, most) = (range.start(), range.end());
    if range.contains(&number) { Ok(number) } else { Err(format!("it must be between {least} and {most}")) }
}

pub(crate) fn percent(text: &str) -> Result<f64, String> {
    within(text, 0.0..=100.0)
}

fn score(text: &str) -> Result<f64, String> {
    within(text, 0.0..=10.0)
}

fn fraction(text: &str) -> Result<f64, String> {
    within(text, f64::MIN_POSITIVE..=1.0)
}

fn confidence_model(text: &str) -> Result<ConfidenceModel, String> {
    ConfidenceModel::from_name(text).ok_or_else(|| "it is neither `skill` nor `score`".to_owned())
}
