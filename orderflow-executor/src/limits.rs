//! The settings of what holds for all orders together, and of when a position is left early.

use decision::{Bound, EntryStyle, Exits, Limits};
use domain::{ConfidenceModel, Timestamp};

use crate::choice::{Choice, parsed};
use crate::settings::{percent, within};

/// Limits on all orders together, and on how long a position is held.
#[derive(Clone, Debug, clap::Args)]
pub struct LimitSettings {
    /// The most that may be in positions and orders at once, in percent of the bankroll; auto: 25 with
    /// CONFIDENCE_MODEL=skill, 100 with score.
    #[arg(long, env = "MAX_EXPOSURE_PCT", default_value = "auto", value_parser = part, help_heading = "Limits")]
    pub max_exposure_pct: Choice<f64>,
    /// The most that one position may cost, in percent of the bankroll, beside MAX_POSITION_USD; auto: 5 with
    /// CONFIDENCE_MODEL=skill, 100 with score.
    #[arg(long, env = "MAX_STAKE_PCT", default_value = "auto", value_parser = part, help_heading = "Limits")]
    pub max_stake_pct: Choice<f64>,
    /// The most positions at once of one category whose markets are expected to end on the same UTC day; 0: any number;
    /// auto: 2 with CONFIDENCE_MODEL=skill, 0 with score.
    #[arg(long, env = "MAX_SAME_DAY", default_value = "auto", value_parser = number, help_heading = "Limits")]
    pub max_same_day: Choice<usize>,
    /// How far such positions are taken for one bet, 0 to 1: the stake of the k-th is divided by 1 + this x (k - 1); auto:
    /// 0.5 with CONFIDENCE_MODEL=skill, 0 with score.
    #[arg(long, env = "SAME_DAY_CORRELATION", default_value = "auto", value_parser = unit, help_heading = "Limits")]
    pub same_day_correlation: Choice<f64>,
    /// Losses in a row after which entries rest; 0: never.
    #[arg(long, env = "COOLDOWN_LOSSES", default_value_t = 0, help_heading = "Limits")]
    pub cooldown_losses: u32,
    /// Hours that they rest.
    #[arg(
        long,
        env = "COOLDOWN_HOURS",
        default_value_t = 6,
        value_parser = clap::value_parser!(u16).range(1..=8_760),
        help_heading = "Limits"
    )]
    pub cooldown_hours: u16,
    /// How positions that follow a whale are entered: take (what is on offer up to the limit, at once) or rest (a post-only order at the whale's
    /// price or a tick above the best bid, whichever is lower; it is kept alive by heartbeats, so that the venue cancels it
    /// ten seconds after this service is gone).
    #[arg(
        long,
        env = "ENTRY_STYLE",
        default_value = "take",
        value_parser = clap::builder::PossibleValuesParser::new(["take", "rest"]),
        help_heading = "Limits"
    )]
    pub entry_style: String,
    /// Minutes that an entry rests.
    #[arg(
        long,
        env = "REST_MINUTES",
        default_value_t = 10,
        value_parser = clap::value_parser!(u16).range(3..=1_440),
        help_heading = "Limits"
    )]
    pub rest_minutes: u16,
    /// Days after which a position is sold; it is held to its market's resolution before that.
    #[arg(
        long,
        env = "MAX_HOLDING_DAYS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u16).range(1..=3_650),
        help_heading = "Limits"
    )]
    pub max_holding_days: u16,
    /// The part of its entry whose sale means that a followed wallet has left, in percent.
    #[arg(long, env = "WHALE_EXIT_PCT", default_value = "50", value_parser = percent, help_heading = "Limits")]
    pub whale_exit_pct: f64,
    /// Whether a position is sold when its market's result is disputed.
    #[arg(
        long,
        env = "EXIT_ON_DISPUTE",
        default_value = "true",
        action = clap::ArgAction::Set,
        help_heading = "Limits"
    )]
    pub exit_on_dispute: bool,
    /// How far below the best bid a sale may go, in percent of it.
    #[arg(long, env = "EXIT_SLIPPAGE_PCT", default_value = "5", value_parser = percent, help_heading = "Limits")]
    pub exit_slippage_pct: f64,
    /// The gain, in percent of the cost, at which a position is sold. 0: never, but what it would have realised at 50 %
    /// is recorded.
    #[arg(long, env = "TAKE_PROFIT_PCT", default_value = "0", value_parser = gain, help_heading = "Limits")]
    pub take_profit_pct: f64,
    /// The loss, in percent of the cost, at which a position is sold. 0: never, but what it would have realised at 50 %
    /// is recorded.
    #[arg(long, env = "STOP_LOSS_PCT", default_value = "0", value_parser = percent, help_heading = "Limits")]
    pub stop_loss_pct: f64,
}

