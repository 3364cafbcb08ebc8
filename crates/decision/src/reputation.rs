//! From facts to verdicts: a fold over everything that happened, in the order it happened, and the
//! strategy's score read off it (`ORDER_FLOW_STRATEGY.md` §2, column as-spec).
//!
//! Nothing in a verdict was learned after its moment, and the same facts give the same verdicts, however
//! they are cut into batches.

mod factors;
mod record;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ChainEvent, ConditionId, Fact, FeeKind, Fill, Market, Payouts, Price, Shares, Side, Timestamp, TokenId,
    Usd, Wallet, WalletScore,
};

use crate::ledger::Holding;
use crate::policy::Eligibility;
use record::{Record, Trade};

/// How long after an entry its price is looked at again.
const DRIFT_HORIZON: i64 = Timestamp::DAY;

/// Everything known of every wallet up to a moment.
#[derive(Clone, Debug)]
pub struct History {
    eligibility: Eligibility,
    wallets: BTreeMap<Wallet, Record>,
    positions: BTreeMap<(TokenId, Wallet), Position>,
    outcomes: BTreeMap<TokenId, Outcome>,
    markets: BTreeMap<ConditionId, Vec<TokenId>>,
    payouts: BTreeMap<ConditionId, Resolved>,
    /// Splits and merges of conditions whose tokens nobody has named yet.
    undescribed: BTreeMap<ConditionId, Vec<(Wallet, Shares, Timestamp)>>,
    events: BTreeMap<String, u32>,
    prices: BTreeMap<TokenId, Price>,
    /// Entries whose price is to be looked at again, by when.
    maturing: BTreeMap<(Timestamp, TokenId, Wallet), f64>,
    changed: BTreeSet<Wallet>,
    moved: BTreeSet<(TokenId, Wallet)>,
    scored_day: Option<i64>,
}

/// A wallet's holding of a token and the decision that is open in it.
#[derive(Clone, Debug, Default)]
struct Position {
    holding: Holding,
    decision: Option<Decision>,
}

/// A bet from its first share to its last.
#[derive(Clone, Copy, Debug, Default)]
struct Decision {
    bought: Shares,
    cost: Usd,
    sold: Shares,
    proceeds: Usd,
    /// More was sold than was seen arriving: what it cost is unknown, so it neither won nor lost.
    uncovered: bool,
}

#[derive(Clone, Debug)]
struct Outcome {
    condition: ConditionId,
    index: usize,
    event: u32,
}

#[derive(Clone, Debug)]
struct Resolved {
    payouts: Payouts,
    at: Timestamp,
}

/// What a wallet holds of a token, for those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletPosition {
    /// Whose.
    pub wallet: Wallet,
    /// Of what.
    pub token: TokenId,
    /// How much, at what cost, and with what result so far.
    pub holding: Holding,
}

impl History {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(eligibility: Eligibility) -> Self {
        Self {
            eligibility,
            wallets: BTreeMap::new(),
            positions: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            markets: BTreeMap::new(),
            payouts: BTreeMap::new(),
            undescribed: BTreeMap::new(),
            events: BTreeMap::new(),
            prices: BTreeMap::new(),
            maturing: BTreeMap::new(),
            changed: BTreeSet::new(),
            moved: BTreeSet::new(),
            scored_day: None,
        }
    }

    /// How many wallets have traded.
    #[must_use]
    pub fn wallets(&self) -> usize {
        self.wallets.len()
    }

    /// Learns which tokens a condition has. May come after the trades, and after the result.
    pub fn learn(&mut self, market: &Market) {
        if self.markets.contains_key(&market.condition) {
            return;
        }
        let event = self.event(&market.event);
        for (index, token) in market.tokens.iter().enumerate() {
            self.outcomes.insert(*token, Outcome { condition: market.condition, index, event });
        }
        self.markets.insert(market.condition, market.tokens.clone());
        for (wallet, amount, at) in self.undescribed.remove(&market.condition).unwrap_or_default() {
            self.apply_set(wallet, market.condition, amount, at);
        }
        if let Some(resolved) = self.payouts.get(&market.condition).cloned() {
            self.settle(market.condition, &resolved);
        }
    }

