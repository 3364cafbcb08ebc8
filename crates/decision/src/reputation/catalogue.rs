//! What the tokens mean: which question each belongs to, and which questions exclude each other.

mod groups;

use std::collections::BTreeMap;
use std::ops::Range;

use alloy_primitives::{B256, U256};
use domain::{ConditionId, Fill, Market, NegRiskPlace, Price, Shares, Timestamp, TokenId, Wallet};

use crate::calibration::Category;
use domain::price::ratio_ppm;

use super::interner::{Index, Spread as _, next_number, usize_of};
use super::late::{Item, Print};

/// Everything described so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalogue {
    tokens: Index,
    /// By the token's number.
    seats: Vec<(TokenId, Seat)>,
    questions: Vec<Question>,
    conditions: BTreeMap<ConditionId, Range<u32>>,
    siblings: Vec<Siblings>,
    /// How often somebody began to wait among siblings: while it is zero, nobody has to be asked.
    pub(super) waited: u64,
    by_market: BTreeMap<B256, u32>,
    events: BTreeMap<String, u32>,
}

/// Which outcome of which question a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) question: u32,
    pub(super) outcome: u8,
}

/// Something one can be for or against: a condition of two outcomes, or one outcome of a condition of more.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) condition: ConditionId,
    /// The tokens for it and against it; against a lone outcome there is none.
    pub(super) tokens: [Option<TokenId>; 2],
    /// The place of the first token among the condition's outcomes.
    pub(super) first: usize,
    /// The event's number.
    pub(super) event: u32,
    pub(super) category: Category,
    /// When it is expected to end.
    pub(super) end: Option<Timestamp>,
    /// The number of those among which it stands.
    pub(super) siblings: Option<u32>,
    /// Whether its result is known.
    pub(super) is_over: bool,
}

/// Questions of which at most one is answered with yes.
#[derive(Clone, Debug, Default)]
pub(super) struct Siblings {
    pub(super) questions: BTreeMap<u8, u32>,
    /// How many there are, where somebody has said.
    count: Option<u8>,
    /// Since when those without a result of their own count as answered with no.
    pub(super) rest_is_no: Option<(u64, Timestamp)>,
    /// Whose conversions wait until all questions are known, and everything else of theirs since.
    pub(super) waiters: BTreeMap<Wallet, u64>,
    pub(super) waiting: Vec<Item>,
    /// The prices since the first of them began to wait.
    pub(super) prints: Vec<Print>,
}

/// What a description brought.
pub(super) enum Description {
    /// A condition nobody had described.
    New(Range<u32>),
    /// One that was known, and is grouped or placed in time in another way now.
    Regrouped(Range<u32>),
    /// Nothing new.
    Known,
}

impl Catalogue {
    /// Takes in a description. What the tokens are never changes; by what the market is grouped may.
    pub(super) fn describe(&mut self, market: &Market) -> Description {
        let event = self.event(&market.event);
        let place = market.place.filter(|_| market.tokens.len() == 2);
        let siblings = place.map(|place| self.siblings_of(place.market));
        let known = self.conditions.get(&market.condition).cloned();
        let is_new = known.is_none();
        let range = known.unwrap_or_else(|| self.add(market, event));
        let mut is_changed = false;
        for number in range.clone() {
            let question = &mut self.questions[usize_of(number)];
            let category = Category::of(market.category.as_deref());
            is_changed |= question.event != event || (siblings.is_some() && question.siblings != siblings);
            is_changed |= question.category != category || question.end != market.end;
            (question.category, question.end) = (category, market.end);
            question.event = event;
            question.siblings = siblings.or(question.siblings);
            if let (Some(place), Some(siblings)) = (place, siblings) {
                is_changed |= self.siblings[usize_of(siblings)].add(&place, number);
            }
        }
        match (is_new, is_changed) {
            (true, _) => Description::New(range),
            (false, true) => Description::Regrouped(range),
            (false, false) => Description::Known,
        }
    }

    pub(super) fn seat(&self, token: TokenId) -> Option<Seat> {
        self.seat_of(token, token.spread())
    }

    /// The seat of a token whose spread is known.
    pub(super) fn seat_of(&self, token: TokenId, spread: u64) -> Option<Seat> {
        let number = self.tokens.find(spread, |number| self.seats[usize_of(number)].0 == token)?;
        Some(self.seats[usize_of(number)].1)
    }

    /// Reads the slots of tokens of these spreads, and then what is behind them.
    pub(super) fn touch(&self, spreads: &[u64]) -> u64 {
        let read = spreads.iter().fold(0, |read, spread| read ^ self.tokens.peek(*spread));
        let likely = |spread: &u64| self.tokens.find(*spread, |_| true);
        let seats = spreads.iter().filter_map(likely).map(|number| &self.seats[usize_of(number)]);
        seats.fold(read, |read, (token, seat)| read ^ token.0.as_limbs()[0] ^ u64::from(seat.question))
    }

