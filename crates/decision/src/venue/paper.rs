//! The paper venue's rules: what it takes, what matches at once, what rests, and when what rests is filled.

use domain::{
    Book, Closing, Execution, Fill, Order, OrderEvent, OrderNews, Place, Price, Rounding, Shares, Side, Size,
    TimeInForce, Timestamp, TradeId, Usd,
};

use super::{Purchase, walk, walk_asks, walk_bids};
use crate::guards::VenueMode;
use crate::risk::Approved;
use crate::sent::Sent;

/// The smallest purchase that may match at once (docs.polymarket.com/trading/orders).
const MIN_MARKETABLE: Usd = Usd::whole(1);
/// The fewest shares of any other order, on every market seen: what counts where a market does not say.
pub const MIN_SHARES: Shares = Shares::whole(5);
/// An order at once is given in whole cents, or in whole hundredths of a share.
const HUNDREDTH: i64 = 10_000;
/// The venue takes no expiration that is nearer than two minutes, so that none is asked for.
const SHORTEST_STANDING: i64 = 2 * Timestamp::MINUTE;

/// What an order wants of the book, in the venue's own roundings.
#[derive(Clone, Copy)]
enum Wanted {
    /// As many shares as these dollars buy.
    For(Usd),
    /// So many shares.
    Shares(Shares),
}

impl Wanted {
    fn of(order: &Order) -> Self {
        match (order.size, order.force) {
            (Size::Spend(stake), TimeInForce::Fak) => {
                Self::For(Usd::from_micros(stake.micros() - stake.micros() % HUNDREDTH))
            }
            _ => Self::Shares(order.shares_at_limit()),
        }
    }

    /// What of it matches at once.
    fn taken(self, order: &Order, book: &Book) -> Purchase {
        match (self, order.side()) {
            (Self::For(stake), _) => walk(book, order.limit, stake, order.fee_rate_ppm),
            (Self::Shares(shares), Side::Buy) => walk_asks(book, order.limit, shares, order.fee_rate_ppm),
            (Self::Shares(shares), Side::Sell) => walk_bids(book, order.limit, shares, order.fee_rate_ppm),
        }
    }

    /// Whether nothing is left that any level could take: no share, or less money than a share's millionth costs.
    fn is_met(self, order: &Order, taken: Purchase) -> bool {
        match self {
            Self::For(stake) => !(stake - taken.usd).buys_at(order.limit).is_positive(),
            Self::Shares(shares) => shares <= taken.shares,
        }
    }

    /// Its dollars and its shares at the order's limit.
    fn at_limit(self, order: &Order) -> (Usd, Shares) {
        match self {
            Self::For(stake) => (stake, stake.buys_at(order.limit)),
            Self::Shares(shares) => (shares.at(order.limit, Rounding::Down), shares),
        }
    }
}

/// The end of an order that arrives while the venue takes none of its kind; `None` while it does.
#[must_use]
pub fn turned_away(order: &Approved<Order>, mode: VenueMode, at: Timestamp) -> Option<OrderNews> {
    let order = order.get();
    let reason = format!("the venue is {}", mode.name());
    (!mode.takes(order.force)).then(|| rejected(order, reason, at))
}

/// What an approved order comes to in the book as it stands when the order arrives. News of matches come first, what
/// ends the order last; what rests ends with `Accepted`.
#[must_use]
pub fn execute(order: &Approved<Order>, book: &Book, at: Timestamp) -> Vec<OrderNews> {
    execute_above(order, book, MIN_SHARES, at)
}

/// The same on a market whose orders must be for so many shares at `least`, where they rest or sell.
#[must_use]
pub fn execute_above(order: &Approved<Order>, book: &Book, least: Shares, at: Timestamp) -> Vec<OrderNews> {
    let order = order.get();
    let wanted = Wanted::of(order);
    if let Some(reason) = flaw(order, wanted, book, least, at) {
        return vec![rejected(order, reason, at)];
    }
    let taken = wanted.taken(order, book);
    let mut told = vec![];
    if taken.shares.is_positive() {
        // It arrives once, and so matches at once but once.
        let trade = TradeId(format!("paper-{}-1", order.id));
        told.extend(matched(order.id, trade, taken, at));
    }
    let what = match (order.force, wanted.is_met(order, taken)) {
        (TimeInForce::Fak, false) => OrderEvent::Closed { why: Closing::Killed, matched: taken.shares },
        (_, true) => OrderEvent::Closed { why: Closing::Matched, matched: taken.shares },
        (_, false) => OrderEvent::Accepted,
    };
    told.push(OrderNews { order: order.id, at, what });
    told
}

