//! One step of the strategy: an event in; commands and records out.
//!
//! `step` is total, synchronous and deterministic. The same events give the same outcomes, live, on paper
//! and on a tape.

mod candidate;
mod company;
mod judge;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Appraisal, Book, ConditionId, Fill, Market, Order, Payouts, Report, Shares, Signal, SignalKind,
    Timestamp, TokenId, Usd, Verdict, Wallet,
};

use candidate::{Candidate, Held};

use crate::event::{Command, Event, EventKind};
use crate::experience::{Case, Experience, Known};
use crate::fade::Tapes;
use crate::follow::Entries;
use crate::policy::Policy;
use crate::portfolio::{Holdings, Portfolio};
use crate::record::Record;
use crate::refusal::{Reason, Refusal};
use crate::risk;

/// How far back fills must be known for the engine to be as it would have been without a restart.
pub const LOOKBACK: i64 = if crate::follow::LOOKBACK < crate::fade::LOOKBACK {
    crate::fade::LOOKBACK
} else {
    crate::follow::LOOKBACK
};

/// What a step wants done and remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// For the world to answer.
    pub commands: Vec<Command>,
    /// For the diary.
    pub records: Vec<Record>,
}

/// The strategy's whole state.
#[derive(Clone, Debug)]
pub struct Engine {
    policy: Policy,
    /// The policy's, found once.
    digest: String,
    portfolio: Portfolio,
    verdicts: BTreeMap<Wallet, Verdict>,
    markets: BTreeMap<ConditionId, Market>,
    tokens: BTreeMap<TokenId, ConditionId>,
    /// The conditions of each event.
    events: BTreeMap<String, BTreeSet<ConditionId>>,
    resolved: BTreeMap<ConditionId, Payouts>,
    entries: Entries,
    tapes: Tapes,
    waiting: BTreeMap<TokenId, Candidate>,
    experience: Experience,
    last_signal: i64,
}

/// A candidate that has been asked before the restart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// Which signal.
    pub kind: SignalKind,
    /// Whose entry.
    pub wallet: Wallet,
    /// Which token.
    pub token: TokenId,
    /// The dollars of the entry when it asked.
    pub notional: Usd,
    /// When.
    pub at: Timestamp,
    /// Whether a signal was raised.
    pub followed: bool,
}

impl Engine {
    /// An engine as it stood: `last_signal` is the number of the last signal raised.
    #[must_use]
    pub fn new(policy: Policy, holdings: Holdings, last_signal: i64) -> Self {
        Self {
            portfolio: Portfolio::restore(policy.bankroll, holdings),
            digest: policy.digest(),
            policy,
            verdicts: BTreeMap::new(),
            markets: BTreeMap::new(),
            tokens: BTreeMap::new(),
            events: BTreeMap::new(),
            resolved: BTreeMap::new(),
            entries: Entries::default(),
            tapes: Tapes::default(),
            waiting: BTreeMap::new(),
            experience: Experience::default(),
            last_signal,
        }
    }

    /// Our positions and their worth.
    #[must_use]
    pub const fn portfolio(&self) -> &Portfolio {
        &self.portfolio
    }

    /// Takes in what was already acted on before a restart: knowledge, but no consequence.
    pub fn remember(&mut self, fill: &Fill, block_time: Timestamp) {
        self.entries.observe(fill, block_time);
        self.tapes.observe(fill, block_time);
    }

    /// Takes in a result that was already acted on before a restart.
    pub fn remember_result(&mut self, condition: ConditionId, payouts: Payouts) {
        self.resolved.insert(condition, payouts);
    }

    /// Stops or allows new entries, as a person wishes.
    pub fn pause(&mut self, paused: bool) {
        self.portfolio.paused = paused;
    }

    /// Takes in that a candidate was already judged before a restart.
    pub fn remember_asked(&mut self, asked: Asked) {
        match asked.kind {
            SignalKind::FollowWhale => {
                let Asked { wallet, token, notional, followed, at, .. } = asked;
                self.entries.remember(wallet, token, notional, followed, at);
            }
            SignalKind::FadeDegen => self.tapes.remember(asked.token, asked.at),
        }
    }

    /// Takes in a candidate that was priced before a restart and whose outcome is not known yet.
    pub fn remember_case(&mut self, case: Case) {
        self.experience.remember(case);
    }

    /// Takes in one whose outcome was known before a restart.
    pub fn remember_outcome(&mut self, known: Known) {
        self.experience.recall(known);
    }

    /// Takes one event in.
    pub fn step(&mut self, event: &Event) -> Outcome {
        let mut outcome = Outcome::default();
        let at = event.at;
        outcome.records.extend(self.portfolio.roll_day(at));
        self.experience.refresh(at);
        match &event.kind {
            EventKind::Market(market) => self.learn(market),
            EventKind::Scores(scores) => self.rate(scores),
            EventKind::Fill { fill, block_time } => self.on_fill(fill, *block_time, at, &mut outcome),
            EventKind::Resolved { condition, payouts } => {
                self.resolved.insert(*condition, payouts.clone());
                let settled = self.portfolio.settle(*condition, payouts, at);
                outcome.records.extend(settled.into_iter().map(Record::Settled));
                if self.experience.resolve(*condition, payouts, at) {
                    let (condition, payouts) = (*condition, payouts.clone());
                    outcome.records.push(Record::Outcome { condition, payouts, at });
                }
            }
            EventKind::Holdings { wallet, token, as_of, held } => {
                if let Some(candidate) = self.waiting.get_mut(token).filter(|asked| asked.wallet == *wallet) {
                    candidate.held = Some(Held { as_of: *as_of, shares: held.clone() });
                }
            }
            EventKind::Book(book) => self.on_book(book, at, &mut outcome),
            EventKind::NoBook { token, detail } => {
                if let Some(candidate) = self.waiting.remove(token) {
                    let reason = Reason::NoBook { detail: detail.clone() };
                    outcome.records.push(refusal(&candidate, *token, at, (reason, None), None));
                }
            }
            EventKind::Report(report) => self.on_report(report, at, &mut outcome),
        }
        outcome.records.extend(self.portfolio.check_daily_loss(&self.policy, at));
        outcome
    }

