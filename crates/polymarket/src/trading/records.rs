//! What the venue has on record for the account: orders, trades, balances, standing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use alloy_primitives::{B256, U256};
use domain::{ConditionId, Shares, Timestamp, TokenId, Usd, Wallet};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::WalletKind;
use super::order::is_position;
use super::report::{OpenOrder, Trade};
use super::trader::Trader;
use crate::http::{VenueError, message};
use crate::wire::Number;
use crate::wire::lenient::or_default;
use crate::wire::private::{OrderBody, PageBody, TradeBody};

/// The cursor behind the last page.
const END: &str = "LTE=";

/// More pages than this are a loop, or more than anybody can act on.
const MAX_PAGES: usize = 500;

/// Which orders to list: all that are open, unless narrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Of this market. From December 2026 the venue lists no token's orders without it.
    pub market: Option<ConditionId>,
    /// Of this token.
    pub token: Option<TokenId>,
}

/// Which trades to list: all, unless narrowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TradeFilter {
    /// The trade of this id.
    pub id: Option<String>,
    /// Of this market.
    pub market: Option<ConditionId>,
    /// Of this token.
    pub token: Option<TokenId>,
    /// Not before this time, to the second.
    pub after: Option<Timestamp>,
    /// Not after this time, to the second.
    pub before: Option<Timestamp>,
}

/// A listing. Nothing is left out in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// What could be read.
    pub items: Vec<T>,
    /// Why each other item could not.
    pub unreadable: Vec<String>,
}

/// What a balance is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asset {
    /// Dollars.
    Collateral,
    /// Shares of a conditional token.
    Conditional(TokenId),
    /// Shares of a Protocol V2 position.
    Position(TokenId),
}

/// A balance and what may be spent of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Millionths of a dollar or share.
    pub micros: i64,
    /// What each contract may spend, in millionths; there are no limits but very large numbers.
    pub allowances: BTreeMap<Wallet, U256>,
}

/// What a heartbeat is to be answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// Heard; the id to send with the next.
    Heard(String),
    /// Not heard; the id to send at once.
    Expected(String),
}

#[derive(Deserialize)]
struct BalanceBody {
    balance: Number,
    #[serde(default, deserialize_with = "or_default")]
    allowances: BTreeMap<String, Number>,
}

#[derive(Deserialize)]
struct ClosedOnlyBody {
    closed_only: bool,
}

#[derive(Serialize, Deserialize)]
struct HeartbeatBody {
    #[serde(deserialize_with = "or_default")]
    heartbeat_id: String,
}

impl Trader {
    /// An order by its hash, whatever became of it; `None` where the venue does not know it.
    ///
    /// # Errors
    /// [`VenueError::Malformed`] for an answer about another order; else as everywhere. A 404 that is not in the
    /// venue's own words is an error, not an unknown order.
    pub async fn order(&self, hash: B256) -> Result<Option<OpenOrder>, VenueError> {
        let what = "an order";
        let answer = self
            .signed(&self.service, Method::GET, &format!("data/order/{hash}"), String::new(), what)
            .await?;
        if answer.code == 404 && is_unknown(&answer.body) {
            return Ok(None);
        }
        let Some(body) = self.service.parse::<Option<OrderBody>>(&answer, what)? else { return Ok(None) };
        let order = body.into_order().map_err(|reason| self.service.malformed(what, reason))?;
        if order.hash != hash {
            return Err(self.service.malformed(what, format!("it is order {}", order.hash)));
        }
        Ok(Some(order))
    }

    /// The open orders.
    ///
    /// # Errors
    /// As everywhere, and [`VenueError::Malformed`] for pages that go in circles.
    pub async fn orders(&self, filter: &OrderFilter) -> Result<Listed<OpenOrder>, VenueError> {
        let mut query = String::new();
        narrow(&mut query, "market", filter.market);
        narrow(&mut query, "asset_id", filter.token);
        self.listed("data/orders", &query, "the orders", OrderBody::into_order).await
    }

    /// The account's own trades.
    ///
    /// # Errors
    /// As [`Trader::orders`].
    pub async fn trades(&self, filter: &TradeFilter) -> Result<Listed<Trade>, VenueError> {
        let mut query = String::new();
        narrow(&mut query, "id", filter.id.as_deref().filter(|id| is_plain(id)));
        if filter.id.as_deref().is_some_and(|id| !is_plain(id)) {
            return Err(self.service.malformed("the trades", "the id asked for is none"));
        }
        narrow(&mut query, "market", filter.market);
        narrow(&mut query, "asset_id", filter.token);
        narrow(&mut query, "after", filter.after.map(Timestamp::seconds));
        narrow(&mut query, "before", filter.before.map(Timestamp::seconds));
        self.listed("data/trades", &query, "the trades", TradeBody::into_trade).await
    }

