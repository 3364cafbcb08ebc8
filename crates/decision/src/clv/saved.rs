//! Entries that wait while their wallets are not in memory.
//!
//! What the copier of an entry pays is the first print a while after it, which may come while the entry is away. So
//! the watch, which sees all prints, keeps that price for it. How the price stands when the entry is due, the watch
//! need not keep: by then the entry is back.

use domain::Timestamp;

use super::running::Running;
use super::{ClvSums, Entry, LATENCY, Watch};
use crate::half_lives::Faded;
use crate::reputation::saved::{Damaged, Reader, Saved, Writer};

/// What the copiers of entries of one moment pay, which are away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Left {
    pub(crate) at: Timestamp,
    /// How many entries there are.
    pub(crate) entries: u32,
    /// The price, and the number of its print.
    pub(crate) paid: Option<(f64, u64)>,
}

/// An entry that waits, without whose it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Watched {
    pub(crate) at: Timestamp,
    pub(crate) due: Timestamp,
    paid: f64,
    deviation: f64,
    is_mirrored: bool,
    /// What the copier pays for the outcome that was bet on, and the number of that print.
    copier: Option<(f64, u64)>,
}

impl Left {
    pub(super) fn see(&mut self, at: Timestamp, price: f64, print: u64) {
        if self.paid.is_none() && self.at.plus_micros(LATENCY) <= at {
            self.paid = Some((price, print));
        }
    }
}

impl Watched {
    pub(crate) fn of<W>(entry: &Entry<W>, copier: Option<(f64, u64)>) -> Self {
        let Entry { at, due, paid, deviation, is_mirrored, .. } = *entry;
        Self { at, due, paid, deviation, is_mirrored, copier }
    }

    /// Whether its copier has not paid yet.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.copier.is_none()
    }

    /// Its copier has paid while it was away.
    pub(crate) fn pay(&mut self, (price, print): (f64, u64)) {
        self.copier = Some((if self.is_mirrored { 1.0 - price } else { price }, print));
    }

    /// By what entries of a wallet in a question are put in order.
    pub(crate) fn key(&self) -> (Timestamp, Timestamp, bool, u64, Option<u64>) {
        (self.at, self.due, self.is_mirrored, self.paid.to_bits(), self.copier.map(|(_, print)| print))
    }

    fn fair_deviation(&self) -> f64 {
        (self.paid * (1.0 - self.paid)).sqrt()
    }
}

impl<W: Copy> Watch<W> {
    /// How many prints it has seen.
    pub(crate) const fn prints(&self) -> u64 {
        self.prints
    }

    /// Goes on from a price after so many prints.
    pub(crate) fn restore(&mut self, price: f64, prints: u64) {
        (self.price, self.prints) = (price, prints);
    }

    /// The entries that wait.
    pub(crate) fn watched(&self) -> impl Iterator<Item = (W, Watched)> {
        let fresh = self.fresh.iter().map(|entry| (entry.wallet, Watched::of(entry, None)));
        let running = self.running.iter().map(|Running { entry, copier_pays, print }| {
            (entry.wallet, Watched::of(entry, Some((*copier_pays, *print))))
        });
        fresh.chain(running)
    }

    /// Watches an entry again.
    pub(crate) fn take_in(&mut self, wallet: W, watched: &Watched) {
        let Watched { at, due, paid, deviation, is_mirrored, copier } = *watched;
        let entry = Entry { wallet, at, due, paid, deviation, is_mirrored };
        let Some((copier_pays, print)) = copier else { return self.enter(entry) };
        self.running.insert(Running { entry, copier_pays, print });
    }

    /// Lets all entries go, and keeps in mind what the copiers of those will pay who have not paid yet.
    pub(crate) fn leave(&mut self) {
        self.left = self.left();
        (self.fresh, self.running) = Default::default();
    }

    /// What the copiers pay of entries that are away, or would be if all were.
    pub(crate) fn left(&self) -> Vec<Left> {
        let fresh = self.fresh.iter().map(|entry| Left { at: entry.at, entries: 1, paid: None });
        merged(self.left.iter().copied().chain(fresh).collect())
    }

    /// Keeps in mind what copiers pay.
    pub(crate) fn remember(&mut self, left: Vec<Left>) {
        self.left = left;
    }

    /// An entry of a moment is back: `None` unless it was away, and what its copier has paid meanwhile.
    pub(crate) fn claim(&mut self, at: Timestamp) -> Option<Option<(f64, u64)>> {
        let place = self.left.binary_search_by_key(&at, |left| left.at).ok()?;
        let left = self.left.get_mut(place)?;
        let paid = left.paid;
        left.entries = left.entries.saturating_sub(1);
        if left.entries == 0 {
            self.left.remove(place);
        }
        Some(paid)
    }
}

/// One for each moment, in their order.
pub(crate) fn merged(mut left: Vec<Left>) -> Vec<Left> {
    left.sort_by_key(|left| left.at);
    left.dedup_by(|next, kept| {
        let is_same = next.at == kept.at;
        if is_same {
            kept.entries = kept.entries.saturating_add(next.entries);
            kept.paid = kept.paid.or(next.paid);
        }
        is_same
    });
    left
}

impl Saved for Watched {
    fn save(&self, to: &mut Writer) {
        to.moment(self.at);
        to.since(self.at, self.due);
        to.float(self.paid);
        // An entry is nearly always taken for worth what it cost.
        let is_fair = self.deviation.to_bits() == self.fair_deviation().to_bits();
        to.byte(u8::from(self.is_mirrored) | u8::from(is_fair) << 1 | u8::from(self.copier.is_some()) << 2);
        if !is_fair {
            to.float(self.deviation);
        }
        if let Some((pays, print)) = self.copier {
            to.float(pays);
            to.whole(print);
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let at = from.moment()?;
        let due = from.since(at)?;
        let paid = from.float()?;
        let marks = from.byte()?;
        if marks > 7 {
            return Err(Damaged::Mark(marks));
        }
        let mut watched = Self { at, due, paid, deviation: 0.0, is_mirrored: marks & 1 == 1, copier: None };
        watched.deviation = if marks & 2 == 2 { watched.fair_deviation() } else { from.float()? };
        watched.copier = if marks & 4 == 4 { Some((from.float()?, from.whole()?)) } else { None };
        Ok(watched)
    }
}

impl Saved for Left {
    fn save(&self, to: &mut Writer) {
        to.moment(self.at);
        to.whole(self.entries);
        to.flag(self.paid.is_some());
        if let Some((price, print)) = self.paid {
            to.float(price);
            to.whole(print);
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let (at, entries) = (from.moment()?, from.whole()?);
        let paid = if from.flag()? { Some((from.float()?, from.whole()?)) } else { None };
        Ok(Self { at, entries, paid })
    }
}

impl Saved for ClvSums {
    fn save(&self, to: &mut Writer) {
        to.whole(self.observations);
        self.sums.save(to);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self { observations: from.whole()?, sums: Faded::load(from)? })
    }
}
