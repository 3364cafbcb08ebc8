//! The life of an order: taken in, matched, resting, filled by whoever comes, cancelled, expired.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use domain::{Price, Rounding, Shares, Side, Timestamp, Wallet};
use serde_json::{Value, json};

use super::checks::{check_marketable, not_enough};
use super::events::OrderNews;
use super::fills::{Hit, Whose, in_first_terms};
use super::keys::ApiKey;
use super::order::{Order, OrderStatus, OrderType, Placed, PlacedStatus, Want, Wish};
use super::trade::{Match, Party, TradeStatus, Who};
use super::{Refusal, Venue};
use crate::board::{Board, Listed};
use crate::world::taker_fee;

const FOK_KILLED: &str = "order couldn't be fully filled. FOK orders are fully filled or killed.";
const FAK_KILLED: &str = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.";

/// A good-till-date order is taken out so many seconds early.
const EARLY: i64 = 60;

impl Venue {
    /// How long an order is held before it may trade at once, in milliseconds; whatever is wrong with it is said
    /// before.
    pub(crate) fn hold(
        &self,
        wish: &Wish,
        key: &ApiKey,
        board: &Board,
        now: Timestamp,
    ) -> Result<u64, Refusal> {
        let order = self.check(wish, key, board, now)?;
        let market = board.by_id(order.market);
        Ok(market.map_or(0, |market| if order.post_only { 0 } else { market.hold_ms }))
    }

    /// Takes an order in and matches it.
    pub(crate) fn place(
        &mut self,
        wish: &Wish,
        key: &ApiKey,
        board: &Board,
        now: Timestamp,
    ) -> Result<Placed, Refusal> {
        let order = self.check(wish, key, board, now)?;
        let Some(market) = board.by_id(order.market).cloned() else {
            return Err(Refusal::not_found("market not found"));
        };
        let hits = self.meets(board, &market, &order);
        if order.post_only && !hits.is_empty() {
            return Err(Refusal::bad("invalid post-only order: order crosses book"));
        }
        if !hits.is_empty() || !order.order_type.rests() {
            check_marketable(&order)?;
        }
        if market.seconds_delay > 0 && !hits.is_empty() {
            return Ok(self.delay(order, market.seconds_delay, now));
        }
        self.execute(order, &market, hits, board, now)
    }

    fn delay(&mut self, mut order: Order, seconds: u32, now: Timestamp) -> Placed {
        order.status = OrderStatus::Delayed;
        let id = order.id;
        self.delayed.push((now.plus_micros(i64::from(seconds) * 1_000_000), id));
        self.orders.insert(id, order);
        Placed { id, status: PlacedStatus::Delayed, gave: 0, got: 0, trades: Vec::new() }
    }

    /// Matches an order with what it meets; what is left of it rests or ends, as its type has it.
    fn execute(
        &mut self,
        mut order: Order,
        market: &Listed,
        hits: Vec<Hit>,
        board: &Board,
        now: Timestamp,
    ) -> Result<Placed, Refusal> {
        let killed = match order.order_type {
            OrderType::Fok if !fills(&order, &hits) => Some(FOK_KILLED),
            OrderType::Fak if hits.is_empty() => Some(FAK_KILLED),
            _ => None,
        };
        if let Some(why) = killed {
            order.status = OrderStatus::Canceled(why);
            let id = order.id;
            self.orders.insert(id, order);
            self.tell_order(id, OrderNews::Cancellation, board);
            return Err(Refusal::bad(why));
        }
        let id = order.id;
        let (mut gave, mut got) = (0, 0);
        if !hits.is_empty() {
            let (taker, makers) = self.sides(&order, market, &hits);
            let needs = -taker.changes().0;
            let has = self.free_cash(order.wallet);
            if order.side == Side::Buy && has < needs {
                return Err(not_enough(has, needs));
            }
            (gave, got) = match order.side {
                Side::Buy => (taker.usd, taker.micros),
                Side::Sell => (taker.micros, taker.usd),
            };
            for hit in &hits {
                order.take(hit.micros, hit.price);
            }
            self.orders.insert(id, order.clone());
            self.commit(market, taker, makers, board, now);
            order.trades = self.orders.get(&id).map(|order| order.trades.clone()).unwrap_or_default();
        }
        let trades = order.trades.clone();
        let status = if hits.is_empty() { PlacedStatus::Live } else { PlacedStatus::Matched };
        let ends = order.remaining() <= 0 || matches!(order.want, Want::Dollars { left: 0, .. });
        if ends {
            order.status = OrderStatus::Matched;
        } else if order.order_type.rests() {
            order.status = OrderStatus::Live;
            order.ahead = self.ahead_of(board, &order);
            self.resting.entry(order.market).or_default().push(id);
            self.touched.insert(order.market);
        } else {
            order.status = OrderStatus::Canceled("the rest of a FAK order is killed");
        }
        let news = match order.status {
            OrderStatus::Live => OrderNews::Placement,
            OrderStatus::Canceled(_) => OrderNews::Cancellation,
            _ => OrderNews::Update,
        };
        self.orders.insert(id, order);
        self.tell_order(id, news, board);
        Ok(Placed { id, status, gave, got, trades })
    }

