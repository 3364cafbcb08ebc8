//! Our own positions, what they are worth, and what the day has brought.

mod held;
mod losses;

use std::collections::BTreeMap;

use domain::{
    ConditionId, Day, Order, OrderNews, Payouts, Position, Price, Purpose, Rounding, Settlement, Shares,
    Timestamp, TokenId, Usd,
};

use crate::limits::Limits;
use crate::policy::Policy;
use crate::record::Record;
use crate::sent::{Change, Sent};
use held::Held;
pub use losses::Losses;

/// Positions, orders on their way, and the day's account.
#[derive(Clone, Debug, PartialEq)]
pub struct Portfolio {
    start: Usd,
    /// The result of the positions that are over for good.
    archived: Usd,
    positions: BTreeMap<i64, Held>,
    /// Orders about which something may still become known: exposure counts from approval.
    orders: BTreeMap<i64, Sent>,
    /// The last print of each token that is held.
    prints: BTreeMap<TokenId, Price>,
    /// The best bid of each token that is held, where a book said it.
    bids: BTreeMap<TokenId, Price>,
    day: Option<Day>,
    losses: Losses,
    /// Until when the day's loss stops entries.
    pub halted_until: Option<Timestamp>,
}

/// What a portfolio is rebuilt from after a restart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holdings {
    /// The result of the positions that are over for good.
    pub realized: Usd,
    /// The positions that are open, or have ended while something may still become known of their orders.
    pub positions: Vec<Kept>,
    /// The orders about which something may still become known.
    pub orders: Vec<Sent>,
    /// The last print of the tokens held.
    pub prints: Vec<(TokenId, Price)>,
    /// The best bid of the tokens held, where a book said it.
    pub bids: Vec<(TokenId, Price)>,
    /// The account of the current day.
    pub day: Option<Day>,
    /// The losses in a row.
    pub losses: Losses,
    /// Until when the day's loss stops entries.
    pub halted_until: Option<Timestamp>,
}

/// A position as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The position.
    pub position: Position,
    /// How it ended, if it has.
    pub ended: Option<Settlement>,
}

impl Portfolio {
    /// A portfolio as it stood.
    #[must_use]
    pub fn restore(bankroll: Usd, holdings: Holdings) -> Self {
        let mut portfolio = Self {
            start: bankroll,
            archived: holdings.realized,
            positions: holdings.positions.into_iter().map(|kept| (kept.position.id, kept.into())).collect(),
            orders: holdings.orders.into_iter().map(|sent| (sent.order.id, sent)).collect(),
            prints: holdings.prints.into_iter().collect(),
            bids: holdings.bids.into_iter().collect(),
            day: holdings.day,
            losses: holdings.losses,
            halted_until: holdings.halted_until,
        };
        // A position of which nothing has been bought yet is kept as nothing but its order.
        for sent in portfolio.orders.values() {
            if sent.order.purpose == Purpose::Enter {
                portfolio.positions.entry(sent.order.position).or_insert_with(|| Held::ordered(&sent.order));
            }
        }
        portfolio
    }

    /// What has been won or lost so far, as if every open position were sold at the best bid.
    #[must_use]
    pub fn result(&self) -> Usd {
        self.archived + self.positions.values().map(|held| held.result(self.mark_of(held.token()))).sum()
    }

    /// What has been won or lost with what was sold or paid out.
    #[must_use]
    pub fn realized(&self) -> Usd {
        self.archived + self.positions.values().map(Held::realized).sum()
    }

    /// Dollars that are in no position and no order.
    #[must_use]
    pub fn free_cash(&self) -> Usd {
        let flow: Usd = self.positions.values().map(Held::cash_flow).sum();
        self.start + self.archived + flow - self.reserved()
    }

    /// Dollars that orders on their way may still cost.
    #[must_use]
    pub fn reserved(&self) -> Usd {
        self.orders.values().map(Sent::reserved).sum()
    }

    /// What is in positions at cost, and in orders on their way at most.
    #[must_use]
    pub fn exposure(&self) -> Usd {
        self.reserved() + self.positions.values().map(Held::at_cost).sum()
    }

    /// What can still be lost in some markets: all that positions are worth now, and all that orders on their way may cost.
    #[must_use]
    pub fn at_risk(&self, counts: impl Fn(ConditionId) -> bool) -> Usd {
        let worth = |held: &Held| held.worth(self.mark_of(held.token())).max(Usd::ZERO);
        let held = self.positions.values().filter(|held| counts(held.position.condition)).map(worth);
        let ordered = self.orders.values().filter(|sent| counts(sent.order.condition)).map(Sent::reserved);
        held.sum::<Usd>() + ordered.sum()
    }

    /// What the day has lost so far, marked to the bids; below zero for a gain.
    #[must_use]
    pub fn day_loss(&self) -> Usd {
        self.day.map_or(Usd::ZERO, |day| day.result - self.result())
    }

