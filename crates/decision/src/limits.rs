//! Limits on all orders together, on what must be fresh before one is sent, and on how long a position is held.

use domain::{ConfidenceModel, Timestamp};

/// Limits beside those of a single trade.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The part of the bankroll that may be in positions and orders at once, 0 to 1.
    pub max_exposure: f64,
    /// The part of the bankroll that one position may cost, 0 to 1.
    pub max_stake: f64,
    /// Positions and orders of one category whose markets are expected to end on one UTC day; 0: as many as there may be.
    pub max_same_day: usize,
    /// How far such bets are taken to be one bet, 0 to 1: with `k` of them a stake is divided by `1 + this · (k - 1)`.
    pub cluster_correlation: f64,
    /// Losses in a row after which entries rest; 0: never.
    pub cooldown_losses: u32,
    /// How long they rest, in microseconds.
    pub cooldown: i64,
    /// How old the newest block may be, in microseconds.
    pub max_chain_age: i64,
    /// How old the newest word of the books' feed may be, in microseconds.
    pub max_book_age: i64,
    /// How far our clock may be from the venue's, in microseconds.
    pub max_clock_skew: i64,
    /// How positions that follow a whale are entered.
    pub entry: EntryStyle,
    /// When a position is left early.
    pub exits: Exits,
}

/// How a position is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryStyle {
    /// By taking what is on offer up to the limit, at once.
    Take,
    /// By an order that only rests: at the whale's price or a tick above the best bid, whichever is lower, and in a panic at
    /// the best bid. It pays no fee, and is filled by whoever comes, which may be somebody who knows more.
    Rest {
        /// How long it rests, in microseconds.
        lasts: i64,
    },
}

/// When a position is left before its market resolves.
#[derive(Clone, Debug, PartialEq)]
pub struct Exits {
    /// The part of the followed wallet's entry whose sale means that it has left, 0 to 1.
    pub whale_part: f64,
    /// How long a position may be held, in microseconds.
    pub max_holding: i64,
    /// Whether a position is left when its market's result is disputed.
    pub dispute: bool,
    /// How far below the best bid a sale may go, as a fraction of it.
    pub slippage: f64,
    /// The gain at which a position is, or would have been, left.
    pub take_profit: Bound,
    /// The loss at which it is, or would have been, left.
    pub stop_loss: Bound,
}

/// A price bound on a position. One that is not obeyed is watched all the same, and what it would have realised is
/// recorded: a price is a probability, so that a stop gains nothing before its costs and loses them after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The gain or loss at the best bid, as a fraction of what the shares cost.
    pub at: f64,
    /// Whether the position is left when it is reached.
    pub is_obeyed: bool,
}

impl Limits {
    /// The limits where nobody has chosen others. The strategy read literally knows of none on all positions together but
    /// their number, and its worked example stakes a tenth of the bankroll on one.
    #[must_use]
    pub fn of(model: ConfidenceModel) -> Self {
        let literal = Self::default();
        match model {
            ConfidenceModel::Score => literal,
            ConfidenceModel::Skill => Self {
                max_exposure: 0.25,
                max_stake: 0.05,
                max_same_day: 2,
                cluster_correlation: 0.5,
                ..literal
            },
        }
    }
}

/// Those of the strategy read literally.
impl Default for Limits {
    fn default() -> Self {
        Self {
            max_exposure: 1.0,
            max_stake: 1.0,
            max_same_day: 0,
            cluster_correlation: 0.0,
            cooldown_losses: 0,
            cooldown: 6 * Timestamp::HOUR,
            max_chain_age: 60_000_000,
            max_book_age: 60_000_000,
            max_clock_skew: 5_000_000,
            entry: EntryStyle::Take,
            exits: Exits::default(),
        }
    }
}

impl Default for Exits {
    fn default() -> Self {
        Self {
            whale_part: 0.5,
            max_holding: 30 * Timestamp::DAY,
            dispute: true,
            slippage: 0.05,
            take_profit: Bound { at: 0.5, is_obeyed: false },
            stop_loss: Bound { at: 0.5, is_obeyed: false },
        }
    }
}
