//! What a trade of the venue's means for one of our orders: shares, dollars and fee.

use alloy_primitives::B256;
use decision::venue::taker_fee;
use domain::{Execution, Order, Price, Rounding, Shares, Side, TradeId, Usd};
use polymarket::trading::{Trade, TradeLeg};

/// What `order`, known to the venue by `hash`, got of a trade; `None` where it had no part in it.
///
/// The venue tells no dollars and no fee. The dollars are those of the resting orders it met, which are exact, or
/// where these do not add up those of its average price. A maker pays no fee; a taker pays the market's, as far as can
/// be told before the chain says what it was.
pub(crate) fn execution(trade: &Trade, hash: B256, order: &Order) -> Option<Execution> {
    let leg = trade.leg_of(hash)?;
    if !leg.shares.is_positive() {
        return None;
    }
    let is_taker = trade.taker_order == hash;
    let usd = if is_taker {
        met(trade).unwrap_or_else(|| worth(leg.shares, leg.price, leg.side))
    } else {
        worth(leg.shares, leg.price, leg.side)
    };
    let fee = match Price::average(usd, leg.shares).filter(|_| is_taker) {
        Some(average) => taker_fee(leg.shares, average, order.fee_rate_ppm),
        None => Usd::ZERO,
    };
    Some(Execution { trade: TradeId(trade.id.clone()), shares: leg.shares, usd, fee })
}

/// Dollars of the resting orders that the taker met; `None` where they are not told, or not all.
fn met(trade: &Trade) -> Option<Usd> {
    let TradeLeg { token, side, shares, .. } = trade.taker;
    let in_all: Shares = trade.makers.iter().map(|maker| maker.leg.shares).sum();
    if in_all != shares {
        return None;
    }
    // Who bought the other outcome at 0.40 sold this one at 0.60, as far as the taker is concerned.
    let price = |leg: &TradeLeg| if leg.token == token { leg.price } else { leg.price.complement() };
    Some(trade.makers.iter().map(|maker| worth(maker.leg.shares, price(&maker.leg), side)).sum())
}

/// The exchange rounds against whom the dollars come from.
fn worth(shares: Shares, price: Price, side: Side) -> Usd {
    shares.at(
        price,
        match side {
            Side::Buy => Rounding::Up,
            Side::Sell => Rounding::Down,
        },
    )
}
