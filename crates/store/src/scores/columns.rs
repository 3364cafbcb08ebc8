//! What is kept of an assessment, column by column: the one list that `orderflow_wallet_stats` and
//! `orderflow_score_history` are both written from.

use std::sync::LazyLock;

use domain::{Assessment, Clv, Flag, RawSkill, Tier, Timestamp, Usd};

use super::Publication;
use crate::{bulk, row};

/// A column's name and how it is read off an assessment.
struct Column {
    name: &'static str,
    values: Values,
}

/// A column's values, by the type that they have in `orderflow_wallet_stats`.
enum Values {
    /// A score of 0 to 10, a decimal of four places.
    Score(fn(&Assessment) -> f64),
    /// The same as a float, of as many places.
    Calibrated(fn(&Assessment) -> f64),
    /// A statistic, a decimal of six places.
    Decimal(fn(&Assessment) -> Option<f64>),
    /// The same as a float, of as many places.
    Number(fn(&Assessment) -> Option<f64>),
    Count(fn(&Assessment) -> Option<u32>),
    Dollars(fn(&Assessment) -> Option<Usd>),
    Time(fn(&Assessment) -> Timestamp),
    Truth(fn(&Assessment) -> bool),
    Name(fn(&Assessment) -> Option<&'static str>),
    Json(fn(&Assessment) -> String),
}

use Values::{Calibrated, Count, Decimal, Dollars, Json, Name, Number, Score, Time, Truth};

const fn column(name: &'static str, values: Values) -> Column {
    Column { name, values }
}

const COLUMNS: [Column; 54] = [
    column("reputation_score", Score(|a| a.verdict.score)),
    column("trader_tier", Name(|a| Some(a.verdict.tier.name()))),
    column("tier_before", Name(|a| a.figures.tier_before.map(Tier::name))),
    column("win_rate_score", Score(|a| a.verdict.factors.win_rate)),
    column("profit_factor_score", Score(|a| a.verdict.factors.profit_factor)),
    column("consistency_score", Score(|a| a.verdict.factors.consistency)),
    column("volume_score", Score(|a| a.verdict.factors.volume)),
    column("timing_score", Score(|a| a.verdict.factors.timing)),
    column("calibrated_score", Calibrated(|a| a.calibrated.total())),
    column("calibrated_win_rate_score", Calibrated(|a| a.calibrated.win_rate)),
    column("calibrated_profit_factor_score", Calibrated(|a| a.calibrated.profit_factor)),
    column("calibrated_consistency_score", Calibrated(|a| a.calibrated.consistency)),
    column("calibrated_volume_score", Calibrated(|a| a.calibrated.volume)),
    column("calibrated_timing_score", Calibrated(|a| a.calibrated.timing)),
    column("win_rate", Decimal(|a| a.verdict.win_rate)),
    column("break_even_win_rate", Decimal(|a| a.verdict.break_even_win_rate)),
    column("profit_factor", Decimal(|a| a.verdict.profit_factor)),
    column("roi", Decimal(|a| a.verdict.roi)),
    column("profitable_weeks", Decimal(|a| a.verdict.profitable_weeks)),
    column("mean_drift_24h", Decimal(|a| a.verdict.mean_drift)),
    column("win_rate_30d", Number(|a| a.figures.win_rate_30d)),
    column("break_even_win_rate_30d", Number(|a| a.figures.break_even_win_rate_30d)),
    column("decisions_30d", Count(|a| Some(a.figures.decisions_30d))),
    column("wins_30d", Count(|a| Some(a.figures.wins_30d))),
    column("unknown_cost_decisions", Count(|a| Some(a.figures.unknown_cost))),
    column("unknown_cost_pnl_usd", Dollars(|a| Some(a.figures.unknown_cost_pnl))),
    column("volume_30d_usd", Dollars(|a| Some(a.verdict.volume_30d))),
    column("total_volume_usd", Dollars(|a| Some(a.verdict.volume))),
    column("total_pnl_usd", Dollars(|a| Some(a.verdict.pnl))),
    column("total_trades", Count(|a| Some(a.verdict.trades))),
    column("closed_decisions", Count(|a| Some(a.verdict.decisions))),
    column("winning_decisions", Count(|a| Some(a.verdict.wins))),
    column("distinct_events", Count(|a| Some(a.verdict.events))),
    column("active_days", Count(|a| Some(a.verdict.active_days))),
    column("skill_kappa", Decimal(|a| Some(a.verdict.skill.kappa))),
    column("skill_se", Decimal(|a| Some(a.verdict.skill.standard_error))),
    column("skill_probability", Decimal(|a| Some(a.verdict.skill_probability.to_f64()))),
    column("raw_kappa", Number(|a| raw(a, |skill| skill.kappa))),
    column("raw_z", Number(|a| raw(a, |skill| skill.z))),
    column("raw_n_eff", Number(|a| raw(a, |skill| skill.n_eff))),
    column("shrunken_roi", Number(|a| Some(a.roi))),
    column("median_cost_usd", Dollars(|a| a.median_cost)),
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

/// A statistic in millionths, of which only so many parts count; what is no number is nothing.
#[expect(clippy::cast_possible_truncation, reason = "cut off far below the largest number")]
fn millionths(number: f64, parts: f64) -> i64 {
    ((number.clamp(-1e12, 1e12) * parts).round() * (1e6 / parts)) as i64
}

/// The table of a connection that verdicts pass through. Its columns are those of the newest verdicts, so that only what
/// goes into the history is turned into that table's types.
pub(super) static STAGE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "CREATE TEMPORARY TABLE IF NOT EXISTS orderflow_fresh_verdicts ON COMMIT DELETE ROWS AS
         SELECT wallet_address, as_of, folded_seq, {} FROM orderflow_wallet_stats WITH NO DATA",
        names()
    )
});

