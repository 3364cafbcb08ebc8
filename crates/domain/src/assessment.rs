//! Everything that is believed about a wallet: the strategy's verdict, and the evidence beside it.

use crate::flag::Flag;
use crate::id::ConditionId;
use crate::money::Usd;
use crate::score::{FactorScores, Skill, Tier, Timing, Verdict, WalletScore};

/// Everything that is believed about a wallet.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// The strategy's own verdict, with the evidence's number in it.
    pub verdict: WalletScore,
    /// What stands beside it.
    pub figures: Figures,
    /// The evidence before the population was asked; `None` before the first informative decision.
    pub skill: Option<RawSkill>,
    /// The return on cost, winsorised and shrunken.
    pub roi: f64,
    /// The median cost of its closed decisions, within 19 %; `None` before the first.
    pub median_cost: Option<Usd>,
    /// What the price did after its entries; `None` before the first was looked at.
    pub clv: Option<Clv>,
    /// The five factors with inputs that luck and favourites do not fool; their total is the calibrated score.
    pub calibrated: FactorScores,
    /// Whether its record stands out from those of all rated wallets, as of the last week's start.
    pub is_verified: bool,
    /// The reasons against copying it.
    pub flags: Vec<Flag>,
}

/// What is known of a wallet beside its verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Wins among the decisions that closed in the last 30 days, 0 to 1; `None` where none did.
    pub win_rate_30d: Option<f64>,
    /// The win rate at which the prices paid for those would have broken even.
    pub break_even_win_rate_30d: Option<f64>,
    /// The decisions that closed in the last 30 days.
    pub decisions_30d: u32,
    /// Those of them that made money.
    pub wins_30d: u32,
    /// Decisions that closed with shares of unknown cost: they neither won nor lost.
    pub unknown_cost: u32,
    /// The dollars that those brought. They are part of the wallet's result.
    pub unknown_cost_pnl: Usd,
    /// The tier that the days before have left behind, which the best and the worst are left later for.
    pub tier_before: Option<Tier>,
}

/// The edge as the decisions show it, before any prior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawSkill {
    /// Σwe / Σws: the pooled standardised edge. Longshots do not explode in it, as they do in a mean of ratios.
    pub kappa: f64,
    /// Σwe / √Σw²s²: standard normal where the prices are right.
    pub z: f64,
    /// (Σws)² / Σw²s²: how many equal and independent decisions this is worth.
    pub n_eff: f64,
}

/// A wallet's timing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clv {
    /// Entries looked at, ever.
    pub observations: u32,
    /// (Σw)² / Σw²: the effective number of them.
    pub n_eff: f64,
    /// The mean of d, dollars a share.
    pub drift: f64,
    /// The mean of d′, dollars a share.
    pub copyable: f64,
    /// The mean of d′/s.
    pub standardised: f64,
    /// The mean of d′/s shrunken toward none by thirty pseudo-observations.
    pub shrunk: f64,
    /// The mean of d′/s in its own standard errors; 0 where they cannot be told.
    pub t: f64,
}

impl Assessment {
    /// Whether nothing speaks against copying the wallet.
    #[must_use]
    pub fn is_copyable(&self) -> bool {
        self.flags.is_empty()
    }

    /// The part that decisions are made on.
    #[must_use]
    pub fn essence(&self) -> Verdict {
        let WalletScore { wallet, score, tier, skill, .. } = self.verdict;
        // What is stored has six decimals: a verdict must equal itself when it is read again.
        let stored = |number: f64| (number * 1e6).round() / 1e6;
        let skill = Skill { kappa: stored(skill.kappa), standard_error: stored(skill.standard_error) };
        let timing = self.clv.map(|clv| Timing {
            observations: clv.observations,
            copyable: stored(clv.copyable),
            t: stored(clv.t),
        });
        let (median_cost, is_copyable) = (self.median_cost, self.is_copyable());
        Verdict { wallet, score, tier, skill, timing, median_cost, is_copyable }
    }
}

/// What a wallet's decisions about a condition have come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketResult {
    /// The condition.
    pub condition: ConditionId,
    /// What has been sold or resolved, fees included.
    pub realized: Usd,
    /// The decisions that ended in it.
    pub decisions: u32,
}

/// What happened to a wallet on a UTC day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletDay {
    /// Days since 1970.
    pub day: i64,
    /// What was sold or resolved, fees included.
    pub pnl: Usd,
    /// Dollars traded.
    pub volume: Usd,
    /// Fills.
    pub fills: u32,
}
