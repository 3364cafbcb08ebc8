//! The verdicts that signals need. Of a million scored wallets most are neither followed nor feared, and keeping those
//! would cost most of the memory, and most of the time of every look.

use std::collections::BTreeMap;

use domain::{Skill, Tier, Verdict, Wallet};

/// How far the score of a wallet that is still a WHALE may have slipped before nobody asks about it any more: the
/// half point by which that tier is left later than it is reached (`ORDER_FLOW_STRATEGY.md` §2).
const HYSTERESIS: f64 = 0.5;

/// The verdicts of whales and of those that panic, and the skill of those that others may agree with.
#[derive(Clone, Debug)]
pub(super) struct Ratings {
    min_whale: f64,
    max_degen: f64,
    /// Few, and asked for at every print of a market that is judged.
    whales: BTreeMap<Wallet, Verdict>,
    degens: BTreeMap<Wallet, Verdict>,
    /// Of whom nothing else matters: copyable WHALE and SMART wallets.
    peers: BTreeMap<Wallet, Skill>,
}

impl Ratings {
    /// None yet; whales count from the first score, and those below the second panic.
    pub(super) const fn new(min_whale: f64, max_degen: f64) -> Self {
        Self {
            min_whale,
            max_degen,
            whales: BTreeMap::new(),
            degens: BTreeMap::new(),
            peers: BTreeMap::new(),
        }
    }

    /// Takes in a verdict, in place of the one before.
    pub(super) fn learn(&mut self, verdict: &Verdict) {
        let wallet = verdict.wallet;
        for (kept, belongs) in [
            (&mut self.whales, is_whale(verdict, self.min_whale)),
            (&mut self.degens, is_degen(verdict, self.max_degen)),
        ] {
            if belongs {
                kept.insert(wallet, *verdict);
            } else {
                kept.remove(&wallet);
            }
        }
        if verdict.is_copyable && matches!(verdict.tier, Tier::Whale | Tier::Smart) {
            self.peers.insert(wallet, verdict.skill);
        } else {
            self.peers.remove(&wallet);
        }
    }

    /// The skill of a copyable WHALE or SMART wallet.
    pub(super) fn peer(&self, wallet: Wallet) -> Option<Skill> {
        self.peers.get(&wallet).copied()
    }

    /// Whether what a wallet trades matters for hours: because it is a whale, or others may agree with it.
    pub(super) fn is_of_standing(&self, wallet: Wallet) -> bool {
        self.whales.contains_key(&wallet) || self.peers.contains_key(&wallet)
    }

    /// All of these, some of them twice.
    pub(super) fn of_standing(&self) -> impl Iterator<Item = Wallet> {
        self.whales.keys().chain(self.peers.keys()).copied()
    }

    /// The verdict of a wallet, if it matters.
    pub(super) fn get(&self, wallet: Wallet) -> Option<&Verdict> {
        self.whale(wallet).or_else(|| self.degen(wallet))
    }

    /// The verdict of a wallet that counts as a whale: by its score, or because it was one and has not slipped far.
    /// Only the score lets it be followed; that it may still know something counts against a bet on the other side.
    pub(super) fn whale(&self, wallet: Wallet) -> Option<&Verdict> {
        self.whales.get(&wallet)
    }

    /// The verdict of a wallet that counts as panicking.
    pub(super) fn degen(&self, wallet: Wallet) -> Option<&Verdict> {
        self.degens.get(&wallet)
    }
}

fn is_whale(verdict: &Verdict, minimum: f64) -> bool {
    let slipped = verdict.tier == Tier::Whale && minimum - HYSTERESIS <= verdict.score;
    verdict.tier != Tier::Unrated && (minimum <= verdict.score || slipped)
}

fn is_degen(verdict: &Verdict, below: f64) -> bool {
    verdict.tier != Tier::Unrated && verdict.score < below
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Skill;

    fn learn(ratings: &mut Ratings, score: f64, tier: Tier) -> (bool, bool) {
        let skill = Skill { kappa: 0.1, standard_error: 0.1 };
        let wallet = Wallet::default();
        ratings.learn(&Verdict {
            wallet,
            score,
            tier,
            skill,
            timing: None,
            median_cost: None,
            is_copyable: true,
        });
        assert_eq!(
            ratings.get(wallet).is_some(),
            ratings.whale(wallet).is_some() || ratings.degen(wallet).is_some()
        );
        (ratings.whale(wallet).is_some(), ratings.degen(wallet).is_some())
    }

    #[test]
    fn a_wallet_counts_as_its_last_verdict_says() {
        let mut ratings = Ratings::new(7.0, 3.0);
        assert_eq!(learn(&mut ratings, 7.0, Tier::Whale), (true, false));
        assert_eq!(learn(&mut ratings, 6.6, Tier::Whale), (true, false), "slipped, and still a whale");
        assert_eq!(learn(&mut ratings, 6.6, Tier::Smart), (false, false));
        assert_eq!(learn(&mut ratings, 2.9, Tier::Degen), (false, true));
        assert_eq!(learn(&mut ratings, 3.0, Tier::Novice), (false, false));
        assert_eq!(learn(&mut ratings, 9.0, Tier::Unrated), (false, false));
        assert_eq!(learn(&mut ratings, 1.0, Tier::Unrated), (false, false));
    }
}
