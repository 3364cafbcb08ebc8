//! A wallet's holding of one token at average cost, exact to the millionth of a dollar.
//!
//! Over a holding's whole life the realised results sum to exactly the cash that moved plus what the
//! remaining shares paid: every division's remainder stays in the cost that is still open.

use domain::{Payouts, Shares, Usd};

/// Shares of one token and what they cost.
///
/// Shares below zero mean that more left than was ever seen arriving; the arithmetic holds all the same, but what
/// left was of unknown cost and whoever judges by it must say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Shares held.
    pub shares: Shares,
    /// What the held shares cost, fees included; below zero for shares sold before they were seen, and for shares
    /// that came of a conversion which brought more cash than was given for it.
    pub cost: Usd,
    /// What has been sold or resolved, fees included.
    pub realized: Usd,
}

impl Holding {
    /// Books one change: `cash` dollars and `change` shares entered (or left, if negative). What it realised.
    pub fn book(&mut self, cash: Usd, change: Shares) -> Usd {
        let grows = self.shares.micros().signum() * change.micros().signum() >= 0;
        if grows {
            self.shares += change;
            self.cost -= cash;
            return Usd::ZERO;
        }
        let closing = change.abs().min(self.shares.abs());
        let cash_of_closing = cash.prorated(closing, change.abs());
        let cost_of_closing = self.cost.prorated(closing, self.shares.abs());
        let realized = cash_of_closing - cost_of_closing;
        self.realized += realized;
        // What is left is either still the old holding or, if the change was larger, a new one the other way.
        self.cost = self.cost - cost_of_closing - (cash - cash_of_closing);
        self.shares += change;
        realized
    }

    /// Books the resolution of the token: the shares pay `paid` and are gone. What that realised.
    pub fn settle(&mut self, paid: Usd) -> Usd {
        let realized = paid - self.cost;
        self.realized += realized;
        self.shares = Shares::ZERO;
        self.cost = Usd::ZERO;
        realized
    }

    /// What `amount` of the shares cost, as far as they are there.
    #[must_use]
    pub fn cost_of(&self, amount: Shares) -> Usd {
        if self.shares.is_positive() {
            self.cost.prorated(amount.min(self.shares), self.shares)
        } else {
            Usd::ZERO
        }
    }

    /// Whether more left than was ever seen arriving.
    #[must_use]
    pub fn is_uncovered(&self) -> bool {
        self.shares < -Shares::DUST
    }
}

/// Divides `total` into `parts` equal parts; the first ones are larger by what does not divide.
pub fn equal_parts(total: Usd, parts: usize) -> impl Iterator<Item = Usd> {
    let count = i64::try_from(parts).unwrap_or(i64::MAX).max(1);
    let (quotient, remainder) = (total.micros().div_euclid(count), total.micros().rem_euclid(count));
    (0..count).take(parts).map(move |part| Usd::from_micros(quotient + i64::from(part < remainder)))
}

