//! An order on its way, with all that was said of it.
//!
//! What is known of a match only ever grows: matched, then confirmed, then failed. So the same news told twice change
//! nothing, and it does not matter which of them comes first.

use std::collections::BTreeMap;

use domain::{Closing, Execution, Order, OrderEvent, OrderNews, Purpose, Shares, TradeId, Usd};

/// An order on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// The order.
    pub order: Order,
    /// Whether the venue has said that it has it.
    pub accepted: bool,
    /// Why it stands no more, with all the shares that ever matched.
    pub closed: Option<(Closing, Shares)>,
    trades: BTreeMap<TradeId, Trade>,
}

/// One match, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq)]
struct Trade {
    /// `None` while only its end has been told.
    execution: Option<Execution>,
    state: State,
}

/// How far a match has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    #[default]
    Matched,
    Confirmed,
    Failed,
}

/// What news change about the position.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// They were known already: there is nothing to remember.
    Known,
    /// Something about the order, nothing about the position.
    Order,
    /// The position has this execution.
    Add(Execution),
    /// The position has it no more.
    Remove(Execution),
    /// The position has the second instead of the first.
    Replace(Execution, Execution),
}

impl Sent {
    /// An order of which nothing has been said.
    #[must_use]
    pub const fn new(order: Order) -> Self {
        Self { order, accepted: false, closed: None, trades: BTreeMap::new() }
    }

    /// Takes one piece of news in.
    pub fn take_in(&mut self, what: &OrderEvent) -> Change {
        match what {
            OrderEvent::Accepted => {
                let news = if self.accepted { Change::Known } else { Change::Order };
                self.accepted = true;
                news
            }
            OrderEvent::Filled(execution) => {
                let trade = self.trades.entry(execution.trade.clone()).or_default();
                if trade.execution.is_some() {
                    return Change::Known;
                }
                trade.execution = Some(execution.clone());
                if trade.state == State::Failed { Change::Order } else { Change::Add(execution.clone()) }
            }
            OrderEvent::Corrected(execution) => self.correct(execution),
            OrderEvent::Confirmed(trade) => self.reach(trade, State::Confirmed),
            OrderEvent::Failed(trade) => self.reach(trade, State::Failed),
            OrderEvent::Closed { why, matched } => match &mut self.closed {
                // All that ever matched can only grow, whichever word comes last.
                Some((_, known)) if *matched <= *known => Change::Known,
                Some((_, known)) => {
                    *known = *matched;
                    Change::Order
                }
                None => {
                    self.closed = Some((why.clone(), *matched));
                    Change::Order
                }
            },
        }
    }

    fn correct(&mut self, execution: &Execution) -> Change {
        let trade = self.trades.entry(execution.trade.clone()).or_default();
        match (trade.execution.replace(execution.clone()), trade.state) {
            (_, State::Failed) => Change::Order,
            (None, _) => Change::Add(execution.clone()),
            // That it is so is worth remembering, too.
            (Some(known), _) if known == *execution => Change::Order,
            (Some(known), _) => Change::Replace(known, execution.clone()),
        }
    }

    fn reach(&mut self, trade: &TradeId, state: State) -> Change {
        let new = !self.trades.contains_key(trade);
        let trade = self.trades.entry(trade.clone()).or_default();
        if !new && state <= trade.state {
            return Change::Known;
        }
        trade.state = state;
        match &trade.execution {
            Some(execution) if state == State::Failed => Change::Remove(execution.clone()),
            _ => Change::Order,
        }
    }

    /// Shares of all the matches told, whether or not they settled.
    #[must_use]
    pub fn told(&self) -> Shares {
        self.executions().map(|(execution, _)| execution.shares).sum()
    }

    /// How many matches were told.
    #[must_use]
    pub fn matches(&self) -> usize {
        self.executions().count()
    }

    /// What is known of a match.
    #[must_use]
    pub fn execution(&self, trade: &TradeId) -> Option<&Execution> {
        self.trades.get(trade)?.execution.as_ref()
    }

    /// Whether it stands no more and all of its matches are known: nothing is reserved for it any longer.
    #[must_use]
    pub fn is_done(&self) -> bool {
        // The venue rounds what it says of sizes; a rest below a hundredth of a share is no missing match.
        self.closed.as_ref().is_some_and(|(_, matched)| *matched - self.told() < Shares::DUST)
    }

    /// Whether nothing more can change: it is done and each match is confirmed or failed.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.is_done()
            && self.trades.values().all(|trade| trade.execution.is_some() && trade.state != State::Matched)
    }

    /// Whether it may still match at the venue.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.closed.is_none()
    }

    /// Dollars that it may still cost.
    #[must_use]
    pub fn reserved(&self) -> Usd {
        if self.is_done() {
            return Usd::ZERO;
        }
        let used: Usd = self.executions().map(|(execution, _)| execution.usd + execution.fee).sum();
        (self.order.most() - used).max(Usd::ZERO)
    }

    /// Shares that it may still sell.
    #[must_use]
    pub fn on_offer(&self) -> Shares {
        if self.is_done() { Shares::ZERO } else { (self.order.offered() - self.told()).max(Shares::ZERO) }
    }

    /// What is left of an order that rests: shares at its limit that have not matched.
    #[must_use]
    pub fn resting(&self) -> Shares {
        if self.is_live() {
            (self.order.shares_at_limit() - self.told()).max(Shares::ZERO)
        } else {
            Shares::ZERO
        }
    }

    /// Shares bought that may still turn out not to be ours.
    #[must_use]
    pub fn provisional(&self) -> Shares {
        if self.order.purpose != Purpose::Enter {
            return Shares::ZERO;
        }
        self.executions()
            .filter(|(_, state)| *state == State::Matched)
            .map(|(execution, _)| execution.shares)
            .sum()
    }

    /// All that was said of it, as news that make the same of a new one.
    pub fn news(&self) -> impl Iterator<Item = OrderNews> {
        let accepted = self.accepted.then_some(OrderEvent::Accepted);
        let filled = self.executions().map(|(execution, _)| OrderEvent::Filled(execution.clone()));
        let ends = self.trades.iter().filter_map(|(id, trade)| match trade.state {
            State::Matched => None,
            State::Confirmed => Some(OrderEvent::Confirmed(id.clone())),
            State::Failed => Some(OrderEvent::Failed(id.clone())),
        });
        let closed =
            self.closed.clone().map(|(why, matched)| OrderEvent::Closed { why, matched }).into_iter();
        let (order, at) = (self.order.id, self.order.at);
        accepted.into_iter().chain(filled).chain(ends).chain(closed).map(move |what| OrderNews {
            order,
            at,
            what,
        })
    }

    fn executions(&self) -> impl Iterator<Item = (&Execution, State)> {
        self.trades.values().filter_map(|trade| Some((trade.execution.as_ref()?, trade.state)))
    }
}
