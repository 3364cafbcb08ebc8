//! Who else trades the market, and what the candidate's wallet held in it: whales on the other side, whales that sell
//! into a panic, siblings that moved too, buyers who only close a bet.

use std::collections::BTreeMap;

use domain::{ConditionId, Market, Shares, SignalKind, Timestamp, TokenId, Usd, Wallet};

use super::Engine;
use super::candidate::Candidate;
use crate::fade;
use crate::refusal::Reason;

/// Dollars of whales in a market lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Whales {
    /// On the token.
    pub(super) with: Usd,
    /// On the market's other outcomes, or out of the token.
    pub(super) against: Usd,
    /// The part that is against, 0 to 1, where each whale's dollars are weighed by its edge κ̂: one that knows nothing says
    /// nothing. None of it where nobody knows anything.
    pub(super) opposed: f64,
}

/// A wallet's net shares of an outcome: those it has of it less those of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exposure {
    pub(super) before: Shares,
    pub(super) after: Shares,
}

impl Engine {
    /// What whales lately put into a token and into its market's other outcomes.
    pub(super) fn whales(&self, candidate: &Candidate, market: &Market, token: TokenId) -> Whales {
        let window = match candidate.kind {
            SignalKind::FollowWhale => self.policy.filters.conflict_window,
            SignalKind::FadeDegen => fade::WINDOW,
        };
        let since = candidate.block_time.plus_micros(-window);
        let (mut whales, mut with, mut against) = (Whales::default(), 0.0, 0.0);
        let mut count = |wallet: Wallet, usd: Usd| {
            let edge = self.ratings.whale(wallet).map_or(0.0, |verdict| verdict.skill.kappa.max(0.0));
            if usd.is_positive() {
                whales.with += usd;
                with += edge * usd.to_f64();
            } else {
                whales.against += -usd;
                against -= edge * usd.to_f64();
            }
        };
        let is_whale = |wallet| self.is_whales(wallet);
        self.net_bought(token, since, is_whale).into_iter().for_each(|(wallet, usd)| count(wallet, usd));
        for other in self.others(market.condition, token) {
            self.net_bought(other, since, is_whale).into_iter().for_each(|(wallet, usd)| count(wallet, -usd));
        }
        let all = with + against;
        whales.opposed = if 0.0 < all { against / all } else { 0.0 };
        whales
    }

    /// What each wallet of standing that `counts` net bought of a token since a moment, in dollars. The last minutes are
    /// those of all fills, so that they hold what a wallet did before it came to its standing; of the hours before them
    /// there is what those did who had it.
    pub(super) fn net_bought(
        &self,
        token: TokenId,
        since: Timestamp,
        counts: impl Fn(Wallet) -> bool,
    ) -> BTreeMap<Wallet, Usd> {
        let latest = Timestamp::from_micros(i64::MAX);
        let until = self.tapes.known_from(token).unwrap_or(latest);
        let mut net = self.flows.net_bought(token, since, until, &counts);
        for (wallet, usd) in self.tapes.net_bought(token, since.max(until), &counts) {
            *net.entry(wallet).or_default() += usd;
        }
        net
    }

    /// What whales have to say against a candidate.
    pub(super) fn conflict(&self, kind: SignalKind, whales: Whales) -> Option<Reason> {
        let Whales { with, against, opposed } = whales;
        match kind {
            SignalKind::FadeDegen => against.is_positive().then_some(Reason::WhaleSelling { sold: against }),
            SignalKind::FollowWhale => {
                let maximum = self.policy.filters.max_opposed;
                // Where all of it may be against the candidate, nobody asks.
                let is_asked = maximum < 1.0;
                let speaks_against = maximum < opposed || with <= against;
                (is_asked && speaks_against).then_some(Reason::Conflict { with, against, opposed, maximum })
            }
        }
    }

    /// What the wallet held net before its entry, and what it holds now. What nobody told is taken for nothing.
    pub(super) fn exposure(&self, candidate: &Candidate, market: &Market, token: TokenId) -> Exposure {
        let (since, oldest, latest) =
            (candidate.since, Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
        let flow = |from, until| {
            let own = self.tapes.flow(candidate.wallet, token, from, until);
            let others = self.others(market.condition, token);
            own - others.map(|other| self.tapes.flow(candidate.wallet, other, from, until)).sum()
        };
        let before = match candidate.held_by(candidate.wallet) {
            None => flow(oldest, since),
            Some(held) => {
                let sign = |(of, shares): &(TokenId, Shares)| if *of == token { *shares } else { -*shares };
                let told: Shares = held.shares.iter().map(sign).sum();
                // What was told may be older than the entry, or already hold a part of it.
                let told_until = held.as_of.plus_micros(1);
                told + flow(told_until, since) - flow(since, told_until)
            }
        };
        Exposure { before, after: before + flow(since, latest) }
    }

    /// How many of those who panic gave up a large part of what they held. What nobody told is taken for nothing: they
    /// gave up all of what they had.
    pub(super) fn giving_up(&self, candidate: &Candidate, token: TokenId) -> usize {
        let (since, latest) =
            (candidate.block_time.plus_micros(-fade::WINDOW), Timestamp::from_micros(i64::MAX));
        let gave_up = |wallet: &&Wallet| {
            let flow = |from, until| self.tapes.flow(**wallet, token, from, until);
            let before = candidate.held_by(**wallet).map_or(Shares::ZERO, |held| {
                let of_token = held.shares.iter().filter(|(of, _)| *of == token);
                let told: Shares = of_token.map(|(_, shares)| *shares).sum();
                let told_until = held.as_of.plus_micros(1);
                told + flow(told_until, since) - flow(since, told_until)
            });
            let sold = -flow(since, latest);
            self.policy.fade.min_part_sold * before.to_f64() <= sold.to_f64()
        };
        candidate.sellers.iter().filter(gave_up).count()
    }

    /// The market of the event that moved furthest in a panic's minutes, and how far, dollars a share.
    pub(super) fn sibling_move(&self, market: &Market, at: Timestamp) -> Option<(ConditionId, f64)> {
        let siblings = self.events.get(&market.event)?;
        siblings
            .iter()
            .filter(|sibling| **sibling != market.condition)
            .filter_map(|sibling| Some((*sibling, self.markets.get(sibling)?)))
            .flat_map(|(sibling, market)| market.tokens.iter().map(move |token| (sibling, *token)))
            .filter_map(|(sibling, token)| Some((sibling, self.tapes.moved(token, at)?)))
            .max_by(|(_, one), (_, other)| one.abs().total_cmp(&other.abs()))
    }
}
