//! Some of the wallets, with everything that is theirs. Shards know nothing of each other, so that they can be
//! folded side by side; which wallets are where makes no difference to any of them.

mod ahead;
mod booking;
mod changes;
mod news;
mod paging;
mod timing;
mod visits;

pub(super) use paging::Clock;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Market, Shares, Timestamp, TokenId, Usd, Wallet};

use super::act::{Act, Deed};
use super::board::{Board, Outcome, Paid};
use super::by_question::ByQuestion;
use super::copying::Copying;
use super::entry::{Timer, Timers};
use super::front::Front;
use super::interner::{Parts, Spread as _, part_of, usize_of};
use super::person::Person;
use super::record::{Books, Record};
use super::stake::Stake;
use super::table::Table;
use crate::clv::Matured;
use crate::ledger::Holding;
use ahead::{AHEAD, Spot};
use visits::Begun;

/// Less than a cent more was collected than the result paid: rounding.
const ROUNDING: Usd = Usd::from_micros(10_000);

/// A part of all wallets.
#[derive(Clone, Debug, Default)]
pub(super) struct Shard {
    number: u16,
    shards: usize,
    wallets: Parts,
    /// By the wallet's number.
    pub(super) people: Table<Person>,
    pub(super) books: Books,
    /// By the wallet's and the question's number.
    places: Parts,
    /// By the place's number.
    pub(super) stakes: Table<Stake>,
    /// By the question's number.
    pub(super) boards: Vec<Board>,
    /// By the question's number too.
    fronts: Vec<Front>,
    /// By a wallet's number and that of siblings: how many decisions it made among them.
    legs: Parts,
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
    /// The number of the first fact of those that are folded together just now. While one act is done after the other,
    /// there is none, and results are known in their turn.
    together_since: Option<u64>,
    /// Whether everything that is folded together happened later than all before.
    is_in_time: bool,
    room: Room,
}

