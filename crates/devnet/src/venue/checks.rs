//! Everything an order must be before it is matched, and what the venue says where it is not.

use alloy_primitives::{B256, U256};
use domain::{Exchange, MICRO, Price, Rounding, Shares, Side, Timestamp, TokenId, Usd};

use super::account::Asset;
use super::keys::ApiKey;
use super::order::{Order, OrderStatus, OrderType, Want, Wish};
use super::{Refusal, Venue};
use crate::board::{Board, Listed};
use crate::world::taker_fee;

/// The smallest purchase that trades at once, in millionths of a dollar.
const MIN_MARKETABLE: i64 = MICRO;

/// A good-till-date order must have so many seconds before it.
const SHORTEST_LIFE: i64 = 180;

impl Venue {
    /// Reads an order as one of the venue's own; nothing is changed by that.
    pub(super) fn check(
        &self,
        wish: &Wish,
        key: &ApiKey,
        board: &Board,
        now: Timestamp,
    ) -> Result<Order, Refusal> {
        if wish.owner != key.id {
            return Err(Refusal::bad("the order owner has to be the owner of the API KEY"));
        }
        self.check_wallet(wish, key)?;
        let token = TokenId(wish.part.token);
        let no_book = || Refusal::not_found("No orderbook exists for the requested token id");
        let (market, outcome) = board.of_token(token).ok_or_else(no_book)?;
        let id = check_signature(wish, key, market)?;
        if self.orders.contains_key(&id) {
            return Err(Refusal::invalid(id, "Duplicated."));
        }
        if market.winner.is_some() || !board.is_open(market.id) {
            return Err(no_book());
        }
        self.check_standing(wish, market, token)?;
        check_life(wish, now)?;
        let (price, want) = read_amounts(wish, id, market)?;
        let order = Order {
            id,
            key: key.id.clone(),
            owner: key.owner,
            wallet: wish.part.maker,
            market: market.id,
            outcome,
            token,
            side: wish.part.side,
            price,
            want,
            matched: 0,
            order_type: wish.order_type,
            post_only: wish.post_only,
            expiration: wish.expiration,
            created: now,
            status: OrderStatus::Live,
            ahead: 0,
            metadata: wish.part.metadata,
            builder: wish.part.builder,
            trades: Vec::new(),
        };
        self.check_balance(&order, market)?;
        Ok(order)
    }

    /// Who spends, and who may sign for that.
    fn check_wallet(&self, wish: &Wish, key: &ApiKey) -> Result<(), Refusal> {
        use super::SignatureType::{Eoa, Poly1271, Proxy, Safe};
        let part = &wish.part;
        let known = self.account(part.maker).filter(|account| account.owner == key.owner);
        let signs = match part.kind {
            Eoa | Proxy | Safe => part.signer == key.owner,
            Poly1271 => part.signer == part.maker && known.is_some(),
        };
        if !signs {
            return Err(Refusal::bad("the order signer address has to be the address of the API KEY"));
        }
        let is_theirs = match part.kind {
            Eoa => part.maker == key.owner,
            Proxy | Safe | Poly1271 => known.is_some_and(|account| account.kind == part.kind),
        };
        if !is_theirs {
            return Err(Refusal::bad("maker address not allowed, please use the deposit wallet flow"));
        }
        Ok(())
    }

    /// Whether the wallet may do this now.
    fn check_standing(&self, wish: &Wish, market: &Listed, token: TokenId) -> Result<(), Refusal> {
        let Some(account) = self.account(wish.part.maker) else { return Ok(()) };
        let wallet = account.wallet;
        if account.banned {
            return Err(Refusal::bad(&format!("'{wallet}' address banned")));
        }
        // Who may only close may sell what there is, and nothing else.
        let closes = wish.part.side == Side::Sell && account.held(token) > 0;
        if account.closed_only && !closes {
            return Err(Refusal::bad(&format!("'{wallet}' address in closed only mode")));
        }
        let asset = if wish.part.side == Side::Buy { Asset::Dollars } else { Asset::Shares };
        if !account.allows(market.exchange, asset) {
            return Err(Refusal::bad(
                "not enough balance / allowance: the allowance is not enough -> allowance: 0",
            ));
        }
        Ok(())
    }

