//! A market: one condition, its outcomes, and what they pay.

use alloy_primitives::B256;

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
    /// Where it stands among the questions that exclude each other; `None` where it stands alone, or nobody has
    /// said.
    pub place: Option<NegRiskPlace>,
    /// Whether it is a Protocol V2 market, traded on exchange V3.
    pub protocol_v2: bool,
    /// The price grid.
    pub tick: Tick,
    /// The taker fee's rate: the fee is `shares * rate * p * (1 - p)` dollars. Zero where free.
    pub fee_rate_ppm: u32,
    /// When it is expected to end. Never an outcome.
    pub end: Option<Timestamp>,
    /// How far its oracle is; `None` where the source does not say.
    pub oracle: Option<Oracle>,
}

/// How far a market's oracle is with its answer. It says how sure a price can be, and never who wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// Nobody has proposed an answer, or the question was asked anew.
    Open,
    /// An answer is proposed and may still be disputed.
    Proposed,
    /// The answer is disputed.
    Disputed,
    /// The oracle has answered.
    Settled,
}

impl Oracle {
    /// All of them, in the order in which they follow each other.
    pub const ALL: [Self; 4] = [Self::Open, Self::Proposed, Self::Disputed, Self::Settled];

    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Proposed => "PROPOSED",
            Self::Disputed => "DISPUTED",
            Self::Settled => "SETTLED",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|oracle| oracle.name() == name)
    }
}

impl Market {
    /// The place of a token among the outcomes.
    #[must_use]
    pub fn outcome_index(&self, token: TokenId) -> Option<usize> {
        self.tokens.iter().position(|candidate| *candidate == token)
    }
}

/// A question's place among those of which at most one is answered with yes: shares against some of them can be
/// converted into shares for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegRiskPlace {
    /// What they share: the adapter's market, 31 bytes and a zero; or Protocol V2's event, 29 bytes and zeros.
    pub market: B256,
    /// The question's number among them, from zero.
    pub question: u8,
    /// How many there are, where that is known.
    pub questions: Option<u8>,
}

impl NegRiskPlace {
    /// The place that a question's id on the neg-risk adapter names: the market's id with the number as its last
    /// byte. `None` where `market` is no such market's id, or the question is not one of it.
    #[must_use]
    pub fn of_question(market: B256, question: B256) -> Option<Self> {
        let (shared, number) = (market.split_last()?, question.split_last()?);
        let is_place = *shared.0 == 0 && shared.1 == number.1 && !market.is_zero();
        is_place.then_some(Self { market, question: *number.0, questions: None })
    }

    /// The place that the bits of a Protocol V2 condition name: behind its module (1 byte, 2 for neg-risk) and hash
    /// (16) stand how many conditions were asked for (2), and at the end of the 31 bytes its number (2). The event is
    /// the condition without that number; one more condition, for any other answer, is added to those asked for.
    /// `None` where it belongs to another module, or to an event larger than any conversion can name.
    #[must_use]
    pub fn of_condition(condition: ConditionId) -> Option<Self> {
        const NEG_RISK_MODULE: u8 = 2;
        let mut market = condition.0;
        let asked = u16::from_be_bytes([market[17], market[18]]);
        let question = u8::try_from(u16::from_be_bytes([market[29], market[30]])).ok()?;
        let questions = u8::try_from(asked).ok()?.checked_add(1)?;
        market[29..].fill(0);
        let is_place = market[0] == NEG_RISK_MODULE && condition.0[31] == 0 && question < questions;
        is_place.then_some(Self { market, question, questions: Some(questions) })
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

    /// What the numerators are parts of: their sum.
    #[must_use]
    pub const fn denominator(&self) -> u64 {
        self.denominator
    }

    /// Whether one outcome takes all, so that nothing has to be divided.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.numerators.contains(&self.denominator)
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
    fn one_winner_is_whole_and_halves_are_not() {
        assert!(Payouts::winner(1, 2).unwrap().is_whole());
        assert!(Payouts::new(vec![0, 1_000_000]).unwrap().is_whole());
        assert!(!Payouts::new(vec![1, 1]).unwrap().is_whole());
    }

    #[test]
    fn a_question_names_its_place() {
        let market = B256::new([7; 32]).tap_last(0);
        let question = market.tap_last(9);
        let place = NegRiskPlace { market, question: 9, questions: None };
        assert_eq!(NegRiskPlace::of_question(market, question), Some(place));
        // Another market's question, no market at all, and a market whose id ends in something.
        assert_eq!(NegRiskPlace::of_question(B256::new([8; 32]).tap_last(0), question), None);
        assert_eq!(NegRiskPlace::of_question(B256::ZERO, B256::ZERO), None);
        assert_eq!(NegRiskPlace::of_question(question, question), None);
    }

    #[test]
    fn a_protocol_v2_condition_names_its_place() {
        let mut bytes = [0; 32];
        bytes[0] = 2;
        bytes[1..17].fill(0xab);
        bytes[18] = 3;
        let market = B256::new(bytes);
        bytes[30] = 3;
        let other = ConditionId(B256::new(bytes));
        let place = NegRiskPlace { market, question: 3, questions: Some(4) };
        assert_eq!(NegRiskPlace::of_condition(other), Some(place));
        for (index, byte) in [(0, 1), (29, 1), (30, 4), (31, 1), (17, 1)] {
            let mut bytes = bytes;
            bytes[index] = byte;
            assert_eq!(NegRiskPlace::of_condition(ConditionId(B256::new(bytes))), None, "{index}");
        }
    }

    trait TapLast {
        fn tap_last(self, last: u8) -> Self;
    }

    impl TapLast for B256 {
        fn tap_last(mut self, last: u8) -> Self {
            self[31] = last;
            self
        }
    }

    #[test]
    fn payouts_that_pay_nobody_do_not_exist() {
        assert_eq!(Payouts::new(vec![]), None);
        assert_eq!(Payouts::new(vec![0, 0]), None);
        assert_eq!(Payouts::new(vec![u64::MAX, 1]), None);
        assert_eq!(Payouts::winner(2, 2), None);
    }
}
