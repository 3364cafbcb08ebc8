//! Losses in a row, after which entries rest for a while.

use domain::{Ending, Settlement, Timestamp, Usd};

use crate::limits::Limits;
use crate::record::Record;

/// How many of the last positions in a row lost, and until when that stops entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Positions that lost since the last that won.
    pub in_a_row: u32,
    /// Until when entries rest.
    pub cooling_until: Option<Timestamp>,
}

impl Losses {
    /// Takes in how a position ended: what has changed is to be remembered.
    pub(super) fn take_in(&mut self, settlement: &Settlement, limits: &Limits) -> Option<Record> {
        let before = *self;
        match settlement.ending {
            Ending::Void => {}
            Ending::Resolved | Ending::Sold if settlement.pnl < Usd::ZERO => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                if limits.cooldown_losses != 0 && limits.cooldown_losses <= self.in_a_row {
                    self.cooling_until = Some(settlement.at.plus_micros(limits.cooldown));
                }
            }
            Ending::Resolved | Ending::Sold => self.in_a_row = 0,
        }
        (before != *self).then_some(Record::Losses(*self))
    }

    /// Takes back how a position ended, because it has not: the loss is counted when it ends for good. The rest that it
    /// may have begun goes on. What came before a gain that is taken back is not known any more.
    pub(super) fn take_back(&mut self, settlement: &Settlement) -> Option<Record> {
        let before = *self;
        if settlement.ending != Ending::Void && settlement.pnl < Usd::ZERO {
            self.in_a_row = self.in_a_row.saturating_sub(1);
        }
        (before != *self).then_some(Record::Losses(*self))
    }

    /// The losses in a row and the end of the rest, while it lasts.
    pub(super) fn cooling(self, at: Timestamp) -> Option<(u32, Timestamp)> {
        self.cooling_until.filter(|until| at < *until).map(|until| (self.in_a_row, until))
    }
}
