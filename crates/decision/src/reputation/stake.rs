//! What a wallet has in one question: its shares of both outcomes, and the decision they add up to.
//!
//! Shares of NO are treated as what they are, the absence of YES: buying NO at x is selling YES at 1 − x. So the
//! decision is one signed number, the exposure, and a flow of dollars that goes with it, in which a pair of YES and
//! NO is worth exactly a dollar and a split or merge moves nothing.

use domain::{Shares, Side, Timestamp, Usd};

use super::entry::Making;
use crate::ledger::Holding;

/// A wallet's shares of a question's outcomes; three lines of memory at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(32))]
pub(super) struct Stake {
    /// Whose and in what: their numbers.
    pub(super) wallet: u32,
    pub(super) question: u32,
    /// YES and NO; a lone token has only the first.
    pub(super) holdings: [Holding; 2],
    pub(super) bet: Option<Bet>,
    /// What the result has paid and nobody has collected; below zero for what was collected before the result.
    pub(super) owed: Usd,
    /// Whether there has ever been a decision in it.
    pub(super) was_decided: bool,
    /// Whether it changed since somebody last asked.
    pub(super) is_moved: bool,
    /// Of which of its tokens somebody was told that results of theirs concern the wallet: a bit each.
    pub(super) told: u8,
}

/// A decision that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bet {
    pub(super) opened: Timestamp,
    /// `Buy` is a bet on YES, `Sell` one on NO.
    pub(super) direction: Side,
    /// Shares of its direction got in all, and what they cost, fees included.
    pub(super) shares: Shares,
    pub(super) cost: Usd,
    /// All dollars so far, pairs at a dollar: with what is left at the end, the result.
    pub(super) flow: Usd,
    /// Dollars given for shares of either outcome.
    pub(super) spent: [Usd; 2],
    /// Something left that was never seen arriving, or came of such.
    pub(super) is_unknown: bool,
    /// The entry that is being made.
    pub(super) entry: Option<Making>,
}

/// What a change did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) realized: Usd,
    /// The decision that ended.
    pub(super) closed: Option<Bet>,
    /// The direction in which exposure grew, by how many shares at what cost in that direction.
    pub(super) grown: Option<(Side, Shares, Usd)>,
    /// Whether that opened a decision.
    pub(super) opens: bool,
}

impl Stake {
    /// Shares of YES less shares of NO.
    pub(super) fn exposure(&self) -> Shares {
        self.holdings[0].shares - self.holdings[1].shares
    }

    /// Reads all of it, lest what comes next waits for it.
    pub(super) fn touch(&self) -> u64 {
        let bet = self.bet.as_ref().map_or(0, |bet| bet.cost.micros() ^ bet.spent[1].micros());
        let read = self.holdings[0].cost.micros() ^ self.owed.micros() ^ bet;
        read.unsigned_abs() ^ u64::from(self.wallet) ^ u64::from(self.is_moved)
    }

    /// Books dollars and shares of one outcome.
    pub(super) fn book(&mut self, outcome: usize, cash: Usd, change: Shares, at: Timestamp) -> Done {
        let before = self.exposure();
        let Some(holding) = self.holdings.get_mut(outcome) else { return Done::default() };
        let realized = holding.book(cash, change);
        let (change, flow) =
            if outcome == 0 { (change, cash) } else { (-change, cash + Usd::from_micros(change.micros())) };
        let mut done = self.turn(before, change, flow, at);
        // What a hedge was paid for belongs to the decision that it ends.
        if let Some(bet) = done.closed.as_mut().or(self.bet.as_mut())
            && let Some(spent) = bet.spent.get_mut(outcome)
        {
            *spent += -cash.min(Usd::ZERO);
        }
        Done { realized, ..done }
    }

    /// Books a split of as many pairs, or a merge of them if it is negative: half of the dollar each.
    pub(super) fn book_pairs(&mut self, pairs: Shares) -> Done {
        let cash = -Usd::from_micros(pairs.micros());
        let mut realized = Usd::ZERO;
        for (holding, part) in self.holdings.iter_mut().zip(crate::ledger::equal_parts(cash, 2)) {
            realized += holding.book(part, pairs);
        }
        self.look_for_gaps();
        Done { realized, ..Done::default() }
    }

    /// Books the result: every share pays and is gone.
    pub(super) fn settle(&mut self, pays: [Usd; 2]) -> Done {
        let pairs = self.holdings[1].shares;
        let mut realized = Usd::ZERO;
        for (holding, paid) in self.holdings.iter_mut().zip(pays) {
            realized += holding.settle(paid);
        }
        let mut closed = self.bet.take();
        if let Some(bet) = &mut closed {
            // Of YES and NO together a dollar is counted already.
            bet.flow += pays[0] + pays[1] - Usd::from_micros(pairs.micros());
        }
        Done { realized, closed, ..Done::default() }
    }

    /// Whether there is anything that a result would pay for.
    pub(super) fn is_empty(&self) -> bool {
        self.bet.is_none()
            && self.holdings.iter().all(|held| held.shares == Shares::ZERO && held.cost == Usd::ZERO)
    }

    /// Whether a result would change anything: there is something for it to pay, or something was collected before it.
    pub(super) fn awaits_result(&self) -> bool {
        !self.is_empty() || self.owed < Usd::ZERO
    }

    /// What it says, without numbers and without the mark of who has asked.
    pub(super) fn alone(&self) -> Self {
        let bet = self.bet.map(|bet| Bet { entry: None, ..bet });
        Self { wallet: 0, question: 0, bet, is_moved: false, told: 0, ..*self }
    }

