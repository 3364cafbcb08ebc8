//! What a description makes understandable: everything that waited for it is folded now as if it came just now,
//! with the times and prices of then.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use alloy_primitives::U256;
use domain::{ChainEvent, Market, Payouts, Timestamp, TokenId, Wallet};

use super::History;
use super::act::{Act, Deed, Own};
use super::catalogue::Description;
use super::fold::{Looked, Mode};
use super::interner::Spread as _;
use super::late::{Ended, Item, Print, price_before};

impl History {
    /// Learns which tokens a condition has, and by what it is grouped. May come after the trades, and after the
    /// result: it makes no difference when.
    pub fn learn(&mut self, market: &Market) {
        match self.catalogue.describe(market) {
            Description::Known => {}
            Description::New(questions) => {
                self.tell_shards(market, questions.clone());
                self.join(market, questions.clone());
                self.release(questions);
            }
            Description::Regrouped(questions) => {
                self.tell_shards(market, questions.clone());
                for question in questions.clone() {
                    self.shards.iter_mut().for_each(|shard| shard.change_holders(question));
                }
                // What decisions counted for has changed with it.
                self.beliefs.doubt(Timestamp::from_micros(i64::MIN));
                self.release(questions);
            }
        }
    }

    fn tell_shards(&mut self, market: &Market, questions: Range<u32>) {
        let siblings = self.catalogue.question(questions.start).siblings;
        self.shards.iter_mut().for_each(|shard| shard.describe(questions.clone(), market, siblings));
    }

    /// Folds what waited for a condition.
    fn join(&mut self, market: &Market, questions: Range<u32>) {
        let mut items = self.late.take(market.condition, &market.tokens);
        if let Some(Ended { seq, at, payouts }) = self.result_of(market, questions.clone()) {
            let event = ChainEvent::Resolution { condition: market.condition, payouts };
            items.push(Item { seq, at, event });
            items.sort_by_key(|item| item.seq);
        }
        self.forget_bare(&items);
        if let Some(first) = items.first() {
            self.beliefs.doubt(first.at);
        }
        let prints = self.prints_of(&items);
        let looked = items.iter().map(|Item { seq, at, event }| Looked { seq: *seq, at: *at, event });
        self.fold(looked, &Mode::Described);
        self.mature_late(&prints);
        for question in questions {
            self.shards.iter_mut().for_each(|shard| shard.mature_watch(question, self.now));
        }
    }

    /// The first result that the facts give a condition, its own or one that follows from its siblings'.
    fn result_of(&self, market: &Market, questions: Range<u32>) -> Option<Ended> {
        let own = self.late.results.get(&market.condition).cloned();
        let siblings = self.catalogue.question(questions.start).siblings;
        let rest_is_no = siblings.and_then(|number| self.catalogue.siblings(number).rest_is_no);
        let derived = rest_is_no.and_then(|(seq, at)| {
            let payouts = Payouts::winner(1, market.tokens.len())?;
            Some(Ended { seq, at, payouts })
        });
        own.into_iter().chain(derived).min_by_key(|ended| ended.seq)
    }

    /// What was booked of undescribed tokens by themselves comes again, and must not be there twice.
    fn forget_bare(&mut self, items: &[Item]) {
        let held: BTreeSet<(Wallet, TokenId)> = items
            .iter()
            .filter_map(|item| match &item.event {
                ChainEvent::Fill(fill) => Some((fill.wallet, fill.token)),
                ChainEvent::Fee { receiver, token: Some(token), .. } => Some((*receiver, *token)),
                _ => None,
            })
            .collect();
        let acts: Vec<Act> = held
            .into_iter()
            .map(|(wallet, token)| {
                let deed = Deed::Own { wallet, spread: wallet.spread(), own: Own::Described(token) };
                Act { seq: 0, at: self.now, is_new: false, deed }
            })
            .collect();
        self.follow(&acts);
    }

    /// The prices among facts that waited.
    fn prints_of(&self, items: &[Item]) -> Vec<Print> {
        let print = |item: &Item| {
            let ChainEvent::Fill(fill) = &item.event else { return None };
            let seat = self.catalogue.seat(fill.token)?;
            let ppm = seat.price_of(fill)?;
            Some(Print { seq: item.seq, at: item.at, question: seat.question, ppm })
        };
        items.iter().filter_map(print).collect()
    }

    /// Folds what waited for all questions of a conversion, if this was the last one.
    fn release(&mut self, questions: Range<u32>) {
        let Some(number) = self.catalogue.question(questions.start).siblings else { return };
        let siblings = self.catalogue.siblings(number);
        let named = siblings.waiting.iter().fold(U256::ZERO, |named, item| match item.event {
            ChainEvent::Conversion { index_set, .. } => named | index_set,
            _ => named,
        });
        if siblings.waiters.is_empty() || siblings.all(named).is_none() {
            return;
        }
        let siblings = self.catalogue.siblings_mut(number);
        let mut waiting = std::mem::take(&mut siblings.waiting);
        let waiters: BTreeSet<Wallet> = std::mem::take(&mut siblings.waiters).into_keys().collect();
        let mut prints = std::mem::take(&mut siblings.prints);
        waiting.sort_by_key(|item| item.seq);
        prints.sort_by_key(|print| print.seq);
        let looked = waiting.iter().map(|Item { seq, at, event }| Looked { seq: *seq, at: *at, event });
        if let Some(first) = waiting.first() {
            self.beliefs.doubt(first.at);
        }
        self.fold(looked, &Mode::Released(Arc::new(waiters)));
        self.mature_late(&prints);
    }

    /// Looks at the prices of entries that were made late and are due since.
    fn mature_late(&mut self, prints: &[Print]) {
        let price = |question: u32, due: Timestamp| price_before(prints, question, due);
        for shard in &mut self.shards {
            shard.mature_late(self.now, price);
        }
    }
}
