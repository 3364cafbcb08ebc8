//! When a position is left before its market resolves: the book is asked for, and what it takes is sold; the rest waits
//! for the next tick.

use std::collections::btree_map::Entry;

use domain::{
    Book, ConditionId, ExitReason, Fill, Oracle, Order, Position, Price, Purpose, Shares, SignalKind, Size,
    TimeInForce, Timestamp, TokenId, Usd,
};

use super::{Candidate, Engine, Outcome};
use crate::event::Command;
use crate::exits::whale_left;
use crate::guards::Control;
use crate::limits::Bound;
use crate::record::{Counterfactual, Record};
use crate::{risk, sizing, venue};

/// The venue takes whole hundredths of a share.
const LOT: i64 = 10_000;

impl Engine {
    /// Whether a fill means that a wallet that was followed has left.
    pub(super) fn watch_leads(&mut self, fill: &Fill, at: Timestamp, outcome: &mut Outcome) {
        let sibling = self.sibling(fill.token);
        for position in self.exits.observe(fill, sibling) {
            let Some(lead) = self.exits.leads.get(&position).copied() else { continue };
            outcome.records.push(Record::Lead { position, left: lead.left });
            if whale_left(&lead, self.policy.limits.exits.whale_part) {
                self.leave(position, ExitReason::WhaleExit, at, outcome);
            }
        }
    }

    /// Whether a wallet worth following enters against a position that follows another.
    pub(super) fn watch_conflict(
        &mut self,
        candidate: &Candidate,
        token: TokenId,
        at: Timestamp,
        outcome: &mut Outcome,
    ) {
        let is_copyable = self.ratings.get(candidate.wallet).is_some_and(|verdict| verdict.is_copyable);
        if candidate.kind != SignalKind::FollowWhale || !is_copyable {
            return;
        }
        let Some(condition) = self.tokens.get(&token).copied() else { return };
        // What rests against it is not to be filled any more.
        self.cancel_resting_entries(|order| order.condition == condition && order.token != token, outcome);
        let against: Vec<i64> = self
            .portfolio
            .open()
            .filter(|held| held.condition == condition && held.token != token)
            .map(|held| held.id)
            .filter(|id| self.exits.leads.contains_key(id))
            .collect();
        for position in against {
            self.leave(position, ExitReason::Conflict, at, outcome);
        }
    }

    /// Whether the result of a market in which something is held is disputed: from then on its price is a guess about the
    /// oracle, and no more about what was bet on.
    pub(super) fn watch_disputes(&mut self, at: Timestamp, outcome: &mut Outcome) {
        if !self.policy.limits.exits.dispute {
            return;
        }
        let is_disputed = |condition: &ConditionId| {
            self.markets.get(condition).is_some_and(|market| market.oracle == Some(Oracle::Disputed))
        };
        self.cancel_resting_entries(|order| is_disputed(&order.condition), outcome);
        // It is found again and again; what is being left already has its book asked for with the next tick.
        let disputed: Vec<i64> = self
            .portfolio
            .open()
            .filter(|held| is_disputed(&held.condition))
            .map(|held| held.id)
            .filter(|id| !self.exits.leaving.contains_key(id))
            .collect();
        for position in disputed {
            self.leave(position, ExitReason::Dispute, at, outcome);
        }
    }

    /// Time went by: positions that were held for too long are left, and each one's book is asked for, to mark it and
    /// to sell what is still to be sold.
    pub(super) fn on_tick(&mut self, at: Timestamp, outcome: &mut Outcome) {
        let overdue: Vec<i64> = self
            .portfolio
            .open()
            .filter(|held| self.longest(held.id) <= at.micros_since(held.opened))
            .map(|held| held.id)
            .collect();
        for position in overdue {
            self.leave(position, ExitReason::Time, at, outcome);
        }
        // What was bought while the dispute was being told is left, too.
        self.watch_disputes(at, outcome);
        let tokens: Vec<TokenId> = self.portfolio.open().map(|held| held.token).collect();
        for token in tokens {
            quote(token, outcome);
        }
    }

    /// How long a position is held, in microseconds.
    fn longest(&self, position: i64) -> i64 {
        let longest = self.policy.limits.exits.max_holding;
        if self.exits.fades.contains_key(&position) {
            longest.min(self.policy.fade.max_holding)
        } else {
            longest
        }
    }

    /// A person wants a position closed: what is still being bought is cancelled, what is held is sold.
    pub(super) fn close(&mut self, position: i64, at: Timestamp, outcome: &mut Outcome) {
        self.cancel(|order| order.position == position && order.purpose == Purpose::Enter, outcome);
        self.leave(position, ExitReason::Person, at, outcome);
    }

