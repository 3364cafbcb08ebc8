//! What the venue said that stops trading until a person has looked: it outlives a restart, and only a person lifts it.

use domain::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::During as _;
use crate::{StoreError, row};

/// What kind of word of the venue's stops trading. The set is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HaltKind {
    /// The address is banned: nothing is opened.
    Banned,
    /// The address may only close what it holds: nothing is opened.
    ClosedOnly,
    /// Key, wallet, credentials or the form of orders are wrong: nothing at all is sent.
    Configuration,
}

impl HaltKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Banned, Self::ClosedOnly, Self::Configuration];

    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Banned => "BANNED",
            Self::ClosedOnly => "CLOSED_ONLY",
            Self::Configuration => "CONFIGURATION",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The newest halt of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// Its number, by which a later one of the same kind is told from it.
    pub id: i64,
    /// Its kind.
    pub kind: HaltKind,
    /// Why, in the venue's words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether a person lifted it.
    pub is_lifted: bool,
}

/// Stops trading until a person lifts it. While one of its kind stands the first reason stays.
///
/// # Errors
/// If the database refuses.
pub async fn halt(connection: &mut PgConnection, kind: HaltKind, reason: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO orderflow_venue_halts (kind, reason) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(kind.name())
        // A text of PostgreSQL's has no such character, and the venue's words may have any.
        .bind(reason.replace('\0', " "))
        .execute(&mut *connection)
        .await
        .during("write down what stops trading")?;
    crate::announce(connection).await
}

/// The newest halt of each kind, those among them that were lifted.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn newest(connection: &mut PgConnection) -> Result<Vec<Halt>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT ON (kind) id, kind, reason, halted_at, lifted_at IS NOT NULL AS is_lifted
         FROM orderflow_venue_halts ORDER BY kind, id DESC",
    )
    .fetch_all(connection)
    .await
    .during("read what stops trading")?;
    rows.iter().map(halt_of).collect()
}

/// What stops trading now.
///
/// # Errors
/// As [`newest`].
pub async fn standing(connection: &mut PgConnection) -> Result<Vec<Halt>, StoreError> {
    Ok(newest(connection).await?.into_iter().filter(|halt| !halt.is_lifted).collect())
}

/// Lifts all that stands, as a person says; how many that were.
pub(crate) async fn lift(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let lifted = sqlx::query("UPDATE orderflow_venue_halts SET lifted_at = now() WHERE lifted_at IS NULL")
        .execute(connection)
        .await
        .during("lift what stops trading")?;
    Ok(lifted.rows_affected())
}

fn halt_of(found: &PgRow) -> Result<Halt, StoreError> {
    let name: String = found.try_get("kind").during("read a column")?;
    let kind = HaltKind::from_name(&name).ok_or_else(|| StoreError::Corrupt {
        column: "kind",
        value: name.clone(),
        expected: "a kind of halt",
    })?;
    Ok(Halt {
        id: found.try_get("id").during("read a column")?,
        kind,
        reason: found.try_get("reason").during("read a column")?,
        since: row::time(found, "halted_at")?,
        is_lifted: found.try_get("is_lifted").during("read a column")?,
    })
}
