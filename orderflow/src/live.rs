//! Live lines: each signal as a card when it is raised, each position when it settles, read from the database
//! like everything else that people see.

use serde_json::Value;
use service::CancellationToken;
use store::{Store, reports};

use crate::render;
use crate::run::SCREEN;

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// To the person at the terminal.
    Screen,
    /// Nowhere: standard output belongs to a script.
    Nowhere,
}

/// Shows what is new until it is told to stop.
pub(crate) async fn lines(store: Store, to: To, stop: CancellationToken) -> anyhow::Result<()> {
    let (mut raised, mut settled) = reports::seen_all(&mut *store.connection().await?).await?;
    loop {
        let is_last = stop.is_cancelled();
        let mut connection = store.connection().await?;
        for signal in reports::signals_after(&mut connection, raised).await? {
            raised = signal["id"].as_i64().unwrap_or(raised);
            show(to, &card(&signal))?;
        }
        for position in reports::settled_after(&mut connection, settled).await? {
            settled += 1;
            show(to, &settlement(&position))?;
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

fn show(to: To, text: &str) -> std::io::Result<()> {
    match to {
        To::Screen => render::line(text),
        To::Nowhere => Ok(()),
    }
}

/// A signal with what it was decided on, in three lines.
fn card(signal: &Value) -> String {
    let text = |name: &str| signal[name].as_str().unwrap_or("–").to_owned();
    let number = |name: &str| signal[name].as_f64().unwrap_or(f64::NAN);
    let wallet = text("wallet_address");
    let short = format!("{}…{}", wallet.get(..6).unwrap_or(""), wallet.get(38..).unwrap_or(""));
    let skill = format!("{:+.2} ± {:.2}", number("skill_kappa"), number("skill_se"));
    format!(
        "{} #{}   {short}   {:.1} / 10 {}   skill {skill}\n  {}   BUY {}   paid {:.3} for ${:.0}\n  ours: BUY {} \
         ≤ {:.2}   ${:.2} (Kelly {:.3}, applied {:.3})   confidence {:.0} %   {}",
        text("signal_type"),
        signal["id"],
        number("reputation_score"),
        text("trader_tier"),
        text("market_title"),
        text("outcome"),
        number("reference_price"),
        number("notional_usd"),
        text("outcome"),
        number("limit_price"),
        number("stake_usd"),
        number("kelly_fraction"),
        number("kelly_applied"),
        number("confidence") * 100.0,
        match signal["refusal"].as_str() {
            Some(refusal) => format!("REFUSED: {refusal}"),
            None => text("status"),
        },
    )
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
