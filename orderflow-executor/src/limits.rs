//! The settings of what holds for all orders together, and of when a position is left early.

use decision::{Bound, EntryStyle, Exits, Limits};
use domain::Timestamp;

use crate::settings::{percent, within};

/// Limits on all orders together, and on how long a position is held.
#[derive(Clone, Debug, clap::Args)]
pub struct LimitSettings {
    /// The most that may be in positions and orders at once, in percent of the bankroll.
    #[arg(long, env = "MAX_EXPOSURE_PCT", default_value = "100", value_parser = percent, help_heading = "Limits")]
    pub max_exposure_pct: f64,
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
    /// How positions are entered: take (what is on offer up to the limit, at once) or rest (a post-only order at the whale's
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
    /// The engine's limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let bound = |percent: f64, watched: Bound| {
            if percent > 0.0 { Bound { at: percent / 100.0, is_obeyed: true } } else { watched }
        };
        let watched = Exits::default();
        Limits {
            max_exposure: self.max_exposure_pct / 100.0,
            cooldown_losses: self.cooldown_losses,
            cooldown: i64::from(self.cooldown_hours) * Timestamp::HOUR,
            entry: match self.entry_style.as_str() {
                "rest" => EntryStyle::Rest { lasts: i64::from(self.rest_minutes) * Timestamp::MINUTE },
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
            ..Limits::default()
        }
    }
}

/// A share that cost a cent can gain ninety-nine.
fn gain(text: &str) -> Result<f64, String> {
    within(text, 0.0..=10_000.0)
}
