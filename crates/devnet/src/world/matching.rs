//! The exchange: a taker's order meets resting ones, shares and dollars change hands, and the contracts
//! write down who got what.

use alloy_primitives::B256;
use domain::{ChainEvent, Exchange, Fee, Fill, MICRO, Price, Role, Rounding, Shares, Side, Usd, Wallet};
use polygon::contracts::{FEE_RECEIVER, NEG_RISK_ADAPTER, exchange_address};
use polygon::encode::{self, LogBody};

use super::custody::{self, COLLATERAL_ADAPTER};
use super::dice::{Dice, whole};
use super::ladder::{LOT, Ladder};
use super::market::SimMarket;
use super::people::{Kind, People};
use super::tx::Tx;

/// How far an order walks the book, in cents beyond the best price.
const REACH: u32 = 3;

/// A trade as the tape shows it: no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The market's id.
    pub market: usize,
    /// The taker's outcome.
    pub outcome: usize,
    /// The taker's side.
    pub side: Side,
    /// The average price for that outcome.
    pub price: Price,
    /// Shares.
    pub shares: Shares,
    /// The transaction.
    pub tx: B256,
}

/// What a taker wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) person: usize,
    pub(crate) outcome: usize,
    pub(crate) side: Side,
    pub(crate) size: Size,
    /// Cents by which it misses the best price: who is careless pays more.
    pub(crate) worse_by: u32,
}

/// How much a taker wants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    /// Dollars' worth.
    Usd(f64),
    /// Millionths of a share.
    Shares(i64),
}

/// A resting order that is hit.
struct Hit {
    person: usize,
    side: Side,
    outcome: usize,
    /// Cents for its own outcome.
    cents: u32,
    micros: i64,
}

impl Hit {
    /// Exact: a hundredth of a share at whole cents is a whole number of millionths of a dollar.
    fn usd(&self) -> i64 {
        self.micros / 100 * i64::from(self.cents)
    }
}

/// Matches an order against the book at `at`; `None` where nothing of it can be matched.
pub(crate) fn execute(
    market: &mut SimMarket,
    people: &People,
    dice: &mut Dice,
    order: Order,
    at: domain::Timestamp,
) -> Option<(Tx, Trade)> {
    let hits = hit_levels(market, people, dice, order, at);
    let micros: i64 = hits.iter().map(|hit| hit.micros).sum();
    if micros == 0 {
        return None;
    }
    // A maker on the same side as the taker has the other outcome: together they pay, or get, a dollar a set.
    let usd: i64 =
        hits.iter().map(|hit| if hit.side == order.side { hit.micros - hit.usd() } else { hit.usd() }).sum();
    let minted: i64 = hits.iter().filter(|hit| hit.side == order.side).map(|hit| hit.micros).sum();
    settle(market, order, &hits, micros);
    let average = Price::average(Usd::from_micros(usd), Shares::from_micros(micros))?;
    market.last_price = Some(if order.outcome == 0 { average } else { average.complement() });
    market.volume += Usd::from_micros(usd);
    push(market, (order.side, order.outcome), usd, at);
    let tx = write(market, people, dice, order, &hits, (micros, usd, minted))?;
    let (shares, outcome, side) = (Shares::from_micros(micros), order.outcome, order.side);
    let trade = Trade { market: market.id, outcome, side, price: average, shares, tx: tx.hash };
    Some((tx, trade))
}

/// Walks the book of the order's outcome from its best price.
fn hit_levels(
    market: &SimMarket,
    people: &People,
    dice: &mut Dice,
    order: Order,
    at: domain::Timestamp,
) -> Vec<Hit> {
    let first = Ladder::of(market, at);
    let ladder = if order.outcome == 0 { first } else { first.mirrored() };
    let rungs = match order.side {
        Side::Buy => ladder.asks,
        Side::Sell => ladder.bids,
    };
    let mut left = order.size;
    let mut hits = Vec::new();
    for rung in rungs.iter().skip(order.worse_by as usize).take(1 + REACH as usize) {
        let wanted = match left {
            Size::Usd(usd) => whole(usd * 10_000.0 / f64::from(rung.cents)) * LOT,
            Size::Shares(micros) => micros / LOT * LOT,
        };
        let taken = wanted.min(rung.micros);
        if taken < LOT {
            break;
        }
        // A big level is several orders of several makers.
        let pieces = if taken > 200 * MICRO && dice.chance(0.35) { 2 } else { 1 };
        let first_piece = if pieces == 2 { taken / 100 * 60 / LOT * LOT } else { taken };
        for micros in [first_piece, taken - first_piece] {
            if micros > 0 {
                hits.push(resting(market, people, dice, order, (rung.cents, micros), &hits));
            }
        }
        left = match left {
            Size::Usd(usd) => Size::Usd(usd - f64::from(rung.cents) * shares(taken) / 100.0),
            Size::Shares(micros) => Size::Shares(micros - taken),
        };
    }
    hits
}