/// The statement that takes verdicts into it.
pub(super) static COPY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "COPY orderflow_fresh_verdicts (wallet_address, as_of, folded_seq, {}) FROM STDIN (FORMAT binary)",
        names()
    )
});

/// Appends the verdicts about rated wallets, and about those that were rated until now, to the history: whoever acts
/// on verdicts must hear of both. Replaces the newest ones. Says how many were appended.
///
/// One statement, because every part of it sees the newest verdicts as they were before it.
pub(super) static PUBLISH: LazyLock<String> = LazyLock::new(|| {
    let names = names();
    let replaced = list(|column| format!("{0} = excluded.{0}", column.name));
    format!(
        "WITH told AS (
             INSERT INTO orderflow_score_history (wallet_address, as_of, folded_seq, {names})
             SELECT wallet_address, as_of, folded_seq, {names} FROM orderflow_fresh_verdicts fresh
             WHERE trader_tier <> 'UNRATED'
                OR (SELECT true FROM orderflow_wallet_stats known
                    WHERE known.wallet_address = fresh.wallet_address AND known.trader_tier <> 'UNRATED')
             ON CONFLICT (wallet_address, as_of) DO UPDATE SET folded_seq = excluded.folded_seq, {replaced}
             RETURNING 1),
         newest AS (
             INSERT INTO orderflow_wallet_stats (wallet_address, as_of, folded_seq, {names})
             SELECT wallet_address, as_of, folded_seq, {names} FROM orderflow_fresh_verdicts
             ON CONFLICT (wallet_address) DO UPDATE SET
                 as_of = excluded.as_of, folded_seq = excluded.folded_seq, updated_at = now(), {replaced})
         SELECT count(*) FROM told"
    )
});

fn list(part: impl Fn(&Column) -> String) -> String {
    COLUMNS.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn names() -> String {
    list(|column| column.name.to_owned())
}

/// How many columns a row has on its way in.
pub(super) fn count() -> i16 {
    i16::try_from(COLUMNS.len() + 3).unwrap_or(i16::MAX)
}

/// An assessment as a row of the statement that takes them in.
pub(super) fn encode(to: &mut bulk::Row<'_>, publication: Publication, assessment: &Assessment) {
    to.text(&assessment.verdict.wallet.to_string());
    to.time(publication.as_of);
    to.big(publication.folded);
    for column in &COLUMNS {
        match column.values {
            Score(of) => to.millionths(millionths(of(assessment), 1e4)),
            Calibrated(of) => to.float(rounded(of(assessment), 1e4)),
            Decimal(of) => match of(assessment) {
                Some(number) => to.millionths(millionths(number, 1e6)),
                None => to.null(),
            },
            Number(of) => match of(assessment) {
                Some(number) => to.float(rounded(number, 1e6)),
                None => to.null(),
            },
            Count(of) => match of(assessment) {
                Some(count) => to.integer(row::small(count)),
                None => to.null(),
            },
            Dollars(of) => match of(assessment) {
                Some(amount) => to.millionths(amount.micros()),
                None => to.null(),
            },
            Time(of) => to.time(of(assessment)),
            Truth(of) => to.flag(of(assessment)),
            Name(of) => match of(assessment) {
                Some(name) => to.text(name),
                None => to.null(),
            },
            Json(of) => to.json(&of(assessment)),
        }
    }
}