    /// Whether the wallet has what the order may give.
    fn check_balance(&self, order: &Order, market: &Listed) -> Result<(), Refusal> {
        let (has, needs) = match order.side {
            Side::Sell => (self.free_shares(order.wallet, order.token), order.remaining()),
            Side::Buy => {
                let shares = order.remaining();
                let cost = match order.want {
                    Want::Dollars { left, .. } => left,
                    Want::Shares(_) => Shares::from_micros(shares).at(order.price, Rounding::Up).micros(),
                };
                // What rests pays no fee.
                let fee = match order.order_type {
                    OrderType::Fok | OrderType::Fak => taker_fee(shares, cost, market.fee_rate_ppm).micros(),
                    OrderType::Gtc | OrderType::Gtd => 0,
                };
                (self.free_cash(order.wallet), cost.saturating_add(fee))
            }
        };
        if has < needs { Err(not_enough(has, needs)) } else { Ok(()) }
    }
}

/// In the venue's words, amounts in millionths.
pub(super) fn not_enough(has: i64, needs: i64) -> Refusal {
    Refusal::bad(&format!(
        "not enough balance / allowance: the balance is not enough -> balance: {}, order amount: {needs}",
        has.max(0)
    ))
}

/// A purchase that trades at once has to be worth the while.
pub(super) fn check_marketable(order: &Order) -> Result<(), Refusal> {
    let usd = match order.want {
        Want::Dollars { all, .. } => all,
        Want::Shares(all) => Shares::from_micros(all).at(order.price, Rounding::Down).micros(),
    };
    if order.side == Side::Buy && usd < MIN_MARKETABLE {
        let usd = Usd::from_micros(usd);
        return Err(Refusal::bad(&format!(
            "invalid amount for a marketable BUY order (${usd}), min size: $1"
        )));
    }
    Ok(())
}

fn check_signature(wish: &Wish, key: &ApiKey, market: &Listed) -> Result<B256, Refusal> {
    let part = &wish.part;
    let signed_for = |exchange| part.is_signed_by(key.owner, exchange, &wish.signature);
    if let Some(id) = part.id(market.exchange).filter(|_| signed_for(market.exchange)) {
        return Ok(id);
    }
    // Signed well, but for the wrong generation of contracts.
    let others: &[Exchange] = match market.exchange {
        Exchange::V3 => &[Exchange::V2, Exchange::V2NegRisk],
        _ => &[Exchange::V3],
    };
    let mistaken = others.iter().any(|exchange| signed_for(*exchange));
    Err(Refusal::bad(if mistaken { "order_version_mismatch" } else { "invalid signature" }))
}

fn check_life(wish: &Wish, now: Timestamp) -> Result<(), Refusal> {
    let lives = wish.expiration.saturating_sub(now.seconds());
    let is_right = match wish.order_type {
        OrderType::Gtd => lives >= SHORTEST_LIFE,
        OrderType::Gtc | OrderType::Fok | OrderType::Fak => wish.expiration == 0,
    };
    if !is_right {
        return Err(Refusal::bad("invalid expiration"));
    }
    if wish.post_only && !wish.order_type.rests() {
        return Err(Refusal::bad("invalid post-only order: only GTC and GTD orders can be post-only"));
    }
    Ok(())
}

