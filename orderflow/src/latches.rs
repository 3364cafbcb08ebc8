//! `orderflow pause`, `resume`, `close`, `kill` and `lift`: what a person asks of the running service. It is written to the
//! database, whose notification wakes the service, and outlives both.

use anyhow::bail;
use serde_json::{Value, json};
use store::{Store, controls};

use crate::render;

/// Stops or allows entries.
pub(crate) async fn pause(store: Store, paused: bool, json: bool) -> anyhow::Result<()> {
    controls::set_paused(&mut *store.connection().await?, paused).await?;
    let text = if paused { "entries are paused" } else { "entries are allowed" };
    say(text, json!({ "paused": paused }), json)
}

/// Asks for a position to be sold, or for all of them.
pub(crate) async fn close(store: Store, position: Option<i64>, json: bool) -> anyhow::Result<()> {
    let is_asked = controls::request_close(&mut *store.connection().await?, position).await?;
    let text = match (is_asked, position) {
        (true, Some(position)) => format!("position {position} is being closed"),
        (true, None) => "all positions are being closed".to_owned(),
        (false, Some(position)) => {
            bail!("there is no open position {position}: `orderflow positions` lists them")
        }
        (false, None) => "no position is open".to_owned(),
    };
    say(&text, json!({ "closing": is_asked, "position": position }), json)
}

/// Stops all trading until it is lifted.
pub(crate) async fn kill(store: Store, reason: &str, json: bool) -> anyhow::Result<()> {
    controls::kill(&mut *store.connection().await?, reason).await?;
    let text = "orders are being cancelled, and there are no entries until `orderflow lift`";
    say(text, json!({ "killed": reason }), json)
}

/// Allows trading again, after a kill and after what the venue said.
pub(crate) async fn lift(store: Store, json: bool) -> anyhow::Result<()> {
    let lifted = controls::lift(&mut *store.connection().await?).await?;
    let text = match (lifted.was_killed, lifted.halts) {
        (true, 0) => "the kill is lifted".to_owned(),
        (false, 0) => "nothing stopped trading".to_owned(),
        (true, halts) => format!("the kill is lifted, and {halts} halts by the venue's word"),
        (false, halts) => format!("{halts} halts by the venue's word are lifted"),
    };
    say(&text, json!({ "was_killed": lifted.was_killed, "halts": lifted.halts }), json)
}

/// A sentence for a person, or an object for a script.
fn say(text: &str, object: Value, json: bool) -> anyhow::Result<()> {
    if json {
        render::line(&object.to_string())?
    } else {
        render::line(text)?
    }
    Ok(())
}
