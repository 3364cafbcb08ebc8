//! Signals and refusals as people and scripts read them: each with everything it was decided on, what was done about
//! it, and what it came to.

use serde_json::Value;
use sqlx::PgConnection;

use crate::error::{During as _, StoreError};
use crate::reports::{object_of, objects};

/// A signal with the name of its market, the refusal that ended it, its position and its outcome.
macro_rules! signals {
    ($rest:literal) => {
        concat!(
            "SELECT (to_jsonb(s) || jsonb_build_object(
                 'slug', m.slug,
                 'refusal', (SELECT detail FROM orderflow_refusals r WHERE r.signal_id = s.id
                             ORDER BY r.id LIMIT 1),
                 'position', (SELECT to_jsonb(p) FROM orderflow_position_details p WHERE p.id = s.id),
                 'result', (SELECT to_jsonb(o) FROM orderflow_outcomes o WHERE o.signal_id = s.id)))::text
                 AS object
             FROM orderflow_signals s LEFT JOIN orderflow_markets m USING (condition_id) ",
            $rest
        )
    };
}

/// The newest signals, newest first.
///
/// # Errors
/// If the database refuses.
pub async fn signals(connection: &mut PgConnection, limit: i64) -> Result<Vec<Value>, StoreError> {
    objects(connection, signals!("ORDER BY s.id DESC LIMIT $1"), limit).await
}

/// The signals raised after `after`, oldest first, at most fifty.
///
/// # Errors
/// If the database refuses.
pub async fn signals_after(connection: &mut PgConnection, after: i64) -> Result<Vec<Value>, StoreError> {
    objects(connection, signals!("WHERE s.id > $1 ORDER BY s.id LIMIT 50"), after).await
}

/// A signal's whole story, the settings it was decided under included; `None` if there is no such signal.
///
/// # Errors
/// If the database refuses.
pub async fn signal(connection: &mut PgConnection, id: i64) -> Result<Option<Value>, StoreError> {
    let found = objects(connection, signals!("WHERE s.id = $1"), id).await?.pop();
    with_policy(connection, found).await
}

/// A refusal with the name of its market and what it would have come to.
macro_rules! refusals {
    ($rest:literal) => {
        concat!(
            "SELECT (to_jsonb(r) || jsonb_build_object(
                 'name', 'r' || r.id, 'slug', m.slug, 'market_title', m.title,
                 'outcome', m.outcomes[array_position(m.token_ids, r.token_id)],
                 'result', (SELECT to_jsonb(o) FROM orderflow_outcomes o WHERE o.refusal_id = r.id)))::text
                 AS object
             FROM orderflow_refusals r LEFT JOIN orderflow_markets m USING (condition_id) ",
            $rest
        )
    };
}

/// The newest refusals, newest first.
///
/// # Errors
/// If the database refuses.
pub async fn refusals(connection: &mut PgConnection, limit: i64) -> Result<Vec<Value>, StoreError> {
    objects(connection, refusals!("ORDER BY r.id DESC LIMIT $1"), limit).await
}

/// A refusal's whole story; `None` if there is no such refusal.
///
/// # Errors
/// If the database refuses.
pub async fn refusal(connection: &mut PgConnection, id: i64) -> Result<Option<Value>, StoreError> {
    let found = objects(connection, refusals!("WHERE r.id = $1"), id).await?.pop();
    with_policy(connection, found).await
}

/// Adds the settings that a story's evidence names.
async fn with_policy(
    connection: &mut PgConnection,
    story: Option<Value>,
) -> Result<Option<Value>, StoreError> {
    let Some(mut story) = story else { return Ok(None) };
    let Some(digest) = story["evidence"]["policy"].as_str() else { return Ok(Some(story)) };
    let found = sqlx::query("SELECT to_jsonb(p)::text AS object FROM orderflow_policies p WHERE digest = $1")
        .bind(digest)
        .fetch_optional(connection)
        .await
        .during("read a policy")?;
    if let Some(policy) = found {
        story["policy"] = object_of(&policy)?;
    }
    Ok(Some(story))
}
