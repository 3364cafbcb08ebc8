//! What is asked of the venue beside the desk, so that no answer is waited for by anybody but who needs it.

use std::sync::Arc;
use std::time::Instant;

use alloy_primitives::B256;
use domain::{Market, Timestamp, TokenId};
use polymarket::VenueError;
use polymarket::trading::{
    Asset, Cancelled, Heartbeat, Listed, OpenOrder, SignedOrder, Submitted, Trade, TradeFilter, Trader,
};

use super::renewal::Renewed;
use crate::executor::step;

/// An answer, or that there was none.
pub(super) enum Told {
    /// An order was sent.
    Submitted { order: i64, outcome: Submitted },
    /// An order was looked up.
    LookedUp { order: i64, found: Result<Option<OpenOrder>, VenueError> },
    /// Our trades were read, those since a moment; when that was begun.
    Trades { listed: Result<Listed<Trade>, VenueError>, orders: Vec<i64>, begun: tokio::time::Instant },
    /// Orders were cancelled, or not. The last question about an order that is nowhere to be found is of this kind, too.
    Cancelled { orders: Vec<i64>, is_last: bool, outcome: Result<Cancelled, VenueError> },
    /// The credentials were looked at, and derived again if need be.
    Renewed(Renewed),
    /// The venue heard that we live, or did not.
    Beat(Result<Heartbeat, VenueError>),
    /// A balance was read again from the chain.
    Refreshed,
    /// A market's terms were read again.
    Market(Result<Option<Market>, VenueError>),
}

pub(super) async fn submit(trader: Arc<Trader>, order: i64, signed: SignedOrder) -> Told {
    let begun = Instant::now();
    let outcome = trader.submit(&signed).await;
    step("answer", begun.elapsed());
    Told::Submitted { order, outcome }
}

pub(super) async fn look_up(trader: Arc<Trader>, order: i64, hash: B256) -> Told {
    Told::LookedUp { order, found: trader.order(hash).await }
}

pub(super) async fn trades(trader: Arc<Trader>, after: Timestamp, orders: Vec<i64>) -> Told {
    let filter = TradeFilter { after: Some(after), ..TradeFilter::default() };
    let begun = tokio::time::Instant::now();
    Told::Trades { listed: trader.trades(&filter).await, orders, begun }
}

pub(super) async fn cancel(trader: Arc<Trader>, order: i64, hash: B256, is_last: bool) -> Told {
    Told::Cancelled { orders: vec![order], is_last, outcome: trader.cancel(hash).await }
}

/// Cancels several in one request: [`MOST_CANCELS`](polymarket::trading::MOST_CANCELS) at most.
pub(super) async fn cancel_many(trader: Arc<Trader>, wanted: Vec<(i64, B256)>) -> Told {
    let (orders, hashes): (Vec<i64>, Vec<B256>) = wanted.into_iter().unzip();
    Told::Cancelled { orders, is_last: false, outcome: trader.cancel_many(&hashes).await }
}

pub(super) async fn beat(trader: Arc<Trader>, id: String) -> Told {
    Told::Beat(trader.heartbeat(&id).await)
}

pub(super) async fn refresh(trader: Arc<Trader>, token: TokenId) -> Told {
    for asset in [Asset::Collateral, Asset::of(token)] {
        if let Err(error) = trader.refresh_balance(asset).await {
            tracing::warn!(%error, "the venue did not read a balance again");
        }
    }
    Told::Refreshed
}