    /// The chain took fills back: who left by them has not, and what was to be left for it is held after all.
    #[must_use]
    pub fn reconsider_leads(&mut self, at: Timestamp) -> Vec<Record> {
        let (leads, part) = (&self.exits.leads, self.policy.limits.exits.whale_part);
        let stays = |position: &i64, reason: &ExitReason| {
            *reason == ExitReason::WhaleExit
                && leads.get(position).is_some_and(|lead| !whale_left(lead, part))
        };
        let kept: Vec<i64> = self
            .exits
            .leaving
            .iter()
            .filter(|(position, reason)| stays(position, reason))
            .map(|(position, _)| *position)
            .collect();
        for position in &kept {
            self.exits.leaving.remove(position);
        }
        kept.into_iter().map(|position| Record::Leaving { position, reason: None, at }).collect()
    }

    /// Positions are held after all.
    pub(super) fn stay(&mut self, at: Timestamp, outcome: &mut Outcome) {
        let leaving = std::mem::take(&mut self.exits.leaving);
        outcome.records.extend(leaving.into_keys().map(|position| Record::Leaving {
            position,
            reason: None,
            at,
        }));
    }

    /// Begins to leave a position, unless that has begun already. After a kill only a person begins it.
    fn leave(&mut self, position: i64, reason: ExitReason, at: Timestamp, outcome: &mut Outcome) {
        let is_stopped = self.guards.killed.is_some() && reason != ExitReason::Person;
        if is_stopped || !self.portfolio.knows(position) || self.is_held_to_the_end(position) {
            return;
        }
        if let Entry::Vacant(place) = self.exits.leaving.entry(position) {
            place.insert(reason);
            outcome.records.push(Record::Leaving { position, reason: Some(reason), at });
            if reason != ExitReason::Person {
                self.cancel_resting_entries(|order| order.position == position, outcome);
            }
        }
        if let Some(held) = self.portfolio.held(position) {
            quote(held.token, outcome);
        }
    }

    /// A book of a token that is held: what it is worth, whether a price bound is reached, and what is to be sold.
    pub(super) fn on_held_book(&mut self, book: &Book, at: Timestamp, outcome: &mut Outcome) {
        // A book in which nobody bids says that the token is worth next to nothing now: the last print would hide the
        // loss from the day's limit.
        let mark = book.best_bid().or_else(|| Price::from_ppm(1));
        outcome.records.extend(self.portfolio.bid(book.token, mark));
        let Some(bid) = book.best_bid() else { return };
        let held: Vec<Position> =
            self.portfolio.open().filter(|held| held.token == book.token).cloned().collect();
        for position in held {
            self.watch_bounds(&position, book, bid, at, outcome);
            self.watch_rebound(position.id, bid, at, outcome);
            if let Some(reason) = self.exits.leaving.get(&position.id).copied() {
                self.sell(&position, reason, book, bid, at, outcome);
            }
        }
    }

    /// Whether so little is left of a position that the venue takes no sale of it, and nothing can come back to it: there
    /// is nothing to do but to wait for the result.
    fn is_held_to_the_end(&self, position: i64) -> bool {
        let held = self.portfolio.held(position).map_or(Shares::ZERO, Position::shares);
        let lots = Shares::from_micros(held.micros() - held.micros() % LOT);
        lots < venue::MIN_SHARES && self.portfolio.orders().all(|sent| sent.order.position != position)
    }

    fn sell(
        &mut self,
        position: &Position,
        reason: ExitReason,
        book: &Book,
        bid: Price,
        at: Timestamp,
        outcome: &mut Outcome,
    ) {
        let sellable = self.portfolio.sellable(position.id).micros();
        let shares = Shares::from_micros(sellable - sellable % LOT);
        // The venue would refuse it, now and with every tick to come.
        if shares < venue::MIN_SHARES {
            if self.is_held_to_the_end(position.id) {
                self.exits.leaving.remove(&position.id);
                outcome.records.push(Record::Leaving { position: position.id, reason: None, at });
            }
            return;
        }
        let order = Order {
            id: self.last_order + 1,
            position: position.id,
            at,
            condition: position.condition,
            event: position.event.clone(),
            token: position.token,
            outcome: position.outcome,
            limit: sizing::floor_price(bid, self.policy.limits.exits.slippage, book.tick),
            size: Size::Sell(shares),
            force: TimeInForce::Fak,
            purpose: Purpose::Exit(reason),
            fee_rate_ppm: self.fee_rate(position),
        };
        // What cannot be sold now (the venue takes nothing) is looked at again with the next tick; the wish itself is
        // remembered.
        if let Ok(approved) = risk::reduce(order, &self.portfolio, &self.guards) {
            self.send(approved, outcome);
        }
    }

