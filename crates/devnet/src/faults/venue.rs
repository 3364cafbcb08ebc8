//! How the venue's servers misbehave: every row of its error table, and what a network does beside, on command or
//! by chance.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use domain::TokenId;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// A route of the venue, as faults name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueRoute {
    /// `POST /order`.
    PlaceOrder,
    /// `POST /orders`.
    PlaceOrders,
    /// `DELETE /order`, `/orders`, `/cancel-all` and `/cancel-market-orders`.
    Cancel,
    /// `GET /data/order/{id}`.
    Order,
    /// `GET /data/orders`.
    Orders,
    /// `GET /data/trades`.
    Trades,
    /// `GET /balance-allowance` and its update.
    Balance,
    /// `POST /v1/heartbeats`.
    Heartbeat,
    /// Everything below `/auth`.
    Auth,
    /// `/book`, `/books` and the midpoint.
    Book,
    /// What a market's terms are.
    Market,
    /// `/time`, `/version`, `/ok`.
    Time,
    /// Whether one may trade from here.
    Geoblock,
}

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// 425, and nothing has happened.
    Restarting,
    /// 429 with the seconds to wait, and nothing has happened.
    RateLimited(u64),
    /// Any status and message, and nothing has happened.
    Refused {
        /// The status.
        status: u16,
        /// The text of `error`.
        message: String,
    },
    /// 500 `could not insert order`, and nothing has happened.
    ErrorBefore,
    /// The same, and yet it has.
    ErrorAfter,
    /// 502 with a web page, and nothing has happened.
    Html,
    /// No answer until the client leaves or the faults are lifted, and nothing has happened.
    HangBefore,
    /// The same, and yet it has.
    HangAfter,
    /// The connection breaks in the middle of the answer, and nothing has happened.
    CutBefore,
    /// The same, and yet it has.
    CutAfter,
    /// The request arrives twice; the answer is the second one's.
    Duplicated,
    /// The answer comes so many milliseconds late.
    Late(u64),
    /// The request arrives so many milliseconds late, long after its client may have left.
    Slow(u64),
    /// 200 with `success: true`, this error and no order id; nothing has happened.
    SoftFailure(String),
    /// Done, but the answer names another order.
    WrongOrderId,
    /// Done, but the answer names none.
    MissingOrderId,
    /// The first half of an honest answer, passed off as the whole.
    Half,
}

/// A fault, and whom it meets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueFault {
    /// On which route; any, where none is named.
    #[serde(default)]
    pub route: Option<VenueRoute>,
    /// What.
    pub trouble: Trouble,
    /// How many requests it meets; all, where there is no number.
    #[serde(default)]
    pub times: Option<u32>,
}

/// Faults by chance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RandomFaults {
    /// Where chance begins: the same requests in the same order meet the same fate.
    pub seed: u64,
    /// The share of requests to the routes named that something goes wrong with.
    pub share: f64,
    /// The routes; any, where none is named.
    #[serde(default)]
    pub routes: Vec<VenueRoute>,
    /// What goes wrong, each as often as the others.
    pub troubles: Vec<Trouble>,
}

/// What the venue's servers are up to.
#[derive(Debug)]
pub(crate) struct VenueMood {
    plan: Mutex<Plan>,
    /// Counts the times when everything was lifted.
    lifted: watch::Sender<u64>,
    /// Counts the times when every WebSocket was cut.
    cuts: watch::Sender<u64>,
}

#[derive(Debug)]
struct Plan {
    faults: VecDeque<VenueFault>,
    random: RandomFaults,
    dice: ChaCha8Rng,
    /// Tokens of which the market channel says nothing.
    frozen: HashSet<TokenId>,
    /// Whether nobody gets a WebSocket.
    is_shut: bool,
}

impl Default for VenueMood {
    fn default() -> Self {
        let plan = Plan {
            faults: VecDeque::new(),
            random: RandomFaults::default(),
            dice: ChaCha8Rng::seed_from_u64(0),
            frozen: HashSet::new(),
            is_shut: false,
        };
        Self { plan: Mutex::new(plan), lifted: watch::Sender::default(), cuts: watch::Sender::default() }
    }
}

impl VenueMood {
    /// Adds a fault behind those there are; the first that names a request's route meets it.
    pub(crate) fn add(&self, fault: VenueFault) {
        self.lock().faults.push_back(fault);
    }

