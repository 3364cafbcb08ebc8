//! A question's bytes: its price, its result, and what decisions in it paid, of all wallets together.

use std::sync::Arc;

use domain::{Payouts, Timestamp};

use super::{Damaged, Reader, Saved, Writer, digest};
use crate::calibration::PaidPrices;
use crate::clv::{Left, merged};
use crate::reputation::History;
use crate::reputation::board::{Board, Outcome};
use crate::reputation::interner::usize_of;
use crate::reputation::late::Ended;

/// What a question's bytes say.
struct QuestionState {
    price: u32,
    prints: u64,
    result: Option<(u64, Timestamp, Payouts)>,
    /// Whether the condition's result is the one that is remembered of it.
    is_remembered: bool,
    left: Vec<Left>,
    prices: [PaidPrices; 2],
}

impl History {
    /// The questions whose bytes are not those that were saved or loaded last, with their numbers. Of those of which
    /// nothing has been seen there are none.
    pub fn changed_questions(&mut self) -> impl Iterator<Item = (u32, Vec<u8>)> {
        self.marks.resize(usize_of(self.catalogue.count()), 0);
        (0..self.catalogue.count()).filter_map(move |number| {
            let head = self.question_head(number)?;
            let mark = self.mark_of(number, &head);
            let is_new = std::mem::replace(&mut self.marks[usize_of(number)], mark) != mark;
            is_new.then(|| (number, self.question_bytes(number, head)))
        })
    }

    /// Takes in a question's bytes. The markets must have been described, in the order in which they had been when
    /// the bytes were saved, and nothing else must have happened.
    ///
    /// # Errors
    /// The bytes are damaged, there is no such question, or facts have been folded.
    pub fn load_question(&mut self, number: u32, bytes: &[u8]) -> Result<(), Damaged> {
        if self.catalogue.count() <= number {
            return Err(Damaged::Question(number));
        }
        let has_result = self.board(number).is_some_and(|board| board.result.is_some());
        if self.seq > 0 || self.price_of(number) > 0 || has_result {
            return Err(Damaged::Late);
        }
        let state = QuestionState::read(bytes)?;
        let question = self.catalogue.question_mut(number);
        question.is_over = state.result.is_some();
        let (condition, first) = (question.condition, question.first);
        let result = state.result.map(|(seq, at, payouts)| {
            self.beliefs.note_result(number, at);
            if state.is_remembered {
                let ended = || Ended { seq, at, payouts: payouts.clone() };
                self.late.results.entry(condition).or_insert_with(ended);
            }
            Arc::new(Outcome { seq, at, payouts: Arc::new(payouts), first })
        });
        for shard in &mut self.shards {
            if let Some(result) = &result {
                shard.end(number, Arc::clone(result));
            }
            shard.restore_price(number, state.price, state.prints);
        }
        if let Some(shard) = self.shards.first_mut() {
            shard.remember(number, state.left);
            shard.boards[usize_of(number)].prices = state.prices;
        }
        self.marks.resize(usize_of(self.catalogue.count()), 0);
        if let Some(head) = self.question_head(number) {
            self.marks[usize_of(number)] = self.mark_of(number, &head);
        }
        Ok(())
    }

    fn board(&self, number: u32) -> Option<&Board> {
        self.shards.first().map(|shard| shard.board(number))
    }

    /// The last price of a question's first token in millionths; zero before the first.
    fn price_of(&self, number: u32) -> u32 {
        self.shards.first().and_then(|shard| shard.price(number)).unwrap_or(0)
    }

    /// Everything but what decisions paid; `None` where nothing has been seen.
    fn question_head(&self, number: u32) -> Option<Writer> {
        let board = self.board(number)?;
        let left = self.shards.iter().flat_map(|shard| shard.board(number).watch.left()).collect();
        let left = merged(left);
        let price = self.price_of(number);
        if price == 0
            && board.result.is_none()
            && left.is_empty()
            && self.paid(number).all(|(_, prices)| prices.is_empty())
        {
            return None;
        }
        let mut to = Writer::new();
        to.whole(price);
        to.whole(self.shards.first().map_or(0, |shard| shard.prints(number)));
        to.flag(board.result.is_some());
        if let Some(result) = &board.result {
            to.whole(result.seq);
            to.moment(result.at);
            result.payouts.save(&mut to);
            to.flag(self.remembers(number, result));
        }
        to.length(left.len());
        left.iter().for_each(|left| left.save(&mut to));
        Some(to)
    }

    /// Whether a question's result is the one that is remembered of its condition.
    pub(super) fn remembers(&self, number: u32, result: &Outcome) -> bool {
        let remembered = self.late.results.get(&self.catalogue.question(number).condition);
        remembered.is_some_and(|ended| {
            (ended.seq, ended.at, &ended.payouts) == (result.seq, result.at, &*result.payouts)
        })
    }

    fn paid(&self, number: u32) -> impl Iterator<Item = (u64, &PaidPrices)> {
        let boards = self.shards.iter().map(move |shard| shard.board(number));
        boards.flat_map(|board| (0..).zip(&board.prices))
    }

    fn mark_of(&self, number: u32, head: &Writer) -> u64 {
        let turned = |(side, prices): (u64, &PaidPrices)| prices.mark().wrapping_mul(2 * side + 1);
        let paid = self.paid(number).map(turned).fold(0, u64::wrapping_add);
        digest(head.bytes()).rotate_left(17) ^ digest(&paid.to_le_bytes())
    }

    fn question_bytes(&self, number: u32, mut to: Writer) -> Vec<u8> {
        for side in [0, 1] {
            let mut prices = PaidPrices::default();
            self.shards.iter().for_each(|shard| prices.add_all(&shard.board(number).prices[side]));
            to.length(prices.parts().len());
            for (slot, decisions, sum) in prices.parts() {
                to.byte(slot);
                to.whole(decisions);
                to.signed(sum);
            }
        }
        to.into_bytes()
    }
}

impl QuestionState {
    fn read(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut from = Reader::new(bytes)?;
        let from = &mut from;
        let (price, prints) = (from.whole()?, from.whole()?);
        let result =
            if from.flag()? { Some((from.whole()?, from.moment()?, Payouts::load(from)?)) } else { None };
        let is_remembered = result.is_some() && from.flag()?;
        let left = from.list(Left::load)?;
        if !left.is_sorted_by(|one, next| one.at < next.at) {
            return Err(Damaged::Order);
        }
        let mut paid = || {
            let parts = from.list(|from| Ok((from.byte()?, from.whole()?, from.signed()?)))?;
            PaidPrices::from_parts(&parts).ok_or(Damaged::Order)
        };
        let prices = [paid()?, paid()?];
        from.end()?;
        Ok(Self { price, prints, result, is_remembered, left, prices })
    }
}
