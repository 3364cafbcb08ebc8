//! What stops orders at once, whoever is about to send one: a person's word, and an order of unknown fate in the market.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ConditionId;

/// What every part of the live venue must know at once.
#[derive(Debug, Default)]
pub(crate) struct Latches {
    /// Whether a person has stopped all trading.
    pub(crate) killed: AtomicBool,
    /// Whether a person has paused entries.
    pub(crate) paused: AtomicBool,
    doubts: Mutex<BTreeMap<i64, ConditionId>>,
}

impl Latches {
    /// The order of unknown fate in a market.
    pub(crate) fn doubt_of(&self, condition: ConditionId) -> Option<i64> {
        self.doubts().iter().find(|(_, doubted)| **doubted == condition).map(|(order, _)| *order)
    }

    pub(super) fn doubt(&self, order: i64, condition: ConditionId) {
        self.doubts().insert(order, condition);
    }

    pub(super) fn settle(&self, order: i64) {
        self.doubts().remove(&order);
    }

    fn doubts(&self) -> MutexGuard<'_, BTreeMap<i64, ConditionId>> {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
