//! The executor's recording: what its engine was told, in order, so that it can be told again.
//!
//! Facts and verdicts stay where they are and are named by their item of the outbox; everything else is kept whole,
//! because nothing else keeps it: books, answers, what the venue said and when, and the descriptions of markets, which
//! are overwritten when they change.

mod detail;
mod facts;
mod scratch;

use domain::{Book, Market, OrderNews, Shares, Timestamp, TokenId, Wallet};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::{Statement, row};

pub use facts::{facts, verdicts};
pub use scratch::{Compared, Difference, Scope, compare, set_up};

/// One thing the engine was told.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// An engine begins, or is made again.
    Begun(Begun),
    /// Facts of an item of the outbox, by their logs.
    Facts {
        /// The item.
        seq: i64,
        /// The logs, in the order they were told.
        logs: Vec<u32>,
    },
    /// The verdicts of an item of the outbox.
    Scores {
        /// The item.
        seq: i64,
    },
    /// What was traded in the day before an item of the outbox, as it was known there.
    Volumes {
        /// The item.
        seq: i64,
    },
    /// A market's description.
    Market(Market),
    /// A book.
    Book(Book),
    /// The book that was told before, still the same.
    SameBook {
        /// Whose.
        token: TokenId,
        /// When the venue made it.
        made: Timestamp,
    },
    /// There was no book.
    NoBook {
        /// Whose book was asked for.
        token: TokenId,
        /// What the venue said.
        says: String,
    },
    /// What a wallet held.
    Holdings {
        /// Whose.
        wallet: Wallet,
        /// The token it was asked about.
        token: TokenId,
        /// The moment up to which this was known.
        as_of: Timestamp,
        /// What it held.
        held: Vec<(TokenId, Shares)>,
    },
    /// What the venue said of an order.
    Order(OrderNews),
    /// What a person asked for.
    Control(Said),
    /// A measurement of the world's condition.
    Guard(Said),
    /// Time went by.
    Tick,
}

/// How an engine began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// How far the outbox had been read.
    pub seq: i64,
    /// `paper` or `live`.
    pub mode: String,
    /// The digest of its settings.
    pub policy: String,
    /// The last numbers given to a signal and to an order.
    pub last: (i64, i64),
    /// Whether it was made again while it ran, and what was measured of the world stayed as it was.
    pub is_again: bool,
    /// Whether a person had paused entries.
    pub paused: bool,
    /// Why a person had stopped all trading.
    pub killed: Option<String>,
    /// What spoke against entries until books and venue had been compared.
    pub disagreement: Option<String>,
    /// The wallet that trades, whose fills are nothing to follow.
    pub wallet: Option<Wallet>,
    /// What the followed wallets had given up of their entries, by position.
    pub leads: Vec<(i64, Shares)>,
}

/// A word from a closed set, with what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The word.
    pub name: String,
    /// A number, such as a position's or microseconds.
    pub number: Option<i64>,
    /// A text, such as a reason.
    pub text: Option<String>,
}

/// A step with its place in the recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its number, rising.
    pub id: i64,
    /// When the engine learned it.
    pub at: Timestamp,
    /// What.
    pub step: Step,
}

impl Step {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Begun(_) => "begun",
            Self::Facts { .. } => "facts",
            Self::Scores { .. } => "scores",
            Self::Volumes { .. } => "volumes",
            Self::Market(_) => "market",
            Self::Book(_) => "book",
            Self::SameBook { .. } => "same_book",
            Self::NoBook { .. } => "no_book",
            Self::Holdings { .. } => "holdings",
            Self::Order(_) => "order",
            Self::Control(_) => "control",
            Self::Guard(_) => "guard",
            Self::Tick => "tick",
        }
    }

    const fn seq(&self) -> Option<i64> {
        match self {
            Self::Begun(begun) => Some(begun.seq),
            Self::Facts { seq, .. } | Self::Scores { seq } | Self::Volumes { seq } => Some(*seq),
            _ => None,
        }
    }

    /// The logs as PostgreSQL writes an array.
    fn logs(&self) -> Option<String> {
        let Self::Facts { logs, .. } = self else { return None };
        let logs: Vec<String> = logs.iter().map(ToString::to_string).collect();
        Some(format!("{{{}}}", logs.join(",")))
    }
}

/// The statement that records steps; its parameters are those that [`bind_steps`] binds.
macro_rules! put_steps {
    ($at:literal, $kind:literal, $seq:literal, $logs:literal, $detail:literal) => {
        concat!(
            "INSERT INTO orderflow_steps (at, kind, seq, logs, detail)
             SELECT at, kind, seq, logs::integer[], detail::jsonb
             FROM UNNEST(",
            $at,
            "::timestamptz[], ",
            $kind,
            "::text[], ",
            $seq,
            "::bigint[], ",
            $logs,
            "::text[], ",
            $detail,
            "::text[])
                  WITH ORDINALITY AS told (at, kind, seq, logs, detail, place)
             ORDER BY place"
        )
    };
}
pub(crate) use put_steps;

/// Writes what the engine was told, in the transaction that writes what came of it.
///
/// # Errors
/// If the database refuses.
pub async fn write(connection: &mut PgConnection, steps: &[(Timestamp, Step)]) -> Result<(), StoreError> {
    if steps.is_empty() {
        return Ok(());
    }
    bind_steps(sqlx::query(put_steps!("$1", "$2", "$3", "$4", "$5")), steps)
        .execute(connection)
        .await
        .map(|_| ())
        .during("record what the engine was told")
}

/// Binds the columns of steps.
pub(crate) fn bind_steps<'q>(query: Statement<'q>, steps: &[(Timestamp, Step)]) -> Statement<'q> {
    let at: Vec<_> = steps.iter().map(|(at, _)| at.to_offset_date_time()).collect();
    let kinds: Vec<&'static str> = steps.iter().map(|(_, step)| step.kind()).collect();
    let seqs: Vec<Option<i64>> = steps.iter().map(|(_, step)| step.seq()).collect();
    let logs: Vec<Option<String>> = steps.iter().map(|(_, step)| step.logs()).collect();
    let details: Vec<Option<String>> = steps.iter().map(|(_, step)| detail::written(step)).collect();
    query.bind(at).bind(kinds).bind(seqs).bind(logs).bind(details)
}

/// The steps after `after`, in their order, at most `limit`.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn read(
    connection: &mut PgConnection,
    after: i64,
    limit: u32,
) -> Result<Vec<Recorded>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, at, kind, seq, logs, detail::text AS detail FROM orderflow_steps
         WHERE id > $1 ORDER BY id LIMIT $2",
    )
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await
    .during("read the recording")?;
    rows.iter()
        .map(|found| {
            let id = found.try_get("id").during("read a column")?;
            let seq: Option<i64> = found.try_get("seq").during("read a column")?;
            let kind = row::string(found, "kind")?;
            let step = match (kind.as_str(), seq) {
                ("facts", Some(seq)) => Step::Facts { seq, logs: row::indexes(found, "logs")? },
                ("scores", Some(seq)) => Step::Scores { seq },
                ("volumes", Some(seq)) => Step::Volumes { seq },
                ("tick", _) => Step::Tick,
                (kind, seq) => detail::read(kind, seq, row::string(found, "detail")?)?,
            };
            Ok(Recorded { id, at: row::time(found, "at")?, step })
        })
        .collect()
}
