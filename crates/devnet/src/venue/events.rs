//! What the user channel tells, and how orders and trades read there and over REST.

use alloy_primitives::Address;
use domain::{ConditionId, Price, Shares, Usd};
use serde_json::{Value, json};

use super::Venue;
use super::order::{Order, OrderStatus};
use super::trade::{Match, Party, TradeStatus};
use crate::board::Board;

/// An event for one key owner.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) owner: Address,
    pub(crate) condition: ConditionId,
    pub(crate) body: Value,
    /// Milliseconds it comes late.
    pub(crate) delay_ms: u64,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderNews {
    Placement,
    Update,
    Cancellation,
}

impl OrderNews {
    const fn name(self) -> &'static str {
        match self {
            Self::Placement => "PLACEMENT",
            Self::Update => "UPDATE",
            Self::Cancellation => "CANCELLATION",
        }
    }
}

impl Venue {
    pub(super) fn tell_order(&mut self, id: alloy_primitives::B256, news: OrderNews, board: &Board) {
        let Some(order) = self.orders.get(&id) else { return };
        let Some(market) = board.by_id(order.market) else { return };
        let (owner, condition) = (order.owner, market.condition);
        let mut body = self.order_body(order, board);
        body["event_type"] = json!("order");
        body["type"] = json!(news.name());
        body["order_owner"] = json!(order.key);
        body["timestamp"] = body["created_at"].as_i64().map_or_else(|| json!(""), |at| json!(at.to_string()));
        body["created_at"] = body["timestamp"].clone();
        if let OrderStatus::Canceled(why) = order.status {
            body["status"] = json!(format!("CANCELED_{why}"));
        }
        self.tell(owner, condition, body);
    }

    pub(super) fn tell_match(&mut self, index: usize, board: &Board) {
        let Some(one) = self.matches.get(index) else { return };
        let news: Vec<_> = one
            .owners()
            .into_iter()
            .map(|owner| {
                let mut body = self.trade_body(one, owner, board);
                body["event_type"] = json!("trade");
                body["type"] = json!("TRADE");
                body["trade_owner"] = body["owner"].clone();
                body["timestamp"] = json!(one.updated.seconds().to_string());
                (owner, one.condition, body)
            })
            .collect();
        for (owner, condition, body) in news {
            self.tell(owner, condition, body);
        }
    }

    fn tell(&mut self, owner: Address, condition: ConditionId, body: Value) {
        let faults = self.controls.socket;
        if self.controls.chance(faults.missing) {
            return;
        }
        let told = Told { owner, condition, body, delay_ms: faults.delay_ms };
        if self.controls.chance(faults.duplicated) {
            let _ = self.told.send(told.clone());
        }
        // That nobody listens is no error.
        let _ = self.told.send(told);
    }

    /// An order as `/data/order` has it.
    pub(crate) fn order_body(&self, order: &Order, board: &Board) -> Value {
        let market = board.by_id(order.market);
        let prefix = if self.controls.prefixed { "ORDER_STATUS_" } else { "" };
        json!({
            "id": order.id,
            "status": format!("{prefix}{}", order.status.name()),
            "owner": order.key,
            "maker_address": order.wallet.to_string(),
            "market": market.map(|market| market.condition.to_string()),
            "asset_id": order.token.to_string(),
            "side": order.side.name(),
            "original_size": order.original().to_string(),
            "size_matched": Shares::from_micros(order.matched).to_string(),
            "price": order.price.to_string(),
            "outcome": market.map(|market| market.outcomes[order.outcome]),
            "expiration": order.expiration.to_string(),
            "order_type": order.order_type.name(),
            "created_at": order.created.seconds(),
            "associate_trades": order.trades,
        })
    }

    /// A trade as `/data/trades` has it for one of its parties.
    pub(crate) fn trade_body(&self, one: &Match, viewer: Address, board: &Board) -> Value {
        let market = board.by_id(one.market);
        let name = |party: &Party| market.map(|market| market.outcomes[party.outcome]);
        let makers: Vec<Value> = one
            .makers
            .iter()
            .map(|maker| {
                json!({
                    "order_id": maker.order,
                    "owner": maker.key(),
                    "maker_address": maker.wallet.to_string(),
                    "matched_amount": Shares::from_micros(maker.micros).to_string(),
                    "price": maker.price.to_string(),
                    "fee_rate_bps": "0",
                    "asset_id": maker.token.to_string(),
                    "outcome": name(maker),
                    "side": maker.side.name(),
                })
            })
            .collect();
        let taker = &one.taker;
        let takes = taker.owner() == Some(viewer);
        let mine = one.parties().find(|party| party.owner() == Some(viewer)).unwrap_or(taker);
        let average = Price::average(Usd::from_micros(taker.usd), Shares::from_micros(taker.micros));
        let prefix = if self.controls.prefixed { "TRADE_STATUS_" } else { "" };
        let mut body = json!({
            "id": one.id,
            "taker_order_id": taker.order,
            "market": one.condition.to_string(),
            "asset_id": taker.token.to_string(),
            "side": taker.side.name(),
            "size": Shares::from_micros(taker.micros).to_string(),
            "fee_rate_bps": "0",
            "price": average.unwrap_or(taker.price).to_string(),
            "status": format!("{prefix}{}", one.status.name()),
            "match_time": one.at.seconds().to_string(),
            "match_time_nano": format!("{}000", one.at.micros()),
            "last_update": one.updated.seconds().to_string(),
            "outcome": name(taker),
            "bucket_index": 0,
            "owner": mine.key(),
            "maker_address": mine.wallet.to_string(),
            "transaction_hash": one.tx.map(|tx| tx.to_string()).unwrap_or_default(),
            "maker_orders": makers,
            "trader_side": if takes { "TAKER" } else { "MAKER" },
        });
        if one.status == TradeStatus::Failed {
            body["err_msg"] = json!("the transaction was reverted");
        }
        body
    }
}