/// Price and size of the signed amounts, on the market's grid and in the venue's precision.
fn read_amounts(wish: &Wish, id: B256, market: &Listed) -> Result<(Price, Want), Refusal> {
    let tick_ppm = market.tick_ppm;
    let amounts = [wish.part.maker_amount, wish.part.taker_amount].map(|amount: U256| {
        i64::try_from(amount).ok().filter(|micros| (1..=1_000_000_000_000_000).contains(micros))
    });
    let [Some(maker), Some(taker)] = amounts else {
        return Err(Refusal::bad("invalid amounts, maker and taker amounts must be positive"));
    };
    let (usd, shares) = match wish.part.side {
        Side::Buy => (maker, taker),
        Side::Sell => (taker, maker),
    };
    if wish.order_type.rests() {
        check_precision(shares, 10_000, usd, usd_grain(tick_ppm), "size")?;
    } else {
        check_precision(maker, 10_000, taker, 100, "maker")?;
    }
    let ppm = i128::from(usd) * i128::from(MICRO) / i128::from(shares);
    let shown = || Price::average(Usd::from_micros(usd), Shares::from_micros(shares));
    let off_grid = || {
        let price = shown().map_or_else(|| ppm.to_string(), |price| price.to_string());
        let tick = Usd::from_micros(i64::from(tick_ppm));
        Refusal::invalid(id, &format!("Price ({price}) breaks minimum tick size rule: {tick}"))
    };
    let price = on_grid(usd, shares, tick_ppm, wish.order_type.rests()).ok_or_else(off_grid)?;
    if shares < market.least.micros() && (wish.order_type.rests() || wish.part.side == Side::Sell) {
        let size = Shares::from_micros(shares);
        return Err(Refusal::invalid(id, &format!("Size ({size}) lower than the minimum: {}", market.least)));
    }
    let want = if !wish.order_type.rests() && wish.part.side == Side::Buy {
        Want::Dollars { all: usd, left: usd }
    } else {
        Want::Shares(shares)
    };
    Ok((price, want))
}

/// The finest step of dollars a tick's orders have: the venue's table of decimals.
const fn usd_grain(tick_ppm: u32) -> i64 {
    match tick_ppm {
        100_000 => 1_000,
        10_000 => 100,
        5_000 | 1_000 => 10,
        _ => 1,
    }
}

fn check_precision(
    first: i64,
    first_grain: i64,
    second: i64,
    second_grain: i64,
    name: &str,
) -> Result<(), Refusal> {
    if first % first_grain == 0 && second % second_grain == 0 {
        return Ok(());
    }
    let decimals = |grain: i64| 6 - grain.ilog10();
    let other = if name == "size" { "usd" } else { "taker" };
    Err(Refusal::bad(&format!(
        "invalid amounts, the {name} amount supports a max accuracy of {} decimals, {other} amount a max of {} decimals",
        decimals(first_grain),
        decimals(second_grain)
    )))
}

/// The price on the grid that the amounts mean. Where they are exact it is their quotient; the rounded amounts of
/// orders that trade at once miss it by less than the rounding of either amount explains.
fn on_grid(usd: i64, shares: i64, tick_ppm: u32, exact: bool) -> Option<Price> {
    let (usd, shares, tick) = (i128::from(usd), i128::from(shares), i128::from(tick_ppm));
    let scaled = usd * i128::from(MICRO);
    let ticks = (scaled + shares * tick / 2) / (shares * tick);
    let ppm = ticks * tick;
    let missed = (scaled - ppm * shares).abs();
    // A unit in the fourth decimal of either amount.
    let slack = if exact { 0 } else { 100 * ppm.max(i128::from(MICRO)) };
    let inside = (tick..=i128::from(MICRO) - tick).contains(&ppm);
    if missed > slack || !inside {
        return None;
    }
    u32::try_from(ppm).ok().and_then(Price::from_ppm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_lie_on_the_grid_or_are_refused() {
        let ppm = |usd, shares, tick, exact| on_grid(usd, shares, tick, exact).map(Price::ppm);
        assert_eq!(ppm(5_200_000, 10_000_000, 10_000, true), Some(520_000));
        assert_eq!(ppm(5_250_000, 10_000_000, 10_000, true), None);
        assert_eq!(ppm(5_250_000, 10_000_000, 1_000, true), Some(525_000));
        assert_eq!(ppm(5_200_001, 10_000_000, 10_000, true), None);
        // Ten dollars at 0.52, the shares rounded down to four decimals.
        assert_eq!(ppm(10_000_000, 19_230_700, 10_000, false), Some(520_000));
        assert_eq!(ppm(10_000_000, 19_230_700, 10_000, true), None);
        assert_eq!(ppm(10_000_000, 19_100_000, 10_000, false), None);
        // A whole tick must be left on either side.
        assert_eq!(ppm(10_000_000, 10_000_000, 10_000, true), None);
        assert_eq!(ppm(0, 10_000_000, 10_000, true), None);
    }
}
