//! What each answer of the venue leads to: the error table of its documentation, row by row.

use std::sync::Arc;
use std::time::Duration;

use decision::VenueMode;
use domain::Closing;
use polymarket::VenueError;
use polymarket::trading::{
    Advice, LONGEST_PAUSE, Listed, OpenOrder, POST_ONLY_AFTER_RESTART, Rejection, Submitted, Trade,
};
use service::clock;
use store::halts::HaltKind;
use tokio::time::Instant;

use super::super::renewal::is_unauthorised;
use super::super::requests::{self, Told};
use super::super::standing::{Objection, mode_of};
use super::super::tracked::Stage;
use super::{Desk, LiveNews};

/// The same bytes are not handed over more often than this, whatever the venue says.
const MOST_SENDINGS: u32 = 6;

/// How long a mode is believed to last where the venue does not say.
const MODE_LASTS: Duration = Duration::from_secs(30);

impl Desk {
    /// Takes an answer in.
    pub(super) fn take(&mut self, told: Told) {
        match told {
            Told::Submitted { order, outcome } => self.on_outcome(order, outcome),
            Told::LookedUp { order, found } => self.on_look(order, found),
            Told::Trades { listed, orders, begun } => self.on_trades(listed, &orders, begun),
            Told::Cancelled { orders, is_last, outcome } => {
                if let Err(error) = &outcome {
                    tracing::warn!(?orders, %error, "orders could not be cancelled: tried again");
                    self.heed_error(error);
                }
                for order in orders {
                    self.on_cancelled(order, is_last, outcome.as_ref().ok());
                }
            }
            Told::Renewed(renewed) => self.on_renewed(renewed),
            Told::Beat(answer) => self.on_beat(answer),
            Told::Refreshed => {}
            Told::Market(Ok(Some(market))) => self.queue.push_back(LiveNews::Market(market)),
            Told::Market(Ok(None)) => {}
            Told::Market(Err(error)) => tracing::warn!(%error, "a market's terms could not be read again"),
        }
    }

    fn on_outcome(&mut self, id: i64, outcome: Submitted) {
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        tracked.is_asked = false;
        match outcome {
            Submitted::Accepted(accepted) => {
                tracing::info!(order = id, status = ?accepted.status, "the venue took an order");
                tracked.due = Some(Instant::now() + self.rhythm.first_look);
                tracked.name(&accepted.trades);
                let news = tracked.accept(clock::now());
                self.tell(news);
                self.standing.relax();
                self.settle_doubt(id);
                self.next_trades = self.next_trades.min(Instant::now() + self.rhythm.first_look);
            }
            // The channel of our orders may have been quicker than the answer.
            _ if tracked.stage == Stage::Following => tracked.due = Some(Instant::now()),
            Submitted::Unknown(doubt) => {
                tracing::warn!(order = id, ?doubt, "nobody can say what became of an order");
                self.doubt(id);
            }
            Submitted::Rejected(rejection) => self.on_rejection(id, &rejection),
        }
    }

    fn on_rejection(&mut self, id: i64, rejection: &Rejection) {
        let advice = rejection.advice();
        tracing::warn!(order = id, %rejection, ?advice, "the venue refused an order");
        self.heed(id, rejection, advice);
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        let why = match rejection {
            Rejection::NoMatch { .. } | Rejection::NotFilled { .. } => Closing::Killed,
            other => Closing::Rejected { reason: other.to_string() },
        };
        // An earlier sending of the same bytes may be what took the money, or all there was to take.
        if advice == Advice::LookUp || tracked.was_doubtful {
            if advice != Advice::LookUp {
                tracked.refused = Some(why);
            }
            self.doubt(id);
            return;
        }
        let sendings = tracked.sendings;
        match advice {
            Advice::SendAgain => self.try_later(id, Duration::ZERO, why),
            Advice::Wait { at_least } => {
                let doubled = at_least.saturating_mul(1 << sendings.saturating_sub(1).min(5));
                self.try_later(id, doubled.min(LONGEST_PAUSE).max(at_least), why);
            }
            Advice::Renew if sendings == 1 => {
                tracked.is_asked = true;
                self.unauthorised(Some(id));
            }
            Advice::Follow
            | Advice::LookUp
            | Advice::Halt
            | Advice::HaltOpens
            | Advice::RefreshTick
            | Advice::RefreshBalance
            | Advice::Rebuild
            | Advice::Drop
            | Advice::Renew
            | Advice::PauseTakers { .. } => self.end(id, why),
        }
    }

