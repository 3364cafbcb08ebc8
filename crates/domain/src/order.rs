//! An order and what became of it.

use crate::id::{ConditionId, TokenId};
use crate::money::{MICRO, Shares, Usd, saturate};
use crate::price::Price;
use crate::time::Timestamp;

/// An order to buy, fill-and-kill: what does not match at once is cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The signal it serves, whose number it shares: one order a signal.
    pub id: i64,
    /// When it was decided.
    pub at: Timestamp,
    /// The condition.
    pub condition: ConditionId,
    /// The token to buy.
    pub token: TokenId,
    /// The highest price.
    pub limit: Price,
    /// Dollars to spend at most, fee not included.
    pub stake: Usd,
    /// The market's taker fee rate, in millionths.
    pub fee_rate_ppm: u32,
}

impl Order {
    /// The most the order can cost, fee included: the fee is a part of the stake below the rate, because it is
    /// `rate · (1 - price)` of it. The venue's rounding can add a hundred-thousandth of a dollar a level.
    #[must_use]
    pub fn most(&self) -> Usd {
        let fee = i128::from(self.stake.micros()) * i128::from(self.fee_rate_ppm) / i128::from(MICRO);
        self.stake + Usd::from_micros(saturate(fee))
    }

    /// The largest stake whose cost, fee included, stays within a budget.
    #[must_use]
    pub fn largest_stake(budget: Usd, fee_rate_ppm: u32) -> Usd {
        let million = i128::from(MICRO);
        let stake = i128::from(budget.micros()) * million / (million + i128::from(fee_rate_ppm));
        Usd::from_micros(saturate(stake)).max(Usd::ZERO)
    }
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The order.
    pub order: i64,
    /// Shares bought.
    pub shares: Shares,
    /// Dollars paid for them, fee not included.
    pub usd: Usd,
    /// The fee.
    pub fee: Usd,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_largest_stake_costs_no_more_than_its_budget(micros in 0i64..1_000_000_000_000, rate in 0u32..200_000) {
            let budget = Usd::from_micros(micros);
            let order = Order {
                id: 1,
                at: Timestamp::default(),
                condition: ConditionId::default(),
                token: TokenId::default(),
                limit: "0.5".parse().unwrap(),
                stake: Order::largest_stake(budget, rate),
                fee_rate_ppm: rate,
            };
            prop_assert!(order.most() <= budget);
            prop_assert!(budget.micros() - order.most().micros() <= 2);
        }
    }
}
