//! What the database says of a live account, held against what is really so at the venue and on the chain.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use alloy_primitives::B256;
use devnet::TradeStatus;
use domain::{Shares, TokenId, Usd};
use sqlx::{PgPool, Row as _};
use store::live;

use crate::scene::Scene;
use crate::story;

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

/// What cannot be where nothing was done twice, each with a query that finds it and the positions it is about.
const NEVER: [(&str, &str); 5] = [
    (
        "positions with two orders to enter",
        "SELECT position_id::text, ARRAY[position_id] FROM orderflow_orders WHERE purpose = 'ENTER'
         GROUP BY position_id HAVING count(*) > 1",
    ),
    (
        "entries of a wallet that were followed twice",
        "SELECT wallet_address || ' ' || token_id, array_agg(id) FROM orderflow_signals WHERE NOT shadow
         GROUP BY wallet_address, token_id HAVING count(*) > 1",
    ),
    (
        "entries into an event that was not free",
        // Free is an event whose result has come, and one where each order of before is closed, each of its matches
        // settled for good, and no more is left than is too small to sell.
        "SELECT concat_ws(' ', b.event, a.position_id, b.position_id), ARRAY[a.position_id, b.position_id]
         FROM orderflow_orders a
         JOIN orderflow_orders b ON b.event = a.event AND b.purpose = 'ENTER' AND a.id < b.id
         LEFT JOIN orderflow_positions p ON p.id = a.position_id
         WHERE a.purpose = 'ENTER'
           AND (p.ending = 'RESOLVED' AND p.closed_at <= b.created_at) IS NOT TRUE
           AND (p.shares - p.sold_shares >= 0.01
                OR EXISTS (SELECT FROM orderflow_orders o LEFT JOIN orderflow_executions e ON e.order_id = o.id
                           WHERE o.position_id = a.position_id AND o.created_at <= b.created_at
                             AND (o.closed_at <= b.created_at
                                  AND (e.order_id IS NULL OR e.settled_at <= b.created_at)) IS NOT TRUE))",
    ),
    (
        "matches that belong to two orders",
        "SELECT e.trade_id, array_agg(o.position_id)
         FROM orderflow_executions e JOIN orderflow_orders o ON o.id = e.order_id
         GROUP BY e.trade_id HAVING count(*) > 1",
    ),
    (
        "orders without a signature that came to something",
        "SELECT id::text, ARRAY[position_id] FROM orderflow_orders o WHERE order_hash IS NULL
           AND (closing IS DISTINCT FROM 'REJECTED' OR matched_shares <> 0)",
    ),
];

/// What the database says otherwise than the venue and the chain, and whatever is not at its end yet.
pub(crate) async fn differences(scene: &Scene) -> Result<Sum, Vec<String>> {
    let truth = scene.truth();
    let mut found = vec![];
    for (what, query) in NEVER {
        let rows: Vec<(String, Vec<i64>)> = sqlx::query_as(query).fetch_all(&scene.pool).await.unwrap();
        if rows.is_empty() {
            continue;
        }
        // What was done twice stays done twice: nothing to wait for.
        let (shown, positions): (Vec<String>, Vec<Vec<i64>>) = rows.into_iter().unzip();
        let story = story::of(&scene.pool, &positions.into_iter().flatten().collect()).await;
        panic!("{what}: {shown:?}\n{story}\n{}", scene.said());
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