    /// Both sides of a match, with what each gives and gets.
    fn sides(&mut self, order: &Order, market: &Listed, hits: &[Hit]) -> (Party, Vec<Party>) {
        let makers: Vec<Party> = hits
            .iter()
            .filter_map(|hit| {
                let mut maker = match hit.whose {
                    Whose::Outside(id) => Party::of(self.orders.get(&id)?, hit.micros),
                    Whose::World => self.somebody(market, order, hit)?,
                };
                maker.usd = Shares::from_micros(hit.micros).at(maker.price, Rounding::Down).micros();
                Some(maker)
            })
            .collect();
        let micros = makers.iter().map(|maker| maker.micros).sum();
        let mut taker = Party::of(order, micros);
        // Two buyers, or two sellers, of both outcomes share a dollar a set.
        let of = |maker: &Party| if maker.side == taker.side { maker.micros - maker.usd } else { maker.usd };
        taker.usd = makers.iter().map(of).sum();
        taker.fee = taker_fee(taker.micros, taker.usd, market.fee_rate_ppm).micros();
        (taker, makers)
    }

    /// One of the world's makers behind a level: always with an order that needs nothing but dollars.
    fn somebody(&mut self, market: &Listed, order: &Order, hit: &Hit) -> Option<Party> {
        let (outcome, price) = match order.side {
            Side::Buy => (1 - order.outcome, hit.price.complement()),
            Side::Sell => (order.outcome, hit.price),
        };
        self.person(market, outcome, Side::Buy, price, hit.micros)
    }

    /// A side of one of the market's makers, in turn.
    pub(super) fn person(
        &mut self,
        market: &Listed,
        outcome: usize,
        side: Side,
        price: Price,
        micros: i64,
    ) -> Option<Party> {
        let order = self.fresh_word();
        let turn = usize::try_from(self.names).unwrap_or(0).checked_rem(market.makers.len())?;
        let (person, wallet) = market.makers[turn];
        let Wallet(wallet) = wallet;
        Some(Party {
            order,
            wallet,
            who: Who::Person(person),
            outcome,
            token: market.tokens[outcome],
            side,
            price,
            micros,
            usd: 0,
            fee: 0,
            metadata: B256::ZERO,
            builder: B256::ZERO,
        })
    }

    /// Writes a match down, claims what it moves, and tells those who have a part in it.
    pub(super) fn commit(
        &mut self,
        market: &Listed,
        taker: Party,
        makers: Vec<Party>,
        board: &Board,
        now: Timestamp,
    ) {
        let index = self.matches.len();
        let one = Match {
            id: self.fresh_uuid(),
            market: market.id,
            condition: market.condition,
            exchange: market.exchange,
            taker,
            makers,
            at: now,
            updated: now,
            status: TradeStatus::Matched,
            fate: self.controls.next_settlement(),
            tx: None,
            block: None,
        };
        for party in one.parties() {
            if let Some(account) = self.accounts.get_mut(&party.wallet) {
                account.claim(party);
            }
            if let Some(order) = self.orders.get_mut(&party.order) {
                order.trades.push(one.id.clone());
            }
        }
        for maker in one.makers.iter().filter(|maker| matches!(maker.who, Who::Person(_))) {
            // It stands on its own side of the first outcome's book.
            let (side, price) = in_first_terms(maker.outcome, maker.side, maker.price);
            *self.eaten.entry((market.id, side, price.ppm())).or_default() += maker.micros;
        }
        let met: Vec<(B256, i64)> = one.makers.iter().map(|maker| (maker.order, maker.micros)).collect();
        self.matches.push(one);
        self.unsettled.push(index);
        self.touched.insert(market.id);
        for (id, micros) in met {
            self.fill_resting(id, micros, board);
        }
        self.tell_match(index, board);
    }

