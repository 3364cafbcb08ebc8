//! A candidate against its book: what it is believed to be worth, what it may cost, and so whether it is a signal.

use domain::{
    Appraisal, Book, Category, ConfidenceModel, Further, Horizon, Market, Order, Price, Rounding, Signal,
    SignalKind, Skill, Timestamp, TokenId, Usd,
};

use super::Engine;
use super::candidate::Candidate;
use super::company::{Exposure, Whales};
use super::consensus::Consensus;
use crate::bet::Bet;
use crate::confidence::{self, Estimate};
use crate::limits::EntryStyle;
use crate::refusal::Reason;
use crate::skill::probability_of_skill;
use crate::{risk, sizing, venue};

/// The most the limit may lie above the whale's price under the skill model, dollars a share.
const MAX_RUN_UP: f64 = 0.02;
/// The smallest full Kelly fraction worth an order (`ORDER_FLOW_STRATEGY.md` §7).
const MIN_KELLY: f64 = 0.01;

/// Why a candidate is no signal, and what it looked like, as far as it was looked at.
pub(super) type Refused = (Reason, Option<Box<Appraisal>>);

/// What a trade looks like at one price.
struct View {
    estimate: Estimate,
    cost: f64,
    kelly: f64,
    stake: Usd,
}

/// A candidate with its book and market.
#[derive(Clone, Copy)]
struct Sight<'a> {
    candidate: &'a Candidate,
    book: &'a Book,
    market: &'a Market,
    outcome: usize,
    bid: Price,
    ask: Price,
    mid: Price,
    /// What its wallet and others who bought the same know together.
    consensus: Consensus,
    at: Timestamp,
}

impl Engine {
    /// Prices a candidate against its book: a signal, or why not.
    pub(super) fn judge(&self, candidate: &Candidate, book: &Book, at: Timestamp) -> Result<Signal, Refused> {
        let unseen = |reason| (reason, None);
        if let Some(stale) = self.staleness(candidate, at) {
            return Err(unseen(stale));
        }
        let market = self.tokens.get(&book.token).and_then(|condition| self.markets.get(condition));
        let market = market.ok_or_else(|| unseen(Reason::UnknownMarket))?;
        let outcome = market.outcome_index(book.token).ok_or_else(|| unseen(Reason::UnknownMarket))?;
        let (Some(bid), Some(ask), Some(mid)) = (book.best_bid(), book.best_ask(), book.mid()) else {
            return Err(unseen(Reason::OneSidedBook));
        };
        let consensus = self.consensus_of(candidate, book.token);
        let sight = Sight { candidate, book, market, outcome, bid, ask, mid, consensus, at };
        let (appraisal, stake) = self.appraise(sight);
        match self.fault(sight, &appraisal) {
            Some(reason) => Err((reason, Some(Box::new(appraisal)))),
            None => self.signal(sight, appraisal, stake),
        }
    }

