//! What private questions are answered.

use alloy_primitives::{Address, B256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{ConditionId, Exchange, TokenId};
use polygon::contracts::exchange_address;
use serde_json::{Value, json};

use super::account::{Account, Asset, SignatureType};
use super::{Refusal, Venue};
use crate::board::Board;

/// Rows a page has.
const PAGE: usize = 100;

/// The cursor after the last page.
const END: &str = "LTE=";

/// Which orders.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderFilter {
    pub(crate) id: Option<String>,
    pub(crate) market: Option<String>,
    pub(crate) asset: Option<String>,
}

/// Which trades.
#[derive(Clone, Debug, Default)]
pub(crate) struct TradeFilter {
    pub(crate) id: Option<String>,
    pub(crate) market: Option<String>,
    pub(crate) asset: Option<String>,
    pub(crate) maker: Option<String>,
    /// Seconds since 1970, both excluded.
    pub(crate) before: Option<i64>,
    pub(crate) after: Option<i64>,
}

impl Venue {
    /// One order of a key's owner, whatever became of it.
    pub(crate) fn order(&self, id: &str, owner: Address, board: &Board) -> Result<Value, Refusal> {
        let id: Option<B256> = id.parse().ok();
        let order = id.and_then(|id| self.orders.get(&id)).filter(|order| order.owner == owner);
        order.map(|order| self.order_body(order, board)).ok_or_else(|| Refusal::not_found("order not found"))
    }

    /// A page of open orders.
    pub(crate) fn open_page(
        &self,
        owner: Address,
        filter: &OrderFilter,
        cursor: Option<&str>,
        board: &Board,
    ) -> Result<Value, Refusal> {
        let condition = filter.market.as_deref().map(condition_of).transpose()?;
        let orders = self.resting_orders().filter(|order| {
            let market = board.by_id(order.market).map(|market| market.condition);
            order.owner == owner
                && filter.id.as_ref().is_none_or(|id| order.id.to_string() == *id)
                && condition.is_none_or(|condition| market == Some(condition))
                && filter.asset.as_ref().is_none_or(|asset| order.token.to_string() == *asset)
        });
        page(orders.map(|order| self.order_body(order, board)), cursor)
    }

    /// A page of trades, the newest first.
    pub(crate) fn trade_page(
        &self,
        owner: Address,
        filter: &TradeFilter,
        cursor: Option<&str>,
        board: &Board,
    ) -> Result<Value, Refusal> {
        let condition = filter.market.as_deref().map(condition_of).transpose()?;
        let maker: Option<Address> = filter
            .maker
            .as_deref()
            .map(|maker| maker.parse().map_err(|_| Refusal::bad("invalid maker address")))
            .transpose()?;
        let trades = self.matches.iter().rev().filter(|one| {
            one.concerns(owner)
                && filter.id.as_ref().is_none_or(|id| one.id == *id)
                && condition.is_none_or(|condition| one.condition == condition)
                && filter.asset.as_ref().is_none_or(|asset| {
                    one.parties()
                        .any(|party| party.owner() == Some(owner) && party.token.to_string() == *asset)
                })
                && maker.is_none_or(|maker| one.parties().any(|party| party.wallet == maker))
                && filter.before.is_none_or(|before| one.at.seconds() < before)
                && filter.after.is_none_or(|after| one.at.seconds() > after)
        });
        page(trades.map(|one| self.trade_body(one, owner, board)), cursor)
    }