impl LimitSettings {
    /// How long an entry rests, in microseconds.
    pub(crate) const fn rests(&self) -> i64 {
        self.rest_minutes as i64 * Timestamp::MINUTE
    }

    /// The engine's limits, where confidence is found that way.
    #[must_use]
    pub fn limits(&self, model: ConfidenceModel) -> Limits {
        let auto = Limits::of(model);
        let part = |chosen: Choice<f64>, auto: f64| chosen.or(100.0 * auto) / 100.0;
        let bound = |percent: f64, watched: Bound| {
            if percent > 0.0 { Bound { at: percent / 100.0, is_obeyed: true } } else { watched }
        };
        let watched = Exits::default();
        Limits {
            max_exposure: part(self.max_exposure_pct, auto.max_exposure),
            max_stake: part(self.max_stake_pct, auto.max_stake),
            max_same_day: self.max_same_day.or(auto.max_same_day),
            cluster_correlation: self.same_day_correlation.or(auto.cluster_correlation),
            cooldown_losses: self.cooldown_losses,
            cooldown: i64::from(self.cooldown_hours) * Timestamp::HOUR,
            entry: match self.entry_style.as_str() {
                "rest" => EntryStyle::Rest { lasts: self.rests() },
                _ => EntryStyle::Take,
            },
            exits: Exits {
                whale_part: self.whale_exit_pct / 100.0,
                max_holding: i64::from(self.max_holding_days) * Timestamp::DAY,
                dispute: self.exit_on_dispute,
                slippage: self.exit_slippage_pct / 100.0,
                take_profit: bound(self.take_profit_pct, watched.take_profit),
                stop_loss: bound(self.stop_loss_pct, watched.stop_loss),
            },
            ..auto
        }
    }
}

fn part(text: &str) -> Result<Choice<f64>, String> {
    Choice::read(text, percent)
}

fn number(text: &str) -> Result<Choice<usize>, String> {
    Choice::read(text, parsed)
}

fn unit(text: &str) -> Result<Choice<f64>, String> {
    Choice::read(text, |text| within(text, 0.0..=1.0))
}

/// A share that cost a cent can gain ninety-nine.
fn gain(text: &str) -> Result<f64, String> {
    within(text, 0.0..=10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        settings: LimitSettings,
    }

    #[test]
    fn what_is_not_set_is_what_the_model_says() {
        let settings = Line::parse_from(["line"]).settings;
        for model in [ConfidenceModel::Skill, ConfidenceModel::Score] {
            assert_eq!(settings.limits(model), Limits::of(model));
        }
    }

    /// What a person sets holds whatever the model, be it more or less than its own.
    #[test]
    fn what_is_set_is_what_holds() {
        let line = ["line", "--max-exposure-pct", "40", "--max-stake-pct", "7.5", "--max-same-day", "0"];
        let settings = Line::parse_from([&line[..], &["--same-day-correlation", "1"]].concat()).settings;
        for model in [ConfidenceModel::Skill, ConfidenceModel::Score] {
            let Limits { max_exposure, max_stake, max_same_day, cluster_correlation, .. } =
                settings.limits(model);
            assert_eq!((max_exposure, max_stake), (0.4, 0.075));
            assert_eq!((max_same_day, cluster_correlation), (0, 1.0));
        }
        for wrong in [
            ["--max-exposure-pct", "101"],
            ["--max-stake-pct", "some"],
            ["--max-same-day", "-1"],
            ["--same-day-correlation", "1.1"],
        ] {
            assert!(Line::try_parse_from(std::iter::once("line").chain(wrong)).is_err(), "{wrong:?}");
        }
    }
}
