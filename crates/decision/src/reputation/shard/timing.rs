//! Where prices went after entries, and which decisions were opened: what is looked at later, or counted beside the
//! ledger.

use domain::{Side, Timestamp};

use super::super::entry::Timer;
use super::super::interner::{Spread as _, next_number, part_of, usize_of};
use super::super::sheet::{Stretch, place_of};
use super::super::stake::Done;
use super::ahead::AHEAD;
use super::visits::Begun;
use super::{Scene, Shard};
use crate::clv::Entry;
use crate::copyability::DecisionOpened;

impl Shard {
    /// A price was paid for the first token of a question; zero is none.
    pub(super) fn print(&mut self, question: u32, price: u32, at: Timestamp) {
        let front = &mut self.fronts[usize_of(question)];
        if price == 0 {
            return;
        }
        if at <= front.quiet {
            front.price = price;
            front.untold = front.untold.saturating_add(1);
            return;
        }
        self.tell(question);
        let watch = &mut self.boards[usize_of(question)].watch;
        watch.print(at, f64::from(price) / 1e6, &mut self.matured);
        let front = &mut self.fronts[usize_of(question)];
        (front.price, front.quiet) = (price, watch.quiet_until());
    }

    /// The last price of a question's first token.
    pub(in crate::reputation) fn price(&self, question: u32) -> Option<u32> {
        Some(self.fronts[usize_of(question)].price).filter(|price| *price > 0)
    }

    /// Looks again at the prices of entries that are a day old by a moment, all prints before which were seen.
    pub(in crate::reputation) fn mature(&mut self, by: Timestamp) {
        self.mature_at(by, |shard, timer| shard.price(timer.question));
    }

    /// The same where the price that an entry finds is looked up.
    pub(super) fn mature_at(&mut self, by: Timestamp, price: impl Fn(&Self, &Timer) -> Option<u32>) {
        let mut due = std::mem::take(&mut self.room.due);
        self.timers.due(by, &mut due);
        for timers in due.chunks(AHEAD) {
            self.look_at_due(timers);
            for timer in timers {
                self.look_again(timer, price(self, timer));
            }
        }
        due.clear();
        self.room.due = due;
    }

    /// The same for entries that were made late, whose prices are looked up.
    pub(in crate::reputation) fn mature_late(
        &mut self,
        by: Timestamp,
        price: impl Fn(u32, Timestamp) -> Option<u32>,
    ) {
        for timer in self.timers.take_late(by) {
            self.look_again(&timer, price(timer.question, timer.due));
        }
    }

    pub(super) fn look_again(&mut self, timer: &Timer, price: Option<u32>) {
        // A price that the result has overtaken says nothing about the entry's timing.
        if self.fronts[usize_of(timer.question)].is_over_before(timer.due) {
            return;
        }
        if let Some(drift) = price.and_then(|price| timer.drift(price)) {
            self.people[timer.wallet].record.drift(&mut self.books, drift, timer.due);
            self.change(timer.wallet);
        }
    }

    /// Counts a decision that opened.
    pub(super) fn decide(&mut self, scene: Scene, done: &Done) {
        let Some((_, shares, cost)) = done.grown else { return };
        let stake = &mut self.stakes[scene.place];
        let is_new_market = !std::mem::replace(&mut stake.was_decided, true);
        let siblings = self.fronts[usize_of(scene.question)].siblings();
        let neg_risk_legs = siblings.map_or(0, |siblings| self.count_leg(scene.wallet, siblings));
        let price = (cost.to_f64() / shares.to_f64()).clamp(0.0, 1.0);
        let opened = DecisionOpened { at: scene.at, price, is_new_market, neg_risk_legs };
        self.people[scene.wallet].copying.sums.decide(&opened);
    }

    /// How many decisions a wallet has made among siblings, with one more.
    pub(super) fn count_leg(&mut self, wallet: u32, siblings: u32) -> u32 {
        let spread = (wallet, siblings).spread();
        let is_it = |number: u32| {
            let (of, among, _) = self.leg_counts[usize_of(number)];
            (of, among) == (wallet, siblings)
        };
        let part = part_of(self.spread(wallet));
        let number = self.legs.of(part).find(spread, is_it).unwrap_or_else(|| {
            let number = next_number(&self.leg_counts);
            self.leg_counts.push((wallet, siblings, 0));
            self.legs.of_mut(part).insert(spread, number);
            number
        });
        let (_, _, count) = &mut self.leg_counts[usize_of(number)];
        *count += 1;
        *count
    }

    /// Waits for where the price goes after an entry: from now on, or from its place on among the facts that are folded
    /// together.
    pub(super) fn begin(&mut self, question: u32, begun: Begun) {
        if self.together_since.is_some() {
            self.room.begun.push((question, begun));
        } else {
            self.watch(question, &begun);
        }
    }

