//! What is kept of an assessment, column by column: the one list that `orderflow_wallet_stats` and
//! `orderflow_score_history` are both written from.

use std::fmt::Write as _;
use std::sync::LazyLock;

use domain::{Assessment, Clv, Flag, RawSkill, Tier, Timestamp, Usd};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use time::OffsetDateTime;

/// A column's name and how it is read off an assessment.
struct Column {
    name: &'static str,
    values: Values,
}

/// A column's values, by the type of the array in which they travel.
enum Values {
    /// A score of 0 to 10, kept to four decimals.
    Score(fn(&Assessment) -> f64),
    /// Any other statistic, kept to six.
    Number(fn(&Assessment) -> Option<f64>),
    Count(fn(&Assessment) -> Option<u32>),
    Dollars(fn(&Assessment) -> Usd),
    Time(fn(&Assessment) -> Timestamp),
    Truth(fn(&Assessment) -> bool),
    Name(fn(&Assessment) -> Option<&'static str>),
    Json(fn(&Assessment) -> String),
}

use Values::{Count, Dollars, Json, Name, Number, Score, Time, Truth};

const fn column(name: &'static str, values: Values) -> Column {
    Column { name, values }
}

const COLUMNS: [Column; 53] = [
    column("reputation_score", Score(|a| a.verdict.score)),
    column("trader_tier", Name(|a| Some(a.verdict.tier.name()))),
    column("tier_before", Name(|a| a.figures.tier_before.map(Tier::name))),
    column("win_rate_score", Score(|a| a.verdict.factors.win_rate)),
    column("profit_factor_score", Score(|a| a.verdict.factors.profit_factor)),
    column("consistency_score", Score(|a| a.verdict.factors.consistency)),
    column("volume_score", Score(|a| a.verdict.factors.volume)),
    column("timing_score", Score(|a| a.verdict.factors.timing)),
    column("calibrated_score", Score(|a| a.calibrated.total())),
    column("calibrated_win_rate_score", Score(|a| a.calibrated.win_rate)),
    column("calibrated_profit_factor_score", Score(|a| a.calibrated.profit_factor)),
    column("calibrated_consistency_score", Score(|a| a.calibrated.consistency)),
    column("calibrated_volume_score", Score(|a| a.calibrated.volume)),
    column("calibrated_timing_score", Score(|a| a.calibrated.timing)),
    column("win_rate", Number(|a| a.verdict.win_rate)),
    column("break_even_win_rate", Number(|a| a.verdict.break_even_win_rate)),
    column("profit_factor", Number(|a| a.verdict.profit_factor)),
    column("roi", Number(|a| a.verdict.roi)),
    column("profitable_weeks", Number(|a| a.verdict.profitable_weeks)),
    column("mean_drift_24h", Number(|a| a.verdict.mean_drift)),
    column("win_rate_30d", Number(|a| a.figures.win_rate_30d)),
    column("break_even_win_rate_30d", Number(|a| a.figures.break_even_win_rate_30d)),
    column("decisions_30d", Count(|a| Some(a.figures.decisions_30d))),
    column("wins_30d", Count(|a| Some(a.figures.wins_30d))),
    column("unknown_cost_decisions", Count(|a| Some(a.figures.unknown_cost))),
    column("unknown_cost_pnl_usd", Dollars(|a| a.figures.unknown_cost_pnl)),
    column("volume_30d_usd", Dollars(|a| a.verdict.volume_30d)),
    column("total_volume_usd", Dollars(|a| a.verdict.volume)),
    column("total_pnl_usd", Dollars(|a| a.verdict.pnl)),
    column("total_trades", Count(|a| Some(a.verdict.trades))),
    column("closed_decisions", Count(|a| Some(a.verdict.decisions))),
    column("winning_decisions", Count(|a| Some(a.verdict.wins))),
    column("distinct_events", Count(|a| Some(a.verdict.events))),
    column("active_days", Count(|a| Some(a.verdict.active_days))),
    column("skill_kappa", Number(|a| Some(a.verdict.skill.kappa))),
    column("skill_se", Number(|a| Some(a.verdict.skill.standard_error))),
    column("skill_probability", Number(|a| Some(a.verdict.skill_probability.to_f64()))),
    column("raw_kappa", Number(|a| raw(a, |skill| skill.kappa))),
    column("raw_z", Number(|a| raw(a, |skill| skill.z))),
    column("raw_n_eff", Number(|a| raw(a, |skill| skill.n_eff))),
    column("shrunken_roi", Number(|a| Some(a.roi))),
    column("clv_observations", Count(|a| a.clv.map(|clv| clv.observations))),
    column("clv_n_eff", Number(|a| clv(a, |clv| clv.n_eff))),
    column("clv_drift", Number(|a| clv(a, |clv| clv.drift))),
    column("clv_copyable", Number(|a| clv(a, |clv| clv.copyable))),
    column("clv_standardised", Number(|a| clv(a, |clv| clv.standardised))),
    column("clv_shrunk", Number(|a| clv(a, |clv| clv.shrunk))),
    column("clv_t", Number(|a| clv(a, |clv| clv.t))),
    column("is_verified", Truth(|a| a.is_verified)),
    column("is_copyable", Truth(Assessment::is_copyable)),
    column("flags", Json(flags)),
    column("first_trade_at", Time(|a| a.verdict.first_trade)),
    column("last_trade_at", Time(|a| a.verdict.last_trade)),
];

fn raw(assessment: &Assessment, part: fn(RawSkill) -> f64) -> Option<f64> {
    assessment.skill.map(part)
}

fn clv(assessment: &Assessment, part: fn(Clv) -> f64) -> Option<f64> {
    assessment.clv.map(part)
}

fn flags(assessment: &Assessment) -> String {
    let flag = |flag: &Flag| serde_json::json!({ "name": flag.kind.name(), "figure": flag.figure, "limit": flag.limit });
    serde_json::Value::Array(assessment.flags.iter().map(flag).collect()).to_string()
}

/// As its column holds it, whether that is a decimal or a float: the same belief reads the same from both tables. A
/// ratio over almost nothing is cut off.
fn rounded(number: f64, parts: f64) -> f64 {
    (number.clamp(-1e12, 1e12) * parts).round() / parts
}

/// Appends the verdicts about rated wallets, and about those that were rated until now, to the history: whoever acts
/// on verdicts must hear of both. Replaces the newest ones. Says how many were appended. `$1` is the moment, `$2`
/// the wallets, what follows the columns.
///
/// One statement, because every part of it sees the newest verdicts as they were before it.
pub(super) static PUBLISH: LazyLock<String> = LazyLock::new(|| {
    let list = |part: &dyn Fn(&Column) -> String| COLUMNS.iter().map(part).collect::<Vec<_>>().join(", ");
    let names = list(&|column| column.name.to_owned());
    let replaced = list(&|column| format!("{0} = excluded.{0}", column.name));
    let typed = list(&|column| match column.values {
        Dollars(_) => format!("{0}::numeric / 1000000 AS {0}", column.name),
        Json(_) => format!("{0}::jsonb AS {0}", column.name),
        _ => column.name.to_owned(),
    });
    let mut arrays = "$2::text[]".to_owned();
    for (column, number) in COLUMNS.iter().zip(3..) {
        let of = match column.values {
            Score(_) | Number(_) => "float8",
            Count(_) | Dollars(_) => "bigint",
            Time(_) => "timestamptz",
            Truth(_) => "boolean",
            Name(_) | Json(_) => "text",
        };
        // Writing to a string cannot fail.
        let _ = write!(arrays, ", ${number}::{of}[]");
    }
    format!(
        "WITH fresh AS MATERIALIZED (
             SELECT wallet_address, $1::timestamptz AS as_of, {typed}
             FROM UNNEST({arrays}) AS fresh (wallet_address, {names})),
         told AS (
             INSERT INTO orderflow_score_history (wallet_address, as_of, {names})
             SELECT wallet_address, as_of, {names} FROM fresh
             WHERE trader_tier <> 'UNRATED'
                OR EXISTS (SELECT FROM orderflow_wallet_stats known
                           WHERE known.wallet_address = fresh.wallet_address AND known.trader_tier <> 'UNRATED')
             ON CONFLICT (wallet_address, as_of) DO UPDATE SET {replaced}
             RETURNING 1),
         newest AS (
             INSERT INTO orderflow_wallet_stats (wallet_address, as_of, {names})
             SELECT wallet_address, as_of, {names} FROM fresh
             ON CONFLICT (wallet_address) DO UPDATE SET as_of = excluded.as_of, {replaced})
         SELECT count(*) FROM told"
    )
});

