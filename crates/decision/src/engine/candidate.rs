//! What makes a fill worth judging, and what speaks against it before its book is known.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ConditionId, ConfidenceModel, Fill, Market, Oracle, Price, Shares, Side, SignalKind, Timestamp, Timing,
    TokenId, Usd, Verdict, Wallet,
};

use super::Engine;
use crate::copyability::is_ultra_short;
use crate::fade::{self, Trigger};
use crate::limits::EntryStyle;
use crate::refusal::Reason;
use crate::sizing;
use crate::skill::probability_of_skill;

/// A possible signal that waits for its book.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) kind: SignalKind,
    pub(super) wallet: Wallet,
    /// Those who panic; nobody for a whale.
    pub(super) sellers: BTreeSet<Wallet>,
    pub(super) score: f64,
    pub(super) notional: Usd,
    /// The part of the entry that took what rested, or of all selling into bids that is the panic's, 0 to 1.
    pub(super) part: f64,
    pub(super) reference: Price,
    /// When the fill that led to it happened.
    pub(super) block_time: Timestamp,
    /// When the entry began; of a panic, when its fill happened.
    pub(super) since: Timestamp,
    /// When its book was asked for.
    pub(super) asked: Timestamp,
    /// How far a panic moved the price; nothing for a whale.
    pub(super) drop: f64,
    /// The same in log-odds.
    pub(super) fall: f64,
    /// What those it is about held, once the world has said so.
    held: BTreeMap<Wallet, Held>,
}

/// What a wallet held of the outcomes of a market at a moment.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) as_of: Timestamp,
    pub(super) shares: Vec<(TokenId, Shares)>,
}

impl Candidate {
    /// How many wallets it is about.
    pub(super) fn wallets(&self) -> usize {
        self.sellers.len().max(1)
    }

    /// Those of whom it must be known what they held.
    pub(super) fn asked_about(&self) -> Vec<Wallet> {
        match self.kind {
            SignalKind::FollowWhale => vec![self.wallet],
            SignalKind::FadeDegen => self.sellers.iter().copied().collect(),
        }
    }

    /// Takes in what somebody held, if the candidate is about them.
    pub(super) fn learn_held(&mut self, wallet: Wallet, held: Held) {
        if self.asked_about().contains(&wallet) {
            self.held.insert(wallet, held);
        }
    }

