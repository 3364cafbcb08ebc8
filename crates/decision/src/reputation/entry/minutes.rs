//! Entries that wait, by the minute in which they are due.

use std::cmp::Ordering;
use std::collections::VecDeque;

use domain::Timestamp;

use super::super::interner::usize_of;
use super::Timer;

/// Entries by the minute in which they are due: those of many wallets begin in no order at all within the same stretch
/// of facts, and are due in their order all the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Minutes {
    /// The number of the first minute, since 1970.
    first: u32,
    minutes: VecDeque<Minute>,
}

/// Those of one minute.
#[derive(Clone, Debug, Default)]
struct Minute {
    timers: Vec<Timer>,
    /// Their places, first due first, once the first of them is due.
    order: Vec<u32>,
    /// How many of those are gone.
    gone: usize,
}

/// Which entry: the minute and the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    minute: u32,
    place: u32,
}

/// No entry waits further from the first: they are due a day after they begin, and what is not in time is late.
const MOST: u32 = 4 * 24 * 60;

impl Number {
    /// As one number.
    pub(super) fn packed(self) -> u64 {
        u64::from(self.minute) << 31 | u64::from(self.place)
    }

    /// Back from one number.
    #[expect(clippy::cast_possible_truncation, reason = "the lower bits are the place")]
    pub(super) const fn unpacked(packed: u64) -> Self {
        Self { minute: (packed >> 31) as u32, place: packed as u32 & (u32::MAX >> 1) }
    }
}

impl Minutes {
    /// Adds an entry; `None` where it is due before 1970, too far from the first, or in a minute of which some are gone.
    pub(super) fn add(&mut self, timer: Timer) -> Option<Number> {
        let minute = u32::try_from(timer.due.micros().div_euclid(Timestamp::MINUTE)).ok()?;
        if self.minutes.is_empty() {
            self.first = minute;
        }
        while minute < self.first && self.first - minute <= MOST {
            self.minutes.push_front(Minute::default());
            self.first -= 1;
        }
        let index = minute.checked_sub(self.first).filter(|index| *index <= MOST)?;
        if self.minutes.len() <= usize_of(index) {
            self.minutes.resize_with(usize_of(index) + 1, Minute::default);
        }
        let minute_of = &mut self.minutes[usize_of(index)];
        if !minute_of.order.is_empty() {
            return None;
        }
        let place = u32::try_from(minute_of.timers.len()).ok()?;
        minute_of.timers.push(timer);
        Some(Number { minute, place })
    }

    /// An entry that is not due yet.
    pub(super) fn get(&self, number: Number) -> Option<&Timer> {
        let minute = self.minutes.get(usize_of(number.minute.checked_sub(self.first)?))?;
        minute.timers.get(usize_of(number.place))
    }

    /// An entry that is not due yet.
    pub(super) fn get_mut(&mut self, number: Number) -> Option<&mut Timer> {
        let minute = self.minutes.get_mut(usize_of(number.minute.checked_sub(self.first)?))?;
        minute.timers.get_mut(usize_of(number.place))
    }

    /// Takes out those that are due by a moment.
    pub(super) fn due(&mut self, by: Timestamp, due: &mut Vec<Timer>) {
        let by_minute = by.micros().div_euclid(Timestamp::MINUTE);
        while let Some(minute) = self.minutes.front_mut() {
            match i64::from(self.first).cmp(&by_minute) {
                Ordering::Greater => return,
                Ordering::Equal => return minute.due(by, due),
                Ordering::Less if minute.order.is_empty() => due.append(&mut minute.timers),
                Ordering::Less => minute.due(by, due),
            }
            self.minutes.pop_front();
            self.first += 1;
        }
    }

    /// Those that wait, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Number, &Timer)> {
        (self.first..).zip(&self.minutes).flat_map(|(minute, of)| {
            let all = (0..).zip(&of.timers).take(if of.order.is_empty() { of.timers.len() } else { 0 });
            let left = of.order[of.gone.min(of.order.len())..].iter();
            let left = left.map(|place| (*place, &of.timers[usize_of(*place)]));
            all.chain(left).map(move |(place, timer)| (Number { minute, place }, timer))
        })
    }
}

impl Minute {
    fn due(&mut self, by: Timestamp, due: &mut Vec<Timer>) {
        if self.order.is_empty() {
            self.order = (0..).zip(&self.timers).map(|(place, _)| place).collect();
            self.order.sort_by_key(|place| self.timers[usize_of(*place)].due);
        }
        while let Some(place) = self.order.get(self.gone) {
            let timer = self.timers[usize_of(*place)];
            if by < timer.due {
                break;
            }
            due.push(timer);
            self.gone += 1;
        }
    }
}