    /// Everything that a candidate is judged on, and the stake it would get.
    fn appraise(&self, sight: Sight<'_>) -> (Appraisal, Usd) {
        let Sight { candidate, book, market, ask, mid, at, .. } = sight;
        let limit = self.limit(sight);
        // The stake decides how deep the order walks, and the price walked decides the stake: the first
        // estimate at the best offer, the second at the average the first would have paid.
        let depth = depth(book, limit);
        let share = Usd::from_micros(depth.micros() / i64::from(self.policy.filters.depth_multiple.max(1)));
        let (share, expected) = match self.policy.entry(candidate.kind) {
            EntryStyle::Take => {
                let first = self.price_at(sight, ask);
                let walked = venue::walk(book, limit, first.stake.min(share), market.fee_rate_ppm);
                (share, walked.average().unwrap_or(ask))
            }
            // Whoever comes to it brings what it takes.
            EntryStyle::Rest { .. } => (Usd::from_micros(i64::MAX), limit),
        };
        let view = self.price_at(sight, expected);
        let Whales { with, against, opposed } = self.whales(candidate, market, book.token);
        let exposure = self.exposure(candidate, market, book.token);
        let skill = self.skill_of(candidate);
        let beliefs = self.experience.beliefs();
        let [edge, taken, size, run_up] = beliefs.weights.coefficients();
        let levels = |side: &[domain::Level]| side.iter().take(Appraisal::LEVELS).copied().collect();
        let appraisal = Appraisal {
            condition: market.condition,
            event: market.event.clone(),
            outcome: sight.outcome,
            book_at: book.at,
            bids: levels(&book.bids),
            asks: levels(&book.asks),
            market_price: mid,
            fair_price: self.fair(sight),
            spread: ask.to_f64() - sight.bid.to_f64(),
            depth,
            reference_price: candidate.reference,
            run_up: mid.to_f64() - candidate.reference.to_f64(),
            age: at.micros_since(candidate.block_time),
            waited: at.micros_since(candidate.asked),
            score: candidate.score,
            kappa: skill.kappa,
            kappa_error: skill.standard_error,
            consensus: sight.consensus.skill,
            backers: sight.consensus.wallets,
            skill_probability: probability_of_skill(skill).to_f64(),
            timing_t: self.timing_of(candidate),
            part: candidate.part,
            median_cost: self.median_cost(candidate),
            size: self.size_of(candidate),
            volume: self.volumes.of(&market.tokens, at),
            drop: candidate.drop,
            whales_with: with,
            whales_against: against,
            whales_opposed: opposed,
            held_before: candidate.held_by(candidate.wallet).map(|_| exposure.before),
            coefficient: match candidate.kind {
                SignalKind::FollowWhale => edge,
                SignalKind::FadeDegen => beliefs.rebound,
            },
            further: (candidate.kind == SignalKind::FollowWhale).then_some(Further { taken, size, run_up }),
            fee_rate_ppm: self.entry_fee_rate(candidate.kind, market),
            latency_cost: self.latency_cost(candidate.kind),
            expected_price: expected,
            limit_price: limit,
            cost: view.cost,
            probability: view.estimate.probability.to_f64(),
            error: view.estimate.error,
            confidence: view.estimate.confidence.to_f64(),
            kelly: view.kelly,
            policy: self.digest.clone(),
        };
        (appraisal, view.stake.min(share))
    }

    /// The first thing that speaks against a candidate whose book is known.
    fn fault(&self, sight: Sight<'_>, appraisal: &Appraisal) -> Option<Reason> {
        let Sight { candidate, market, bid, ask, mid, .. } = sight;
        let (filters, token) = (&self.policy.filters, sight.book.token);
        let takes = self.policy.entry(candidate.kind) == EntryStyle::Take;
        if takes && appraisal.limit_price < ask {
            return Some(Reason::AboveLimit { ask, limit: appraisal.limit_price });
        }
        if filters.max_spread.ppm() < ask.ppm() - bid.ppm() {
            return Some(Reason::Spread { bid, ask, maximum: filters.max_spread });
        }
        if candidate.kind == SignalKind::FollowWhale {
            let Exposure { before, after } = self.exposure(candidate, market, token);
            if after < before.max(-before) {
                return Some(Reason::Closing { before, after });
            }
            if candidate.reference.ppm().saturating_add(filters.max_run_up.ppm()) < mid.ppm() {
                let (whale, maximum) = (candidate.reference, filters.max_run_up);
                return Some(Reason::RunUp { whale, mid, maximum });
            }
        }
        let (with, against) = (appraisal.whales_with, appraisal.whales_against);
        let whales = Whales { with, against, opposed: appraisal.whales_opposed };
        if let Some(conflict) = self.conflict(candidate.kind, whales) {
            return Some(conflict);
        }
        if candidate.kind == SignalKind::FadeDegen {
            let (sellers, minimum) = (self.giving_up(candidate, token), self.policy.min_panic_sellers);
            if sellers < minimum {
                let part = self.policy.fade.min_part_sold;
                return Some(Reason::NoPanic { sellers, minimum, part });
            }
            if let Some(news) = self.news(sight) {
                return Some(news);
            }
        }
        let needed = Usd::from_micros(
            self.policy.min_stake.micros().saturating_mul(i64::from(filters.depth_multiple)),
        );
        if takes && appraisal.depth < needed {
            return Some(Reason::Depth { depth: appraisal.depth, needed });
        }
        let (confidence, minimum) = (appraisal.confidence, self.policy.min_confidence);
        if confidence < minimum {
            return Some(Reason::Confidence { confidence, minimum });
        }
        self.meagre(appraisal)
    }

