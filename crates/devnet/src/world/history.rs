//! The past: weeks of markets that have long been answered, in which every wallet made its record.

use std::collections::BTreeSet;

use domain::{Side, Timestamp};

use super::World;
use super::live::tastes;
use super::matching::{Order, Size};
use super::people::Kind;

/// A block of the past stands for this long, so that weeks fit into thousands of blocks.
const BLOCK: i64 = 4 * Timestamp::MINUTE;

/// How many events begin a day.
const EVENTS_A_DAY: f64 = 6.5;

/// Markets are looked up by the quarter days they are open in.
const SLOT: i64 = 6 * Timestamp::HOUR;

/// Something somebody will do at a moment of the past.
struct Intent {
    at: Timestamp,
    market: usize,
    order: Order,
}

/// Which markets are open when.
struct Calendar {
    begins: Timestamp,
    days: i64,
    slots: Vec<Vec<usize>>,
}

impl World {
    /// Makes `days` of past, all of it answered before the present begins; `made` is called whenever there is more
    /// of it.
    pub(super) fn live_through_history(&mut self, days: i64, made: &mut dyn FnMut(&mut Self)) {
        let begins = Timestamp::from_seconds(self.start.plus_micros(-days * Timestamp::DAY).seconds());
        self.push_block(begins.plus_micros(-BLOCK), Vec::new());
        if days < 1 {
            made(self);
            return;
        }
        let calendar = self.past_markets(begins, days);
        let mut intents = Vec::new();
        for person in 0..self.people.len() {
            self.plan(person, &calendar, &mut intents);
        }
        intents.sort_by_key(|intent| intent.at);
        self.replay(begins, intents, made);
    }

    fn past_markets(&mut self, begins: Timestamp, days: i64) -> Calendar {
        #[expect(clippy::cast_precision_loss, reason = "a number of days")]
        let events = super::dice::count(days as f64 * EVENTS_A_DAY);
        let last_opening = self.start.plus_micros(-14 * Timestamp::HOUR).micros();
        let slots = usize::try_from(days * Timestamp::DAY / SLOT + 1).unwrap_or(1);
        let mut calendar = Calendar { begins, days, slots: vec![Vec::new(); slots] };
        for _ in 0..events {
            // Some have been open since before the past begins, or its first day would be empty.
            let early = begins.plus_micros(-2 * Timestamp::DAY).micros();
            let opens = self.dice.moment(early, last_opening.max(early + 1));
            let life = self.dice.moment(10 * Timestamp::HOUR, 6 * Timestamp::DAY);
            let margin = self.dice.moment(10 * Timestamp::MINUTE, 4 * Timestamp::HOUR);
            let latest = self.start.plus_micros(-margin).micros();
            let opens = opens.max(begins.micros());
            let closes = (opens + life).clamp(opens + Timestamp::HOUR, latest.max(opens + Timestamp::HOUR));
            let (opens, closes) = (Timestamp::from_micros(opens), Timestamp::from_micros(closes));
            for id in self.invent(opens, closes) {
                calendar.add(id, opens, closes);
            }
        }
        calendar
    }

    /// What a person did in the past.
    fn plan(&mut self, person: usize, calendar: &Calendar, intents: &mut Vec<Intent>) {
        let who = self.people.get(person);
        let (kind, regular, typical) = (who.kind, who.regular, who.typical_usd);
        #[expect(clippy::cast_precision_loss, reason = "a number of days")]
        let part = calendar.days as f64 / 45.0;
        let busy = |low, high| if regular { Some((low, high)) } else { None };
        let decisions = match kind {
            Kind::Maker => return,
            Kind::Skilled => self.dice.between(76.0, 104.0),
            Kind::Degen => match busy(50.0, 80.0) {
                Some((low, high)) => self.dice.between(low, high),
                None => self.dice.lognormal(6.0, 0.6).clamp(1.0, 30.0),
            },
            Kind::Noise | Kind::Favourite | Kind::Lottery => match busy(40.0, 90.0) {
                Some((low, high)) => self.dice.between(low, high),
                None => self.dice.lognormal(4.0, 0.8).clamp(1.0, 40.0),
            },
        };
        let mut days: Vec<i64> = (0..calendar.days).collect();
        self.dice.shuffle(&mut days);
        let mut taken = BTreeSet::new();
        for turn in 0..super::dice::count(decisions * part).max(1) {
            // Whoever trades every day goes through all days before a second trade on any.
            let day = days[turn % days.len()];
            if let Some((at, market)) = self.find(kind, day, calendar, &taken) {
                taken.insert(market);
                self.decide(person, (at, market), typical, intents);
            }
        }
    }

    /// A moment of a day and a market open then that is to the taste of that kind.
    fn find(
        &mut self,
        kind: Kind,
        day: i64,
        calendar: &Calendar,
        taken: &BTreeSet<usize>,
    ) -> Option<(Timestamp, usize)> {
        for _ in 0..24 {
            let from = day * Timestamp::DAY;
            let at = calendar.begins.plus_micros(self.dice.moment(from, from + Timestamp::DAY));
            let Some(market) = self.dice.pick(calendar.open_at(at)).copied() else { continue };
            let open = &self.markets[market];
            // Nobody trades in the last minutes: the market has stopped by the time it is answered.
            let tradable = open.opens <= at && at < open.closes.plus_micros(-20 * Timestamp::MINUTE);
            if tradable && !taken.contains(&market) && tastes(kind, open.expected(0, at)) {
                return Some((at, market));
            }
        }
        None
    }

