//! Closing-line value: where the price went after an entry, and how much of that a copier would have had.
//! It tells skill from luck with a tenth of the decisions that outcomes need, and before they are known.
//!
//! A prediction market's closing price is its outcome, so the price is looked at a while after the entry
//! instead. A copier pays the first price that was printed after he could have acted; the wallet's own
//! impact is in that price and so not in what is left for him (`ORDER_FLOW_STRATEGY.md` §3).

mod running;
mod saved;

pub(crate) use saved::{Left, Watched, merged};

use std::collections::{BTreeMap, BTreeSet};

use domain::{Clv, Timestamp};
use smallvec::SmallVec;

use crate::half_lives::{Faded, Fading};
use running::{Queue, Running};

/// How long after the entry's block a copier's own order is in the market.
pub const LATENCY: i64 = 5 * 1_000_000;
/// The longest look ahead.
const LONGEST: i64 = Timestamp::DAY;
/// Entries closer to the end than this say more about the outcome than about timing.
const LEAST_LEFT: i64 = 2 * Timestamp::HOUR;
/// Timing changes faster than skill, and is known sooner.
const FADING: Fading<6> = Fading { half_life: 30 * Timestamp::DAY, powers: [1, 2, 1, 1, 1, 1] };
/// Pseudo-observations of no value at all.
const PRIOR: f64 = 30.0;
/// A standardised move beyond this is a resolution or a mistake of a print.
const MOST: f64 = 5.0;

/// An entry that waits for its price to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry<W> {
    wallet: W,
    at: Timestamp,
    due: Timestamp,
    paid: f64,
    deviation: f64,
    is_mirrored: bool,
}

/// An entry whose time has come. Prices are of the outcome that was bet on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matured<W> {
    /// Whose.
    pub wallet: W,
    /// When it was due.
    pub at: Timestamp,
    /// d: how far the price had risen above what the wallet paid, dollars a share.
    pub drift: f64,
    /// d′: how far it had risen above what a copier could have paid.
    pub copyable: f64,
    /// s = √(q(1 − q)) at the entry.
    pub deviation: f64,
}

/// The entries in one outcome and what its price does meanwhile.
///
/// Prints come in the order they happened. Whatever was due before a moment is settled by the last print before
/// it, no matter when it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch<W> {
    price: f64,
    prints: u64,
    /// Without a copier's price yet, earliest first. The next print but a few takes them away, so there is hardly ever
    /// more than one.
    fresh: SmallVec<[Entry<W>; 2]>,
    /// With one, the first due first.
    running: Queue<W>,
    /// What the copiers of entries pay that wait somewhere else, until those are here again.
    left: Vec<Left>,
}

impl<W> Entry<W> {
    /// An entry at an average price `paid`, worth `fair`, in a market that is expected to end at `end`.
    /// `None` where that is less than two hours away. Without a known end the look ahead is a day.
    #[must_use]
    pub fn new(wallet: W, at: Timestamp, paid: f64, fair: f64, end: Option<Timestamp>) -> Option<Self> {
        let left = end.map_or(2 * LONGEST, |end| end.micros_since(at));
        let deviation = (fair * (1.0 - fair)).sqrt();
        let is_sound = LEAST_LEFT <= left && deviation > 0.0 && 0.0 < paid && paid < 1.0;
        let due = at.plus_micros((left / 2).min(LONGEST));
        is_sound.then_some(Self { wallet, at, due, paid, deviation, is_mirrored: false })
    }

    /// The same entry where the prices that will be seen are the other outcome's.
    #[must_use]
    pub fn mirrored(self) -> Self {
        Self { is_mirrored: !self.is_mirrored, ..self }
    }

    /// When its price is looked at.
    #[must_use]
    pub const fn due(&self) -> Timestamp {
        self.due
    }

    /// Until when, that moment included, a print changes nothing for it.
    pub(crate) fn quiet_until(&self) -> Timestamp {
        self.due.min(self.at.plus_micros(LATENCY - 1))
    }