    /// Whether too little of the edge is left. The strategy read literally asks no more than that Kelly stakes something.
    fn meagre(&self, appraisal: &Appraisal) -> Option<Reason> {
        let (probability, cost) = (appraisal.probability, appraisal.cost);
        let asked = match self.policy.confidence_model {
            ConfidenceModel::Score => 0.0,
            ConfidenceModel::Skill => {
                let filters = &self.policy.filters;
                filters.min_edge.max(filters.min_edge_part * cost)
            }
        };
        let is_meagre = probability - cost < asked || appraisal.kelly < MIN_KELLY;
        // Kelly's fraction in the same unit: it is the edge over what a share can win.
        let minimum = asked.max(MIN_KELLY * (1.0 - cost));
        is_meagre.then_some(Reason::NoEdge { probability, cost, minimum })
    }

    /// Whether a panic is one: where the event's other markets moved as well, something happened.
    fn news(&self, sight: Sight<'_>) -> Option<Reason> {
        let maximum = self.policy.fade.max_sibling_move;
        let (sibling, moved) = self.sibling_move(sight.market, sight.candidate.block_time)?;
        (maximum.to_f64() <= moved.abs()).then_some(Reason::News { sibling, moved, maximum })
    }

    fn signal(&self, sight: Sight<'_>, appraisal: Appraisal, stake: Usd) -> Result<Signal, Refused> {
        let Sight { candidate, market, .. } = sight;
        let Some(verdict) = self.ratings.get(candidate.wallet) else {
            return Err((Reason::UnknownMarket, Some(Box::new(appraisal))));
        };
        Ok(Signal {
            id: self.last_signal + 1,
            at: sight.at,
            kind: candidate.kind,
            wallet: candidate.wallet,
            score: candidate.score,
            tier: verdict.tier,
            skill: verdict.skill,
            wallets: candidate.wallets(),
            notional: candidate.notional,
            reference_price: candidate.reference,
            condition: market.condition,
            token: sight.book.token,
            title: market.title.clone(),
            outcome: market.outcomes.get(sight.outcome).cloned().unwrap_or_default(),
            model: self.policy.confidence_model,
            probability: appraisal.probability,
            confidence: appraisal.confidence,
            market_price: appraisal.market_price,
            expected_price: appraisal.expected_price,
            limit_price: appraisal.limit_price,
            kelly: appraisal.kelly,
            kelly_applied: appraisal.kelly * self.policy.kelly_fraction,
            stake,
            fee_rate_ppm: self.entry_fee_rate(candidate.kind, market),
            shadow: candidate.kind == SignalKind::FadeDegen && !self.policy.fade.live,
            appraisal: Box::new(appraisal),
        })
    }

    /// The highest price the order may pay.
    fn limit(&self, sight: Sight<'_>) -> Price {
        let Sight { candidate, book, bid, ask, .. } = sight;
        match (self.policy.entry(candidate.kind), candidate.kind) {
            (EntryStyle::Rest { .. }, SignalKind::FollowWhale) => {
                return sizing::resting_price(candidate.reference, bid, ask, book.tick);
            }
            // Whoever bids more than the others in a panic is sold to first by those who know why.
            (EntryStyle::Rest { .. }, SignalKind::FadeDegen) => return bid,
            (EntryStyle::Take, _) => {}
        }
        // The strategy's example rounds 0.756 to 0.76. A limit that is meant to protect rounds down.
        let rounding = match self.policy.confidence_model {
            ConfidenceModel::Score => Rounding::Nearest,
            ConfidenceModel::Skill => Rounding::Down,
        };
        sizing::limit_price(candidate.reference, self.slippage(sight), book.tick, rounding)
    }

    /// How far above the reference price the order may go, as a fraction of it.
    ///
    /// The strategy's 5 % is the outer bound. It is larger than the whole documented edge, so the skill model
    /// gives away at most half of what it expects to gain, and two cents (`ORDER_FLOW_STRATEGY.md` §5).
    fn slippage(&self, sight: Sight<'_>) -> f64 {
        match self.policy.confidence_model {
            ConfidenceModel::Score => self.policy.max_slippage,
            ConfidenceModel::Skill => {
                let reference = sight.candidate.reference.to_f64();
                let probability = self.price_at(sight, sight.ask).estimate.probability.to_f64();
                let edge = (probability - reference).max(0.0);
                ((0.5 * edge).min(MAX_RUN_UP) / reference).min(self.policy.max_slippage)
            }
        }
    }

    /// What is lost until an order arrives. The strategy read literally knows of no such thing, and what rests is filled at
    /// its own price.
    fn latency_cost(&self, kind: SignalKind) -> f64 {
        match (self.policy.confidence_model, self.policy.entry(kind)) {
            (ConfidenceModel::Score, _) | (_, EntryStyle::Rest { .. }) => 0.0,
            (ConfidenceModel::Skill, EntryStyle::Take) => self.policy.filters.latency_cost,
        }
    }

