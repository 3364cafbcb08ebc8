//! What is kept of one wallet: its days and its decisions, from which its verdict is read at any later moment.
//!
//! Everything is whole numbers, and what has ended is read in the order of the facts that ended it, so that it makes no
//! difference in which order it became known.

mod saved;

pub(super) use saved::Told;

use domain::{Shares, Side, Timestamp, Usd, Wallet};

use super::chain::{Chain, END};
use domain::price::ratio_ppm;

/// The day of who has not had one.
const NO_DAY: i32 = i32::MIN;

/// A wallet's record; two lines of memory, of which `trades` stands in the first and `decisions` in the second.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Record {
    pub(super) wallet: Wallet,
    pub(super) trades: u32,
    /// Its first and last fill; where there is none, when anything was first seen of it.
    pub(super) first_trade: Timestamp,
    pub(super) last_trade: Timestamp,
    /// When anything was first seen of it.
    first_seen: Timestamp,
    pub(super) volume: Usd,
    pub(super) pnl: Usd,
    /// Its last day with anything in it.
    today: Day,
    /// The day before that, and the last decision that ended, in the books.
    day: u32,
    ended: u32,
    /// The decisions that have ended and count.
    pub(super) decisions: u32,
    /// Whether it changed since the last pass.
    pub(super) is_changed: bool,
    /// Whether a result was among what changed it.
    pub(super) is_paid: bool,
}

/// The days and decisions of many records.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    days: Chain<Day>,
    ended: Chain<Closed>,
}

/// What happened on a UTC day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) volume: Usd,
    /// What was sold or resolved.
    pub(super) pnl: Usd,
    /// The sum of how far the prices of entries had moved a day later, in millionths of a dollar.
    pub(super) drift: i64,
    /// What was paid for exposure.
    pub(super) opened: Usd,
    /// Days since 1970.
    number: i32,
    pub(super) fills: u32,
    /// Entries whose price a day later was due.
    pub(super) drifts: u32,
}

impl Day {
    fn of(at: Timestamp) -> i32 {
        i32::try_from(at.day()).unwrap_or(if at.day() < 0 { NO_DAY + 1 } else { i32::MAX })
    }

    /// Days since 1970.
    pub(super) fn number(&self) -> i64 {
        i64::from(self.number)
    }
}

/// A decision that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    /// The number of the fact that ended it.
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) opened: Timestamp,
    /// The question's number in the catalogue.
    pub(super) question: u32,
    pub(super) direction: Side,
    /// Shares of its direction got in all, and what they cost.
    pub(super) shares: Shares,
    pub(super) cost: Usd,
    pub(super) pnl: Usd,
    pub(super) is_unknown: bool,
}

impl Closed {
    /// Whether it was a bet whose result says something: it had a cost, and the cost is known.
    pub(super) fn counts(&self) -> bool {
        !self.is_unknown && Shares::DUST <= self.shares && self.cost.is_positive()
    }

    pub(super) const fn won(&self) -> bool {
        self.pnl.is_positive()
    }

    /// What a share of its direction cost, in millionths, fees included.
    pub(super) fn paid_ppm(&self) -> i64 {
        ratio_ppm(self.cost, self.shares).unwrap_or(0)
    }

    /// What a share of its direction brought in the end, in dollars between 0 and 1. Of a decision sold in part, each
    /// share counts with what it brought.
    pub(super) fn payoff(&self) -> f64 {
        ((self.cost + self.pnl).to_f64() / self.shares.to_f64().max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
    }
}

impl Record {
    pub(super) fn new(wallet: Wallet, at: Timestamp) -> Self {
        Self {
            wallet,
            trades: 0,
            first_trade: at,
            last_trade: at,
            first_seen: at,
            volume: Usd::ZERO,
            pnl: Usd::ZERO,
            today: Day { number: NO_DAY, ..Day::default() },
            day: END,
            ended: END,
            decisions: 0,
            is_changed: false,
            is_paid: false,
        }
    }

    /// Reads both lines, lest what comes next waits for them.
    pub(super) fn touch(&self) -> u64 {
        u64::from(self.trades) ^ u64::from(self.decisions)
    }

