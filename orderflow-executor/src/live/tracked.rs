//! One order at the venue: what was learned of it, and what each further report adds.
//!
//! Reports come twice, late, in any order, and from two sides. Whatever they are, the news that come of them are each
//! told once, and never taken back but by the venue's own word that a match failed.

mod unshown;

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::B256;
use domain::{
    Closing, Execution, Fee, Fill, Order, OrderEvent, OrderNews, Shares, TimeInForce, Timestamp, TradeId,
    TxHash,
};
use polymarket::trading::{OpenOrder, OrderStatus, SignedOrder, Trade, TradeStatus};
use tokio::time::Instant;

use super::execution::execution;

/// An order at the venue.
pub(super) struct Tracked {
    pub(super) order: Order,
    pub(super) signed: SignedOrder,
    pub(super) stage: Stage,
    /// When something is to be done about it next.
    pub(super) due: Option<Instant>,
    /// How often the same bytes were sent.
    pub(super) sendings: u32,
    /// Whether a sending of it may have arrived unanswered: no refusal of a later one speaks for that.
    pub(super) was_doubtful: bool,
    /// Why a later sending was refused: it is not sent once more, and ends so if none arrived.
    pub(super) refused: Option<Closing>,
    /// Whether a request about it is on its way.
    pub(super) is_asked: bool,
    /// When it is to be cancelled, once the venue is known to have it. Until then it is not sent again.
    pub(super) cancel_at: Option<Instant>,
    accepted: bool,
    closed: Option<Shares>,
    /// Since when that is known.
    closed_at: Option<Instant>,
    /// Why it stands no more, where nobody has said how much of it matched, and since when that is known.
    closing: Option<(Closing, Instant)>,
    trades: BTreeMap<TradeId, Known>,
    /// Trades that the venue named as its own, and that nobody has shown yet, with when they were first named.
    named: BTreeMap<TradeId, Instant>,
}

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// On its way to the venue, or about to be.
    Sending,
    /// Nobody can say whether the venue has it; looked up so often since.
    Doubtful {
        /// How many times in vain.
        looks: usize,
    },
    /// The venue has it.
    Following,
}

/// What is known of one match.
#[derive(Clone, Debug, Default)]
struct Known {
    execution: Option<Execution>,
    transaction: Option<TxHash>,
    /// Whether the chain has said what it came to.
    is_checked: bool,
    /// Since when the venue says that it is confirmed, while the chain's own word is waited for.
    confirmed: Option<Instant>,
    is_final: bool,
}

impl Tracked {
    /// An order that is about to be sent.
    pub(super) const fn new(order: Order, signed: SignedOrder) -> Self {
        Self {
            order,
            signed,
            stage: Stage::Sending,
            due: None,
            sendings: 0,
            was_doubtful: false,
            refused: None,
            is_asked: false,
            cancel_at: None,
            accepted: false,
            closed: None,
            closed_at: None,
            closing: None,
            trades: BTreeMap::new(),
            named: BTreeMap::new(),
        }
    }

    /// Takes in what was told already, before a restart.
    pub(super) fn remember(&mut self, news: &[OrderNews]) {
        for OrderNews { what, .. } in news {
            match what {
                OrderEvent::Accepted => self.accepted = true,
                OrderEvent::Filled(execution) | OrderEvent::Corrected(execution) => {
                    let known = self.trades.entry(execution.trade.clone()).or_default();
                    known.execution = Some(execution.clone());
                    known.is_checked |= matches!(what, OrderEvent::Corrected(_));
                }
                OrderEvent::Confirmed(trade) | OrderEvent::Failed(trade) => {
                    self.trades.entry(trade.clone()).or_default().is_final = true;
                }
                OrderEvent::Closed { matched, .. } => {
                    self.closed = Some(*matched);
                    self.closed_at = Some(Instant::now());
                }
            }
        }
        if self.accepted || !self.trades.is_empty() {
            self.stage = Stage::Following;
        }
    }

    pub(super) const fn hash(&self) -> B256 {
        self.signed.hash
    }

