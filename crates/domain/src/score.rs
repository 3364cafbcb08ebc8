//! What is believed about a wallet.

use std::fmt;

use crate::id::Wallet;
use crate::money::Usd;
use crate::probability::Probability;
use crate::time::Timestamp;

/// The strategy's five tiers, and the absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Too little history for a verdict: never signals, whatever the score says.
    Unrated,
    /// Score below 3.
    Degen,
    /// Score of 3 and more.
    Novice,
    /// Score of 4.5 and more.
    Average,
    /// Score of 5.5 and more.
    Smart,
    /// Score of 7 and more.
    Whale,
}

impl Tier {
    /// All of them, lowest first.
    pub const ALL: [Self; 6] =
        [Self::Unrated, Self::Degen, Self::Novice, Self::Average, Self::Smart, Self::Whale];

    /// The tier of a rated wallet's score.
    /// The ends are the strategy's own; the middle is `ORDER_FLOW_STRATEGY.md` §2.
    #[must_use]
    pub fn of(score: f64) -> Self {
        match score {
            score if score >= 7.0 => Self::Whale,
            score if score >= 5.5 => Self::Smart,
            score if score >= 4.5 => Self::Average,
            score if score >= 3.0 => Self::Novice,
            _ => Self::Degen,
        }
    }

    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unrated => "UNRATED",
            Self::Degen => "DEGEN",
            Self::Novice => "NOVICE",
            Self::Average => "AVERAGE",
            Self::Smart => "SMART",
            Self::Whale => "WHALE",
        }
    }

    /// The tier of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The five factors, each 0 to 10.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FactorScores {
    /// Weight 40 %.
    pub win_rate: f64,
    /// Weight 30 %.
    pub profit_factor: f64,
    /// Weight 15 %.
    pub consistency: f64,
    /// Weight 10 %.
    pub volume: f64,
    /// Weight 5 %.
    pub timing: f64,
}

impl FactorScores {
    /// The weighted sum, 0 to 10.
    #[must_use]
    pub fn total(&self) -> f64 {
        0.40 * self.win_rate
            + 0.30 * self.profit_factor
            + 0.15 * self.consistency
            + 0.10 * self.volume
            + 0.05 * self.timing
    }
}

/// The edge the evidence supports: standardised, price-adjusted and shrunken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skill {
    /// κ̂: the edge a decision in units of its own standard deviation; 0 is luck.
    pub kappa: f64,
    /// The standard error of κ̂.
    pub standard_error: f64,
}

/// What prices did after a wallet's entries, as far as a copier would have had it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Entries looked at, ever.
    pub observations: u32,
    /// The mean gain of a copier, dollars a share.
    pub copyable: f64,
    /// That in its own standard errors.
    pub t: f64,
}

/// The part of a score that decisions are made on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Whose.
    pub wallet: Wallet,
    /// The strategy's score, 0 to 10.
    pub score: f64,
    /// The tier, or `Unrated`.
    pub tier: Tier,
    /// The evidence's own number.
    pub skill: Skill,
    /// What prices did after its entries; `None` before the first was looked at.
    pub timing: Option<Timing>,
    /// The median cost of its decisions; `None` before the first closed.
    pub median_cost: Option<Usd>,
    /// Whether nothing speaks against copying it.
    pub is_copyable: bool,
}

/// A wallet's record and verdict as of a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct WalletScore {
    /// Whose.
    pub wallet: Wallet,
    /// The moment: nothing later went in.
    pub as_of: Timestamp,
    /// The strategy's score, 0 to 10, from the five factors.
    pub score: f64,
    /// The tier, or `Unrated`.
    pub tier: Tier,
    /// The five factors.
    pub factors: FactorScores,
    /// The evidence's own number.
    pub skill: Skill,
    /// P(κ > 0).
    pub skill_probability: Probability,
    /// Wins among closed decisions, 0 to 1; `None` before the first closes.
    pub win_rate: Option<f64>,
    /// The win rate at which the prices paid would have broken even; `None` before the first closes.
    pub break_even_win_rate: Option<f64>,
    /// Gains over losses; `None` without a loss.
    pub profit_factor: Option<f64>,
    /// Result over cost of closed decisions; `None` before the first closes.
    pub roi: Option<f64>,
    /// Profitable weeks among weeks with a closed decision; `None` before the first.
    pub profitable_weeks: Option<f64>,
    /// Mean price move in the day after an entry, dollars a share; `None` without one.
    pub mean_drift: Option<f64>,
    /// Dollars traded in the last 30 days.
    pub volume_30d: Usd,
    /// Dollars traded ever.
    pub volume: Usd,
    /// What has been sold or resolved, fees included.
    pub pnl: Usd,
    /// Fills.
    pub trades: u32,
    /// Closed decisions.
    pub decisions: u32,
    /// Those that made money.
    pub wins: u32,
    /// Events with a closed decision.
    pub events: u32,
    /// Days with a fill.
    pub active_days: u32,
    /// The first fill.
    pub first_trade: Timestamp,
    /// The last fill.
    pub last_trade: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_begin_where_they_say() {
        let tiers = [(7.0, Tier::Whale), (6.99, Tier::Smart), (5.5, Tier::Smart), (4.5, Tier::Average)];
        for (score, tier) in tiers {
            assert_eq!(Tier::of(score), tier);
        }
        assert_eq!(Tier::of(3.0), Tier::Novice);
        assert_eq!(Tier::of(2.99), Tier::Degen);
    }

    #[test]
    fn weights_sum_to_one() {
        let best = FactorScores {
            win_rate: 10.0,
            profit_factor: 10.0,
            consistency: 10.0,
            volume: 10.0,
            timing: 10.0,
        };
        assert!((best.total() - 10.0).abs() < 1e-12);
    }
}
