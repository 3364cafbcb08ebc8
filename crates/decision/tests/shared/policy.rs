//! A policy to begin from.

use decision::{FadePolicy, Filters, Limits, Policy};
use domain::{ConfidenceModel, Usd};

/// The strategy's own settings, where nobody but the whale has to trade, and a panic need not come to rest.
pub(crate) fn policy() -> Policy {
    Policy {
        bankroll: Usd::whole(2_000),
        kelly_fraction: 0.25,
        max_position: Usd::whole(1_000),
        min_stake: Usd::whole(10),
        max_open_positions: 5,
        daily_loss_limit: Usd::whole(500),
        max_slippage: 0.05,
        min_confidence: 0.70,
        min_whale_score: 7.0,
        min_whale_trade: Usd::whole(500),
        max_degen_score: 3.0,
        min_panic_sellers: 5,
        confidence_model: ConfidenceModel::Score,
        max_signal_age: 30_000_000,
        limits: Limits::default(),
        filters: Filters { min_volume: Usd::ZERO, max_volume_part: 1.0, ..Filters::default() },
        fade: FadePolicy { min_sigmas: 0.0, calm: 0, ..FadePolicy::default() },
    }
}
