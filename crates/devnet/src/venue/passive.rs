//! Resting orders, met by the world: its books move across them, and its takers reach them.

use alloy_primitives::B256;
use domain::{Price, Rounding, Shares, Side, Timestamp};

use super::Venue;
use super::fills::{in_first_terms, opposite};
use super::trade::Party;
use crate::board::{Board, Listed};
use crate::world::{Trade, taker_fee};

impl Venue {
    /// What the world's last moments do to resting orders: its books may have crossed them, and its takers reach
    /// them where they were better than what was traded, or stood in line at that price.
    pub(crate) fn world_moved(&mut self, board: &Board, trades: &[Trade], now: Timestamp) {
        self.touched.extend(self.eaten.drain().map(|((market, ..), _)| market));
        let markets: Vec<usize> = self.resting.keys().copied().collect();
        for id in markets {
            let Some(market) = board.by_id(id).cloned() else { continue };
            if market.winner.is_some() || !board.is_open(id) {
                self.end_market(id, board);
                continue;
            }
            for trade in trades.iter().filter(|trade| trade.market == id) {
                self.traded_past(&market, trade, board, now);
            }
            self.crossed(&market, board, now);
        }
    }

    fn crossed(&mut self, market: &Listed, board: &Board, now: Timestamp) {
        for side in [Side::Buy, Side::Sell] {
            let ids: Vec<(B256, Price, i64)> = self
                .outside(market.id, side)
                .map(|(order, price)| (order.id, price, order.remaining()))
                .collect();
            for (id, price, remaining) in ids {
                let there = self.world_levels(board, market.id, opposite(side)).into_iter();
                let crosses = |other: Price| if side == Side::Buy { other <= price } else { other >= price };
                let depth: i64 = there.filter(|(other, _)| crosses(*other)).map(|(_, micros)| micros).sum();
                self.passive(market, id, remaining.min(depth), board, now);
            }
        }
    }

    fn traded_past(&mut self, market: &Listed, trade: &Trade, board: &Board, now: Timestamp) {
        let (taker, at) = in_first_terms(trade.outcome, trade.side, trade.price);
        let mut left = trade.shares.micros();
        let side = opposite(taker);
        let mut ids: Vec<(B256, Price)> =
            self.outside(market.id, side).map(|(order, price)| (order.id, price)).collect();
        ids.sort_by(|(_, one), (_, other)| if side == Side::Buy { other.cmp(one) } else { one.cmp(other) });
        for (id, price) in ids {
            let Some(order) = self.orders.get_mut(&id) else { continue };
            let better = if side == Side::Buy { price > at } else { price < at };
            if !better && price != at {
                continue;
            }
            let before = if better { 0 } else { order.ahead.min(left) };
            order.ahead -= order.ahead.min(before);
            let filled = order.remaining().min(left - before);
            left -= before + filled.max(0);
            self.passive(market, id, filled, board, now);
        }
    }

    /// Somebody of the world takes from a resting order, at its price.
    fn passive(&mut self, market: &Listed, id: B256, micros: i64, board: &Board, now: Timestamp) {
        let Some(order) = self.orders.get(&id).filter(|_| micros > 0).cloned() else { return };
        // A buyer is met by a buyer of the other outcome, a seller by a buyer of its own: both need only dollars.
        let (outcome, price) = match order.side {
            Side::Buy => (1 - order.outcome, order.price.complement()),
            Side::Sell => (order.outcome, order.price),
        };
        let Some(mut taker) = self.person(market, outcome, Side::Buy, price, micros) else { return };
        let mut maker = Party::of(&order, micros);
        maker.usd = Shares::from_micros(micros).at(order.price, Rounding::Down).micros();
        taker.usd = if order.side == Side::Buy { micros - maker.usd } else { maker.usd };
        taker.fee = taker_fee(micros, taker.usd, market.fee_rate_ppm).micros();
        self.commit(market, taker, vec![maker], board, now);
    }
}
