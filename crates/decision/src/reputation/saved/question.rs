//! A question's bytes: its price, its result, and what decisions in it paid, of all wallets together.

use std::sync::Arc;

use domain::{Payouts, Side, Timestamp};

use super::{Damaged, Reader, Saved, Writer, digest};
use crate::clv::{Left, merged};
use crate::reputation::History;
use crate::reputation::board::{Board, Outcome, Paid};
use crate::reputation::interner::usize_of;
use crate::reputation::late::Ended;

/// How the last price that siblings look at is written: there is none, it is the question's, it is another one.
const NO_PRICE: u8 = 0;
const SAME_PRICE: u8 = 1;
const OTHER_PRICE: u8 = 2;

/// What a question's bytes say.
struct QuestionState {
    price: u32,
    prints: u64,
    sibling_price: Option<u32>,
    result: Option<(u64, Timestamp, Payouts)>,
    /// Whether the condition's result is the one that is remembered of it.
    is_remembered: bool,
    left: Vec<Left>,
    prices: Vec<Paid>,
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
        if self.seq > 0 || self.board(number).is_some_and(|board| board.price > 0 || board.result.is_some()) {
            return Err(Damaged::Late);
        }
        let state = QuestionState::read(bytes)?;
        let question = self.catalogue.question_mut(number);
        (question.price, question.is_over) = (state.sibling_price, state.result.is_some());
        let (condition, first) = (question.condition, question.first);
        let result = state.result.map(|(seq, at, payouts)| {
            self.beliefs.note_result(number, at);
            if state.is_remembered {
                let ended = || Ended { seq, at, payouts: payouts.clone() };
                self.late.results.entry(condition).or_insert_with(ended);
            }
            Arc::new(Outcome { seq, at, payouts: Arc::new(payouts), first })
        });
        for board in self.shards.iter_mut().map(|shard| &mut shard.boards[usize_of(number)]) {
            board.price = state.price;
            board.result.clone_from(&result);
            board.watch.restore(f64::from(state.price) / 1e6, state.prints);
        }
        if let Some(board) = self.shards.first_mut().map(|shard| &mut shard.boards[usize_of(number)]) {
            board.watch.remember(state.left);
            board.prices = state.prices;
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

    /// Everything but what decisions paid; `None` where nothing has been seen.
    fn question_head(&self, number: u32) -> Option<Writer> {
        let board = self.board(number)?;
        let question = self.catalogue.question(number);
        let left = self.shards.iter().flat_map(|shard| shard.board(number).watch.left()).collect();
        let left = merged(left);
        if board.price == 0 && board.result.is_none() && left.is_empty() && self.paid(number) == 0 {
            return None;
        }
        let mut to = Writer::new();
        to.whole(board.price);
        to.whole(board.watch.prints());
        match question.price {
            None => to.byte(NO_PRICE),
            Some(price) if price == board.price => to.byte(SAME_PRICE),
            Some(price) => {
                to.byte(OTHER_PRICE);
                to.whole(price);
            }
        }
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

    fn paid(&self, number: u32) -> usize {
        self.shards.iter().map(|shard| shard.board(number).prices.len()).sum()
    }

    /// What decisions paid is only ever added to, so that their number tells whether they are the same.
    fn mark_of(&self, number: u32, head: &Writer) -> u64 {
        digest(head.bytes()).rotate_left(17) ^ digest(&self.paid(number).to_le_bytes())
    }

    fn question_bytes(&self, number: u32, mut to: Writer) -> Vec<u8> {
        let mut prices: Vec<Paid> =
            self.shards.iter().flat_map(|shard| shard.board(number).prices.iter().copied()).collect();
        prices.sort_unstable_by_key(|paid| (paid.opened, paid.ppm, paid.direction));
        to.length(prices.len());
        let mut before = Timestamp::from_micros(0);
        for paid in prices {
            to.since(before, paid.opened);
            before = paid.opened;
            to.whole(u64::from(paid.ppm) << 1 | u64::from(paid.direction == Side::Sell));
        }
        to.into_bytes()
    }
}

impl QuestionState {
    fn read(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut from = Reader::new(bytes)?;
        let from = &mut from;
        let (price, prints) = (from.whole()?, from.whole()?);
        let sibling_price = match from.byte()? {
            NO_PRICE => None,
            SAME_PRICE => Some(price),
            OTHER_PRICE => Some(from.whole()?),
            other => return Err(Damaged::Mark(other)),
        };
        let result =
            if from.flag()? { Some((from.whole()?, from.moment()?, Payouts::load(from)?)) } else { None };
        let is_remembered = result.is_some() && from.flag()?;
        let left = from.list(Left::load)?;
        if !left.is_sorted_by(|one, next| one.at < next.at) {
            return Err(Damaged::Order);
        }
        let mut before = Timestamp::from_micros(0);
        let prices = from.list(|from| {
            let opened = from.since(before)?;
            before = opened;
            let price: u64 = from.whole()?;
            let ppm = u32::try_from(price >> 1).map_err(|_| Damaged::Number)?;
            Ok(Paid { opened, direction: if price & 1 == 1 { Side::Sell } else { Side::Buy }, ppm })
        })?;
        from.end()?;
        Ok(Self { price, prints, sibling_price, result, is_remembered, left, prices })
    }
}