    /// Takes in a market's description.
    pub fn learn(&mut self, market: &Market) {
        for token in &market.tokens {
            self.tokens.insert(*token, market.condition);
        }
        let before = self.markets.insert(market.condition, market.clone());
        if let Some(before) = before.filter(|before| before.event != market.event) {
            self.events.entry(before.event).or_default().remove(&market.condition);
        }
        self.events.entry(market.event.clone()).or_default().insert(market.condition);
    }

    /// Takes in verdicts about wallets.
    pub fn rate(&mut self, verdicts: &[Verdict]) {
        self.verdicts.extend(verdicts.iter().map(|verdict| (verdict.wallet, *verdict)));
    }

    fn on_fill(&mut self, fill: &Fill, block_time: Timestamp, at: Timestamp, outcome: &mut Outcome) {
        self.remember(fill, block_time);
        if let Some(price) = fill.price().filter(|_| Shares::DUST <= fill.shares) {
            self.portfolio.mark(fill.token, price);
        }
        let Some(candidate) = self.candidate(fill, block_time, at) else {
            return;
        };
        match self.objection(&candidate, fill.token, at) {
            Some(reason) => outcome.records.push(refusal(&candidate, fill.token, at, (reason, None), None)),
            None => {
                // The world answers each question before it tells of the next fill, so nobody waits here yet.
                if candidate.kind == SignalKind::FollowWhale {
                    let (wallet, token) = (candidate.wallet, fill.token);
                    outcome.commands.push(Command::Holdings { wallet, token });
                }
                self.waiting.insert(fill.token, candidate);
                outcome.commands.push(Command::Quote(fill.token));
            }
        }
    }

    fn on_book(&mut self, book: &Book, at: Timestamp, outcome: &mut Outcome) {
        let Some(candidate) = self.waiting.remove(&book.token) else {
            return;
        };
        match self.judge(&candidate, book, at) {
            Err(refused) => {
                if let Some(appraisal) = &refused.1 {
                    self.experience.remember(Case::of(candidate.kind, at, appraisal));
                }
                outcome.records.push(refusal(&candidate, book.token, at, refused, None));
            }
            Ok(signal) => self.raise(&candidate, signal, outcome),
        }
    }

    /// Records a signal, and orders if risk lets it.
    fn raise(&mut self, candidate: &Candidate, mut signal: Signal, outcome: &mut Outcome) {
        self.last_signal = signal.id;
        self.entries.remember(signal.wallet, signal.token, signal.notional, true, signal.at);
        self.experience.remember(Case::of(signal.kind, signal.at, &signal.appraisal));
        if signal.shadow {
            outcome.records.push(Record::Signal(Box::new(signal)));
            return;
        }
        let event =
            self.markets.get(&signal.condition).map(|market| market.event.clone()).unwrap_or_default();
        // The day's remaining budget makes the stake smaller before it makes it impossible.
        let budget = risk::daily_budget(&self.portfolio, &self.policy);
        signal.stake = signal.stake.min(Order::largest_stake(budget, signal.fee_rate_ppm));
        let order = Order {
            id: signal.id,
            at: signal.at,
            condition: signal.condition,
            token: signal.token,
            limit: signal.limit_price,
            stake: signal.stake,
            fee_rate_ppm: signal.fee_rate_ppm,
        };
        let (id, token, at) = (signal.id, signal.token, signal.at);
        outcome.records.push(Record::Signal(Box::new(signal)));
        match risk::approve(order, &event, &self.portfolio, &self.policy, at) {
            Ok(approved) => {
                self.portfolio.reserve(approved.get().clone(), event);
                outcome.records.push(Record::Order(approved.get().clone()));
                outcome.commands.push(Command::Place(approved));
            }
            Err(reason) => outcome.records.push(refusal(candidate, token, at, (reason, None), Some(id))),
        }
    }

    fn on_report(&mut self, report: &Report, at: Timestamp, outcome: &mut Outcome) {
        let Some((order, event)) = self.portfolio.release(report.order) else {
            return;
        };
        outcome.records.push(Record::Report(report.clone()));
        if !report.shares.is_positive() {
            return;
        }
        let outcome_index =
            self.markets.get(&order.condition).and_then(|market| market.outcome_index(order.token));
        let position = self.portfolio.open(&order, event, outcome_index.unwrap_or(0), report);
        outcome.records.push(Record::Opened(position));
        // The result may have come while the order was on its way.
        if let Some(payouts) = self.resolved.get(&order.condition) {
            let settled = self.portfolio.settle(order.condition, payouts, at);
            outcome.records.extend(settled.into_iter().map(Record::Settled));
        }
    }
}

fn refusal(
    candidate: &Candidate,
    token: TokenId,
    at: Timestamp,
    (reason, appraisal): (Reason, Option<Box<Appraisal>>),
    signal: Option<i64>,
) -> Record {
    Record::Refusal(Refusal {
        at,
        kind: candidate.kind,
        wallet: candidate.wallet,
        token,
        notional: candidate.notional,
        reason,
        signal,
        appraisal,
    })
}
