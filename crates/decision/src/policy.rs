//! The settings of the strategy: what the user may choose, and the constants the strategy fixes.

use domain::{ConfidenceModel, SignalKind, Timestamp, Usd};

use crate::filters::{FadePolicy, Filters};
use crate::limits::{EntryStyle, Limits};

/// How much history a verdict needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eligibility {
    /// Closed decisions.
    pub decisions: u32,
    /// Events with a closed decision.
    pub events: u32,
    /// Days with a fill.
    pub active_days: u32,
}

/// Everything the engine is allowed to do, in one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Dollars the strategy started with.
    pub bankroll: Usd,
    /// The part of the Kelly stake that is taken, 0 to 1.
    pub kelly_fraction: f64,
    /// The most one trade may cost.
    pub max_position: Usd,
    /// The smallest stake worth an order.
    pub min_stake: Usd,
    /// The most positions at once.
    pub max_open_positions: usize,
    /// The loss of one UTC day that stops new entries for 24 hours.
    pub daily_loss_limit: Usd,
    /// How far above the whale's price an order may go, as a fraction of that price.
    pub max_slippage: f64,
    /// The least confidence of a signal, 0 to 1.
    pub min_confidence: f64,
    /// The score from which a rated wallet is followed.
    pub min_whale_score: f64,
    /// The dollars of one entry that make it worth following.
    pub min_whale_trade: Usd,
    /// The score below which a rated wallet counts as panicking.
    pub max_degen_score: f64,
    /// How many such wallets make a panic.
    pub min_panic_sellers: usize,
    /// How confidence is found.
    pub confidence_model: ConfidenceModel,
    /// How old a fill may be when we learn of it, in microseconds.
    pub max_signal_age: i64,
    /// What holds for all orders together, and for positions once they are open.
    pub limits: Limits,
    /// What else keeps a candidate from being a signal.
    pub filters: Filters,
    /// What holds for panics alone.
    pub fade: FadePolicy,
}

impl Policy {
    /// How long the daily stop lasts once it trips.
    pub const HALT: i64 = Timestamp::DAY;

    /// How a signal of a kind is entered.
    #[must_use]
    pub const fn entry(&self, kind: SignalKind) -> EntryStyle {
        match kind {
            SignalKind::FollowWhale => self.limits.entry,
            SignalKind::FadeDegen => self.fade.entry,
        }
    }

    /// Every setting, as it is kept beside what was decided under it.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{self:?}")
    }

    /// A short name of exactly these settings: 64 bits of FNV-1a over [`Policy::describe`].
    #[must_use]
    pub fn digest(&self) -> String {
        let hash = self.describe().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{hash:016x}")
    }
}