    pub(super) fn questions(&self, condition: ConditionId) -> Option<Range<u32>> {
        self.conditions.get(&condition).cloned()
    }

    /// Whether somebody waits for a question's siblings to be known.
    pub(super) fn is_awaited(&self, question: u32) -> bool {
        self.waited > 0
            && self
                .question(question)
                .siblings
                .is_some_and(|number| !self.siblings(number).waiters.is_empty())
    }

    /// A question whose number came from here.
    pub(super) fn question(&self, number: u32) -> &Question {
        &self.questions[usize_of(number)]
    }

    pub(super) fn question_mut(&mut self, number: u32) -> &mut Question {
        &mut self.questions[usize_of(number)]
    }

    pub(super) fn siblings(&self, number: u32) -> &Siblings {
        &self.siblings[usize_of(number)]
    }

    pub(super) fn siblings_mut(&mut self, number: u32) -> &mut Siblings {
        &mut self.siblings[usize_of(number)]
    }

    /// The number of the questions that share a neg-risk market, whether any of them has been described or not.
    pub(super) fn siblings_of(&mut self, market: B256) -> u32 {
        let next = next_number(&self.siblings);
        let number = *self.by_market.entry(market).or_insert(next);
        if number == next {
            self.siblings.push(Siblings::default());
        }
        number
    }

    fn add(&mut self, market: &Market, event: u32) -> Range<u32> {
        let start = next_number(&self.questions);
        let width = if market.tokens.len() == 2 { 2 } else { 1 };
        for (index, tokens) in market.tokens.chunks(width).enumerate() {
            let number = next_number(&self.questions);
            for (outcome, token) in (0u8..).zip(tokens) {
                // A token that two descriptions claim stays with the first: the chain knows no such token.
                if self.seat(*token).is_none() {
                    self.tokens.insert(token.spread(), next_number(&self.seats));
                    self.seats.push((*token, Seat { question: number, outcome }));
                }
            }
            self.questions.push(Question {
                condition: market.condition,
                tokens: [tokens.first().copied(), tokens.get(1).copied()],
                first: index * width,
                event,
                category: Category::of(market.category.as_deref()),
                end: market.end,
                siblings: None,
                is_over: false,
            });
        }
        let end = next_number(&self.questions);
        self.conditions.insert(market.condition, start..end);
        start..end
    }

    fn event(&mut self, name: &str) -> u32 {
        if let Some(known) = self.events.get(name) {
            return *known;
        }
        let number = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        self.events.insert(name.to_owned(), number);
        number
    }
}

impl Seat {
    /// The price of the question's first token in millionths, where a fill of this one tells it.
    pub(super) fn price_of(self, fill: &Fill) -> Option<u32> {
        if fill.shares < Shares::DUST {
            return None;
        }
        let price = u32::try_from(ratio_ppm(fill.usd, fill.shares)?).ok().and_then(Price::from_ppm)?;
        Some(if self.outcome == 0 { price } else { price.complement() }.ppm())
    }
}

impl Siblings {
    /// Remembers a price, for entries that are made while something waits.
    pub(super) fn see(&mut self, print: Print) {
        if !self.waiters.is_empty() {
            self.prints.push(print);
        }
    }

    /// Takes in a question; whether anything was new.
    fn add(&mut self, place: &NegRiskPlace, question: u32) -> bool {
        let grows = self.count < place.questions;
        self.count = self.count.max(place.questions);
        let is_new = !self.questions.contains_key(&place.question);
        self.questions.entry(place.question).or_insert(question);
        grows || is_new
    }

    /// All of the questions, those in `set` first, if every one of them is known.
    ///
    /// Where nobody has said how many there are, the ones up to the last one described are taken for all.
    pub(super) fn all(&self, set: U256) -> Option<(Vec<u32>, Vec<u32>)> {
        let named = set.bit_len();
        let described = self.questions.last_key_value().map_or(0, |(last, _)| usize::from(*last) + 1);
        let count = self.count.map_or(described, usize::from).max(described).max(named);
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for number in 0..count {
            let question = *self.questions.get(&u8::try_from(number).ok()?)?;
            if set.bit(number) { &mut inside } else { &mut outside }.push(question);
        }
        (!inside.is_empty()).then_some((inside, outside))
    }

    /// Whether something of the wallet's waits since before a fact.
    pub(super) fn holds(&self, wallet: Wallet, seq: u64) -> bool {
        self.waiters.get(&wallet).is_some_and(|since| *since <= seq)
    }
}