    fn sees(&self, price: f64) -> f64 {
        if self.is_mirrored { 1.0 - price } else { price }
    }
}

impl<W> Default for Watch<W> {
    fn default() -> Self {
        Self { price: 0.5, prints: 0, fresh: SmallVec::new(), running: Queue::default(), left: vec![] }
    }
}

impl<W: Copy> Watch<W> {
    /// Watches an entry.
    pub fn enter(&mut self, entry: Entry<W>) {
        // Entries come in time's order but for markets described late, so the place is at or near the back.
        if self.fresh.last().is_none_or(|last| last.at <= entry.at) {
            self.fresh.push(entry);
            return;
        }
        let place = self.fresh.iter().rposition(|other| other.at <= entry.at).map_or(0, |before| before + 1);
        self.fresh.insert(place, entry);
    }

    /// Sees a print. What was due before it is settled first, into `out`.
    pub fn print(&mut self, at: Timestamp, price: f64, out: &mut Vec<Matured<W>>) {
        self.mature(at, out);
        if !(0.0 < price && price < 1.0) {
            return;
        }
        self.price = price;
        self.prints += 1;
        let acted = self.fresh.iter().take_while(|entry| entry.at.plus_micros(LATENCY) <= at).count();
        for entry in self.fresh.drain(..acted) {
            // Within a market an earlier entry is never due later, so the place is at or near the back.
            self.running.insert(Running { entry, copier_pays: entry.sees(price), print: self.prints });
        }
        self.left.iter_mut().for_each(|left| left.see(at, price, self.prints));
    }

    /// Settles what was due before `by`. All prints before that moment must have been seen.
    pub fn mature(&mut self, by: Timestamp, out: &mut Vec<Matured<W>>) {
        while let Some(running) = self.running.pop_before(by) {
            // Without a print since the copier's nobody knows where the price went.
            if running.print < self.prints {
                let Running { entry, copier_pays, .. } = running;
                let price = entry.sees(self.price);
                out.push(Matured {
                    wallet: entry.wallet,
                    at: entry.due,
                    drift: price - entry.paid,
                    copyable: price - copier_pays,
                    deviation: entry.deviation,
                });
            }
        }
        let late = self.fresh.iter().take_while(|entry| entry.due < by).count();
        self.fresh.drain(..late);
    }

    /// The outcome is known: settles what was due before, and forgets the rest, whose price it has overtaken.
    pub fn resolve(&mut self, at: Timestamp, out: &mut Vec<Matured<W>>) {
        self.mature(at, out);
        // Their room is for the next market: there is hardly ever another entry in this one.
        (self.fresh, self.running, self.left) = Default::default();
    }

    /// When the next entry is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let fresh = self.fresh.first().map(|entry| entry.due);
        fresh.into_iter().chain(self.running.next_due()).min()
    }

    /// Until when, that moment included, a print changes nothing but the price.
    #[must_use]
    pub fn quiet_until(&self) -> Timestamp {
        let fresh = self.fresh.first().map(Entry::quiet_until);
        let running = self.running.next_due();
        // The copiers of entries that are away pay the next price too.
        let left = self.left.iter().find(|left| left.paid.is_none());
        let left = left.map(|left| left.at.plus_micros(LATENCY - 1));
        fresh.into_iter().chain(running).chain(left).min().unwrap_or(Timestamp::from_micros(i64::MAX))
    }

    /// Takes notice of prints while it was quiet, the last of them at `price`.
    pub fn pass_over(&mut self, prints: u64, price: f64) {
        self.prints += prints;
        self.price = price;
    }

    /// Reads what the next entry, or a print no later than a moment, will need.
    pub(crate) fn touch(&self, by: Timestamp) -> u64 {
        let fresh = self.fresh.first().map_or(0, |entry| entry.due.micros().unsigned_abs());
        fresh ^ self.running.touch(by) ^ u64::from(self.left.is_empty())
    }

    /// Whether no entry waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.fresh.is_empty() && self.running.is_empty()
    }
}