/// What each of these holdings of a condition's outcomes (its place among them, and shares) is paid.
///
/// Parts of a millionth are never lost: everybody gets the whole part of their due, and what the whole parts leave
/// of the condition's collateral goes, a millionth each, to those whose parts are largest; among equals to those
/// who come first. Where the shares of all outcomes are equally many, the payments sum to exactly their number.
#[must_use]
pub fn apportion(payouts: &Payouts, held: &[(usize, Shares)]) -> Vec<Usd> {
    let whole = i128::from(payouts.denominator());
    let due = |&(outcome, shares): &(usize, Shares)| {
        let numerator = payouts.numerators().get(outcome).copied().unwrap_or(0);
        // 63 bits times 64 bits fit.
        let due = i128::from(shares.micros()) * i128::from(numerator);
        (due.div_euclid(whole), due.rem_euclid(whole))
    };
    let (mut paid, parts): (Vec<i128>, Vec<i128>) = held.iter().map(due).unzip();
    let mut largest_first: Vec<usize> = (0..held.len()).collect();
    largest_first.sort_by_key(|&index| std::cmp::Reverse(parts[index]));
    // There are never more millionths left than holdings.
    let mut left = parts.iter().fold(0i128, |sum, part| sum.saturating_add(*part)) / whole;
    for index in largest_first {
        if left == 0 {
            break;
        }
        paid[index] += 1;
        left -= 1;
    }
    let bounded = |micros: i128| i64::try_from(micros).unwrap_or(i64::MAX);
    paid.into_iter().map(|micros| Usd::from_micros(bounded(micros))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change() -> impl Strategy<Value = (i64, i64)> {
        // Dollars and shares of opposite signs, as a trade has them.
        (1i64..1_000_000_000, 1i64..1_000_000_000, any::<bool>())
            .prop_map(|(usd, shares, buys)| if buys { (-usd, shares) } else { (usd, -shares) })
    }

    #[test]
    fn average_cost_realises_at_the_sale() {
        let mut holding = Holding::default();
        holding.book(Usd::whole(-40), Shares::whole(100));
        holding.book(Usd::whole(-60), Shares::whole(100));
        assert_eq!(holding.book(Usd::whole(35), Shares::whole(-50)), Usd::whole(10));
        assert_eq!(holding.realized, Usd::whole(10));
        assert_eq!(holding.cost, Usd::whole(75));
        assert_eq!(holding.cost_of(Shares::whole(30)), Usd::whole(15));
        assert_eq!(holding.cost_of(Shares::whole(999)), Usd::whole(75));
    }

    #[test]
    fn losers_that_are_never_redeemed_are_losses() {
        let mut holding = Holding::default();
        holding.book(Usd::whole(-40), Shares::whole(100));
        assert_eq!(holding.settle(Usd::ZERO), Usd::whole(-40));
    }

    #[test]
    fn equal_parts_lose_nothing() {
        let parts: Vec<i64> = equal_parts(Usd::from_micros(-7), 3).map(Usd::micros).collect();
        assert_eq!(parts, [-2, -2, -3]);
        assert_eq!(equal_parts(Usd::whole(1), 0).count(), 0);
    }

    /// Seven millionths of each outcome at ⅓ and ⅔: 2.33, 4.67, and half a millionth that nobody can hold.
    #[test]
    fn the_largest_parts_are_rounded_up() {
        let thirds = Payouts::new(vec![333_333, 666_667]).unwrap();
        let micros = Shares::from_micros;
        let paid = apportion(&thirds, &[(0, micros(7)), (1, micros(3)), (1, micros(4))]);
        assert_eq!(paid.iter().map(|paid| paid.micros()).collect::<Vec<_>>(), [2, 2, 3]);
        let halves = Payouts::new(vec![1, 1]).unwrap();
        let paid = apportion(&halves, &[(0, micros(1)), (1, micros(1))]);
        assert_eq!(paid.iter().map(|paid| paid.micros()).collect::<Vec<_>>(), [1, 0]);
    }

    proptest! {
        #[test]
        fn realised_results_are_cash_plus_payout(
            changes in prop::collection::vec(change(), 0..40),
            wins in any::<bool>(),
        ) {
            let mut holding = Holding::default();
            let (mut cash_total, mut shares_total) = (0i64, 0i64);
            for (cash, shares) in changes {
                holding.book(Usd::from_micros(cash), Shares::from_micros(shares));
                cash_total += cash;
                shares_total += shares;
            }
            prop_assert_eq!(holding.shares.micros(), shares_total);
            prop_assert_eq!((holding.realized - holding.cost).micros(), cash_total);
            let payout = if wins { shares_total } else { 0 };
            holding.settle(Usd::from_micros(payout));
            prop_assert_eq!(holding.realized.micros(), cash_total + payout);
        }

        /// However a condition's shares are spread over holders, who may even hold less than nothing, the
        /// collateral is paid out to the last millionth, and nobody is a millionth away from their due.
        #[test]
        fn collateral_is_paid_to_the_last_millionth(
            spread in prop::collection::vec((0usize..2, -1_000_000i64..100_000_000), 1..30),
            part in 0u64..=1_000_000,
        ) {
            let payouts = Payouts::new(vec![part, 1_000_000 - part]).unwrap();
            let mut held: Vec<(usize, Shares)> =
                spread.iter().map(|(outcome, micros)| (*outcome, Shares::from_micros(*micros))).collect();
            let sum = |outcome| spread.iter().filter(|(of, _)| *of == outcome).map(|(_, micros)| micros).sum::<i64>();
            // One more holder of the outcome of which there are fewer.
            let (first, second) = (sum(0), sum(1));
            held.push((usize::from(second < first), Shares::from_micros((first - second).abs())));
            let paid = apportion(&payouts, &held);
            prop_assert_eq!(paid.iter().copied().sum::<Usd>().micros(), first.max(second));
            for ((outcome, shares), paid) in held.iter().zip(&paid) {
                let due = shares.to_f64() * payouts.fraction(*outcome);
                prop_assert!((paid.to_f64() - due).abs() < 1.1e-6);
            }
        }

        #[test]
        fn parts_sum_to_the_whole(total in any::<i32>(), parts in 1usize..40) {
            let total = Usd::from_micros(i64::from(total));
            prop_assert_eq!(equal_parts(total, parts).sum::<Usd>(), total);
        }
    }
}
