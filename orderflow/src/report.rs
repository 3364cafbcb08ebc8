//! `orderflow signals` and `positions`: what is in the database, shown.

use serde_json::Value;
use store::{Store, reports, stories};

use crate::args::Signals;
use crate::wallet::figures::Row;
use crate::{card, live, render};

const REFUSALS: [(&str, &str); 6] = [
    ("name", "id"),
    ("created_at", "refused"),
    ("signal_type", "signal"),
    ("market_title", "market"),
    ("reason", "reason"),
    ("detail", "why"),
];

const POSITIONS: [(&str, &str); 10] = [
    ("id", "id"),
    ("opened_at", "opened"),
    ("market_title", "market"),
    ("outcome", "outcome"),
    ("shares", "shares"),
    ("entry_price", "entry"),
    ("cost_usd", "cost $"),
    ("status", "status"),
    ("pnl_usd", "P&L $"),
    ("redemption", "paid"),
];

/// Shows the newest signals as cards, oldest first, and goes on if it is asked to; or the newest refusals.
pub(crate) async fn signals(store: Store, asked: &Signals) -> anyhow::Result<()> {
    let (json, top) = (asked.list.view.json, i64::from(asked.list.top));
    if asked.refused {
        let rows = stories::refusals(&mut *store.connection().await?, top).await?;
        return Ok(render::rows(&rows, &REFUSALS, json)?);
    }
    if asked.watch {
        let to = if json { live::To::Script } else { live::To::Screen };
        return live::watch(store, to, top).await;
    }
    let mut rows = stories::signals(&mut *store.connection().await?, top).await?;
    if json {
        return Ok(render::line(&Value::Array(rows).to_string())?);
    }
    if rows.is_empty() {
        return Ok(render::line("nothing yet")?);
    }
    rows.reverse();
    let cards: Vec<String> = rows.into_iter().map(|row| card::signal(&Row::new(row))).collect();
    Ok(render::line(&cards.join("\n\n"))?)
}

/// Shows the newest positions.
pub(crate) async fn positions(store: Store, top: u32, json: bool) -> anyhow::Result<()> {
    let rows = reports::positions(&mut *store.connection().await?, i64::from(top)).await?;
    Ok(render::rows(&rows, &POSITIONS, json)?)
}