    /// So much of a resting order matched.
    fn fill_resting(&mut self, id: B256, micros: i64, board: &Board) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        let price = order.price;
        order.take(micros, price);
        order.ahead = 0;
        if order.remaining() <= 0 {
            order.status = OrderStatus::Matched;
            let market = order.market;
            self.leave_book(market, id);
        }
        self.tell_order(id, OrderNews::Update, board);
    }

    fn leave_book(&mut self, market: usize, id: B256) {
        if let Some(resting) = self.resting.get_mut(&market) {
            resting.retain(|other| *other != id);
        }
        self.touched.insert(market);
    }

    /// Whether anything waits for its time.
    pub(crate) fn has_clocks(&self) -> bool {
        !self.delayed.is_empty() || !self.beats.is_empty() || self.resting.values().any(|ids| !ids.is_empty())
    }

    /// What is due: delayed orders, expiries, keys that fell silent.
    pub(crate) fn tick(&mut self, board: &Board, now: Timestamp) {
        let due: Vec<B256> = self.delayed.iter().filter(|(at, _)| *at <= now).map(|(_, id)| *id).collect();
        self.delayed.retain(|(at, _)| *at > now);
        for id in due {
            self.release(id, board, now);
        }
        let is_over = |order: &&Order| {
            order.order_type == OrderType::Gtd && order.expiration.saturating_sub(EARLY) <= now.seconds()
        };
        let over: Vec<B256> = self.resting_orders().filter(is_over).map(|order| order.id).collect();
        for id in over {
            self.end(id, OrderStatus::Canceled("expired"), board);
        }
        for key in self.take_silent(now) {
            let ids: Vec<B256> =
                self.resting_orders().filter(|order| order.key == key).map(|order| order.id).collect();
            for id in ids {
                self.end(id, OrderStatus::Canceled("heartbeat missed"), board);
            }
        }
    }

    /// The end of an order's taker delay.
    fn release(&mut self, id: B256, board: &Board, now: Timestamp) {
        let Some(mut order) = self.orders.get(&id).cloned() else { return };
        let market = board.by_id(order.market).filter(|market| board.is_open(market.id)).cloned();
        let Some(market) = market else {
            return self.end(id, OrderStatus::CanceledMarketResolved, board);
        };
        order.status = OrderStatus::Live;
        let hits = self.meets(board, &market, &order);
        // Nobody waits for the answer any more: the order's own status says it.
        if self.execute(order, &market, hits, board, now).is_err()
            && self.orders.get(&id).is_some_and(Order::is_open)
        {
            self.end(id, OrderStatus::Canceled("not enough balance / allowance"), board);
        }
    }

    pub(super) fn resting_orders(&self) -> impl Iterator<Item = &Order> {
        self.resting.values().flatten().filter_map(|id| self.orders.get(id))
    }

    /// Takes an order out of the book.
    fn end(&mut self, id: B256, status: OrderStatus, board: &Board) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        order.status = status;
        let market = order.market;
        self.leave_book(market, id);
        self.tell_order(id, OrderNews::Cancellation, board);
    }

    /// The market is answered: nothing rests there any more.
    pub(crate) fn end_market(&mut self, market: usize, board: &Board) {
        for id in self.resting.remove(&market).unwrap_or_default() {
            self.end(id, OrderStatus::CanceledMarketResolved, board);
        }
    }

    /// Cancels what can be, of what was named; the answer names all of it.
    pub(crate) fn cancel(&mut self, ids: &[B256], owner: Address, board: &Board) -> Value {
        let (mut canceled, mut not_canceled) = (Vec::new(), BTreeMap::new());
        for id in ids {
            let why = match self.orders.get(id).filter(|order| order.owner == owner) {
                None => Some("order can't be found - already canceled or matched"),
                Some(order) => match order.status {
                    OrderStatus::Live => None,
                    OrderStatus::Delayed => Some("the order is delayed and can't be canceled"),
                    OrderStatus::Matched => Some("matched orders can't be canceled"),
                    OrderStatus::Canceled(_) | OrderStatus::CanceledMarketResolved => {
                        Some("the order is already canceled")
                    }
                },
            };
            if let Some(why) = why {
                not_canceled.insert(id.to_string(), why);
            } else {
                self.end(*id, OrderStatus::Canceled("user"), board);
                canceled.push(*id);
            }
        }
        json!({"canceled": canceled, "not_canceled": not_canceled})
    }

    /// The resting orders of a key's owner that `is_meant` names.
    pub(crate) fn resting_of(&self, owner: Address, is_meant: impl Fn(&Order) -> bool) -> Vec<B256> {
        let orders = self.resting_orders().filter(|order| order.owner == owner && is_meant(order));
        orders.map(|order| order.id).collect()
    }
}

/// Whether an order gets all it wants.
fn fills(order: &Order, hits: &[Hit]) -> bool {
    let mut left = order.clone();
    for hit in hits {
        left.take(hit.micros, hit.price);
    }
    match left.want {
        // Less than a hundredth of a share is not to be had.
        Want::Dollars { left, .. } => left < 10_000,
        Want::Shares(all) => left.matched >= all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::TokenId;

    #[test]
    fn what_is_good_till_a_date_leaves_a_minute_early() {
        let (mut venue, board) = (Venue::new(1), Board::default());
        let at = Timestamp::from_seconds;
        let order = Order {
            id: B256::repeat_byte(1),
            key: String::new(),
            owner: Address::ZERO,
            wallet: Address::ZERO,
            market: 0,
            outcome: 0,
            token: TokenId(alloy_primitives::U256::from(7)),
            side: Side::Buy,
            price: Price::from_ppm(500_000).unwrap(),
            want: Want::Shares(5_000_000),
            matched: 0,
            order_type: OrderType::Gtd,
            post_only: false,
            expiration: 1_000,
            created: at(0),
            status: OrderStatus::Live,
            ahead: 0,
            metadata: B256::ZERO,
            builder: B256::ZERO,
            trades: Vec::new(),
        };
        let id = order.id;
        venue.orders.insert(id, order);
        venue.resting.insert(0, vec![id]);
        venue.tick(&board, at(939));
        assert_eq!(venue.orders[&id].status, OrderStatus::Live);
        venue.tick(&board, at(940));
        assert_eq!(venue.orders[&id].status, OrderStatus::Canceled("expired"));
        assert_eq!(venue.resting_orders().count(), 0);
    }
}
