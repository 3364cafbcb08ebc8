//! One step of the strategy: an event in; commands and records out.
//!
//! `step` is total, synchronous and deterministic. The same events give the same outcomes, live, on paper
//! and on a tape.

mod exits;
mod judge;
mod orders;

use std::collections::BTreeMap;

use domain::{
    Book, ConditionId, Fill, Market, Payouts, Price, Shares, Side, SignalKind, Tier, Timestamp, TokenId, Usd,
    Verdict, Wallet,
};

use crate::event::{Command, Event, EventKind};
use crate::exits::ExitState;
use crate::fade::Tapes;
use crate::follow::Entries;
use crate::guards::Guards;
use crate::policy::Policy;
use crate::portfolio::{Holdings, Portfolio};
use crate::record::Record;
use crate::refusal::{Reason, Refusal};

/// Prices at which there is something to win and the bet is no long shot (`ORDER_FLOW_STRATEGY.md` §5).
const MIN_PRICE_PPM: u32 = 100_000;
const MAX_PRICE_PPM: u32 = 900_000;

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
    portfolio: Portfolio,
    verdicts: BTreeMap<Wallet, Verdict>,
    markets: BTreeMap<ConditionId, Market>,
    tokens: BTreeMap<TokenId, ConditionId>,
    resolved: BTreeMap<ConditionId, Payouts>,
    entries: Entries,
    tapes: Tapes,
    waiting: BTreeMap<TokenId, Candidate>,
    guards: Guards,
    exits: ExitState,
    last_signal: i64,
    last_order: i64,
}

/// A possible signal that waits for its book.
#[derive(Clone, Debug)]
struct Candidate {
    kind: SignalKind,
    wallet: Wallet,
    wallets: usize,
    score: f64,
    notional: Usd,
    reference: Price,
    /// When the fill that led to it happened.
    block_time: Timestamp,
    /// How far a panic moved the price; nothing for a whale.
    drop: f64,
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

/// The last numbers given; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Last {
    /// To a signal.
    pub signal: i64,
    /// To an order.
    pub order: i64,
}

