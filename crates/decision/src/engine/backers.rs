//! Who else bought: what copyable wallets of some standing put into each outcome in the last hours, whose edges together
//! say more than one of them.

use std::collections::{BTreeMap, VecDeque};

use domain::{Fill, Shares, Side, Skill, Timestamp, TokenId, Wallet};

use super::Engine;

/// How far back wallets are looked for that bought the same.
pub const WINDOW: i64 = 6 * Timestamp::HOUR;
/// How much of what each further wallet says the others have said already.
const OVERLAP: f64 = 0.7;

/// The fills of copyable WHALE and SMART wallets of the last hours, by token. Who was neither when it traded is not among
/// them: to keep everybody's would take hundreds of times the memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Backers {
    prints: BTreeMap<TokenId, VecDeque<Print>>,
    swept: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Print {
    at: Timestamp,
    wallet: Wallet,
    /// Below none for a sale.
    shares: Shares,
}

/// What wallets that bought the same are believed to know together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Consensus {
    pub(super) skill: Skill,
    /// How many they are, the candidate's own among them.
    pub(super) wallets: usize,
}

impl Backers {
    fn observe(&mut self, fill: &Fill, at: Timestamp) {
        self.sweep(at);
        let shares = if fill.side == Side::Buy { fill.shares } else { -fill.shares };
        let prints = self.prints.entry(fill.token).or_default();
        prints.push_back(Print { at, wallet: fill.wallet, shares });
        while prints.front().is_some_and(|oldest| WINDOW < at.micros_since(oldest.at)) {
            prints.pop_front();
        }
    }

    /// Who net bought a token since a moment.
    fn buyers(&self, token: TokenId, since: Timestamp) -> impl Iterator<Item = Wallet> {
        let mut net: BTreeMap<Wallet, Shares> = BTreeMap::new();
        let prints = self.prints.get(&token).into_iter().flatten();
        for print in prints.filter(|print| since <= print.at) {
            *net.entry(print.wallet).or_default() += print.shares;
        }
        net.into_iter().filter(|(_, shares)| shares.is_positive()).map(|(wallet, _)| wallet)
    }

    /// Forgets the tokens that none of them trades any more, now and then.
    fn sweep(&mut self, at: Timestamp) {
        if Timestamp::HOUR <= at.micros_since(self.swept) {
            let is_recent = |print: &Print| at.micros_since(print.at) <= WINDOW;
            self.prints.retain(|_, prints| prints.back().is_some_and(is_recent));
            self.swept = at;
        }
    }
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
        let buyers = self.backers.buyers(token, at.plus_micros(-WINDOW));
        Consensus::of(
            own,
            buyers.filter(|other| *other != wallet).filter_map(|other| self.ratings.peer(other)),
        )
    }

    /// Takes in a fill from hours before a restart, of which nothing but who bought still matters.
    pub fn remember_backer(&mut self, fill: &Fill, block_time: Timestamp) {
        if self.ratings.peer(fill.wallet).is_some() {
            self.backers.observe(fill, block_time);
        }
    }

    /// The wallets whose fills of the last hours matter ([`WINDOW`]).
    pub fn peers(&self) -> impl Iterator<Item = Wallet> {
        self.ratings.peers()
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