    /// What a refusal means for everything else that might be sent.
    fn heed(&mut self, id: i64, rejection: &Rejection, advice: Advice) {
        let now = Instant::now();
        let Some(tracked) = self.orders.get(&id) else { return };
        let (token, condition, sendings) = (tracked.order.token, tracked.order.condition, tracked.sendings);
        match advice {
            Advice::Halt => self.halt(HaltKind::Configuration, rejection.to_string()),
            Advice::Renew if 1 < sendings => self.halt(HaltKind::Configuration, rejection.to_string()),
            Advice::HaltOpens => {
                let is_banned = matches!(rejection, Rejection::Banned { .. });
                let kind = if is_banned { HaltKind::Banned } else { HaltKind::ClosedOnly };
                self.halt(kind, rejection.to_string());
            }
            Advice::RefreshTick => {
                self.books.forget(token);
                let clob = Arc::clone(&self.clob);
                self.requests.spawn(async move { Told::Market(clob.market_of_condition(condition).await) });
            }
            Advice::RefreshBalance => {
                self.requests.spawn(requests::refresh(Arc::clone(&self.trader), token));
            }
            Advice::PauseTakers { at_least } => {
                let Rejection::Mode { mode, .. } = rejection else { return };
                let lasts = at_least.unwrap_or(MODE_LASTS);
                self.standing.restrict(mode_of(*mode), lasts, now);
            }
            // While it restarts it takes nothing, and for two minutes after that nothing that matches at once.
            Advice::Wait { .. } if *rejection == Rejection::Restarting => {
                self.standing.restrict(VenueMode::PostOnly, POST_ONLY_AFTER_RESTART, now);
            }
            Advice::Wait { at_least } => self.standing.restrict(VenueMode::Disabled, at_least, now),
            Advice::Follow
            | Advice::LookUp
            | Advice::Rebuild
            | Advice::Drop
            | Advice::Renew
            | Advice::SendAgain => {}
        }
    }

    /// The same bytes are sent again after a pause, if they are still wanted then.
    fn try_later(&mut self, id: i64, pause: Duration, otherwise: Closing) {
        let Some(tracked) = self.orders.get(&id) else { return };
        if MOST_SENDINGS <= tracked.sendings || !self.is_young(&tracked.order) {
            self.end(id, otherwise);
            return;
        }
        if let Some(tracked) = self.orders.get_mut(&id) {
            tracked.stage = Stage::Sending;
            tracked.due = Some(Instant::now() + pause);
        }
    }

    /// The pause is over.
    pub(in super::super) fn send_again(&mut self, id: i64) {
        let Some(tracked) = self.orders.get(&id) else { return };
        if !self.is_ours(id) {
            let reason = "it was signed for credentials that are no more".to_owned();
            self.end(id, Closing::Rejected { reason });
        } else if self.is_young(&tracked.order) && self.is_wanted(tracked, clock::now()) {
            self.send(id);
        } else {
            let reason = "the venue could not take it while it was wanted".to_owned();
            self.end(id, Closing::Rejected { reason });
        }
    }

    /// An order does not wait without limit for matches that are not shown.
    fn give_up_unshown(&mut self, id: i64, begun: Instant) {
        let patience = self.rhythm.unshown_patience;
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        let Some(given_up) = tracked.give_up_unshown(begun, patience, &mut self.on_chain, clock::now())
        else {
            return;
        };
        match &given_up.says {
            Some(says) => {
                tracing::error!(
                    order = id,
                    says,
                    "a match is given up: no entries until the books are compared"
                );
                self.standing.set(Objection::Unshown, Some(says.clone()));
            }
            None => tracing::warn!(order = id, "the chain had a match that the venue does not show"),
        }
        self.tell(given_up.news);
    }

