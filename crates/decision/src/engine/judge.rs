//! A candidate against its book: what it is believed to be worth, what it may cost, and so whether it is a signal.

use domain::{Book, ConfidenceModel, Order, Price, Rounding, Signal, SignalKind, Skill, Timestamp, Usd};

use super::{Candidate, Engine};
use crate::confidence::{self, Estimate};
use crate::refusal::Reason;
use crate::{sizing, venue};

/// The most the limit may lie above the whale's price under the skill model, dollars a share.
const MAX_RUN_UP: f64 = 0.02;
/// The smallest full Kelly fraction worth an order (`ORDER_FLOW_STRATEGY.md` §7).
const MIN_KELLY: f64 = 0.01;

/// What a trade looks like at one price.
struct View {
    estimate: Estimate,
    cost: f64,
    kelly: f64,
    stake: Usd,
}

impl Engine {
    /// Prices a candidate against its book: a signal, or why not.
    pub(super) fn judge(&self, candidate: &Candidate, book: &Book, at: Timestamp) -> Result<Signal, Reason> {
        if let Some(stale) = self.staleness(candidate, at) {
            return Err(stale);
        }
        let market = self
            .tokens
            .get(&book.token)
            .and_then(|condition| self.markets.get(condition))
            .ok_or(Reason::UnknownMarket)?;
        let (Some(ask), Some(mid)) = (book.best_ask(), book.mid()) else {
            return Err(Reason::OneSidedBook);
        };
        let slippage = self.slippage(candidate, mid, ask, market.fee_rate_ppm);
        // The strategy's example rounds 0.756 to 0.76. A limit that is meant to protect rounds down.
        let rounding = match self.policy.confidence_model {
            ConfidenceModel::Score => Rounding::Nearest,
            ConfidenceModel::Skill => Rounding::Down,
        };
        let limit = sizing::limit_price(candidate.reference, slippage, book.tick, rounding);
        if limit < ask {
            return Err(Reason::AboveLimit { ask, limit });
        }
        // The stake decides how deep the order walks, and the price walked decides the stake: the first
        // estimate at the best offer, the second at the average the first would have paid.
        let first = self.price_at(candidate, mid, ask, market.fee_rate_ppm);
        let walked = venue::walk(book, limit, first.stake, market.fee_rate_ppm);
        let expected = walked.average().unwrap_or(ask);
        let view = self.price_at(candidate, mid, expected, market.fee_rate_ppm);
        let confidence = view.estimate.confidence.to_f64();
        if confidence < self.policy.min_confidence {
            return Err(Reason::Confidence { confidence, minimum: self.policy.min_confidence });
        }
        if view.kelly < MIN_KELLY {
            return Err(Reason::NoEdge { probability: view.estimate.probability.to_f64(), cost: view.cost });
        }
        let verdict = self.verdicts.get(&candidate.wallet).copied().ok_or(Reason::UnknownMarket)?;
        let outcome = market.outcome_index(book.token).ok_or(Reason::UnknownMarket)?;
        Ok(Signal {
            id: self.last_signal + 1,
            at,
            kind: candidate.kind,
            wallet: candidate.wallet,
            score: candidate.score,
            tier: verdict.tier,
            skill: verdict.skill,
            wallets: candidate.wallets,
            notional: candidate.notional,
            reference_price: candidate.reference,
            condition: market.condition,
            token: book.token,
            title: market.title.clone(),
            outcome: market.outcomes.get(outcome).cloned().unwrap_or_default(),
            model: self.policy.confidence_model,
            probability: view.estimate.probability.to_f64(),
            confidence,
            market_price: mid,
            expected_price: expected,
            limit_price: limit,
            kelly: view.kelly,
            kelly_applied: view.kelly * self.policy.kelly_fraction,
            stake: view.stake,
            fee_rate_ppm: market.fee_rate_ppm,
        })
    }

    /// How far above the reference price the order may go, as a fraction of it.
    ///
    /// The strategy's 5 % is the outer bound. It is larger than the whole documented edge, so the skill model
    /// gives away at most half of what it expects to gain, and two cents (`ORDER_FLOW_STRATEGY.md` §5).
    fn slippage(&self, candidate: &Candidate, mid: Price, ask: Price, fee_rate_ppm: u32) -> f64 {
        match self.policy.confidence_model {
            ConfidenceModel::Score => self.policy.max_slippage,
            ConfidenceModel::Skill => {
                let probability =
                    self.price_at(candidate, mid, ask, fee_rate_ppm).estimate.probability.to_f64();
                let edge = (probability - candidate.reference.to_f64()).max(0.0);
                let allowed = (0.5 * edge).min(MAX_RUN_UP) / candidate.reference.to_f64();
                allowed.min(self.policy.max_slippage)
            }
        }
    }

    fn price_at(&self, candidate: &Candidate, mid: Price, paid: Price, fee_rate_ppm: u32) -> View {
        let (market, paid) = (mid.to_f64(), paid.to_f64());
        let cost = paid + sizing::fee_per_share(fee_rate_ppm, paid);
        let model = self.policy.confidence_model;
        let estimate = match candidate.kind {
            SignalKind::FollowWhale => {
                let skill = self.verdicts.get(&candidate.wallet).map(|verdict| verdict.skill);
                let none = Skill { kappa: 0.0, standard_error: 1.0 };
                confidence::follow(model, candidate.score, skill.unwrap_or(none), market, cost)
            }
            SignalKind::FadeDegen => confidence::fade(model, candidate.score, candidate.drop, market, cost),
        };
        let kelly = sizing::kelly(estimate.probability, cost);
        let wished = sizing::part_of(self.portfolio.bankroll(), kelly * self.policy.kelly_fraction);
        let most = Order::largest_stake(self.policy.max_position, fee_rate_ppm);
        View { estimate, cost, kelly, stake: wished.min(most) }
    }
}