/// Watches of many outcomes, by when the next entry in each is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Timers<T, W> {
    watches: BTreeMap<T, Watch<W>>,
    due: BTreeSet<(Timestamp, T)>,
    matured: Vec<Matured<W>>,
}

impl<T, W> Default for Timers<T, W> {
    fn default() -> Self {
        Self { watches: BTreeMap::new(), due: BTreeSet::new(), matured: vec![] }
    }
}

impl<T: Copy + Ord, W: Copy> Timers<T, W> {
    /// Watches an entry in an outcome.
    pub fn enter(&mut self, outcome: T, entry: Entry<W>) {
        self.due.insert((entry.due, outcome));
        self.watches.entry(outcome).or_default().enter(entry);
    }

    /// Sees a print.
    pub fn print(&mut self, outcome: T, at: Timestamp, price: f64) {
        if let Some(watch) = self.watches.get_mut(&outcome) {
            watch.print(at, price, &mut self.matured);
        }
    }

    /// The outcome is known.
    pub fn resolve(&mut self, outcome: T, at: Timestamp) {
        if let Some(mut watch) = self.watches.remove(&outcome) {
            watch.resolve(at, &mut self.matured);
        }
    }

    /// Settles everything that was due before `to`, the moment of the next fact.
    pub fn advance(&mut self, to: Timestamp) {
        while let Some((due, outcome)) = self.due.first().copied() {
            if to <= due {
                break;
            }
            self.due.pop_first();
            if let Some(watch) = self.watches.get_mut(&outcome) {
                watch.mature(to, &mut self.matured);
                if watch.is_idle() {
                    self.watches.remove(&outcome);
                }
            }
        }
    }

    /// What has been settled since this was last asked.
    pub fn drain(&mut self) -> Vec<Matured<W>> {
        std::mem::take(&mut self.matured)
    }
}

/// Sums over a wallet's matured entries. Order does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClvSums {
    observations: u32,
    /// Σw, Σw², Σwd, Σwd′, Σwx, Σwx² with x = d′/s.
    sums: Faded<6>,
}

impl ClvSums {
    /// Counts a matured entry.
    pub fn add<W>(&mut self, matured: &Matured<W>) {
        let x = (matured.copyable / matured.deviation).clamp(-MOST, MOST);
        if x.is_nan() {
            return;
        }
        self.observations = self.observations.saturating_add(1);
        self.sums.add(&FADING, matured.at, [1.0, 1.0, matured.drift, matured.copyable, x, x * x]);
    }

    /// Reads what the next observation will need.
    pub(crate) fn touch(&self) -> u64 {
        u64::from(self.observations)
    }

    /// Reads what hangs on that.
    pub(crate) fn touch_more(&self) -> u64 {
        self.sums.touch()
    }

    /// The timing these show; `None` before the first.
    #[must_use]
    pub fn estimate(&self) -> Option<Clv> {
        let [weight, squared, drift, copyable, x, xx] = self.sums.totals(&FADING)?;
        if weight <= 0.0 || squared <= 0.0 {
            return None;
        }
        let n_eff = weight * weight / squared;
        let mean = x / weight;
        let scatter = xx / weight - mean * mean;
        // The mean of n has been fitted to them; below two observations nothing is known of their scatter.
        let error = (n_eff > 1.5 && scatter > 1e-9).then(|| (scatter / (n_eff - 1.0)).sqrt());
        Some(Clv {
            observations: self.observations,
            n_eff,
            drift: drift / weight,
            copyable: copyable / weight,
            standardised: mean,
            shrunk: mean * n_eff / (n_eff + PRIOR),
            t: error.map_or(0.0, |error| mean / error),
        })
    }
}

#[cfg(test)]
mod tests;