/// Whose resting order it is: mostly a maker's, now and then somebody's limit order.
fn resting(
    market: &SimMarket,
    people: &People,
    dice: &mut Dice,
    order: Order,
    (cents, micros): (u32, i64),
    before: &[Hit],
) -> Hit {
    let somebody = if dice.chance(0.08) { dice.pick(&people.noise) } else { None };
    let somebody = somebody.filter(|person| **person != order.person);
    let person = somebody.or_else(|| dice.pick(&market.makers)).copied().unwrap_or(0);
    // The same shares cannot be sold twice in one match.
    let spent: i64 = before.iter().filter(|hit| hit.person == person).map(|hit| hit.micros).sum();
    let other = 1 - order.outcome;
    let has = |outcome| market.held(person, outcome) - spent >= micros;
    let (side, outcome) = match order.side {
        Side::Buy if has(order.outcome) => (Side::Sell, order.outcome),
        Side::Buy => (Side::Buy, other),
        Side::Sell if has(other) && dice.chance(0.5) => (Side::Sell, other),
        Side::Sell => (Side::Buy, order.outcome),
    };
    let cents = if outcome == order.outcome { cents } else { 100 - cents };
    Hit { person, side, outcome, cents, micros }
}

fn settle(market: &mut SimMarket, order: Order, hits: &[Hit], micros: i64) {
    let signed = |side, micros: i64| if side == Side::Buy { micros } else { -micros };
    market.give(order.person, order.outcome, signed(order.side, micros));
    for hit in hits {
        market.give(hit.person, hit.outcome, signed(hit.side, hit.micros));
    }
}

/// What an outsider's trade does to a market beyond the shares.
pub(super) fn feel(market: &mut SimMarket, trade: &Trade, at: domain::Timestamp) {
    let usd = trade.shares.at(trade.price, Rounding::Nearest);
    market.last_price = Some(if trade.outcome == 0 { trade.price } else { trade.price.complement() });
    market.volume += usd;
    push(market, (trade.side, trade.outcome), usd.micros(), at);
}

/// A trade moves the price by up to half a cent, the more the bigger it is.
fn push(market: &mut SimMarket, (side, outcome): (Side, usize), usd: i64, at: domain::Timestamp) {
    let towards_first = (side == Side::Buy) == (outcome == 0);
    let strength = 0.02 * (shares(usd) / 4_000.0).sqrt().min(1.0);
    market.press(if towards_first { strength } else { -strength }, at);
}

/// What the contracts emit: every maker's row, the fee, the taker's row, the match.
fn write(
    market: &SimMarket,
    people: &People,
    dice: &mut Dice,
    order: Order,
    hits: &[Hit],
    (micros, usd, minted): (i64, i64, i64),
) -> Option<Tx> {
    let exchange = market.exchange;
    let venue = Wallet(exchange_address(exchange)?);
    let taker = people.get(order.person).wallet;
    let mut tx = Tx::default();
    if minted > 0
        && let Some(log) = set_log(market, order.side, minted)
    {
        tx.note(log);
    }
    for hit in hits {
        let fill = Fill {
            exchange,
            wallet: people.get(hit.person).wallet,
            counterparty: taker,
            role: Role::Maker,
            side: hit.side,
            token: market.tokens[hit.outcome],
            shares: Shares::from_micros(hit.micros),
            usd: Usd::from_micros(hit.usd()),
            fee: Fee::NONE,
        };
        tx.tell(encode::order_filled(&fill, dice.word())?, ChainEvent::Fill(fill));
    }
    let fee = taker_fee(micros, usd, market.fee_rate_ppm);
    if fee.is_positive() {
        tx.note(encode::fee_charged(exchange, Wallet(FEE_RECEIVER), fee)?);
    }
    let token = market.tokens[order.outcome];
    let (shares, usd) = (Shares::from_micros(micros), Usd::from_micros(usd));
    let (wallet, side) = (taker, order.side);
    let hash = dice.word();
    let fill = Fill {
        exchange,
        wallet,
        counterparty: venue,
        role: Role::Taker,
        side,
        token,
        shares,
        usd,
        fee: Fee::Usd(fee),
    };
    tx.tell(encode::order_filled(&fill, hash)?, ChainEvent::Fill(fill));
    tx.note(encode::orders_matched(exchange, hash, wallet, side, token, shares, usd)?);
    tx.hash = dice.word();
    Some(tx)
}

