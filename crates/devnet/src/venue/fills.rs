//! What rests in a market: the world's levels less what outside orders took of them, and outside orders, in
//! order of price and time; and which of it an order meets.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use domain::{Level, Price, Shares, Side};

use super::Venue;
use super::order::Order;
use crate::board::{Board, Listed};
use crate::world::Rung;

/// Both sides of the first outcome's book, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) bids: Vec<Level>,
    pub(crate) asks: Vec<Level>,
}

impl Depth {
    /// The other outcome's: who bids for one sells the other.
    pub(crate) fn mirrored(&self) -> Self {
        let turn = |side: &[Level]| {
            side.iter().map(|level| Level { price: level.price.complement(), shares: level.shares }).collect()
        };
        Self { bids: turn(&self.asks), asks: turn(&self.bids) }
    }

    pub(crate) fn best_bid(&self) -> Option<Price> {
        self.bids.first().map(|level| level.price)
    }

    pub(crate) fn best_ask(&self) -> Option<Price> {
        self.asks.first().map(|level| level.price)
    }
}

/// Something that rests, as an order meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) whose: Whose,
    /// In terms of the taker's outcome.
    pub(super) price: Price,
    /// Millionths of a share.
    pub(super) micros: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    World,
    Outside(B256),
}

/// The first outcome's side and price that an order of any outcome stands on, or looks for.
pub(super) fn in_first_terms(outcome: usize, side: Side, price: Price) -> (Side, Price) {
    if outcome == 0 { (side, price) } else { (opposite(side), price.complement()) }
}

pub(super) const fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

impl Venue {
    pub(super) fn open_orders(&self, wallet: alloy_primitives::Address) -> impl Iterator<Item = &Order> {
        let resting = self.resting.values().flatten();
        let waiting = self.delayed.iter().map(|(_, id)| id);
        let orders = resting.chain(waiting).filter_map(|id| self.orders.get(id));
        orders.filter(move |order| order.wallet == wallet)
    }

    /// A market's resting orders on one side of its first outcome, the oldest first.
    pub(super) fn outside(&self, market: usize, side: Side) -> impl Iterator<Item = (&Order, Price)> {
        let ids = self.resting.get(&market).into_iter().flatten();
        ids.filter_map(|id| self.orders.get(id)).filter_map(move |order| {
            let (stands, price) = in_first_terms(order.outcome, order.side, order.price);
            (stands == side).then_some((order, price))
        })
    }

    /// What the world still offers at one side of the first outcome, best first.
    pub(super) fn world_levels(&self, board: &Board, market: usize, side: Side) -> Vec<(Price, i64)> {
        let Some(ladder) = board.ladder(market) else { return Vec::new() };
        let rungs: &[Rung] = match side {
            Side::Buy => &ladder.bids,
            Side::Sell => &ladder.asks,
        };
        let level = |rung: &Rung| {
            let price = crate::world::price(rung.cents)?;
            let eaten = self.eaten.get(&(market, side, price.ppm())).copied().unwrap_or(0);
            (rung.micros > eaten).then_some((price, rung.micros - eaten))
        };
        rungs.iter().filter_map(level).collect()
    }

    /// The whole book of a market's first outcome; `None` where it has none.
    pub(crate) fn depth(&self, board: &Board, market: usize) -> Option<Depth> {
        board.ladder(market)?;
        if self.is_the_worlds(market) {
            let side = |side: Side| {
                let levels = self.world_levels(board, market, side).into_iter();
                levels.map(|(price, micros)| Level { price, shares: Shares::from_micros(micros) }).collect()
            };
            return Some(Depth { bids: side(Side::Buy), asks: side(Side::Sell) });
        }
        let side = |side: Side| {
            let mut levels: BTreeMap<u32, i64> = BTreeMap::new();
            for (price, micros) in self.world_levels(board, market, side) {
                *levels.entry(price.ppm()).or_default() += micros;
            }
            for (order, price) in self.outside(market, side) {
                *levels.entry(price.ppm()).or_default() += order.remaining();
            }
            let level = |(ppm, micros): (u32, i64)| {
                Some(Level { price: Price::from_ppm(ppm)?, shares: Shares::from_micros(micros) })
            };
            levels.into_iter().filter_map(level).collect::<Vec<_>>()
        };
        let mut bids = side(Side::Buy);
        bids.reverse();
        Some(Depth { bids, asks: side(Side::Sell) })
    }

    /// Whether nothing of outside orders rests in a market.
    fn is_the_worlds(&self, market: usize) -> bool {
        self.resting.get(&market).is_none_or(Vec::is_empty)
    }

    /// What an order would meet now, best price first and at a price the oldest first, until it has what it wants.
    pub(super) fn meets(&self, board: &Board, market: &Listed, order: &Order) -> Vec<Hit> {
        let (wants, limit) = in_first_terms(order.outcome, order.side, order.price);
        let rests = opposite(wants);
        let reaches = |price: Price| match wants {
            Side::Buy => price <= limit,
            Side::Sell => price >= limit,
        };
        let mut queue = self.queue(board, market.id, rests);
        queue.retain(|(price, _, _)| reaches(*price));
        let mut left = order.clone();
        let mut hits = Vec::new();
        for (price, whose, micros) in queue {
            let price = if order.outcome == 0 { price } else { price.complement() };
            let taken = left.wanted_at(price).min(micros);
            if taken <= 0 {
                break;
            }
            left.take(taken, price);
            hits.push(Hit { whose, price, micros: taken });
        }
        hits
    }

    /// One side of the first outcome, in the order in which it is served.
    fn queue(&self, board: &Board, market: usize, side: Side) -> Vec<(Price, Whose, i64)> {
        let mut world: BTreeMap<u32, i64> = self
            .world_levels(board, market, side)
            .into_iter()
            .map(|(price, micros)| (price.ppm(), micros))
            .collect();
        let mut queue = Vec::new();
        for (order, price) in self.outside(market, side) {
            // What stood there before it is served before it.
            if let Some(there) = world.get_mut(&price.ppm()) {
                let first = order.ahead.min(*there);
                if first > 0 {
                    queue.push((price, Whose::World, first));
                    *there -= first;
                }
            }
            queue.push((price, Whose::Outside(order.id), order.remaining()));
        }
        let rest = world.into_iter().filter(|(_, micros)| *micros > 0);
        queue.extend(rest.filter_map(|(ppm, micros)| Some((Price::from_ppm(ppm)?, Whose::World, micros))));
        // Stable: within a price the order of time stays.
        queue.sort_by(|(one, ..), (other, ..)| match side {
            Side::Sell => one.cmp(other),
            Side::Buy => other.cmp(one),
        });
        queue
    }

    /// Millionths of a share of the world's at an order's own price: it came after them.
    pub(super) fn ahead_of(&self, board: &Board, order: &Order) -> i64 {
        let (side, price) = in_first_terms(order.outcome, order.side, order.price);
        let there = self.world_levels(board, order.market, side);
        there.into_iter().find(|(other, _)| *other == price).map_or(0, |(_, micros)| micros)
    }
}

impl Order {
    /// So many shares of it matched at a price.
    pub(super) fn take(&mut self, micros: i64, price: Price) {
        self.matched += micros;
        if let super::order::Want::Dollars { left, .. } = &mut self.want {
            let spent = Shares::from_micros(micros).at(price, domain::Rounding::Up);
            *left = (*left - spent.micros()).max(0);
        }
    }
}
