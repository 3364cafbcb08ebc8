//! One step of the strategy: an event in; commands and records out.
//!
//! `step` is total, synchronous and deterministic. The same events give the same outcomes, live, on paper
//! and on a tape.

mod candidate;
mod company;
mod consensus;
mod exits;
mod judge;
mod orders;
mod ratings;
mod restart;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Appraisal, Book, ConditionId, Fill, Market, Payouts, PriceMap, Shares, SignalKind, Timestamp, TokenId,
    Usd, Verdict, Wallet,
};

use candidate::{Candidate, Held};
use ratings::Ratings;

use crate::event::{Command, Event, EventKind};
use crate::exits::ExitState;
use crate::experience::{Case, Experience, Known};
use crate::fade::Tapes;
use crate::flows::Flows;
use crate::follow::Entries;
use crate::guards::Guards;
use crate::policy::Policy;
use crate::portfolio::{Holdings, Portfolio};
use crate::record::Record;
use crate::refusal::{Reason, Refusal};
use crate::volume::{Traded, Volumes};

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
    ratings: Ratings,
    markets: BTreeMap<ConditionId, Market>,
    tokens: BTreeMap<TokenId, ConditionId>,
    /// The conditions of each event.
    events: BTreeMap<String, BTreeSet<ConditionId>>,
    resolved: BTreeMap<ConditionId, Payouts>,
    entries: Entries,
    tapes: Tapes,
    flows: Flows,
    volumes: Volumes,
    waiting: BTreeMap<TokenId, Candidate>,
    guards: Guards,
    exits: ExitState,
    experience: Experience,
    /// What prices are worth, as the last pass learned it.
    prices: PriceMap,
    last_signal: i64,
    last_order: i64,
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
            digest: policy.digest(),
            ratings: Ratings::new(policy.min_whale_score, policy.max_degen_score),
            flows: Flows::new(consensus::window(&policy).saturating_add(policy.max_signal_age)),
            policy,
            markets: BTreeMap::new(),
            tokens: BTreeMap::new(),
            events: BTreeMap::new(),
            resolved: BTreeMap::new(),
            entries: Entries::default(),
            tapes: Tapes::default(),
            volumes: Volumes::default(),
            waiting: BTreeMap::new(),
            guards: Guards::default(),
            exits: ExitState::default(),
            last_signal: last.signal,
            last_order: last.order,
            experience: Experience::default(),
            prices: PriceMap::default(),
        }
    }

    /// Our positions and their worth.
    #[must_use]
    pub const fn portfolio(&self) -> &Portfolio {
        &self.portfolio
    }

    /// A market's description, as it was last told.
    #[must_use]
    pub fn market(&self, condition: ConditionId) -> Option<&Market> {
        self.markets.get(&condition)
    }

    /// The condition of a token, where its market is described.
    #[must_use]
    pub fn condition_of(&self, token: TokenId) -> Option<ConditionId> {
        self.tokens.get(&token).copied()
    }

    /// All fills from a moment on are told next, and of those before it only what wallets of standing traded.
    pub const fn remember_from(&mut self, since: Timestamp) {
        self.tapes.begin(since);
    }

    /// Takes in what was already acted on before a restart: knowledge, but no consequence.
    pub fn remember(&mut self, fill: &Fill, block_time: Timestamp) {
        self.entries.observe(fill, block_time);
        self.tapes.observe(fill, block_time);
        self.remember_flow(fill, block_time);
    }

    /// Takes in what a wallet of standing traded longer ago than all fills must be known: who agrees and who disagrees is
    /// asked over a longer time.
    pub fn remember_flow(&mut self, fill: &Fill, block_time: Timestamp) {
        if self.ratings.is_of_standing(fill.wallet) {
            self.flows.observe(fill, block_time);
        }
    }

    /// How far back what they traded must be known, in microseconds.
    #[must_use]
    pub const fn flows_kept(&self) -> i64 {
        self.flows.kept()
    }

    /// The wallets whose trades of the last hours matter: whales, and those that others may agree with.
    #[must_use]
    pub fn of_standing(&self) -> BTreeSet<Wallet> {
        self.ratings.of_standing().collect()
    }

    /// Takes in what was traded in the last day before a restart, in place of what was known of it.
    pub fn remember_volumes(&mut self, traded: impl IntoIterator<Item = Traded>) {
        self.volumes = Volumes::default();
        traded.into_iter().for_each(|traded| self.volumes.add(traded));
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
            EventKind::Market(market) => {
                self.learn(market);
                self.watch_disputes(at, &mut outcome);
            }
            EventKind::Prices(prices) => self.learn_prices(prices.clone()),
            EventKind::Scores(scores) => self.rate(scores),
            EventKind::Fill { fill, block_time } => self.on_fill(fill, *block_time, at, &mut outcome),
            EventKind::Resolved { condition, payouts } => {
                self.on_result(*condition, payouts, at, &mut outcome);
                if self.experience.resolve(*condition, payouts, at) {
                    let (condition, payouts) = (*condition, payouts.clone());
                    outcome.records.push(Record::Outcome { condition, payouts, at });
                }
            }
            EventKind::Book(book) => {
                self.on_held_book(book, at, &mut outcome);
                self.on_book(book, at, &mut outcome);
            }
            EventKind::Holdings { wallet, token, as_of, held } => {
                if let Some(candidate) = self.waiting.get_mut(token) {
                    candidate.learn_held(*wallet, Held { as_of: *as_of, shares: held.clone() });
                }
            }
            EventKind::NoBook { token, detail } => {
                outcome.records.extend(self.portfolio.bid(*token, None));
                if let Some(candidate) = self.waiting.remove(token) {
                    let reason = Reason::NoBook { detail: detail.clone() };
                    outcome.records.push(refusal(&candidate, *token, at, (reason, None), None));
                }
            }
            EventKind::Order(news) => self.on_news(news, &mut outcome),
            EventKind::Control(control) => self.obey(control, at, &mut outcome),
            EventKind::Guard(guard) => self.on_guard(guard, &mut outcome),
            EventKind::Tick => self.on_tick(at, &mut outcome),
        }
        if let Some(halt) = self.portfolio.check_daily_loss(&self.policy, at) {
            outcome.records.push(halt);
            self.cancel_resting_entries(|_| true, &mut outcome);
        }
        let begins_to_rest = |record: &Record| matches!(record, Record::Losses(losses) if at < losses.cooling_until.unwrap_or(at));
        if outcome.records.iter().any(begins_to_rest) {
            self.cancel_resting_entries(|_| true, &mut outcome);
        }
        outcome
    }

    /// Takes in a market's description. One that says nothing of the oracle leaves what was known of it.
    pub fn learn(&mut self, market: &Market) {
        for token in &market.tokens {
            self.tokens.insert(*token, market.condition);
        }
        let mut market = market.clone();
        let known = self.markets.get(&market.condition).and_then(|known| known.oracle);
        market.oracle = market.oracle.or(known);
        let before = self.markets.insert(market.condition, market.clone());
        self.portfolio.regroup(market.condition, &market.event);
        if let Some(before) = before.filter(|before| before.event != market.event) {
            self.events.entry(before.event).or_default().remove(&market.condition);
        }
        self.events.entry(market.event).or_default().insert(market.condition);
    }

    /// Takes in what prices are worth from here on.
    pub fn learn_prices(&mut self, prices: PriceMap) {
        self.prices = prices;
    }

    /// Takes in verdicts about wallets.
    pub fn rate(&mut self, verdicts: &[Verdict]) {
        verdicts.iter().for_each(|verdict| self.ratings.learn(verdict));
    }

    fn on_fill(&mut self, fill: &Fill, block_time: Timestamp, at: Timestamp, outcome: &mut Outcome) {
        self.remember(fill, block_time);
        self.volumes.observe(fill, block_time);
        if let Some(price) = fill.price().filter(|_| Shares::DUST <= fill.shares) {
            self.portfolio.print(fill.token, price);
        }
        self.watch_leads(fill, at, outcome);
        let Some(candidate) = self.candidate(fill, block_time, at) else {
            return;
        };
        self.watch_conflict(&candidate, fill.token, at, outcome);
        match self.objection(&candidate, fill.token, at) {
            Some(reason) => outcome.records.push(refusal(&candidate, fill.token, at, (reason, None), None)),
            None => {
                // The world answers each question before it tells of the next fill, so nobody waits here yet.
                for wallet in candidate.asked_about() {
                    outcome.commands.push(Command::Holdings { wallet, token: fill.token });
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