    /// A purchase, and perhaps the sale that ends it before the answer does.
    fn decide(
        &mut self,
        person: usize,
        (at, market): (Timestamp, usize),
        typical: f64,
        intents: &mut Vec<Intent>,
    ) {
        let kind = self.people.get(person).kind;
        let outcome = self.choose(person, market, at);
        let usd = self.stake(kind, typical);
        let worse_by =
            u32::from(kind == Kind::Degen) + u32::from(kind == Kind::Degen && self.dice.chance(0.5));
        let buy = Order { person, outcome, side: Side::Buy, size: Size::Usd(usd), worse_by };
        intents.push(Intent { at, market, order: buy });
        let open = &self.markets[market];
        let closes = open.closes.plus_micros(-20 * Timestamp::MINUTE).micros();
        let later = Timestamp::from_micros(self.dice.moment(at.micros() + 1, closes));
        let lost = open.expected(outcome, later) < open.expected(outcome, at) - 0.03;
        let leaves = match kind {
            Kind::Skilled => self.dice.chance(0.05),
            // A loss on paper is what panic is made of.
            Kind::Degen => self.dice.chance(if lost { 0.75 } else { 0.08 }),
            _ => self.dice.chance(0.2),
        };
        if leaves && later > at {
            let size = Size::Shares(i64::MAX);
            let sell = Order { person, outcome, side: Side::Sell, size, worse_by };
            intents.push(Intent { at: later, market, order: sell });
        }
    }

    /// Which outcome a person buys.
    pub(super) fn choose(&mut self, person: usize, market: usize, at: Timestamp) -> usize {
        let first = self.markets[market].expected(0, at);
        match self.people.get(person).kind {
            Kind::Favourite => usize::from(first < 0.5),
            Kind::Lottery => usize::from(first > 0.5),
            Kind::Skilled | Kind::Degen | Kind::Noise | Kind::Maker => self.belief(person, market),
        }
    }

    /// How much a person of that kind spends.
    pub(super) fn stake(&mut self, kind: Kind, typical: f64) -> f64 {
        match kind {
            Kind::Skilled => self.dice.lognormal(typical, 0.45).clamp(700.0, 8_000.0),
            _ => self.dice.lognormal(typical, 0.6).clamp(5.0, 9_000.0),
        }
    }

    /// Block by block: what opens, what is traded, what is answered.
    fn replay(&mut self, begins: Timestamp, intents: Vec<Intent>, made: &mut dyn FnMut(&mut Self)) {
        let mut opening: Vec<usize> = (0..self.markets.len()).collect();
        opening.sort_by_key(|id| self.markets[*id].opens);
        let mut opening = opening.into_iter().peekable();
        let mut intents = intents.into_iter().peekable();
        let mut at = begins;
        while at < self.start {
            let mut txs = Vec::new();
            while let Some(id) = opening.next_if(|id| self.markets[*id].opens <= at) {
                txs.extend(self.open(id));
            }
            while let Some(intent) = intents.next_if(|intent| intent.at <= at) {
                txs.extend(self.keep(&intent));
            }
            if self.dice.chance(0.05)
                && let Some(id) = self.dice.pick(&self.open).copied()
            {
                txs.extend(self.tidy(id));
            }
            txs.extend(self.close_due(at));
            self.push_block(at, txs);
            made(self);
            at = at.plus_micros(BLOCK);
        }
    }

    fn keep(&mut self, intent: &Intent) -> Option<super::Tx> {
        let mut order = intent.order;
        if order.side == Side::Sell {
            let held = self.markets[intent.market].held(order.person, order.outcome);
            order.size = Size::Shares(held);
        }
        self.trade(intent.market, order, intent.at)
    }
}

impl Calendar {
    fn add(&mut self, id: usize, opens: Timestamp, closes: Timestamp) {
        for slot in self.slot(opens)..=self.slot(closes) {
            self.slots[slot].push(id);
        }
    }

    fn open_at(&self, at: Timestamp) -> &[usize] {
        &self.slots[self.slot(at)]
    }

    fn slot(&self, at: Timestamp) -> usize {
        let slot = usize::try_from(at.micros_since(self.begins) / SLOT).unwrap_or(0);
        slot.min(self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_knows_what_is_open() {
        let begins = Timestamp::from_seconds(1_000_000);
        let mut calendar = Calendar { begins, days: 2, slots: vec![Vec::new(); 9] };
        let hour = |hours: i64| begins.plus_micros(hours * Timestamp::HOUR);
        calendar.add(7, hour(5), hour(13));
        assert_eq!(calendar.open_at(hour(2)), [7]);
        assert_eq!(calendar.open_at(hour(14)), [7]);
        assert!(calendar.open_at(hour(20)).is_empty());
        assert!(calendar.open_at(hour(1_000)).is_empty());
    }
}