/// The sets the exchange makes or takes apart in a match. On the chain the adapter does it, not a trader.
fn set_log(market: &SimMarket, side: Side, micros: i64) -> Option<LogBody> {
    let (_, collateral) = market.ctf()?;
    let adapter = match market.exchange {
        Exchange::V2NegRisk => NEG_RISK_ADAPTER,
        _ => COLLATERAL_ADAPTER,
    };
    let (adapter, amount) = (Wallet(adapter), Shares::from_micros(micros));
    match side {
        Side::Buy => encode::position_split(adapter, collateral, market.condition, amount),
        Side::Sell => encode::positions_merge(adapter, collateral, market.condition, amount),
    }
}

/// `shares * rate * p * (1 - p)` at the average price, to the nearest hundred-thousandth of a dollar, as the
/// venue's fee page has it.
pub(crate) fn taker_fee(micros: i64, usd: i64, rate_ppm: u32) -> Usd {
    let (shares, usd) = (i128::from(micros), i128::from(usd));
    if shares == 0 {
        return Usd::ZERO;
    }
    let grain = shares * i128::from(MICRO) * 10;
    let grains = (i128::from(rate_ppm) * usd * (shares - usd) + grain / 2) / grain;
    Usd::from_micros(i64::try_from(grains * 10).unwrap_or(0))
}

/// How somebody reaches the conditional tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Under their own name.
    Direct,
    /// Through the adapter, whose name stands there instead.
    Adapter,
}

/// A maker turns dollars into both outcomes, to have something to sell.
pub(crate) fn split(
    market: &mut SimMarket,
    people: &People,
    dice: &mut Dice,
    (person, way): (usize, Way),
    micros: i64,
) -> Option<Tx> {
    // Only on binary markets of the conditional tokens do wallets split by themselves here.
    let (_, collateral) = market.ctf().filter(|_| market.exchange == Exchange::V2)?;
    let (wallet, amount) = (people.get(person).wallet, Shares::from_micros(micros));
    let condition = market.condition;
    let mut tx = match way {
        Way::Adapter => custody::split(market, wallet, amount)?,
        Way::Direct => {
            let mut tx = Tx::default();
            let log = encode::position_split(wallet, collateral, condition, amount)?;
            tx.tell(log, ChainEvent::Split { wallet, condition, amount });
            tx
        }
    };
    market.give(person, 0, micros);
    market.give(person, 1, micros);
    tx.hash = dice.word();
    Some(tx)
}

/// A maker turns pairs it has collected back into dollars.
pub(crate) fn merge(
    market: &mut SimMarket,
    people: &People,
    dice: &mut Dice,
    (person, way): (usize, Way),
) -> Option<Tx> {
    let (_, collateral) = market.ctf().filter(|_| market.exchange == Exchange::V2)?;
    let pairs = market.held(person, 0).min(market.held(person, 1)) / 2 / LOT * LOT;
    if pairs < 500 * MICRO || people.get(person).kind != Kind::Maker {
        return None;
    }
    let (wallet, amount) = (people.get(person).wallet, Shares::from_micros(pairs));
    let condition = market.condition;
    let mut tx = match way {
        Way::Adapter => custody::merge(market, wallet, amount)?,
        Way::Direct => {
            let mut tx = Tx::default();
            let log = encode::positions_merge(wallet, collateral, condition, amount)?;
            tx.tell(log, ChainEvent::Merge { wallet, condition, amount });
            tx
        }
    };
    market.give(person, 0, -pairs);
    market.give(person, 1, -pairs);
    tx.hash = dice.word();
    Some(tx)
}

#[expect(clippy::cast_precision_loss, reason = "sizes of orders need no more than 53 bits")]
pub(crate) fn shares(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::taker_fee;

    #[test]
    fn the_fee_is_the_venues() {
        // The venue's own table: a hundred shares at even odds; and the first fee seen on the chain.
        assert_eq!(taker_fee(100_000_000, 50_000_000, 70_000).to_string(), "1.75");
        assert_eq!(taker_fee(100_000_000, 50_000_000, 40_000).to_string(), "1");
        assert_eq!(taker_fee(10_000_000, 8_000_000, 72_000).to_string(), "0.1152");
        // Less than half a hundred-thousandth is nothing.
        assert_eq!(taker_fee(10_000, 100, 40_000).to_string(), "0");
        assert_eq!(taker_fee(10_000_000, 5_000_000, 0).to_string(), "0");
        assert_eq!(taker_fee(1_230_000, 405_900, 50_000).to_string(), "0.0136");
    }
}
