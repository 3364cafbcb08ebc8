//! Tokens that were traded before anybody knew what they are: a queue of those to ask for.

use domain::{ConditionId, TokenId};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use crate::error::{During as _, StoreError};
use crate::row;

/// Queues the tokens of trades whose market is not known, so that it is asked for; how many that were.
///
/// # Errors
/// If the database refuses.
pub async fn queue_unknown(connection: &mut PgConnection, tokens: &[TokenId]) -> Result<u64, StoreError> {
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
    .map(|done| done.rows_affected())
    .during("queue unknown tokens")
}

/// A token whose market is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The token.
    pub token: TokenId,
    /// How often it has been taken from the queue, this time included.
    pub attempts: u32,
}

/// The unknown tokens whose turn it is, each put off for the next time: five seconds,
/// doubling to an hour. Those that were asked for least come first.
///
/// # Errors
/// If the database refuses.
pub async fn due_unknown(connection: &mut PgConnection, limit: u32) -> Result<Vec<Unknown>, StoreError> {
    let rows = sqlx::query(
        "UPDATE orderflow_unknown_tokens
         SET attempts = attempts + 1,
             next_at = now() + least(interval '5 seconds' * power(2, least(attempts, 12)), interval '1 hour')
         WHERE token_id IN (SELECT token_id FROM orderflow_unknown_tokens WHERE next_at <= now()
                            ORDER BY attempts, next_at LIMIT $1)
         RETURNING token_id::text, attempts::bigint AS attempts",
    )
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await
    .during("take unknown tokens")?;
    let unknown = |found: &PgRow| {
        let attempts = row::unsigned(found, "attempts")?;
        Ok(Unknown { token: row::text(found, "token_id", "a token id")?, attempts })
    };
    rows.iter().map(unknown).collect()
}

/// Makes it the turn of every unknown token, because whoever could not be asked can be asked again; how many
/// would have waited.
///
/// # Errors
/// If the database refuses.
pub async fn hurry_unknown(connection: &mut PgConnection) -> Result<u64, StoreError> {
    sqlx::query("UPDATE orderflow_unknown_tokens SET next_at = now() WHERE next_at > now()")
        .execute(connection)
        .await
        .map(|done| done.rows_affected())
        .during("hurry unknown tokens")
}

/// The conditions that tokens belong to, as far as the chain prepared them: tokens that follow from no known
/// preparation are missing.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn conditions_of_tokens(
    connection: &mut PgConnection,
    tokens: &[TokenId],
) -> Result<Vec<(TokenId, ConditionId)>, StoreError> {
    let tokens: Vec<String> = tokens.iter().map(ToString::to_string).collect();
    let rows = sqlx::query(
        "SELECT asked.token::text AS token_id, c.condition_id
         FROM UNNEST($1::text[]::numeric[]) AS asked (token)
         JOIN orderflow_conditions c ON c.token_ids @> ARRAY[asked.token]",
    )
    .bind(tokens)
    .fetch_all(connection)
    .await
    .during("read the conditions of tokens")?;
    let pair = |found: &PgRow| {
        let token = row::text(found, "token_id", "a token id")?;
        Ok((token, row::text(found, "condition_id", "a condition")?))
    };
    rows.iter().map(pair).collect()
}
