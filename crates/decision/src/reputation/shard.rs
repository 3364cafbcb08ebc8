//! Some of the wallets, with everything that is theirs. Shards know nothing of each other, so that they can be
//! folded side by side; which wallets are where makes no difference to any of them.

mod changes;
mod paging;
mod timing;

pub(super) use paging::Clock;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Market, Payouts, Shares, Timestamp, TokenId, Usd, Wallet};

use super::act::{Act, Deed, Trade};
use super::board::{Board, Outcome, Paid};
use super::catalogue::Seat;
use super::copying::Copying;
use super::entry::{DRIFT_HORIZON, Timer, Timers};
use super::interner::{Index, Spread as _, next_number, usize_of};
use super::record::{Books, Closed, Record};
use super::stake::{Done, Stake};
use crate::clv::Matured;
use crate::ledger::Holding;

/// How many acts are looked at before they are done.
const AHEAD: usize = 64;

/// Less than a cent more was collected than the result paid: rounding.
const ROUNDING: Usd = Usd::from_micros(10_000);

/// A part of all wallets.
#[derive(Clone, Debug, Default)]
pub(super) struct Shard {
    number: usize,
    shards: usize,
    wallets: Index,
    /// By the wallet's number.
    pub(super) records: Vec<Record>,
    pub(super) books: Books,
    /// By the wallet's and the question's number.
    places: Index,
    /// By the place's number.
    pub(super) stakes: Vec<Stake>,
    /// By the question's number.
    pub(super) boards: Vec<Board>,
    /// By the wallet's number.
    pub(super) copying: Vec<Copying>,
    /// By a wallet's number and that of siblings: how many decisions it made among them.
    legs: Index,
    leg_counts: Vec<(u32, u32, u32)>,
    matured: Vec<Matured<u32>>,
    /// Shares of tokens that nobody has described.
    pub(super) bare: BTreeMap<(u32, TokenId), Bare>,
    pub(super) timers: Timers,
    changed: Vec<u32>,
    moved: Vec<u32>,
    moved_bare: Vec<(u32, TokenId)>,
    /// By the wallet's number: what tells its bytes from those that were saved or loaded last; zero or nothing where
    /// there were none.
    saved: Vec<u64>,
}

/// A holding of a token that nobody has described, and what it realised on which day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bare {
    pub(super) holding: Holding,
    days: Vec<(Timestamp, Usd)>,
}

/// Where and when something happens to a stake.
#[derive(Clone, Copy)]
struct Scene {
    wallet: u32,
    question: u32,
    place: u32,
    seq: u64,
    at: Timestamp,
}

impl Shard {
    pub(super) fn new(number: usize, shards: usize) -> Self {
        Self { number, shards, ..Self::default() }
    }

    /// Whether a wallet's home is here.
    pub(super) fn is_home(&self, spread: u64) -> bool {
        home(spread, self.shards) == self.number
    }

    /// Takes over what a description says of questions, and makes room for new ones.
    pub(super) fn describe(
        &mut self,
        questions: std::ops::Range<u32>,
        market: &Market,
        siblings: Option<u32>,
    ) {
        for question in questions {
            if usize_of(question) == self.boards.len() {
                self.boards.push(Board::default());
            }
            self.boards[usize_of(question)].describe(market, siblings);
        }
    }

