//! Markets: what their tokens are called and belong to.

use domain::{ConditionId, Market, Tick, Timestamp, TokenId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::{announce, row, take_turn};

/// Takes in markets that are new, with the results the chain has already given them, and tells the readers.
/// Known markets keep their tokens and are only brought up to date.
///
/// # Errors
/// If the database refuses.
pub async fn learn(
    connection: &mut PgConnection,
    markets: &[Market],
    learned: Timestamp,
) -> Result<u64, StoreError> {
    take_turn(connection).await?;
    let mut new = 0;
    for market in markets {
        let is_new = insert(connection, market).await?;
        if is_new {
            new += 1;
            adopt_result(connection, market.condition).await?;
            sqlx::query(
                "INSERT INTO orderflow_outbox (learned_at, kind, condition_id) VALUES ($1, 'market', $2)",
            )
            .bind(learned.to_offset_date_time())
            .bind(market.condition.to_string())
            .execute(&mut *connection)
            .await
            .during("tell of a new market")?;
        }
        let tokens: Vec<String> = market.tokens.iter().map(ToString::to_string).collect();
        sqlx::query("DELETE FROM orderflow_unknown_tokens WHERE token_id = ANY($1::text[]::numeric[])")
            .bind(tokens)
            .execute(&mut *connection)
            .await
            .during("forget an unknown token")?;
    }
    if new > 0 {
        announce(connection).await?;
    }
    Ok(new)
}

async fn insert(connection: &mut PgConnection, market: &Market) -> Result<bool, StoreError> {
    let tokens: Vec<String> = market.tokens.iter().map(ToString::to_string).collect();
    let inserted = sqlx::query(
        "INSERT INTO orderflow_markets
             (condition_id, title, slug, event, category, outcomes, token_ids, neg_risk, protocol, tick_size,
              fee_rate, end_date)
         VALUES ($1, $2, $3, $4, $5, $6, $7::text[]::numeric[], $8, $9, $10::bigint::numeric / 1000000,
                 $11::bigint::numeric / 1000000, $12)
         ON CONFLICT (condition_id) DO UPDATE
         SET title = excluded.title, slug = excluded.slug, category = excluded.category,
             tick_size = excluded.tick_size, fee_rate = excluded.fee_rate, end_date = excluded.end_date
         RETURNING xmax = 0 AS is_new",
    )
    .bind(market.condition.to_string())
    .bind(&market.title)
    .bind(&market.slug)
    .bind(&market.event)
    .bind(&market.category)
    .bind(&market.outcomes)
    .bind(tokens)
    .bind(market.neg_risk)
    .bind(if market.protocol_v2 { 2i16 } else { 1 })
    .bind(i64::from(market.tick.ppm()))
    .bind(i64::from(market.fee_rate_ppm))
    .bind(market.end.map(Timestamp::to_offset_date_time))
    .fetch_one(connection)
    .await
    .during("insert a market")?;
    inserted.try_get("is_new").during("read a column")
}

/// Gives a market the result that came before its description.
async fn adopt_result(connection: &mut PgConnection, condition: ConditionId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE orderflow_markets m
         SET payout_numerators = e.payout_numerators, resolved_at = e.block_time
         FROM orderflow_ledger_events e
         WHERE m.condition_id = $1 AND e.condition_id = $1 AND e.kind = 'resolution' AND NOT e.orphaned",
    )
    .bind(condition.to_string())
    .execute(connection)
    .await
    .map(|_| ())
    .during("give a market its result")
}

/// Queues the tokens of trades whose market is not known, so that it is asked for.
///
/// # Errors
/// If the database refuses.
pub async fn queue_unknown(connection: &mut PgConnection, tokens: &[TokenId]) -> Result<(), StoreError> {
    let tokens: Vec<String> = tokens.iter().map(ToString::to_string).collect();
    sqlx::query(
        "INSERT INTO orderflow_unknown_tokens (token_id)
         SELECT token FROM UNNEST($1::text[]::numeric[]) AS asked (token)
         WHERE NOT EXISTS (SELECT FROM orderflow_markets WHERE token_ids @> ARRAY[token])
         ON CONFLICT DO NOTHING",
    )
    .bind(tokens)
    .execute(connection)
    .await
    .map(|_| ())
    .during("queue unknown tokens")
}

