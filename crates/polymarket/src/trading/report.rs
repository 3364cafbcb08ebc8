//! What the venue reports of our orders and trades, read from either of its borders.

use alloy_primitives::B256;
use domain::{ConditionId, Price, Role, Shares, Side, Timestamp, TokenId, TxHash, Wallet};

use crate::wire::Number;
use crate::wire::clob::read_condition;
use crate::wire::private::{MakerBody, OrderBody, TradeBody};

/// An order as the venue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its id, the hash it was signed with.
    pub hash: B256,
    /// Where it stands.
    pub status: OrderStatus,
    /// The condition.
    pub condition: ConditionId,
    /// The token.
    pub token: TokenId,
    /// Which way.
    pub side: Side,
    /// The limit.
    pub price: Option<Price>,
    /// Shares asked for.
    pub size: Option<Shares>,
    /// Shares matched so far; `None` where the venue leaves it empty, as it does for orders it killed.
    pub matched: Option<Shares>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it expires.
    pub expires: Option<Timestamp>,
    /// The ids of the trades it matched in, as far as they are told.
    pub trades: Vec<String>,
}

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// It rests.
    Live,
    /// It waits out a delay.
    Delayed,
    /// All that could match has.
    Matched,
    /// It waited, did not match, and rests.
    Unmatched,
    /// It was cancelled or killed, with the reason where one is given.
    Cancelled(String),
    /// The venue does not hold it valid.
    Invalid,
    /// A status that is not known.
    Other(String),
}

/// A trade of ours as the venue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Its id. A large trade has several parts of the same order with ids of their own.
    pub id: String,
    /// Where its settlement stands. Nothing is final before [`TradeStatus::is_final`].
    pub status: TradeStatus,
    /// The condition.
    pub condition: ConditionId,
    /// The order that took.
    pub taker_order: B256,
    /// What the taker's order traded.
    pub taker: TradeLeg,
    /// What each resting order traded.
    pub makers: Vec<MakerFill>,
    /// Whether we took or rested, where it is told.
    pub role: Option<Role>,
    /// When it matched.
    pub matched_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
    /// The transaction, once there is one. It may be replaced by another.
    pub transaction: Option<TxHash>,
    /// Why settlement failed, where it did.
    pub failure: Option<String>,
}

/// What one order traded in a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeLeg {
    /// The token.
    pub token: TokenId,
    /// Which way.
    pub side: Side,
    /// Shares.
    pub shares: Shares,
    /// Dollars a share, to the nearest millionth.
    pub price: Price,
}

/// What a resting order traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MakerFill {
    /// The order.
    pub order: B256,
    /// Whose.
    pub wallet: Option<Wallet>,
    /// What it traded.
    pub leg: TradeLeg,
}

/// Where the settlement of a trade stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TradeStatus {
    /// Matched, and provisional.
    Matched,
    /// In a block, and provisional.
    Mined,
    /// Final.
    Confirmed,
    /// Failed once, and tried again.
    Retrying,
    /// Failed for good: what was matched is to be reversed.
    Failed,
    /// A status that is not known.
    Other(String),
}

impl OpenOrder {
    /// Whether nothing more can happen to it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self.status, OrderStatus::Matched | OrderStatus::Cancelled(_) | OrderStatus::Invalid)
    }
}

impl OrderStatus {
    /// The status of that name, with or without `ORDER_STATUS_`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let name = name.trim();
        let bare = bare(name, "ORDER_STATUS_");
        let upper = bare.to_ascii_uppercase();
        match upper.as_str() {
            "LIVE" => Self::Live,
            "DELAYED" => Self::Delayed,
            "MATCHED" => Self::Matched,
            "UNMATCHED" => Self::Unmatched,
            "INVALID" => Self::Invalid,
            cancelled if cancelled.starts_with("CANCELED") || cancelled.starts_with("CANCELLED") => {
                let reason = bare.split_once('_').map_or("", |(_, reason)| reason);
                Self::Cancelled(reason.to_owned())
            }
            _ => Self::Other(name.to_owned()),
        }
    }
}

