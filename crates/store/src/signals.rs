//! What was judged: signals and refusals with everything they were decided on, and what they came to. Every function
//! that writes is part of one transaction with the executor's cursor.

mod evidence;

use domain::{
    Appraisal, ConditionId, Figure, Payouts, Signal, SignalKind, Skill, Timestamp, TokenId, Usd, Wallet,
};
use serde_json::{Map, Value};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::row;

/// Why something was not done, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusalRow<'a> {
    /// When.
    pub at: Timestamp,
    /// Of which kind of signal.
    pub kind: SignalKind,
    /// The signal that had been raised by then, if one had.
    pub signal: Option<i64>,
    /// Whose fill led to it.
    pub wallet: Wallet,
    /// Which token.
    pub token: TokenId,
    /// The dollars of the entry by then.
    pub notional: Usd,
    /// The name under which it is counted.
    pub reason: &'a str,
    /// A sentence with the numbers.
    pub detail: String,
    /// The numbers by name.
    pub figures: Vec<(&'static str, Figure)>,
    /// What it looked like against its book, if it came to that.
    pub appraisal: Option<&'a Appraisal>,
}

/// A candidate that was priced, as it is learned from.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// When.
    pub at: Timestamp,
    /// Of which kind of signal.
    pub kind: SignalKind,
    /// The condition.
    pub condition: ConditionId,
    /// The event.
    pub event: String,
    /// The token's place among the market's outcomes.
    pub outcome: usize,
    /// What the price that the market gave the outcome was worth; of what was judged before that was asked, the price.
    pub fair: f64,
    /// What the wallet and others who bought the same knew together; of what was judged before that was asked, its own κ̂.
    pub skill: Skill,
    /// The part of the entry that took what rested; 0 where nobody knows.
    pub part: f64,
    /// How many times the wallet's median decision the entry cost; `None` where nobody knows.
    pub size: Option<f64>,
    /// How far the middle of the book stood above what the wallet had paid, dollars a share.
    pub run_up: f64,
    /// How far a panic had moved the price.
    pub drop: f64,
    /// What a share paid and when that became known; `None` as long as nobody knows.
    pub known: Option<(f64, Timestamp)>,
}

/// Stores a signal, with what was believed about its wallet then.
///
/// # Errors
/// If the database refuses.
pub async fn signal(connection: &mut PgConnection, signal: &Signal) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_signals
             (id, created_at, signal_type, wallet_address, reputation_score, trader_tier, skill_kappa, skill_se,
              wallet_count, notional_usd, reference_price, condition_id, token_id, market_title, outcome,
              confidence_model, win_probability, confidence, market_price, expected_price, limit_price,
              kelly_fraction, kelly_applied, stake_usd, fee_rate, shadow, evidence, followed_at, record)
         VALUES ($1, $2, $3, $4, $5::float8, $6, $7::float8, $8::float8, $9, $10::bigint::numeric / 1000000,
                 $11::bigint::numeric / 1000000, $12, $13::text::numeric, $14, $15, $16, $17::float8,
                 $18::float8, $19::bigint::numeric / 1000000, $20::bigint::numeric / 1000000,
                 $21::bigint::numeric / 1000000, $22::float8, $23::float8, $24::bigint::numeric / 1000000,
                 $25::bigint::numeric / 1000000, $26, $27::text::jsonb, $28,
                 -- The newest verdict that says what this was decided on, and nothing of what came after.
                 (SELECT to_jsonb(h) FROM orderflow_score_history h
                  WHERE h.wallet_address = $4 AND h.skill_kappa = round($7::float8::numeric, 6)
                    AND h.as_of <= (SELECT max(o.as_of) FROM orderflow_outbox o
                                    WHERE o.kind = 'scores' AND o.learned_at <= $2)
                  ORDER BY h.as_of DESC LIMIT 1))",
    )
    .bind(signal.id)
    .bind(signal.at.to_offset_date_time())
    .bind(signal.kind.name())
    .bind(signal.wallet.to_string())
    .bind(signal.score)
    .bind(signal.tier.name())
    .bind(signal.skill.kappa)
    .bind(signal.skill.standard_error)
    .bind(row::small(signal.wallets))
    .bind(signal.notional.micros())
    .bind(row::price_micros(signal.reference_price))
    .bind(signal.condition.to_string())
    .bind(signal.token.to_string())
    .bind(&signal.title)
    .bind(&signal.outcome)
    .bind(signal.model.name())
    .bind(signal.probability)
    .bind(signal.confidence)
    .bind(row::price_micros(signal.market_price))
    .bind(row::price_micros(signal.expected_price))
    .bind(row::price_micros(signal.limit_price))
    .bind(signal.kelly)
    .bind(signal.kelly_applied)
    .bind(signal.stake.micros())
    .bind(i64::from(signal.fee_rate_ppm))
    .bind(signal.shadow)
    .bind(evidence::object(&signal.appraisal).to_string())
    .bind(signal.at.plus_micros(-signal.appraisal.age).to_offset_date_time())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store a signal")
}

