//! The settings of what keeps a candidate from being a signal.

use decision::Filters;
use domain::{Price, Timestamp, Usd};

use crate::settings::{percent, within};

/// What keeps a candidate from being a signal, whatever it is believed to be worth.
#[derive(Clone, Debug, clap::Args)]
pub struct FilterSettings {
    /// The least price that is followed, in dollars a share.
    #[arg(long, env = "MIN_PRICE", default_value = "0.10", help_heading = "Filters")]
    pub min_price: Price,
    /// The highest price that is followed, in dollars a share.
    #[arg(long, env = "MAX_PRICE", default_value = "0.90", help_heading = "Filters")]
    pub max_price: Price,
    /// The least minutes to a market's expected end, for whales.
    #[arg(long, env = "MIN_MINUTES_TO_END", default_value_t = 120, help_heading = "Filters")]
    pub min_minutes_to_end: u32,
    /// The most days to a market's expected end.
    #[arg(long, env = "MAX_DAYS_TO_END", default_value_t = 30, help_heading = "Filters")]
    pub max_days_to_end: u32,
    /// The widest book, best offer less best bid, in cents.
    #[arg(long, env = "MAX_SPREAD_CENTS", default_value = "3", value_parser = cents, help_heading = "Filters")]
    pub max_spread_cents: Price,
    /// How many times the stake must be on offer up to the limit; a stake is cut to it before it is refused.
    #[arg(
        long,
        env = "MIN_DEPTH_MULTIPLE",
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..=1_000),
        help_heading = "Filters"
    )]
    pub min_depth_multiple: u32,
    /// How far the middle of the book may stand above the whale's price, in cents.
    #[arg(long, env = "MAX_RUN_UP_CENTS", default_value = "2", value_parser = cents, help_heading = "Filters")]
    pub max_run_up_cents: Price,
    /// The part of all whales' dollars in a market, weighed by each one's edge, that may be against the trade, in percent;
    /// fewer dollars must be against it than with it, too. 100: nobody asks.
    #[arg(long, env = "MAX_OPPOSED_PCT", default_value = "35", value_parser = percent, help_heading = "Filters")]
    pub max_opposed_pct: f64,
    /// How many minutes back whales are looked for that disagree.
    #[arg(
        long,
        env = "CONFLICT_WINDOW_MINUTES",
        default_value_t = 360,
        value_parser = clap::value_parser!(u32).range(1..=LONGEST_WINDOW),
        help_heading = "Filters"
    )]
    pub conflict_window_minutes: u32,
    /// Whether markets of fifteen minutes and less are followed.
    #[arg(
        long,
        env = "FOLLOW_ULTRA_SHORT",
        default_value = "false",
        action = clap::ArgAction::Set,
        help_heading = "Filters"
    )]
    pub follow_ultra_short: bool,
    /// The least probability that a whale's edge is above zero, in percent; with CONFIDENCE_MODEL=skill alone.
    #[arg(
        long,
        env = "MIN_SKILL_PROBABILITY_PCT",
        default_value = "90",
        value_parser = percent,
        help_heading = "Filters"
    )]
    pub min_skill_probability_pct: f64,
    /// How many of a whale's entries must have been timed; with CONFIDENCE_MODEL=skill alone.
    #[arg(long, env = "MIN_TIMED_ENTRIES", default_value_t = 30, help_heading = "Filters")]
    pub min_timed_entries: u32,
    /// The least gain that a copier would have had after those entries, in its own standard errors; 0: whatever it was.
    /// With CONFIDENCE_MODEL=skill alone.
    #[arg(long, env = "MIN_TIMING_T", default_value = "1", value_parser = errors, help_heading = "Filters")]
    pub min_timing_t: f64,
    /// The least that a whale's entry must cost, in percent of the median cost of its decisions; MIN_WHALE_TRADE_USD at
    /// least.
    #[arg(
        long,
        env = "MIN_ENTRY_OF_MEDIAN_PCT",
        default_value = "50",
        value_parser = percent,
        help_heading = "Filters"
    )]
    pub min_entry_of_median_pct: f64,
    /// The least part of a whale's entry that took what rested in the book, in percent.
    #[arg(long, env = "MIN_TAKER_PCT", default_value = "50", value_parser = percent, help_heading = "Filters")]
    pub min_taker_pct: f64,
    /// The least dollars that were seen traded in a market in the last day, for whales.
    #[arg(
        long,
        env = "MIN_MARKET_VOLUME_USD",
        default_value = "10000",
        value_parser = no_debt,
        help_heading = "Filters"
    )]
    pub min_market_volume_usd: Usd,
    /// The most of those dollars that a whale's entry may be, in percent.
    #[arg(
        long,
        env = "MAX_ENTRY_OF_VOLUME_PCT",
        default_value = "50",
        value_parser = percent,
        help_heading = "Filters"
    )]
    pub max_entry_of_volume_pct: f64,
    /// What the price is expected to lose us between the decision and the order's arrival, in cents a share.
    #[arg(
        long,
        env = "LATENCY_COST_CENTS",
        default_value = "0.2",
        value_parser = few_cents,
        help_heading = "Filters"
    )]
    pub latency_cost_cents: f64,
    /// The least that a share must be worth above all that it costs, in cents; with CONFIDENCE_MODEL=skill alone.
    #[arg(long, env = "MIN_EDGE_CENTS", default_value = "1", value_parser = few_cents, help_heading = "Filters")]
    pub min_edge_cents: f64,
    /// The same in percent of what it costs; the larger of the two counts. With CONFIDENCE_MODEL=skill alone.
    #[arg(long, env = "MIN_EDGE_PCT", default_value = "1.5", value_parser = percent, help_heading = "Filters")]
    pub min_edge_pct: f64,
}

