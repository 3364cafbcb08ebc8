//! A market: one condition, its outcomes, and what they pay.

use crate::id::{ConditionId, TokenId};
use crate::money::{Shares, Usd, saturate};
use crate::price::Tick;
use crate::time::Timestamp;

/// What is known of a market beside its trades.
#[derive(Clone, Debug, PartialEq)]
pub struct Market {
    /// The condition it settles by.
    pub condition: ConditionId,
    /// What people read.
    pub title: String,
    /// The name in web addresses.
    pub slug: String,
    /// The event that groups it with its siblings; its own slug where there is none.
    pub event: String,
    /// The category, where known.
    pub category: Option<String>,
    /// The outcomes' names, in the order of `tokens`.
    pub outcomes: Vec<String>,
    /// The outcomes' tokens, in the order of the payouts.
    pub tokens: Vec<TokenId>,
    /// Whether it settles through the neg-risk contracts.
    pub neg_risk: bool,
    /// Whether it is a Protocol V2 market, traded on exchange V3.
    pub protocol_v2: bool,
    /// The price grid.
    pub tick: Tick,
    /// The taker fee's rate: the fee is `shares * rate * p * (1 - p)` dollars. Zero where free.
    pub fee_rate_ppm: u32,
    /// When it is expected to end. Never an outcome.
    pub end: Option<Timestamp>,
}

impl Market {
    /// The place of a token among the outcomes.
    #[must_use]
    pub fn outcome_index(&self, token: TokenId) -> Option<usize> {
        self.tokens.iter().position(|candidate| *candidate == token)
    }
}

/// What each outcome of a resolved condition pays, as parts of a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payouts {
    numerators: Vec<u64>,
    denominator: u64,
}

impl Payouts {
    /// From the numerators a resolution event carries; `None` where they are empty, sum to zero or overflow.
    #[must_use]
    pub fn new(numerators: Vec<u64>) -> Option<Self> {
        let denominator = numerators.iter().try_fold(0u64, |sum, part| sum.checked_add(*part))?;
        (denominator > 0).then_some(Self { numerators, denominator })
    }

    /// One outcome takes all.
    #[must_use]
    pub fn winner(index: usize, outcomes: usize) -> Option<Self> {
        (index < outcomes)
            .then(|| (0..outcomes).map(|outcome| u64::from(outcome == index)).collect())
            .and_then(Self::new)
    }

    /// The numerators, in the order of the outcomes.
    #[must_use]
    pub fn numerators(&self) -> &[u64] {
        &self.numerators
    }

    /// What `shares` of an outcome pay, rounded toward zero; an outcome beyond the last pays nothing.
    #[must_use]
    pub fn pays(&self, outcome: usize, shares: Shares) -> Usd {
        let numerator = self.numerators.get(outcome).copied().unwrap_or(0);
        // 128 bits hold the product of a 64-bit amount with any numerator below 2^63; beyond that the
        // quotient is taken first, which is exact enough for numbers no oracle writes.
        let amount = i128::from(shares.micros());
        let paid = match amount.checked_mul(i128::from(numerator)) {
            Some(product) => product / i128::from(self.denominator),
            None => amount / i128::from(self.denominator) * i128::from(numerator),
        };
        Usd::from_micros(saturate(paid))
    }

    /// The share of a dollar that one share of an outcome pays, for statistics.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "statistics need no more than 53 bits")]
    pub fn fraction(&self, outcome: usize) -> f64 {
        self.numerators.get(outcome).map_or(0.0, |numerator| *numerator as f64 / self.denominator as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payouts_pay_their_part() {
        let shares = Shares::whole(3);
        assert_eq!(Payouts::winner(1, 2).unwrap().pays(1, shares), Usd::whole(3));
        assert_eq!(Payouts::winner(1, 2).unwrap().pays(0, shares), Usd::ZERO);
        assert_eq!(Payouts::new(vec![1, 1]).unwrap().pays(0, shares), Usd::from_micros(1_500_000));
        assert_eq!(Payouts::new(vec![0, 1_000_000]).unwrap().pays(1, -shares), Usd::whole(-3));
        assert_eq!(Payouts::new(vec![1, 1]).unwrap().pays(7, shares), Usd::ZERO);
    }

    #[test]
    fn payouts_that_pay_nobody_do_not_exist() {
        assert_eq!(Payouts::new(vec![]), None);
        assert_eq!(Payouts::new(vec![0, 0]), None);
        assert_eq!(Payouts::new(vec![u64::MAX, 1]), None);
        assert_eq!(Payouts::winner(2, 2), None);
    }
}
