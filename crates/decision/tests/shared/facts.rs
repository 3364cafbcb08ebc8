//! Facts of one market after the other, as the tests of the fold tell them.

use decision::Eligibility;
use domain::{
    ChainEvent, Exchange, Fact, Fee, Fill, Payouts, Price, Role, Rounding, Shares, Side, Timestamp, TokenId,
};

use crate::happened::fact;
use crate::nouns::{self, condition, wallet};

/// Whoever has decided once is rated.
pub(crate) const ANYONE: Eligibility = Eligibility { decisions: 1, events: 1, active_days: 1 };

/// The token of an outcome.
pub(crate) fn token(market: u32, outcome: u32) -> TokenId {
    nouns::token(10 * market + outcome)
}

/// A taker's fill of a market's first outcome, without fees.
pub(crate) fn fill(hour: i64, who: u32, market: u32, side: Side, shares: i32, cents: u32) -> Fact {
    let shares = Shares::whole(shares);
    let fill = Fill {
        exchange: Exchange::V2,
        wallet: wallet(who),
        counterparty: wallet(999),
        role: Role::Taker,
        side,
        token: token(market, 0),
        shares,
        usd: shares.at(Price::from_ppm(cents * 10_000).unwrap(), Rounding::Nearest),
        fee: Fee::NONE,
    };
    fact(hour, ChainEvent::Fill(fill))
}

/// The same, of either outcome and at a minute.
pub(crate) fn fill_of(
    minute: i64,
    who: u32,
    (market, outcome): (u32, u32),
    side: Side,
    shares: i32,
    cents: u32,
) -> Fact {
    let mut fact = fill(0, who, market, side, shares, cents);
    fact.place.block_time = Timestamp::from_micros(minute * Timestamp::MINUTE);
    if let ChainEvent::Fill(fill) = &mut fact.event {
        fill.token = token(market, outcome);
    }
    fact
}

/// A market's result.
pub(crate) fn resolution(hour: i64, market: u32, winner: usize) -> Fact {
    let payouts = Payouts::winner(winner, 2).unwrap();
    fact(hour, ChainEvent::Resolution { condition: condition(market), payouts })
}
