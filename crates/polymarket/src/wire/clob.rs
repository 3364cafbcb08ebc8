//! What `/book`, `/clob-markets/{condition}`, `/markets/{condition}` and `/markets-by-token/{token}` say.

use alloy_primitives::hex;
use domain::{Book, ConditionId, Level, Price, Shares, Tick, Timestamp, TokenId};
use serde::{Deserialize, Serialize};

use super::Number;
use super::lenient::or_default;

/// The answer of `/book`, and one element of `/books`'.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BookBody {
    /// The condition, 32 bytes.
    #[serde(default)]
    pub market: String,
    /// The token.
    pub asset_id: String,
    /// Milliseconds since 1970.
    pub timestamp: Number,
    /// The venue's hash of the book.
    #[serde(default)]
    pub hash: String,
    /// Worst to best, that is ascending; read in any order.
    #[serde(default)]
    pub bids: Vec<LevelBody>,
    /// Worst to best, that is descending; read in any order.
    #[serde(default)]
    pub asks: Vec<LevelBody>,
    /// The smallest order in shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_order_size: Option<Number>,
    /// The price grid. Bodies before 2025 had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick_size: Option<Number>,
    /// Whether it settles through the neg-risk contracts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neg_risk: Option<bool>,
    /// The last price in terms of the first outcome; empty before the first trade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_trade_price: Option<Number>,
    /// `v2` for Protocol V2 markets, else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// One price of a book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelBody {
    /// Dollars a share.
    pub price: Number,
    /// Shares.
    pub size: Number,
}

/// The answer of `/clob-markets/{condition}`, with the venue's short names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TermsBody {
    /// The condition, 32 bytes. Undocumented, so not relied on.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The outcomes.
    #[serde(rename = "t")]
    pub tokens: Vec<OutcomeBody>,
    /// The smallest order in shares.
    #[serde(rename = "mos", serialize_with = "Number::bare")]
    pub min_order_size: Number,
    /// The price grid.
    #[serde(rename = "mts", serialize_with = "Number::bare")]
    pub tick_size: Number,
    /// Whether orders are accepted now.
    #[serde(rename = "ao", default, skip_serializing_if = "Option::is_none")]
    pub accepting_orders: Option<bool>,
    /// Whether it settles through the neg-risk contracts; absent for no.
    #[serde(
        rename = "nr",
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub neg_risk: bool,
    /// The taker fee; absent for none.
    #[serde(rename = "fd", default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<FeeBody>,
    /// `v2` for Protocol V2 markets, else absent.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// An outcome in [`TermsBody`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutcomeBody {
    /// The token.
    #[serde(rename = "t")]
    pub token: String,
    /// The outcome's name.
    #[serde(rename = "o")]
    pub outcome: String,
}

/// The fee in [`TermsBody`]: `shares * r * (p * (1 - p)) ^ e`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeeBody {
    /// The rate.
    #[serde(rename = "r", serialize_with = "Number::bare")]
    pub rate: Number,
    /// The exponent, 1 on all markets but a stale one; absent for 1.
    #[serde(rename = "e", default, serialize_with = "Number::bare_option")]
    pub exponent: Option<Number>,
    /// Whether only takers pay.
    #[serde(rename = "to", default, deserialize_with = "or_default")]
    pub taker_only: bool,
}

/// The answer of `/markets/{condition}`: of what it says, the words that [`TermsBody`] has not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordsBody {
    /// The condition, 32 bytes.
    #[serde(default, deserialize_with = "or_default")]
    pub condition_id: String,
    /// What people read.
    #[serde(default, deserialize_with = "or_default")]
    pub question: String,
    /// The name in web addresses.
    #[serde(default, deserialize_with = "or_default")]
    pub market_slug: String,
    /// When it is expected to end, RFC 3339.
    #[serde(default)]
    pub end_date_iso: Option<String>,
    /// The tags' labels.
    #[serde(default, deserialize_with = "or_default")]
    pub tags: Vec<String>,
    /// What groups it with its siblings on the neg-risk contracts, 32 bytes; empty on other markets.
    #[serde(default, deserialize_with = "or_default")]
    pub neg_risk_market_id: String,
}

/// The answer of `/markets-by-token/{token}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenBody {
    /// The condition, 32 bytes.
    pub condition_id: String,
    /// One of the tokens; not necessarily the first outcome's.
    pub primary_token_id: String,
    /// The other one.
    pub secondary_token_id: String,
}

