//! What something was decided on, as the JSON that is kept.

use domain::{Appraisal, Coefficient, Figure, Level, MICRO, Price, Shares, Usd};
use serde_json::{Value, json};

/// An appraisal. Names are columns' names elsewhere: dollars and shares are numbers, lengths of time milliseconds.
pub(super) fn object(appraisal: &Appraisal) -> Value {
    let levels = |levels: &[Level]| -> Vec<Value> {
        levels.iter().map(|level| json!([price(level.price), shares(level.shares)])).collect()
    };
    let coefficient = |known: &Coefficient| json!({ "mean": known.mean, "deviation": known.deviation, "events": known.events });
    let consensus = json!({
        "kappa": appraisal.consensus.kappa, "error": appraisal.consensus.standard_error,
        "wallets": appraisal.backers,
    });
    json!({
        "condition": appraisal.condition.to_string(),
        "event": appraisal.event,
        "outcome": appraisal.outcome,
        "book_at": time(appraisal.book_at),
        "bids": levels(&appraisal.bids),
        "asks": levels(&appraisal.asks),
        "market_price": price(appraisal.market_price),
        "fair_price": appraisal.fair_price,
        "spread": appraisal.spread,
        "depth_usd": usd(appraisal.depth),
        "reference_price": price(appraisal.reference_price),
        "run_up": appraisal.run_up,
        "age_ms": milliseconds(appraisal.age),
        "waited_ms": milliseconds(appraisal.waited),
        "score": appraisal.score,
        "kappa": appraisal.kappa,
        "kappa_error": appraisal.kappa_error,
        "consensus": consensus,
        "skill_probability": appraisal.skill_probability,
        "timing_t": appraisal.timing_t,
        "part": appraisal.part,
        "median_cost_usd": appraisal.median_cost.map(usd),
        "size": appraisal.size,
        "volume_24h_usd": usd(appraisal.volume),
        "drop": appraisal.drop,
        "whales_with_usd": usd(appraisal.whales_with),
        "whales_against_usd": usd(appraisal.whales_against),
        "whales_opposed": appraisal.whales_opposed,
        "held_before": appraisal.held_before.map(shares),
        "coefficient": coefficient(&appraisal.coefficient),
        "further": appraisal.further.map(|further| json!({
            "taken": coefficient(&further.taken), "size": coefficient(&further.size),
            "run_up": coefficient(&further.run_up),
        })),
        "fee_rate": decimal(i64::from(appraisal.fee_rate_ppm)),
        "latency_cost": appraisal.latency_cost,
        "expected_price": price(appraisal.expected_price),
        "limit_price": price(appraisal.limit_price),
        "cost": appraisal.cost,
        "probability": appraisal.probability,
        "error": appraisal.error,
        "confidence": appraisal.confidence,
        "kelly": appraisal.kelly,
        "policy": appraisal.policy,
    })
}

/// A figure of a refusal.
pub(super) fn figure(figure: &Figure) -> Value {
    match figure {
        Figure::Count(count) => json!(count),
        Figure::Number(number) => json!(number),
        Figure::Usd(amount) => usd(*amount),
        Figure::Shares(amount) => shares(*amount),
        Figure::Price(amount) => price(*amount),
        Figure::Time(at) => json!(time(*at)),
        // In seconds, which is what all of them are limited in.
        Figure::Duration(micros) => decimal(*micros),
        Figure::Condition(condition) => json!(condition.to_string()),
        Figure::Text(text) => json!(text),
    }
}

fn time(at: domain::Timestamp) -> String {
    at.to_string()
}

fn usd(amount: Usd) -> Value {
    decimal(amount.micros())
}

fn shares(amount: Shares) -> Value {
    decimal(amount.micros())
}

fn price(amount: Price) -> Value {
    decimal(i64::from(amount.ppm()))
}

fn milliseconds(micros: i64) -> Value {
    json!(micros / 1_000)
}

/// Millionths as a number that reads like one: exact below nine billion, and then still to the nearest float.
#[expect(clippy::cast_precision_loss, reason = "what is kept for reading and learning, never booked")]
fn decimal(micros: i64) -> Value {
    json!(micros as f64 / MICRO as f64)
}
