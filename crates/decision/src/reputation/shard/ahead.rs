//! Looking ahead: reading what the next trades will need before they are done.
//!
//! Wallets, stakes and what hangs on them lie all over the memory, and a fold that asks for them one after the other
//! waits for each. Asked for together, all of a kind at a time, they come together.

use std::hint::black_box;

use domain::{Role, Side, Timestamp};

use super::super::act::Trade;
use super::super::entry::Timer;
use super::super::interner::usize_of;
use super::Shard;
use crate::clv::Matured;

/// How many trades are looked at before they are done.
pub(super) const AHEAD: usize = 128;

/// Where a trade's wallet and stake are, as far as they were there when it was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spot {
    pub(super) wallet: Option<u32>,
    pub(super) place: Option<u32>,
}

impl Shard {
    /// Reads what the next trades will need, all of a kind at a time: wallets, stakes, and what hangs on these. Where
    /// they are.
    pub(super) fn look_ahead(&self, trades: &[Trade]) -> [Spot; AHEAD] {
        let mut spots = [Spot::default(); AHEAD];
        let mut read = 0;
        for (spot, trade) in spots.iter_mut().zip(trades) {
            spot.wallet = self.find(trade.wallet, trade.spread);
            if let Some(wallet) = spot.wallet {
                read ^= self.people[wallet].touch();
            }
        }
        for (spot, trade) in spots.iter_mut().zip(trades) {
            let Some(wallet) = spot.wallet else { continue };
            spot.place = self.place(wallet, trade.spread, trade.question);
            if let Some(place) = spot.place {
                read ^= self.stakes[place].touch();
            }
        }
        for (spot, trade) in spots.iter().zip(trades) {
            let Some(wallet) = spot.wallet else { continue };
            let copying = &self.people[wallet].copying;
            // Opposite a taker stands the exchange itself.
            if trade.role == Role::Maker {
                read ^= copying.touch_dealt();
            }
            let Some(place) = spot.place else {
                // Who comes to a question makes a decision in it.
                read ^= copying.sums.touch_opening();
                continue;
            };
            if let Some(making) = self.stakes[place].bet.as_ref().and_then(|bet| bet.entry) {
                read ^= self.timers.touch(&making);
            }
            // A sale may be the end of a decision.
            if trade.side == Side::Sell {
                read ^= copying.touch_closing();
            }
        }
        black_box(read);
        spots
    }

    /// The same for entries that are due. Those whose question was over by then need nothing.
    pub(super) fn look_at_due(&self, timers: &[Timer]) {
        let open =
            timers.iter().filter(|timer| !self.fronts[usize_of(timer.question)].is_over_before(timer.due));
        black_box(open.fold(0, |read, timer| read ^ self.people[timer.wallet].record.touch()));
    }

    /// The same for entries whose time has come.
    pub(super) fn look_at_matured(&self, matured: &[Matured<u32>]) {
        let wallets = || matured.iter().map(|matured| matured.wallet);
        let read = wallets().fold(0, |read, wallet| {
            read ^ self.people[wallet].copying.clv.touch() ^ self.people[wallet].record.touch()
        });
        black_box(wallets().fold(read, |read, wallet| read ^ self.people[wallet].copying.clv.touch_more()));
    }

    /// The same for questions whose entries wait.
    pub(super) fn look_at_watches(&self, questions: &[u32], until: Timestamp) {
        let watches = questions.iter().map(|question| &self.boards[usize_of(*question)].watch);
        black_box(watches.fold(0, |read, watch| read ^ watch.touch(until)));
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
