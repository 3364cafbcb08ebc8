//! A place for decisions that are made again, and the comparison with those that are stored.
//!
//! The place is temporary tables of the same names, which PostgreSQL finds first: so what is made again goes through the
//! very statements that wrote what is stored. They go with the transaction.

use serde_json::Value;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::reports::object_of;

/// What a table's rows are compared by.
#[derive(Clone, Copy)]
struct Kind {
    /// What people read.
    name: &'static str,
    table: &'static str,
    /// What was decided, in a given order; not what became of it elsewhere.
    columns: &'static str,
    /// What is compared of it; empty: every row.
    which: &'static str,
}

impl Kind {
    /// The view of what is stored.
    fn stored(&self) -> String {
        format!("\"stored {}\"", self.name)
    }
}

const KINDS: [Kind; 8] = [
    Kind {
        name: "signals",
        table: "orderflow_signals",
        columns: "id, created_at, signal_type, wallet_address, reputation_score, trader_tier, skill_kappa, skill_se, \
                  wallet_count, notional_usd, reference_price, condition_id, token_id, market_title, outcome, \
                  confidence_model, win_probability, confidence, market_price, expected_price, limit_price, \
                  kelly_fraction, kelly_applied, stake_usd, fee_rate, shadow, evidence",
        which: "",
    },
    Kind {
        name: "refusals",
        table: "orderflow_refusals",
        columns: "created_at, signal_type, signal_id, wallet_address, token_id, notional_usd, reason, detail, figures, \
                  evidence",
        which: "",
    },
    Kind {
        name: "orders",
        table: "orderflow_orders",
        columns: "id, position_id, created_at, condition_id, event, token_id, outcome_index, side, purpose, \
                  limit_price, stake_usd, offered_shares, time_in_force, expires_at, fee_rate",
        which: "",
    },
    Kind {
        name: "matches",
        table: "orderflow_executions",
        columns: "order_id, trade_id, matched_at, shares, usd, fee_usd, status, settled_at",
        which: "",
    },
    Kind {
        name: "positions",
        table: "orderflow_positions",
        columns: "id, opened_at, condition_id, token_id, shares, cost_usd, fee_usd, sold_shares, sold_usd, \
                  proceeds_usd, pnl_usd, status, ending, closed_at, bid_price",
        which: "",
    },
    Kind {
        name: "exits",
        table: "orderflow_exits",
        columns: "position_id, reason, since, whale_left",
        which: "",
    },
    Kind {
        name: "bounds not obeyed",
        table: "orderflow_counterfactuals",
        columns: "position_id, reason, reached_at, bid_price, proceeds_usd, pnl_usd",
        which: "",
    },
    // A mode in which the engine never ran has none.
    Kind {
        name: "limits",
        table: "orderflow_mode_accounts",
        columns: "mode, halted_until, day, day_result_usd, day_bankroll_usd, losses_in_a_row, cooling_until",
        which: "WHERE day IS NOT NULL OR halted_until IS NOT NULL OR cooling_until IS NOT NULL",
    },
];

/// What is judged of the market alone: of every candidate, whatever is held and whatever became of orders. How much of
/// it is staked, and whether a limit lets it pass, depends on that.
const JUDGEMENTS: [Kind; 2] = [
    Kind {
        name: "signals but for their stakes",
        table: "orderflow_signals",
        columns: "id, created_at, signal_type, wallet_address, reputation_score, trader_tier, skill_kappa, skill_se, \
                  wallet_count, notional_usd, reference_price, condition_id, token_id, market_title, outcome, \
                  confidence_model, win_probability, confidence, market_price, expected_price, limit_price, \
                  kelly_fraction, kelly_applied, fee_rate, shadow, evidence",
        which: "",
    },
    Kind {
        name: "refusals of candidates",
        table: "orderflow_refusals",
        columns: "created_at, signal_type, wallet_address, token_id, notional_usd, reason, detail, figures, evidence",
        which: "WHERE signal_id IS NULL",
    },
];

/// What is to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything that was decided.
    Everything,
    /// What was judged of the market alone, because orders were answered otherwise. The rest is counted.
    Judgements,
}