    /// The bankroll that stakes are parts of today.
    #[must_use]
    pub fn bankroll(&self) -> Usd {
        self.day.map_or_else(|| self.prudent_worth(), |day| day.bankroll)
    }

    /// Dollars, with each open position at what it cost or at what it would bring now, whichever is less: a gain that is not
    /// realised raises no stake, and a loss that is not realised is one.
    fn prudent_worth(&self) -> Usd {
        let lost = |held: &Held| (held.at_cost() - held.worth(self.mark_of(held.token()))).max(Usd::ZERO);
        self.start + self.realized() - self.positions.values().map(lost).sum()
    }

    /// Positions open, those whose entry is on its way, and those whose sale may still be taken back.
    #[must_use]
    pub fn slots_taken(&self) -> usize {
        self.occupied().count()
    }

    /// Those of them in some markets.
    #[must_use]
    pub fn slots_where(&self, counts: impl Fn(ConditionId) -> bool) -> usize {
        self.occupied().filter(|held| counts(held.position.condition)).count()
    }

    /// Whether a position is in this event, an entry on its way, or a sale that may still be taken back.
    #[must_use]
    pub fn holds_event(&self, event: &str) -> bool {
        self.occupied().any(|held| held.position.event == event)
    }

    /// The positions of which shares are held.
    pub fn open(&self) -> impl Iterator<Item = &Position> {
        self.positions.values().filter(|held| held.is_open()).map(|held| &held.position)
    }

    /// The numbers of all positions, those whose entry is on its way among them.
    pub fn positions(&self) -> impl Iterator<Item = i64> {
        self.positions.keys().copied()
    }

    /// A position of which shares are held.
    #[must_use]
    pub fn held(&self, id: i64) -> Option<&Position> {
        self.positions.get(&id).filter(|held| held.is_open()).map(|held| &held.position)
    }

    /// The orders about which something may still become known.
    pub fn orders(&self) -> impl Iterator<Item = &Sent> {
        self.orders.values()
    }

    /// How many shares of a position can be sold: those surely ours that are not on offer already.
    #[must_use]
    pub fn sellable(&self, position: i64) -> Shares {
        let held = self.held(position).map_or(Shares::ZERO, Position::shares);
        let bound: Shares = self
            .orders
            .values()
            .filter(|sent| sent.order.position == position)
            .map(|sent| sent.provisional() + sent.on_offer())
            .sum();
        (held - bound).max(Shares::ZERO)
    }

    /// Whether a loss too many in a row stops entries.
    #[must_use]
    pub fn cooling_until(&self, at: Timestamp) -> Option<(u32, Timestamp)> {
        self.losses.cooling(at)
    }

    /// The best bid of a token that is held, where a book said it; else its last print.
    #[must_use]
    pub fn mark_of(&self, token: TokenId) -> Option<Price> {
        self.bids.get(&token).or_else(|| self.prints.get(&token)).copied()
    }

    /// Begins a new UTC day if one has begun.
    pub fn roll_day(&mut self, at: Timestamp) -> Option<Record> {
        if self.day.is_some_and(|day| at.day() <= day.number) {
            return None;
        }
        let day = Day { number: at.day(), result: self.result(), bankroll: self.prudent_worth() };
        self.day = Some(day);
        Some(Record::Day(day))
    }

    /// Takes in which event a condition belongs to: a market's first description may not have told it, and what is
    /// held must count where it belongs.
    pub fn regroup(&mut self, condition: ConditionId, event: &str) {
        for held in self.positions.values_mut().filter(|held| held.position.condition == condition) {
            if held.position.event != event {
                event.clone_into(&mut held.position.event);
            }
        }
    }

    /// Takes a print of a token, if it is held.
    pub fn print(&mut self, token: TokenId, price: Price) {
        if self.is_held(token) {
            self.prints.insert(token, price);
        }
    }

    /// Takes the best bid of a token, if it is held, or that its book is not known any more.
    pub fn bid(&mut self, token: TokenId, bid: Option<Price>) -> Option<Record> {
        if !self.is_held(token) {
            return None;
        }
        let before = match bid {
            Some(bid) => self.bids.insert(token, bid),
            None => self.bids.remove(&token),
        };
        (before != bid).then_some(Record::Bid { token, bid })
    }

    /// Reserves the exposure of an approved order.
    pub fn reserve(&mut self, order: Order) {
        if order.purpose == Purpose::Enter {
            self.positions.entry(order.position).or_insert_with(|| Held::ordered(&order));
        }
        self.orders.insert(order.id, Sent::new(order));
    }

