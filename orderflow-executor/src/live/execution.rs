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

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;
    use domain::{ConditionId, Purpose, Size, TimeInForce, Timestamp, TokenId};
    use polymarket::trading::{MakerFill, TradeStatus};

    const OURS: B256 = B256::repeat_byte(1);

    fn token(number: u64) -> TokenId {
        TokenId(U256::from(number))
    }

    fn leg(token_number: u64, side: Side, shares: i32, price: &str) -> TradeLeg {
        TradeLeg {
            token: token(token_number),
            side,
            shares: Shares::whole(shares),
            price: price.parse().unwrap(),
        }
    }

    fn order() -> Order {
        Order {
            id: 1,
            position: 1,
            at: Timestamp::default(),
            condition: ConditionId::default(),
            event: String::new(),
            token: token(7),
            outcome: 0,
            limit: "0.7".parse().unwrap(),
            size: Size::Spend(Usd::whole(100)),
            force: TimeInForce::Fak,
            purpose: Purpose::Enter,
            fee_rate_ppm: 70_000,
        }
    }

    fn trade(taker_order: B256, taker: TradeLeg, makers: &[(B256, TradeLeg)]) -> Trade {
        Trade {
            id: "t".to_owned(),
            status: TradeStatus::Matched,
            condition: ConditionId::default(),
            taker_order,
            taker,
            makers: makers
                .iter()
                .map(|(order, leg)| MakerFill { order: *order, wallet: None, leg: *leg })
                .collect(),
            role: None,
            matched_at: None,
            updated_at: None,
            transaction: None,
            failure: None,
        }
    }

    /// Fifty shares from who sells them at 0.60, fifty made together with who buys the other outcome at 0.38.
    #[test]
    fn a_taker_pays_each_maker_its_price_and_the_fee_of_the_average() {
        let other = B256::repeat_byte(2);
        let makers = [(other, leg(7, Side::Sell, 50, "0.60")), (other, leg(8, Side::Buy, 50, "0.38"))];
        let trade = trade(OURS, leg(7, Side::Buy, 100, "0.61"), &makers);
        let got = execution(&trade, OURS, &order()).unwrap();
        assert_eq!((got.shares, got.usd), (Shares::whole(100), Usd::whole(61)));
        assert_eq!(got.fee, taker_fee(Shares::whole(100), "0.61".parse().unwrap(), 70_000));
        assert_eq!(execution(&trade, B256::repeat_byte(9), &order()), None);
    }

    /// Makers that do not add up say nothing: then the average price must do.
    #[test]
    fn where_makers_do_not_add_up_the_average_counts() {
        let makers = [(B256::repeat_byte(2), leg(7, Side::Sell, 50, "0.60"))];
        let trade = trade(OURS, leg(7, Side::Buy, 100, "0.61"), &makers);
        assert_eq!(execution(&trade, OURS, &order()).unwrap().usd, Usd::whole(61));
    }

    #[test]
    fn a_maker_gets_its_own_price_and_pays_no_fee() {
        let makers = [(OURS, leg(7, Side::Buy, 40, "0.55"))];
        let trade = trade(B256::repeat_byte(2), leg(7, Side::Sell, 100, "0.56"), &makers);
        let got = execution(&trade, OURS, &order()).unwrap();
        assert_eq!((got.shares, got.usd, got.fee), (Shares::whole(40), Usd::whole(22), Usd::ZERO));
    }
}
