//! What an order bought, what of it was sold again, and how it ended.

use crate::fill::Side;
use crate::id::{ConditionId, TokenId};
use crate::money::{Shares, Usd};
use crate::news::Execution;
use crate::time::Timestamp;

/// A position: sums over its executions and nothing else, so that it does not matter in which order these become
/// known, and that one which never settled can be taken out again to the micro-dollar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Its number: that of its signal.
    pub id: i64,
    /// When its entry was decided.
    pub opened: Timestamp,
    /// The condition.
    pub condition: ConditionId,
    /// The event of its market.
    pub event: String,
    /// The token.
    pub token: TokenId,
    /// Its place among the market's outcomes.
    pub outcome: usize,
    /// Shares bought.
    pub bought: Shares,
    /// Dollars paid for them, fee included.
    pub spent: Usd,
    /// Shares sold again.
    pub sold: Shares,
    /// Dollars received for those, fee deducted.
    pub proceeds: Usd,
    /// The fees in what was spent.
    pub fee: Usd,
}

impl Position {
    /// Shares held. Below zero where a purchase never settled whose shares had been sold already.
    #[must_use]
    pub fn shares(&self) -> Shares {
        self.bought - self.sold
    }

    /// What the shares held cost, fee included, at the average price of all that was bought.
    #[must_use]
    pub fn cost(&self) -> Usd {
        self.spent - self.cost_of_sold()
    }

    /// What was won or lost with the shares sold.
    #[must_use]
    pub fn realized(&self) -> Usd {
        self.proceeds - self.cost_of_sold()
    }

    /// Takes an execution in.
    pub fn add(&mut self, side: Side, execution: &Execution) {
        let Execution { shares, usd, fee, .. } = *execution;
        match side {
            Side::Buy => {
                self.bought += shares;
                self.spent += usd + fee;
                self.fee += fee;
            }
            Side::Sell => {
                self.sold += shares;
                self.proceeds += usd - fee;
            }
        }
    }

    /// Takes an execution out again, which never settled.
    pub fn remove(&mut self, side: Side, execution: &Execution) {
        let Execution { trade, shares, usd, fee } = execution.clone();
        self.add(side, &Execution { trade, shares: -shares, usd: -usd, fee: -fee });
    }

    fn cost_of_sold(&self) -> Usd {
        self.spent.prorated(self.sold.min(self.bought), self.bought)
    }
}

/// How a position ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The position.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Dollars it brought, by sales and by its payout.
    pub proceeds: Usd,
    /// Proceeds less what was spent, fees included.
    pub pnl: Usd,
    /// How.
    pub ending: Ending,
}

/// The ways in which a position ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its market resolved.
    Resolved,
    /// All of it was sold.
    Sold,
    /// No purchase of it ever settled.
    Void,
}

impl Settlement {
    /// A win made money; what made none is a loss.
    #[must_use]
    pub const fn won(&self) -> bool {
        self.pnl.is_positive()
    }
}

impl Ending {
    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolved => "RESOLVED",
            Self::Sold => "SOLD",
            Self::Void => "VOID",
        }
    }

    /// The ending of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Resolved, Self::Sold, Self::Void].into_iter().find(|ending| ending.name() == name)
    }
}

/// The account of one UTC day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Days since 1970.
    pub number: i64,
    /// What had been won or lost by its start, open positions marked: what the day's loss is measured from.
    pub result: Usd,
    /// The bankroll stakes are parts of. Open positions count at their cost or at what they would bring, whichever is less:
    /// a gain not yet realised raises no stake, and a loss not yet realised lowers it.
    pub bankroll: Usd,
}
