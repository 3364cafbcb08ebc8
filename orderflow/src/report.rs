//! `orderflow signals` and `positions`: what is in the database, shown.

use store::{Store, reports};

use crate::render;

const SIGNALS: [(&str, &str); 9] = [
    ("id", "id"),
    ("created_at", "raised"),
    ("signal_type", "signal"),
    ("market_title", "market"),
    ("outcome", "outcome"),
    ("confidence", "confidence"),
    ("stake_usd", "stake $"),
    ("status", "status"),
    ("profit_loss_usd", "P&L $"),
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

/// Shows the newest signals.
pub(crate) async fn signals(store: Store, top: u32, json: bool) -> anyhow::Result<()> {
    let rows = reports::signals(&mut *store.connection().await?, i64::from(top)).await?;
    Ok(render::rows(&rows, &SIGNALS, json)?)
}

/// Shows the newest positions.
pub(crate) async fn positions(store: Store, top: u32, json: bool) -> anyhow::Result<()> {
    let rows = reports::positions(&mut *store.connection().await?, i64::from(top)).await?;
    Ok(render::rows(&rows, &POSITIONS, json)?)
}
