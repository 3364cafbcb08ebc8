//! An order: what is asked of the venue, how long it may stand, and what for.

use crate::fill::Side;
use crate::id::{ConditionId, TokenId};
use crate::money::{MICRO, Shares, Usd, saturate};
use crate::price::Price;
use crate::time::Timestamp;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its own number, counting from 1.
    pub id: i64,
    /// The position it opens or reduces, whose number is that of the signal.
    pub position: i64,
    /// When it was decided.
    pub at: Timestamp,
    /// The condition.
    pub condition: ConditionId,
    /// The event of its market: one event is one bet.
    pub event: String,
    /// The token to buy or to sell.
    pub token: TokenId,
    /// The token's place among the market's outcomes.
    pub outcome: usize,
    /// The highest price of a purchase, the lowest of a sale.
    pub limit: Price,
    /// How much, which says on which side too.
    pub size: Size,
    /// How long it may stand.
    pub force: TimeInForce,
    /// What for.
    pub purpose: Purpose,
    /// The market's taker fee rate, in millionths.
    pub fee_rate_ppm: u32,
}

/// How much an order asks for: money buys, shares are sold, and nothing else is an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Dollars to spend at most, fee not included.
    Spend(Usd),
    /// Shares to sell at most.
    Sell(Shares),
}

/// How long an order may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeInForce {
    /// Fill-and-kill: what does not match at once is cancelled.
    Fak,
    /// Rests until then, and is refused where it would match at once.
    PostOnly {
        /// When it expires.
        until: Timestamp,
    },
    /// Matches what it can at once and rests until then with what is left.
    Gtd {
        /// When it expires.
        until: Timestamp,
    },
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It opens a position.
    Enter,
    /// It reduces one.
    Exit(ExitReason),
}

/// Why a position is left before its market resolves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitReason {
    /// A person asked for it.
    Person,
    /// The wallet that was followed left.
    WhaleExit,
    /// Wallets that are followed stand on both sides.
    Conflict,
    /// The market's result is disputed.
    Dispute,
    /// It was held for as long as a position may be.
    Time,
    /// It gained what was hoped for.
    TakeProfit,
    /// It lost what was feared.
    StopLoss,
}

impl Order {
    /// Which way the shares go, seen from us.
    #[must_use]
    pub const fn side(&self) -> Side {
        match self.size {
            Size::Spend(_) => Side::Buy,
            Size::Sell(_) => Side::Sell,
        }
    }

    /// Dollars to spend at most, fee not included; nothing for a sale.
    #[must_use]
    pub const fn stake(&self) -> Usd {
        match self.size {
            Size::Spend(stake) => stake,
            Size::Sell(_) => Usd::ZERO,
        }
    }

    /// Shares to sell at most; none for a purchase.
    #[must_use]
    pub const fn offered(&self) -> Shares {
        match self.size {
            Size::Spend(_) => Shares::ZERO,
            Size::Sell(shares) => shares,
        }
    }

    /// The shares it stands for while it rests: what it sells, or what its dollars buy at the limit, in the whole
    /// hundredths that the venue takes.
    #[must_use]
    pub fn shares_at_limit(&self) -> Shares {
        const HUNDREDTH: i64 = 10_000;
        let shares = match self.size {
            Size::Spend(stake) => stake.buys_at(self.limit),
            Size::Sell(shares) => shares,
        };
        Shares::from_micros(shares.micros() - shares.micros() % HUNDREDTH)
    }

    /// The most the order can cost, fee included: the fee is a part of the stake below the rate, because it is
    /// `rate · (1 - price)` of it. The venue's rounding can add a hundred-thousandth of a dollar a level.
    #[must_use]
    pub fn most(&self) -> Usd {
        let stake = self.stake();
        let fee = i128::from(stake.micros()) * i128::from(self.fee_rate_ppm) / i128::from(MICRO);
        stake + Usd::from_micros(saturate(fee))
    }

    /// The largest stake whose cost, fee included, stays within a budget.
    #[must_use]
    pub fn largest_stake(budget: Usd, fee_rate_ppm: u32) -> Usd {
        let million = i128::from(MICRO);
        let stake = i128::from(budget.micros()) * million / (million + i128::from(fee_rate_ppm));
        Usd::from_micros(saturate(stake)).max(Usd::ZERO)
    }
}

impl TimeInForce {
    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fak => "FAK",
            Self::PostOnly { .. } => "POST_ONLY",
            Self::Gtd { .. } => "GTD",
        }
    }

    /// When it expires; `None` for what never rests.
    #[must_use]
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::Fak => None,
            Self::PostOnly { until } | Self::Gtd { until } => Some(until),
        }
    }

    /// The one of that name that stands until then; `None` where the two do not go together.
    #[must_use]
    pub fn from_name(name: &str, until: Option<Timestamp>) -> Option<Self> {
        match (name, until) {
            ("FAK", None) => Some(Self::Fak),
            ("POST_ONLY", Some(until)) => Some(Self::PostOnly { until }),
            ("GTD", Some(until)) => Some(Self::Gtd { until }),
            _ => None,
        }
    }
}

impl Purpose {
    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enter => "ENTER",
            Self::Exit(reason) => reason.name(),
        }
    }

    /// The purpose of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == Self::Enter.name() {
            Some(Self::Enter)
        } else {
            ExitReason::from_name(name).map(Self::Exit)
        }
    }
}

impl ExitReason {
    /// All of them, the most pressing first.
    pub const ALL: [Self; 7] = [
        Self::Person,
        Self::WhaleExit,
        Self::Conflict,
        Self::Dispute,
        Self::Time,
        Self::TakeProfit,
        Self::StopLoss,
    ];

    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "PERSON",
            Self::WhaleExit => "WHALE_EXIT",
            Self::Conflict => "CONFLICT",
            Self::Dispute => "DISPUTE",
            Self::Time => "TIME",
            Self::TakeProfit => "TAKE_PROFIT",
            Self::StopLoss => "STOP_LOSS",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn purposes_and_forces_are_read_as_they_are_written() {
        for purpose in ExitReason::ALL.map(Purpose::Exit).into_iter().chain([Purpose::Enter]) {
            assert_eq!(Purpose::from_name(purpose.name()), Some(purpose));
        }
        let until = Timestamp::from_seconds(9);
        for force in [TimeInForce::Fak, TimeInForce::PostOnly { until }, TimeInForce::Gtd { until }] {
            assert_eq!(TimeInForce::from_name(force.name(), force.until()), Some(force));
        }
        assert_eq!(TimeInForce::from_name("GTD", None), None);
        assert_eq!(Purpose::from_name("exit"), None);
    }

    proptest! {
        #[test]
        fn the_largest_stake_costs_no_more_than_its_budget(micros in 0i64..1_000_000_000_000, rate in 0u32..200_000) {
            let budget = Usd::from_micros(micros);
            let order = Order {
                id: 1,
                position: 1,
                at: Timestamp::default(),
                condition: ConditionId::default(),
                event: String::new(),
                token: TokenId::default(),
                outcome: 0,
                limit: "0.5".parse().unwrap(),
                size: Size::Spend(Order::largest_stake(budget, rate)),
                force: TimeInForce::Fak,
                purpose: Purpose::Enter,
                fee_rate_ppm: rate,
            };
            prop_assert!(order.most() <= budget);
            prop_assert!(budget.micros() - order.most().micros() <= 2);
        }
    }
}
