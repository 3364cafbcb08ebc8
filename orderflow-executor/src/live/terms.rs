//! An approved order in the venue's own terms.

use domain::{Market, Order, Rounding, Shares, Side, Size, Tick, TimeInForce, Timestamp};
use polymarket::trading::{Lifetime, OrderRules, OrderTerms, Quantity, TermsError};

/// The venue takes no expiration that is nearer.
const LEAST_STANDING: i64 = 2 * Timestamp::MINUTE;

/// The terms and rules of an order. The grid is as the book has it now, which is newer than the market's; `least` are the
/// fewest shares of an order in this market.
///
/// # Errors
/// Where the market and the token contradict each other.
pub(super) fn terms(
    order: &Order,
    market: &Market,
    (tick, least): (Tick, Shares),
    now: Timestamp,
) -> Result<(OrderTerms, OrderRules), TermsError> {
    // A sale of what little is left is no order that rests: the venue's own rule for it is a dollar's worth or none,
    // and it says so itself.
    let least = match order.size {
        Size::Sell(_) if order.force == TimeInForce::Fak => Shares::from_micros(10_000),
        _ => least,
    };
    let rules = OrderRules { tick, ..OrderRules::of(market, order.token, least)? };
    // A limit that has fallen off the grid moves to the side on which it binds more.
    let rounding = match order.side() {
        Side::Buy => Rounding::Down,
        Side::Sell => Rounding::Up,
    };
    let limit = order.limit.on_tick(tick, rounding);
    let lifetime = match order.force {
        TimeInForce::Fak => Lifetime::FillAndKill,
        TimeInForce::PostOnly { until } => {
            Lifetime::Until { expires: until.max(now.plus_micros(LEAST_STANDING)), post_only: true }
        }
        TimeInForce::Gtd { until } => {
            Lifetime::Until { expires: until.max(now.plus_micros(LEAST_STANDING)), post_only: false }
        }
    };
    let quantity = match order.size {
        Size::Sell(shares) => Quantity::Shares(shares),
        Size::Spend(usd) if lifetime.is_immediate() => Quantity::Spend(usd),
        Size::Spend(usd) => Quantity::Shares(usd.buys_at(limit)),
    };
    Ok((OrderTerms { token: order.token, side: order.side(), limit, quantity, lifetime }, rules))
}