impl TradeStatus {
    /// The status of that name, with or without `TRADE_STATUS_`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let name = name.trim();
        match bare(name, "TRADE_STATUS_").to_ascii_uppercase().as_str() {
            "MATCHED" => Self::Matched,
            "MINED" => Self::Mined,
            "CONFIRMED" => Self::Confirmed,
            "RETRYING" => Self::Retrying,
            "FAILED" => Self::Failed,
            _ => Self::Other(name.to_owned()),
        }
    }

    /// Whether nothing more can happen to the trade.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Confirmed | Self::Failed)
    }
}

impl Trade {
    /// What `order` traded in it; `None` if it had no part.
    #[must_use]
    pub fn leg_of(&self, order: B256) -> Option<TradeLeg> {
        if self.taker_order == order {
            return Some(self.taker);
        }
        self.makers.iter().find(|maker| maker.order == order).map(|maker| maker.leg)
    }
}

impl OrderBody {
    /// The order.
    ///
    /// # Errors
    /// A sentence about the first field that cannot be used.
    pub fn into_order(self) -> Result<OpenOrder, String> {
        Ok(OpenOrder {
            hash: self.id.parse().map_err(|_| format!("order `{:.80}`", self.id))?,
            status: OrderStatus::from_name(&self.status),
            condition: read_condition(&self.market)?,
            token: self.asset_id.parse().map_err(|error| format!("{error}"))?,
            side: side(&self.side)?,
            price: optional(&self.price).map(price).transpose()?,
            size: optional(&self.original_size).map(shares).transpose()?,
            matched: optional(&self.size_matched).map(shares).transpose()?,
            created: moment(&self.created_at),
            expires: moment(&self.expiration),
            trades: self.associate_trades,
        })
    }
}

impl TradeBody {
    /// The trade.
    ///
    /// # Errors
    /// A sentence about the first field that cannot be used.
    pub fn into_trade(self) -> Result<Trade, String> {
        if self.id.is_empty() {
            return Err("a trade without an id".to_owned());
        }
        let role = match bare(&self.trader_side, "TRADER_SIDE_").to_ascii_uppercase().as_str() {
            "TAKER" => Some(Role::Taker),
            "MAKER" => Some(Role::Maker),
            _ => None,
        };
        let makers =
            self.maker_orders.iter().map(|maker| maker.fill(&self.asset_id)).collect::<Result<_, _>>()?;
        Ok(Trade {
            status: TradeStatus::from_name(&self.status),
            condition: read_condition(&self.market)?,
            taker_order: hash(&self.taker_order_id)?,
            taker: leg(&self.asset_id, &self.side, &self.size, &self.price)?,
            makers,
            role,
            matched_at: moment(&self.match_time),
            updated_at: moment(&self.last_update),
            transaction: self.transaction_hash.parse().ok(),
            failure: Some(self.err_msg).filter(|text| !text.trim().is_empty()),
            id: self.id,
        })
    }
}

impl MakerBody {
    /// A maker of the other outcome says so; one that names no token has the taker's.
    fn fill(&self, taker_token: &str) -> Result<MakerFill, String> {
        let token = if self.asset_id.is_empty() { taker_token } else { &self.asset_id };
        Ok(MakerFill {
            order: hash(&self.order_id)?,
            wallet: self.maker_address.parse().ok(),
            leg: leg(token, &self.side, &self.matched_amount, &self.price)?,
        })
    }
}

fn leg(token: &str, way: &str, size: &Number, at: &Number) -> Result<TradeLeg, String> {
    let token = token.parse().map_err(|error| format!("{error}"))?;
    Ok(TradeLeg { token, side: side(way)?, shares: shares(size)?, price: price(at)? })
}

fn hash(text: &str) -> Result<B256, String> {
    text.parse().map_err(|_| format!("order `{text:.80}`"))
}

fn side(name: &str) -> Result<Side, String> {
    let upper = bare(name, "ORDER_SIDE_").to_ascii_uppercase();
    Side::from_name(&upper).ok_or_else(|| format!("side `{name:.20}`"))
}

fn bare<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.trim().strip_prefix(prefix).unwrap_or(name.trim())
}

