//! A signal: one of the strategy's two reasons to trade, with everything it was decided on.

use crate::appraisal::Appraisal;
use crate::id::{ConditionId, TokenId, Wallet};
use crate::money::Usd;
use crate::price::Price;
use crate::score::{Skill, Tier};
use crate::time::Timestamp;

/// The strategy's two signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignalKind {
    /// A wallet of high score buys: buy with it.
    FollowWhale,
    /// Wallets of low score panic: buy what they sell.
    FadeDegen,
}

impl SignalKind {
    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FollowWhale => "FOLLOW_WHALE",
            Self::FadeDegen => "FADE_DEGEN",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::FollowWhale, Self::FadeDegen].into_iter().find(|kind| kind.name() == name)
    }
}

/// How a signal's confidence and its probability of winning are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfidenceModel {
    /// From the wallet's shrunken, price-adjusted edge: the probability that copying has a positive net edge.
    Skill,
    /// The naive reading of the strategy: 0.50 + 0.05 a point of score, at most 0.95.
    Score,
}

impl ConfidenceModel {
    /// The name in settings and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skill => "skill",
            Self::Score => "score",
        }
    }

    /// The model of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Skill, Self::Score].into_iter().find(|model| model.name() == name)
    }
}

/// A signal with everything it was decided on.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Its number, counting from 1.
    pub id: i64,
    /// When it was raised.
    pub at: Timestamp,
    /// Which of the two.
    pub kind: SignalKind,
    /// The wallet whose fill raised it.
    pub wallet: Wallet,
    /// That wallet's score; in a panic, the sellers' mean.
    pub score: f64,
    /// That wallet's tier.
    pub tier: Tier,
    /// That wallet's skill.
    pub skill: Skill,
    /// How many wallets took part.
    pub wallets: usize,
    /// Dollars they put in, or took out.
    pub notional: Usd,
    /// Their average price.
    pub reference_price: Price,
    /// The condition.
    pub condition: ConditionId,
    /// The token to buy.
    pub token: TokenId,
    /// Its market's title.
    pub title: String,
    /// Its outcome's name.
    pub outcome: String,
    /// The model behind the two beliefs that follow.
    pub model: ConfidenceModel,
    /// The probability that the outcome wins.
    pub probability: f64,
    /// The confidence of the signal.
    pub confidence: f64,
    /// The middle of the book.
    pub market_price: Price,
    /// The average price the stake would have paid in that book.
    pub expected_price: Price,
    /// The highest price the order may pay.
    pub limit_price: Price,
    /// Kelly's full fraction.
    pub kelly: f64,
    /// The fraction applied, before what positions that stand and fall with it leave of it, and before any cap in dollars.
    pub kelly_applied: f64,
    /// Dollars to stake.
    pub stake: Usd,
    /// The market's taker fee rate, in millionths.
    pub fee_rate_ppm: u32,
    /// Whether it is only followed to its outcome: a shadow never becomes an order.
    pub shadow: bool,
    /// Everything else it was decided on.
    pub appraisal: Box<Appraisal>,
}