/// The unknown tokens whose turn it is, each put off for the next time: five seconds,
/// doubling to an hour.
///
/// # Errors
/// If the database refuses.
pub async fn due_unknown(connection: &mut PgConnection, limit: u32) -> Result<Vec<TokenId>, StoreError> {
    let rows = sqlx::query(
        "UPDATE orderflow_unknown_tokens
         SET attempts = attempts + 1,
             next_at = now() + least(interval '5 seconds' * power(2, least(attempts, 12)), interval '1 hour')
         WHERE token_id IN (SELECT token_id FROM orderflow_unknown_tokens WHERE next_at <= now()
                            ORDER BY next_at LIMIT $1)
         RETURNING token_id::text",
    )
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await
    .during("take unknown tokens")?;
    rows.iter().map(|found| row::text(found, "token_id", "a token id")).collect()
}

/// Every market that was known at a place in the outbox, and nothing of what came after.
///
/// # Errors
/// If the database refuses.
pub async fn known_at(connection: &mut PgConnection, seq: i64) -> Result<Vec<Market>, StoreError> {
    let conditions: Vec<String> = sqlx::query_scalar(
        "SELECT condition_id FROM orderflow_outbox WHERE kind = 'market' AND seq <= $1 ORDER BY seq",
    )
    .bind(seq)
    .fetch_all(&mut *connection)
    .await
    .during("read the markets known")?;
    of_conditions(connection, &conditions).await
}

/// The markets of these conditions.
///
/// # Errors
/// If the database refuses.
pub(crate) async fn of_conditions(
    connection: &mut PgConnection,
    conditions: &[String],
) -> Result<Vec<Market>, StoreError> {
    let rows = sqlx::query(
        "SELECT condition_id, title, slug, event, category, outcomes, token_ids::text[] AS token_ids, neg_risk,
                protocol, (tick_size * 1000000)::bigint AS tick, (fee_rate * 1000000)::bigint AS fee_rate,
                end_date
         FROM orderflow_markets WHERE condition_id = ANY($1)",
    )
    .bind(conditions)
    .fetch_all(connection)
    .await
    .during("read markets")?;
    rows.iter().map(market_of).collect()
}

fn market_of(found: &PgRow) -> Result<Market, StoreError> {
    let texts: Vec<String> = found.try_get("token_ids").during("read a column")?;
    let corrupt = |column, value: String, expected| StoreError::Corrupt { column, value, expected };
    let tokens: Result<Vec<TokenId>, StoreError> = texts
        .into_iter()
        .map(|text| text.parse().map_err(|_| corrupt("token_ids", text, "a token id")))
        .collect();
    let tick: u32 = row::unsigned(found, "tick")?;
    Ok(Market {
        condition: row::text(found, "condition_id", "a condition")?,
        title: found.try_get("title").during("read a column")?,
        slug: found.try_get("slug").during("read a column")?,
        event: found.try_get("event").during("read a column")?,
        category: found.try_get("category").during("read a column")?,
        outcomes: found.try_get("outcomes").during("read a column")?,
        tokens: tokens?,
        neg_risk: found.try_get("neg_risk").during("read a column")?,
        protocol_v2: found.try_get::<i16, _>("protocol").during("read a column")? == 2,
        tick: Tick::from_ppm(tick).ok_or_else(|| corrupt("tick_size", tick.to_string(), "a tick"))?,
        fee_rate_ppm: row::unsigned(found, "fee_rate")?,
        end: row::maybe_time(found, "end_date")?,
    })
}