fn optional(number: &Number) -> Option<&Number> {
    (!number.0.is_empty()).then_some(number)
}

/// Shares as a decimal: a seventh digit is below what any contract holds, and falls away.
fn shares(number: &Number) -> Result<Shares, String> {
    let text = number.0.as_str();
    let short = match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > 6 => text.get(..whole.len() + 7).unwrap_or(text),
        _ => text,
    };
    let shares: Shares = short.parse().map_err(|error| format!("{error}"))?;
    if shares < Shares::ZERO { Err(format!("{shares} shares")) } else { Ok(shares) }
}

/// A price, which as an average of several may have more digits than fit: to the nearest millionth.
fn price(number: &Number) -> Result<Price, String> {
    if let Ok(exact) = number.0.parse() {
        return Ok(exact);
    }
    let error = || format!("price `{:.40}`", number.0);
    let (whole, fraction) = number.0.split_once('.').ok_or_else(error)?;
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !whole.trim_start_matches('0').is_empty() || fraction.len() < 7 || !is_digits(fraction) {
        return Err(error());
    }
    let ppm: u32 = fraction[..6].parse().map_err(|_| error())?;
    let up = u32::from(fraction.as_bytes()[6] >= b'5');
    Price::from_ppm(ppm + up).ok_or_else(error)
}

/// A time in seconds, milliseconds, microseconds or nanoseconds, told apart by its size; none for zero and for what
/// is no number.
pub(crate) fn moment(number: &Number) -> Option<Timestamp> {
    let digits = number.0.split('.').next().unwrap_or_default();
    let value: i64 = digits.parse().ok().filter(|value| *value > 0)?;
    Some(match value {
        ..100_000_000_000 => Timestamp::from_seconds(value),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_micros(value.saturating_mul(1_000)),
        100_000_000_000_000..100_000_000_000_000_000 => Timestamp::from_micros(value),
        _ => Timestamp::from_micros(value / 1_000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_apart_by_their_size() {
        let at = Some(Timestamp::from_seconds(1_672_290_687));
        for text in ["1672290687", "1672290687000", "1672290687000000", "1672290687000000000", "1672290687.0"]
        {
            assert_eq!(moment(&text.into()), at, "{text}");
        }
        for text in ["", "0", "-5", "soon"] {
            assert_eq!(moment(&text.into()), None, "{text}");
        }
    }

    #[test]
    fn numbers_with_too_many_digits_are_rounded_and_nonsense_is_refused() {
        assert_eq!(price(&"0.5233333333".into()), Ok("0.523333".parse().unwrap()));
        assert_eq!(price(&"0.5233335".into()), Ok("0.523334".parse().unwrap()));
        assert_eq!(shares(&"1.23456789".into()), Ok("1.234567".parse().unwrap()));
        for text in ["", "1", "0", "-0.5", "0.99999999", "0.5x33333333", "1.5000000001", "é.1234567é"] {
            assert!(price(&text.into()).is_err(), "{text}");
        }
        for text in ["", "-1", "é.1234567é", "1.éééé"] {
            assert!(shares(&text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn statuses_come_with_prefixes_and_reasons() {
        assert_eq!(OrderStatus::from_name("ORDER_STATUS_LIVE"), OrderStatus::Live);
        assert_eq!(OrderStatus::from_name("matched"), OrderStatus::Matched);
        let killed = "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed.";
        assert!(
            matches!(OrderStatus::from_name(killed), OrderStatus::Cancelled(why) if why.starts_with("order c"))
        );
        let resolved = OrderStatus::from_name("ORDER_STATUS_CANCELED_MARKET_RESOLVED");
        assert_eq!(resolved, OrderStatus::Cancelled("MARKET_RESOLVED".to_owned()));
        assert_eq!(OrderStatus::from_name("NEW"), OrderStatus::Other("NEW".to_owned()));
        assert_eq!(TradeStatus::from_name("TRADE_STATUS_FAILED"), TradeStatus::Failed);
        assert_eq!(TradeStatus::from_name("CONFIRMED"), TradeStatus::Confirmed);
        assert!(!TradeStatus::from_name("MINED").is_final());
    }
}
