//! What a shard knows of a question: its price, its holders among the shard's wallets, its result.

use std::sync::Arc;

use domain::{Payouts, Side, Timestamp, Usd};

use super::record::Closed;
use super::stake::Stake;
use crate::calibration::{Horizon, PaidPrices};
use crate::clv::Watch;

/// A question, seen from a shard. What prints and entries need stands first.
#[derive(Clone, Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Board {
    /// Entries that wait for the price to have moved. Wallets are the shard's numbers.
    pub(super) watch: Watch<u32>,
    /// When it is expected to end.
    pub(super) end: Option<Timestamp>,
    /// The places of those who hold or held it.
    pub(super) holders: Vec<u32>,
    pub(super) result: Option<Arc<Outcome>>,
    /// What the decisions of known cost that have ended paid, for who wants to know what prices are worth: for the
    /// first outcome, and against it.
    pub(super) prices: [PaidPrices; 2],
}

/// A question's result.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) payouts: Arc<Payouts>,
    /// The place of the question's first token among the condition's outcomes.
    pub(super) first: usize,
}

impl Board {
    /// Notes the place of somebody who holds it.
    pub(super) fn hold(&mut self, place: u32) {
        self.hold_all(&[place]);
    }

    /// Notes the places of all who hold it now.
    pub(super) fn hold_all(&mut self, places: &[u32]) {
        if self.holders.capacity() == 0 {
            // A line of memory at once: moving a list that grows costs more than what it leaves empty.
            self.holders.reserve_exact(places.len().max(16));
        }
        self.holders.extend_from_slice(places);
    }

    /// Notes what a decision that has ended paid.
    pub(super) fn note_paid(&mut self, paid: &Paid) {
        let horizon = Horizon::of(paid.opened, self.end);
        self.prices[usize::from(paid.direction == Side::Sell)].add(f64::from(paid.ppm) / 1e6, horizon);
    }
}

/// What a decision that has ended paid on average, in millionths of a dollar, and when it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paid {
    ppm: u32,
    opened: Timestamp,
    direction: Side,
}

impl Paid {
    /// If it is known.
    pub(super) fn of(closed: &Closed) -> Option<Self> {
        let ppm = u32::try_from(closed.paid_ppm()).ok().filter(|_| closed.counts())?;
        Some(Self { ppm, opened: closed.opened, direction: closed.direction })
    }
}

impl Outcome {
    pub(super) fn pays(&self, stake: &Stake) -> [Usd; 2] {
        [0, 1].map(|outcome| self.payouts.pays(self.first + outcome, stake.holdings[outcome].shares))
    }
}