    /// Takes in a fact. Facts come in the order they happened.
    pub fn apply(&mut self, fact: &Fact) {
        let at = fact.place.block_time;
        self.mature(at);
        match &fact.event {
            ChainEvent::Fill(fill) => self.apply_fill(fill, at),
            ChainEvent::Split { wallet, condition, amount } => {
                self.apply_set(*wallet, *condition, *amount, at)
            }
            ChainEvent::Merge { wallet, condition, amount } => {
                self.apply_set(*wallet, *condition, -*amount, at)
            }
            ChainEvent::Resolution { condition, payouts } => {
                let resolved = Resolved { payouts: payouts.clone(), at };
                self.payouts.insert(*condition, resolved.clone());
                self.settle(*condition, &resolved);
            }
            ChainEvent::Fee { kind: FeeKind::Refunded, receiver, token, micros, .. } => {
                self.apply_refund(*receiver, *token, *micros, at);
            }
            // A redemption pays what the resolution already booked. Matches and fees charged repeat what the
            // fills say. Conversions and derivable results need the whole event's questions and are not folded.
            ChainEvent::Redemption { .. }
            | ChainEvent::Match { .. }
            | ChainEvent::Fee { kind: FeeKind::Charged, .. }
            | ChainEvent::Conversion { .. }
            | ChainEvent::Derivable { .. }
            | ChainEvent::Preparation { .. } => {}
        }
    }

    /// The verdicts that changed since the last pass, by wallet: of those with news, and on a new UTC day of
    /// those with a day of trading that has left the volume window. Entries are looked at again when a fact a
    /// day later comes in and not here, so that a pass in between changes nothing.
    pub fn pass(&mut self, as_of: Timestamp) -> Vec<WalletScore> {
        if let Some(scored) = self.scored_day.filter(|scored| *scored < as_of.day()) {
            let lesser = self.wallets.iter().filter(|(_, record)| record.loses_volume(scored, as_of.day()));
            self.changed.extend(lesser.map(|(wallet, _)| *wallet));
        }
        self.scored_day = self.scored_day.max(Some(as_of.day()));
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().filter_map(|wallet| self.verdict(wallet, as_of)).collect()
    }

    /// The holdings that changed since they were last asked for.
    pub fn moved(&mut self) -> Vec<WalletPosition> {
        let moved = std::mem::take(&mut self.moved);
        moved
            .into_iter()
            .filter_map(|(token, wallet)| {
                let holding = self.positions.get(&(token, wallet))?.holding;
                Some(WalletPosition { wallet, token, holding })
            })
            .collect()
    }

    /// What is believed about a wallet as of a moment no earlier than the last fact.
    #[must_use]
    pub fn verdict(&self, wallet: Wallet, as_of: Timestamp) -> Option<WalletScore> {
        self.wallets.get(&wallet).map(|record| factors::verdict(wallet, record, as_of, self.eligibility))
    }

    fn apply_fill(&mut self, fill: &Fill, at: Timestamp) {
        if let Some(price) = fill.price().filter(|_| Shares::DUST <= fill.shares) {
            self.prices.insert(fill.token, price);
        }
        let record = self.wallets.entry(fill.wallet).or_insert_with(|| Record::new(at));
        record.trade(Trade { usd: fill.usd, at });
        let opens = self.book(fill.wallet, fill.token, fill.cash_change(), fill.share_change(), at);
        if opens && let Some(paid) = fill.price().filter(|_| fill.side == Side::Buy) {
            let due = at.plus_micros(DRIFT_HORIZON);
            self.maturing.insert((due, fill.token, fill.wallet), paid.to_f64());
        }
    }

    /// A split buys every outcome at an equal part of a dollar; a merge sells them so.
    fn apply_set(&mut self, wallet: Wallet, condition: ConditionId, amount: Shares, at: Timestamp) {
        let Some(tokens) = self.markets.get(&condition).cloned() else {
            return;
        };
        self.wallets.entry(wallet).or_insert_with(|| Record::new(at));
        let mut left = -Usd::from_micros(amount.micros());
        let mut outcomes = i32::try_from(tokens.len()).unwrap_or(i32::MAX);
        for token in tokens {
            let part = left.prorated(Shares::whole(1), Shares::whole(outcomes));
            left -= part;
            outcomes -= 1;
            self.book(wallet, token, part, amount, at);
        }
    }

    /// A fee given back: shares that were bought after all, or dollars that the sale brought after all.
    fn apply_refund(&mut self, wallet: Wallet, token: Option<TokenId>, micros: i64, at: Timestamp) {
        let Some(record) = self.wallets.get_mut(&wallet) else { return };
        match token {
            None => {
                record.realize(Usd::from_micros(micros));
                self.changed.insert(wallet);
            }
            Some(token) => {
                self.book(wallet, token, Usd::ZERO, Shares::from_micros(micros), at);
            }
        }
    }

