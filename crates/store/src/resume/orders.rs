//! Orders about which something may still become known, with all that was said of them.

use std::collections::BTreeMap;

use domain::{
    Closing, Execution, Order, OrderEvent, OrderNews, Price, Purpose, Size, TimeInForce, Timestamp, TradeId,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::row;

/// An order with what was said of it, in an order that comes to the same.
#[derive(Clone, Debug, PartialEq)]
pub struct SentOrder {
    /// The order.
    pub order: Order,
    /// What was said.
    pub news: Vec<OrderNews>,
    /// The name by which the venue knows it; `None` on paper, or before it was sent.
    pub hash: Option<String>,
    /// When it was handed to the venue; `None` while nobody can have seen it.
    pub sent_at: Option<Timestamp>,
}

/// The orders that are not final, oldest first.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn orders(connection: &mut PgConnection) -> Result<Vec<SentOrder>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, position_id, created_at, condition_id, event, token_id::text, outcome_index::bigint, side,
                purpose, (limit_price * 1000000)::bigint AS limit_price,
                (stake_usd * 1000000)::bigint AS stake, (offered_shares * 1000000)::bigint AS offered,
                time_in_force, expires_at, (fee_rate * 1000000)::bigint AS fee_rate, order_hash, sent_at,
                accepted_at, closed_at, closing, closing_detail,
                (matched_shares * 1000000)::bigint AS matched
         FROM orderflow_orders WHERE NOT is_final ORDER BY id",
    )
    .fetch_all(&mut *connection)
    .await
    .during("read the orders on their way")?;
    let mut matches = matches(connection).await?;
    rows.iter()
        .map(|found| {
            let order = order_of(found)?;
            let mut news: Vec<OrderNews> = vec![];
            let mut say = |at, what| news.push(OrderNews { order: order.id, at, what });
            if let Some(at) = row::maybe_time(found, "accepted_at")? {
                say(at, OrderEvent::Accepted);
            }
            for (at, what) in matches.remove(&order.id).unwrap_or_default() {
                say(at, what);
            }
            if let Some(at) = row::maybe_time(found, "closed_at")? {
                let detail: Option<String> = found.try_get("closing_detail").during("read a column")?;
                let named = |name: &str| Closing::from_name(name, detail.clone());
                let why = row::named(found, "closing", "why an order is closed", named)?;
                say(at, OrderEvent::Closed { why, matched: row::shares(found, "matched")? });
            }
            Ok(SentOrder {
                order,
                news,
                hash: found.try_get("order_hash").during("read a column")?,
                sent_at: row::maybe_time(found, "sent_at")?,
            })
        })
        .collect()
}

type Matches = BTreeMap<i64, Vec<(Timestamp, OrderEvent)>>;

/// What was said of the matches of orders that are not final.
async fn matches(connection: &mut PgConnection) -> Result<Matches, StoreError> {
    let rows = sqlx::query(
        "SELECT e.order_id, e.trade_id, e.matched_at, e.chain_at, e.settled_at, e.status,
                (e.shares * 1000000)::bigint AS shares, (e.usd * 1000000)::bigint AS usd,
                (e.fee_usd * 1000000)::bigint AS fee
         FROM orderflow_executions e JOIN orderflow_orders o ON o.id = e.order_id
         WHERE NOT o.is_final ORDER BY e.matched_at, e.order_id, e.trade_id",
    )
    .fetch_all(connection)
    .await
    .during("read the matches of orders on their way")?;
    let mut matches = Matches::new();
    for found in &rows {
        let order: i64 = found.try_get("order_id").during("read a column")?;
        let trade = TradeId(row::string(found, "trade_id")?);
        let said = matches.entry(order).or_default();
        if let Some(at) = row::maybe_time(found, "matched_at")? {
            let execution = Execution {
                trade: trade.clone(),
                shares: row::shares(found, "shares")?,
                usd: row::usd(found, "usd")?,
                fee: row::usd(found, "fee")?,
            };
            // The amounts stored are the chain's where it has said any: to whoever follows the order, it need not say
            // them again.
            let corrected =
                row::maybe_time(found, "chain_at")?.map(|at| (at, OrderEvent::Corrected(execution.clone())));
            said.push((at, OrderEvent::Filled(execution)));
            said.extend(corrected);
        }
        if let Some(at) = row::maybe_time(found, "settled_at")? {
            let ended = |status: &str| match status {
                "CONFIRMED" => Some(OrderEvent::Confirmed(trade.clone())),
                "FAILED" => Some(OrderEvent::Failed(trade.clone())),
                _ => None,
            };
            said.push((at, row::named(found, "status", "how a match ended", ended)?));
        }
    }
    Ok(matches)
}

fn order_of(found: &PgRow) -> Result<Order, StoreError> {
    let (stake, offered) = (row::usd(found, "stake")?, row::shares(found, "offered")?);
    let size = |side: &str| match side {
        "BUY" => Some(Size::Spend(stake)),
        "SELL" => Some(Size::Sell(offered)),
        _ => None,
    };
    let until = row::maybe_time(found, "expires_at")?;
    Ok(Order {
        id: found.try_get("id").during("read a column")?,
        position: found.try_get("position_id").during("read a column")?,
        at: row::time(found, "created_at")?,
        condition: row::text(found, "condition_id", "a condition")?,
        event: row::string(found, "event")?,
        token: row::text(found, "token_id", "a token id")?,
        outcome: row::unsigned(found, "outcome_index")?,
        limit: price(found, "limit_price")?,
        size: row::named(found, "side", "a side", size)?,
        force: row::named(found, "time_in_force", "a time in force that goes with its end", |name| {
            TimeInForce::from_name(name, until)
        })?,
        purpose: row::named(found, "purpose", "what an order is for", Purpose::from_name)?,
        fee_rate_ppm: row::unsigned(found, "fee_rate")?,
    })
}

pub(super) fn price(found: &PgRow, column: &'static str) -> Result<Price, StoreError> {
    let ppm: u32 = row::unsigned(found, column)?;
    Price::from_ppm(ppm).ok_or(StoreError::Corrupt {
        column,
        value: ppm.to_string(),
        expected: "a price between 0 and 1",
    })
}
