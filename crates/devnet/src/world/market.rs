//! One simulated market: its ids, its hidden truth, what people believe, and who holds what.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, address};
use domain::{ConditionId, Exchange, Price, Timestamp, TokenId, Usd};
use polygon::contracts::{NEG_RISK_ADAPTER, USDC_E, WRAPPED_COLLATERAL};
use polygon::tokens::{condition_id, ctf_token, protocol_v2_token};

use super::catalogue::{Category, Event, Question, slug};
use super::dice::{Dice, whole};

/// The oracle of binary conditions: the venue's UMA adapter.
const ORACLE: Address = address!("65070BE91477460D8A7AeEb94ef92fe056C2f2A7");

/// How many steps the belief takes in a market's life.
const STEPS: usize = 48;

/// The variance of the belief's log-odds over a whole life. At the end a market of even odds stands
/// typically between 20 and 80 cents: the answer still comes as news.
const VARIANCE: f64 = 1.3;

/// A two-outcome market. Prices are of the first outcome, in cents, where nothing else is said.
#[derive(Clone, Debug)]
pub struct SimMarket {
    /// Its place in the world's list, and Gamma's id for it.
    pub id: usize,
    /// Where it trades: V2, its neg-risk sibling, or V3.
    pub exchange: Exchange,
    /// The condition.
    pub condition: ConditionId,
    /// What the oracle is asked.
    pub question_id: B256,
    /// The outcomes' tokens.
    pub tokens: [TokenId; 2],
    /// What people read.
    pub title: String,
    /// The name in web addresses.
    pub slug: String,
    /// The event's number.
    pub event_id: usize,
    /// The event's name in web addresses.
    pub event_slug: String,
    /// What people read about the event.
    pub event_title: String,
    /// The category's slug.
    pub category: &'static str,
    /// The outcomes' names.
    pub outcomes: [&'static str; 2],
    /// The taker fee's rate.
    pub fee_rate_ppm: u32,
    /// When it opens.
    pub opens: Timestamp,
    /// When it is answered.
    pub closes: Timestamp,
    /// The outcome that wins. Nobody is told before `closed`.
    pub winner: usize,
    /// Whether it has been answered.
    pub closed: bool,
    /// The last price of the first outcome.
    pub last_price: Option<Price>,
    /// Dollars traded, by the takers' count.
    pub volume: Usd,
    pub(crate) makers: Vec<usize>,
    /// Shares in millionths of either outcome, by person.
    pub(crate) holders: BTreeMap<usize, [i64; 2]>,
    /// Dollars on the best level, roughly.
    pub(crate) depth_usd: f64,
    /// Cents between bid and ask.
    pub(crate) spread: u32,
    belief: Vec<f64>,
    pressure: f64,
    pressed_at: Timestamp,
}

/// Who is asked and how they spell it: the three settlement systems.
struct Ids {
    exchange: Exchange,
    condition: ConditionId,
    question_id: B256,
    tokens: [TokenId; 2],
}

impl SimMarket {
    /// The markets of an event, numbered from `first_id`.
    pub(crate) fn of_event(
        dice: &mut Dice,
        event: Event,
        event_id: usize,
        first_id: usize,
        opens: Timestamp,
        closes: Timestamp,
        all_makers: &[usize],
    ) -> Vec<Self> {
        // A neg-risk market is named by 31 bytes, its questions by the last one.
        let mut group = dice.word();
        group[31] = 0;
        let protocol_v2 = !event.neg_risk && dice.chance(0.2);
        let event_slug = format!("{}-{event_id}", slug(&event.title));
        let about = (event.category, event_slug.as_str(), event.title.as_str());
        let mut markets = Vec::with_capacity(event.questions.len());
        for (index, question) in event.questions.into_iter().enumerate() {
            let ids = match (event.neg_risk, protocol_v2) {
                (true, _) => Ids::neg_risk(group, index),
                (false, true) => Ids::protocol_v2(dice),
                (false, false) => Ids::binary(dice),
            };
            let id = first_id + index;
            let mut market = Self::new(dice, ids, question, about, (opens, closes));
            market.id = id;
            market.event_id = event_id;
            market.slug = format!("{}-{id}", slug(&market.title));
            market.makers = (0..5).filter_map(|_| dice.pick(all_makers).copied()).collect();
            markets.push(market);
        }
        markets
    }

    fn new(
        dice: &mut Dice,
        ids: Ids,
        question: Question,
        (category, event_slug, event_title): (Category, &str, &str),
        (opens, closes): (Timestamp, Timestamp),
    ) -> Self {
        Self {
            id: 0,
            exchange: ids.exchange,
            condition: ids.condition,
            question_id: ids.question_id,
            tokens: ids.tokens,
            slug: String::new(),
            event_id: 0,
            event_slug: event_slug.to_owned(),
            event_title: event_title.to_owned(),
            category: category.slug(),
            outcomes: question.outcomes,
            fee_rate_ppm: category.fee_rate_ppm(),
            opens,
            closes,
            winner: usize::from(!question.first_wins),
            closed: false,
            last_price: None,
            volume: Usd::ZERO,
            makers: Vec::new(),
            holders: BTreeMap::new(),
            depth_usd: dice.between(2_200.0, 4_500.0),
            spread: if dice.chance(0.85) { 1 } else { 2 },
            belief: belief(dice, &question),
            pressure: 0.0,
            pressed_at: opens,
            title: question.title,
        }
    }