/// Stores refusals in their order; signals they end are marked refused.
///
/// # Errors
/// If the database refuses.
pub async fn refusals(connection: &mut PgConnection, refusals: &[RefusalRow<'_>]) -> Result<(), StoreError> {
    if refusals.is_empty() {
        return Ok(());
    }
    let evidence = |refusal: &RefusalRow<'_>| refusal.appraisal.map(|it| evidence::object(it).to_string());
    sqlx::query(
        "WITH ended AS (
             UPDATE orderflow_signals SET status = 'REFUSED' WHERE id = ANY($3::bigint[]))
         INSERT INTO orderflow_refusals
             (created_at, signal_type, signal_id, wallet_address, token_id, notional_usd, reason, detail, figures,
              condition_id, evidence)
         SELECT at, kind, signal, wallet, token, notional::numeric / 1000000, reason, detail, figures::jsonb,
                coalesce(condition, (SELECT condition_id FROM orderflow_markets
                                     WHERE token_ids @> ARRAY[token::numeric(78,0)] LIMIT 1)), evidence::jsonb
         FROM (SELECT at, kind, signal, wallet, token::numeric AS token, notional, reason, detail, figures, condition,
                      evidence, place
               FROM UNNEST($1::timestamptz[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[],
                           $7::text[], $8::text[], $9::text[], $10::text[], $11::text[]) WITH ORDINALITY
                    AS told (at, kind, signal, wallet, token, notional, reason, detail, figures, condition, evidence,
                             place)) AS refused
         ORDER BY place",
    )
    .bind(refusals.iter().map(|refusal| refusal.at.to_offset_date_time()).collect::<Vec<_>>())
    .bind(refusals.iter().map(|refusal| refusal.kind.name()).collect::<Vec<_>>())
    .bind(refusals.iter().map(|refusal| refusal.signal).collect::<Vec<_>>())
    .bind(refusals.iter().map(|refusal| refusal.wallet.to_string()).collect::<Vec<_>>())
    .bind(refusals.iter().map(|refusal| refusal.token.to_string()).collect::<Vec<_>>())
    .bind(refusals.iter().map(|refusal| refusal.notional.micros()).collect::<Vec<_>>())
    .bind(refusals.iter().map(|refusal| refusal.reason).collect::<Vec<_>>())
    .bind(refusals.iter().map(|refusal| refusal.detail.as_str()).collect::<Vec<_>>())
    .bind(refusals.iter().map(|refusal| figures(&refusal.figures)).collect::<Vec<_>>())
    .bind(refusals.iter().map(|refusal| refusal.appraisal.map(|it| it.condition.to_string())).collect::<Vec<_>>())
    .bind(refusals.iter().map(evidence).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store refusals")
}

/// Numbers by name, as JSON.
fn figures(figures: &[(&'static str, Figure)]) -> String {
    let figures: Map<String, Value> =
        figures.iter().map(|(name, figure)| ((*name).to_owned(), evidence::figure(figure))).collect();
    Value::Object(figures).to_string()
}

/// Stores the settings under which signals and refusals are decided, once.
///
/// # Errors
/// If the database refuses.
pub async fn policy(connection: &mut PgConnection, digest: &str, settings: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_policies (digest, settings) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING",
    )
    .bind(digest)
    .bind(settings)
    .execute(connection)
    .await
    .map(|_| ())
    .during("store a policy")
}

/// Stores what a condition's result made of everything that was priced about it. A result that comes again, as it may
/// after a reorganisation, replaces the one before.
///
/// # Errors
/// If the database refuses.
pub async fn outcome(
    connection: &mut PgConnection,
    condition: ConditionId,
    payouts: &Payouts,
    at: Timestamp,
) -> Result<(), StoreError> {
    let fractions: Vec<f64> =
        (0..payouts.numerators().len()).map(|outcome| payouts.fraction(outcome)).collect();
    sqlx::query(
        "INSERT INTO orderflow_outcomes (name, signal_id, refusal_id, resolved_at, payoff, edge_usd, pnl_usd)
         SELECT name, signal_id, refusal_id, $2, payoff, payoff - (evidence->>'cost')::float8,
                stake * (payoff - expected - rate * expected * (1 - expected)) / expected
         FROM (SELECT j.name, j.signal_id, j.refusal_id, j.evidence,
                      coalesce(($3::float8[])[(j.evidence->>'outcome')::int + 1], 0) AS payoff,
                      s.stake_usd AS stake, (j.evidence->>'expected_price')::numeric AS expected,
                      s.fee_rate AS rate
               FROM orderflow_judged j LEFT JOIN orderflow_signals s ON s.id = j.signal_id
               WHERE j.condition_id = $1 AND j.created_at <= $2) AS judged
         ON CONFLICT (name) DO UPDATE SET
             resolved_at = excluded.resolved_at, payoff = excluded.payoff, edge_usd = excluded.edge_usd,
             pnl_usd = excluded.pnl_usd",
    )
    .bind(condition.to_string())
    .bind(at.to_offset_date_time())
    .bind(fractions)
    .execute(connection)
    .await
    .map(|_| ())
    .during("store an outcome")
}

/// Everything that was ever priced, oldest first, with what it came to as far as the chain still says so.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn judged(connection: &mut PgConnection) -> Result<Vec<Judged>, StoreError> {
    let rows = sqlx::query(
        "SELECT created_at, signal_type, condition_id, evidence->>'event' AS event,
                (evidence->>'outcome')::bigint AS outcome, 
                coalesce(evidence->>'fair_price', evidence->>'market_price')::float8 AS fair,
                coalesce(evidence->'consensus'->>'kappa', evidence->>'kappa')::float8 AS kappa, coalesce(evidence->'consensus'->>'error', evidence->>'kappa_error', '0')::float8 AS kappa_error,
                coalesce((evidence->>'part')::float8, 0) AS part, (evidence->>'size')::float8 AS size,
                coalesce((evidence->>'run_up')::float8, 0) AS run_up, (evidence->>'drop')::float8 AS drop, payoff, resolved_at
         FROM (SELECT j.created_at, j.signal_type, j.condition_id, j.evidence, j.signal_id, j.refusal_id,
                      CASE WHEN e.stands THEN j.payoff END AS payoff,
                      CASE WHEN e.stands THEN j.resolved_at END AS resolved_at
               FROM orderflow_judged j
               CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM orderflow_ledger_events e
                                                  WHERE e.kind = 'resolution' AND NOT e.orphaned
                                                    AND e.condition_id = j.condition_id) AS stands) e) AS priced
         ORDER BY created_at, signal_id, refusal_id",
    )
    .fetch_all(connection)
    .await
    .during("read what was judged and what it came to")?;
    rows.iter()
        .map(|found| {
            let number = |column: &'static str| found.try_get::<f64, _>(column).during("read a column");
            let payoff: Option<f64> = found.try_get("payoff").during("read a column")?;
            Ok(Judged {
                at: row::time(found, "created_at")?,
                kind: row::named(found, "signal_type", "a signal", SignalKind::from_name)?,
                condition: row::text(found, "condition_id", "a condition")?,
                event: row::string(found, "event")?,
                outcome: row::unsigned(found, "outcome")?,
                fair: number("fair")?,
                skill: Skill { kappa: number("kappa")?, standard_error: number("kappa_error")? },
                part: number("part")?,
                size: found.try_get("size").during("read a column")?,
                run_up: number("run_up")?,
                drop: number("drop")?,
                known: payoff.zip(row::maybe_time(found, "resolved_at")?),
            })
        })
        .collect()
}
