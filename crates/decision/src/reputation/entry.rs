//! Entries: fills of one direction that belong together, and when the price of each is looked at again.

mod saved;

use std::collections::{BTreeMap, VecDeque};

use domain::{Shares, Side, Timestamp, Usd};

use domain::price::ratio_ppm;

/// Fills further apart than this are two entries.
const GAP: i64 = 10 * Timestamp::MINUTE;
/// No entry is longer.
const LONGEST: i64 = 60 * Timestamp::MINUTE;
/// How long after an entry's beginning its price is looked at again.
pub(super) const DRIFT_HORIZON: i64 = Timestamp::DAY;

/// The entry that a decision is making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Making {
    /// Its number among the timers; twice that of a live one, and one more than twice that of a late one.
    number: u64,
    started: Timestamp,
    /// Microseconds from its first fill to its last; an hour fits.
    lasts: u32,
}

/// An entry that waits for its price to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timer {
    pub(super) due: Timestamp,
    pub(super) wallet: u32,
    pub(super) question: u32,
    pub(super) direction: Side,
    /// Shares of its direction, and what they cost without fees.
    pub(super) shares: Shares,
    pub(super) cost: Usd,
}

/// The entries that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    /// How many of the live ones are gone: the number of the first that is left.
    gone: u64,
    /// Those that began when they were seen: the first is due first, and their numbers follow each other.
    live: VecDeque<Timer>,
    next_late: u64,
    /// Those that began before their question was described.
    late: BTreeMap<(Timestamp, u64), Timer>,
}

impl Timer {
    /// How far the price had moved in the entry's favour, in millionths of a dollar, if `price` is the one that is
    /// found when it is due, of the question's first token.
    pub(super) fn drift(&self, price: u32) -> Option<i64> {
        let paid = ratio_ppm(self.cost, self.shares)?;
        let price = match self.direction {
            Side::Buy => i64::from(price),
            Side::Sell => 1_000_000 - i64::from(price),
        };
        Some(price - paid)
    }
}

impl Timers {
    /// Adds a fill to the entry that is being made, or begins another one with it, and says whether it did.
    pub(super) fn enter(
        &mut self,
        making: Option<Making>,
        at: Timestamp,
        is_late: bool,
        fill: Timer,
    ) -> (Making, bool) {
        if let Some(mut making) = making
            && let Some(lasts) = making.goes_on(at)
            && let Some(timer) = self.timer(&making)
        {
            timer.shares += fill.shares;
            timer.cost += fill.cost;
            making.lasts = lasts;
            return (making, false);
        }
        let number = if is_late {
            let number = 2 * self.next_late + 1;
            self.next_late += 1;
            self.late.insert((fill.due, number), fill);
            number
        } else {
            self.live.push_back(fill);
            2 * (self.gone + self.live.len() as u64 - 1)
        };
        (Making { number, started: at, lasts: 0 }, true)
    }

    /// The next entry that is due by a moment.
    pub(super) fn pop(&mut self, by: Timestamp) -> Option<Timer> {
        if let Some(timer) = self.live.pop_front_if(|timer| timer.due <= by) {
            self.gone += 1;
            return Some(timer);
        }
        let first = self.late.first_entry().filter(|first| first.key().0 <= by)?;
        Some(first.remove())
    }

    /// The live entries that are due next by a moment, first things first.
    pub(super) fn upcoming(&self, by: Timestamp) -> impl Iterator<Item = &Timer> {
        self.live.iter().take_while(move |timer| timer.due <= by)
    }

    /// Reads the timer of an entry that is being made.
    pub(super) fn touch(&self, making: &Making) -> u64 {
        let place = (making.number / 2).checked_sub(self.gone).and_then(|place| usize::try_from(place).ok());
        let timer = place.filter(|_| making.number.is_multiple_of(2)).and_then(|place| self.live.get(place));
        timer.map_or(0, |timer| timer.cost.micros().unsigned_abs() ^ u64::from(timer.wallet))
    }

    /// The late entries that are due by a moment, and none of the others.
    pub(super) fn take_late(&mut self, by: Timestamp) -> Vec<Timer> {
        let later = self.late.split_off(&(by.plus_micros(1), 0));
        std::mem::replace(&mut self.late, later).into_values().collect()
    }

    /// The entries that wait, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Timer> {
        self.live.iter().chain(self.late.values())
    }

    fn timer(&mut self, making: &Making) -> Option<&mut Timer> {
        if !making.number.is_multiple_of(2) {
            return self.late.get_mut(&(making.started.plus_micros(DRIFT_HORIZON), making.number));
        }
        let place = (making.number / 2).checked_sub(self.gone)?;
        self.live.get_mut(usize::try_from(place).ok()?)
    }
}

impl Making {
    /// How long it lasts with a fill at a moment, where that one still belongs to it.
    fn goes_on(&self, at: Timestamp) -> Option<u32> {
        let lasts = at.micros_since(self.started);
        let belongs = lasts.saturating_sub(i64::from(self.lasts)) <= GAP && lasts <= LONGEST;
        // A fill before the first, as late ones may be, moves nothing.
        belongs.then(|| u32::try_from(lasts.max(0)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: i64) -> Timestamp {
        Timestamp::from_micros(minutes * Timestamp::MINUTE)
    }

    fn fill(at: i64, dollars: i32) -> Timer {
        Timer {
            due: minutes(at).plus_micros(DRIFT_HORIZON),
            wallet: 1,
            question: 2,
            direction: Side::Sell,
            shares: Shares::whole(10),
            cost: Usd::whole(dollars),
        }
    }

    /// Fills every ten minutes, with a hole after the third, and an end after an hour.
    #[test]
    fn fills_that_belong_together_are_one_entry() {
        for is_late in [false, true] {
            let mut timers = Timers::default();
            let mut making = None;
            for at in [0, 10, 20, 31, 41, 51, 61, 71, 81, 91, 92] {
                making = Some(timers.enter(making, minutes(at), is_late, fill(at, 4)).0);
            }
            let mut entries = Vec::new();
            while let Some(timer) = timers.pop(minutes(10_000)) {
                entries.push((timer.due.micros() / Timestamp::MINUTE - 24 * 60, timer.shares));
            }
            assert_eq!(entries, [(0, Shares::whole(30)), (31, Shares::whole(70)), (92, Shares::whole(10))]);
        }
    }

    #[test]
    fn the_drift_is_of_the_outcome_that_was_bet_on() {
        // Ten NO for four dollars; YES falls to 55 cents, so that NO is worth 45.
        assert_eq!(fill(0, 4).drift(550_000), Some(50_000));
        assert_eq!(Timer { direction: Side::Buy, ..fill(0, 4) }.drift(550_000), Some(150_000));
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut timers = Timers::default();
        timers.enter(None, minutes(5), false, fill(5, 4));
        timers.enter(None, minutes(3), true, fill(3, 4));
        assert_eq!(timers.take_late(minutes(24 * 60 + 2)), []);
        assert_eq!(timers.pop(minutes(24 * 60 + 4)).map(|timer| timer.due), Some(minutes(24 * 60 + 3)));
        assert_eq!(timers.pop(minutes(24 * 60 + 4)), None);
        assert!(timers.pop(minutes(24 * 60 + 5)).is_some());
    }
}
