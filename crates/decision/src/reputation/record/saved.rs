//! A record as bytes: its own numbers, its days and its decisions.

use domain::{Shares, Side, Timestamp, Usd, Wallet};

use super::super::saved::{Damaged, Reader, Writer};
use super::super::tally::WINDOW_DAYS;
use super::{Books, Closed, Day, NO_DAY, Record};

/// A record that was read, before it is put among the others.
#[derive(Debug)]
pub(in crate::reputation) struct Told {
    record: Record,
    days: Vec<Day>,
    closed: Vec<Closed>,
}

impl Record {
    /// Writes everything but whose it is and whether it changed.
    pub(in crate::reputation) fn save(&self, books: &Books, to: &mut Writer) {
        to.whole(self.trades);
        to.moment(self.first_seen);
        to.since(self.first_seen, self.first_trade);
        to.since(self.first_trade, self.last_trade);
        to.amount(self.volume.micros());
        to.amount(self.pnl.micros());
        let days = self.days(books);
        to.length(days.len());
        let mut before = 0;
        for day in days {
            to.signed(i64::from(day.number) - before);
            before = i64::from(day.number);
            day.save(to);
        }
        let closed = self.closed(books);
        to.length(closed.len());
        let mut before = Closed::before_all(self.first_seen);
        for closed in closed {
            closed.save(&before, to);
            before = closed;
        }
    }

    /// Reads what was written, and the questions it names.
    pub(in crate::reputation) fn load(wallet: Wallet, from: &mut Reader<'_>) -> Result<Told, Damaged> {
        let trades = from.whole()?;
        let first_seen = from.moment()?;
        let mut record = Self::new(wallet, first_seen);
        record.trades = trades;
        record.first_trade = from.since(first_seen)?;
        record.last_trade = from.since(record.first_trade)?;
        record.volume = from.usd()?;
        record.pnl = from.usd()?;
        let mut before = 0i64;
        let mut days = from.list(|from| {
            let number = before.checked_add(from.signed()?).ok_or(Damaged::Number)?;
            before = number;
            Day::load(i32::try_from(number).map_err(|_| Damaged::Number)?, from)
        })?;
        if days.iter().any(|day| day.number == NO_DAY)
            || !days.is_sorted_by(|one, next| one.number < next.number)
        {
            return Err(Damaged::Order);
        }
        if let Some(today) = days.pop() {
            record.today = today;
        }
        let mut before = Closed::before_all(first_seen);
        let closed = from.list(|from| {
            before = Closed::load(&before, from)?;
            Ok(before)
        })?;
        let counted = closed.iter().filter(|closed| closed.counts()).count();
        record.decisions = u32::try_from(counted).map_err(|_| Damaged::Number)?;
        Ok(Told { record, days, closed })
    }

    /// The day on which the next of its days leaves the window, for who has looked at it on a day.
    pub(in crate::reputation) fn fades_on(&self, books: &Books, looked: i64) -> Option<i64> {
        let days = self.days(books).into_iter();
        let leave = days.map(|day| day.number().saturating_add(WINDOW_DAYS));
        leave.filter(|leaves| looked < *leaves).min()
    }
}

impl Told {
    /// The questions of its decisions.
    pub(in crate::reputation) fn questions(&self) -> impl Iterator<Item = u32> {
        self.closed.iter().map(|closed| closed.question)
    }

    /// Puts the days and decisions into the books.
    pub(in crate::reputation) fn enter(self, books: &mut Books) -> Record {
        let Self { mut record, days, closed } = self;
        for day in days {
            books.days.add(&mut record.day, day, |day| day.number);
        }
        for closed in closed {
            books.ended.push(&mut record.ended, closed);
        }
        record
    }
}

impl Day {
    fn save(&self, to: &mut Writer) {
        to.whole(self.fills);
        to.amount(self.volume.micros());
        to.amount(self.pnl.micros());
        to.amount(self.opened.micros());
        to.whole(self.drifts);
        if self.drifts > 0 {
            to.signed(self.drift);
        }
    }

    fn load(number: i32, from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let fills = from.whole()?;
        let (volume, pnl, opened) = (from.usd()?, from.usd()?, from.usd()?);
        let drifts = from.whole()?;
        let drift = if drifts > 0 { from.signed()? } else { 0 };
        Ok(Self { volume, pnl, drift, opened, number, fills, drifts })
    }
}

impl Closed {
    /// What the first one is told apart from.
    fn before_all(at: Timestamp) -> Self {
        Self {
            seq: 0,
            at,
            opened: at,
            question: 0,
            direction: Side::Buy,
            shares: Shares::ZERO,
            cost: Usd::ZERO,
            pnl: Usd::ZERO,
            is_unknown: false,
        }
    }

    fn save(&self, before: &Self, to: &mut Writer) {
        to.whole(self.seq.saturating_sub(before.seq));
        to.since(before.at, self.at);
        to.since(self.opened, self.at);
        to.signed(i64::from(self.question) - i64::from(before.question));
        to.byte(u8::from(self.direction == Side::Sell) | u8::from(self.is_unknown) << 1);
        to.amount(self.shares.micros());
        to.amount(self.cost.micros());
        to.amount(self.pnl.micros());
    }

    fn load(before: &Self, from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let seq = before.seq.checked_add(from.whole()?).ok_or(Damaged::Number)?;
        let at = from.since(before.at)?;
        let held = from.since(Timestamp::from_micros(0))?;
        let opened = Timestamp::from_micros(at.micros().wrapping_sub(held.micros()));
        let question = i64::from(before.question).checked_add(from.signed()?).ok_or(Damaged::Number)?;
        let question = u32::try_from(question).map_err(|_| Damaged::Number)?;
        let marks = from.byte()?;
        if marks > 3 {
            return Err(Damaged::Mark(marks));
        }
        let (direction, is_unknown) = (if marks & 1 == 1 { Side::Sell } else { Side::Buy }, marks & 2 == 2);
        let (shares, cost, pnl) = (from.shares()?, from.usd()?, from.usd()?);
        Ok(Self { seq, at, opened, question, direction, shares, cost, pnl, is_unknown })
    }
}
