//! What a trade does to a wallet: its shares, its cost, the decision they add up to, and what a result pays for it.

use std::sync::Arc;

use domain::{Payouts, Shares, Timestamp, Usd};

use super::super::act::Trade;
use super::super::board::Outcome;
use super::super::catalogue::Seat;
use super::super::entry::{DRIFT_HORIZON, Timer};
use super::super::interner::usize_of;
use super::super::person::Person;
use super::super::record::Closed;
use super::super::stake::Done;
use super::ahead::Spot;
use super::{Scene, Shard};

impl Shard {
    pub(super) fn trade(&mut self, trade: &Trade<'_>, spot: Spot, is_new: bool, seq: u64, at: Timestamp) {
        let fill = trade.fill;
        let wallet = self.wallet_at(spot, fill.wallet, trade.spread, at);
        self.change(wallet);
        if is_new {
            self.people[wallet].record.trade(&mut self.books, fill.usd, at);
            self.people[wallet].copying.trade(fill, at);
        }
        match trade.seat {
            Some(seat) if trade.is_ripe => self.fill((wallet, spot), seat, trade, is_new, seq, at),
            None if is_new => {
                self.book_bare(wallet, fill.token, fill.cash_change(), fill.share_change(), at);
            }
            _ => {}
        }
    }

    fn fill(
        &mut self,
        (wallet, spot): (u32, Spot),
        seat: Seat,
        trade: &Trade<'_>,
        is_new: bool,
        seq: u64,
        at: Timestamp,
    ) {
        let fill = trade.fill;
        let scene = self.scene_at(spot, wallet, seat.question, seq, at);
        let making = self.stakes[scene.place].bet.and_then(|bet| bet.entry);
        let outcome = usize::from(seat.outcome);
        let done = self.book(scene, outcome, fill.cash_change(), fill.share_change());
        let Some((direction, shares, cost)) = done.grown else { return };
        self.people[wallet].record.open(&mut self.books, cost, at);
        let is_ultra_short = self.fronts[usize_of(seat.question)].is_ultra_short;
        self.people[wallet].copying.sums.open(cost, fill.role, is_ultra_short);
        if shares < Shares::DUST {
            return;
        }
        let timer = Timer {
            due: at.plus_micros(DRIFT_HORIZON),
            wallet,
            question: seat.question,
            direction,
            shares,
            cost: trade.gross(seat.outcome, direction, shares),
        };
        if let Some(bet) = &mut self.stakes[scene.place].bet {
            let making = making.filter(|_| !done.opens);
            let (making, begins) = self.timers.enter(making, at, !is_new, timer);
            bet.entry = Some(making);
            if begins && trade.price.is_some() {
                self.watch(&timer, at);
            }
        }
    }

    pub(super) fn book(&mut self, scene: Scene, outcome: usize, cash: Usd, change: Shares) -> Done {
        let done = self.stakes[scene.place].book(outcome, cash, change, scene.at);
        self.finish(scene, done)
    }

    /// Takes over what a change did. What is done after the result is worth the result at once, and no decision.
    pub(super) fn finish(&mut self, scene: Scene, done: Done) -> Done {
        let Person { record, copying, .. } = &mut self.people[scene.wallet];
        record.realize(&mut self.books, done.realized, scene.at);
        let is_over = self.fronts[usize_of(scene.question)].is_over();
        let result = || self.boards[usize_of(scene.question)].result.as_ref();
        let result = is_over.then(result).flatten().filter(|result| result.seq < scene.seq);
        if let Some(result) = result {
            let stake = &mut self.stakes[scene.place];
            let pays = result.pays(stake);
            let settled = stake.settle(pays);
            // Who sells more than the result has paid for has nothing more to collect.
            stake.owed = (stake.owed + pays[0] + pays[1]).max(Usd::ZERO);
            record.realize(&mut self.books, settled.realized, scene.at);
            return Done { grown: None, ..done };
        }
        if let Some(bet) = done.closed {
            copying.close(&bet, scene.at);
            let closed = Closed {
                seq: scene.seq,
                at: scene.at,
                opened: bet.opened,
                question: scene.question,
                direction: bet.direction,
                shares: bet.shares,
                cost: bet.cost,
                pnl: bet.flow,
                is_unknown: bet.is_unknown,
            };
            self.boards[usize_of(scene.question)].note_paid(&closed);
            record.close(&mut self.books, closed);
        }
        if done.opens {
            self.decide(scene, &done);
        }
        done
    }

    /// Pays a result.
    pub(super) fn pay(&mut self, scene: Scene, pays: [Usd; 2]) {
        self.change(scene.wallet);
        self.people[scene.wallet].record.is_paid = true;
        self.touch(scene.place);
        let stake = &mut self.stakes[scene.place];
        let done = stake.settle(pays);
        // Shares that were never seen arriving are nobody's debt.
        stake.owed += pays[0].max(Usd::ZERO) + pays[1].max(Usd::ZERO);
        self.finish(scene, done);
        self.reckon(scene);
    }

    /// Notes a question's result, unless it has one.
    pub(super) fn post(
        &mut self,
        question: u32,
        seq: u64,
        at: Timestamp,
        payouts: &Arc<Payouts>,
        first: usize,
    ) -> Arc<Outcome> {
        self.tell(question);
        self.boards[usize_of(question)].watch.resolve(at, &mut self.matured);
        self.fronts[usize_of(question)].quiet = self.boards[usize_of(question)].watch.quiet_until();
        if let Some(result) = &self.boards[usize_of(question)].result {
            return Arc::clone(result);
        }
        let result = Arc::new(Outcome { seq, at, payouts: Arc::clone(payouts), first });
        self.end(question, Arc::clone(&result));
        result
    }
}