    /// Waits for where the price goes after an entry.
    fn watch(&mut self, question: u32, begun: &Begun) {
        let Begun { wallet, at, paid, direction, .. } = *begun;
        let board = &mut self.boards[usize_of(question)];
        if let Some(entry) = Entry::new(wallet, at, paid, paid, board.end) {
            board.watch.enter(if direction == Side::Buy { entry } else { entry.mirrored() });
            let front = &mut self.fronts[usize_of(question)];
            // It may be that the others are quiet for longer: then one print is looked at for nothing.
            front.quiet = front.quiet.min(entry.quiet_until());
        }
    }

    /// Lets what was paid in all questions pass by the entries that wait there, and by those that began meanwhile.
    pub(super) fn watch_all(&mut self, stretch: &Stretch<'_>) {
        let mut entries = std::mem::take(&mut self.room.entries);
        entries.group(self.room.begun.iter().copied());
        entries.sort_by_key(|begun| begun.place);
        self.room.begun.clear();
        let [front, back] = stretch.sheets.map(|sheet| &sheet.tape);
        for questions in entries.questions().chunks(AHEAD) {
            self.look_at_watches(questions, stretch.until);
            for question in questions {
                self.watch_one(*question, entries.of(*question), stretch);
            }
        }
        let is_left = |question: &u32| entries.of(*question).is_empty();
        let fore = front.questions().iter().filter(|question| is_left(question));
        let aft =
            back.questions().iter().filter(|question| is_left(question) && front.of(**question).is_empty());
        for question in fore.chain(aft) {
            self.watch_one(*question, &[], stretch);
        }
        self.room.entries = entries;
    }

    /// The same in one question: prices, entries and the result in their order.
    fn watch_one(&mut self, question: u32, begun: &[Begun], stretch: &Stretch<'_>) {
        let mut ticks = stretch.ticks(question).peekable();
        let mut begun = begun.iter().peekable();
        let mut result = self.result_among(question, stretch);
        loop {
            let next = begun.peek().map_or(u32::MAX, |begun| begun.place);
            let next = next.min(result.map_or(u32::MAX, |(place, _)| place));
            // What a fill paid is seen before the entry that it begins.
            while let Some(tick) = ticks.next_if(|tick| tick.place <= next) {
                self.print(question, tick.ppm, tick.at);
            }
            if let Some(begun) = begun.next_if(|begun| begun.place == next) {
                self.watch(question, begun);
            } else if let Some((_, at)) = result.take() {
                self.close_watch(question, at);
            } else {
                return;
            }
        }
    }

    /// The place and time of a question's result, if it is one of the facts that are folded together.
    fn result_among(&self, question: u32, stretch: &Stretch<'_>) -> Option<(u32, Timestamp)> {
        if !self.fronts[usize_of(question)].is_over() {
            return None;
        }
        let result = self.boards[usize_of(question)].result.as_ref()?;
        Some((place_of(result.seq, stretch.first)?, result.at))
    }

    /// Nobody waits in a question any more: its result is known.
    pub(super) fn close_watch(&mut self, question: u32, at: Timestamp) {
        self.tell(question);
        self.boards[usize_of(question)].watch.resolve(at, &mut self.matured);
        self.listen(question);
    }

    /// Looks at the prices of the entries in a question that were due before a moment.
    pub(in crate::reputation) fn mature_watch(&mut self, question: u32, by: Timestamp) {
        self.tell(question);
        let watch = &mut self.boards[usize_of(question)].watch;
        if !watch.is_idle() {
            watch.mature(by, &mut self.matured);
            self.fronts[usize_of(question)].quiet = watch.quiet_until();
            self.count_matured();
        }
    }

    /// Finds anew until when no print of a question changes anything for those who wait.
    pub(super) fn listen(&mut self, question: u32) {
        let quiet = self.boards[usize_of(question)].watch.quiet_until();
        self.fronts[usize_of(question)].quiet = quiet;
    }

    /// Tells a question's watch what prints it has slept through.
    pub(super) fn tell(&mut self, question: u32) {
        let front = &mut self.fronts[usize_of(question)];
        let untold = std::mem::take(&mut front.untold);
        if untold > 0 {
            let price = f64::from(front.price) / 1e6;
            self.boards[usize_of(question)].watch.pass_over(untold.into(), price);
        }
    }

    /// The same in all questions.
    pub(in crate::reputation) fn mature_watches(&mut self, by: Timestamp) {
        for question in 0..next_number(&self.boards) {
            self.mature_watch(question, by);
        }
    }

    /// Counts what has come of entries.
    pub(super) fn count_matured(&mut self) {
        let mut matured = std::mem::take(&mut self.matured);
        for together in matured.chunks(AHEAD) {
            self.look_at_matured(together);
            for one in together {
                self.people[one.wallet].copying.clv.add(one);
                self.change(one.wallet);
            }
        }
        matured.clear();
        self.matured = matured;
    }
}
