//! The desk: one task that knows every order at the venue, sends, looks up, cancels, and says what became of each.
//!
//! It waits for nothing but its next event. Requests run beside it, and what is to be told waits in a queue of its own,
//! so that a slow reader never keeps it from hearing the venue.

mod beat;
mod cancels;
mod outcome;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use alloy_primitives::B256;
use decision::Guard;
use domain::{Closing, Fill, Market, Order, OrderNews, Purpose, Shares, Timestamp, TxHash};
use polymarket::Clob;
use polymarket::channel::UserEvent;
use polymarket::trading::{OpenOrder, SignedOrder, Trade, Trader};
use service::clock;
use store::halts::HaltKind;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

pub(super) use self::beat::Beat;
use super::books::Books;
use super::renewal::Renewal;
use super::requests::{self, Told};
use super::standing::{Objection, Standing};
use super::tracked::{Stage, Tracked};
use super::{Latches, Rhythm};

/// How far back trades are read beyond the oldest order that wants any: the venue's clock is not ours.
const OVERLAP: i64 = 60_000_000;

/// So many of our own fills wait for the match they belong to.
const MOST_ON_CHAIN: usize = 1_024;

/// What the desk is asked for.
#[derive(Debug)]
pub(super) enum Wish {
    /// Send an order whose intent is committed.
    Send(Box<(Order, SignedOrder)>),
    /// Cancel one.
    Cancel(i64),
    /// Something speaks against sending, or no more.
    Object(Objection, Option<String>),
    /// A measurement for the engine.
    Measured(Guard),
    /// One of our own fills is on the chain.
    OnChain(TxHash, Box<Fill>),
    /// Look at everything again now.
    Doubt,
}

/// What the desk tells.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveNews {
    /// What became of an order.
    Order(OrderNews),
    /// What speaks against entries, or does so no more.
    Guard(Guard),
    /// A market's terms are others than was known.
    Market(Market),
    /// The venue said what stops trading until a person lifts it: to be kept where it outlives this process.
    Halt(HaltKind, String),
}

/// The desk.
pub(super) struct Desk {
    pub(super) trader: Arc<Trader>,
    pub(super) clob: Arc<Clob>,
    pub(super) books: Books,
    pub(super) rhythm: Rhythm,
    pub(super) renewal: Renewal,
    pub(super) beat: Beat,
    pub(super) latches: Arc<Latches>,
    pub(super) wishes: mpsc::Receiver<Wish>,
    pub(super) channel: mpsc::Receiver<UserEvent>,
    pub(super) news: mpsc::Sender<LiveNews>,
    pub(super) orders: BTreeMap<i64, Tracked>,
    pub(super) by_hash: BTreeMap<B256, i64>,
    pub(super) standing: Standing,
    pub(super) queue: VecDeque<LiveNews>,
    /// Our own fills on the chain that belong to no match known yet.
    pub(super) on_chain: VecDeque<(TxHash, Fill)>,
    pub(super) requests: JoinSet<Told>,
    /// When trades are read next, if any are wanted.
    pub(super) next_trades: Instant,
    pub(super) reads_trades: bool,
}

impl Desk {
    /// Takes up the orders of before, which may or may not have reached the venue.
    pub(super) fn take_up(&mut self, tracked: Tracked) {
        let (id, hash) = (tracked.order.id, tracked.hash());
        let is_new = tracked.stage == Stage::Sending;
        self.by_hash.insert(hash, id);
        self.orders.insert(id, tracked);
        if is_new {
            self.doubt(id);
        }
        if let Some(tracked) = self.orders.get_mut(&id) {
            tracked.due = Some(Instant::now());
        }
    }

    /// Works until nobody listens or nobody asks.
    pub(super) async fn run(mut self) {
        let news = self.news.clone();
        loop {
            self.do_what_is_due();
            self.confirm();
            self.forget();
            let due = self.next_due();
            tokio::select! {
                room = news.reserve(), if !self.queue.is_empty() => {
                    let (Ok(room), Some(news)) = (room, self.queue.pop_front()) else { return };
                    room.send(news);
                }
                wish = self.wishes.recv() => match wish {
                    Some(wish) => self.grant(wish),
                    None => return,
                },
                event = self.channel.recv() => match event {
                    Some(event) => self.hear(event),
                    None => return,
                },
                Some(told) = self.requests.join_next() => match told {
                    Ok(told) => self.take(told),
                    Err(error) => tracing::error!(%error, "a request to the venue died"),
                },
                () = sleep_until(due) => {}
            }
            self.say_what_objects();
        }
    }

    fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Send(intent) => {
                let (order, signed) = *intent;
                self.send_first(order, signed);
            }
            Wish::Cancel(order) => self.cancel(order),
            Wish::Object(objection, says) => {
                if objection == Objection::Halted(HaltKind::Configuration) && says.is_none() {
                    self.renew_anew();
                }
                self.standing.set(objection, says);
            }
            Wish::Measured(guard) => self.queue.push_back(LiveNews::Guard(guard)),
            Wish::OnChain(transaction, fill) => {
                self.on_chain.push_back((transaction, *fill));
                if MOST_ON_CHAIN < self.on_chain.len() {
                    self.on_chain.pop_front();
                }
            }
            Wish::Doubt => self.doubt_everything(),
        }
    }

    /// Sends an order for the first time, unless something has come up since it was approved.
    fn send_first(&mut self, order: Order, signed: SignedOrder) {
        let id = order.id;
        let refused = self.refusal(&order);
        self.by_hash.insert(signed.hash, id);
        self.orders.insert(id, Tracked::new(order, signed));
        let changed = "not sent: it was signed for credentials that are no more";
        let refused = refused.or_else(|| (!self.is_ours(id)).then(|| changed.to_owned()));
        match refused {
            Some(reason) => self.end(id, Closing::Rejected { reason }),
            None => self.send(id),
        }
    }

    /// Why an order is not sent after all.
    fn refusal(&self, order: &Order) -> Option<String> {
        if let Some(reason) = self.standing.forbids_all() {
            return Some(format!("not sent: {reason}"));
        }
        if let Some(reason) = self.refusal_of_entry(order) {
            return Some(format!("not sent: {reason}"));
        }
        let other = self.latches.doubt_of(order.condition).filter(|other| *other != order.id)?;
        Some(format!("not sent: nobody knows yet what became of order {other} in this market"))
    }

    /// Why a position is not opened after all: the engine may have decided before it knew, or long ago.
    fn refusal_of_entry(&self, order: &Order) -> Option<&str> {
        if order.purpose != Purpose::Enter {
            None
        } else if self.latches.killed.load(Ordering::SeqCst) {
            Some("all trading was stopped")
        } else if self.latches.paused.load(Ordering::SeqCst) {
            Some("entries are paused")
        } else if !self.is_young(order) {
            Some("it was decided too long ago")
        } else {
            self.standing.forbids_entries()
        }
    }

    /// Hands an order's bytes to the venue.
    pub(super) fn send(&mut self, id: i64) {
        let Some(tracked) = self.orders.get_mut(&id).filter(|tracked| !tracked.is_asked) else { return };
        tracked.sendings += 1;
        tracked.is_asked = true;
        tracked.stage = Stage::Sending;
        tracked.due = None;
        self.requests.spawn(requests::submit(Arc::clone(&self.trader), id, tracked.signed.clone()));
    }

    /// What the user channel says.
    fn hear(&mut self, event: UserEvent) {
        match event {
            UserEvent::Order(news) => self.on_record(&news.order),
            UserEvent::Trade(trade) => self.on_trade(&trade),
            // Nothing is repeated there: whatever was missed is read once.
            UserEvent::Connected => self.doubt_everything(),
            UserEvent::Unreadable { why } => {
                tracing::warn!(why, "unreadable on the channel of our orders");
                self.doubt_everything();
            }
            UserEvent::Lost { why } => {
                tracing::warn!(why, "the channel of our orders is lost: they are asked for instead");
                self.doubt_everything();
            }
        }
    }

    /// The venue's record of an order, from either side.
    pub(super) fn on_record(&mut self, record: &OpenOrder) {
        let Some(id) = self.by_hash.get(&record.hash).copied() else { return };
        self.settle_doubt(id);
        if let Some(tracked) = self.orders.get_mut(&id) {
            let news = tracked.on_record(record, clock::now());
            if tracked.wants_trades() {
                self.next_trades = self.next_trades.min(Instant::now() + self.rhythm.first_look);
            }
            self.tell(news);
        }
    }

    /// A trade, from either side.
    pub(super) fn on_trade(&mut self, trade: &Trade) {
        let hashes = std::iter::once(trade.taker_order).chain(trade.makers.iter().map(|maker| maker.order));
        let ours: Vec<i64> = hashes.filter_map(|hash| self.by_hash.get(&hash).copied()).collect();
        for id in ours {
            self.settle_doubt(id);
            if let Some(tracked) = self.orders.get_mut(&id) {
                let news = tracked.on_trade(trade, clock::now());
                self.tell(news);
            }
        }
    }

    /// Holds the matches against the chain: what it says counts, and for a while its word is waited for.
    fn confirm(&mut self) {
        let at = clock::now();
        let mut news = vec![];
        let orders = &mut self.orders;
        self.on_chain.retain(|(transaction, fill)| {
            let told = orders.values_mut().find_map(|tracked| tracked.on_chain(*transaction, fill, at));
            let stays = told.is_none();
            news.extend(told);
            stays
        });
        let now = Instant::now();
        for tracked in self.orders.values_mut() {
            news.extend(tracked.confirmed(now, self.rhythm.chain_patience, at));
        }
        self.tell(news);
    }

    /// Whatever was believed is asked for again, now.
    pub(super) fn doubt_everything(&mut self) {
        let now = Instant::now();
        for tracked in self.orders.values_mut().filter(|tracked| tracked.stage == Stage::Following) {
            tracked.due = Some(now);
        }
        self.next_trades = now;
    }

    /// Does what time asks for.
    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        let due: Vec<i64> = self
            .orders
            .iter()
            .filter(|(_, tracked)| !tracked.is_asked && tracked.due.is_some_and(|due| due <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(tracked) = self.orders.get_mut(&id) else { continue };
            tracked.due = None;
            match tracked.stage {
                Stage::Sending => self.send_again(id),
                Stage::Doubtful { .. } => self.look_up(id),
                Stage::Following if tracked.may_match() => self.look_up(id),
                Stage::Following => {}
            }
        }
        self.cancel_what_is_due(now);
        if self.next_trades <= now && !self.reads_trades {
            self.read_trades(now);
        }
        self.renew_what_is_due(now);
        self.beat_if_due(now);
    }

    pub(super) fn look_up(&mut self, id: i64) {
        if let Some(tracked) = self.orders.get_mut(&id) {
            tracked.is_asked = true;
            self.requests.spawn(requests::look_up(Arc::clone(&self.trader), id, tracked.hash()));
        }
    }

    fn read_trades(&mut self, now: Instant) {
        self.next_trades = now + self.rhythm.poll;
        let wanting = self.orders.values().filter(|tracked| tracked.wants_trades());
        let orders: Vec<i64> = wanting.clone().map(|tracked| tracked.order.id).collect();
        let Some(oldest) = wanting.map(|tracked| tracked.order.at).min() else { return };
        self.reads_trades = true;
        let after = oldest.plus_micros(-OVERLAP);
        self.requests.spawn(requests::trades(Arc::clone(&self.trader), after, orders));
    }

    /// Orders of which nothing more can be learned.
    fn forget(&mut self) {
        let over: Vec<i64> = self
            .orders
            .values()
            .filter(|tracked| tracked.is_over())
            .map(|tracked| tracked.order.id)
            .collect();
        for id in over {
            self.latches.settle(id);
            if let Some(tracked) = self.orders.remove(&id) {
                self.by_hash.remove(&tracked.hash());
            }
        }
    }

    fn next_due(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(60);
        let orders =
            self.orders.values().filter(|tracked| !tracked.is_asked).filter_map(|tracked| tracked.due).min();
        let cancels = self.orders.values().filter_map(Tracked::cancels_at).min();
        let wants = !self.reads_trades && self.orders.values().any(Tracked::wants_trades);
        let trades = wants.then_some(self.next_trades);
        let patience = self.rhythm.chain_patience;
        let confirmed = self.orders.values().filter_map(|tracked| tracked.patience_ends(patience)).min();
        [orders, cancels, trades, confirmed, self.standing.ends(), self.renewal.due, self.next_beat()]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(far)
            .min(far)
    }

    /// An order ends without the venue ever having had any of it.
    pub(super) fn end(&mut self, id: i64, why: Closing) {
        self.latches.settle(id);
        if let Some(tracked) = self.orders.get_mut(&id) {
            tracked.due = None;
            let news = tracked.close(why, Shares::ZERO, clock::now());
            self.tell(news);
        }
    }

    pub(super) fn tell(&mut self, news: impl IntoIterator<Item = OrderNews>) {
        self.queue.extend(news.into_iter().map(LiveNews::Order));
    }

    /// The venue's word stops trading until a person lifts it. It binds here at once.
    pub(super) fn halt(&mut self, kind: HaltKind, reason: String) {
        tracing::error!(kind = kind.name(), reason, "trading stops until `orderflow lift`");
        self.standing.set(Objection::Halted(kind), Some(reason.clone()));
        self.queue.push_back(LiveNews::Halt(kind, reason));
    }

    fn say_what_objects(&mut self) {
        let guards = self.standing.guards(Instant::now());
        self.queue.extend(guards.into_iter().map(LiveNews::Guard));
    }

    /// Whether an order is young enough to be sent again.
    pub(super) fn is_young(&self, order: &Order) -> bool {
        let age = clock::now().micros_since(order.at);
        i128::from(age) <= i128::try_from(self.rhythm.young.as_micros()).unwrap_or(i128::MAX)
    }

    /// The time of the newest thing a person or the clock could say against it.
    pub(super) fn is_wanted(&self, tracked: &Tracked, at: Timestamp) -> bool {
        let order = &tracked.order;
        let is_stopped = self.refusal_of_entry(order).is_some();
        let is_late = order.force.until().is_some_and(|until| until <= at);
        tracked.cancel_at.is_none() && !is_stopped && !is_late && self.standing.forbids_all().is_none()
    }
}