    /// Something of it happened.
    pub(super) fn see(&mut self, at: Timestamp) {
        self.first_seen = self.first_seen.min(at);
        if self.trades == 0 {
            (self.first_trade, self.last_trade) = (self.first_seen, self.first_seen);
        }
    }

    pub(super) fn trade(&mut self, books: &mut Books, usd: Usd, at: Timestamp) {
        let (first, last) = if self.trades == 0 { (at, at) } else { (self.first_trade, self.last_trade) };
        (self.first_trade, self.last_trade) = (first.min(at), last.max(at));
        self.trades = self.trades.saturating_add(1);
        self.volume += usd;
        let day = self.day(books, at);
        day.fills = day.fills.saturating_add(1);
        day.volume += usd;
    }

    pub(super) fn realize(&mut self, books: &mut Books, pnl: Usd, at: Timestamp) {
        if pnl != Usd::ZERO {
            self.pnl += pnl;
            self.day(books, at).pnl += pnl;
        }
    }

    pub(super) fn open(&mut self, books: &mut Books, cost: Usd, at: Timestamp) {
        self.day(books, at).opened += cost;
    }

    pub(super) fn drift(&mut self, books: &mut Books, millionths: i64, due: Timestamp) {
        let day = self.day(books, due);
        day.drifts = day.drifts.saturating_add(1);
        day.drift = day.drift.saturating_add(millionths);
    }

    /// Notes a decision that has ended. They are noted in no order: nearly always it is that in which they ended.
    pub(super) fn close(&mut self, books: &mut Books, closed: Closed) {
        // The day must be there, even if nothing was realised on it: it is on such days that the tier is looked at.
        self.day(books, closed.at);
        self.decisions += u32::from(closed.counts());
        books.ended.push(&mut self.ended, closed);
    }

    /// Its days with anything in them, oldest first.
    pub(super) fn days(&self, books: &Books) -> Vec<Day> {
        let mut days = Vec::new();
        books.days.collect_into(self.day, &mut days);
        days.extend(Some(self.today).filter(|day| day.number != NO_DAY));
        days
    }

    /// Its decisions that have ended, in the order in which they ended.
    pub(super) fn closed(&self, books: &Books) -> Vec<Closed> {
        let mut closed = Vec::new();
        books.ended.collect_into(self.ended, &mut closed);
        closed.sort_by_key(|closed| closed.seq);
        closed
    }

    /// The record without where its days and decisions are, and without the marks of change.
    pub(super) fn alone(&self) -> Self {
        Self { day: END, ended: END, is_changed: false, is_paid: false, ..self.clone() }
    }

    /// Whether a day with a fill, a result or anything else of the wallet's is in the window of `length` days that ends
    /// with `from` and not in the one that ends with `to`.
    pub(super) fn loses_days(&self, books: &Books, length: i64, from: i64, to: i64) -> bool {
        let mut days = std::iter::once(&self.today).chain(books.days.back_from(self.day));
        let is_left = |day: &&Day| from - length < day.number();
        days.by_ref().take_while(is_left).any(|day| day.number() <= to - length)
    }

    fn day<'a>(&'a mut self, books: &'a mut Books, at: Timestamp) -> &'a mut Day {
        let number = Day::of(at);
        if self.today.number < number {
            if self.today.number != NO_DAY {
                // All days in the books are before today.
                books.days.push(&mut self.day, self.today);
            }
            self.today = Day { number, ..Day::default() };
        }
        if self.today.number == number {
            return &mut self.today;
        }
        let is_it = |day: &Day| day.number == number;
        let is_past = |day: &Day| day.number < number;
        if books.days.find(self.day, is_it, is_past).is_none() {
            books.days.add(&mut self.day, Day { number, ..Day::default() }, |day| day.number);
        }
        // It is there now.
        books.days.find(self.day, is_it, is_past).unwrap_or(&mut self.today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_two_lines_and_a_touch_reads_both() {
        assert_eq!((size_of::<Record>(), align_of::<Record>()), (128, 64));
        let line = |offset: usize| offset / 64;
        assert_eq!(line(std::mem::offset_of!(Record, trades)), 0);
        assert_eq!(line(std::mem::offset_of!(Record, decisions)), 1);
    }
}
