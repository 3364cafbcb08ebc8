//! The first look at facts: which of them are fills that the shards can fold as they are.

use std::hint::black_box;

use domain::{ChainEvent, Fact, Timestamp};

use super::catalogue::{Catalogue, Seat};
use super::entry::DRIFT_HORIZON;
use super::interner::Spread as _;
use super::shard::home;

/// How many facts are looked at together.
const TOGETHER: usize = 64;

/// What a look at a fill says: nothing about it has to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    /// The spread of the wallet's address.
    pub(super) spread: u64,
    pub(super) at: Timestamp,
    pub(super) seat: Seat,
    /// Its place among the facts.
    pub(super) place: u32,
    /// The price of the question's first token in millionths; zero where the fill tells none.
    pub(super) price: u32,
    /// The shard where the wallet is at home.
    pub(super) home: u16,
}

/// What a look at facts in a row gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Glances {
    fills: Vec<Glance>,
    /// The places of all other facts, which have to be understood in their order.
    pub(super) others: Vec<u32>,
}

impl Glances {
    /// Looks at facts of which the first has this place, up to the first that cannot be folded together with those
    /// since `since`. How many they are.
    pub(super) fn take(
        &mut self,
        catalogue: &Catalogue,
        shards: usize,
        facts: &[Fact],
        (first, since): (u32, Timestamp),
    ) -> usize {
        self.fills.clear();
        self.others.clear();
        self.fills.reserve(facts.len());
        let mut last = since;
        let mut places = first..;
        for (round, together) in facts.chunks(TOGETHER).enumerate() {
            // Where their tokens are is asked for together first, lest each waits for its own.
            let mut spreads = [0; TOGETHER];
            for (spread, fact) in spreads.iter_mut().zip(together) {
                if let ChainEvent::Fill(fill) = &fact.event {
                    *spread = fill.token.spread();
                }
            }
            black_box(catalogue.touch(&spreads));
            for (number, ((fact, spread), place)) in together.iter().zip(spreads).zip(&mut places).enumerate() {
                let at = fact.place.block_time;
                if !belongs(since, last, at) {
                    return round * TOGETHER + number;
                }
                last = at;
                match glance(catalogue, shards, (fact, spread), place) {
                    Some(glance) => self.fills.push(glance),
                    None => self.others.push(place),
                }
            }
        }
        facts.len()
    }

    /// The fills before a place.
    pub(super) fn before(&self, place: u32) -> &[Glance] {
        &self.fills[..self.fills.partition_point(|glance| glance.place < place)]
    }
}

/// Whether a fact can be folded together with those since a moment, of which the last was at another one: as long as
/// time goes on, and no entry that they make is due among them.
pub(super) fn belongs(since: Timestamp, last: Timestamp, at: Timestamp) -> bool {
    last <= at && at.micros_since(since) < DRIFT_HORIZON
}

/// A fill of a token that is described, among whose siblings nobody waits.
fn glance(catalogue: &Catalogue, shards: usize, (fact, spread): (&Fact, u64), place: u32) -> Option<Glance> {
    let ChainEvent::Fill(fill) = &fact.event else { return None };
    let seat = catalogue.seat_of(fill.token, spread).filter(|seat| !catalogue.is_awaited(seat.question))?;
    let price = seat.price_of(fill).unwrap_or(0);
    let spread = fill.wallet.spread();
    Some(Glance { spread, at: fact.place.block_time, seat, place, price, home: home(spread, shards) })
}
