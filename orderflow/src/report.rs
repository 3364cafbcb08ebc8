//! `orderflow wallet`, `wallets`, `signals`, `positions`: what is in the database, shown.

use anyhow::bail;
use domain::Wallet;
use store::{Store, reports};

use crate::render;

const WALLETS: [(&str, &str); 9] = [
    ("wallet_address", "wallet"),
    ("reputation_score", "score"),
    ("trader_tier", "tier"),
    ("win_rate", "win rate"),
    ("break_even_win_rate", "break-even"),
    ("skill_kappa", "skill"),
    ("skill_se", "±"),
    ("total_pnl_usd", "P&L $"),
    ("closed_decisions", "decisions"),
];

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

const POSITIONS: [(&str, &str); 9] = [
    ("id", "id"),
    ("opened_at", "opened"),
    ("market_title", "market"),
    ("outcome", "outcome"),
    ("shares", "shares"),
    ("entry_price", "entry"),
    ("cost_usd", "cost $"),
    ("status", "status"),
    ("pnl_usd", "P&L $"),
];

/// Shows one wallet's row.
pub(crate) async fn wallet(store: Store, address: Wallet, json: bool) -> anyhow::Result<()> {
    match reports::wallet(&mut *store.connection().await?, address).await? {
        Some(row) => Ok(render::object(&row, json)?),
        None => bail!("no verdict about {address}: it has not traded here, or no pass was made since it did"),
    }
}

/// Shows the best wallets.
pub(crate) async fn wallets(store: Store, top: u32, json: bool) -> anyhow::Result<()> {
    let rows = reports::wallets(&mut *store.connection().await?, i64::from(top)).await?;
    Ok(render::rows(&rows, &WALLETS, json)?)
}

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
