//! What the database says of a live account, held against what is really so at the venue and on the chain.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use alloy_primitives::B256;
use devnet::TradeStatus;
use domain::{Shares, TokenId, Usd};
use sqlx::{PgPool, Row as _};
use store::live;

use crate::scene::Scene;

/// How much was compared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    /// Orders that were signed.
    pub(crate) orders: usize,
    /// Of them, those that the venue has.
    pub(crate) arrived: usize,
    /// Matches.
    pub(crate) matches: usize,
    /// Of them, those whose settlement failed.
    pub(crate) failed: usize,
    /// Positions.
    pub(crate) positions: i64,
    /// What is in the wallet.
    pub(crate) cash: Usd,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orders, arrived, matches, failed, positions, cash } = self;
        write!(
            f,
            "{orders} orders, {arrived} of them at the venue; {matches} matches, {failed} of them failed; {positions} \
             positions; ${cash}"
        )
    }
}

/// What cannot be where nothing was done twice, each with a query that finds it.
const NEVER: [(&str, &str); 5] = [
    (
        "positions with two orders to enter",
        "SELECT position_id::text FROM orderflow_orders WHERE purpose = 'ENTER'
         GROUP BY position_id HAVING count(*) > 1",
    ),
    (
        "entries of a wallet that were followed twice",
        "SELECT wallet_address || ' ' || token_id FROM orderflow_signals WHERE NOT shadow
         GROUP BY wallet_address, token_id HAVING count(*) > 1",
    ),
    (
        "events with two positions at once",
        // A rest too small to sell is none, and one whose sale was taken back is there again.
        "SELECT event || ': ' || string_agg(concat_ws(' ', id, opened_at, shares, sold_shares), ', ')
         FROM orderflow_positions p
         WHERE status = 'OPEN' AND 0.01 <= shares - sold_shares
           AND NOT EXISTS (SELECT FROM orderflow_orders o JOIN orderflow_executions e ON e.order_id = o.id
                           WHERE o.position_id = p.id AND o.side = 'SELL' AND e.status = 'FAILED')
         GROUP BY event HAVING count(*) > 1",
    ),
    (
        "matches that belong to two orders",
        "SELECT trade_id FROM orderflow_executions GROUP BY trade_id HAVING count(*) > 1",
    ),
    (
        "orders without a signature that came to something",
        "SELECT id::text FROM orderflow_orders o WHERE order_hash IS NULL
           AND (closing IS DISTINCT FROM 'REJECTED' OR matched_shares <> 0)",
    ),
];

/// What the database says otherwise than the venue and the chain, and whatever is not at its end yet.
pub(crate) async fn differences(scene: &Scene) -> Result<Sum, Vec<String>> {
    let truth = scene.truth();
    let mut found = vec![];
    for (what, query) in NEVER {
        let rows: Vec<String> = sqlx::query_scalar(query).fetch_all(&scene.pool).await.unwrap();
        // What was done twice stays done twice: nothing to wait for.
        assert!(rows.is_empty(), "{what}: {rows:?}\n{}", scene.said());
    }
    if !scene.venue.is_settled(scene.wallet.0) {
        found.push("not all matches are settled".to_owned());
    }
    let orders = orders(&scene.pool).await;
    for (hash, (order, matched, is_final)) in &orders {
        let really = truth.orders.get(hash).map_or(Shares::ZERO, |(_, matched)| *matched);
        if !is_final {
            found.push(format!("order {order} is not final"));
        } else if really != *matched {
            found.push(format!("order {order}: {matched} matched in the books, {really} at the venue"));
        }
    }
    let strangers: Vec<&B256> = truth.orders.keys().filter(|hash| !orders.contains_key(*hash)).collect();
    assert!(strangers.is_empty(), "orders at the venue that nobody meant: {strangers:?}");
    let matches = matches(&scene.pool).await;
    let really: BTreeMap<String, String> = truth
        .trades
        .iter()
        .map(|(id, status, transaction)| {
            (
                id.clone(),
                format!(
                    "{} {}",
                    status.name(),
                    transaction.filter(|_| *status == TradeStatus::Confirmed).is_some()
                ),
            )
        })
        .collect();
    assert_eq!(really.len(), truth.trades.len(), "the venue has a match twice");
    let ids: BTreeSet<&String> = matches.keys().chain(really.keys()).collect();
    for id in ids {
        let (ours, theirs) = (matches.get(id), really.get(id));
        if ours != theirs {
            found.push(format!("match {id}: {ours:?} in the books, {theirs:?} in truth"));
        }
    }
    let held = held(&scene.pool).await;
    if held != truth.shares {
        found.push(format!("shares: {held:?} in the books, {:?} in the wallet", truth.shares));
    }
    let account = live::account(&mut scene.store.connection().await.unwrap()).await.unwrap();
    if account.unpaid != Usd::ZERO {
        found.push(format!("${} of winners are not known to be paid", account.unpaid));
    }
    let cash = truth.funded + account.flow;
    if cash != truth.cash {
        found.push(format!("${cash} in the books, ${} in the wallet", truth.cash));
    }
    if !found.is_empty() {
        return Err(found);
    }
    let positions = sqlx::query_scalar("SELECT count(*) FROM orderflow_positions").fetch_one(&scene.pool);
    Ok(Sum {
        orders: orders.len(),
        arrived: truth.orders.len(),
        matches: matches.len(),
        failed: truth.trades.iter().filter(|(_, status, _)| *status == TradeStatus::Failed).count(),
        positions: positions.await.unwrap(),
        cash: truth.cash,
    })
}

/// Every signed order by its hash: its number, the shares of it that matched, and whether it is final.
async fn orders(pool: &PgPool) -> BTreeMap<B256, (i64, Shares, bool)> {
    let rows = sqlx::query(
        "SELECT s.order_hash, o.id, (coalesce(o.matched_shares, 0) * 1000000)::bigint AS matched, o.is_final
         FROM orderflow_signed_orders s JOIN orderflow_orders o ON o.id = s.order_id",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let order = |row: &sqlx::postgres::PgRow| {
        let hash: String = row.get("order_hash");
        let matched = Shares::from_micros(row.get("matched"));
        (hash.parse().unwrap(), (row.get("id"), matched, row.get("is_final")))
    };
    rows.iter().map(order).collect()
}

/// Every match by its name: what became of it, and whether the chain has said so.
async fn matches(pool: &PgPool) -> BTreeMap<String, String> {
    let query = "SELECT trade_id, status || ' ' || (chain_at IS NOT NULL)::text FROM orderflow_executions";
    sqlx::query_as(query).fetch_all(pool).await.unwrap().into_iter().collect()
}

/// The shares that are held, and those that lost, which stay in the wallet for ever.
async fn held(pool: &PgPool) -> BTreeMap<TokenId, Shares> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT token_id::text, (sum(shares - sold_shares) * 1000000)::bigint FROM orderflow_positions
         WHERE status = 'OPEN' OR (ending = 'RESOLVED' AND proceeds_usd <= sold_usd)
         GROUP BY token_id HAVING sum(shares - sold_shares) <> 0",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    rows.into_iter().map(|(token, shares)| (token.parse().unwrap(), Shares::from_micros(shares))).collect()
}