    /// Whether the bid has reached a price at which the position is left, or would have been.
    fn watch_bounds(
        &mut self,
        position: &Position,
        book: &Book,
        bid: Price,
        at: Timestamp,
        outcome: &mut Outcome,
    ) {
        let exits = &self.policy.limits.exits;
        let Some(gain) = gain(position, bid) else { return };
        let bounds = [
            (ExitReason::TakeProfit, exits.take_profit, gain),
            (ExitReason::StopLoss, exits.stop_loss, -gain),
        ];
        for (reason, bound, moved) in bounds {
            let Bound { at: bound_at, is_obeyed } = bound;
            if moved < bound_at {
                continue;
            }
            if is_obeyed {
                self.leave_without_quote(position.id, reason, at, outcome);
            } else if self.exits.reached.insert((position.id, reason)) {
                outcome.records.push(self.counterfactual(position, reason, book, bid, at));
            }
        }
    }

    /// Whether enough of a panic's drop has come back: that was all there was to gain.
    fn watch_rebound(&mut self, position: i64, bid: Price, at: Timestamp, outcome: &mut Outcome) {
        let part = self.policy.fade.rebound;
        let is_back = self.exits.fades.get(&position).is_some_and(|fade| fade.has_come_back(part, bid));
        // What is being left already asks for its book with each tick.
        if is_back && !self.exits.leaving.contains_key(&position) {
            self.leave(position, ExitReason::TakeProfit, at, outcome);
        }
    }

    /// The book is here already.
    fn leave_without_quote(
        &mut self,
        position: i64,
        reason: ExitReason,
        at: Timestamp,
        outcome: &mut Outcome,
    ) {
        if self.guards.killed.is_none()
            && !self.is_held_to_the_end(position)
            && let Entry::Vacant(place) = self.exits.leaving.entry(position)
        {
            place.insert(reason);
            outcome.records.push(Record::Leaving { position, reason: Some(reason), at });
        }
    }

    fn counterfactual(
        &self,
        position: &Position,
        reason: ExitReason,
        book: &Book,
        bid: Price,
        at: Timestamp,
    ) -> Record {
        let lowest = book.bids.last().map_or(bid, |level| level.price);
        let sold = venue::walk_bids(book, lowest, position.shares(), self.fee_rate(position));
        let proceeds: Usd = sold.usd - sold.fee;
        let pnl = position.proceeds + proceeds - position.spent;
        Record::Counterfactual(Counterfactual { position: position.id, reason, at, bid, proceeds, pnl })
    }

    fn fee_rate(&self, position: &Position) -> u32 {
        self.markets.get(&position.condition).map_or(0, |market| market.fee_rate_ppm)
    }

    /// The other token of a market of two.
    pub(super) fn sibling(&self, token: TokenId) -> Option<TokenId> {
        let market = self.tokens.get(&token).and_then(|condition| self.markets.get(condition))?;
        match market.tokens.as_slice() {
            [one, other] if *one == token => Some(*other),
            [one, other] if *other == token => Some(*one),
            _ => None,
        }
    }

    /// Forgets the exits of positions of which nothing more can become known.
    pub(super) fn forget_exits(&mut self) {
        let portfolio = &self.portfolio;
        self.exits.retain(|position| portfolio.knows(position));
    }

    /// Takes in what a person set before a restart: it has had its consequences.
    pub fn remember_control(&mut self, control: &Control) {
        match control {
            Control::Pause => self.guards.paused = true,
            Control::Resume => self.guards.paused = false,
            Control::Kill { reason } => self.guards.killed = Some(reason.clone()),
            Control::Lift => self.guards.killed = None,
            Control::Close(_) | Control::CloseAll => {}
        }
    }
}

/// The gain of the shares held at a price, as a fraction of what they cost.
fn gain(position: &Position, bid: Price) -> Option<f64> {
    let (cost, shares) = (position.cost(), position.shares());
    (cost.is_positive() && shares.is_positive()).then(|| shares.to_f64() * bid.to_f64() / cost.to_f64() - 1.0)
}

/// Asks for a book, once in a step.
fn quote(token: TokenId, outcome: &mut Outcome) {
    let command = Command::Quote(token);
    if !outcome.commands.contains(&command) {
        outcome.commands.push(command);
    }
}