/// Room for what is folded together, from one time to the next.
#[derive(Clone, Debug, Default)]
struct Room {
    due: Vec<Timer>,
    begun: Vec<(u32, Begun)>,
    entries: ByQuestion<Begun>,
    held: Vec<(u32, u32)>,
    holders: ByQuestion<u32>,
    paid: Vec<(u32, Paid)>,
    prices: ByQuestion<Paid>,
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
        Self { number: u16::try_from(number).unwrap_or(u16::MAX), shards, ..Self::default() }
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
                self.fronts.push(Front::default());
            }
            let board = &mut self.boards[usize_of(question)];
            let is_moved = board.end != market.end;
            board.end = market.end;
            self.fronts[usize_of(question)].describe(market, siblings);
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
            let (books, record, _) = self.known(self.stakes[*place].wallet);
            for closed in record.closed(books).iter().filter(|closed| closed.question == question) {
                if let Some(paid) = Paid::of(closed) {
                    self.boards[usize_of(question)].note_paid(&paid);
                }
            }
        }
    }

    /// Does one act after the other.
    pub(super) fn follow(&mut self, acts: &[Act]) {
        for act in acts {
            if act.is_new {
                self.mature(act.at);
            }
            self.apply(act);
        }
        self.count_matured();
    }

    fn apply(&mut self, act: &Act) {
        let Act { seq, at, is_new, deed } = act;
        let (seq, at) = (*seq, *at);
        match deed {
            Deed::Trade { trade, price, standing } => {
                if let Some(price) = price {
                    self.print(trade.question, *price, at);
                }
                if self.is_home(trade.spread) {
                    self.trade(trade, *standing, Spot::default(), *is_new, seq);
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
                        let stake = &self.stakes[*place];
                        let wallet = stake.wallet;
                        if stake.awaits_result() && whom.includes(self.people[wallet].record.wallet) {
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
                    let Some(place) = self.place(wallet, self.spread(wallet), *question) else { continue };
                    self.pay(Scene { wallet, question: *question, place, seq, at }, *pays);
                }
            }
        }
    }

    /// The number of a wallet that is at home here.
    pub(super) fn find(&self, wallet: Wallet, spread: u64) -> Option<u32> {
        self.wallets.of(part_of(spread)).find(spread, |number| self.people[number].record.wallet == wallet)
    }

    /// The spread of a wallet's address.
    fn spread(&self, wallet: u32) -> u64 {
        self.people[wallet].record.wallet.spread()
    }

    /// The place of a wallet's stake in a question; the spread is that of its address.
    fn place(&self, wallet: u32, spread: u64, question: u32) -> Option<u32> {
        if let Some(place) = self.people[wallet].recent(question) {
            return Some(place);
        }
        let is_it = |number| {
            let stake: &Stake = &self.stakes[number];
            (stake.wallet, stake.question) == (wallet, question)
        };
        self.places.of(part_of(spread)).find((wallet, question).spread(), is_it)
    }

    /// What is kept of a wallet whose number came from here.
    pub(super) fn known(&self, number: u32) -> (&Books, &Record, &Copying) {
        (&self.books, &self.people[number].record, &self.people[number].copying)
    }

    /// Puts down a question's result.
    pub(super) fn end(&mut self, question: u32, result: Arc<Outcome>) {
        self.fronts[usize_of(question)].end(result.at);
        self.boards[usize_of(question)].result = Some(result);
    }

    /// Who holds how many shares of a question's outcomes.
    pub(super) fn held(&self, question: u32) -> impl Iterator<Item = (Wallet, [Shares; 2])> {
        self.boards[usize_of(question)].holders.iter().filter_map(|place| {
            let stake = &self.stakes[*place];
            let shares = stake.holdings.map(|holding| holding.shares);
            let has = !stake.is_empty() || stake.owed != Usd::ZERO;
            has.then(|| (self.people[stake.wallet].record.wallet, shares))
        })
    }

    fn wallet(&mut self, wallet: Wallet, spread: u64, at: Timestamp) -> u32 {
        self.wallet_at(Spot::default(), wallet, spread, at)
    }

    fn wallet_at(&mut self, spot: Spot, wallet: Wallet, spread: u64, at: Timestamp) -> u32 {
        let number = spot.wallet.or_else(|| self.find(wallet, spread)).unwrap_or_else(|| {
            let number = self.people.push(Person::new(wallet, at));
            self.wallets.of_mut(part_of(spread)).insert(spread, number);
            number
        });
        self.people[number].record.see(at);
        number
    }

    fn scene(&mut self, wallet: u32, question: u32, seq: u64, at: Timestamp) -> Scene {
        self.scene_at(Spot::default(), wallet, question, seq, at)
    }

    fn scene_at(&mut self, spot: Spot, wallet: u32, question: u32, seq: u64, at: Timestamp) -> Scene {
        let known = spot.place.or_else(|| self.place(wallet, self.spread(wallet), question));
        let place = known.unwrap_or_else(|| {
            let place = self.stakes.push(Stake { wallet, question, ..Stake::default() });
            let part = part_of(self.spread(wallet));
            self.places.of_mut(part).insert((wallet, question).spread(), place);
            if self.together_since.is_some() {
                self.room.held.push((question, place));
            } else {
                self.boards[usize_of(question)].hold(place);
            }
            place
        });
        self.people[wallet].remember(question, place);
        self.touch(place);
        let scene = Scene { wallet, question, place, seq, at };
        if self.may_be_over(question, at) {
            self.catch_up(scene);
        }
        scene
    }

    /// Whether a result may have come before something at a moment: nearly always its time tells.
    fn may_be_over(&self, question: u32, at: Timestamp) -> bool {
        let front = &self.fronts[usize_of(question)];
        if self.is_in_time { front.is_over_by(at) } else { front.is_over() }
    }

    fn touch(&mut self, place: u32) {
        let stake = &mut self.stakes[place];
        if !stake.is_moved {
            stake.is_moved = true;
            self.moved.push(place);
        }
    }
}

/// The shard where a wallet is at home. The lower bits, because the upper ones place it in tables.
#[expect(clippy::cast_possible_truncation, reason = "sixteen bits are asked for")]
pub(super) fn home(spread: u64, shards: usize) -> u16 {
    let bits = spread as u16;
    // More shards than sixteen bits can number would leave the rest of them empty.
    u16::try_from(shards).map_or(bits, |shards| bits % shards.max(1))
}
