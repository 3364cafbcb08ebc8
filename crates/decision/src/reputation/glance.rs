//! The first look at facts: which of them are fills that the shards can fold as they are.

use std::hint::black_box;

use domain::{ChainEvent, Fact};

use super::act::Glance;
use super::catalogue::Catalogue;
use super::interner::{Spread as _, usize_of};
use super::shard::home;

/// How many facts are looked at together.
const TOGETHER: usize = 64;

/// What a look at facts in a row gave.
#[derive(Debug, Default)]
pub(super) struct Glances {
    pub(super) fills: Vec<Glance>,
    /// The places of all other facts, which have to be understood in their order.
    pub(super) others: Vec<u32>,
}

impl Glances {
    /// Looks at facts of which the first has this place.
    pub(super) fn take(&mut self, catalogue: &Catalogue, shards: usize, facts: &[Fact], first: usize) {
        self.fills.clear();
        self.others.clear();
        self.fills.reserve(facts.len());
        let first = u32::try_from(first).unwrap_or(u32::MAX);
        let mut places = first..;
        for facts in facts.chunks(TOGETHER) {
            // Where their tokens are is asked for together first, lest each waits for its own.
            let mut spreads = [0; TOGETHER];
            for (spread, fact) in spreads.iter_mut().zip(facts) {
                if let ChainEvent::Fill(fill) = &fact.event {
                    *spread = fill.token.spread();
                }
            }
            black_box(catalogue.touch(&spreads));
            for ((fact, spread), place) in facts.iter().zip(spreads).zip(&mut places) {
                match glance(catalogue, shards, (fact, spread), place) {
                    Some(glance) => self.fills.push(glance),
                    None => self.others.push(place),
                }
            }
        }
    }
}

impl Glances {
    /// The fills before a place.
    pub(super) fn before(&self, place: usize) -> &[Glance] {
        &self.fills[..self.fills.partition_point(|glance| usize_of(glance.place) < place)]
    }
}

/// A fill of a token that is described, among whose siblings nobody waits.
fn glance(catalogue: &Catalogue, shards: usize, (fact, spread): (&Fact, u64), place: u32) -> Option<Glance> {
    let ChainEvent::Fill(fill) = &fact.event else { return None };
    let seat = catalogue.seat_of(fill.token, spread).filter(|seat| !catalogue.is_awaited(seat.question))?;
    let price = seat.price_of(fill).unwrap_or(0);
    let spread = fill.wallet.spread();
    let (at, home) = (fact.place.block_time, home(spread, shards));
    Some(Glance { spread, at, place, question: seat.question, price, home, outcome: seat.outcome })
}
