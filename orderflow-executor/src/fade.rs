//! The settings of what holds for panics alone.

use decision::{EntryStyle, FadePolicy};
use domain::{Price, Timestamp};

use crate::filters::cents;
use crate::settings::{percent, within};

/// When a panic is bought, how, and for how long.
#[derive(Clone, Debug, clap::Args)]
pub struct FadeSettings {
    /// Whether panics are traded. If not they are shadows: signalled and followed to their outcome, never sent.
    #[arg(
        long,
        env = "FADE_LIVE",
        default_value = "false",
        action = clap::ArgAction::Set,
        help_heading = "Panics"
    )]
    pub fade_live: bool,
    /// How what a panic sells is bought: rest (a post-only order at the best bid, for REST_MINUTES) or take (what is on offer
    /// up to the limit, at once).
    #[arg(
        long,
        env = "FADE_ENTRY_STYLE",
        default_value = "rest",
        value_parser = clap::builder::PossibleValuesParser::new(["rest", "take"]),
        help_heading = "Panics"
    )]
    pub fade_entry_style: String,
    /// The least price at which a panic is bought, in dollars a share.
    #[arg(long, env = "FADE_MIN_PRICE", default_value = "0.15", help_heading = "Panics")]
    pub fade_min_price: Price,
    /// The highest price at which a panic is bought, in dollars a share.
    #[arg(long, env = "FADE_MAX_PRICE", default_value = "0.85", help_heading = "Panics")]
    pub fade_max_price: Price,
    /// The least minutes to a market's expected end, for panics.
    #[arg(long, env = "FADE_MIN_MINUTES_TO_END", default_value_t = 360, help_heading = "Panics")]
    pub fade_min_minutes_to_end: u32,
    /// The part of what it held of the outcome that a panicking seller must have given up, in percent.
    #[arg(
        long,
        env = "FADE_MIN_PART_SOLD_PCT",
        default_value = "30",
        value_parser = percent,
        help_heading = "Panics"
    )]
    pub fade_min_part_sold_pct: f64,
    /// The part of all selling into bids that must be the panicking sellers', in percent.
    #[arg(
        long,
        env = "FADE_MIN_SELL_SHARE_PCT",
        default_value = "60",
        value_parser = percent,
        help_heading = "Panics"
    )]
    pub fade_min_sell_share_pct: f64,
    /// How far another market of the event must have moved to make a panic news, in cents.
    #[arg(
        long,
        env = "FADE_MAX_SIBLING_MOVE_CENTS",
        default_value = "3",
        value_parser = cents,
        help_heading = "Panics"
    )]
    pub fade_max_sibling_move_cents: Price,
    /// How many times the market's usual move the drop must be: the standard deviation of its moves of a quarter of an hour
    /// in the last day, in log-odds. 0: nobody asks.
    #[arg(long, env = "FADE_MIN_SIGMAS", default_value = "3", value_parser = sigmas, help_heading = "Panics")]
    pub fade_min_sigmas: f64,
    /// How many such moves must be known; with FADE_MIN_SIGMAS above 0.
    #[arg(
        long,
        env = "FADE_MIN_MOVES",
        default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(1..=90),
        help_heading = "Panics"
    )]
    pub fade_min_moves: u32,
    /// Minutes for which the price must have set no new low; 0: nobody waits.
    #[arg(
        long,
        env = "FADE_CALM_MINUTES",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(..=14),
        help_heading = "Panics"
    )]
    pub fade_calm_minutes: u32,
    /// Hours after which what was bought in a panic is sold.
    #[arg(
        long,
        env = "FADE_MAX_HOLDING_HOURS",
        default_value_t = 24,
        value_parser = clap::value_parser!(u32).range(1..=87_600),
        help_heading = "Panics"
    )]
    pub fade_max_holding_hours: u32,
    /// The part of the drop, in percent, that must have come back for it to be sold. 0: it is not sold for that.
    #[arg(long, env = "FADE_EXIT_REBOUND_PCT", default_value = "50", value_parser = percent, help_heading = "Panics")]
    pub fade_exit_rebound_pct: f64,
}

impl FadeSettings {
    /// The engine's, where an entry that rests does so for so many microseconds.
    pub(crate) fn policy(&self, rests: i64) -> FadePolicy {
        FadePolicy {
            live: self.fade_live,
            entry: match self.fade_entry_style.as_str() {
                "take" => EntryStyle::Take,
                _ => EntryStyle::Rest { lasts: rests },
            },
            max_holding: i64::from(self.fade_max_holding_hours) * Timestamp::HOUR,
            rebound: self.fade_exit_rebound_pct / 100.0,
            min_price: self.fade_min_price,
            max_price: self.fade_max_price,
            min_time_left: i64::from(self.fade_min_minutes_to_end) * Timestamp::MINUTE,
            min_part_sold: self.fade_min_part_sold_pct / 100.0,
            min_sell_share: self.fade_min_sell_share_pct / 100.0,
            max_sibling_move: self.fade_max_sibling_move_cents,
            min_sigmas: self.fade_min_sigmas,
            min_moves: self.fade_min_moves,
            calm: i64::from(self.fade_calm_minutes) * Timestamp::MINUTE,
        }
    }
}

fn sigmas(text: &str) -> Result<f64, String> {
    within(text, 0.0..=100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        settings: FadeSettings,
    }

    const TEN: i64 = 10 * Timestamp::MINUTE;

    #[test]
    fn what_is_not_set_is_what_the_strategy_says() {
        let settings = Line::parse_from(["line"]).settings;
        assert_eq!(settings.policy(TEN), FadePolicy::default());
    }

    #[test]
    fn what_is_set_is_what_holds() {
        let line = ["line", "--fade-live", "true", "--fade-entry-style", "take", "--fade-min-sigmas", "2.5"];
        let more = ["--fade-calm-minutes", "0", "--fade-exit-rebound-pct", "75", "--fade-min-price", "0.2"];
        let policy = Line::parse_from([&line[..], &more].concat()).settings.policy(TEN);
        assert!(policy.live && policy.entry == EntryStyle::Take);
        assert_eq!((policy.min_sigmas, policy.calm, policy.rebound), (2.5, 0, 0.75));
        assert_eq!(policy.min_price.to_string(), "0.2");
        for wrong in [
            ["--fade-entry-style", "wait"],
            ["--fade-calm-minutes", "15"],
            ["--fade-min-moves", "0"],
            ["--fade-exit-rebound-pct", "101"],
        ] {
            assert!(Line::try_parse_from(std::iter::once("line").chain(wrong)).is_err(), "{wrong:?}");
        }
    }
}
