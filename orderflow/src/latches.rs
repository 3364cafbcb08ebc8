//! `orderflow pause`, `resume`, `close`, `kill` and `lift`: what a person asks of the running service. It is written to the
//! database, whose notification wakes the service, and outlives both.

use anyhow::bail;
use store::{Store, controls};

use crate::render;

/// Stops or allows entries.
pub(crate) async fn pause(store: Store, paused: bool) -> anyhow::Result<()> {
    controls::set_paused(&mut *store.connection().await?, paused).await?;
    Ok(render::line(if paused { "entries are paused" } else { "entries are allowed" })?)
}

/// Asks for a position to be sold, or for all of them.
pub(crate) async fn close(store: Store, position: Option<i64>) -> anyhow::Result<()> {
    let is_asked = controls::request_close(&mut *store.connection().await?, position).await?;
    match (is_asked, position) {
        (true, Some(position)) => Ok(render::line(&format!("position {position} is being closed"))?),
        (true, None) => Ok(render::line("all positions are being closed")?),
        (false, Some(position)) => {
            bail!("there is no open position {position}: `orderflow positions` lists them")
        }
        (false, None) => Ok(render::line("no position is open")?),
    }
}

/// Stops all trading until it is lifted.
pub(crate) async fn kill(store: Store, reason: &str) -> anyhow::Result<()> {
    controls::kill(&mut *store.connection().await?, reason).await?;
    Ok(render::line("orders are being cancelled, and there are no entries until `orderflow lift`")?)
}

/// Allows trading again, after a kill and after what the venue said.
pub(crate) async fn lift(store: Store) -> anyhow::Result<()> {
    let lifted = controls::lift(&mut *store.connection().await?).await?;
    if lifted.was_killed {
        render::line("the kill is lifted")?;
    }
    match lifted.halts {
        0 if lifted.was_killed => {}
        0 => render::line("nothing stopped trading")?,
        halts => render::line(&format!("{halts} halts by the venue's word are lifted"))?,
    }
    Ok(())
}
