//! What a trade does to a wallet: its shares, its cost, the decision they add up to, and what a result pays for it.

use std::sync::Arc;

use domain::{Payouts, Shares, Timestamp, Usd};

use super::super::act::{Standing, Trade};
use super::super::board::{Outcome, Paid};
use super::super::entry::{DRIFT_HORIZON, Timer};
use super::super::interner::usize_of;
use super::super::record::Closed;
use super::super::stake::Done;
use super::ahead::Spot;
use super::visits::Begun;
use super::{Scene, Shard};

impl Shard {
    pub(super) fn trade(&mut self, trade: &Trade, standing: Standing, spot: Spot, is_new: bool, seq: u64) {
        let at = trade.at;
        let wallet = self.wallet_at(spot, trade.wallet, trade.spread, at);
        self.change(wallet);
        if is_new {
            let person = &mut self.people[wallet];
            person.record.trade(&mut self.books, trade.usd, at);
            person.copying.trade(trade);
        }
        match standing {
            Standing::Ripe => self.fill((wallet, spot), trade, is_new, seq),
            Standing::Bare(token) if is_new => self.book_bare(wallet, token, trade.cash, trade.change, at),
            Standing::Bare(_) | Standing::Waits => {}
        }
    }

    /// Books a trade of a question that is known, and goes on with the entry that it belongs to.
    fn fill(&mut self, (wallet, spot): (u32, Spot), trade: &Trade, is_new: bool, seq: u64) {
        let Trade { at, question, .. } = *trade;
        let scene = self.scene_at(spot, wallet, question, seq, at);
        let making = self.stakes[scene.place].bet.and_then(|bet| bet.entry);
        let done = self.book(scene, usize::from(trade.outcome), trade.cash, trade.change);
        let Some((direction, shares, cost)) = done.grown else { return };
        let person = &mut self.people[wallet];
        person.record.open(&mut self.books, cost, at);
        let is_ultra_short = self.fronts[usize_of(question)].is_ultra_short;
        person.copying.sums.open(cost, trade.role, is_ultra_short);
        if shares < Shares::DUST {
            return;
        }
        let timer = Timer {
            due: at.plus_micros(DRIFT_HORIZON),
            wallet,
            question,
            direction,
            shares,
            cost: trade.gross(direction, shares),
        };
        if let Some(bet) = &mut self.stakes[scene.place].bet {
            let making = making.filter(|_| !done.opens);
            let (making, begins) = self.timers.enter(making, at, !is_new, timer);
            bet.entry = Some(making);
            if begins && trade.tells {
                let paid = timer.cost.to_f64() / timer.shares.to_f64();
                let begun = Begun { at, paid, wallet, place: trade.place, direction };
                self.begin(question, begun);
            }
        }
    }

    pub(super) fn book(&mut self, scene: Scene, outcome: usize, cash: Usd, change: Shares) -> Done {
        let done = self.stakes[scene.place].book(outcome, cash, change, scene.at);
        self.finish(scene, done)
    }

    /// Takes over what a change did. What is done after the result is worth the result at once, and no decision.
    pub(super) fn finish(&mut self, scene: Scene, done: Done) -> Done {
        let is_over = self.may_be_over(scene.question, scene.at);
        let person = &mut self.people[scene.wallet];
        person.record.realize(&mut self.books, done.realized, scene.at);
        let result = || self.boards[usize_of(scene.question)].result.as_ref();
        let result = is_over.then(result).flatten().filter(|result| result.seq < scene.seq);
        if let Some(result) = result {
            let stake = &mut self.stakes[scene.place];
            let pays = result.pays(stake);
            let settled = stake.settle(pays);
            // Who sells more than the result has paid for has nothing more to collect.
            stake.owed = (stake.owed + pays[0] + pays[1]).max(Usd::ZERO);
            person.record.realize(&mut self.books, settled.realized, scene.at);
            return Done { grown: None, ..done };
        }
        if let Some(bet) = done.closed {
            person.copying.close(&bet, scene.at);
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
            person.record.close(&mut self.books, closed);
            if let Some(paid) = Paid::of(&closed) {
                self.note_paid(scene.question, paid);
            }
        }
        if done.opens {
            self.decide(scene, &done);
        }
        done
    }

    /// Notes what a decision paid that has ended, with all others of its question where facts are folded together.
    fn note_paid(&mut self, question: u32, paid: Paid) {
        if self.together_since.is_some() {
            self.room.paid.push((question, paid));
        } else {
            self.boards[usize_of(question)].note_paid(&paid);
        }
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

    /// Pays what a result of the facts that are folded together paid before something else happens to the stake: to
    /// everybody else it is paid when all of them are folded.
    pub(super) fn catch_up(&mut self, scene: Scene) {
        let Some(since) = self.together_since else { return };
        let result = self.boards[usize_of(scene.question)].result.as_ref();
        let Some(result) = result.filter(|result| since <= result.seq && result.seq < scene.seq) else {
            return;
        };
        let stake = &self.stakes[scene.place];
        if stake.awaits_result() {
            let (pays, seq, at) = (result.pays(stake), result.seq, result.at);
            self.pay(Scene { seq, at, ..scene }, pays);
        }
    }

    /// Whether a question's result came before a fact.
    pub(super) fn has_result(&self, question: u32, seq: u64) -> bool {
        let result = self.boards[usize_of(question)].result.as_ref();
        result.is_some_and(|result| result.seq < seq)
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
        self.close_watch(question, at);
        if let Some(result) = &self.boards[usize_of(question)].result {
            return Arc::clone(result);
        }
        let result = Arc::new(Outcome { seq, at, payouts: Arc::clone(payouts), first });
        self.end(question, Arc::clone(&result));
        result
    }
}