    /// What a wallet has of something, and who may spend it. A wallet nobody knows has nothing.
    pub(crate) fn balance(
        &self,
        owner: Address,
        kind: SignatureType,
        asset_type: &str,
        token: Option<&str>,
    ) -> Result<Value, Refusal> {
        let account = self.account_of(owner, kind);
        let token = |name: &str| -> Result<TokenId, Refusal> {
            token
                .and_then(|token| token.parse().ok())
                .ok_or_else(|| Refusal::bad(&format!("invalid {name} token id")))
        };
        let (balance, asset, spenders): (i64, Asset, &[Exchange]) = match asset_type {
            "COLLATERAL" => (
                account.map_or(0, |account| account.cash),
                Asset::Dollars,
                &[Exchange::V2, Exchange::V2NegRisk, Exchange::V3],
            ),
            "CONDITIONAL" => {
                let token = token("conditional")?;
                let held = account.map_or(0, |account| account.held(token));
                let is_old = !is_position(token);
                (if is_old { held } else { 0 }, Asset::Shares, &[Exchange::V2, Exchange::V2NegRisk])
            }
            "CONDITIONAL-V2" => {
                let token = token("position")?;
                let held = account.map_or(0, |account| account.held(token));
                (if is_position(token) { held } else { 0 }, Asset::Shares, &[Exchange::V3])
            }
            _ => return Err(Refusal::bad("invalid asset type")),
        };
        let most = alloy_primitives::U256::MAX.to_string();
        let allowance = |account: Option<&Account>, exchange| {
            if account.is_some_and(|account| account.is_read_to_allow(exchange, asset)) {
                most.clone()
            } else {
                "0".to_owned()
            }
        };
        let allowances: serde_json::Map<String, Value> = spenders
            .iter()
            .filter_map(|exchange| {
                let spender = exchange_address(*exchange)?.to_string();
                Some((spender, json!(allowance(account, *exchange))))
            })
            .collect();
        Ok(json!({"balance": balance.to_string(), "allowances": allowances}))
    }

    /// Reads what a wallet allows from the chain again.
    pub(crate) fn read_allowances(&mut self, owner: Address, kind: SignatureType) {
        let Some(wallet) = self.account_of(owner, kind).map(|account| account.wallet) else { return };
        if let Some(account) = self.account_mut(wallet) {
            account.read_forbidden.clone_from(&account.forbidden);
        }
    }

    /// Whether any wallet of a key's owner may only close.
    pub(crate) fn is_closed_only(&self, owner: Address) -> bool {
        self.accounts_of(owner).any(|account| account.closed_only)
    }
}

/// Whether an id is of Protocol V2, by the bits it leaves empty.
fn is_position(token: TokenId) -> bool {
    let bytes = token.0.to_be_bytes::<32>();
    bytes[19..27].iter().all(|byte| *byte == 0)
}

fn condition_of(text: &str) -> Result<ConditionId, Refusal> {
    text.parse().map_err(|_| Refusal::bad("invalid market"))
}

/// The rows from a cursor on.
fn page(rows: impl Iterator<Item = Value>, cursor: Option<&str>) -> Result<Value, Refusal> {
    let invalid = || Refusal::bad("invalid cursor");
    let skip: usize = match cursor {
        None | Some("") => 0,
        Some(END) => return Ok(json!({"limit": PAGE, "count": 0, "next_cursor": END, "data": []})),
        Some(cursor) => {
            let text = STANDARD.decode(cursor).map_err(|_| invalid())?;
            str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).ok_or_else(invalid)?
        }
    };
    let mut data: Vec<Value> = rows.skip(skip).take(PAGE + 1).collect();
    let next = if data.len() > PAGE { STANDARD.encode((skip + PAGE).to_string()) } else { END.to_owned() };
    data.truncate(PAGE);
    Ok(json!({"limit": PAGE, "count": data.len(), "next_cursor": next, "data": data}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_where_the_rows_do() {
        let rows = || (0..201).map(Value::from);
        let first = page(rows(), None).unwrap();
        assert_eq!((first["count"].as_u64(), first["data"][0].as_u64()), (Some(100), Some(0)));
        let second = page(rows(), first["next_cursor"].as_str()).unwrap();
        assert_eq!((second["count"].as_u64(), second["data"][0].as_u64()), (Some(100), Some(100)));
        let third = page(rows(), second["next_cursor"].as_str()).unwrap();
        assert_eq!((third["count"].as_u64(), third["next_cursor"].as_str()), (Some(1), Some("LTE=")));
        assert_eq!(page(rows(), Some("LTE=")).unwrap()["count"], 0);
        assert_eq!(page(rows(), Some("MA==")).unwrap()["data"][0], 0);
        assert!(page(rows(), Some("?")).is_err());
    }
}
