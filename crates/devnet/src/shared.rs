//! What the servers share: the chain and the board behind a lock, and the news about them.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use domain::Timestamp;
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::account::TestAccount;
use crate::board::{Board, Change};
use crate::chain::{Chain, Step};

/// Who lags behind by so many steps has stopped reading and is cut off.
const BACKLOG: usize = 256;

/// The state of the simulated world, for all servers.
#[derive(Debug)]
pub(crate) struct Shared {
    state: RwLock<State>,
    /// How the chain went on.
    pub(crate) steps: broadcast::Sender<Arc<Step>>,
    /// What changed on the board.
    pub(crate) changes: broadcast::Sender<Arc<Vec<Change>>>,
    pub(crate) account: TestAccount,
    pub(crate) stop: CancellationToken,
    /// How deep under the newest a block is final.
    pub(crate) finality: u64,
    start: Timestamp,
    started: Instant,
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) chain: Chain,
    pub(crate) board: Board,
}

impl Shared {
    /// A world whose clock showed `start` at the instant `started`.
    pub(crate) fn new(start: Timestamp, started: Instant, finality: u64, stop: CancellationToken) -> Self {
        Self {
            state: RwLock::new(State { chain: Chain::new(), board: Board::default() }),
            steps: broadcast::Sender::new(BACKLOG),
            changes: broadcast::Sender::new(BACKLOG),
            account: TestAccount::well_known(),
            stop,
            finality,
            start,
            started,
        }
    }

    /// The world's time: where it began, and what has passed since.
    pub(crate) fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.start.plus_micros(passed)
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        // Whoever panicked while writing has ended the devnet; until it is down, the state is good to read.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody. That nobody listens is no error.
    pub(crate) fn tell(&self, step: Step, changes: Vec<Change>) {
        if !step.added.is_empty() {
            let _ = self.steps.send(Arc::new(step));
        }
        if !changes.is_empty() {
            let _ = self.changes.send(Arc::new(changes));
        }
    }
}