    /// Reads pages to the last. A cursor that comes twice would go on for ever.
    async fn listed<B: serde::de::DeserializeOwned, T>(
        &self,
        path: &str,
        query: &str,
        what: &'static str,
        read: impl Fn(B) -> Result<T, String>,
    ) -> Result<Listed<T>, VenueError> {
        let mut listed = Listed { items: Vec::new(), unreadable: Vec::new() };
        let mut seen = BTreeSet::new();
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let mut asked = query.to_owned();
            narrow(&mut asked, "next_cursor", Some(escaped(&cursor)).filter(|text| !text.is_empty()));
            let page: PageBody<Value> =
                self.ask(Method::GET, &format!("{path}{asked}"), String::new(), what).await?;
            for item in page.data {
                let item = serde_json::from_value::<B>(item).map_err(|error| error.to_string());
                match item.and_then(&read) {
                    Ok(item) => listed.items.push(item),
                    Err(reason) => listed.unreadable.push(reason),
                }
            }
            if page.next_cursor.is_empty() || page.next_cursor == END {
                return Ok(listed);
            }
            if !seen.insert(page.next_cursor.clone()) {
                return Err(self.service.malformed(what, "its pages go in circles"));
            }
            cursor = page.next_cursor;
        }
        Err(self.service.malformed(what, format!("more than {MAX_PAGES} pages")))
    }

    /// What the venue believes the wallet has and may spend. With the wrong kind of wallet it is silently zero.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn balance(&self, asset: Asset) -> Result<Balance, VenueError> {
        self.balance_as(asset, self.account.kind()).await
    }

    /// The same of the key's wallet of another kind: where that has the money, the kind is configured wrongly.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn balance_as(&self, asset: Asset, kind: WalletKind) -> Result<Balance, VenueError> {
        let what = "a balance";
        let path = format!("balance-allowance?{}", holding(asset, kind));
        let body: BalanceBody = self.ask(Method::GET, &path, String::new(), what).await?;
        let whole = body.balance.0.split('.').next().unwrap_or_default();
        let micros: U256 =
            whole.parse().map_err(|_| self.service.malformed(what, format!("`{:.80}`", body.balance.0)))?;
        let mut allowances = BTreeMap::new();
        for (spender, amount) in body.allowances {
            let unreadable = |text: &str| self.service.malformed(what, format!("allowance `{text:.80}`"));
            let spender_id = spender.to_lowercase().parse().map_err(|_| unreadable(&spender))?;
            allowances.insert(spender_id, amount.0.parse().map_err(|_| unreadable(&amount.0))?);
        }
        Ok(Balance { micros: i64::try_from(micros).unwrap_or(i64::MAX), allowances })
    }

    /// Makes the venue read a balance from the chain again, as it must after an approval or a transfer.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn refresh_balance(&self, asset: Asset) -> Result<(), VenueError> {
        let path = format!("balance-allowance/update?{}", holding(asset, self.account.kind()));
        let what = "a new reading of a balance";
        let answer = self.signed(&self.service, Method::GET, &path, String::new(), what).await?;
        if (200..300).contains(&answer.code) {
            return Ok(());
        }
        self.service.parse::<Value>(&answer, what).map(drop)
    }

    /// Whether the account may only close what it holds.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn closed_only(&self) -> Result<bool, VenueError> {
        let path = "auth/ban-status/closed-only";
        let body: ClosedOnlyBody =
            self.ask(Method::GET, path, String::new(), "the account's standing").await?;
        Ok(body.closed_only)
    }

    /// Tells the venue that we live, with the id it gave last, or an empty one at first. Once it has heard one, the
    /// venue cancels all resting orders of these credentials about ten seconds after the last.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn heartbeat(&self, id: &str) -> Result<Heartbeat, VenueError> {
        let what = "a heartbeat";
        let body = serde_json::json!({ "heartbeat_id": id }).to_string();
        let answer = self.signed(&self.service, Method::POST, "v1/heartbeats", body, what).await?;
        if answer.code == 400
            && let Ok(HeartbeatBody { heartbeat_id }) = serde_json::from_slice(&answer.body)
            && !heartbeat_id.is_empty()
        {
            return Ok(Heartbeat::Expected(heartbeat_id));
        }
        let body: HeartbeatBody = self.service.parse(&answer, what)?;
        Ok(Heartbeat::Heard(body.heartbeat_id))
    }
}

impl Asset {
    /// What a token's shares are kept as.
    #[must_use]
    pub fn of(token: TokenId) -> Self {
        if is_position(token) { Self::Position(token) } else { Self::Conditional(token) }
    }
}

impl Balance {
    /// As dollars.
    #[must_use]
    pub const fn usd(&self) -> Usd {
        Usd::from_micros(self.micros)
    }

    /// As shares.
    #[must_use]
    pub const fn shares(&self) -> Shares {
        Shares::from_micros(self.micros)
    }

    /// What a contract may spend.
    #[must_use]
    pub fn allowance(&self, spender: Wallet) -> U256 {
        self.allowances.get(&spender).copied().unwrap_or_default()
    }
}

/// How a balance is asked for.
fn holding(asset: Asset, kind: WalletKind) -> String {
    let kind = kind.number();
    match asset {
        Asset::Collateral => format!("asset_type=COLLATERAL&signature_type={kind}"),
        Asset::Conditional(token) => {
            format!("asset_type=CONDITIONAL&token_id={token}&signature_type={kind}")
        }
        Asset::Position(token) => {
            format!("asset_type=CONDITIONAL-V2&token_id={token}&signature_type={kind}")
        }
    }
}

fn narrow(query: &mut String, name: &str, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        let before = if query.is_empty() { '?' } else { '&' };
        let _ = write!(query, "{before}{name}={value}");
    }
}

/// A trade's id is a UUID; anything else could change the question.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// A cursor is base64, in which `+`, `/` and `=` mean something else in a query.
fn escaped(cursor: &str) -> String {
    cursor.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// A 404 can also be a wrong address; only the venue's own form says that there is no such order.
fn is_unknown(body: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return false };
    value.is_null()
        || value.get("error").is_some_and(Value::is_string)
            && message(body).to_lowercase().contains("not found")
}