impl Engine {
    /// An engine as it stood.
    #[must_use]
    pub fn new(policy: Policy, holdings: Holdings, last: Last) -> Self {
        Self {
            portfolio: Portfolio::restore(policy.bankroll, holdings),
            policy,
            verdicts: BTreeMap::new(),
            markets: BTreeMap::new(),
            tokens: BTreeMap::new(),
            resolved: BTreeMap::new(),
            entries: Entries::default(),
            tapes: Tapes::default(),
            waiting: BTreeMap::new(),
            guards: Guards::default(),
            exits: ExitState::default(),
            last_signal: last.signal,
            last_order: last.order,
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

    /// What stops entries now.
    #[must_use]
    pub const fn guards(&self) -> &Guards {
        &self.guards
    }

    /// Takes in what was measured before the engine was made again: it is as it was.
    pub fn remember_guards(&mut self, guards: Guards) {
        self.guards = guards;
    }

    /// Takes in what was remembered of positions before a restart.
    pub fn remember_exits(&mut self, exits: ExitState) {
        self.exits = exits;
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

    /// Takes one event in.
    pub fn step(&mut self, event: &Event) -> Outcome {
        let mut outcome = Outcome::default();
        let at = event.at;
        outcome.records.extend(self.portfolio.roll_day(at));
        match &event.kind {
            EventKind::Market(market) => self.learn(market),
            EventKind::Scores(scores) => self.rate(scores),
            EventKind::Fill { fill, block_time } => self.on_fill(fill, *block_time, at, &mut outcome),
            EventKind::Resolved { condition, payouts } => {
                self.on_result(*condition, payouts, at, &mut outcome);
            }
            EventKind::Book(book) => {
                self.on_held_book(book, at, &mut outcome);
                self.on_book(book, at, &mut outcome);
            }
            EventKind::NoBook { token, detail } => {
                outcome.records.extend(self.portfolio.bid(*token, None));
                if let Some(candidate) = self.waiting.remove(token) {
                    let reason = Reason::NoBook { detail: detail.clone() };
                    outcome.records.push(refusal(&candidate, *token, at, reason, None));
                }
            }
            EventKind::Order(news) => self.on_news(news, &mut outcome),
            EventKind::Control(control) => self.obey(control, at, &mut outcome),
            EventKind::Guard(guard) => self.guards.measure(guard),
            EventKind::Tick => self.on_tick(at, &mut outcome),
        }
        outcome.records.extend(self.portfolio.check_daily_loss(&self.policy, at));
        outcome
    }

    /// Takes in a market's description.
    pub fn learn(&mut self, market: &Market) {
        for token in &market.tokens {
            self.tokens.insert(*token, market.condition);
        }
        self.markets.insert(market.condition, market.clone());
    }

    /// Takes in verdicts about wallets.
    pub fn rate(&mut self, verdicts: &[Verdict]) {
        self.verdicts.extend(verdicts.iter().map(|verdict| (verdict.wallet, *verdict)));
    }

    fn on_fill(&mut self, fill: &Fill, block_time: Timestamp, at: Timestamp, outcome: &mut Outcome) {
        self.remember(fill, block_time);
        if let Some(price) = fill.price().filter(|_| Shares::DUST <= fill.shares) {
            self.portfolio.print(fill.token, price);
        }
        self.watch_leads(fill, at, outcome);
        let Some(candidate) = self.candidate(fill, block_time) else {
            return;
        };
        self.watch_conflict(&candidate, fill.token, at, outcome);
        match self.objection(&candidate, fill.token, at) {
            Some(reason) => outcome.records.push(refusal(&candidate, fill.token, at, reason, None)),
            None => {
                // The world answers each question before it tells of the next fill, so nobody waits here yet.
                self.waiting.insert(fill.token, candidate);
                outcome.commands.push(Command::Quote(fill.token));
            }
        }
    }

    /// Whether this fill makes a whale's entry or a panic worth judging.
    fn candidate(&mut self, fill: &Fill, block_time: Timestamp) -> Option<Candidate> {
        let verdict = *self.verdicts.get(&fill.wallet)?;
        if verdict.tier == Tier::Unrated {
            return None;
        }
        match fill.side {
            Side::Buy if self.policy.min_whale_score <= verdict.score => {
                let entry = self.entries.ask(fill.wallet, fill.token, self.policy.min_whale_trade)?;
                Some(Candidate {
                    kind: SignalKind::FollowWhale,
                    wallet: fill.wallet,
                    wallets: 1,
                    score: verdict.score,
                    notional: entry.notional,
                    reference: entry.price,
                    block_time,
                    drop: 0.0,
                })
            }
            Side::Sell if self.is_degen(fill.wallet) => self.panic_candidate(fill, block_time),
            Side::Buy | Side::Sell => None,
        }
    }

    fn panic_candidate(&mut self, fill: &Fill, block_time: Timestamp) -> Option<Candidate> {
        let (verdicts, below) = (&self.verdicts, self.policy.max_degen_score);
        let is_degen = |wallet| is_degen(verdicts, wallet, below);
        let panic = self.tapes.ask(fill.token, block_time, self.policy.min_panic_sellers, is_degen)?;
        let sellers = u32::try_from(panic.sellers.len()).unwrap_or(u32::MAX);
        let scores: f64 =
            panic.sellers.iter().filter_map(|wallet| self.verdicts.get(wallet)).map(|v| v.score).sum();
        Some(Candidate {
            kind: SignalKind::FadeDegen,
            wallet: fill.wallet,
            wallets: panic.sellers.len(),
            score: scores / f64::from(sellers.max(1)),
            notional: panic.notional,
            reference: panic.price,
            block_time,
            drop: panic.drop,
        })
    }

    fn is_degen(&self, wallet: Wallet) -> bool {
        is_degen(&self.verdicts, wallet, self.policy.max_degen_score)
    }

    /// What already speaks against a candidate before its book is known.
    fn objection(&self, candidate: &Candidate, token: TokenId, at: Timestamp) -> Option<Reason> {
        if let Some(stale) = self.staleness(candidate, at) {
            return Some(stale);
        }
        let is_copyable = |verdict: &Verdict| verdict.is_copyable;
        if candidate.kind == SignalKind::FollowWhale
            && !self.verdicts.get(&candidate.wallet).is_some_and(is_copyable)
        {
            return Some(Reason::NotCopyable);
        }
        let Some(condition) = self.tokens.get(&token) else {
            return Some(Reason::UnknownMarket);
        };
        if self.resolved.contains_key(condition) {
            return Some(Reason::Resolved);
        }
        if !(MIN_PRICE_PPM..=MAX_PRICE_PPM).contains(&candidate.reference.ppm()) {
            return Some(Reason::PriceBand { price: candidate.reference });
        }
        None
    }

    /// Whether what a candidate is about happened too long ago: when we learn of it, and again when its book comes.
    fn staleness(&self, candidate: &Candidate, at: Timestamp) -> Option<Reason> {
        let (age, limit) = (at.micros_since(candidate.block_time), self.policy.max_signal_age);
        (limit < age).then_some(Reason::Stale { age, limit })
    }

    fn on_book(&mut self, book: &Book, at: Timestamp, outcome: &mut Outcome) {
        let Some(candidate) = self.waiting.remove(&book.token) else {
            return;
        };
        match self.judge(&candidate, book, at) {
            Err(reason) => outcome.records.push(refusal(&candidate, book.token, at, reason, None)),
            Ok(signal) => self.raise(&candidate, signal, outcome),
        }
    }
}

fn is_degen(verdicts: &BTreeMap<Wallet, Verdict>, wallet: Wallet, below: f64) -> bool {
    verdicts.get(&wallet).is_some_and(|verdict| verdict.tier != Tier::Unrated && verdict.score < below)
}

fn refusal(
    candidate: &Candidate,
    token: TokenId,
    at: Timestamp,
    reason: Reason,
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
    })
}
