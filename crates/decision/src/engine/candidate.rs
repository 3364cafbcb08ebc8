//! What makes a fill worth judging, and what speaks against it before its book is known.

use std::collections::BTreeMap;

use domain::{
    ConditionId, Fill, Market, Price, Shares, Side, SignalKind, Tier, Timestamp, TokenId, Usd, Verdict,
    Wallet,
};

use super::Engine;
use crate::copyability::is_ultra_short;
use crate::refusal::Reason;

/// How far the score of a wallet that is still a WHALE may have slipped before nobody asks about it any more: the
/// half point by which that tier is left later than it is reached (`ORDER_FLOW_STRATEGY.md` §2).
const HYSTERESIS: f64 = 0.5;

/// A possible signal that waits for its book.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) kind: SignalKind,
    pub(super) wallet: Wallet,
    pub(super) wallets: usize,
    pub(super) score: f64,
    pub(super) notional: Usd,
    pub(super) reference: Price,
    /// When the fill that led to it happened.
    pub(super) block_time: Timestamp,
    /// When the entry began; of a panic, when its fill happened.
    pub(super) since: Timestamp,
    /// When its book was asked for.
    pub(super) asked: Timestamp,
    /// How far a panic moved the price; nothing for a whale.
    pub(super) drop: f64,
    /// What the wallet held, once the world has said so.
    pub(super) held: Option<Held>,
}

/// What a wallet held of the outcomes of a market at a moment.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) as_of: Timestamp,
    pub(super) shares: Vec<(TokenId, Shares)>,
}

impl Engine {
    /// Whether this fill makes a whale's entry or a panic worth judging.
    pub(super) fn candidate(
        &mut self,
        fill: &Fill,
        block_time: Timestamp,
        at: Timestamp,
    ) -> Option<Candidate> {
        let verdict = *self.verdicts.get(&fill.wallet)?;
        if verdict.tier == Tier::Unrated {
            return None;
        }
        match fill.side {
            Side::Buy if self.is_whale(&verdict) => {
                let entry = self.entries.ask(fill.wallet, fill.token, self.policy.min_whale_trade)?;
                Some(Candidate {
                    kind: SignalKind::FollowWhale,
                    wallet: fill.wallet,
                    wallets: 1,
                    score: verdict.score,
                    notional: entry.notional,
                    reference: entry.price,
                    block_time,
                    since: entry.since,
                    asked: at,
                    drop: 0.0,
                    held: None,
                })
            }
            Side::Sell if is_degen(&self.verdicts, fill.wallet, self.policy.max_degen_score) => {
                self.panic_candidate(fill, block_time, at)
            }
            Side::Buy | Side::Sell => None,
        }
    }

    fn panic_candidate(&mut self, fill: &Fill, block_time: Timestamp, at: Timestamp) -> Option<Candidate> {
        let (verdicts, below) = (&self.verdicts, self.policy.max_degen_score);
        let is_degen = |wallet| is_degen(verdicts, wallet, below);
        let panic = self.tapes.ask(fill.token, block_time, self.policy.min_panic_sellers, is_degen)?;
        let sellers = u32::try_from(panic.sellers.len()).unwrap_or(u32::MAX);
        let scores: f64 =
            panic.sellers.iter().filter_map(|wallet| self.verdicts.get(wallet)).map(|v| v.score).sum();
        Some(Candidate {
            kind: SignalKind::FadeDegen,
            wallet: fill.wallet,
            wallets: panic.sellers.len(),
            score: scores / f64::from(sellers.max(1)),
            notional: panic.notional,
            reference: panic.price,
            block_time,
            since: block_time,
            asked: at,
            drop: panic.drop,
            held: None,
        })
    }

    /// Whether a wallet counts as a whale: by its score, or because it was one and has not slipped far. Only the
    /// score lets it be followed; that it may still know something counts against a bet on the other side.
    pub(super) fn is_whale(&self, verdict: &Verdict) -> bool {
        let minimum = self.policy.min_whale_score;
        let slipped = verdict.tier == Tier::Whale && minimum - HYSTERESIS <= verdict.score;
        verdict.tier != Tier::Unrated && (minimum <= verdict.score || slipped)
    }

    /// The same of a wallet.
    pub(super) fn is_whales(&self, wallet: Wallet) -> bool {
        self.verdicts.get(&wallet).is_some_and(|verdict| self.is_whale(verdict))
    }

    /// What already speaks against a candidate before its book is known.
    pub(super) fn objection(&self, candidate: &Candidate, token: TokenId, at: Timestamp) -> Option<Reason> {
        if let Some(stale) = self.staleness(candidate, at) {
            return Some(stale);
        }
        if candidate.kind == SignalKind::FollowWhale {
            let verdict = self.verdicts.get(&candidate.wallet)?;
            let (score, minimum) = (verdict.score, self.policy.min_whale_score);
            if score < minimum {
                return Some(Reason::Score { score, minimum });
            }
            if !verdict.is_copyable {
                return Some(Reason::NotCopyable);
            }
        }
        let Some(market) = self.tokens.get(&token).and_then(|condition| self.markets.get(condition)) else {
            return Some(Reason::UnknownMarket);
        };
        if self.resolved.contains_key(&market.condition) {
            return Some(Reason::Resolved);
        }
        let (price, filters) = (candidate.reference, &self.policy.filters);
        if price < filters.min_price || filters.max_price < price {
            let (minimum, maximum) = (filters.min_price, filters.max_price);
            return Some(Reason::PriceBand { price, minimum, maximum });
        }
        self.untimely(candidate.kind, market, at)
    }

    /// Whether a market ends too soon or too late. Where nobody has said when it ends, nothing speaks against it.
    fn untimely(&self, kind: SignalKind, market: &Market, at: Timestamp) -> Option<Reason> {
        let filters = &self.policy.filters;
        let ultra_short = is_ultra_short(&market.slug);
        if ultra_short && !filters.ultra_short {
            return Some(Reason::UltraShort);
        }
        let left = market.end?.micros_since(at);
        let minimum = match kind {
            SignalKind::FollowWhale => filters.min_time_left,
            SignalKind::FadeDegen => self.policy.fade.min_time_left,
        };
        if left < minimum && !ultra_short {
            return Some(Reason::EndsSoon { left, minimum });
        }
        let maximum = filters.max_time_left;
        (maximum < left).then_some(Reason::EndsLate { left, maximum })
    }

    /// Whether what a candidate is about happened too long ago: when we learn of it, and again when its book comes.
    pub(super) fn staleness(&self, candidate: &Candidate, at: Timestamp) -> Option<Reason> {
        let (age, limit) = (at.micros_since(candidate.block_time), self.policy.max_signal_age);
        (limit < age).then_some(Reason::Stale { age, limit })
    }

    /// The other outcomes of a token's market.
    pub(super) fn others(&self, condition: ConditionId, token: TokenId) -> impl Iterator<Item = TokenId> {
        let market = self.markets.get(&condition);
        market.into_iter().flat_map(|market| &market.tokens).copied().filter(move |other| *other != token)
    }
}

fn is_degen(verdicts: &BTreeMap<Wallet, Verdict>, wallet: Wallet, below: f64) -> bool {
    verdicts.get(&wallet).is_some_and(|verdict| verdict.tier != Tier::Unrated && verdict.score < below)
}