    /// What the market believes of the first outcome at `at`, before anybody's pressure.
    pub(crate) fn believed(&self, at: Timestamp) -> f64 {
        let life = seconds(self.closes.micros_since(self.opens)).max(1e-3);
        let age = (seconds(at.micros_since(self.opens)) / life).clamp(0.0, 1.0);
        #[expect(clippy::cast_precision_loss, reason = "a few dozen steps")]
        let position = age * STEPS as f64;
        let step = super::dice::count(position.floor()).min(STEPS - 1);
        #[expect(clippy::cast_precision_loss, reason = "a few dozen steps")]
        let part = position - step as f64;
        self.belief[step] * (1.0 - part) + self.belief[step + 1] * part
    }

    /// The fair price of the first outcome at `at`, in dollars.
    pub(crate) fn fair(&self, at: Timestamp) -> f64 {
        logistic(self.believed(at) + self.pressure_at(at))
    }

    /// The same of either outcome, without anybody's pressure: what somebody planning ahead can expect.
    pub(crate) fn expected(&self, outcome: usize, at: Timestamp) -> f64 {
        let first = logistic(self.believed(at));
        if outcome == 0 { first } else { 1.0 - first }
    }

    /// Pushes the log-odds; the push fades with a half-life of an eighth of the market's life.
    pub(crate) fn press(&mut self, push: f64, at: Timestamp) {
        self.pressure = self.pressure_at(at) + push;
        self.pressed_at = at;
    }

    fn pressure_at(&self, at: Timestamp) -> f64 {
        let half_life = seconds(self.closes.micros_since(self.opens)).max(1.0) / 8.0;
        self.pressure * 0.5f64.powf(seconds(at.micros_since(self.pressed_at)).max(0.0) / half_life)
    }

    /// The best bid and ask of the first outcome, in cents.
    pub(crate) fn touch(&self, at: Timestamp) -> (u32, u32) {
        let slack = f64::from(self.spread - 1) / 2.0;
        let bid = whole((self.fair(at) * 100.0 - slack).floor()).clamp(1, i64::from(99 - self.spread));
        let bid = u32::try_from(bid).unwrap_or(1);
        (bid, bid + self.spread)
    }

    /// Shares of a person in millionths, of an outcome.
    pub(crate) fn held(&self, person: usize, outcome: usize) -> i64 {
        self.holders.get(&person).map_or(0, |held| held[outcome])
    }

    /// Changes what a person holds.
    pub(crate) fn give(&mut self, person: usize, outcome: usize, micros: i64) {
        self.holders.entry(person).or_default()[outcome] += micros;
    }

    /// Who speaks for the condition on the chain, and what its tokens hang on; `None` for Protocol V2.
    pub(crate) const fn ctf(&self) -> Option<(Address, Address)> {
        match self.exchange {
            Exchange::V2NegRisk => Some((NEG_RISK_ADAPTER, WRAPPED_COLLATERAL)),
            Exchange::V3 => None,
            _ => Some((ORACLE, USDC_E)),
        }
    }
}

impl Ids {
    fn binary(dice: &mut Dice) -> Self {
        let question_id = dice.word();
        let condition = condition_id(ORACLE, question_id, 2);
        let tokens = [0, 1].map(|outcome| ctf_token(USDC_E, condition, outcome));
        Self { exchange: Exchange::V2, condition, question_id, tokens }
    }

    fn neg_risk(group: B256, index: usize) -> Self {
        let mut question_id = group;
        question_id[31] = u8::try_from(index).unwrap_or(u8::MAX);
        let condition = condition_id(NEG_RISK_ADAPTER, question_id, 2);
        let tokens = [0, 1].map(|outcome| ctf_token(WRAPPED_COLLATERAL, condition, outcome));
        Self { exchange: Exchange::V2NegRisk, condition, question_id, tokens }
    }

    /// The bits of a native binary condition: module 1, a hash of 16 bytes, two outcomes, and zeros.
    fn protocol_v2(dice: &mut Dice) -> Self {
        let question_id = dice.word();
        let mut bytes = [0u8; 32];
        bytes[0] = 1;
        bytes[1..17].copy_from_slice(&question_id[..16]);
        bytes[18] = 2;
        let condition = ConditionId(B256::from(bytes));
        let tokens = [0, 1]
            .map(|outcome| protocol_v2_token(condition, outcome).unwrap_or(TokenId(condition.0.into())));
        Self { exchange: Exchange::V3, condition, question_id, tokens }
    }
}

/// The path of the belief's log-odds, given the answer.
///
/// It is what somebody believes who starts from the opening odds and is shown, step by step, noisy hints
/// at the answer: each hint moves the log-odds by a normal draw whose mean is half its variance towards the
/// truth. So at every moment a price of `q` comes true in `q` of all cases, and only knowledge the price
/// does not have earns anything.
fn belief(dice: &mut Dice, question: &Question) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a few dozen steps")]
    let variance = VARIANCE / STEPS as f64;
    let towards = if question.first_wins { 0.5 } else { -0.5 };
    let mut odds = (question.probability / (1.0 - question.probability)).ln();
    let mut path = Vec::with_capacity(STEPS + 1);
    path.push(odds);
    for _ in 0..STEPS {
        odds += towards * variance + variance.sqrt() * dice.normal();
        path.push(odds);
    }
    path
}

fn logistic(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

#[expect(clippy::cast_precision_loss, reason = "a duration in microseconds needs no more than 53 bits")]
pub(crate) fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
