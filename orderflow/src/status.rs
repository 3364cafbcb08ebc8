//! `orderflow status`: what stops trading, what is covered, how far behind it is, what it costs, and what went wrong.

use serde_json::{Value, json};
use service::clock;
use store::{PgConnection, Store, StoreError, controls, halts, status};

use crate::render;

/// Shows the listener's state.
pub(crate) async fn run(store: Store, json: bool) -> anyhow::Result<()> {
    let mut connection = store.connection().await?;
    let mut state = status::listener(&mut connection, clock::now()).await?;
    if let Some(delays) = store::live::delays(&mut connection).await? {
        state["live_orders"] =
            json!({"sent": delays.sent, "whale_to_order_ms": {"p50": delays.half, "p99": delays.most}});
    }
    state["trading"] = trading(&mut connection).await?;
    drop(connection);
    if json {
        return Ok(render::line(&state.to_string())?);
    }
    for line in lines(&state) {
        render::line(&line)?;
    }
    Ok(())
}

/// What stops entries until a person says otherwise.
async fn trading(connection: &mut PgConnection) -> Result<Value, StoreError> {
    let latches = controls::latches(connection).await?;
    let halts: Vec<Value> = halts::standing(connection)
        .await?
        .iter()
        .map(|halt| json!({"kind": halt.kind.name(), "reason": halt.reason, "since": halt.since.to_string()}))
        .collect();
    Ok(json!({"paused": latches.paused, "killed": latches.killed, "halts": halts}))
}

/// The same in sentences; nothing where nothing stops them.
fn stops(trading: &Value) -> Vec<String> {
    let mut lines = vec![];
    if trading["paused"].as_bool() == Some(true) {
        lines.push("STOPPED    entries are paused: orderflow resume".to_owned());
    }
    if let Some(reason) = trading["killed"].as_str() {
        lines.push(format!("STOPPED    a person stopped all trading: {reason}; orderflow lift"));
    }
    lines.extend(list(&trading["halts"]).iter().map(|halt| {
        format!(
            "STOPPED    by the venue's word since {}: {}; look into it, then orderflow lift",
            text(&halt["since"]),
            text(&halt["reason"])
        )
    }));
    lines
}

/// The state in sentences.
fn lines(state: &Value) -> Vec<String> {
    let mut lines = stops(&state["trading"]);
    lines.push(coverage(state));
    lines.extend(holes(state));
    for covered in list(&state["covered"]) {
        let (blocks, kind, source) =
            (number(&covered["blocks"]), text(&covered["kind"]), text(&covered["source"]));
        lines.push(format!("  {blocks} blocks  {kind:<8}{source}"));
    }
    lines.push(head(state));
    lines.push(format!(
        "fills      about {} in {} partitions; {} taken back in {} reorganisations",
        number(&state["fills_about"]),
        number(&state["partitions"]),
        number(&state["orphaned_fills"]),
        number(&state["reorganisations"]),
    ));
    lines.push(audit(&state["audit"]));
    lines.push(format!(
        "markets    {} tokens traded that nobody has described yet",
        number(&state["unknown_tokens"])
    ));
    lines.extend(orders(&state["live_orders"]));
    lines.extend(costs(&state["compute_units"]));
    lines.extend(sources(state));
    lines.extend(nonsense(state));
    lines
}

/// Orders that were sent in earnest, and how long they took from the fill they follow.
fn orders(live: &Value) -> Option<String> {
    let delay = |name: &str| live["whale_to_order_ms"][name].as_f64();
    let (half, most) = (delay("p50")?, delay("p99")?);
    Some(format!(
        "orders     {} sent; from a whale's fill to the order {half:.1} ms, p99 {most:.1} ms",
        number(&live["sent"])
    ))
}

fn coverage(state: &Value) -> String {
    if state["complete_from"].is_null() {
        return "coverage   nothing has been read yet".to_owned();
    }
    let (from, to) = (number(&state["complete_from"]), number(&state["complete_to"]));
    if list(&state["holes"]).is_empty() {
        format!("coverage   complete from block {from} to block {to}")
    } else {
        format!("coverage   from block {from} to block {to}, NOT complete:")
    }
}

fn holes(state: &Value) -> Vec<String> {
    let name = |hole: &Value| {
        let (first, last) = (number(&hole["first_block"]), number(&hole["last_block"]));
        format!(
            "  hole from block {first} to block {last}: orderflow backfill --from-block {first} --to-block {last}"
        )
    };
    list(&state["holes"]).iter().map(name).collect()
}

fn head(state: &Value) -> String {
    match state["lag_seconds"].as_f64() {
        None => "head       no block yet".to_owned(),
        Some(lag) => format!(
            "head       block {} of {}, {lag:.1} s ago",
            number(&state["newest_block"]),
            text(&state["newest_block_time"])
        ),
    }
}

fn audit(audit: &Value) -> String {
    if audit["through"].is_null() {
        return "audit      nothing final has been read a second time yet".to_owned();
    }
    format!(
        "audit      {} blocks, the newest {}: {} logs were missing and healed, {} surplus, {} blocks of another hash",
        number(&audit["blocks"]),
        number(&audit["through"]),
        number(&audit["missing_healed"]),
        number(&audit["surplus"]),
        number(&audit["replaced"])
    )
}

fn costs(units: &Value) -> Vec<String> {
    let mut lines = vec![format!(
        "cost       {} compute units this month; following the head {} in 24 h, {} a month at this rate",
        number(&units["this_month"]),
        number(&units["last_24_h"]),
        number(&units["month_forecast"])
    )];
    lines.extend(list(&units["by_method"]).iter().map(|one| {
        format!(
            "  {:<9}{:<28}{:>9} calls {:>7} failed {:>12} bytes {:>11} units",
            text(&one["purpose"]),
            text(&one["method"]),
            number(&one["calls"]),
            number(&one["failures"]),
            number(&one["bytes"]),
            number(&one["compute_units"])
        )
    }));
    lines
}

fn sources(state: &Value) -> Vec<String> {
    list(&state["sources"])
        .iter()
        .map(|source| {
            let how = if source["working"].as_bool() == Some(true) { "works" } else { "FAILS" };
            let error = source["last_error"].as_str().map(|error| format!("; last error: {error}"));
            format!("source     {} {how}{}", text(&source["endpoint"]), error.unwrap_or_default())
        })
        .collect()
}

fn nonsense(state: &Value) -> Vec<String> {
    let (quarantine, bad) = (&state["quarantine"], &state["bad_answers"]);
    let mut lines = vec![format!(
        "unread     {} logs in quarantine, {} answers that were none",
        number(&quarantine["logs"]),
        number(&bad["count"])
    )];
    lines.extend(list(&quarantine["by_source"]).iter().map(|one| {
        format!("  {} logs from {}: {}", number(&one["logs"]), text(&one["source"]), text(&one["reason"]))
    }));
    lines.extend(list(&bad["by_source"]).iter().map(|one| {
        format!(
            "  {} answers to {} from {}",
            number(&one["answers"]),
            text(&one["method"]),
            text(&one["endpoint"])
        )
    }));
    lines.extend(list(&bad["newest"]).iter().map(|one| {
        format!(
            "  {} {}: {} — {:?}",
            text(&one["seen_at"]),
            text(&one["method"]),
            text(&one["reason"]),
            text(&one["excerpt"])
        )
    }));
    lines
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> String {
    value.as_i64().map_or_else(
        || value.as_f64().map_or_else(|| "–".to_owned(), |float| float.to_string()),
        |number| number.to_string(),
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("–")
}
