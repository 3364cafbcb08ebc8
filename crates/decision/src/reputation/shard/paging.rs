//! Wallets that come and go.

use std::collections::BTreeSet;

use domain::{Timestamp, TokenId, Usd};

use super::super::SavedWallet;
use super::super::catalogue::Catalogue;
use super::super::entry::Timer;
use super::super::interner::{Parts, Spread as _, next_number, part_of, usize_of};
use super::super::person::Person;
use super::super::record::Books;
use super::super::saved::{Damaged, Reader, Saved, WalletState, Writer, behind, digest};
use super::super::stake::{Bet, Stake};
use super::super::table::Table;
use super::{Bare, Scene, Shard};
use crate::clv::{Left, Watched};
use crate::ledger::Holding;

/// How far the history is, for those who say when a wallet has to be looked at again.
#[derive(Clone, Copy)]
pub(in crate::reputation) struct Clock {
    /// The day of the last pass.
    pub(in crate::reputation) scored: Option<i64>,
}

/// What belongs to the wallets of a shard, in the order of their numbers.
struct Belongings {
    /// The places of stakes that say something; by question.
    places: Vec<u32>,
    /// By question.
    legs: Vec<(u32, u32, u32)>,
    /// With their numbers.
    timers: Vec<(u64, Timer)>,
    /// By question.
    watched: Vec<(u32, u32, Watched)>,
    moved_bare: BTreeSet<(u32, TokenId)>,
}

impl Belongings {
    fn of(shard: &Shard, catalogue: &Catalogue) -> Self {
        let stake = |place: &u32| &shard.stakes[*place];
        let mut places: Vec<u32> = (0..shard.stakes.next()).collect();
        places.retain(|place| stake(place).alone() != Stake::default());
        places.sort_unstable_by_key(|place| (stake(place).wallet, stake(place).question));
        let legs = shard.leg_counts.iter();
        let mut legs: Vec<(u32, u32, u32)> = legs
            .filter_map(|(wallet, among, count)| Some((*wallet, catalogue.first_of(*among)?, *count)))
            .collect();
        legs.sort_unstable();
        let mut timers: Vec<(u64, Timer)> =
            shard.timers.numbered().map(|(number, timer)| (number, *timer)).collect();
        timers.sort_by_key(|(_, timer)| (timer.wallet, timer.due, timer.question, timer.direction));
        let boards = (0u32..).zip(&shard.boards).filter(|(_, board)| !board.watch.is_idle());
        let mut watched: Vec<(u32, u32, Watched)> = boards
            .flat_map(|(question, board)| {
                board.watch.watched().map(move |(wallet, one)| (wallet, question, one))
            })
            .collect();
        watched.sort_by_key(|(wallet, question, one)| (*wallet, *question, one.key()));
        let moved_bare = shard.moved_bare.iter().copied().collect();
        Self { places, legs, timers, watched, moved_bare }
    }
}

/// A wallet's part of a list that is in the order of wallets.
fn part<T>(list: &[T], wallet: u32, of: impl Fn(&T) -> u32) -> &[T] {
    let start = list.partition_point(|item| of(item) < wallet);
    let length = list[start..].partition_point(|item| of(item) == wallet);
    &list[start..start + length]
}

