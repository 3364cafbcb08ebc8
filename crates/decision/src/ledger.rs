//! A wallet's holding of one token at average cost, exact to the millionth of a dollar.
//!
//! Over a holding's whole life the realised results sum to exactly the cash that moved plus what the
//! remaining shares paid: every division's remainder stays in the cost that is still open.

use domain::{Payouts, Shares, Usd};

/// Shares of one token and what they cost.
///
/// Shares below zero mean that more was sold than was ever seen arriving; the arithmetic holds all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Shares held.
    pub shares: Shares,
    /// What the held shares cost, fees included; below zero for shares sold before they were seen.
    pub cost: Usd,
    /// What has been sold or resolved, fees included.
    pub realized: Usd,
}

impl Holding {
    /// Books one change: `cash` dollars and `change` shares entered (or left, if negative).
    pub fn book(&mut self, cash: Usd, change: Shares) {
        let grows = self.shares.micros().signum() * change.micros().signum() >= 0;
        if grows {
            self.shares += change;
            self.cost -= cash;
            return;
        }
        let closing = change.abs().min(self.shares.abs());
        let cash_of_closing = cash.prorated(closing, change.abs());
        let cost_of_closing = self.cost.prorated(closing, self.shares.abs());
        self.realized += cash_of_closing - cost_of_closing;
        // What is left is either still the old holding or, if the change was larger, a new one the other way.
        self.cost = self.cost - cost_of_closing - (cash - cash_of_closing);
        self.shares += change;
    }

    /// Books the resolution of the token: the shares pay and are gone.
    pub fn resolve(&mut self, payouts: &Payouts, outcome: usize) {
        self.realized += payouts.pays(outcome, self.shares) - self.cost;
        self.shares = Shares::ZERO;
        self.cost = Usd::ZERO;
    }
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
        holding.book(Usd::whole(35), Shares::whole(-50));
        assert_eq!(holding.realized, Usd::whole(10));
        assert_eq!(holding.cost, Usd::whole(75));
    }

    #[test]
    fn losers_that_are_never_redeemed_are_losses() {
        let mut holding = Holding::default();
        holding.book(Usd::whole(-40), Shares::whole(100));
        holding.resolve(&Payouts::winner(0, 2).unwrap(), 1);
        assert_eq!(holding.realized, Usd::whole(-40));
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
            holding.resolve(&Payouts::winner(usize::from(!wins), 2).unwrap(), 0);
            let payout = if wins { shares_total } else { 0 };
            prop_assert_eq!(holding.realized.micros(), cash_total + payout);
        }
    }
}
