//! Facts that are folded together, some wallets after the other.
//!
//! A wallet trades again soon after it traded, and who goes through the facts one after the other has to find it anew
//! each time, in memory that millions of others have been through since. What happens to one wallet concerns no other,
//! but for prices and results: so the wallets are visited part by part, and everything that happened to those of a part
//! is done then, in its order. What a price or a result does to it is found by when it was, and not by what was folded
//! before:
//!
//! 1. Results are noted first, and hold from their place on.
//! 2. Entries that are a day old find the price that was paid last before.
//! 3. The wallets are visited; who trades, splits or collects after a result is paid it just before.
//! 4. In each question, prices pass by the entries that wait and those that have begun, in their order.
//! 5. The results pay everybody else.

use std::sync::Arc;

use domain::{Side, Timestamp};

use super::super::act::{Act, Deed, Standing, Trade};
use super::super::board::Outcome;
use super::super::interner::{PARTS, part_of, usize_of};
use super::super::sheet::{Stretch, place_of};
use super::Shard;
use super::ahead::AHEAD;

/// An entry that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    pub(super) at: Timestamp,
    /// Dollars a share of its direction.
    pub(super) paid: f64,
    pub(super) wallet: u32,
    /// Its place among the facts that are folded together.
    pub(super) place: u32,
    pub(super) direction: Side,
}

impl Shard {
    /// Folds facts together.
    pub(in crate::reputation) fn fold(&mut self, stretch: &Stretch<'_>) {
        (self.together_since, self.is_in_time) = (Some(stretch.first), stretch.is_in_time);
        self.foresee(stretch.acts);
        self.mature_at(stretch.until, |shard, timer| {
            let found = stretch.price_before(timer.question, timer.due);
            found.or_else(|| shard.price(timer.question))
        });
        self.visit_all(stretch);
        self.note_all();
        self.watch_all(stretch);
        self.count_matured();
        (self.together_since, self.is_in_time) = (None, false);
        let results = stretch.acts.iter().filter(|act| matches!(act.deed, Deed::Settle { .. }));
        results.for_each(|act| self.apply(act));
        self.count_matured();
    }

    /// Notes the results that are to come.
    fn foresee(&mut self, acts: &[Act]) {
        for act in acts {
            if let Deed::Settle { question, payouts, first, .. } = &act.deed
                && self.boards[usize_of(*question)].result.is_none()
            {
                let (seq, at, payouts, first) = (act.seq, act.at, Arc::clone(payouts), *first);
                self.end(*question, Arc::new(Outcome { seq, at, payouts, first }));
            }
        }
    }

    /// Does what happened to the wallets, part by part.
    fn visit_all(&mut self, stretch: &Stretch<'_>) {
        let own = stretch.acts.iter().filter_map(|act| Some((self.visited(act)?, act)));
        let mut own: Vec<(usize, &Act)> = own.collect();
        own.sort_by_key(|(part, _)| *part);
        let mut own = own.into_iter().peekable();
        let home = self.number;
        for part in 0..PARTS {
            let trades = stretch.sheets.into_iter().flat_map(|sheet| sheet.part(home, part).chunks(AHEAD));
            for trades in trades {
                let spots = self.look_ahead(trades);
                for (trade, spot) in trades.iter().zip(spots) {
                    let seq = stretch.first + u64::from(trade.place);
                    while let Some((_, act)) = own.next_if(|(of, act)| *of == part && act.seq < seq) {
                        self.do_own(stretch, act);
                    }
                    self.trade(trade, Standing::Ripe, spot, true, seq);
                }
            }
            while let Some((_, act)) = own.next_if(|(of, _)| *of == part) {
                self.do_own(stretch, act);
            }
        }
    }

    /// Notes in each question who has come to it, and what was paid for decisions that have ended.
    fn note_all(&mut self) {
        let room = &mut self.room;
        room.holders.group(room.held.iter().copied());
        room.held.clear();
        for question in room.holders.questions() {
            self.boards[usize_of(*question)].hold_all(room.holders.of(*question));
        }
        room.prices.group(room.paid.iter().copied());
        room.paid.clear();
        for question in room.prices.questions() {
            let board = &mut self.boards[usize_of(*question)];
            room.prices.of(*question).iter().for_each(|paid| board.note_paid(paid));
        }
    }

    /// The part of whom an act concerns, if it is one wallet at home here.
    fn visited(&self, act: &Act) -> Option<usize> {
        let spread = match &act.deed {
            Deed::Trade { trade, .. } => trade.spread,
            Deed::Own { spread, .. } => *spread,
            Deed::Settle { .. } | Deed::Pay { .. } => return None,
        };
        self.is_home(spread).then(|| part_of(spread))
    }

    /// Does what concerns one wallet alone; what it paid has been seen by everybody.
    fn do_own(&mut self, stretch: &Stretch<'_>, act: &Act) {
        match &act.deed {
            Deed::Trade { trade, standing, .. } => {
                let place = place_of(act.seq, stretch.first).unwrap_or(u32::MAX);
                self.trade(&Trade { place, ..*trade }, *standing, Default::default(), act.is_new, act.seq);
            }
            _ => self.apply(act),
        }
    }
}
