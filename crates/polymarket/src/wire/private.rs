//! What the venue says of one's own orders and trades, over REST and on the user channel alike.

use serde::{Deserialize, Serialize};

use super::Number;
use super::lenient::or_default;

/// One page of a private listing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PageBody<T> {
    /// How many items a page has at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How many this one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Where the next page begins; `LTE=` behind the last one.
    #[serde(default, deserialize_with = "or_default")]
    pub next_cursor: String,
    /// The items.
    #[serde(default = "Vec::new")]
    pub data: Vec<T>,
}

/// An order: `OpenOrder` of REST, `order` event of the user channel.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct OrderBody {
    /// The order's hash.
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    /// `LIVE`, `MATCHED`, `CANCELED…` or others, with or without `ORDER_STATUS_`.
    #[serde(default, deserialize_with = "or_default")]
    pub status: String,
    /// The API key it was sent with.
    #[serde(default, deserialize_with = "or_default")]
    pub owner: String,
    /// The wallet.
    #[serde(default, deserialize_with = "or_default")]
    pub maker_address: String,
    /// The condition.
    #[serde(default, deserialize_with = "or_default")]
    pub market: String,
    /// The token.
    #[serde(default, deserialize_with = "or_default")]
    pub asset_id: String,
    /// `BUY` or `SELL`.
    #[serde(default, deserialize_with = "or_default")]
    pub side: String,
    /// Shares asked for.
    #[serde(default, deserialize_with = "or_default")]
    pub original_size: Number,
    /// Shares matched; empty where an order was killed.
    #[serde(default, deserialize_with = "or_default")]
    pub size_matched: Number,
    /// The limit.
    #[serde(default, deserialize_with = "or_default")]
    pub price: Number,
    /// The outcome's name.
    #[serde(default, deserialize_with = "or_default")]
    pub outcome: String,
    /// When it expires, in seconds; 0, empty or `null` for never.
    #[serde(default, deserialize_with = "or_default")]
    pub expiration: Number,
    /// `GTC`, `GTD`, `FOK` or `FAK`.
    #[serde(default, deserialize_with = "or_default")]
    pub order_type: String,
    /// When it was made; seconds or milliseconds.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: Number,
    /// The trades it matched in, while the venue still tells.
    #[serde(default, deserialize_with = "or_default")]
    pub associate_trades: Vec<String>,
    /// On the channel: `PLACEMENT`, `UPDATE` or `CANCELLATION`.
    #[serde(
        rename = "type",
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub kind: String,
    /// On the channel: when it was said.
    #[serde(default, deserialize_with = "or_default")]
    pub timestamp: Number,
}

/// A trade: of REST, and `trade` event of the user channel.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TradeBody {
    /// The trade's id.
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    /// The hash of the order that took.
    #[serde(default, deserialize_with = "or_default")]
    pub taker_order_id: String,
    /// The condition.
    #[serde(default, deserialize_with = "or_default")]
    pub market: String,
    /// The taker's token.
    #[serde(default, deserialize_with = "or_default")]
    pub asset_id: String,
    /// The taker's side.
    #[serde(default, deserialize_with = "or_default")]
    pub side: String,
    /// Shares the taker traded.
    #[serde(default, deserialize_with = "or_default")]
    pub size: Number,
    /// A legacy field; no fee can be computed from it.
    #[serde(default, deserialize_with = "or_default")]
    pub fee_rate_bps: Number,
    /// The taker's price.
    #[serde(default, deserialize_with = "or_default")]
    pub price: Number,
    /// `MATCHED`, `MINED`, `CONFIRMED`, `RETRYING` or `FAILED`, with or without `TRADE_STATUS_`.
    #[serde(default, deserialize_with = "or_default")]
    pub status: String,
    /// When it matched; seconds or milliseconds.
    #[serde(default, alias = "matchtime", deserialize_with = "or_default")]
    pub match_time: Number,
    /// When it last changed.
    #[serde(default, deserialize_with = "or_default")]
    pub last_update: Number,
    /// The outcome's name.
    #[serde(default, deserialize_with = "or_default")]
    pub outcome: String,
    /// Which part of a large trade.
    #[serde(default, deserialize_with = "or_default")]
    pub bucket_index: Number,
    /// The API key of the reader.
    #[serde(default, deserialize_with = "or_default")]
    pub owner: String,
    /// The wallet of the reader.
    #[serde(default, deserialize_with = "or_default")]
    pub maker_address: String,
    /// The transaction, empty until it is sent; may be replaced by another.
    #[serde(default, deserialize_with = "or_default")]
    pub transaction_hash: String,
    /// Why settlement failed.
    #[serde(default, deserialize_with = "or_default")]
    pub err_msg: String,
    /// The resting orders it matched.
    #[serde(default, deserialize_with = "or_default")]
    pub maker_orders: Vec<MakerBody>,
    /// `TAKER` or `MAKER`: the reader's.
    #[serde(default, deserialize_with = "or_default")]
    pub trader_side: String,
    /// On the channel: when it was said.
    #[serde(default, deserialize_with = "or_default")]
    pub timestamp: Number,
}

/// A resting order in a [`TradeBody`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MakerBody {
    /// The order's hash.
    #[serde(default, deserialize_with = "or_default")]
    pub order_id: String,
    /// The API key it was sent with.
    #[serde(default, deserialize_with = "or_default")]
    pub owner: String,
    /// The wallet.
    #[serde(default, deserialize_with = "or_default")]
    pub maker_address: String,
    /// Shares.
    #[serde(default, deserialize_with = "or_default")]
    pub matched_amount: Number,
    /// Its price.
    #[serde(default, deserialize_with = "or_default")]
    pub price: Number,
    /// Its token.
    #[serde(default, deserialize_with = "or_default")]
    pub asset_id: String,
    /// Its outcome's name.
    #[serde(default, deserialize_with = "or_default")]
    pub outcome: String,
    /// Its side.
    #[serde(default, deserialize_with = "or_default")]
    pub side: String,
}
