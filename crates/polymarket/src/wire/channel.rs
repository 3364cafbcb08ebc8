//! The events of the market channel.

use serde::{Deserialize, Serialize};

use super::Number;
use super::lenient::or_default;

/// Changes of levels, of one market's books.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangesBody {
    /// The changes.
    #[serde(default, alias = "changes", deserialize_with = "or_default")]
    pub price_changes: Vec<ChangeBody>,
    /// When, in milliseconds.
    #[serde(default, deserialize_with = "or_default")]
    pub timestamp: Number,
}

/// The change of one level.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeBody {
    /// The token.
    pub asset_id: String,
    /// The level.
    pub price: Number,
    /// The shares there now; zero removes the level.
    pub size: Number,
    /// `BUY` for a bid, `SELL` for an ask.
    pub side: String,
    /// The highest bid after it; 0 or empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_bid: Option<Number>,
    /// The lowest ask after it; 1 or empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_ask: Option<Number>,
}

/// A market changes its grid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TickBody {
    /// The token.
    pub asset_id: String,
    /// The grid from now on.
    pub new_tick_size: Number,
}

/// A market is resolved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResolvedBody {
    /// The condition.
    pub market: String,
    /// The token that won.
    #[serde(default, deserialize_with = "or_default")]
    pub winning_asset_id: String,
}
