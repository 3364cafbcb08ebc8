//! Facts that are folded together, wallet by wallet.
//!
//! A wallet trades again soon after it traded, and who goes through the facts one after the other has to find it anew
//! each time, in memory that millions of others have been through since. What happens to one wallet concerns no other,
//! but for prices and results: so every wallet is visited once, and everything that happened to it is done then, in
//! its order. What a price or a result does to it is found by when it was, and not by what was folded before:
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
use super::super::interner::usize_of;
use super::super::sheet::{PARTS, Stretch, part_of};
use super::Shard;
use super::ahead::AHEAD;

/// Something that happened to a wallet, so that the order of these is the order in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    spread: u64,
    place: u32,
    /// Its number among the trades of the part, or behind those, among the acts.
    number: u32,
}

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
        self.together_since = Some(stretch.first);
        self.foresee(stretch.acts);
        self.mature_at(stretch.until, |shard, timer| {
            let found = stretch.price_before(timer.question, timer.due);
            found.or_else(|| shard.price(timer.question))
        });
        self.visit_all(stretch);
        self.watch_all(stretch);
        self.count_matured();
        self.together_since = None;
        let results = stretch.acts.iter().filter(|act| matches!(act.deed, Deed::Settle { .. } | Deed::Pay { .. }));
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

    fn visit_all(&mut self, stretch: &Stretch<'_>) {
        let mut events = std::mem::take(&mut self.room.events);
        let own = stretch.acts.iter().filter_map(|act| Some((self.visitor(act)?, act)));
        let mut own: Vec<(u64, &Act)> = own.collect();
        own.sort_by_key(|(spread, _)| *spread);
        let mut own = own.into_iter().peekable();
        let (mut trades, mut acts): (Vec<&Trade>, Vec<&Act>) = (Vec::new(), Vec::new());
        for part in 0..PARTS {
            trades.clear();
            acts.clear();
            for sheet in stretch.sheets {
                trades.extend(sheet.part(self.number, part));
            }
            events.clear();
            events.extend((0..).zip(&trades).map(|(number, trade)| {
                Event { spread: trade.spread, place: trade.place, number }
            }));
            while let Some((spread, act)) = own.next_if(|(spread, _)| part_of(*spread) == part) {
                let place = u32::try_from(act.seq - stretch.first).unwrap_or(u32::MAX);
                let number = u32::try_from(trades.len() + acts.len()).unwrap_or(u32::MAX);
                acts.push(act);
                events.push(Event { spread, place, number });
            }
            events.sort_unstable();
            self.visit(stretch, &events, &trades, &acts);
        }
        self.room.events = events;
    }

    /// Whom an act concerns, if it is one wallet at home here.
    fn visitor(&self, act: &Act) -> Option<u64> {
        let spread = match &act.deed {
            Deed::Trade { trade, .. } => trade.spread,
            Deed::Own { spread, .. } => *spread,
            Deed::Settle { .. } | Deed::Pay { .. } => return None,
        };
        self.is_home(spread).then_some(spread)
    }

    /// Does what happened to some wallets, one after the other.
    fn visit(&mut self, stretch: &Stretch<'_>, events: &[Event], trades: &[&Trade], acts: &[&Act]) {
        let trade_of = |event: &Event| trades.get(usize_of(event.number)).copied();
        for events in events.chunks(AHEAD) {
            let spots = self.look_ahead(events.iter().map(trade_of), stretch.until);
            for (event, spot) in events.iter().zip(spots) {
                let seq = stretch.first + u64::from(event.place);
                match trade_of(event) {
                    Some(trade) => self.trade(trade, Standing::Ripe, spot, true, seq),
                    None => self.do_own(acts[usize_of(event.number) - trades.len()]),
                }
            }
        }
    }

    /// Does what concerns one wallet alone; what it paid has been seen by everybody.
    fn do_own(&mut self, act: &Act) {
        match &act.deed {
            Deed::Trade { trade, standing, .. } => {
                self.trade(trade, *standing, Default::default(), act.is_new, act.seq);
            }
            _ => self.apply(act),
        }
    }
}