/// Minutes; what whales did a day ago they may long have thought better of.
const LONGEST_WINDOW: i64 = 24 * 60;

impl FilterSettings {
    pub(crate) fn filters(&self) -> Filters {
        Filters {
            min_price: self.min_price,
            max_price: self.max_price,
            min_time_left: i64::from(self.min_minutes_to_end) * Timestamp::MINUTE,
            max_time_left: i64::from(self.max_days_to_end) * Timestamp::DAY,
            max_spread: self.max_spread_cents,
            depth_multiple: self.min_depth_multiple,
            max_run_up: self.max_run_up_cents,
            max_opposed: self.max_opposed_pct / 100.0,
            conflict_window: i64::from(self.conflict_window_minutes) * Timestamp::MINUTE,
            ultra_short: self.follow_ultra_short,
            min_skill_probability: self.min_skill_probability_pct / 100.0,
            min_timed_entries: self.min_timed_entries,
            min_timing: self.min_timing_t,
            min_entry_of_median: self.min_entry_of_median_pct / 100.0,
            min_taker_part: self.min_taker_pct / 100.0,
            min_volume: self.min_market_volume_usd,
            max_volume_part: self.max_entry_of_volume_pct / 100.0,
            latency_cost: self.latency_cost_cents / 100.0,
            min_edge: self.min_edge_cents / 100.0,
            min_edge_part: self.min_edge_pct / 100.0,
        }
    }
}

/// Cents as the distance between two prices, above zero and below a dollar.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0.0001 and 99 cents")]
pub(crate) fn cents(text: &str) -> Result<Price, String> {
    let number = within(text, 0.0001..=99.0)?;
    Price::from_ppm((number * 10_000.0).round() as u32)
        .ok_or_else(|| "it is no distance of prices".to_owned())
}

fn errors(text: &str) -> Result<f64, String> {
    within(text, 0.0..=10.0)
}

fn no_debt(text: &str) -> Result<Usd, String> {
    let amount: Usd = text.parse().map_err(|error: domain::money::AmountError| error.to_string())?;
    if amount < Usd::ZERO { Err("it must not be below zero".to_owned()) } else { Ok(amount) }
}

fn few_cents(text: &str) -> Result<f64, String> {
    within(text, 0.0..=10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        settings: FilterSettings,
    }

    #[test]
    fn what_is_not_set_is_what_the_strategy_says() {
        let settings = Line::parse_from(["line"]).settings;
        assert_eq!(settings.filters(), Filters::default());
    }

    #[test]
    fn what_is_set_is_what_holds() {
        let line = ["line", "--max-spread-cents", "1.5", "--max-days-to-end", "2"];
        let more = ["--min-market-volume-usd", "0", "--min-taker-pct", "25", "--min-timing-t", "0"];
        let line = [&line[..], &more].concat();
        let settings = Line::parse_from(line).settings;
        assert_eq!(settings.filters().max_spread.to_string(), "0.015");
        assert_eq!(settings.filters().max_time_left, 2 * Timestamp::DAY);
        let Filters { min_volume, min_taker_part, min_timing, .. } = settings.filters();
        assert_eq!((min_volume, min_taker_part, min_timing), (Usd::ZERO, 0.25, 0.0));
        for wrong in
            [["--max-spread-cents", "0"], ["--min-price", "1.2"], ["--conflict-window-minutes", "1441"]]
        {
            assert!(Line::try_parse_from(std::iter::once("line").chain(wrong)).is_err(), "{wrong:?}");
        }
    }
}