    /// What an answer that is none means for everything else.
    pub(super) fn heed_error(&mut self, error: &VenueError) {
        if is_unauthorised(error) {
            self.unauthorised(None);
        }
    }

    /// Nobody knows whether the venue has an order: nothing else is done in its market until that is known.
    pub(super) fn doubt(&mut self, id: i64) {
        let first = self.rhythm.look_up.first().copied().unwrap_or_default();
        if let Some(tracked) = self.orders.get_mut(&id) {
            tracked.stage = Stage::Doubtful { looks: 0 };
            tracked.was_doubtful = true;
            tracked.due = Some(Instant::now() + first);
            self.latches.doubt(id, tracked.order.condition);
        }
    }

    /// It is known: the venue has it.
    pub(super) fn settle_doubt(&mut self, id: i64) {
        self.latches.settle(id);
    }

    fn on_look(&mut self, id: i64, found: Result<Option<OpenOrder>, VenueError>) {
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        tracked.is_asked = false;
        match found {
            Ok(Some(record)) => {
                // Something may have asked for another look while this one was on its way.
                let next = Instant::now() + self.rhythm.poll;
                tracked.due = Some(tracked.due.map_or(next, |due| due.min(next)));
                self.on_record(&record);
            }
            Ok(None) => self.on_nothing_found(id),
            Err(error) => {
                tracing::warn!(order = id, %error, "an order could not be looked up");
                // No answer proves nothing: the same look is tried again.
                tracked.due = Some(Instant::now() + self.rhythm.poll);
                self.heed_error(&error);
            }
        }
    }

    /// The venue does not know the order, for what that is worth right after it was sent.
    fn on_nothing_found(&mut self, id: i64) {
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        let now = Instant::now();
        let Stage::Doubtful { looks } = tracked.stage else {
            tracing::warn!(order = id, "the venue does not know an order that it took");
            tracked.due = Some(now + self.rhythm.poll);
            return;
        };
        let looks = looks + 1;
        tracked.stage = Stage::Doubtful { looks };
        let Some(tracked) = self.orders.get(&id) else { return };
        let is_grace_over = self.rhythm.grace_looks <= looks;
        if is_grace_over
            && tracked.refused.is_none()
            && tracked.sendings < MOST_SENDINGS
            && self.is_young(&tracked.order)
            && self.is_wanted(tracked, clock::now())
            && self.is_ours(id)
        {
            tracing::warn!(order = id, "the venue never got an order: the same bytes are sent again");
            self.send(id);
        } else if let Some(pause) = self.rhythm.look_up.get(looks).copied() {
            if let Some(tracked) = self.orders.get_mut(&id) {
                tracked.due = Some(now + pause);
            }
        } else {
            // A cancel of what is not there does no harm, and what was slow to arrive does not stay.
            let hash = tracked.hash();
            if let Some(tracked) = self.orders.get_mut(&id) {
                tracked.is_asked = true;
            }
            self.requests.spawn(requests::cancel(Arc::clone(&self.trader), id, hash, true));
        }
    }

    fn on_trades(&mut self, listed: Result<Listed<Trade>, VenueError>, asked_for: &[i64], begun: Instant) {
        self.reads_trades = false;
        match listed {
            Ok(listed) => {
                for why in &listed.unreadable {
                    tracing::warn!(why, "unreadable among our trades");
                }
                for trade in &listed.items {
                    self.on_trade(trade);
                }
                if !listed.unreadable.is_empty() {
                    return;
                }
                for id in asked_for {
                    let Some(tracked) = self.orders.get_mut(id) else { continue };
                    let news = tracked.on_all_trades(begun, self.rhythm.poll, clock::now());
                    self.tell(news);
                    self.give_up_unshown(*id, begun);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "our trades could not be read");
                self.heed_error(&error);
            }
        }
    }
}
