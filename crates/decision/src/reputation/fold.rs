//! From facts to acts: what a fact means is found here, in the facts' order; what follows for the wallets is done by
//! the shards, side by side.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::{
    ChainEvent, ConditionId, Fact, FeeKind, Fill, Payouts, Shares, Timestamp, TokenId, Usd, Wallet,
};

use super::History;
use super::act::{Act, Conversion, Deed, Own, Stretch, Trade, Whom};
use super::catalogue::Seat;
use super::glance::Glances;
use super::interner::{Spread as _, usize_of};
use super::late::{Ended, Item, Print};
use crate::ledger::apportion;

/// Fewer acts are not worth a second thread.
const WORTH_THREADS: usize = 4_096;
/// How many facts are understood before the shards fold them: as many as are still near at hand then, and enough that
/// waiting for each other between them costs nothing.
const STRETCH: usize = 32_768;

/// Which facts come, and why.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    /// As they happen.
    New,
    /// Those of a condition that has just been described.
    Described,
    /// Those of wallets that waited for all questions of a conversion.
    Released(Arc<BTreeSet<Wallet>>),
}

/// A fact as it is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked<'a> {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) event: &'a ChainEvent,
}

/// What cannot be done before everything that came before it.
enum Stop<'a> {
    /// A result whose payments are not whole: who gets how much depends on everybody.
    Divide { condition: ConditionId, seq: u64, at: Timestamp, payouts: Arc<Payouts> },
    /// A conversion among questions that are not all known: from here on prices are remembered.
    Wait { siblings: u32, fact: Looked<'a>, wallet: Wallet },
}

impl Looked<'_> {
    fn item(&self) -> Item {
        Item { seq: self.seq, at: self.at, event: self.event.clone() }
    }
}

impl History {
    /// Folds news in their order. Most are fills of known tokens, which need no more than a glance; the glances are
    /// taken side by side, and everything else is understood one by one.
    pub(super) fn fold_news(&mut self, facts: &[Fact], mut first: u64) {
        let mut rest = facts;
        let mut room = [Glances::default(), Glances::default()];
        while !rest.is_empty() {
            let (stretch, _) = rest.split_at(rest.len().min(STRETCH));
            let done = self.fold_stretch(stretch, first, &mut room);
            rest = &rest[done..];
            first += done as u64;
        }
    }

    /// Folds news up to the first that must wait for everything before it. How many that were.
    fn fold_stretch(&mut self, facts: &[Fact], first: u64, room: &mut [Glances; 2]) -> usize {
        let [front, back] = room;
        let middle = if facts.len() < WORTH_THREADS { facts.len() } else { facts.len() / 2 };
        let (before, after) = facts.split_at(middle);
        let (catalogue, shards) = (&self.catalogue, self.shards.len());
        if after.is_empty() {
            front.take(catalogue, shards, before, 0);
            back.take(catalogue, shards, after, middle);
        } else {
            std::thread::scope(|scope| {
                scope.spawn(|| back.take(catalogue, shards, after, middle));
                front.take(catalogue, shards, before, 0);
            });
        }
        let mut acts: Vec<Act<'_>> = Vec::new();
        let mut done = facts.len();
        let mut stop = None;
        for place in front.others.iter().chain(&back.others).map(|place| usize_of(*place)) {
            let fact = &facts[place];
            let looked = Looked { seq: first + place as u64, at: fact.place.block_time, event: &fact.event };
            stop = self.understand(looked, &Mode::New, &mut acts);
            if stop.is_some() {
                done = place + 1;
                break;
            }
        }
        let glances = [front.before(done), back.before(done)];
        self.run(&Stretch { facts, first, glances, acts: &acts });
        self.stop(stop, &Mode::New);
        done
    }