impl Scope {
    /// The tables, and whether their rows must be the same.
    fn kinds(self) -> Vec<(Kind, bool)> {
        let judgements = JUDGEMENTS.map(|kind| (kind, true));
        match self {
            Self::Everything => KINDS.map(|kind| (kind, true)).to_vec(),
            Self::Judgements => [&judgements[..], &KINDS.map(|kind| (kind, false))].concat(),
        }
    }
}

/// How many of the rows that differ are shown.
const SHOWN: i64 = 20;

/// A table, compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// What it holds.
    pub name: &'static str,
    /// Rows that are stored.
    pub stored: i64,
    /// Rows that were made again.
    pub again: i64,
    /// Stored rows that were not made again.
    pub missing: i64,
    /// Rows made again that are not stored.
    pub new: i64,
    /// Whether a row that is not on both sides means that something was decided otherwise.
    pub must_be_same: bool,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// A row that is not on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Whether it is stored, and was not made again.
    pub is_stored: bool,
    /// The row.
    pub row: Value,
}

/// Makes the place, for the rest of the transaction. What is written by the statements of this crate from now on, about
/// decisions and what became of them, goes there.
///
/// # Errors
/// If the database refuses.
pub async fn set_up(connection: &mut PgConnection) -> Result<(), StoreError> {
    // A view is bound to the table it was made of, not to its name.
    let views = JUDGEMENTS.iter().chain(&KINDS).map(|kind| {
        let Kind { table, columns, which, .. } = kind;
        format!("CREATE TEMP VIEW {} AS SELECT {columns} FROM {table} {which}", kind.stored())
    });
    let places = KINDS.iter().map(|Kind { table, .. }| {
        format!("CREATE TEMP TABLE {table} (LIKE {table} INCLUDING ALL) ON COMMIT DROP")
    });
    for statement in views.chain(places) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await
            .during("make a place for decisions that are made again")?;
    }
    // What was planned before means the other tables.
    sqlx::raw_sql("INSERT INTO orderflow_mode_accounts (mode) VALUES ('paper'), ('live'); DISCARD PLANS")
        .execute(connection)
        .await
        .map(|_| ())
        .during("make a place for decisions that are made again")
}

/// Compares what was made again with what is stored, table by table.
///
/// # Errors
/// If the database refuses.
pub async fn compare(connection: &mut PgConnection, scope: Scope) -> Result<Vec<Compared>, StoreError> {
    let mut compared = vec![];
    for (kind, must_be_same) in scope.kinds() {
        compared.push(compare_one(connection, kind, must_be_same).await?);
    }
    Ok(compared)
}

async fn compare_one(
    connection: &mut PgConnection,
    kind: Kind,
    must_be_same: bool,
) -> Result<Compared, StoreError> {
    let Kind { name, table, columns, which } = kind;
    let again = format!("SELECT {columns} FROM {table} {which}");
    let stored = format!("SELECT * FROM {}", kind.stored());
    let counts = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT (SELECT count(*) FROM ({stored}) AS x) AS stored, (SELECT count(*) FROM ({again}) AS x) AS again,
                (SELECT count(*) FROM ({stored} EXCEPT ALL {again}) AS x) AS missing,
                (SELECT count(*) FROM ({again} EXCEPT ALL {stored}) AS x) AS new"
    )))
    .fetch_one(&mut *connection)
    .await
    .during("compare decisions")?;
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT true AS is_stored, to_jsonb(x)::text AS object FROM ({stored} EXCEPT ALL {again}) AS x
         UNION ALL
         SELECT false, to_jsonb(x)::text FROM ({again} EXCEPT ALL {stored}) AS x
         LIMIT {SHOWN}"
    )))
    .fetch_all(connection)
    .await
    .during("read decisions that differ")?;
    let count = |column: &'static str| counts.try_get::<i64, _>(column).during("read a column");
    let difference = |found| -> Result<Difference, StoreError> {
        let is_stored = sqlx::Row::try_get(found, "is_stored").during("read a column")?;
        Ok(Difference { is_stored, row: object_of(found)? })
    };
    Ok(Compared {
        name,
        stored: count("stored")?,
        again: count("again")?,
        missing: count("missing")?,
        new: count("new")?,
        must_be_same,
        differences: rows.iter().map(difference).collect::<Result<_, _>>()?,
    })
}
