//! Positions about which something may still become known, and what is remembered of leaving them.

use domain::{
    Ending, ExitReason, Position, Price, Settlement, Shares, SignalKind, Timestamp, TokenId, Usd, Wallet,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::orders::price;
use crate::error::{During as _, StoreError};
use crate::row;

/// A position as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptPosition {
    /// The position.
    pub position: Position,
    /// How it ended, if it has.
    pub ended: Option<Settlement>,
    /// The best bid, where a book said it.
    pub bid: Option<Price>,
}

/// What is remembered of leaving a position.
#[derive(Clone, Debug, PartialEq)]
pub struct ExitRow {
    /// The position.
    pub position: i64,
    /// Why it is being left.
    pub leaving: Option<ExitReason>,
    /// Of which kind its signal was.
    pub kind: SignalKind,
    /// The wallet of its signal.
    pub wallet: Wallet,
    /// The token.
    pub token: TokenId,
    /// The dollars of that wallet's entry.
    pub notional: Usd,
    /// Its average price.
    pub reference: Price,
    /// Shares of it that the wallet has given up since: what the chain holds to, and nothing that it took back.
    pub left: Shares,
    /// The middle of the book when its signal was raised.
    pub market: Price,
    /// How far a panic had moved the price by then, dollars a share; `None` for signals from before that was kept.
    pub drop: Option<f64>,
    /// The price bounds reached that were not obeyed.
    pub reached: Vec<ExitReason>,
}

/// The positions that are open, or have ended while something may still become known of their orders.
pub(super) async fn positions(connection: &mut PgConnection) -> Result<Vec<KeptPosition>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, opened_at, condition_id, event, token_id::text, outcome_index::bigint,
                (shares * 1000000)::bigint AS shares, (cost_usd * 1000000)::bigint AS cost,
                (fee_usd * 1000000)::bigint AS fee, (sold_shares * 1000000)::bigint AS sold_shares,
                (sold_usd * 1000000)::bigint AS sold_usd, closed_at, ending,
                (proceeds_usd * 1000000)::bigint AS proceeds, (pnl_usd * 1000000)::bigint AS pnl,
                (bid_price * 1000000)::bigint AS bid
         FROM orderflow_positions p
         WHERE status = 'OPEN'
            OR EXISTS (SELECT FROM orderflow_orders o WHERE o.position_id = p.id AND NOT o.is_final)
         ORDER BY id",
    )
    .fetch_all(connection)
    .await
    .during("read open positions")?;
    rows.iter().map(kept_of).collect()
}

/// What is remembered of leaving the positions that are open or on their way, at a place in the outbox. What the followed
/// wallets gave up is added up anew from the fills that stand: a sale whose block was replaced, and that came again in
/// another, is one sale.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn exits(connection: &mut PgConnection, seq: i64) -> Result<Vec<ExitRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT s.id, s.signal_type, s.wallet_address, s.token_id::text,
                (s.notional_usd * 1000000)::bigint AS notional,
                (s.reference_price * 1000000)::bigint AS reference,
                (s.market_price * 1000000)::bigint AS market, (s.evidence->>'drop')::float8 AS drop, x.reason,
                -- Its sales of the token, and in a market of two its purchases of the other.
                (SELECT coalesce(sum(f.shares), 0)::bigint
                 FROM orderflow_fills f
                 JOIN orderflow_tokens k ON k.id = f.token
                 JOIN orderflow_blocks b ON b.block_number = f.block_number AND NOT b.orphaned
                 JOIN orderflow_outbox o ON o.block_hash = b.block_hash AND o.kind = 'block' AND o.seq <= $1
                 WHERE f.wallet = (SELECT w.id FROM orderflow_wallets w WHERE w.address = s.wallet_address)
                   AND b.block_time >= coalesce(s.followed_at, s.created_at)
                   -- Says which partitions need not be looked at.
                   AND f.block_number >= (SELECT min(n.block_number) FROM orderflow_blocks n
                                          WHERE NOT n.orphaned
                                            AND n.block_time >= coalesce(s.followed_at, s.created_at))
                   AND (k.token_id = s.token_id AND f.kind & 16 <> 0
                        OR f.kind & 16 = 0 AND k.token_id =
                           (SELECT m.token_ids[CASE WHEN m.token_ids[1] = s.token_id THEN 2 ELSE 1 END]
                            FROM orderflow_markets m
                            WHERE m.condition_id = s.condition_id AND cardinality(m.token_ids) = 2))
                   -- What was told late was not followed.
                   AND orderflow_told(b.block_hash, f.log_index, $1) = o.seq) AS whale_left,
                ARRAY(SELECT c.reason FROM orderflow_counterfactuals c WHERE c.position_id = s.id) AS reached
         FROM orderflow_signals s LEFT JOIN orderflow_exits x ON x.position_id = s.id
         WHERE s.id IN (SELECT id FROM orderflow_positions WHERE status = 'OPEN'
                        UNION SELECT position_id FROM orderflow_orders WHERE NOT is_final)
         ORDER BY s.id",
    )
    .bind(seq)
    .fetch_all(connection)
    .await
    .during("read what is remembered of leaving positions")?;
    rows.iter().map(exit_of).collect()
}

