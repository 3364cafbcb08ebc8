//! What live trading remembers: signed orders, and what the books say that the account must hold.

mod intent;
mod steps;
mod touched;

use std::collections::BTreeMap;

use domain::{ConditionId, Market, Payouts, Shares, Timestamp, TokenId, Usd, Wallet};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::{facts, markets, row};

pub use intent::{Intent, intent};
pub use steps::{Steps, steps};
pub use touched::{Touched, touched};

/// An order as it was signed.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRow {
    /// The order.
    pub order: i64,
    /// Its hash, the venue's name for it.
    pub hash: String,
    /// The bytes that are sent.
    pub body: String,
    /// The wallet that owns it.
    pub maker: Wallet,
    /// When it was signed.
    pub at: Timestamp,
}

/// Without the bytes, which anybody could send.
impl std::fmt::Debug for SignedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedRow")
            .field("order", &self.order)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// The signed orders that are not final, by order.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn unfinished(connection: &mut PgConnection) -> Result<BTreeMap<i64, SignedRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT s.order_id, s.order_hash, s.body, s.maker, s.signed_at
         FROM orderflow_signed_orders s JOIN orderflow_orders o ON o.id = s.order_id WHERE NOT o.is_final",
    )
    .fetch_all(connection)
    .await
    .during("read signed orders")?;
    rows.iter()
        .map(|found| {
            let order = found.try_get("order_id").during("read a column")?;
            let signed = SignedRow {
                order,
                hash: row::string(found, "order_hash")?,
                body: row::string(found, "body")?,
                maker: row::text(found, "maker", "an address")?,
                at: row::time(found, "signed_at")?,
            };
            Ok((order, signed))
        })
        .collect()
}

/// How many positions and orders of the other mode are not at their end: what was bought on paper cannot be sold in
/// earnest, nor the other way round.
///
/// # Errors
/// If the database refuses.
pub async fn of_other_mode(connection: &mut PgConnection, mode: &str) -> Result<i64, StoreError> {
    sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM orderflow_positions WHERE status = 'OPEN' AND mode <> $1)
              + (SELECT count(*) FROM orderflow_orders WHERE NOT is_final AND mode <> $1)",
    )
    .bind(mode)
    .fetch_one(connection)
    .await
    .during("look for positions of the other mode")
}

/// Which of these hashes are orders of ours.
///
/// # Errors
/// If the database refuses.
pub async fn ours(connection: &mut PgConnection, hashes: &[String]) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar("SELECT order_hash FROM orderflow_signed_orders WHERE order_hash = ANY($1)")
        .bind(hashes)
        .fetch_all(connection)
        .await
        .during("look for orders of ours")
}

/// A market's description; `None` where nothing is known of it.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn market(
    connection: &mut PgConnection,
    condition: ConditionId,
) -> Result<Option<Market>, StoreError> {
    Ok(markets::of_conditions(connection, &[condition.to_string()]).await?.pop())
}

/// What live trading says of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Dollars that came in less those that went out, by all matches that did not fail and all winners paid.
    pub flow: Usd,
    /// Dollars of matches whose settlement is not final, either way: the venue may or may not have moved them yet.
    pub unsettled: Usd,
    /// Dollars of winners of which nobody knows yet whether they were paid, those among them that the chain has resolved
    /// and the books have not heard of.
    pub unpaid: Usd,
    /// Shares held by token, those whose market has not resolved on the chain: what has may be redeemed at any moment.
    pub shares: BTreeMap<TokenId, Shares>,
    /// Tokens with a match that is not final.
    pub moving: Vec<TokenId>,
    /// How many matches count that the chain has not confirmed the amounts of: each may be a rounding off.
    pub unchecked: i64,
}

