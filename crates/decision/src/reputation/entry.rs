//! Entries: fills of one direction that belong together, and when the price of each is looked at again.

mod minutes;
mod saved;

use std::collections::BTreeMap;

use domain::{Shares, Side, Timestamp, Usd};

use domain::price::ratio_ppm;

use minutes::{Minutes, Number};

/// Fills further apart than this are two entries.
const GAP: i64 = 10 * Timestamp::MINUTE;
/// No entry is longer.
pub(super) const LONGEST: i64 = 60 * Timestamp::MINUTE;
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
    /// Those that began when they were seen.
    live: Minutes,
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
            && (timer.wallet, timer.question) == (fill.wallet, fill.question)
        {
            timer.shares += fill.shares;
            timer.cost += fill.cost;
            making.lasts = lasts;
            return (making, false);
        }
        let live = if is_late { None } else { self.live.add(fill) };
        let number = live.map_or_else(|| self.wait_late(fill), |number| 2 * number.packed());
        (Making { number, started: at, lasts: 0 }, true)
    }

    /// Takes out the entries that are due by a moment, in no particular order.
    pub(super) fn due(&mut self, by: Timestamp, due: &mut Vec<Timer>) {
        self.live.due(by, due);
        while let Some(first) = self.late.first_entry().filter(|first| first.key().0 <= by) {
            due.push(first.remove());
        }
    }

    /// Reads the timer of an entry that is being made.
    pub(super) fn touch(&self, making: &Making) -> u64 {
        let is_live = making.number.is_multiple_of(2);
        let timer = if is_live { self.live.get(Number::unpacked(making.number / 2)) } else { None };
        timer.map_or(0, |timer| timer.cost.micros().unsigned_abs() ^ u64::from(timer.wallet))
    }

    /// The late entries that are due by a moment, and none of the others.
    pub(super) fn take_late(&mut self, by: Timestamp) -> Vec<Timer> {
        let later = self.late.split_off(&(by.plus_micros(1), 0));
        std::mem::replace(&mut self.late, later).into_values().collect()
    }

    /// The entries that wait, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Timer> {
        self.live.iter().map(|(_, timer)| timer).chain(self.late.values())
    }

    /// Adds an entry to those that began before they were seen.
    fn wait_late(&mut self, timer: Timer) -> u64 {
        let number = 2 * self.next_late + 1;
        self.next_late += 1;
        self.late.insert((timer.due, number), timer);
        number
    }

    fn timer(&mut self, making: &Making) -> Option<&mut Timer> {
        if !making.number.is_multiple_of(2) {
            return self.late.get_mut(&(making.started.plus_micros(DRIFT_HORIZON), making.number));
        }
        self.live.get_mut(Number::unpacked(making.number / 2))
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
            let mut due = Vec::new();
            timers.due(minutes(10_000), &mut due);
            let entry = |timer: &Timer| (timer.due.micros() / Timestamp::MINUTE - 24 * 60, timer.shares);
            let entries: Vec<(i64, Shares)> = due.iter().map(entry).collect();
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
        let due = |timers: &mut Timers, by: Timestamp| {
            let mut due = Vec::new();
            timers.due(by, &mut due);
            due.iter().map(|timer| timer.due).collect::<Vec<_>>()
        };
        let late = |at: Timestamp| at.plus_micros(DRIFT_HORIZON);
        timers.enter(None, minutes(5), false, fill(5, 4));
        timers.enter(None, minutes(3), true, fill(3, 4));
        // Within a minute they come in no order.
        let second = |second: i64| minutes(7).plus_micros(second * 1_000_000);
        for at in [second(40), second(10), second(20)] {
            timers.enter(None, at, false, Timer { due: late(at), ..fill(7, 4) });
        }
        timers.enter(None, minutes(4), false, fill(4, 4));
        assert_eq!(timers.take_late(minutes(24 * 60 + 2)), []);
        assert_eq!(due(&mut timers, late(minutes(3))), [late(minutes(3))]);
        assert_eq!(due(&mut timers, late(minutes(4)).plus_micros(-1)), []);
        assert_eq!(due(&mut timers, late(minutes(5))), [late(minutes(4)), late(minutes(5))]);
        assert_eq!(due(&mut timers, late(second(15))), [late(second(10))]);
        assert_eq!(
            timers.iter().map(|timer| timer.due).collect::<Vec<_>>(),
            [late(second(20)), late(second(40))]
        );
        assert_eq!(due(&mut timers, late(second(39))), [late(second(20))]);
        assert_eq!(due(&mut timers, late(minutes(9))), [late(second(40))]);
        assert_eq!(timers.iter().count(), 0);
        // Before 1970 and years later, nothing is lost.
        timers.enter(None, minutes(-9_000), false, fill(-9_000, 4));
        timers.enter(None, minutes(1_000_000), false, fill(1_000_000, 4));
        timers.enter(None, minutes(10), false, fill(10, 4));
        assert_eq!(due(&mut timers, late(minutes(10))), [late(minutes(-9_000)), late(minutes(10))]);
        assert_eq!(due(&mut timers, late(minutes(1_000_000))), [late(minutes(1_000_000))]);
    }
}
