//! The world's bytes: where the fold stands, what waits for a description, and what is believed of wallets at large.

use alloy_primitives::B256;
use domain::{ConditionId, Payouts, Timestamp, TokenId, Wallet};

use super::{Damaged, Reader, Saved, Writer};
use crate::reputation::History;
use crate::reputation::beliefs::Believed;
use crate::reputation::catalogue::Siblings;
use crate::reputation::late::{Ended, Item, Print};

/// What siblings' bytes say.
struct Waits {
    market: B256,
    rest_is_no: Option<(u64, Timestamp)>,
    waiters: Vec<(Wallet, u64)>,
    waiting: Vec<Item>,
    prints: Vec<Print>,
}

impl History {
    /// The bytes of what is everybody's: a few hundred, and some 130 for each fact that waits for a description.
    #[must_use]
    pub fn save_world(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.whole(self.seq);
        to.moment(self.now);
        to.flag(self.scored_day.is_some());
        if let Some(day) = self.scored_day {
            to.signed(day);
        }
        self.beliefs.save(&mut to);
        to.length(self.late.tokens.len());
        for (token, items) in &self.late.tokens {
            token.save(&mut to);
            save_list(items, &mut to);
        }
        to.length(self.late.conditions.len());
        for (condition, items) in &self.late.conditions {
            condition.save(&mut to);
            save_list(items, &mut to);
        }
        let own = || self.late.results.iter().filter(|(condition, _)| !self.is_with_question(**condition));
        to.length(own().count());
        for (condition, ended) in own() {
            condition.save(&mut to);
            to.whole(ended.seq);
            to.moment(ended.at);
            ended.payouts.save(&mut to);
        }
        let has_news = |siblings: &Siblings| siblings.rest_is_no.is_some() || !siblings.waiters.is_empty();
        let groups = || self.catalogue.groups().filter(|(_, siblings)| has_news(siblings));
        to.length(groups().count());
        groups().for_each(|(market, siblings)| siblings.save(market, &mut to));
        to.into_bytes()
    }

    /// Takes in the world's bytes, after the markets have been described and all questions have been loaded, and
    /// learns from those again what prices were worth.
    ///
    /// # Errors
    /// The bytes are damaged, or facts have been folded.
    pub fn load_world(&mut self, bytes: &[u8]) -> Result<(), Damaged> {
        if self.seq > 0 {
            return Err(Damaged::Late);
        }
        let mut from = Reader::new(bytes)?;
        let from = &mut from;
        let (seq, now) = (from.whole()?, from.moment()?);
        let scored_day = if from.flag()? { Some(from.signed()?) } else { None };
        let believed = Believed::load(from)?;
        let tokens = from.list(|from| Ok((TokenId::load(from)?, from.list(Item::load)?)))?;
        let conditions = from.list(|from| Ok((ConditionId::load(from)?, from.list(Item::load)?)))?;
        let results = from.list(|from| {
            let condition = ConditionId::load(from)?;
            let (seq, at) = (from.whole()?, from.moment()?);
            Ok((condition, Ended { seq, at, payouts: Payouts::load(from)? }))
        })?;
        let waits = from.list(Waits::load)?;
        from.end()?;
        let known = self.catalogue.count();
        let prints = waits.iter().flat_map(|waits| &waits.prints);
        if let Some(print) = prints.into_iter().find(|print| known <= print.question) {
            return Err(Damaged::Question(print.question));
        }
        (self.seq, self.now, self.scored_day) = (seq, now, scored_day);
        self.late.tokens.extend(tokens);
        self.late.conditions.extend(conditions);
        self.late.results.extend(results);
        for Waits { market, rest_is_no, waiters, waiting, prints } in waits {
            let number = self.catalogue.siblings_of(market);
            self.catalogue.waited += waiters.len() as u64;
            let siblings = self.catalogue.siblings_mut(number);
            siblings.rest_is_no = rest_is_no;
            siblings.waiters = waiters.into_iter().collect();
            (siblings.waiting, siblings.prints) = (waiting, prints);
        }
        self.believe_again(believed);
        Ok(())
    }

    /// Whether a condition's result is among the bytes of its questions.
    fn is_with_question(&self, condition: ConditionId) -> bool {
        let questions = self.catalogue.questions(condition);
        let first = questions.zip(self.shards.first()).and_then(|(questions, shard)| {
            let result = shard.board(questions.start).result.as_ref()?;
            Some((questions.start, result))
        });
        first.is_some_and(|(number, result)| self.remembers(number, result))
    }
}

impl Siblings {
    fn save(&self, market: B256, to: &mut Writer) {
        market.save(to);
        to.flag(self.rest_is_no.is_some());
        if let Some((seq, at)) = self.rest_is_no {
            to.whole(seq);
            to.moment(at);
        }
        to.length(self.waiters.len());
        for (wallet, since) in &self.waiters {
            wallet.save(to);
            to.whole(*since);
        }
        save_list(&self.waiting, to);
        save_list(&self.prints, to);
    }
}

impl Waits {
    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self {
            market: B256::load(from)?,
            rest_is_no: if from.flag()? { Some((from.whole()?, from.moment()?)) } else { None },
            waiters: from.list(|from| Ok((Wallet::load(from)?, from.whole()?)))?,
            waiting: from.list(Item::load)?,
            prints: from.list(Print::load)?,
        })
    }
}

fn save_list<T: Saved>(list: &[T], to: &mut Writer) {
    to.length(list.len());
    list.iter().for_each(|item| item.save(to));
}
