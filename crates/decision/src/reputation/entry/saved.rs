//! Entries that wait, as bytes, and back among those of others.

use domain::{Side, Timestamp};

use super::super::saved::{Damaged, Reader, Saved as _, Writer};
use super::{DRIFT_HORIZON, Making, Timer, Timers};

impl Timer {
    /// Writes everything but whose it is; and of the entry that is still being made, when its last fill was.
    pub(in crate::reputation) fn save(&self, last: Option<Timestamp>, to: &mut Writer) {
        to.moment(self.due);
        to.whole(self.question);
        self.direction.save(to);
        to.amount(self.shares.micros());
        to.amount(self.cost.micros());
        to.flag(last.is_some());
        if let Some(last) = last {
            to.since(self.due, last);
        }
    }

    pub(in crate::reputation) fn load(from: &mut Reader<'_>) -> Result<(Self, Option<Timestamp>), Damaged> {
        let (due, question) = (from.moment()?, from.whole()?);
        let direction = Side::load(from)?;
        let (shares, cost) = (from.shares()?, from.usd()?);
        let last = if from.flag()? { Some(from.since(due)?) } else { None };
        Ok((Self { due, wallet: 0, question, direction, shares, cost }, last))
    }
}

impl Timers {
    /// The entries that wait, with their numbers.
    pub(in crate::reputation) fn numbered(&self) -> impl Iterator<Item = (u64, &Timer)> {
        let late = self.late.iter().map(|((_, number), timer)| (*number, timer));
        let live = self.live.iter().map(|(number, timer)| (2 * number.packed(), timer));
        live.chain(late)
    }

    /// Takes an entry in again, among those that did not begin just now: in which of the two it waits makes no
    /// difference while it is not due.
    pub(in crate::reputation) fn take_in(&mut self, timer: Timer, last: Option<Timestamp>) -> Option<Making> {
        let number = self.wait_late(timer);
        let started = timer.due.plus_micros(-DRIFT_HORIZON);
        // What lasts longer than can be told is over: nothing is added to it.
        let lasts = |last: Timestamp| u32::try_from(last.micros_since(started).max(0)).unwrap_or(u32::MAX);
        last.map(|last| Making { number, started, lasts: lasts(last) })
    }
}

impl Making {
    /// Its number among the timers, and when its last fill was.
    pub(in crate::reputation) const fn state(&self) -> (u64, Timestamp) {
        (self.number, self.started.plus_micros(self.lasts as i64))
    }
}