/// What the books say that an account must hold.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn account(connection: &mut PgConnection) -> Result<Account, StoreError> {
    let totals = sqlx::query(
        "WITH matches AS (
             SELECT e.*, o.side, (CASE o.side WHEN 'BUY' THEN -(e.usd + e.fee_usd) ELSE e.usd - e.fee_usd END) AS flow
             FROM orderflow_executions e JOIN orderflow_orders o ON o.id = e.order_id
             WHERE o.mode = 'live' AND e.status <> 'FAILED' AND e.usd IS NOT NULL)
         SELECT (coalesce(sum(flow), 0) * 1000000)::bigint AS flow,
                (coalesce(sum(abs(flow)) FILTER (WHERE status = 'MATCHED'), 0) * 1000000)::bigint AS unsettled,
                count(*) FILTER (WHERE chain_at IS NULL) AS unchecked,
                (SELECT (coalesce(sum(redeemed_usd), 0) * 1000000)::bigint FROM orderflow_positions
                 WHERE mode = 'live') AS redeemed,
                (SELECT (coalesce(sum(proceeds_usd - sold_usd), 0) * 1000000)::bigint FROM orderflow_positions
                 WHERE mode = 'live' AND ending = 'RESOLVED' AND redeemed_at IS NULL) AS unpaid
         FROM matches",
    )
    .fetch_one(&mut *connection)
    .await
    .during("sum up what an account must hold")?;
    let held = sqlx::query(
        "SELECT condition_id, token_id::text, outcome_index::bigint AS outcome, (sum(shares - sold_shares) * 1000000)::bigint AS shares
         FROM orderflow_positions WHERE mode = 'live' AND status = 'OPEN'
         GROUP BY condition_id, token_id, outcome_index",
    )
    .fetch_all(&mut *connection)
    .await
    .during("read the shares that must be held")?;
    let results = untold(connection).await?;
    let moving = sqlx::query(
        "SELECT DISTINCT o.token_id::text FROM orderflow_orders o WHERE o.mode = 'live' AND NOT o.is_final",
    )
    .fetch_all(connection)
    .await
    .during("read what is on its way")?;
    let mut unpaid = row::usd(&totals, "unpaid")?;
    let mut shares = BTreeMap::<TokenId, Shares>::new();
    for found in &held {
        let some = row::shares(found, "shares")?;
        match results.get(&row::text(found, "condition_id", "a condition")?) {
            Some(payouts) => unpaid += payouts.pays(row::unsigned(found, "outcome")?, some),
            None => *shares.entry(row::text(found, "token_id", "a token id")?).or_default() += some,
        }
    }
    Ok(Account {
        flow: row::usd(&totals, "flow")? + row::usd(&totals, "redeemed")?,
        unsettled: row::usd(&totals, "unsettled")?,
        unpaid,
        unchecked: totals.try_get("unchecked").during("read a column")?,
        shares,
        moving: moving
            .iter()
            .map(|found| row::text(found, "token_id", "a token id"))
            .collect::<Result<_, _>>()?,
    })
}

/// What the chain says that positions pay which are open in the books: the executor will hear of it, and the venue redeems
/// without waiting for that.
async fn untold(connection: &mut PgConnection) -> Result<BTreeMap<ConditionId, Payouts>, StoreError> {
    let rows = sqlx::query(
        "SELECT condition_id, payout_numerators FROM orderflow_ledger_events
         WHERE kind = 'resolution' AND NOT orphaned
           AND condition_id IN (SELECT condition_id FROM orderflow_positions WHERE mode = 'live' AND status = 'OPEN')",
    )
    .fetch_all(connection)
    .await
    .during("read the results that the books have not heard of")?;
    rows.iter()
        .map(|found| Ok((row::text(found, "condition_id", "a condition")?, facts::payouts_of(found)?)))
        .collect()
}

/// The dollars a wallet had beyond what the books say moved; `None` before they were first counted.
///
/// # Errors
/// If the database refuses.
pub async fn opening(connection: &mut PgConnection, wallet: Wallet) -> Result<Option<Usd>, StoreError> {
    let found = sqlx::query(
        "SELECT (opening_usd * 1000000)::bigint AS opening FROM orderflow_live_accounts WHERE wallet = $1",
    )
    .bind(wallet.to_string())
    .fetch_optional(connection)
    .await
    .during("read an account's opening balance")?;
    found.map(|found| row::usd(&found, "opening")).transpose()
}

/// Opens a wallet's balance, or opens it anew after money was paid in or taken out.
///
/// # Errors
/// If the database refuses.
pub async fn open(connection: &mut PgConnection, wallet: Wallet, opening: Usd) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_live_accounts (wallet, opening_usd) VALUES ($1, $2::bigint::numeric / 1000000)
         ON CONFLICT (wallet) DO UPDATE SET opening_usd = excluded.opening_usd, opened_at = now()",
    )
    .bind(wallet.to_string())
    .bind(opening.micros())
    .execute(connection)
    .await
    .map(|_| ())
    .during("open an account's balance")
}