    /// Books a change into a wallet's holding; whether it opened a decision.
    fn book(&mut self, wallet: Wallet, token: TokenId, cash: Usd, change: Shares, at: Timestamp) -> bool {
        self.changed.insert(wallet);
        self.moved.insert((token, wallet));
        let position = self.positions.entry((token, wallet)).or_default();
        let before = position.holding.realized;
        position.holding.book(cash, change);
        let opens = position.decision.is_none() && change.is_positive();
        let decision = position.decision.get_or_insert_default();
        if change.is_positive() {
            decision.bought += change;
            decision.cost -= cash;
        } else {
            decision.sold -= change;
            decision.proceeds += cash;
        }
        decision.uncovered |= position.holding.shares < -Shares::DUST;
        let realized = position.holding.realized - before;
        let sold_out = position.holding.shares.abs() < Shares::DUST;
        let closed = if sold_out { position.decision.take() } else { None };
        if let Some(record) = self.wallets.get_mut(&wallet) {
            record.realize(realized);
        }
        if let Some(decision) = closed {
            let payoff = decision.proceeds.to_f64() / decision.sold.to_f64().max(f64::MIN_POSITIVE);
            self.close(wallet, token, &decision, decision.proceeds, payoff, at);
        }
        // What is traded after the result is known is worth the result at once.
        if let Some(outcome) = self.outcomes.get(&token)
            && let Some(resolved) = self.payouts.get(&outcome.condition).cloned()
        {
            self.settle_one(wallet, token, &resolved);
        }
        opens
    }

    fn settle(&mut self, condition: ConditionId, resolved: &Resolved) {
        for token in self.markets.get(&condition).cloned().unwrap_or_default() {
            let holders: Vec<Wallet> = self
                .positions
                .range((token, Wallet::default())..)
                .take_while(|((held, _), _)| *held == token)
                .map(|((_, wallet), _)| *wallet)
                .collect();
            for wallet in holders {
                self.settle_one(wallet, token, resolved);
            }
        }
    }

    fn settle_one(&mut self, wallet: Wallet, token: TokenId, resolved: &Resolved) {
        let Some(outcome) = self.outcomes.get(&token) else {
            return;
        };
        let index = outcome.index;
        let Some(position) = self.positions.get_mut(&(token, wallet)) else {
            return;
        };
        if position.holding == (Holding { realized: position.holding.realized, ..Holding::default() }) {
            return;
        }
        let (before, held) = (position.holding.realized, position.holding.shares);
        position.holding.resolve(&resolved.payouts, index);
        let realized = position.holding.realized - before;
        let decision = position.decision.take();
        self.changed.insert(wallet);
        self.moved.insert((token, wallet));
        if let Some(record) = self.wallets.get_mut(&wallet) {
            record.realize(realized);
        }
        if let Some(decision) = decision {
            let proceeds = decision.proceeds + resolved.payouts.pays(index, held);
            // Of a decision sold in part, each share counts with what it brought.
            let payoff = (decision.proceeds.to_f64() + held.to_f64() * resolved.payouts.fraction(index))
                / decision.bought.to_f64().max(f64::MIN_POSITIVE);
            self.close(wallet, token, &decision, proceeds, payoff, resolved.at);
        }
    }

    fn close(
        &mut self,
        wallet: Wallet,
        token: TokenId,
        decision: &Decision,
        proceeds: Usd,
        payoff: f64,
        at: Timestamp,
    ) {
        let is_bet = Shares::DUST <= decision.bought && decision.cost.is_positive() && !decision.uncovered;
        if !is_bet {
            return;
        }
        let event = match self.outcomes.get(&token) {
            Some(outcome) => outcome.event,
            None => self.event(&token.to_string()),
        };
        if let Some(record) = self.wallets.get_mut(&wallet) {
            record.close(&record::Closed {
                cost: decision.cost,
                proceeds,
                paid: decision.cost.to_f64() / decision.bought.to_f64(),
                payoff: payoff.clamp(0.0, 1.0),
                event,
                at,
            });
        }
    }

    /// Looks again at the prices of entries that are a day old by `at`.
    fn mature(&mut self, at: Timestamp) {
        while let Some(entry) = self.maturing.first_entry() {
            let (due, token, wallet) = *entry.key();
            if at < due {
                break;
            }
            let paid = entry.remove();
            // A price that the result has overtaken says nothing about the entry's timing.
            let is_resolved = self
                .outcomes
                .get(&token)
                .is_some_and(|outcome| self.payouts.contains_key(&outcome.condition));
            if is_resolved {
                continue;
            }
            if let (Some(price), Some(record)) = (self.prices.get(&token), self.wallets.get_mut(&wallet)) {
                record.drift(price.to_f64() - paid);
                self.changed.insert(wallet);
            }
        }
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
