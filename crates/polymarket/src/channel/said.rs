//! What a word on the market channel says.

use domain::{ConditionId, Tick, Timestamp, TokenId};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ladder::Change;
use crate::trading::moment;
use crate::wire::channel::{ChangesBody, ResolvedBody, TickBody};
use crate::wire::clob::{BookBody, read_condition, read_tick};

/// An event of the market channel.
pub(super) enum Said {
    /// A snapshot of a token's book. Its grid may be missing, so it is read where the grid is known.
    Book { token: TokenId, body: Box<BookBody> },
    /// Changes of levels.
    Changes { at: Timestamp, changes: Vec<Change> },
    /// A new grid.
    Tick { token: TokenId, tick: Tick },
    /// The end of a market.
    Resolved { condition: ConditionId, winner: Option<TokenId> },
    /// What concerns nobody here.
    Other,
}

/// An event that cannot be read.
pub(super) struct Unclear {
    /// Whether a change of some book may be lost with it.
    pub(super) is_change: bool,
    /// Why.
    pub(super) why: String,
}

impl Said {
    /// Reads an event.
    pub(super) fn read(event: Value) -> Result<Self, Unclear> {
        let kind = event.get("event_type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let said = match kind.as_str() {
            "book" => book(event),
            "price_change" => changes(event),
            "tick_size_change" => tick(event),
            "market_resolved" => resolved(event),
            _ => Ok(Self::Other),
        };
        said.map_err(|why| Unclear { is_change: kind == "price_change", why: format!("{kind}: {why}") })
    }
}

fn body<T: DeserializeOwned>(event: Value) -> Result<T, String> {
    serde_json::from_value(event).map_err(|error| error.to_string())
}

fn token(text: &str) -> Result<TokenId, String> {
    text.parse().map_err(|_| format!("token `{text:.80}`"))
}

fn book(event: Value) -> Result<Said, String> {
    let body: BookBody = body(event)?;
    Ok(Said::Book { token: token(&body.asset_id)?, body: Box::new(body) })
}

fn changes(event: Value) -> Result<Said, String> {
    let body: ChangesBody = body(event)?;
    let at = moment(&body.timestamp).ok_or("it has no time")?;
    let changes = body.price_changes.iter().map(Change::read).collect::<Result<_, _>>()?;
    Ok(Said::Changes { at, changes })
}

fn tick(event: Value) -> Result<Said, String> {
    let body: TickBody = body(event)?;
    Ok(Said::Tick { token: token(&body.asset_id)?, tick: read_tick(&body.new_tick_size)? })
}

fn resolved(event: Value) -> Result<Said, String> {
    let body: ResolvedBody = body(event)?;
    Ok(Said::Resolved {
        condition: read_condition(&body.market)?,
        winner: body.winning_asset_id.parse().ok(),
    })
}
