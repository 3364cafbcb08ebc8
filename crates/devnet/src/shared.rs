//! What the servers share: the chain and the board behind a lock, and the news about them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use alloy_primitives::B256;
use domain::{Timestamp, Usd};
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::account::TestAccount;
use crate::board::{Board, Change};
use crate::chain::{Chain, Step};
use crate::config::DevnetConfig;
use crate::faults::VenueMood;
use crate::venue::{OpenAccount, SignatureType, Venue};

/// Who lags behind by so many steps has stopped reading and is cut off.
const BACKLOG: usize = 256;

/// What the well-known account has at first.
const TEST_FUNDS: Usd = Usd::whole(10_000);

/// The state of the simulated world, for all servers.
#[derive(Debug)]
pub(crate) struct Shared {
    state: RwLock<State>,
    /// How the chain went on.
    pub(crate) steps: broadcast::Sender<Arc<Step>>,
    /// What changed on the board.
    pub(crate) changes: broadcast::Sender<Arc<Vec<Change>>>,
    /// When each block was told last, and when each order that was taken came in: what latency is measured between.
    announced: Mutex<BTreeMap<u64, Timestamp>>,
    received: Mutex<BTreeMap<B256, Timestamp>>,
    pub(crate) account: TestAccount,
    /// What the venue's servers are up to.
    pub(crate) mood: VenueMood,
    pub(crate) stop: CancellationToken,
    /// How deep under the newest a block is final.
    pub(crate) finality: u64,
    start: Timestamp,
    started: Instant,
    /// Microseconds the venue's clock is ahead of the world's.
    ahead: AtomicI64,
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) chain: Chain,
    pub(crate) board: Board,
    pub(crate) venue: Venue,
}

impl State {
    /// Shows the books that outside orders changed.
    pub(crate) fn show_touched(&mut self) -> Vec<Change> {
        let touched = self.venue.take_touched();
        self.board.show(&self.venue, touched)
    }
}

impl Shared {
    /// A world whose clock showed `start` at the instant `started`.
    pub(crate) fn new(
        start: Timestamp,
        started: Instant,
        config: &DevnetConfig,
        stop: CancellationToken,
    ) -> Self {
        let account = TestAccount::well_known();
        let mut venue = Venue::new(config.seed);
        venue.open_account(OpenAccount {
            owner: account.address,
            signature_type: SignatureType::Eoa,
            wallet: None,
            funds: TEST_FUNDS,
        });
        let board = Board::new(config.taker_delays);
        Self {
            state: RwLock::new(State { chain: Chain::new(), board, venue }),
            steps: broadcast::Sender::new(BACKLOG),
            changes: broadcast::Sender::new(BACKLOG),
            announced: Mutex::default(),
            received: Mutex::default(),
            account,
            mood: VenueMood::default(),
            stop,
            finality: config.finality,
            start,
            started,
            ahead: AtomicI64::new(0),
        }
    }

    /// The world's time: where it began, and what has passed since.
    pub(crate) fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.start.plus_micros(passed)
    }

    /// What the venue's clock shows: the world's time, unless it was set otherwise.
    pub(crate) fn clock(&self) -> Timestamp {
        self.now().plus_micros(self.ahead.load(Ordering::Relaxed))
    }

    /// The venue's clock is ahead of the world's by so much, or behind.
    pub(crate) fn set_ahead(&self, micros: i64) {
        self.ahead.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        // Whoever panicked while writing has ended the devnet; until it is down, the state is good to read.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a block was told.
    pub(crate) fn announced(&self, block: u64) -> Option<Timestamp> {
        locked(&self.announced).get(&block).copied()
    }

    /// An order came in at a moment, and was taken.
    pub(crate) fn took(&self, order: B256, at: Timestamp) {
        locked(&self.received).insert(order, at);
    }

    /// When an order that was taken came in.
    pub(crate) fn received(&self, order: B256) -> Option<Timestamp> {
        locked(&self.received).get(&order).copied()
    }

    /// Tells everybody. That nobody listens is no error.
    pub(crate) fn tell(&self, step: Step, changes: Vec<Change>) {
        if !step.added.is_empty() {
            let now = self.now();
            locked(&self.announced).extend(step.added.iter().map(|block| (block.number, now)));
            let _ = self.steps.send(Arc::new(step));
        }
        if !changes.is_empty() {
            let _ = self.changes.send(Arc::new(changes));
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