    /// Takes in what the venue said of an order. `result` is what its market pays, where that is known already.
    pub fn take_in(&mut self, news: &OrderNews, result: Option<&Payouts>, limits: &Limits) -> Vec<Record> {
        let Some(sent) = self.orders.get_mut(&news.order) else {
            return vec![];
        };
        let (change, order) = (sent.take_in(&news.what), sent.order.clone());
        let mut records = vec![Record::News(news.clone())];
        match &change {
            Change::Known => return vec![],
            Change::Order => {}
            Change::Add(execution) | Change::Remove(execution) => {
                let held = self.positions.entry(order.position).or_insert_with(|| Held::ordered(&order));
                let is_added = matches!(change, Change::Add(_));
                records.push(held.change(order.side(), execution, is_added));
                if let Some(paid) = Price::average(execution.usd, execution.shares).filter(|_| is_added) {
                    self.prints.insert(order.token, paid);
                }
            }
            Change::Replace(told, settled) => {
                let held = self.positions.entry(order.position).or_insert_with(|| Held::ordered(&order));
                let _in_between = held.change(order.side(), told, false);
                records.push(held.change(order.side(), settled, true));
            }
        }
        records.extend(self.end(order.position, result, news.at, limits));
        records.extend(self.forget());
        records
    }

    /// Settles every position of a resolved condition.
    pub fn settle(
        &mut self,
        condition: ConditionId,
        payouts: &Payouts,
        at: Timestamp,
        limits: &Limits,
    ) -> Vec<Record> {
        let ids: Vec<i64> = self
            .positions
            .iter()
            .filter(|(_, held)| held.position.condition == condition)
            .map(|(id, _)| *id)
            .collect();
        let mut records: Vec<Record> =
            ids.into_iter().flat_map(|id| self.end(id, Some(payouts), at, limits)).collect();
        records.extend(self.forget());
        records
    }

    /// Stops entries for a day once the day has lost its limit.
    pub fn check_daily_loss(&mut self, policy: &Policy, at: Timestamp) -> Option<Record> {
        let loss = self.day_loss();
        let halted = self.halted_until.is_some_and(|until| at < until);
        if halted || loss < policy.daily_loss_limit {
            return None;
        }
        let until = at.plus_micros(Policy::HALT);
        self.halted_until = Some(until);
        Some(Record::Halt { until, loss })
    }

    /// Ends a position that has paid, or of which nothing is left, or finds that it has not ended after all.
    fn end(&mut self, id: i64, result: Option<&Payouts>, at: Timestamp, limits: &Limits) -> Vec<Record> {
        let is_moving = self.orders.values().any(|sent| sent.order.position == id && !sent.is_done());
        let Some(held) = self.positions.get_mut(&id) else {
            return vec![];
        };
        let before = held.ended;
        let Some(record) = held.end(result, is_moving, at) else {
            return vec![];
        };
        let losses = match (before, held.ended) {
            (None, Some(ended)) => self.losses.take_in(&ended, limits),
            (Some(ended), None) => self.losses.take_back(&ended),
            _ => None,
        };
        std::iter::once(record).chain(losses).collect()
    }

    /// Forgets what can change no more.
    fn forget(&mut self) -> Vec<Record> {
        let last = |sent: &Sent| Record::Final(sent.order.id);
        let records = self.orders.values().filter(|sent| sent.is_final()).map(last).collect();
        self.orders.retain(|_, sent| !sent.is_final());
        let orders = &self.orders;
        let mut over = Usd::ZERO;
        self.positions.retain(|id, held| {
            let stays = !held.is_over() || orders.values().any(|sent| sent.order.position == *id);
            if !stays {
                over += held.realized();
            }
            stays
        });
        self.archived += over;
        let (prints, bids, positions) = (&mut self.prints, &mut self.bids, &self.positions);
        let is_held = |token: &TokenId| positions.values().any(|held| held.token() == *token);
        prints.retain(|token, _| is_held(token));
        bids.retain(|token, _| is_held(token));
        records
    }

    /// Whether anything may still become known of a position.
    #[must_use]
    pub fn knows(&self, position: i64) -> bool {
        self.positions.contains_key(&position)
    }

    fn is_held(&self, token: TokenId) -> bool {
        self.positions.values().any(|held| held.token() == token && held.is_open())
    }

    /// Where nothing more may be begun. A sale that is not final can be taken back, and then its shares are there
    /// again: until it is, its position is not over for others. What a result paid does not come back.
    fn occupied(&self) -> impl Iterator<Item = &Held> {
        let is_moving = |id: i64| self.orders.values().any(|sent| sent.order.position == id);
        self.positions
            .iter()
            .filter(move |(id, held)| {
                held.is_open() && Shares::DUST <= held.position.shares()
                    || !held.is_resolved() && is_moving(**id)
            })
            .map(|(_, held)| held)
    }
}

/// What shares are worth at a price, rounded down.
fn worth(shares: Shares, price: Price) -> Usd {
    shares.at(price, Rounding::Down)
}