    /// The rate of the fee that an entry pays: who rests pays none (docs.polymarket.com/trading/fees).
    const fn entry_fee_rate(&self, kind: SignalKind, market: &Market) -> u32 {
        match self.policy.entry(kind) {
            EntryStyle::Take => market.fee_rate_ppm,
            EntryStyle::Rest { .. } => 0,
        }
    }

    /// The skill a candidate is judged by: that of the whale. A panic has none.
    fn skill_of(&self, candidate: &Candidate) -> Skill {
        let verdict = self.ratings.get(candidate.wallet);
        match (candidate.kind, verdict) {
            (SignalKind::FollowWhale, Some(verdict)) => verdict.skill,
            _ => Skill { kappa: 0.0, standard_error: 1.0 },
        }
    }

    /// How sure it is that copying the wallet's entries would have gained. A panic has no such thing.
    fn timing_of(&self, candidate: &Candidate) -> Option<f64> {
        let verdict = self.ratings.get(candidate.wallet);
        let timing = verdict.filter(|_| candidate.kind == SignalKind::FollowWhale)?.timing?;
        Some(timing.t)
    }

    /// What the whale and others who bought the same know together. Panics agree on nothing.
    fn consensus_of(&self, candidate: &Candidate, token: TokenId) -> Consensus {
        let own = self.skill_of(candidate);
        match candidate.kind {
            SignalKind::FollowWhale => self.consensus(candidate.wallet, own, token, candidate.block_time),
            SignalKind::FadeDegen => Consensus { skill: own, wallets: 0 },
        }
    }

    /// What the wallet's decisions usually cost. A panic has no such thing.
    fn median_cost(&self, candidate: &Candidate) -> Option<Usd> {
        let verdict = self.ratings.get(candidate.wallet);
        verdict.filter(|_| candidate.kind == SignalKind::FollowWhale)?.median_cost
    }

    /// How many times that an entry costs.
    fn size_of(&self, candidate: &Candidate) -> Option<f64> {
        let usual = self.median_cost(candidate).filter(|usual| usual.is_positive())?;
        Some(candidate.notional.to_f64() / usual.to_f64())
    }

    /// A whale's bet, as far as the belief in it cares.
    fn bet(&self, sight: Sight<'_>) -> Bet {
        let Sight { candidate, mid, .. } = sight;
        Bet {
            fair: self.fair(sight),
            skill: sight.consensus.skill,
            part: candidate.part,
            size: self.size_of(candidate),
            run_up: mid.to_f64() - candidate.reference.to_f64(),
        }
    }

    /// What the middle of the book is worth.
    fn fair(&self, sight: Sight<'_>) -> f64 {
        let Sight { market, mid, at, .. } = sight;
        let category = Category::of(market.category.as_deref());
        self.prices.fair(mid.to_f64(), category, Horizon::of(at, market.end))
    }

    fn price_at(&self, sight: Sight<'_>, paid: Price) -> View {
        let Sight { candidate, market, .. } = sight;
        let (paid, fee_rate_ppm) = (paid.to_f64(), self.entry_fee_rate(candidate.kind, market));
        let cost = paid + sizing::fee_per_share(fee_rate_ppm, paid) + self.latency_cost(candidate.kind);
        let (model, beliefs) = (self.policy.confidence_model, self.experience.beliefs());
        let estimate = match candidate.kind {
            SignalKind::FollowWhale => {
                confidence::follow(model, beliefs, candidate.score, &self.bet(sight), cost)
            }
            SignalKind::FadeDegen => {
                confidence::fade(model, beliefs, candidate.score, candidate.drop, self.fair(sight), cost)
            }
        };
        let kelly = sizing::kelly(estimate.probability, cost);
        let wished = sizing::part_of(self.portfolio.bankroll(), kelly * self.policy.kelly_fraction);
        let most = risk::largest_position(&self.portfolio, &self.policy);
        let most = Order::largest_stake(most, fee_rate_ppm);
        View { estimate, cost, kelly, stake: wished.min(most) }
    }
}

/// Dollars on offer up to a limit.
fn depth(book: &Book, limit: Price) -> Usd {
    let levels = book.asks.iter().take_while(|level| level.price <= limit);
    levels.map(|level| level.shares.at(level.price, Rounding::Down)).sum()
}
