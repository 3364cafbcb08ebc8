//! Where prices went after entries, and which decisions were opened: what is looked at later, or counted beside the
//! ledger.

use domain::{Side, Timestamp};

use super::super::entry::Timer;
use super::super::interner::{Spread as _, next_number, usize_of};
use super::super::stake::Done;
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
        while let Some(timer) = self.timers.pop(by) {
            let price = self.price(timer.question);
            self.look_again(&timer, price);
        }
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
        let number = self.legs.find(spread, is_it).unwrap_or_else(|| {
            let number = next_number(&self.leg_counts);
            self.leg_counts.push((wallet, siblings, 0));
            self.legs.insert(spread, number);
            number
        });
        let (_, _, count) = &mut self.leg_counts[usize_of(number)];
        *count += 1;
        *count
    }

    /// Waits for where the price goes after an entry.
    pub(super) fn watch(&mut self, timer: &Timer, at: Timestamp) {
        let paid = timer.cost.to_f64() / timer.shares.to_f64();
        let board = &mut self.boards[usize_of(timer.question)];
        if let Some(entry) = Entry::new(timer.wallet, at, paid, paid, board.end) {
            board.watch.enter(if timer.direction == Side::Buy { entry } else { entry.mirrored() });
            let front = &mut self.fronts[usize_of(timer.question)];
            // It may be that the others are quiet for longer: then one print is looked at for nothing.
            front.quiet = front.quiet.min(entry.quiet_until());
        }
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
        self.look_at_matured();
        while let Some(matured) = self.matured.pop() {
            self.people[matured.wallet].copying.clv.add(&matured);
            self.change(matured.wallet);
        }
    }
}