/// Whether an order would match in this book: then a market that holds back what takes holds it back, unless it must not
/// match at all.
#[must_use]
pub fn is_held_back(order: &Approved<Order>, book: &Book) -> bool {
    let order = order.get();
    crosses(order, book) && !matches!(order.force, TimeInForce::PostOnly { .. })
}

fn crosses(order: &Order, book: &Book) -> bool {
    match order.side() {
        Side::Buy => book.best_ask().is_some_and(|ask| ask <= order.limit),
        Side::Sell => book.best_bid().is_some_and(|bid| order.limit <= bid),
    }
}

/// Why the venue would not have an order.
fn flaw(order: &Order, wanted: Wanted, book: &Book, least: Shares, at: Timestamp) -> Option<String> {
    if order.limit.on_tick(book.tick, Rounding::Down) != order.limit {
        return Some("the price is not on the market's grid".to_owned());
    }
    let crosses = crosses(order, book);
    if crosses && matches!(order.force, TimeInForce::PostOnly { .. }) {
        return Some("it would match at once, and is post-only".to_owned());
    }
    let (usd, shares) = wanted.at_limit(order);
    let is_at_once = crosses || order.force == TimeInForce::Fak;
    if is_at_once && order.side() == Side::Buy && usd < MIN_MARKETABLE {
        return Some("a purchase that matches at once is for a dollar at least".to_owned());
    }
    let is_purchase_at_once = order.force == TimeInForce::Fak && order.side() == Side::Buy;
    if shares < least && !is_purchase_at_once {
        return Some(format!("an order that may rest, or sells, is for {least} shares at least"));
    }
    expiry(order).is_some_and(|until| until <= at).then(|| "its time is over".to_owned())
}

/// When an order that rests expires.
fn expiry(order: &Order) -> Option<Timestamp> {
    order.force.until().map(|until| until.max(order.at.plus_micros(SHORTEST_STANDING)))
}

fn rejected(order: &Order, reason: String, at: Timestamp) -> OrderNews {
    let why = Closing::Rejected { reason };
    OrderNews { order: order.id, at, what: OrderEvent::Closed { why, matched: Shares::ZERO } }
}

/// A match on paper, which settles at once.
fn matched(order: i64, trade: TradeId, taken: Purchase, at: Timestamp) -> [OrderNews; 2] {
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
    ///
    /// A print that is read a second time, because the process ended before its place was committed, does nothing more:
    /// its place names the match. What was not heard of the match before is told then.
    #[must_use]
    pub fn on_print(self, fill: &Fill, place: &Place, at: Timestamp) -> Vec<OrderNews> {
        let (sent, order) = (self.0, &self.0.order);
        let through = |price: Price| match order.side() {
            Side::Buy => price < order.limit,
            Side::Sell => order.limit < price,
        };
        if fill.token != order.token || !fill.price().is_some_and(through) {
            return vec![];
        }
        let trade = TradeId(format!("paper-{}-{}-{}", order.id, place.tx_hash, place.log_index));
        let known = sent.execution(&trade);
        let left = sent.resting() + known.map_or(Shares::ZERO, |known| known.shares);
        let shares = known.map_or_else(|| left.min(fill.shares), |known| known.shares);
        if !shares.is_positive() {
            return vec![];
        }
        // It buys at its limit, and a maker pays no fee (docs.polymarket.com/trading/fees).
        let rounding = match order.side() {
            Side::Buy => Rounding::Up,
            Side::Sell => Rounding::Down,
        };
        let taken = Purchase { shares, usd: shares.at(order.limit, rounding), fee: Usd::ZERO };
        let mut told = matched(order.id, trade, taken, at).to_vec();
        if shares == left {
            let what = OrderEvent::Closed { why: Closing::Matched, matched: order.shares_at_limit() };
            told.push(OrderNews { order: order.id, at, what });
        }
        told
    }

    /// Whether its time is over.
    #[must_use]
    pub fn on_time(self, at: Timestamp) -> Option<OrderNews> {
        let is_over = expiry(&self.0.order).is_some_and(|until| until <= at);
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