    /// Folds facts in their order that were news before.
    pub(super) fn fold<'a>(&mut self, facts: impl Iterator<Item = Looked<'a>>, mode: &Mode) {
        let mut acts: Vec<Act<'a>> = Vec::new();
        for fact in facts {
            let stop = self.understand(fact, mode, &mut acts);
            if stop.is_some() || acts.len() >= STRETCH {
                self.run(&Stretch::of(&acts));
                acts.clear();
            }
            self.stop(stop, mode);
        }
        self.run(&Stretch::of(&acts));
    }

    fn run(&mut self, stretch: &Stretch<'_>) {
        if stretch.facts.len() + stretch.acts.len() < WORTH_THREADS {
            self.shards.iter_mut().for_each(|shard| shard.fold(stretch));
            return;
        }
        // One of the shards is folded here, so that no core waits for another.
        let Some((here, others)) = self.shards.split_first_mut() else { return };
        std::thread::scope(|scope| {
            for shard in others {
                scope.spawn(|| shard.fold(stretch));
            }
            here.fold(stretch);
        });
    }

    fn stop(&mut self, stop: Option<Stop<'_>>, mode: &Mode) {
        match stop {
            Some(Stop::Divide { condition, seq, at, payouts }) => {
                self.divide(condition, (seq, at), &payouts, matches!(mode, Mode::New));
            }
            Some(Stop::Wait { siblings, fact, wallet }) => self.wait(siblings, fact, wallet),
            None => {}
        }
    }

    /// Adds what a fact asks for; what asks for everybody at once is given back.
    fn understand<'a>(&mut self, fact: Looked<'a>, mode: &Mode, acts: &mut Vec<Act<'a>>) -> Option<Stop<'a>> {
        let mut own = |wallet: Wallet, own: Own| {
            let deed = Deed::Own { wallet, spread: wallet.spread(), own };
            let is_new = matches!(mode, Mode::New);
            acts.push(Act { seq: fact.seq, at: fact.at, is_new, deed });
        };
        match fact.event {
            ChainEvent::Fill(fill) => {
                let trade = self.trade(fill, fact, mode);
                let is_new = matches!(mode, Mode::New);
                acts.push(Act { seq: fact.seq, at: fact.at, is_new, deed: Deed::Trade(trade) });
            }
            ChainEvent::Split { wallet, condition, amount } => {
                self.pairs(fact, *wallet, *condition, *amount).into_iter().for_each(|act| own(*wallet, act));
            }
            ChainEvent::Merge { wallet, condition, amount } => {
                self.pairs(fact, *wallet, *condition, -*amount).into_iter().for_each(|act| own(*wallet, act));
            }
            ChainEvent::Fee { kind: FeeKind::Refunded, receiver, token, micros, .. } => {
                self.refund(fact, *receiver, *token, *micros).into_iter().for_each(|act| own(*receiver, act));
            }
            ChainEvent::Redemption { wallet, condition, token, payout } => {
                let collected = self.collect(fact, *wallet, *condition, *token, *payout);
                collected.into_iter().for_each(|act| own(*wallet, act));
            }
            ChainEvent::Conversion { wallet, market, index_set, amount } => {
                let siblings = self.catalogue.siblings_of(*market);
                if !self.waits(siblings, fact, *wallet) {
                    match self.catalogue.siblings(siblings).all(*index_set) {
                        Some((against, others)) => {
                            let conversion = Conversion { against, others, amount: *amount };
                            own(*wallet, Own::Convert(Arc::new(conversion)));
                        }
                        None => return Some(Stop::Wait { siblings, fact, wallet: *wallet }),
                    }
                }
            }
            ChainEvent::Resolution { condition, payouts } => {
                self.remember(fact, *condition, payouts, mode);
                return self.resolve(fact, *condition, payouts, mode, acts);
            }
            ChainEvent::Derivable { yes: Some(condition), .. } => {
                let payouts = Payouts::winner(0, 2)?;
                self.remember(fact, *condition, &payouts, mode);
                return self.resolve(fact, *condition, &payouts, mode, acts);
            }
            ChainEvent::Derivable { event, yes: None } => {
                let siblings = self.catalogue.siblings_of(*event);
                let since = &mut self.catalogue.siblings_mut(siblings).rest_is_no;
                since.get_or_insert((fact.seq, fact.at));
                let payouts = Payouts::winner(1, 2)?;
                for question in self.catalogue.siblings(siblings).questions.clone().into_values() {
                    let condition = self.catalogue.question(question).condition;
                    self.resolve(fact, condition, &payouts, mode, acts);
                }
            }
            // Matches and fees charged repeat what the fills say. What is prepared is described elsewhere.
            ChainEvent::Match { .. }
            | ChainEvent::Fee { kind: FeeKind::Charged, .. }
            | ChainEvent::Preparation { .. } => {}
        }
        None
    }

    fn trade<'a>(&mut self, fill: &'a Fill, fact: Looked<'_>, mode: &Mode) -> Trade<'a> {
        let spread = fill.wallet.spread();
        let seat = self.catalogue.seat(fill.token);
        let Some(Seat { question, .. }) = seat else {
            self.late.tokens.entry(fill.token).or_default().push(fact.item());
            return Trade { fill, spread, seat, price: None, is_ripe: false };
        };
        let price = seat.and_then(|seat| seat.price_of(fill));
        let mut is_ripe = true;
        if let Some(siblings) = self.catalogue.question(question).siblings
            && !matches!(mode, Mode::Released(_))
        {
            is_ripe = !self.waits(siblings, fact, fill.wallet);
            if let Some(ppm) = price {
                let print = Print { seq: fact.seq, at: fact.at, question, ppm };
                self.catalogue.siblings_mut(siblings).see(print);
            }
        }
        let price = price.filter(|_| !matches!(mode, Mode::Released(_)));
        Trade { fill, spread, seat, price, is_ripe }
    }

    fn pairs(
        &mut self,
        fact: Looked<'_>,
        wallet: Wallet,
        condition: ConditionId,
        amount: Shares,
    ) -> Option<Own> {
        let Some(questions) = self.catalogue.questions(condition) else {
            self.late.conditions.entry(condition).or_default().push(fact.item());
            return None;
        };
        let waits = self.question_waits(questions.start, fact, wallet);
        (!waits).then_some(Own::Pairs { questions, amount })
    }

    /// A fee given back: shares that were bought after all, or dollars that the sale brought after all.
    fn refund(
        &mut self,
        fact: Looked<'_>,
        wallet: Wallet,
        token: Option<TokenId>,
        micros: i64,
    ) -> Option<Own> {
        let Some(token) = token else { return Some(Own::Dollars(Usd::from_micros(micros))) };
        let shares = Shares::from_micros(micros);
        let Some(seat) = self.catalogue.seat(token) else {
            self.late.tokens.entry(token).or_default().push(fact.item());
            return Some(Own::Bare { token, shares });
        };
        let waits = self.question_waits(seat.question, fact, wallet);
        (!waits).then_some(Own::Shares { seat, shares })
    }

    /// A redemption pays what the resolution already booked: only what goes beyond is news.
    fn collect(
        &mut self,
        fact: Looked<'_>,
        wallet: Wallet,
        condition: Option<ConditionId>,
        token: Option<TokenId>,
        payout: Usd,
    ) -> Option<Own> {
        let question = match (condition, token) {
            (Some(condition), _) => {
                let Some(questions) = self.catalogue.questions(condition) else {
                    self.late.conditions.entry(condition).or_default().push(fact.item());
                    return None;
                };
                // Of a condition of many outcomes nobody says which were collected.
                (questions.len() == 1).then_some(questions.start)?
            }
            (None, Some(token)) => {
                let Some(seat) = self.catalogue.seat(token) else {
                    self.late.tokens.entry(token).or_default().push(fact.item());
                    return None;
                };
                seat.question
            }
            (None, None) => return None,
        };
        let waits = self.question_waits(question, fact, wallet);
        (!waits).then_some(Own::Collect { question, payout })
    }

    /// Keeps the first result of a condition, which may be described only later.
    fn remember(&mut self, fact: Looked<'_>, condition: ConditionId, payouts: &Payouts, mode: &Mode) {
        if !matches!(mode, Mode::New) {
            return;
        }
        let Looked { seq, at, .. } = fact;
        let ended = || Ended { seq, at, payouts: payouts.clone() };
        self.late.results.entry(condition).or_insert_with(ended);
    }

    /// Gives a condition its result, unless it has one.
    fn resolve(
        &mut self,
        fact: Looked<'_>,
        condition: ConditionId,
        payouts: &Payouts,
        mode: &Mode,
        acts: &mut Vec<Act<'_>>,
    ) -> Option<Stop<'static>> {
        let Looked { seq, at, .. } = fact;
        let questions = self.catalogue.questions(condition)?;
        let payouts = Arc::new(payouts.clone());
        let is_over = self.catalogue.question(questions.start).is_over;
        let siblings = self.catalogue.question(questions.start).siblings;
        let mut whom = Whom::All;
        match mode {
            Mode::Released(those) => whom = Whom::Only(Arc::clone(those)),
            _ if is_over => return None,
            _ => {
                for question in questions.clone() {
                    self.catalogue.question_mut(question).is_over = true;
                    self.beliefs.note_result(question, at);
                }
                if let Some(siblings) = siblings.map(|number| self.catalogue.siblings_mut(number))
                    && !siblings.waiters.is_empty()
                {
                    let event = ChainEvent::Resolution { condition, payouts: (*payouts).clone() };
                    siblings.waiting.push(Item { seq, at, event });
                    whom = Whom::Except(Arc::new(siblings.waiters.keys().copied().collect()));
                } else if !payouts.is_whole() {
                    return Some(Stop::Divide { condition, seq, at, payouts });
                }
            }
        }
        for question in questions {
            let first = self.catalogue.question(question).first;
            let deed = Deed::Settle { question, payouts: Arc::clone(&payouts), first, whom: whom.clone() };
            acts.push(Act { seq, at, is_new: matches!(mode, Mode::New), deed });
        }
        None
    }

    /// Pays a result that divides a dollar, to the last millionth.
    fn divide(
        &mut self,
        condition: ConditionId,
        (seq, at): (u64, Timestamp),
        payouts: &Arc<Payouts>,
        is_new: bool,
    ) {
        let Some(questions) = self.catalogue.questions(condition) else { return };
        let mut held: Vec<(Wallet, u32, usize, Shares)> = Vec::new();
        for question in questions.clone() {
            let first = self.catalogue.question(question).first;
            for (wallet, shares) in self.shards.iter().flat_map(|shard| shard.held(question)) {
                held.push((wallet, question, first, shares[0]));
                held.push((wallet, question, first + 1, shares[1]));
            }
        }
        // Which of equals is first must not depend on who became known first.
        held.sort_by_key(|(wallet, question, outcome, _)| (*wallet, *question, *outcome));
        let due: Vec<(usize, Shares)> =
            held.iter().map(|(_, _, outcome, shares)| (*outcome, *shares)).collect();
        let pays = apportion(payouts, &due);
        let paid: Vec<(u32, Wallet, [Usd; 2])> = held
            .chunks_exact(2)
            .zip(pays.chunks_exact(2))
            .map(|(held, pays)| (held[0].1, held[0].0, [pays[0], pays[1]]))
            .collect();
        let mut acts = Vec::new();
        for question in questions {
            let first = self.catalogue.question(question).first;
            let own = paid.iter().filter(|(of, _, _)| *of == question);
            let pay = Arc::new(own.map(|(_, wallet, pays)| (*wallet, *pays)).collect());
            let deed = Deed::Pay { question, payouts: Arc::clone(payouts), first, pay };
            acts.push(Act { seq, at, is_new, deed });
        }
        self.run(&Stretch::of(&acts));
    }

    fn question_waits(&mut self, question: u32, fact: Looked<'_>, wallet: Wallet) -> bool {
        let siblings = self.catalogue.question(question).siblings;
        siblings.is_some_and(|siblings| self.waits(siblings, fact, wallet))
    }

    /// Whether a wallet's facts among siblings wait; if so, this one does too.
    fn waits(&mut self, siblings: u32, fact: Looked<'_>, wallet: Wallet) -> bool {
        let siblings = self.catalogue.siblings_mut(siblings);
        let waits = !siblings.waiters.is_empty() && siblings.holds(wallet, fact.seq);
        if waits {
            siblings.waiting.push(fact.item());
        }
        waits
    }

    /// Makes a conversion wait, and everything of the wallet's among these questions from now on.
    fn wait(&mut self, number: u32, fact: Looked<'_>, wallet: Wallet) {
        let siblings = self.catalogue.siblings(number);
        if siblings.waiters.is_empty() {
            // What the prices are now is looked up by entries that are made while it waits.
            let known = siblings.questions.values().filter_map(|question| {
                // Every shard sees every price.
                let ppm = self.shards.first()?.price(*question)?;
                Some(Print { seq: 0, at: Timestamp::from_micros(i64::MIN), question: *question, ppm })
            });
            let prints = known.collect();
            self.catalogue.siblings_mut(number).prints = prints;
        }
        self.catalogue.waited += 1;
        let siblings = self.catalogue.siblings_mut(number);
        siblings.waiters.insert(wallet, fact.seq);
        siblings.waiting.push(fact.item());
    }
}
