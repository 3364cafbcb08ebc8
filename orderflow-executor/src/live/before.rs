//! The orders that a service before this one left at the venue, or on their way to it.

use domain::{Closing, OrderEvent, OrderNews, Shares, Wallet};
use polymarket::trading::SignedOrder;
use service::clock;
use store::PgConnection;
use store::resume::SentOrder;

use super::LiveError;
use super::tracked::Tracked;

/// The orders of before that are not at their end.
pub(super) struct Before {
    /// Those that were signed, and may have been sent.
    pub(super) tracked: Vec<Tracked>,
    /// The end of those that were decided together with another's sending, and never signed.
    pub(super) never_sent: Vec<OrderNews>,
}

/// Reads them.
pub(super) async fn before(connection: &mut PgConnection, wallet: Wallet) -> Result<Before, LiveError> {
    let mut signed = store::live::unfinished(connection).await?;
    let (mut tracked, mut never_sent) = (vec![], vec![]);
    for SentOrder { order, news, .. } in store::resume::orders(connection).await? {
        let Some(row) = signed.remove(&order.id) else {
            // Nothing is sent before its bytes are committed: nobody has seen this one.
            let why = Closing::Rejected { reason: "it was never sent".to_owned() };
            let what = OrderEvent::Closed { why, matched: Shares::ZERO };
            never_sent.push(OrderNews { order: order.id, at: clock::now(), what });
            continue;
        };
        if row.maker != wallet {
            return Err(LiveError::Foreign { order: order.id, maker: row.maker });
        }
        let stored = LiveError::Stored { order: order.id };
        let Ok(hash) = row.hash.parse() else { return Err(stored) };
        let Ok(signed) = SignedOrder::restore(hash, row.body) else { return Err(stored) };
        let mut one = Tracked::new(order, signed);
        one.remember(&news);
        tracked.push(one);
    }
    Ok(Before { tracked, never_sent })
}