/// The last price of a position's token that became known after its last match and up to the executor's place; before
/// that there is the price of the match.
pub(super) async fn last_price(
    connection: &mut PgConnection,
    position: &Position,
    seq: i64,
) -> Result<Option<Price>, StoreError> {
    let matched = sqlx::query(
        "SELECT e.matched_at, (e.usd * 1000000)::bigint AS usd, (e.shares * 1000000)::bigint AS shares
         FROM orderflow_executions e JOIN orderflow_orders o ON o.id = e.order_id
         WHERE o.position_id = $1 AND e.matched_at IS NOT NULL
         ORDER BY e.matched_at DESC, e.order_id DESC, e.trade_id DESC LIMIT 1",
    )
    .bind(position.id)
    .fetch_optional(&mut *connection)
    .await
    .during("read a price paid")?;
    let Some(matched) = matched else { return Ok(None) };
    let since: Timestamp = row::time(&matched, "matched_at")?;
    if let Some(print) = last_print(connection, position.token, since, seq).await? {
        return Ok(Some(print));
    }
    Ok(Price::average(row::usd(&matched, "usd")?, row::shares(&matched, "shares")?))
}

async fn last_print(
    connection: &mut PgConnection,
    token: TokenId,
    since: Timestamp,
    seq: i64,
) -> Result<Option<Price>, StoreError> {
    let found = sqlx::query(
        "SELECT round(f.usd::numeric * 1000000 / f.shares)::bigint AS price
         FROM orderflow_fills f JOIN orderflow_tokens k ON k.id = f.token
         JOIN orderflow_blocks b ON b.block_number = f.block_number AND NOT b.orphaned
         JOIN orderflow_outbox o ON o.block_hash = b.block_hash AND o.kind = 'block' AND o.seq <= $2
         WHERE k.token_id = $1::text::numeric AND o.learned_at > $3
           -- What became known since then happened since then, but for the time a block takes to come in.
           AND b.block_time > $3::timestamptz - interval '1 hour'
           AND f.shares >= 10000 AND f.usd > 0 AND f.usd < f.shares
           -- A print that was told late marks nothing.
           AND orderflow_told(b.block_hash, f.log_index, $2) = o.seq
         ORDER BY o.seq DESC, f.log_index DESC LIMIT 1",
    )
    .bind(token.to_string())
    .bind(seq)
    .bind(since.to_offset_date_time())
    .fetch_optional(connection)
    .await
    .during("read a last price")?;
    found.map(|found| price(&found, "price")).transpose()
}

fn kept_of(found: &PgRow) -> Result<KeptPosition, StoreError> {
    let id = found.try_get("id").during("read a column")?;
    let ended = match row::maybe_time(found, "closed_at")? {
        None => None,
        Some(at) => Some(Settlement {
            id,
            at,
            proceeds: row::usd(found, "proceeds")?,
            pnl: row::usd(found, "pnl")?,
            ending: row::named(found, "ending", "how a position ended", Ending::from_name)?,
        }),
    };
    let bid: Option<i64> = found.try_get("bid").during("read a column")?;
    Ok(KeptPosition {
        position: Position {
            id,
            opened: row::time(found, "opened_at")?,
            condition: row::text(found, "condition_id", "a condition")?,
            event: row::string(found, "event")?,
            token: row::text(found, "token_id", "a token id")?,
            outcome: row::unsigned(found, "outcome_index")?,
            bought: row::shares(found, "shares")?,
            spent: row::usd(found, "cost")?,
            sold: row::shares(found, "sold_shares")?,
            proceeds: row::usd(found, "sold_usd")?,
            fee: row::usd(found, "fee")?,
        },
        ended,
        bid: bid.map(|_| price(found, "bid")).transpose()?,
    })
}

fn exit_of(found: &PgRow) -> Result<ExitRow, StoreError> {
    let exit_named = |name: &str| {
        ExitReason::from_name(name).ok_or(StoreError::Corrupt {
            column: "reason",
            value: name.to_owned(),
            expected: "why a position is left",
        })
    };
    let leaving: Option<String> = found.try_get("reason").during("read a column")?;
    let reached: Vec<String> = found.try_get("reached").during("read a column")?;
    Ok(ExitRow {
        position: found.try_get("id").during("read a column")?,
        leaving: leaving.as_deref().map(exit_named).transpose()?,
        kind: row::named(found, "signal_type", "a signal", SignalKind::from_name)?,
        wallet: row::text(found, "wallet_address", "an address")?,
        token: row::text(found, "token_id", "a token id")?,
        notional: row::usd(found, "notional")?,
        reference: price(found, "reference")?,
        left: row::shares(found, "whale_left")?,
        market: price(found, "market")?,
        drop: found.try_get("drop").during("read a column")?,
        reached: reached.iter().map(|name| exit_named(name)).collect::<Result<_, _>>()?,
    })
}