    pub(super) fn fold(&mut self, acts: &[Act<'_>]) {
        for acts in acts.chunks(AHEAD) {
            self.look_ahead(acts);
            for act in acts {
                self.apply(act);
            }
        }
    }

    /// Reads what the next trades will need, all wallets first, then all places, then all stakes. Each of them lies
    /// somewhere else in memory; asked for together, they come together.
    fn look_ahead(&self, acts: &[Act<'_>]) {
        let mut wallets = [(0u32, 0u32); AHEAD];
        let mut count = 0;
        for act in acts {
            if let Deed::Trade(Trade { fill, spread, seat: Some(seat), .. }) = &act.deed
                && self.is_home(*spread)
                && let Some(wallet) = self.find(fill.wallet, *spread)
            {
                wallets[count] = (wallet, seat.question);
                count += 1;
            }
        }
        let mut read = 0u32;
        let mut places = [0u32; AHEAD];
        let mut known = 0;
        for key in &wallets[..count] {
            read ^= self.records[usize_of(key.0)].trades;
            if let Some(place) = self.place(key.0, key.1) {
                places[known] = place;
                known += 1;
            }
        }
        for place in &places[..known] {
            read ^= u32::from(self.stakes[usize_of(*place)].is_moved);
        }
        for (_, question) in &wallets[..count] {
            read ^= self.boards[usize_of(*question)].price;
        }
        std::hint::black_box(read);
    }

    fn apply(&mut self, act: &Act<'_>) {
        let Act { seq, at, is_new, deed } = act;
        let (seq, at) = (*seq, *at);
        if *is_new {
            self.mature(at);
        }
        match deed {
            Deed::Trade(trade) => self.trade(trade, *is_new, seq, at),
            Deed::Own { wallet, spread, own } if self.is_home(*spread) => {
                let wallet = self.wallet(*wallet, *spread, at);
                self.change(wallet);
                self.own(wallet, own, seq, at);
            }
            Deed::Own { .. } => {}
            Deed::Settle { question, payouts, first, whom } => {
                let result = self.post(*question, seq, at, payouts, *first);
                let holders = std::mem::take(&mut self.boards[usize_of(*question)].holders);
                for places in holders.chunks(AHEAD) {
                    self.look_at(places);
                    for place in places {
                        let stake = &self.stakes[usize_of(*place)];
                        let wallet = stake.wallet;
                        if (!stake.is_empty() || stake.owed != Usd::ZERO)
                            && whom.includes(self.records[usize_of(wallet)].wallet)
                        {
                            let pays = result.pays(stake);
                            self.pay(Scene { wallet, question: *question, place: *place, seq, at }, pays);
                        }
                    }
                }
                self.boards[usize_of(*question)].holders = holders;
            }
            Deed::Pay { question, payouts, first, pay } => {
                self.post(*question, seq, at, payouts, *first);
                for (wallet, pays) in pay.iter() {
                    let Some(wallet) = self.find(*wallet, wallet.spread()) else { continue };
                    let Some(place) = self.place(wallet, *question) else { continue };
                    self.pay(Scene { wallet, question: *question, place, seq, at }, *pays);
                }
            }
        }
    }

    /// The same for holders who are to be paid.
    fn look_at(&self, places: &[u32]) {
        let wallets = places.iter().map(|place| self.stakes[usize_of(*place)].wallet);
        let read = wallets.fold(0, |read, wallet| read ^ self.records[usize_of(wallet)].trades);
        std::hint::black_box(read);
    }

    /// The number of a wallet that is at home here.
    pub(super) fn find(&self, wallet: Wallet, spread: u64) -> Option<u32> {
        self.wallets.find(spread, |number| self.records[usize_of(number)].wallet == wallet)
    }

    fn place(&self, wallet: u32, question: u32) -> Option<u32> {
        let is_it = |number| {
            let stake: &Stake = &self.stakes[usize_of(number)];
            (stake.wallet, stake.question) == (wallet, question)
        };
        self.places.find((wallet, question).spread(), is_it)
    }

    /// The wallets that changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> Vec<u32> {
        let changed = std::mem::take(&mut self.changed);
        for wallet in &changed {
            self.records[usize_of(*wallet)].is_changed = false;
        }
        changed
    }

    /// The holdings that changed since this was last asked.
    pub(super) fn take_moved(&mut self) -> (Vec<u32>, Vec<(u32, TokenId)>) {
        let moved = std::mem::take(&mut self.moved);
        for place in &moved {
            self.stakes[usize_of(*place)].is_moved = false;
        }
        (moved, std::mem::take(&mut self.moved_bare))
    }

    /// Who holds how many shares of a question's outcomes.
    pub(super) fn held(&self, question: u32) -> impl Iterator<Item = (Wallet, [Shares; 2])> {
        self.boards[usize_of(question)].holders.iter().filter_map(|place| {
            let stake = &self.stakes[usize_of(*place)];
            let shares = stake.holdings.map(|holding| holding.shares);
            let has = !stake.is_empty() || stake.owed != Usd::ZERO;
            has.then(|| (self.records[usize_of(stake.wallet)].wallet, shares))
        })
    }

    /// Marks everybody who ever held a question as changed.
    pub(super) fn change_holders(&mut self, question: u32) {
        for place in self.boards[usize_of(question)].holders.clone() {
            self.change(self.stakes[usize_of(place)].wallet);
        }
    }

    pub(super) fn change(&mut self, wallet: u32) {
        let record = &mut self.records[usize_of(wallet)];
        if !record.is_changed {
            record.is_changed = true;
            self.changed.push(wallet);
        }
    }

    fn trade(&mut self, trade: &Trade<'_>, is_new: bool, seq: u64, at: Timestamp) {
        if let (Some(seat), Some(price)) = (trade.seat, trade.price) {
            let board = &mut self.boards[usize_of(seat.question)];
            board.price = price;
            // Even where nothing waits: entries that are away have their prints counted.
            board.watch.print(at, f64::from(price) / 1e6, &mut self.matured);
            self.count_matured();
        }
        if !self.is_home(trade.spread) {
            return;
        }
        let fill = trade.fill;
        let wallet = self.wallet(fill.wallet, trade.spread, at);
        self.change(wallet);
        if is_new {
            self.records[usize_of(wallet)].trade(&mut self.books, fill.usd, at);
            self.copying[usize_of(wallet)].trade(fill, at);
        }
        match trade.seat {
            Some(seat) if trade.is_ripe => self.fill(wallet, seat, trade, is_new, seq, at),
            None if is_new => {
                self.book_bare(wallet, fill.token, fill.cash_change(), fill.share_change(), at);
            }
            _ => {}
        }
    }

    fn fill(&mut self, wallet: u32, seat: Seat, trade: &Trade<'_>, is_new: bool, seq: u64, at: Timestamp) {
        let fill = trade.fill;
        let scene = self.scene(wallet, seat.question, seq, at);
        let making = self.stakes[usize_of(scene.place)].bet.and_then(|bet| bet.entry);
        let outcome = usize::from(seat.outcome);
        let done = self.book(scene, outcome, fill.cash_change(), fill.share_change());
        let Some((direction, shares, cost)) = done.grown else { return };
        self.records[usize_of(wallet)].open(&mut self.books, cost, at);
        let is_ultra_short = self.boards[usize_of(seat.question)].is_ultra_short;
        self.copying[usize_of(wallet)].sums.open(cost, fill.role, is_ultra_short);
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
        if let Some(bet) = &mut self.stakes[usize_of(scene.place)].bet {
            let making = making.filter(|_| !done.opens);
            let (making, begins) = self.timers.enter(making, at, !is_new, timer);
            bet.entry = Some(making);
            if begins && trade.price.is_some() {
                self.watch(&timer, at);
            }
        }
    }

    fn book(&mut self, scene: Scene, outcome: usize, cash: Usd, change: Shares) -> Done {
        let done = self.stakes[usize_of(scene.place)].book(outcome, cash, change, scene.at);
        self.finish(scene, done)
    }

    /// Takes over what a change did. What is done after the result is worth the result at once, and no decision.
    fn finish(&mut self, scene: Scene, done: Done) -> Done {
        let record = &mut self.records[usize_of(scene.wallet)];
        record.realize(&mut self.books, done.realized, scene.at);
        let board = &self.boards[usize_of(scene.question)];
        if let Some(result) = board.result.as_ref().filter(|result| result.seq < scene.seq) {
            let stake = &mut self.stakes[usize_of(scene.place)];
            let pays = result.pays(stake);
            let settled = stake.settle(pays);
            // Who sells more than the result has paid for has nothing more to collect.
            stake.owed = (stake.owed + pays[0] + pays[1]).max(Usd::ZERO);
            record.realize(&mut self.books, settled.realized, scene.at);
            return Done { grown: None, ..done };
        }
        if let Some(bet) = done.closed {
            self.copying[usize_of(scene.wallet)].close(&bet, scene.at);
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
            if let Some(ppm) = u32::try_from(closed.paid_ppm()).ok().filter(|_| closed.counts()) {
                let paid = Paid { opened: bet.opened, direction: bet.direction, ppm };
                self.boards[usize_of(scene.question)].prices.push(paid);
            }
            record.close(&mut self.books, closed);
        }
        if done.opens {
            self.decide(scene, &done);
        }
        done
    }

    /// Pays a result.
    fn pay(&mut self, scene: Scene, pays: [Usd; 2]) {
        self.change(scene.wallet);
        self.touch(scene.place);
        let stake = &mut self.stakes[usize_of(scene.place)];
        let done = stake.settle(pays);
        // Shares that were never seen arriving are nobody's debt.
        stake.owed += pays[0].max(Usd::ZERO) + pays[1].max(Usd::ZERO);
        self.finish(scene, done);
        self.reckon(scene);
    }

    /// Notes a question's result, unless it has one.
    fn post(
        &mut self,
        question: u32,
        seq: u64,
        at: Timestamp,
        payouts: &Arc<Payouts>,
        first: usize,
    ) -> Arc<Outcome> {
        self.boards[usize_of(question)].watch.resolve(at, &mut self.matured);
        self.count_matured();
        let fresh = || Arc::new(Outcome { seq, at, payouts: Arc::clone(payouts), first });
        Arc::clone(self.boards[usize_of(question)].result.get_or_insert_with(fresh))
    }

    fn wallet(&mut self, wallet: Wallet, spread: u64, at: Timestamp) -> u32 {
        let number = self.find(wallet, spread).unwrap_or_else(|| {
            let number = next_number(&self.records);
            self.records.push(Record::new(wallet, at));
            self.copying.push(Copying::default());
            self.wallets.insert(spread, number);
            number
        });
        self.records[usize_of(number)].see(at);
        number
    }

    fn scene(&mut self, wallet: u32, question: u32, seq: u64, at: Timestamp) -> Scene {
        let place = self.place(wallet, question).unwrap_or_else(|| {
            let place = next_number(&self.stakes);
            self.stakes.push(Stake { wallet, question, ..Stake::default() });
            self.places.insert((wallet, question).spread(), place);
            self.boards[usize_of(question)].holders.push(place);
            place
        });
        self.touch(place);
        Scene { wallet, question, place, seq, at }
    }

    fn touch(&mut self, place: u32) {
        let stake = &mut self.stakes[usize_of(place)];
        if !stake.is_moved {
            stake.is_moved = true;
            self.moved.push(place);
        }
    }
}

/// The shard where a wallet is at home. The lower bits, because the upper ones place it in tables.
pub(super) fn home(spread: u64, shards: usize) -> usize {
    usize::try_from(spread & 0xffff).unwrap_or(0) % shards.max(1)
}