    /// Faults by chance, beside those that are planned.
    pub(crate) fn set_random(&self, random: RandomFaults) {
        let mut plan = self.lock();
        plan.dice = ChaCha8Rng::seed_from_u64(random.seed);
        plan.random = random;
    }

    /// How many planned faults are still to be met.
    pub(crate) fn left(&self) -> usize {
        self.lock().faults.len()
    }

    /// Lifts everything; who hangs goes on.
    pub(crate) fn lift(&self) {
        let mut plan = self.lock();
        plan.faults.clear();
        plan.random = RandomFaults::default();
        self.lifted.send_modify(|times| *times += 1);
    }

    /// What goes wrong with a request to a route.
    pub(crate) fn next(&self, route: VenueRoute) -> Option<Trouble> {
        let mut plan = self.lock();
        let Plan { faults, random, dice, .. } = &mut *plan;
        let meets =
            |fault: &VenueFault| fault.route.is_none_or(|named| named == route) && fault.times != Some(0);
        if let Some(fault) = faults.iter_mut().find(|fault| meets(fault)) {
            fault.times = fault.times.map(|times| times - 1);
            let trouble = fault.trouble.clone();
            faults.retain(|fault| fault.times != Some(0));
            return Some(trouble);
        }
        let is_named = random.routes.is_empty() || random.routes.contains(&route);
        if is_named && random.share > 0.0 && dice.random::<f64>() < random.share {
            return random.troubles.choose(dice).cloned();
        }
        None
    }

    /// Waits until everything is lifted.
    pub(crate) async fn until_lifted(&self) {
        let mut lifted = self.lifted.subscribe();
        // The sender lives as long as this.
        let _ = lifted.changed().await;
    }

    /// The market channel says nothing of a token, or says it again.
    pub(crate) fn set_frozen(&self, token: TokenId, frozen: bool) {
        let tokens = &mut self.lock().frozen;
        if frozen {
            tokens.insert(token)
        } else {
            tokens.remove(&token)
        };
    }

    /// Whether the market channel says nothing of a token.
    pub(crate) fn is_frozen(&self, token: TokenId) -> bool {
        self.lock().frozen.contains(&token)
    }

    /// Nobody gets a WebSocket, and who has one loses it; or everybody does again.
    pub(crate) fn set_shut(&self, shut: bool) {
        self.lock().is_shut = shut;
        if shut {
            self.cut();
        }
    }

    /// Whether nobody gets a WebSocket.
    pub(crate) fn is_shut(&self) -> bool {
        self.lock().is_shut
    }

    /// Cuts every open WebSocket.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Changes when every WebSocket is cut.
    pub(crate) fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planned_faults_meet_their_routes_so_often_and_in_order() {
        let mood = VenueMood::default();
        let route = Some(VenueRoute::PlaceOrder);
        mood.add(VenueFault { route, trouble: Trouble::Restarting, times: Some(2) });
        mood.add(VenueFault { route: None, trouble: Trouble::Html, times: None });
        assert_eq!(mood.next(VenueRoute::Book), Some(Trouble::Html));
        assert_eq!(mood.next(VenueRoute::PlaceOrder), Some(Trouble::Restarting));
        assert_eq!(mood.next(VenueRoute::PlaceOrder), Some(Trouble::Restarting));
        assert_eq!(mood.next(VenueRoute::PlaceOrder), Some(Trouble::Html));
        mood.lift();
        assert_eq!(mood.next(VenueRoute::PlaceOrder), None);
    }

    #[test]
    fn chance_is_the_seeds() {
        let mood = VenueMood::default();
        let random = RandomFaults {
            seed: 5,
            share: 0.5,
            routes: vec![VenueRoute::Cancel],
            troubles: vec![Trouble::Html, Trouble::HangAfter],
        };
        let draw = || {
            mood.set_random(random.clone());
            (0..64).map(|_| mood.next(VenueRoute::Cancel)).collect::<Vec<_>>()
        };
        let first = draw();
        assert_eq!(first, draw());
        let met = first.iter().flatten().count();
        assert!((16..=48).contains(&met), "{met}");
        assert!(first.contains(&Some(Trouble::Html)) && first.contains(&Some(Trouble::HangAfter)));
        assert_eq!(mood.next(VenueRoute::Book), None);
    }
}