/// A winner of whose dollars nobody knows whether they came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpaid {
    /// The position.
    pub position: i64,
    /// Its market.
    pub condition: ConditionId,
    /// The token that won.
    pub token: TokenId,
    /// What it pays.
    pub payout: Usd,
    /// When it was resolved.
    pub resolved: Timestamp,
}

/// The winners of whose dollars nobody knows whether they came in, and, marked as paid with nothing from here on, the
/// losers, which pay nothing. A position with an order of which something may still become known is neither yet: its
/// shares may not be in the wallet, or may never come.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn unpaid(connection: &mut PgConnection) -> Result<Vec<Unpaid>, StoreError> {
    sqlx::query(
        "UPDATE orderflow_positions SET redeemed_at = closed_at, redeemed_usd = 0
         WHERE mode = 'live' AND ending = 'RESOLVED' AND redeemed_at IS NULL AND proceeds_usd <= sold_usd
           AND NOT EXISTS (SELECT FROM orderflow_orders o
                           WHERE o.position_id = orderflow_positions.id AND NOT o.is_final)",
    )
    .execute(&mut *connection)
    .await
    .during("mark losers")?;
    let rows = sqlx::query(
        "SELECT id, condition_id, token_id::text, ((proceeds_usd - sold_usd) * 1000000)::bigint AS payout, closed_at
         FROM orderflow_positions p
         WHERE mode = 'live' AND ending = 'RESOLVED' AND redeemed_at IS NULL
           AND NOT EXISTS (SELECT FROM orderflow_orders o WHERE o.position_id = p.id AND NOT o.is_final)
         ORDER BY id",
    )
    .fetch_all(connection)
    .await
    .during("read winners that are not paid")?;
    rows.iter()
        .map(|found| {
            Ok(Unpaid {
                position: found.try_get("id").during("read a column")?,
                condition: row::text(found, "condition_id", "a condition")?,
                token: row::text(found, "token_id", "a token id")?,
                payout: row::usd(found, "payout")?,
                resolved: row::time(found, "closed_at")?,
            })
        })
        .collect()
}

/// A winner's dollars came in.
///
/// # Errors
/// If the database refuses.
pub async fn redeemed(
    connection: &mut PgConnection,
    position: i64,
    paid: Usd,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE orderflow_positions SET redeemed_at = $2, redeemed_usd = $3::bigint::numeric / 1000000
         WHERE id = $1 AND redeemed_at IS NULL",
    )
    .bind(position)
    .bind(at.to_offset_date_time())
    .bind(paid.micros())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store that a winner was paid")
}

/// How long the latest orders to open a position took to go out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delays {
    /// How many were sent in all.
    pub sent: i64,
    /// From learning of what is followed to signing its order, for half of the last thousand, in milliseconds.
    pub half: f64,
    /// The same for 99 of 100 of them.
    pub most: f64,
}

/// Measures how long the latest orders took to go out; `None` where none was sent.
///
/// # Errors
/// If the database refuses.
pub async fn delays(connection: &mut PgConnection) -> Result<Option<Delays>, StoreError> {
    let found = sqlx::query(
        "SELECT (SELECT count(*) FROM orderflow_signed_orders) AS sent,
                percentile_cont(0.5) WITHIN GROUP (ORDER BY millis) AS half,
                percentile_cont(0.99) WITHIN GROUP (ORDER BY millis) AS most
         FROM (SELECT (extract(epoch FROM s.signed_at - s.learned_at) * 1000)::float8 AS millis
               FROM orderflow_signed_orders s JOIN orderflow_orders o ON o.id = s.order_id
               WHERE o.purpose = 'ENTER' ORDER BY s.order_id DESC LIMIT 1000) AS latest",
    )
    .fetch_one(connection)
    .await
    .during("measure how long orders take")?;
    let half: Option<f64> = found.try_get("half").during("read a column")?;
    let most: Option<f64> = found.try_get("most").during("read a column")?;
    let sent = found.try_get("sent").during("read a column")?;
    Ok(half.zip(most).map(|(half, most)| Delays { sent, half, most }))
}
