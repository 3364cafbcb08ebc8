//! Live lines: each signal as a card when it is raised, each position when it settles, read from the database
//! like everything else that people see.

use serde_json::Value;
use service::CancellationToken;
use store::{Store, reports, stories};

use crate::run::SCREEN;
use crate::wallet::figures::Row;
use crate::{card, render};

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// To the person at the terminal.
    Screen,
    /// To a script, an object a line.
    Script,
    /// Nowhere: standard output belongs to a script.
    Nowhere,
}

/// Shows what is new until it is told to stop.
pub(crate) async fn lines(store: Store, to: To, stop: CancellationToken) -> anyhow::Result<()> {
    let seen = reports::seen_all(&mut *store.connection().await?).await?;
    go_on(store, to, seen, stop).await
}

/// Shows the newest signals, and goes on for as long as it is let.
pub(crate) async fn watch(store: Store, to: To, top: i64) -> anyhow::Result<()> {
    let (newest, settled) = reports::seen_all(&mut *store.connection().await?).await?;
    go_on(store, to, (newest.saturating_sub(top).max(0), settled), CancellationToken::new()).await
}

async fn go_on(
    store: Store,
    to: To,
    (mut raised, mut settled): (i64, i64),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let is_last = stop.is_cancelled();
        let mut connection = store.connection().await?;
        for signal in stories::signals_after(&mut connection, raised).await? {
            raised = signal["id"].as_i64().unwrap_or(raised);
            show(to, &signal, |signal| format!("{}\n", card::signal(&Row::new(signal.clone()))))?;
        }
        for position in reports::settled_after(&mut connection, settled).await? {
            settled += 1;
            show(to, &position, settlement)?;
        }
        drop(connection);
        if is_last {
            return Ok(());
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(SCREEN) => {}
        }
    }
}

fn show(to: To, row: &Value, words: impl Fn(&Value) -> String) -> std::io::Result<()> {
    match to {
        To::Screen => render::line(&words(row)),
        To::Script => render::line(&row.to_string()),
        To::Nowhere => Ok(()),
    }
}

/// A settled position in one line.
fn settlement(position: &Value) -> String {
    let text = |name: &str| position[name].as_str().unwrap_or("–").to_owned();
    let number = |name: &str| position[name].as_f64().unwrap_or(f64::NAN);
    format!(
        "{} #{}   {} {}   bought at {:.3} for ${:.2}, paid ${:.2}   {:+.2} $",
        text("status"),
        position["id"],
        text("market_title"),
        text("outcome"),
        number("entry_price"),
        number("cost_usd"),
        number("proceeds_usd"),
        number("pnl_usd"),
    )
}
