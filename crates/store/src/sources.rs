//! The nodes and portals facts come from: what asking them costs, how they are, and what they said that was no
//! answer.

use std::collections::BTreeMap;

use domain::Timestamp;
use sqlx::PgConnection;

use crate::error::{During as _, StoreError};
use crate::row;

/// How many of the newest bad answers are kept with their words.
const BAD_ANSWERS_KEPT: i64 = 1_000;

/// What was asked of one source by one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The source, without what may be secret in its address.
    pub endpoint: String,
    /// The method.
    pub method: String,
    /// Questions.
    pub calls: u64,
    /// Those without a usable answer.
    pub failures: u64,
    /// Bytes of the answers.
    pub bytes: u64,
    /// Compute units, by the published price list.
    pub compute_units: u64,
}

/// Adds to the account of an hour.
///
/// # Errors
/// If the database refuses.
pub async fn add_usage(
    connection: &mut PgConnection,
    at: Timestamp,
    purpose: &str,
    usage: &[Usage],
) -> Result<(), StoreError> {
    if usage.is_empty() {
        return Ok(());
    }
    let numbers = |of: fn(&Usage) -> u64| usage.iter().map(|one| row::signed(of(one))).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO orderflow_rpc_usage AS u (hour, purpose, endpoint, method, calls, failures, bytes, compute_units)
         SELECT $1, $2, * FROM UNNEST($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
         ON CONFLICT (hour, purpose, endpoint, method) DO UPDATE
         SET calls = u.calls + excluded.calls, failures = u.failures + excluded.failures,
             bytes = u.bytes + excluded.bytes, compute_units = u.compute_units + excluded.compute_units",
    )
    .bind(at.hour_start().to_offset_date_time())
    .bind(purpose)
    .bind(usage.iter().map(|one| one.endpoint.clone()).collect::<Vec<_>>())
    .bind(usage.iter().map(|one| one.method.clone()).collect::<Vec<_>>())
    .bind(numbers(|one| one.calls))
    .bind(numbers(|one| one.failures))
    .bind(numbers(|one| one.bytes))
    .bind(numbers(|one| one.compute_units))
    .execute(connection)
    .await
    .map(|_| ())
    .during("store what asking cost")
}

/// How a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The source, without what may be secret in its address.
    pub endpoint: String,
    /// Whether its last answer was one.
    pub working: bool,
    /// The newest block it told of.
    pub head: Option<u64>,
    /// When it last answered.
    pub last_answer: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Failures in a row.
    pub failures: u32,
}

/// Stores how the sources are.
///
/// # Errors
/// If the database refuses.
pub async fn set_health(connection: &mut PgConnection, health: &[Health]) -> Result<(), StoreError> {
    for one in health {
        sqlx::query(
            "INSERT INTO orderflow_sources (endpoint, working, head, last_answer, last_error, failures)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (endpoint) DO UPDATE
             SET working = $2, head = $3, last_answer = $4, last_error = $5, failures = $6, updated_at = now()",
        )
        .bind(&one.endpoint)
        .bind(one.working)
        .bind(one.head.map(row::signed))
        .bind(one.last_answer.map(Timestamp::to_offset_date_time))
        .bind(&one.last_error)
        .bind(row::small(one.failures))
        .execute(&mut *connection)
        .await
        .during("store how a source is")?;
    }
    Ok(())
}

/// An answer that was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAnswer {
    /// Who gave it.
    pub endpoint: String,
    /// To which question.
    pub method: String,
    /// What is wrong with it.
    pub reason: String,
    /// How it begins.
    pub excerpt: String,
    /// When.
    pub at: Timestamp,
}

/// Stores bad answers, within a transaction: all are counted, the newest kept.
///
/// # Errors
/// If the database refuses.
pub async fn add_bad_answers(connection: &mut PgConnection, answers: &[BadAnswer]) -> Result<(), StoreError> {
    if answers.is_empty() {
        return Ok(());
    }
    // PostgreSQL's texts hold everything but this one character.
    let clean = |text: &str| text.replace('\0', "�");
    sqlx::query(
        "INSERT INTO orderflow_bad_answers (endpoint, method, reason, excerpt, seen_at)
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])",
    )
    .bind(answers.iter().map(|answer| answer.endpoint.clone()).collect::<Vec<_>>())
    .bind(answers.iter().map(|answer| answer.method.clone()).collect::<Vec<_>>())
    .bind(answers.iter().map(|answer| clean(&answer.reason)).collect::<Vec<_>>())
    .bind(answers.iter().map(|answer| clean(&answer.excerpt)).collect::<Vec<_>>())
    .bind(answers.iter().map(|answer| answer.at.to_offset_date_time()).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await
    .during("store bad answers")?;
    // Sorted, because listener and backfill count at the same time and must not wait for each other in a circle.
    let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for answer in answers {
        *counts.entry((&answer.endpoint, &answer.method)).or_default() += 1;
    }
    sqlx::query(
        "INSERT INTO orderflow_bad_answer_counts AS c (endpoint, method, answers)
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[])
         ON CONFLICT (endpoint, method) DO UPDATE SET answers = c.answers + excluded.answers",
    )
    .bind(counts.keys().map(|(endpoint, _)| (*endpoint).to_owned()).collect::<Vec<_>>())
    .bind(counts.keys().map(|(_, method)| (*method).to_owned()).collect::<Vec<_>>())
    .bind(counts.values().copied().collect::<Vec<_>>())
    .execute(&mut *connection)
    .await
    .during("count bad answers")?;
    sqlx::query(
        "DELETE FROM orderflow_bad_answers
         WHERE id <= (SELECT max(id) FROM orderflow_bad_answers) - $1",
    )
    .bind(BAD_ANSWERS_KEPT)
    .execute(connection)
    .await
    .map(|_| ())
    .during("keep the newest bad answers")
}