    /// The venue has it.
    pub(super) fn accept(&mut self, at: Timestamp) -> Option<OrderNews> {
        self.stage = Stage::Following;
        (!std::mem::replace(&mut self.accepted, true)).then(|| self.news(at, OrderEvent::Accepted))
    }

    /// The venue names trades it has a part in: nothing is over before these are read.
    pub(super) fn name(&mut self, trades: &[String]) {
        for id in trades.iter().map(|id| TradeId(id.clone())) {
            if self.trades.get(&id).is_none_or(|known| known.execution.is_none()) {
                self.named.entry(id).or_insert_with(Instant::now);
            }
        }
    }

    /// It stands no more, and so many shares of it ever matched.
    pub(super) fn close(&mut self, why: Closing, matched: Shares, at: Timestamp) -> Option<OrderNews> {
        let matched = matched.max(self.told());
        if self.closed.is_some_and(|known| matched <= known) {
            return None;
        }
        self.closed = Some(matched);
        self.closed_at = Some(Instant::now());
        self.closing = None;
        Some(self.news(at, OrderEvent::Closed { why, matched }))
    }

    /// The venue's record of it.
    pub(super) fn on_record(&mut self, record: &OpenOrder, at: Timestamp) -> Vec<OrderNews> {
        let mut news: Vec<OrderNews> = self.accept(at).into_iter().collect();
        self.name(&record.trades);
        let Some(why) = self.closing_of(record, at) else { return news };
        let whole = (record.status == OrderStatus::Matched).then_some(record.size).flatten();
        match record.matched.or(whole) {
            Some(matched) => news.extend(self.close(why, matched, at)),
            // Its trades will tell.
            None if self.closed.is_none() => {
                self.closing.get_or_insert_with(|| (why, Instant::now()));
            }
            None => {}
        }
        news
    }

    /// Why it stands no more, by its record.
    fn closing_of(&self, record: &OpenOrder, at: Timestamp) -> Option<Closing> {
        let is_fak = self.order.force == TimeInForce::Fak;
        let is_whole = record.size.is_none_or(|size| record.matched.is_none_or(|matched| size <= matched));
        match &record.status {
            OrderStatus::Matched if is_whole || !is_fak => Some(Closing::Matched),
            OrderStatus::Matched => Some(Closing::Killed),
            OrderStatus::Cancelled(_) if is_fak => Some(Closing::Killed),
            OrderStatus::Cancelled(_) if self.order.force.until().is_some_and(|until| until <= at) => {
                Some(Closing::Expired)
            }
            OrderStatus::Cancelled(_) => Some(Closing::Cancelled),
            OrderStatus::Invalid => {
                Some(Closing::Rejected { reason: "the venue does not hold it valid".to_owned() })
            }
            OrderStatus::Live | OrderStatus::Delayed | OrderStatus::Unmatched | OrderStatus::Other(_) => None,
        }
    }

    /// A trade it may have a part in.
    pub(super) fn on_trade(&mut self, trade: &Trade, at: Timestamp) -> Vec<OrderNews> {
        self.named.remove(&TradeId(trade.id.clone()));
        let Some(execution) = execution(trade, self.hash(), &self.order) else { return vec![] };
        let mut news: Vec<OrderNews> = self.accept(at).into_iter().collect();
        let id = execution.trade.clone();
        let known = self.trades.entry(id.clone()).or_default();
        let is_new = known.execution.is_none();
        known.transaction = trade.transaction.or(known.transaction);
        if is_new {
            known.execution = Some(execution.clone());
        }
        let mut end = None;
        match trade.status {
            _ if known.is_final => {}
            TradeStatus::Failed => {
                known.is_final = true;
                end = Some(OrderEvent::Failed(id));
            }
            TradeStatus::Confirmed => {
                known.confirmed.get_or_insert_with(Instant::now);
            }
            TradeStatus::Matched | TradeStatus::Mined | TradeStatus::Retrying | TradeStatus::Other(_) => {}
        }
        if is_new {
            news.push(self.news(at, OrderEvent::Filled(execution)));
        }
        news.extend(end.map(|what| self.news(at, what)));
        news
    }

