//! Some of the wallets, with everything that is theirs. Shards know nothing of each other, so that they can be
//! folded side by side; which wallets are where makes no difference to any of them.

mod ahead;
mod changes;
mod paging;
mod timing;

pub(super) use paging::Clock;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Market, Payouts, Shares, Timestamp, TokenId, Usd, Wallet};

use super::act::{Act, Deed, Stretch, Trade};
use super::board::{Board, Outcome, Quote};
use super::catalogue::Seat;
use super::copying::Copying;
use super::entry::{DRIFT_HORIZON, Timer, Timers};
use super::interner::{Index, Spread as _, next_number, usize_of};
use super::record::{Books, Closed, Record};
use super::stake::{Done, Stake};
use crate::clv::Matured;
use crate::ledger::Holding;
use ahead::{AHEAD, Spot};

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
    /// By the question's number too.
    quotes: Vec<Quote>,
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
    /// The wallets below this have had their days looked at in this pass.
    looked: u32,
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
                self.quotes.push(Quote::default());
            }
            let board = &mut self.boards[usize_of(question)];
            let is_moved = board.end != market.end;
            board.describe(market, siblings);
            if is_moved {
                self.note_paid_anew(question);
            }
        }
    }

    /// Notes anew what decisions in a question paid, whose end is another one now. Everybody who made one is here.
    fn note_paid_anew(&mut self, question: u32) {
        let board = &mut self.boards[usize_of(question)];
        board.prices = Default::default();
        for place in &board.holders.clone() {
            let (books, record, _) = self.known(self.stakes[usize_of(*place)].wallet);
            for closed in record.closed(books).iter().filter(|closed| closed.question == question) {
                self.boards[usize_of(question)].note_paid(closed);
            }
        }
    }

    pub(super) fn fold(&mut self, stretch: &Stretch<'_>) {
        let mut acts = stretch.acts.iter().peekable();
        for glances in stretch.glances.into_iter().flat_map(|glances| glances.chunks(AHEAD)) {
            let mut known = self.look_ahead(stretch, glances);
            for glance in glances {
                let Some((seq, at, trade)) = stretch.trade(glance) else { continue };
                while let Some(act) = acts.next_if(|act| act.seq < seq) {
                    self.apply(act);
                }
                self.mature(at);
                self.print(glance.question, glance.price, at);
                if self.is_home(glance.spread) {
                    self.trade(&trade, known.next(), true, seq, at);
                }
            }
            self.count_matured();
        }
        for act in acts {
            self.apply(act);
        }
        self.count_matured();
    }

    fn apply(&mut self, act: &Act<'_>) {
        let Act { seq, at, is_new, deed } = act;
        let (seq, at) = (*seq, *at);
        if *is_new {
            self.mature(at);
        }
        match deed {
            Deed::Trade(trade) => {
                if let (Some(seat), Some(price)) = (trade.seat, trade.price) {
                    self.print(seat.question, price, at);
                }
                if self.is_home(trade.spread) {
                    self.trade(trade, Spot::default(), *is_new, seq, at);
                }
            }
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

    /// The wallets that changed since they were last taken.
    pub(super) fn changed(&self) -> &[u32] {
        &self.changed
    }

    /// The wallets that changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> Vec<u32> {
        let changed = std::mem::take(&mut self.changed);
        for wallet in &changed {
            self.records[usize_of(*wallet)].is_changed = false;
        }
        changed
    }

    /// Begins a pass, for which nobody's days have been looked at.
    pub(super) fn begin_pass(&mut self) {
        self.looked = 0;
    }

    /// Marks the wallets, among those that were not looked at in this pass, with a day in the window of `length` days
    /// that ends with `from` and not in the one that ends with `to`, or whose pace changes with the day.
    pub(super) fn change_faded(&mut self, length: i64, from: i64, to: i64) {
        let first = std::mem::replace(&mut self.looked, next_number(&self.records));
        for number in first..next_number(&self.records) {
            let (books, record, copying) = self.known(number);
            if record.loses_days(books, length, from, to) || copying.sums.loses_pace(from, to) {
                self.change(number);
            }
        }
    }

    /// What is kept of a wallet whose number came from here.
    pub(super) fn known(&self, number: u32) -> (&Books, &Record, &Copying) {
        (&self.books, &self.records[usize_of(number)], &self.copying[usize_of(number)])
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

    /// A price was paid for the first token of a question; zero is none.
    fn print(&mut self, question: u32, price: u32, at: Timestamp) {
        let quote = &mut self.quotes[usize_of(question)];
        if price == 0 {
            return;
        }
        if at <= quote.quiet {
            quote.price = price;
            quote.untold = quote.untold.saturating_add(1);
            return;
        }
        self.tell(question);
        let watch = &mut self.boards[usize_of(question)].watch;
        watch.print(at, f64::from(price) / 1e6, &mut self.matured);
        let quote = &mut self.quotes[usize_of(question)];
        (quote.price, quote.quiet) = (price, watch.quiet_until());
    }

    /// The last price of a question's first token.
    pub(super) fn price(&self, question: u32) -> Option<u32> {
        Some(self.quotes[usize_of(question)].price).filter(|price| *price > 0)
    }

    fn trade(&mut self, trade: &Trade<'_>, spot: Spot, is_new: bool, seq: u64, at: Timestamp) {
        let fill = trade.fill;
        let wallet = self.wallet_at(spot, fill.wallet, trade.spread, at);
        self.change(wallet);
        if is_new {
            self.records[usize_of(wallet)].trade(&mut self.books, fill.usd, at);
            self.copying[usize_of(wallet)].trade(fill, at);
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
            self.boards[usize_of(scene.question)].note_paid(&closed);
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
        self.records[usize_of(scene.wallet)].is_paid = true;
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
        self.tell(question);
        self.boards[usize_of(question)].watch.resolve(at, &mut self.matured);
        self.quotes[usize_of(question)].quiet = self.boards[usize_of(question)].watch.quiet_until();
        let fresh = || Arc::new(Outcome { seq, at, payouts: Arc::clone(payouts), first });
        Arc::clone(self.boards[usize_of(question)].result.get_or_insert_with(fresh))
    }

    fn wallet(&mut self, wallet: Wallet, spread: u64, at: Timestamp) -> u32 {
        self.wallet_at(Spot::default(), wallet, spread, at)
    }

    fn wallet_at(&mut self, spot: Spot, wallet: Wallet, spread: u64, at: Timestamp) -> u32 {
        let number = spot.wallet.or_else(|| self.find(wallet, spread)).unwrap_or_else(|| {
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
        self.scene_at(Spot::default(), wallet, question, seq, at)
    }

    fn scene_at(&mut self, spot: Spot, wallet: u32, question: u32, seq: u64, at: Timestamp) -> Scene {
        let place = spot.place.or_else(|| self.place(wallet, question)).unwrap_or_else(|| {
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
