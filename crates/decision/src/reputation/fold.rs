//! From facts to acts to wallets: most facts are fills that can be folded as they are, the others are understood one by
//! one in their order, and what follows for the wallets is done by the shards, side by side.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::{ChainEvent, ConditionId, Fact, Payouts, Shares, Timestamp, Usd, Wallet};

use super::History;
use super::act::{Act, Deed};
use super::interner::usize_of;
use super::late::{Item, Print};
use super::shard::Shard;
use super::sheet::{Sheet, Stretch, belongs};
use crate::ledger::apportion;

/// Fewer acts are not worth a second thread.
const WORTH_THREADS: usize = 4_096;
/// How many facts are folded together at most. The more they are, the more of them are the same wallet's, which is looked
/// for once; and what is remembered of them meanwhile takes two hundred bytes for each.
const STRETCH: usize = 1 << 20;
/// As many are tried after something that had to wait for everything before it: it may not be the last such.
const TENTATIVE: usize = 1 << 15;

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

/// Room for facts that are folded together, from one time to the next, for either half of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Room([Sheet; 2]);

/// A fact as it is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked<'a> {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) event: &'a ChainEvent,
}

/// What cannot be done before everything that came before it.
pub(super) enum Stop<'a> {
    /// A result whose payments are not whole: who gets how much depends on everybody.
    Divide { condition: ConditionId, seq: u64, at: Timestamp, payouts: Arc<Payouts> },
    /// A conversion among questions that are not all known: from here on prices are remembered.
    Wait { siblings: u32, fact: Looked<'a>, wallet: Wallet },
}

impl Looked<'_> {
    pub(super) fn item(&self) -> Item {
        Item { seq: self.seq, at: self.at, event: self.event.clone() }
    }
}

impl History {
    /// Folds news in their order. Most are fills of known tokens, which are taken down side by side; everything else is
    /// understood one by one.
    pub(super) fn fold_news(&mut self, facts: &[Fact], mut first: u64) {
        let mut rest = facts;
        let mut room = std::mem::take(&mut self.room);
        let mut reach = STRETCH;
        while !rest.is_empty() {
            let (stretch, _) = rest.split_at(rest.len().min(reach));
            let done = self.fold_stretch(stretch, first, &mut room);
            reach = if done < stretch.len() { TENTATIVE } else { STRETCH.min(2 * reach) };
            rest = &rest[done..];
            first += done as u64;
        }
        self.room = room;
    }

    /// Folds news up to the first that must wait for everything before it. How many that were.
    fn fold_stretch(&mut self, facts: &[Fact], first: u64, room: &mut Room) -> usize {
        let Some(since) = facts.first().map(|fact| fact.place.block_time) else { return 0 };
        let (catalogue, shards) = (&self.catalogue, self.shards.len());
        let is_large = WORTH_THREADS <= facts.len();
        let (before, after) = facts.split_at(if is_large { facts.len() / 2 } else { facts.len() });
        let middle = u32::try_from(before.len()).unwrap_or(u32::MAX);
        let [front, back] = &mut room.0;
        let (fore, aft) = both(
            is_large,
            || front.take(catalogue, shards, before, (0, since)),
            || back.take(catalogue, shards, after, (middle, since)),
        );
        // What comes behind a break is for the next time.
        let joins =
            |(last, next): (&Fact, &Fact)| belongs(since, last.place.block_time, next.place.block_time);
        let goes_on = fore == before.len() && before.last().zip(after.first()).is_none_or(joins);
        let mut done = if goes_on { fore + aft } else { fore };
        let mut acts: Vec<Act> = Vec::new();
        let mut stop = None;
        for place in front.others.iter().chain(&back.others).map(|place| usize_of(*place)) {
            if done <= place {
                break;
            }
            let fact = &facts[place];
            let looked = Looked { seq: first + place as u64, at: fact.place.block_time, event: &fact.event };
            stop = self.understand(looked, &Mode::New, &mut acts);
            if stop.is_some() {
                done = place + 1;
            }
        }
        let end = u32::try_from(done).unwrap_or(u32::MAX);
        let sort = |sheet: &mut Sheet| {
            sheet.cut(end);
            sheet.sort_ticks(&acts, first);
        };
        both(is_large, || sort(front), || sort(back));
        let until = facts[done - 1].place.block_time;
        let is_in_time = self.now <= since;
        self.now = self.now.max(until);
        let stretch = Stretch { first, is_in_time, until, sheets: [front, back], acts: &acts };
        self.each_shard(is_large, |shard| shard.fold(&stretch));
        self.stop(stop, &Mode::New);
        done
    }

    /// Folds facts in their order that were news before.
    pub(super) fn fold<'a>(&mut self, facts: impl Iterator<Item = Looked<'a>>, mode: &Mode) {
        let mut acts: Vec<Act> = Vec::new();
        for fact in facts {
            let stop = self.understand(fact, mode, &mut acts);
            if stop.is_some() || acts.len() >= STRETCH {
                self.follow(&acts);
                acts.clear();
            }
            self.stop(stop, mode);
        }
        self.follow(&acts);
    }

    /// Does one act after the other.
    pub(super) fn follow(&mut self, acts: &[Act]) {
        self.each_shard(WORTH_THREADS <= acts.len(), |shard| shard.follow(acts));
    }

    /// Does something to every shard, side by side where it is worth it.
    fn each_shard(&mut self, is_large: bool, deed: impl Fn(&mut Shard) + Sync) {
        if !is_large {
            self.shards.iter_mut().for_each(deed);
            return;
        }
        // One of the shards is folded here, so that no core waits for another.
        let Some((here, others)) = self.shards.split_first_mut() else { return };
        let deed = &deed;
        std::thread::scope(|scope| {
            for shard in others {
                scope.spawn(move || deed(shard));
            }
            deed(here);
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
        self.follow(&acts);
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

/// Does one thing here and another one beside it, where that is worth it.
fn both<A, B: Send>(is_large: bool, here: impl FnOnce() -> A, beside: impl FnOnce() -> B + Send) -> (A, B) {
    if !is_large {
        return (here(), beside());
    }
    std::thread::scope(|scope| {
        let beside = scope.spawn(beside);
        let here = here();
        match beside.join() {
            Ok(beside) => (here, beside),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