    /// One of our own fills on the chain, if it is a match of this order: what it says counts.
    pub(super) fn on_chain(&mut self, transaction: TxHash, fill: &Fill, at: Timestamp) -> Option<OrderNews> {
        if (fill.token, fill.side) != (self.order.token, self.order.side()) {
            return None;
        }
        let fee = match fill.fee {
            Fee::Usd(fee) => fee,
            Fee::Shares(_) => return None,
        };
        let (_, known) = self.trades.iter_mut().find(|(_, known)| {
            let shares = known.execution.as_ref().map(|execution| execution.shares);
            known.transaction == Some(transaction) && !known.is_checked && shares == Some(fill.shares)
        })?;
        known.is_checked = true;
        let told = known.execution.as_ref()?;
        let settled = Execution { trade: told.trade.clone(), shares: fill.shares, usd: fill.usd, fee };
        if settled != *told {
            tracing::info!(
                order = self.order.id,
                trade = %settled.trade,
                usd = %(settled.usd - told.usd),
                fee = %(settled.fee - told.fee),
                "the chain says otherwise than the venue's report"
            );
        }
        known.execution = Some(settled.clone());
        Some(self.news(at, OrderEvent::Corrected(settled)))
    }

    /// The matches that are confirmed, and whose amounts the chain has said, or has not said in `patience`.
    pub(super) fn confirmed(&mut self, now: Instant, patience: Duration, at: Timestamp) -> Vec<OrderNews> {
        let mut confirmed = vec![];
        for (id, known) in &mut self.trades {
            let is_due = known.confirmed.is_some_and(|since| known.is_checked || since + patience <= now);
            if is_due && !known.is_final {
                known.is_final = true;
                confirmed.push(id.clone());
            }
        }
        confirmed.into_iter().map(|id| self.news(at, OrderEvent::Confirmed(id))).collect()
    }

    /// When the chain has been waited for long enough.
    pub(super) fn patience_ends(&self, patience: Duration) -> Option<Instant> {
        let waiting = self.trades.values().filter(|known| !known.is_final);
        waiting.filter_map(|known| known.confirmed).min().map(|since| since + patience)
    }

    /// All its trades up to a moment have been read: what they add up to is all that matched, where it stood no more
    /// by then, for so long as the venue takes to list a trade, and nobody has said otherwise.
    pub(super) fn on_all_trades(
        &mut self,
        read_at: Instant,
        listed_after: Duration,
        at: Timestamp,
    ) -> Option<OrderNews> {
        let (why, since) = self.closing.as_ref()?;
        if read_at < *since + listed_after || !self.named.is_empty() {
            return None;
        }
        let why = why.clone();
        let matched = self.told();
        self.close(why, matched, at)
    }

    /// When the venue is asked to cancel it.
    pub(super) fn cancels_at(&self) -> Option<Instant> {
        self.cancel_at.filter(|_| self.stage == Stage::Following && self.may_match())
    }

    /// Whether the venue may still match it.
    pub(super) const fn may_match(&self) -> bool {
        self.closed.is_none()
    }

    /// Whether it rests in the venue's book, as far as is known.
    pub(super) fn rests(&self) -> bool {
        self.stage == Stage::Following && self.may_match() && self.order.force != TimeInForce::Fak
    }

    /// Whether trades of it are still to be told or to end.
    pub(super) fn wants_trades(&self) -> bool {
        self.closing.is_some()
            || !self.named.is_empty()
            || self.closed.is_none_or(|matched| Shares::DUST <= matched - self.told())
            || self.trades.values().any(|known| !known.is_final && known.confirmed.is_none())
    }

    /// Whether nothing more can be learned of it.
    pub(super) fn is_over(&self) -> bool {
        self.closed.is_some() && !self.wants_trades() && self.trades.values().all(|known| known.is_final)
    }

    fn told(&self) -> Shares {
        self.trades
            .values()
            .filter_map(|known| known.execution.as_ref())
            .map(|execution| execution.shares)
            .sum()
    }

    fn news(&self, at: Timestamp, what: OrderEvent) -> OrderNews {
        OrderNews { order: self.order.id, at, what }
    }
}

#[cfg(test)]
mod tests;