/// The statement with a moment and assessments in their columns.
pub(super) fn publish(as_of: Timestamp, assessments: &[Assessment]) -> Query<'static, Postgres, PgArguments> {
    let addresses: Vec<String> = assessments.iter().map(|a| a.verdict.wallet.to_string()).collect();
    let query = sqlx::query(PUBLISH.as_str()).bind(as_of.to_offset_date_time()).bind(addresses);
    let all = || assessments.iter();
    COLUMNS.iter().fold(query, |query, column| match column.values {
        Score(of) => query.bind(all().map(|a| rounded(of(a), 1e4)).collect::<Vec<f64>>()),
        Number(of) => {
            query.bind(all().map(|a| of(a).map(|number| rounded(number, 1e6))).collect::<Vec<Option<f64>>>())
        }
        Count(of) => query.bind(all().map(|a| of(a).map(i64::from)).collect::<Vec<Option<i64>>>()),
        Dollars(of) => query.bind(all().map(|a| of(a).micros()).collect::<Vec<i64>>()),
        Time(of) => query.bind(all().map(|a| of(a).to_offset_date_time()).collect::<Vec<OffsetDateTime>>()),
        Truth(of) => query.bind(all().map(of).collect::<Vec<bool>>()),
        Name(of) => query.bind(all().map(of).collect::<Vec<Option<&'static str>>>()),
        Json(of) => query.bind(all().map(of).collect::<Vec<String>>()),
    })
}
