//! Who else bought: what copyable wallets of some standing put into each outcome in the last hours, whose edges together
//! say more than one of them.

use domain::{Skill, Timestamp, TokenId, Wallet};

use super::Engine;
use crate::policy::Policy;

/// How far back wallets are looked for that bought the same.
const WINDOW: i64 = 6 * Timestamp::HOUR;
/// How much of what each further wallet says the others have said already.
const OVERLAP: f64 = 0.7;

/// How far back the trades of wallets of standing matter at all, in microseconds: to who agrees, or to who disagrees.
pub(super) const fn window(policy: &Policy) -> i64 {
    let disagree = policy.filters.conflict_window;
    if disagree < WINDOW { WINDOW } else { disagree }
}

/// What wallets that bought the same are believed to know together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Consensus {
    pub(super) skill: Skill,
    /// How many they are, the candidate's own among them.
    pub(super) wallets: usize,
}

impl Consensus {
    /// Whoever bets is the first; each further one adds to the sum and to what it is divided by.
    fn of(own: Skill, others: impl Iterator<Item = Skill>) -> Self {
        let (mut kappa, mut variance, mut wallets) = (own.kappa, own.standard_error.powi(2), 1);
        for other in others {
            kappa += other.kappa;
            variance += other.standard_error.powi(2);
            wallets += 1;
        }
        let further = f64::from(u32::try_from(wallets - 1).unwrap_or(u32::MAX));
        let overlap = 1.0 + OVERLAP * further;
        Self { skill: Skill { kappa: kappa / overlap, standard_error: variance.sqrt() / overlap }, wallets }
    }
}

impl Engine {
    /// What a wallet's bet on a token and those of others who bought it before are believed to know together.
    pub(super) fn consensus(&self, wallet: Wallet, own: Skill, token: TokenId, at: Timestamp) -> Consensus {
        let is_other = |other: Wallet| other != wallet && self.ratings.peer(other).is_some();
        let bought = self.net_bought(token, at.plus_micros(-WINDOW), is_other);
        let buyers = bought.into_iter().filter(|(_, usd)| usd.is_positive());
        Consensus::of(own, buyers.filter_map(|(other, _)| self.ratings.peer(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallets_that_agree_say_more_than_one_and_less_than_their_sum() {
        let skill = |kappa, standard_error| Skill { kappa, standard_error };
        let own = skill(0.20, 0.04);
        assert_eq!(Consensus::of(own, std::iter::empty()), Consensus { skill: own, wallets: 1 });
        let Consensus { skill: both, wallets } = Consensus::of(own, [skill(0.14, 0.03)].into_iter());
        assert_eq!(wallets, 2);
        assert!((both.kappa - 0.34 / 1.7).abs() < 1e-12 && (both.standard_error - 0.05 / 1.7).abs() < 1e-12);
        let three = Consensus::of(own, [own, own].into_iter()).skill;
        assert!((three.kappa - 0.60 / 2.4).abs() < 1e-12);
    }
}
