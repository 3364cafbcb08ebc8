//! Looking ahead: reading what the next trades will need before they are done.
//!
//! Wallets, stakes and what hangs on them lie all over the memory, and a fold that asks for them one after the other
//! waits for each. Asked for together, all of a kind at a time, they come together.

use std::hint::black_box;

use domain::{Role, Side, Timestamp};

use super::super::act::{Glance, Stretch};
use super::super::interner::{Spread as _, usize_of};
use super::Shard;

/// How many trades are looked at before they are done.
pub(super) const AHEAD: usize = 128;

/// Where a trade's wallet and stake are, as far as they were there when it was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spot {
    pub(super) wallet: Option<u32>,
    pub(super) place: Option<u32>,
    is_maker: bool,
    is_sale: bool,
}

/// The spots of the trades that are at home here, in their order.
pub(super) struct Known {
    spots: [Spot; AHEAD],
    taken: usize,
}

impl Known {
    /// The next trade's.
    pub(super) fn next(&mut self) -> Spot {
        self.taken += 1;
        self.spots.get(self.taken - 1).copied().unwrap_or_default()
    }
}

impl Shard {
    /// Reads what the next trades will need: the slots of all wallets first, then all wallets, the slots of all
    /// stakes, all stakes.
    pub(super) fn look_ahead(&self, stretch: &Stretch<'_>, glances: &[Glance]) -> Known {
        let last = glances.last().map(|glance| glance.at).unwrap_or_default();
        let mut own = [0usize; AHEAD];
        let mut count = 0;
        let mut read = 0u64;
        for (index, glance) in glances.iter().enumerate().take(AHEAD) {
            own[count] = index;
            if glance.home == self.number {
                read ^= self.wallets.peek(glance.spread);
                count += 1;
            }
            if self.fronts[usize_of(glance.question)].quiet < last {
                read ^= self.boards[usize_of(glance.question)].watch.touch(last);
            }
        }
        let own = &own[..count];
        let mut spots = [Spot::default(); AHEAD];
        for (spot, index) in spots.iter_mut().zip(own) {
            let glance = &glances[*index];
            if let Some(trade) = stretch.trade(glance) {
                spot.is_maker = trade.fill.role == Role::Maker;
                spot.is_sale = trade.fill.side == Side::Sell;
                spot.wallet = self.find(trade.fill.wallet, glance.spread);
            }
        }
        for (spot, index) in spots.iter_mut().zip(own) {
            let Some(wallet) = spot.wallet else { continue };
            let (person, question) = (&self.people[wallet], glances[*index].question);
            read ^= person.touch();
            spot.place = person.recent(question);
            if spot.place.is_none() {
                read ^= self.places.peek((wallet, question).spread());
            }
        }
        for (spot, index) in spots.iter_mut().zip(own).filter(|(spot, _)| spot.place.is_none()) {
            let Some(wallet) = spot.wallet else { continue };
            spot.place = self.place(wallet, glances[*index].question);
        }
        for (spot, index) in spots.iter().zip(own) {
            let Some(wallet) = spot.wallet else { continue };
            // Opposite a taker stands the exchange itself.
            if spot.is_maker {
                read ^= self.people[wallet].copying.touch_dealt();
            }
            read ^= match spot.place {
                Some(place) => self.stakes[place].touch(),
                // Who comes to a question makes a decision in it, which is counted among its siblings.
                None => self.touch_opening(wallet, glances[*index].question),
            };
        }
        for (spot, index) in spots.iter().zip(own) {
            let bet = spot.place.and_then(|place| self.stakes[place].bet.as_ref());
            read ^= match bet.and_then(|bet| bet.entry) {
                Some(making) => self.timers.touch(&making),
                // Another entry begins, which waits on the board.
                None => self.boards[usize_of(glances[*index].question)].watch.touch(last),
            };
            // A sale may be the end of a decision.
            if let Some(wallet) = spot.wallet.filter(|_| spot.is_sale) {
                read ^= self.people[wallet].copying.touch_closing();
                read ^= self.boards[usize_of(glances[*index].question)].touch_paid();
            }
        }
        read ^= self.look_at_timers(last);
        black_box(read);
        Known { spots, taken: 0 }
    }

    fn touch_opening(&self, wallet: u32, question: u32) -> u64 {
        let siblings = self.fronts[usize_of(question)].siblings();
        let legs = siblings.map_or(0, |siblings| self.legs.peek((wallet, siblings).spread()));
        let holder = self.boards[usize_of(question)].holders.last().map_or(0, |place| u64::from(*place));
        legs ^ holder ^ self.people[wallet].copying.sums.touch_opening()
    }

    /// The same for entries that will be due by a moment. Those whose question is over by then need nothing.
    fn look_at_timers(&self, by: Timestamp) -> u64 {
        let due = self.timers.upcoming(by).take(4 * AHEAD);
        let open = due.filter(|timer| !self.fronts[usize_of(timer.question)].is_over_before(timer.due));
        open.fold(0, |read, timer| read ^ self.people[timer.wallet].record.touch())
    }

    /// The same for entries whose time has come.
    pub(super) fn look_at_matured(&self) {
        let wallets = self.matured.iter().map(|matured| matured.wallet);
        let read = wallets.fold(0, |read, wallet| {
            read ^ self.people[wallet].copying.clv.touch() ^ self.people[wallet].record.touch()
        });
        let wallets = self.matured.iter().map(|matured| matured.wallet);
        black_box(wallets.fold(read, |read, wallet| read ^ self.people[wallet].copying.clv.touch_more()));
    }

    /// The same for holders who are to be paid.
    pub(super) fn look_at(&self, places: &[u32]) {
        let read = places.iter().fold(0, |read, place| read ^ self.stakes[*place].touch());
        let wallets = places.iter().map(|place| self.stakes[*place].wallet);
        let read = wallets.fold(read, |read, wallet| {
            read ^ self.people[wallet].record.touch() ^ self.people[wallet].copying.touch_closing()
        });
        black_box(read);
    }
}
