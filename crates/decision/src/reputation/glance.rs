//! The first look at facts: which of them are fills that the shards can fold as they are.

use domain::{ChainEvent, Fact};

use super::act::Glance;
use super::catalogue::Catalogue;
use super::interner::{Spread as _, usize_of};
use super::shard::home;

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
        for (fact, place) in facts.iter().zip(first..) {
            match glance(catalogue, shards, fact, place) {
                Some(glance) => self.fills.push(glance),
                None => self.others.push(place),
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
fn glance(catalogue: &Catalogue, shards: usize, fact: &Fact, place: u32) -> Option<Glance> {
    let ChainEvent::Fill(fill) = &fact.event else { return None };
    let seat = catalogue.seat(fill.token).filter(|seat| !catalogue.is_awaited(seat.question))?;
    let price = seat.price_of(fill).unwrap_or(0);
    let spread = fill.wallet.spread();
    let (at, home) = (fact.place.block_time, home(spread, shards));
    Some(Glance { spread, at, place, question: seat.question, price, home, outcome: seat.outcome })
}