impl Shard {
    /// The wallets whose bytes are not those that were saved or loaded last.
    pub(in crate::reputation) fn unsaved<'a>(
        &'a mut self,
        catalogue: &'a Catalogue,
        clock: Clock,
    ) -> impl Iterator<Item = SavedWallet> + 'a {
        let belongings = Belongings::of(self, catalogue);
        self.saved.resize(self.people.len(), 0);
        (0..self.people.next()).filter_map(move |number| {
            let bytes = self.bytes_of(number, &belongings);
            let digest = digest(&bytes);
            let is_new = std::mem::replace(&mut self.saved[usize_of(number)], digest) != digest;
            is_new.then(|| self.described(number, bytes, &belongings, catalogue, clock))
        })
    }

    fn bytes_of(&self, number: u32, belongings: &Belongings) -> Vec<u8> {
        let mut to = Writer::new();
        let to_ref = &mut to;
        let record = &self.people[number].record;
        to_ref.flag(record.is_changed);
        record.save(&self.books, to_ref);
        let places = part(&belongings.places, number, |place| self.stakes[*place].wallet);
        to_ref.length(places.len());
        let mut next = 0;
        for stake in places.iter().map(|place| &self.stakes[*place]) {
            behind(to_ref, &mut next, stake.question);
            stake.save(to_ref);
        }
        let bare = || self.bare_of(number);
        to_ref.length(bare().count());
        for (token, bare) in bare() {
            to_ref.raw(&token.0.to_be_bytes::<32>());
            bare.save(to_ref);
            to_ref.flag(belongings.moved_bare.contains(&(number, token)));
        }
        let legs = part(&belongings.legs, number, |leg| leg.0);
        to_ref.length(legs.len());
        let mut next = 0;
        for (_, question, count) in legs {
            behind(to_ref, &mut next, *question);
            to_ref.whole(*count);
        }
        let copying = &self.people[number].copying;
        copying.sums.save(to_ref);
        copying.clv.save(to_ref);
        let timers = part(&belongings.timers, number, |(_, timer)| timer.wallet);
        to_ref.length(timers.len());
        for (making, timer) in timers {
            timer.save(self.last_fill(number, timer.question, *making), to_ref);
        }
        let watched = part(&belongings.watched, number, |watched| watched.0);
        to_ref.length(watched.len());
        for (_, question, watched) in watched {
            to_ref.whole(*question);
            watched.save(to_ref);
        }
        to.into_bytes()
    }

    /// When the last fill was of the entry with a number, if it is still being made.
    fn last_fill(&self, wallet: u32, question: u32, number: u64) -> Option<Timestamp> {
        let stake = &self.stakes[self.place(wallet, self.spread(wallet), question)?];
        let (making, last) = stake.bet?.entry?.state();
        (making == number).then_some(last)
    }

    fn bare_of(&self, number: u32) -> impl Iterator<Item = (TokenId, &Bare)> {
        let most = TokenId(alloy_primitives::U256::MAX);
        let range = (number, TokenId::default())..=(number, most);
        self.bare.range(range).map(|((_, token), bare)| (*token, bare))
    }

    fn described(
        &mut self,
        number: u32,
        bytes: Vec<u8>,
        belongings: &Belongings,
        catalogue: &Catalogue,
        clock: Clock,
    ) -> SavedWallet {
        let record = &self.people[number].record;
        let places = part(&belongings.places, number, |place| self.stakes[*place].wallet);
        let stakes = || places.iter().map(|place| &self.stakes[*place]);
        let has_moved_bare =
            self.bare_of(number).any(|(token, _)| belongings.moved_bare.contains(&(number, token)));
        let is_due = record.is_changed || has_moved_bare || stakes().any(|stake| stake.is_moved);
        let timers = part(&belongings.timers, number, |(_, timer)| timer.wallet);
        let watched = part(&belongings.watched, number, |watched| watched.0);
        let looked = clock.scored.unwrap_or(i64::MIN);
        let fades = record.fades_on(&self.books, looked).into_iter();
        let fades = fades.chain(self.people[number].copying.sums.fades_on(looked)).min();
        let fades = fades.map(|day| Timestamp::from_micros(day.saturating_mul(Timestamp::DAY)));
        let due = timers.iter().map(|(_, timer)| timer.due);
        let wake = due.chain(watched.iter().map(|(_, _, watched)| watched.due)).min();
        let (wallet, decisions) = (record.wallet, record.decisions);
        let mut tokens: Vec<TokenId> = Vec::new();
        for place in places {
            let stake = &mut self.stakes[*place];
            let untold = open_tokens(stake) & !stake.told;
            stake.told |= untold;
            let names = catalogue.question(stake.question).tokens.into_iter().zip([1, 2]);
            tokens.extend(names.filter_map(|(token, bit)| token.filter(|_| untold & bit != 0)));
        }
        tokens.sort_unstable();
        SavedWallet { wallet, bytes, wake, fades, is_due, tokens, decisions }
    }

    /// An entry of a moment is back: `None` unless it was away, and what its copier has paid meanwhile.
    pub(in crate::reputation) fn claim(
        &mut self,
        question: u32,
        at: Timestamp,
    ) -> Option<Option<(f64, u64)>> {
        let claimed = self.boards[usize_of(question)].watch.claim(at);
        self.listen(question);
        claimed
    }

    /// Goes on from a question's last price after so many prints.
    pub(in crate::reputation) fn restore_price(&mut self, question: u32, price: u32, prints: u64) {
        self.boards[usize_of(question)].watch.restore(f64::from(price) / 1e6, prints);
        let front = &mut self.fronts[usize_of(question)];
        (front.price, front.untold) = (price, 0);
    }

    /// Keeps in mind what the copiers pay of entries in a question that are away.
    pub(in crate::reputation) fn remember(&mut self, question: u32, left: Vec<Left>) {
        self.boards[usize_of(question)].watch.remember(left);
        self.listen(question);
    }

    /// How many prints there were of a question.
    pub(in crate::reputation) fn prints(&self, question: u32) -> u64 {
        let untold = u64::from(self.fronts[usize_of(question)].untold);
        self.boards[usize_of(question)].watch.prints() + untold
    }

    /// Puts a wallet among the others.
    pub(in crate::reputation) fn take_in(&mut self, state: WalletState, digest: u64, catalogue: &Catalogue) {
        let first = self.stakes.next();
        let WalletState { is_changed, told, stakes, bare, legs, copying, timers, watched } = state;
        let number = self.people.next();
        let record = told.enter(&mut self.books);
        let spread = record.wallet.spread();
        self.wallets.of_mut(part_of(spread)).insert(spread, number);
        self.saved.resize(self.people.len(), 0);
        self.saved.push(digest);
        self.people.push(Person::of(record, copying));
        if is_changed {
            self.change(number);
        }
        for stake in stakes {
            let told = open_tokens(&stake);
            let place = self.stakes.push(Stake { wallet: number, told, ..stake });
            self.places.of_mut(part_of(spread)).insert((number, stake.question).spread(), place);
            self.boards[usize_of(stake.question)].hold(place);
            self.moved.extend(stake.is_moved.then_some(place));
        }
        for (token, bare, is_moved) in bare {
            self.bare.insert((number, token), bare);
            self.moved_bare.extend(is_moved.then_some((number, token)));
        }
        for (question, count) in legs {
            let Some(siblings) = catalogue.question(question).siblings else { continue };
            let leg = next_number(&self.leg_counts);
            self.legs.of_mut(part_of(spread)).insert((number, siblings).spread(), leg);
            self.leg_counts.push((number, siblings, count));
        }
        for (timer, last) in timers {
            let making = self.timers.take_in(Timer { wallet: number, ..timer }, last);
            let place = self.place(number, spread, timer.question);
            if let Some(Bet { entry, .. }) = place.and_then(|place| self.stakes[place].bet.as_mut()) {
                *entry = making.or(*entry);
            }
        }
        for (question, watched) in watched {
            self.tell(question);
            self.boards[usize_of(question)].watch.take_in(number, &watched);
            self.listen(question);
        }
        for place in first..self.stakes.next() {
            self.pay_late(place, catalogue);
        }
    }

    /// Pays a result that came while its holder was away, as it would have been paid then: nothing else has happened
    /// to the holder since. Whoever waits for siblings to be known is paid when they are.
    fn pay_late(&mut self, place: u32, catalogue: &Catalogue) {
        let stake = &self.stakes[place];
        let (wallet, question) = (stake.wallet, stake.question);
        if !stake.awaits_result() {
            return;
        }
        let Some(result) = self.boards[usize_of(question)].result.clone() else { return };
        let siblings = catalogue.question(question).siblings.map(|number| catalogue.siblings(number));
        let address = self.people[wallet].record.wallet;
        if siblings.is_none_or(|siblings| !siblings.waiters.contains_key(&address)) {
            let pays = result.pays(&self.stakes[place]);
            self.pay(Scene { wallet, question, place, seq: result.seq, at: result.at }, pays);
        }
    }

    /// Lets all wallets go, and keeps what is the questions'.
    pub(in crate::reputation) fn forget(&mut self) {
        for question in 0..next_number(&self.boards) {
            self.boards[usize_of(question)].holders = Vec::new();
            if !self.boards[usize_of(question)].watch.is_idle() {
                self.tell(question);
                self.boards[usize_of(question)].watch.leave();
                self.listen(question);
            }
        }
        (self.wallets, self.places, self.legs) = (Parts::default(), Parts::default(), Parts::default());
        (self.people, self.books) = (Table::default(), Books::default());
        (self.stakes, self.leg_counts, self.bare) = Default::default();
        (self.timers, self.changed, self.moved) = Default::default();
        (self.moved_bare, self.saved, self.looked) = Default::default();
    }
}

/// The tokens by which a result finds a stake, a bit each: those of which there is something, or the first one where
/// there is only a decision or a debt.
fn open_tokens(stake: &Stake) -> u8 {
    let is_open = !stake.is_empty() || stake.owed != Usd::ZERO;
    let has = |held: &Holding| held.shares != domain::Shares::ZERO || held.cost != Usd::ZERO;
    let has_none = !stake.holdings.iter().any(has);
    let has = stake.holdings.map(|held| has(&held));
    u8::from(is_open && (has[0] || has_none)) | u8::from(is_open && has[1]) << 1
}

impl Saved for Bare {
    fn save(&self, to: &mut Writer) {
        self.holding.save(to);
        to.length(self.days.len());
        for (at, usd) in &self.days {
            to.moment(*at);
            to.amount(usd.micros());
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let holding = Holding::load(from)?;
        Ok(Self { holding, days: from.list(|from| Ok((from.moment()?, from.usd()?)))? })
    }
}
