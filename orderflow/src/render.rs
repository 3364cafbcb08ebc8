//! How results look: tables for people, JSON for scripts. The only place that prints results.

use std::io::{self, Write as _};

use comfy_table::{Table, presets};
use serde_json::Value;
use store::reports::Totals;

/// Writes a line to standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Writes rows as a table of the chosen columns, or whole as JSON lines' array.
pub(crate) fn rows(rows: &[Value], columns: &[(&str, &str)], json: bool) -> io::Result<()> {
    if json {
        return line(&Value::Array(rows.to_vec()).to_string());
    }
    if rows.is_empty() {
        return line("nothing yet");
    }
    let mut table = plain_table();
    table.set_header(columns.iter().map(|(_, title)| *title));
    for row in rows {
        table.add_row(columns.iter().map(|(column, _)| cell(row.get(*column))));
    }
    line(&table.to_string())
}

/// The totals as the object that scripts read.
pub(crate) fn totals(totals: &Totals) -> Value {
    let signals = |name: &str| totals.signals.get(name).copied().unwrap_or(0);
    serde_json::json!({
        "trades": totals.trades,
        "wallets": totals.wallets,
        "markets": totals.markets,
        "resolved_markets": totals.resolved_markets,
        "wallets_rated": totals.wallets_rated,
        "signals": { "follow_whale": signals("FOLLOW_WHALE"), "fade_degen": signals("FADE_DEGEN") },
        "positions": {
            "opened": totals.opened, "won": totals.won, "lost": totals.lost, "open": totals.open,
        },
        "pnl_usd": totals.pnl_usd,
        "refusals": totals.refusals,
    })
}

/// An object of objects as a table of dotted names, or as JSON.
pub(crate) fn summary(summary: &Value, json: bool) -> io::Result<()> {
    if json {
        return line(&summary.to_string());
    }
    let mut table = plain_table();
    for (name, value) in summary.as_object().into_iter().flatten() {
        match value.as_object() {
            None => {
                table.add_row([name.clone(), cell(Some(value))]);
            }
            Some(parts) => {
                for (part, value) in parts {
                    table.add_row([format!("{name}.{part}"), cell(Some(value))]);
                }
            }
        }
    }
    line(&table.to_string())
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.as_f64().filter(|_| !number.is_i64()).map_or_else(
            || number.to_string(),
            |float| format!("{float:.4}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        ),
        Some(other) => other.to_string(),
    }
}
