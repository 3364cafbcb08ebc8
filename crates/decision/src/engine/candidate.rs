//! What makes a fill worth judging, and what speaks against it before its book is known.

use domain::{ConditionId, Fill, Market, Price, Shares, Side, SignalKind, Timestamp, TokenId, Usd, Wallet};

use super::Engine;
use crate::copyability::is_ultra_short;
use crate::refusal::Reason;

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
        match fill.side {
            Side::Buy => {
                let score = self.ratings.whale(fill.wallet)?.score;
                let entry = self.entries.ask(fill.wallet, fill.token, self.policy.min_whale_trade)?;
                Some(Candidate {
                    kind: SignalKind::FollowWhale,
                    wallet: fill.wallet,
                    wallets: 1,
                    score,
                    notional: entry.notional,
                    reference: entry.price,
                    block_time,
                    since: entry.since,
                    asked: at,
                    drop: 0.0,
                    held: None,
                })
            }
            Side::Sell => {
                self.ratings.degen(fill.wallet)?;
                self.panic_candidate(fill, block_time, at)
            }
        }
    }

    fn panic_candidate(&mut self, fill: &Fill, block_time: Timestamp, at: Timestamp) -> Option<Candidate> {
        let ratings = &self.ratings;
        let is_degen = |wallet| ratings.degen(wallet).is_some();
        let panic = self.tapes.ask(fill.token, block_time, self.policy.min_panic_sellers, is_degen)?;
        let sellers = u32::try_from(panic.sellers.len()).unwrap_or(u32::MAX);
        let scores: f64 =
            panic.sellers.iter().filter_map(|wallet| self.ratings.degen(*wallet)).map(|v| v.score).sum();
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

    /// Whether a wallet counts as a whale.
    pub(super) fn is_whales(&self, wallet: Wallet) -> bool {
        self.ratings.whale(wallet).is_some()
    }

    /// What already speaks against a candidate before its book is known.
    pub(super) fn objection(&self, candidate: &Candidate, token: TokenId, at: Timestamp) -> Option<Reason> {
        if let Some(stale) = self.staleness(candidate, at) {
            return Some(stale);
        }
        if candidate.kind == SignalKind::FollowWhale {
            let verdict = self.ratings.get(candidate.wallet)?;
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