    /// What somebody held, where the world has said so.
    pub(super) fn held_by(&self, wallet: Wallet) -> Option<&Held> {
        self.held.get(&wallet)
    }
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
                let verdict = self.ratings.whale(fill.wallet)?;
                let (score, least) = (verdict.score, self.least_entry(verdict));
                let entry = self.entries.ask(fill.wallet, fill.token, least)?;
                Some(Candidate {
                    kind: SignalKind::FollowWhale,
                    wallet: fill.wallet,
                    sellers: BTreeSet::new(),
                    score,
                    notional: entry.notional,
                    part: part_of(entry.taken, entry.notional),
                    reference: entry.price,
                    block_time,
                    since: entry.since,
                    asked: at,
                    drop: 0.0,
                    fall: 0.0,
                    held: BTreeMap::new(),
                })
            }
            // Whoever sells: a panic that has come to rest is told by what is traded after it.
            Side::Sell => self.panic_candidate(fill, block_time, at),
        }
    }

    /// From how many dollars on an entry of a wallet is worth a look.
    fn least_entry(&self, verdict: &Verdict) -> Usd {
        let part = self.policy.filters.min_entry_of_median;
        let usual = verdict.median_cost.map_or(Usd::ZERO, |median| sizing::part_of(median, part));
        self.policy.min_whale_trade.max(usual)
    }

    fn panic_candidate(&mut self, fill: &Fill, block_time: Timestamp, at: Timestamp) -> Option<Candidate> {
        let ratings = &self.ratings;
        let is_degen = |wallet| ratings.degen(wallet).is_some();
        let trigger = Trigger { least_sellers: self.policy.min_panic_sellers, calm: self.policy.fade.calm };
        let panic = self.tapes.ask(fill.token, block_time, trigger, is_degen)?;
        let sellers = u32::try_from(panic.sellers.len()).unwrap_or(u32::MAX);
        let scores: f64 =
            panic.sellers.iter().filter_map(|wallet| self.ratings.degen(*wallet)).map(|v| v.score).sum();
        Some(Candidate {
            kind: SignalKind::FadeDegen,
            wallet: panic.last,
            score: scores / f64::from(sellers.max(1)),
            notional: panic.notional,
            part: part_of(panic.notional, panic.sold),
            reference: panic.price,
            block_time,
            since: block_time,
            asked: at,
            drop: panic.drop,
            fall: panic.fall,
            sellers: panic.sellers,
            held: BTreeMap::new(),
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
        let unfit = match candidate.kind {
            SignalKind::FollowWhale => self.unfit(candidate),
            SignalKind::FadeDegen => self.unmoved(candidate).or_else(|| self.ordinary(candidate, token)),
        };
        if unfit.is_some() {
            return unfit;
        }
        let Some(market) = self.tokens.get(&token).and_then(|condition| self.markets.get(condition)) else {
            return Some(Reason::UnknownMarket);
        };
        if self.resolved.contains_key(&market.condition) {
            return Some(Reason::Resolved);
        }
        match (candidate.kind, market.oracle) {
            (_, Some(Oracle::Disputed)) => return Some(Reason::Disputed),
            (SignalKind::FadeDegen, Some(Oracle::Proposed | Oracle::Settled)) => {
                return Some(Reason::Proposed);
            }
            _ => {}
        }
        let (price, policy) = (candidate.reference, &self.policy);
        let (minimum, maximum) = match candidate.kind {
            SignalKind::FollowWhale => (policy.filters.min_price, policy.filters.max_price),
            SignalKind::FadeDegen => (policy.fade.min_price, policy.fade.max_price),
        };
        if price < minimum || maximum < price {
            return Some(Reason::PriceBand { price, minimum, maximum });
        }
        self.untimely(candidate.kind, market, at).or_else(|| self.quiet(candidate, market, at))
    }

    /// What speaks against following the wallet itself.
    fn unfit(&self, candidate: &Candidate) -> Option<Reason> {
        let verdict = self.ratings.get(candidate.wallet)?;
        let (score, minimum) = (verdict.score, self.policy.min_whale_score);
        if score < minimum {
            return Some(Reason::Score { score, minimum });
        }
        if !verdict.is_copyable {
            return Some(Reason::NotCopyable);
        }
        if self.policy.confidence_model == ConfidenceModel::Skill
            && let Some(doubt) = self.doubtful(verdict)
        {
            return Some(doubt);
        }
        // Who rests as well has the same chance of being met.
        let takes = self.policy.limits.entry == EntryStyle::Take;
        let (part, minimum) = (candidate.part, self.policy.filters.min_taker_part);
        (takes && part < minimum).then_some(Reason::Resting { part, minimum })
    }

    /// Whether the wallet's record may well be luck, or came too late to be copied.
    fn doubtful(&self, verdict: &Verdict) -> Option<Reason> {
        let filters = &self.policy.filters;
        let (probability, minimum) =
            (probability_of_skill(verdict.skill).to_f64(), filters.min_skill_probability);
        if probability < minimum {
            return Some(Reason::Skill { probability, minimum });
        }
        let timing = verdict.timing.unwrap_or(Timing { observations: 0, copyable: 0.0, t: 0.0 });
        let (entries, minimum) = (filters.min_timed_entries, filters.min_timing);
        // A least of none lets everybody pass.
        let is_timed = entries <= timing.observations
            && (minimum <= 0.0 || 0.0 < timing.copyable && minimum <= timing.t);
        (!is_timed).then_some(Reason::Timing { timing, entries, minimum })
    }

    /// Whether somebody else does the selling.
    fn unmoved(&self, candidate: &Candidate) -> Option<Reason> {
        let (part, minimum) = (candidate.part, self.policy.fade.min_sell_share);
        (part < minimum).then_some(Reason::SellShare { part, minimum })
    }

    /// Whether a drop is one of the market's usual ones, or nobody can say so.
    fn ordinary(&self, candidate: &Candidate, token: TokenId) -> Option<Reason> {
        let (fade, fall) = (&self.policy.fade, candidate.fall);
        if fade.min_sigmas <= 0.0 {
            return None;
        }
        // What the panic itself moved says nothing about what is usual.
        let moves = self.volumes.moves(token, candidate.block_time.plus_micros(-fade::WINDOW));
        if moves.count < fade.min_moves {
            return Some(Reason::Unmeasured { moves: moves.count, minimum: fade.min_moves });
        }
        let (deviation, minimum) = (moves.deviation, fade.min_sigmas);
        (fall < minimum * deviation).then_some(Reason::Ordinary { fall, deviation, minimum })
    }

    /// Whether a market is too quiet for what is followed.
    fn quiet(&self, candidate: &Candidate, market: &Market, at: Timestamp) -> Option<Reason> {
        let filters = &self.policy.filters;
        if candidate.kind == SignalKind::FadeDegen {
            return None;
        }
        let (volume, minimum) = (self.volumes.of(&market.tokens, at), filters.min_volume);
        if volume < minimum {
            return Some(Reason::Volume { volume, minimum });
        }
        let (entry, maximum) = (candidate.notional, filters.max_volume_part);
        let is_all_of_it = maximum * volume.to_f64() < entry.to_f64();
        is_all_of_it.then_some(Reason::EntryOfVolume { entry, volume, maximum })
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

/// What part some dollars are of others; all of nothing.
fn part_of(some: Usd, all: Usd) -> f64 {
    if all.is_positive() { (some.to_f64() / all.to_f64()).min(1.0) } else { 1.0 }
}
