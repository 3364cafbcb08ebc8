//! From a signal to its order, and from what the venue says of orders to positions.

use domain::{
    ConditionId, Order, OrderEvent, OrderNews, Payouts, Purpose, Signal, SignalKind, Size, TimeInForce,
    Timestamp,
};

use super::{Candidate, Engine, Outcome, refusal};
use crate::event::Command;
use crate::experience::Case;
use crate::guards::{Control, Guard, Guards};
use crate::limits::EntryStyle;
use crate::record::Record;
use crate::risk::{self, Ground};

impl Engine {
    /// Records a signal, and orders if risk lets it.
    pub(super) fn raise(&mut self, candidate: &Candidate, mut signal: Signal, outcome: &mut Outcome) {
        self.last_signal = signal.id;
        self.entries.remember(signal.wallet, signal.token, signal.notional, true, signal.at);
        self.experience.remember(Case::of(signal.kind, signal.at, &signal.appraisal));
        if signal.shadow {
            outcome.records.push(Record::Signal(Box::new(signal)));
            return;
        }
        signal.stake = self.ground(signal.at).stake(&signal);
        let order = self.entry(&signal);
        let (id, token, at) = (signal.id, signal.token, signal.at);
        outcome.records.push(Record::Signal(Box::new(signal.clone())));
        match risk::approve(order, self.ground(at)) {
            Ok(approved) => {
                match signal.kind {
                    SignalKind::FollowWhale => {
                        // What its block holds beside the fill that led to it counts, whatever the order there: it is
                        // what is found again when the block is read again.
                        let sibling = self.sibling(signal.token);
                        let since = candidate.block_time;
                        let left = self.tapes.given_up(signal.wallet, signal.token, sibling, since);
                        self.exits.lead(&signal, left);
                    }
                    SignalKind::FadeDegen => self.exits.fade(&signal),
                }
                self.send(approved, outcome);
            }
            Err(reason) => outcome.records.push(refusal(candidate, token, at, (reason, None), Some(id))),
        }
    }

    /// What an entry is held against.
    const fn ground(&self, at: Timestamp) -> Ground<'_> {
        let Self { portfolio, guards, policy, markets, .. } = self;
        Ground { portfolio, guards, policy, markets, at }
    }

    /// The order that a signal asks for.
    fn entry(&self, signal: &Signal) -> Order {
        let market = self.markets.get(&signal.condition);
        Order {
            id: self.last_order + 1,
            position: signal.id,
            at: signal.at,
            condition: signal.condition,
            event: market.map(|market| market.event.clone()).unwrap_or_default(),
            token: signal.token,
            outcome: market.and_then(|market| market.outcome_index(signal.token)).unwrap_or(0),
            limit: signal.limit_price,
            size: Size::Spend(signal.stake),
            force: match self.policy.entry(signal.kind) {
                EntryStyle::Take => TimeInForce::Fak,
                EntryStyle::Rest { lasts } => TimeInForce::PostOnly { until: signal.at.plus_micros(lasts) },
            },
            purpose: Purpose::Enter,
            fee_rate_ppm: signal.fee_rate_ppm,
        }
    }

    /// Reserves what an approved order may take, and asks for it to be placed.
    pub(super) fn send(&mut self, approved: risk::Approved<Order>, outcome: &mut Outcome) {
        let order = approved.get().clone();
        self.last_order = order.id;
        self.portfolio.reserve(order.clone());
        outcome.records.push(Record::Order(order));
        outcome.commands.push(Command::Place(approved));
    }

    /// Takes in what the venue said of an order. Its market may have resolved while it was on its way.
    pub(super) fn on_news(&mut self, news: &OrderNews, outcome: &mut Outcome) {
        let condition =
            self.portfolio.orders().find(|sent| sent.order.id == news.order).map(|sent| sent.order.condition);
        let result = condition.and_then(|condition| self.resolved.get(&condition));
        let records = self.portfolio.take_in(news, result, &self.policy.limits);
        outcome.records.extend(records);
        // A person may have been heard, or a limit reached, while it was on its way.
        if matches!(news.what, OrderEvent::Accepted) {
            let is_stopped = |order: &Order| {
                let (guards, policy) = (&self.guards, &self.policy);
                risk::stopped(order.force, &self.portfolio, guards, policy, news.at).is_some()
            };
            self.cancel_resting_entries(|order| order.id == news.order && is_stopped(order), outcome);
        }
        self.forget_exits();
    }

    /// A condition has its result.
    pub(super) fn on_result(
        &mut self,
        condition: ConditionId,
        payouts: &Payouts,
        at: Timestamp,
        outcome: &mut Outcome,
    ) {
        self.resolved.insert(condition, payouts.clone());
        outcome.records.extend(self.portfolio.settle(condition, payouts, at, &self.policy.limits));
        self.forget_exits();
    }

    /// Does what a person asked for.
    pub(super) fn obey(&mut self, control: &Control, at: Timestamp, outcome: &mut Outcome) {
        match control {
            Control::Pause => {
                self.guards.paused = true;
                self.cancel_resting_entries(|_| true, outcome);
            }
            Control::Resume => self.guards.paused = false,
            Control::Close(position) => self.close(*position, at, outcome),
            Control::CloseAll => {
                let all: Vec<i64> = self.portfolio.positions().collect();
                for position in all {
                    self.close(position, at, outcome);
                }
            }
            Control::Kill { reason } => {
                self.guards.killed = Some(reason.clone());
                self.stay(at, outcome);
                self.cancel(|_| true, outcome);
            }
            Control::Lift => self.guards.killed = None,
        }
    }

    /// Takes in a measurement. One that stops entries takes those that rest out of the book, and again with each next one,
    /// because the venue may not have heard it.
    pub(super) fn on_guard(&mut self, guard: &Guard, outcome: &mut Outcome) {
        self.guards.measure(guard);
        let limits = &self.policy.limits;
        self.cancel_resting_entries(|order| Guards::is_failed(guard, limits, order.force), outcome);
    }

    /// Asks for the cancellation of entries that rest: what would not be entered now is not to be filled later either.
    pub(super) fn cancel_resting_entries(&self, wanted: impl Fn(&Order) -> bool, outcome: &mut Outcome) {
        let rests = |order: &Order| order.purpose == Purpose::Enter && order.force != TimeInForce::Fak;
        self.cancel(|order| rests(order) && wanted(order), outcome);
    }

    /// Asks for the cancellation of the orders that may still match, once in a step.
    pub(super) fn cancel(&self, wanted: impl Fn(&Order) -> bool, outcome: &mut Outcome) {
        let live = self.portfolio.orders().filter(|sent| sent.is_live() && wanted(&sent.order));
        for command in live.map(|sent| Command::Cancel(sent.order.id)) {
            if !outcome.commands.contains(&command) {
                outcome.commands.push(command);
            }
        }
    }
}
