//! The paper venue's rules: what it takes, what matches at once, what rests, and when what rests is filled.

use domain::{
    Book, Closing, Execution, Fill, Order, OrderEvent, OrderNews, Price, Rounding, Shares, Side, Size,
    TimeInForce, Timestamp, TradeId, Usd,
};

use super::{Purchase, walk, walk_bids};
use crate::risk::Approved;
use crate::sent::Sent;

/// The smallest purchase that may match at once (docs.polymarket.com/trading/orders).
const MIN_MARKETABLE: Usd = Usd::whole(1);
/// The fewest shares that may rest.
const MIN_RESTING: Shares = Shares::whole(5);

/// What an approved order comes to in the book as it stands when the order arrives. News of matches come first, what
/// ends the order last; what rests ends with `Accepted`.
#[must_use]
pub fn execute(order: &Approved<Order>, book: &Book, at: Timestamp) -> Vec<OrderNews> {
    let order = order.get();
    let news = |what| OrderNews { order: order.id, at, what };
    let rejected = |reason: &str| {
        let why = Closing::Rejected { reason: reason.to_owned() };
        vec![news(OrderEvent::Closed { why, matched: Shares::ZERO })]
    };
    if order.limit.on_tick(book.tick, Rounding::Down) != order.limit {
        return rejected("the price is not on the market's grid");
    }
    let crosses = match order.side() {
        Side::Buy => book.best_ask().is_some_and(|ask| ask <= order.limit),
        Side::Sell => book.best_bid().is_some_and(|bid| order.limit <= bid),
    };
    if crosses && matches!(order.force, TimeInForce::PostOnly { .. }) {
        return rejected("it would match at once, and is post-only");
    }
    if crosses && matches!(order.size, Size::Spend(stake) if stake < MIN_MARKETABLE) {
        return rejected("a purchase that matches at once is for a dollar at least");
    }
    if order.force != TimeInForce::Fak && order.shares_at_limit() < MIN_RESTING {
        return rejected("an order that may rest is for five shares at least");
    }
    if order.force.until().is_some_and(|until| until <= at) {
        return rejected("its time is over");
    }
    let taken = match order.size {
        Size::Spend(stake) => walk(book, order.limit, stake, order.fee_rate_ppm),
        Size::Sell(shares) => walk_bids(book, order.limit, shares, order.fee_rate_ppm),
    };
    let mut told = vec![];
    if taken.shares.is_positive() {
        told.extend(matched(order.id, 1, taken, at));
    }
    told.push(match (order.force, is_all(order, taken)) {
        (TimeInForce::Fak, false) => news(OrderEvent::Closed { why: Closing::Killed, matched: taken.shares }),
        (_, true) => news(OrderEvent::Closed { why: Closing::Matched, matched: taken.shares }),
        (_, false) => news(OrderEvent::Accepted),
    });
    told
}

/// Whether nothing is left that any level could take: no share to sell, or less money than a share's millionth costs.
fn is_all(order: &Order, taken: Purchase) -> bool {
    match order.size {
        Size::Spend(stake) => !(stake - taken.usd).buys_at(order.limit).is_positive(),
        Size::Sell(shares) => shares <= taken.shares,
    }
}

/// A match on paper, which settles at once.
fn matched(order: i64, number: usize, taken: Purchase, at: Timestamp) -> [OrderNews; 2] {
    let trade = TradeId(format!("paper-{order}-{number}"));
    let Purchase { shares, usd, fee } = taken;
    let execution = Execution { trade: trade.clone(), shares, usd, fee };
    [OrderEvent::Filled(execution), OrderEvent::Confirmed(trade)].map(|what| OrderNews { order, at, what })
}

/// An order that rests on paper.
#[derive(Clone, Copy, Debug)]
pub struct Resting<'order>(&'order Sent);

impl<'order> Resting<'order> {
    /// That order, if it rests.
    #[must_use]
    pub fn new(sent: &'order Sent) -> Option<Self> {
        (sent.is_live() && sent.accepted && sent.order.force != TimeInForce::Fak).then_some(Self(sent))
    }

    /// What a print does to it. Nobody knows how many stood before it in the queue, so that only a print through its
    /// limit fills it, and no further than the print was large.
    #[must_use]
    pub fn on_print(self, fill: &Fill, at: Timestamp) -> Vec<OrderNews> {
        let (sent, order) = (self.0, &self.0.order);
        let through = |price: Price| match order.side() {
            Side::Buy => price < order.limit,
            Side::Sell => order.limit < price,
        };
        if fill.token != order.token || !fill.price().is_some_and(through) {
            return vec![];
        }
        let left = sent.resting();
        let shares = left.min(fill.shares);
        if !shares.is_positive() {
            return vec![];
        }
        // It buys at its limit, and a maker pays no fee (docs.polymarket.com/trading/fees).
        let rounding = match order.side() {
            Side::Buy => Rounding::Up,
            Side::Sell => Rounding::Down,
        };
        let taken = Purchase { shares, usd: shares.at(order.limit, rounding), fee: Usd::ZERO };
        let mut told = matched(order.id, sent.matches() + 1, taken, at).to_vec();
        if shares == left {
            let what = OrderEvent::Closed { why: Closing::Matched, matched: sent.told() + shares };
            told.push(OrderNews { order: order.id, at, what });
        }
        told
    }

    /// Whether its time is over.
    #[must_use]
    pub fn on_time(self, at: Timestamp) -> Option<OrderNews> {
        let is_over = self.0.order.force.until().is_some_and(|until| until <= at);
        is_over.then(|| self.close(Closing::Expired, at))
    }

    /// Takes it back.
    #[must_use]
    pub fn cancel(self, at: Timestamp) -> OrderNews {
        self.close(Closing::Cancelled, at)
    }

    fn close(self, why: Closing, at: Timestamp) -> OrderNews {
        OrderNews { order: self.0.order.id, at, what: OrderEvent::Closed { why, matched: self.0.told() } }
    }
}