    /// Marks the open decision where shares left that were never seen arriving.
    pub(super) fn look_for_gaps(&mut self) {
        let is_uncovered = self.holdings.iter().any(Holding::is_uncovered);
        if let Some(bet) = &mut self.bet {
            bet.is_unknown |= is_uncovered;
        }
    }

    /// Marks the open decision as one of unknown cost.
    pub(super) fn doubt(&mut self) {
        if let Some(bet) = &mut self.bet {
            bet.is_unknown = true;
        }
    }

    /// Moves the exposure from `before` by `change`, with the dollars that go with it.
    fn turn(&mut self, before: Shares, change: Shares, flow: Usd, at: Timestamp) -> Done {
        let mut done = Done::default();
        let mut rest = (change, flow);
        if let Some(bet) = &mut self.bet
            && direction(change).is_some_and(|direction| direction != bet.direction)
        {
            let closing = change.abs().min(before.abs());
            let closing_flow = flow.prorated(closing, change.abs());
            bet.flow += closing_flow;
            let left = change.abs() - closing;
            rest = (if change.is_positive() { left } else { -left }, flow - closing_flow);
            if (before + change).abs() < Shares::DUST || left > Shares::ZERO {
                // What does not even make a new decision belongs to the old one.
                if left < Shares::DUST {
                    bet.flow += rest.1;
                    rest = (Shares::ZERO, Usd::ZERO);
                }
                done.closed = self.bet.take();
            }
        }
        if let Some(direction) = direction(rest.0) {
            self.grow(direction, rest, at, &mut done);
        }
        self.look_for_gaps();
        done
    }

    fn grow(&mut self, direction: Side, (change, flow): (Shares, Usd), at: Timestamp, done: &mut Done) {
        let shares = change.abs();
        let cost = match direction {
            Side::Buy => -flow,
            Side::Sell => Usd::from_micros(shares.micros()) - flow,
        };
        if self.bet.is_none() {
            if self.exposure().abs() < Shares::DUST {
                return;
            }
            self.bet = Some(Bet {
                opened: at,
                direction,
                shares: Shares::ZERO,
                cost: Usd::ZERO,
                flow: Usd::ZERO,
                spent: [Usd::ZERO; 2],
                is_unknown: false,
                entry: None,
            });
            done.opens = true;
        }
        if let Some(bet) = &mut self.bet {
            bet.shares += shares;
            bet.cost += cost;
            bet.flow += flow;
        }
        done.grown = Some((direction, shares, cost));
    }
}

/// Which way an exposure moves.
fn direction(change: Shares) -> Option<Side> {
    match change.micros().signum() {
        1 => Some(Side::Buy),
        -1 => Some(Side::Sell),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_micros(0);

    fn trade(stake: &mut Stake, outcome: usize, shares: i32, dollars: i32) -> Done {
        stake.book(outcome, Usd::whole(dollars), Shares::whole(shares), AT)
    }

    #[test]
    fn no_at_x_is_yes_at_one_less_x() {
        let mut stake = Stake::default();
        trade(&mut stake, 0, 100, -40);
        // Buying NO for 55 gives up YES for 45: the pairs are worth 100 whatever happens.
        let done = trade(&mut stake, 1, 100, -55);
        let bet = done.closed.unwrap();
        assert_eq!((bet.direction, bet.shares, bet.cost), (Side::Buy, Shares::whole(100), Usd::whole(40)));
        assert_eq!((bet.flow, done.realized, stake.bet), (Usd::whole(5), Usd::ZERO, None));
        assert_eq!(stake.book_pairs(Shares::whole(-100)).realized, Usd::whole(5));
    }

    #[test]
    fn a_decision_on_no_has_the_price_of_no() {
        let mut stake = Stake::default();
        // A split and a sale of YES at 70 cents is a purchase of NO at 30.
        stake.book_pairs(Shares::whole(100));
        assert_eq!(stake.bet, None);
        let done = trade(&mut stake, 0, -100, 70);
        assert_eq!(done.grown, Some((Side::Sell, Shares::whole(100), Usd::whole(30))));
        let closed = stake.settle([Usd::ZERO, Usd::whole(100)]).closed.unwrap();
        assert_eq!((closed.flow, closed.is_unknown), (Usd::whole(70), false));
    }

    #[test]
    fn what_goes_beyond_zero_ends_one_decision_and_begins_another() {
        let mut stake = Stake::default();
        trade(&mut stake, 0, 100, -40);
        let done = trade(&mut stake, 1, 150, -75);
        assert_eq!(done.closed.unwrap().flow, Usd::whole(10));
        assert!(done.opens);
        let bet = stake.bet.unwrap();
        assert_eq!((bet.direction, bet.shares, bet.cost), (Side::Sell, Shares::whole(50), Usd::whole(25)));
    }

    #[test]
    fn shares_that_never_arrived_make_the_cost_unknown() {
        let mut stake = Stake::default();
        trade(&mut stake, 0, 100, -40);
        trade(&mut stake, 0, -150, 90);
        assert!(stake.bet.unwrap().is_unknown);
        // Merged where only one side was seen.
        let mut stake = Stake::default();
        trade(&mut stake, 0, 100, -40);
        stake.book_pairs(Shares::whole(-60));
        assert!(stake.bet.unwrap().is_unknown);
    }

    #[test]
    fn dust_ends_a_decision() {
        let mut stake = Stake::default();
        trade(&mut stake, 0, 100, -40);
        let almost = Shares::from_micros(-99_995_000);
        let closed = stake.book(0, Usd::whole(50), almost, AT).closed.unwrap();
        assert_eq!(closed.flow, Usd::whole(10));
        assert_eq!(stake.exposure(), Shares::from_micros(5_000));
        assert_eq!(stake.settle([Usd::from_micros(5_000), Usd::ZERO]).closed, None);
    }
}