impl TokenBody {
    /// The condition, if the answer is about `token`.
    ///
    /// # Errors
    /// A sentence about the field that cannot be used.
    pub fn into_condition(self, token: TokenId) -> Result<ConditionId, String> {
        let named = [&self.primary_token_id, &self.secondary_token_id];
        if !named.into_iter().any(|id| id.parse() == Ok(token)) {
            return Err(format!("it is about `{}` and `{}`", named[0], named[1]));
        }
        read_condition(&self.condition_id)
    }
}

impl BookBody {
    /// The book, if this is the one of `token`.
    ///
    /// # Errors
    /// A sentence about the first field that cannot be used.
    pub fn into_book(self, token: TokenId) -> Result<Book, String> {
        if self.asset_id.parse() != Ok(token) {
            return Err(format!("it is the book of `{}`", self.asset_id));
        }
        let millis: i64 =
            self.timestamp.0.parse().map_err(|_| format!("timestamp `{}`", self.timestamp.0))?;
        let at = Timestamp::from_micros(millis.saturating_mul(1_000));
        let tick = self.tick_size.as_ref().ok_or("it has no tick size")?;
        let levels = |side: &[LevelBody]| side.iter().map(LevelBody::level).collect::<Result<Vec<_>, _>>();
        Ok(Book::new(token, at, read_tick(tick)?, levels(&self.bids)?, levels(&self.asks)?))
    }
}

impl LevelBody {
    /// The wire form of a level.
    #[must_use]
    pub fn of(level: &Level) -> Self {
        Self { price: level.price.into(), size: level.shares.into() }
    }

    fn level(&self) -> Result<Level, String> {
        let price: Price = self.price.0.parse().map_err(|error| format!("{error}"))?;
        let shares: Shares = self.size.0.parse().map_err(|error| format!("{error}"))?;
        if shares < Shares::ZERO {
            return Err(format!("{shares} shares at {price}"));
        }
        Ok(Level { price, shares })
    }
}

/// Reads a price grid.
pub(crate) fn read_tick(number: &Number) -> Result<Tick, String> {
    let price: Price = number.0.parse().map_err(|_| format!("tick size `{}`", number.0))?;
    Tick::from_ppm(price.ppm()).ok_or_else(|| format!("tick size `{}`", number.0))
}

/// Reads a fee rate in parts per million; a fee of another form than `rate * p * (1 - p)` is refused.
pub(crate) fn read_fee(rate: &Number, exponent: Option<&Number>) -> Result<u32, String> {
    let amount: domain::Usd = rate.0.parse().map_err(|error| format!("fee rate: {error}"))?;
    // Nothing is nothing in any form.
    if amount != domain::Usd::ZERO && exponent.is_some_and(|exponent| exponent.0.parse::<f64>() != Ok(1.0)) {
        return Err("the fee's exponent is not 1".to_owned());
    }
    // A rate of one would take a quarter of a dollar for each share at even odds.
    u32::try_from(amount.micros())
        .ok()
        .filter(|ppm| *ppm <= 1_000_000)
        .ok_or_else(|| format!("fee rate `{}`", rate.0))
}

/// Reads a condition of 32 bytes, or of 31 (Protocol V2), which a zero byte on the right completes.
pub(crate) fn read_condition(text: &str) -> Result<ConditionId, String> {
    let error = || format!("condition `{text}`");
    let digits = text.strip_prefix("0x").ok_or_else(error)?;
    let bytes = hex::decode(digits).map_err(|_| error())?;
    if !matches!(bytes.len(), 31 | 32) {
        return Err(error());
    }
    Ok(ConditionId(alloy_primitives::B256::right_padding_from(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_conditions_are_padded_on_the_right() {
        let short = "0x017089ce3ba22aaa0a4cba8250b8c8e1eb0000000000000000000000000000";
        let long = format!("{short}00");
        assert_eq!(read_condition(short).unwrap().to_string(), long);
        assert_eq!(read_condition(&long), read_condition(short));
        assert!(read_condition(&short[..60]).is_err());
        assert!(read_condition(&short[2..]).is_err());
    }

    #[test]
    fn fees_of_another_form_are_refused() {
        assert_eq!(read_fee(&"0.07".into(), None), Ok(70_000));
        assert_eq!(read_fee(&"0.07".into(), Some(&"1.0".into())), Ok(70_000));
        assert!(read_fee(&"0.25".into(), Some(&"2".into())).is_err());
        assert_eq!(read_fee(&"0".into(), Some(&"0".into())), Ok(0), "free is free in any form");
        assert!(read_fee(&"-0.01".into(), None).is_err());
        assert!(read_fee(&"7".into(), None).is_err());
    }
}
