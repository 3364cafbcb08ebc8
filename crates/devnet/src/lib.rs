//! A simulated world on loopback: Polygon nodes, the portal, the CLOB and Gamma, over one made-up population of
//! traders whose skill is known. For demonstrations, tests and load; no real money can reach it.
//!
//! Its servers misbehave on command ([`Faults`]), its chain reorganises on command ([`Devnet::reorg`]), and what
//! really happened can be asked at any moment ([`Devnet::canonical_fills`], [`Devnet::canonical_ledger`]): so a
//! reader of the chain can be held against the truth. [`load`] is a leaner node for measuring.

mod account;
mod board;
mod chain;
mod clob;
mod config;
mod faults;
mod gamma;
mod handle;
pub mod load;
mod portal;
mod ports;
mod rpc;
mod shared;
mod truth;
mod venue;
pub mod world;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{BlockHash, Timestamp, Wallet};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub use self::account::TestAccount;
use self::board::Change;
use self::chain::Step;
pub use self::config::{DevnetConfig, DevnetError, Urls};
use self::faults::Mood;
pub use self::faults::{
    Faults, Limit, Most, Provider, RandomFaults, RateLimit, Trouble, VenueFault, VenueRoute, Withheld,
    WrongAnswers,
};
pub use self::handle::{UnknownToVenue, VenueHandle};
use self::ports::Ports;
use self::rpc::Node;
use self::shared::{Shared, State};
pub use self::truth::{Head, TruthEvent, TruthFill};
pub use self::venue::{
    AccountTruth, Mode, OpenAccount, OrderStatus, Settlement, SignatureType, SocketFaults, TradeStatus,
};
use self::world::{Cast, FIRST_BLOCK, Trade, World, WorldConfig};

/// How often the venue looks at its clock.
const VENUE_TICK: Duration = Duration::from_millis(20);

/// Who is who: what a score should find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Those who know more than the price.
    pub skilled: Vec<Wallet>,
    /// Those who know less than nothing.
    pub degens: Vec<Wallet>,
}

/// A running simulated world.
#[derive(Debug)]
pub struct Devnet {
    urls: Urls,
    shared: Arc<Shared>,
    truth: Truth,
    /// What each node is up to, the first one first.
    nodes: Vec<Arc<Mood>>,
    /// What the portal is up to.
    portal: Arc<Mood>,
    paused: Arc<Mutex<bool>>,
    tasks: JoinSet<Result<(), DevnetError>>,
}

impl Devnet {
    /// Makes the past, begins to serve, and lets time run from `now` until `stop` is cancelled.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub async fn start(
        config: DevnetConfig,
        now: Timestamp,
        stop: CancellationToken,
    ) -> Result<Self, DevnetError> {
        let ports = Ports::open(config.port, config.nodes).await?;
        let world_config = WorldConfig {
            speed: config.speed,
            wallets: config.wallets,
            skilled: config.skilled,
            history_days: config.history_days,
            cast: Cast::Vivid,
        };
        let begun = tokio::time::Instant::now();
        let made = tokio::task::spawn_blocking(move || World::new(config.seed, world_config, now));
        let mut world = made.await.map_err(DevnetError::Past)?;
        // Making the past has taken a while: the present begins where the caller's clock is now.
        let shared = Arc::new(Shared::new(now, begun, &config, stop));
        shared.tell(advance(&shared, &mut world), Vec::new());
        let truth = Truth { skilled: world.skilled(), degens: world.degens() };
        tracing::info!(
            fills = shared.read().chain.fills(),
            markets = world.markets().len(),
            "the simulated past is made"
        );

        let urls = ports.urls()?;
        let (nodes, portal) = (ports.nodes.iter().map(|_| Arc::default()).collect(), Arc::default());
        let mut devnet =
            Self { urls, shared, truth, nodes, portal, paused: Arc::default(), tasks: JoinSet::new() };
        devnet.serve(ports);
        devnet.tasks.spawn(keep_venue(Arc::clone(&devnet.shared)));
        devnet.tasks.spawn(run(
            Arc::clone(&devnet.shared),
            world,
            Arc::clone(&devnet.paused),
            config.settling,
        ));
        Ok(devnet)
    }

    /// Opens all services.
    fn serve(&mut self, ports: Ports) {
        let shared = &self.shared;
        let node = |mood: &Arc<Mood>| Arc::new(Node { shared: Arc::clone(shared), mood: Arc::clone(mood) });
        let mut servers = vec![
            (ports.clob, clob::router(Arc::clone(shared))),
            (ports.gamma, gamma::router(Arc::clone(shared))),
            (ports.portal, portal::router(node(&self.portal))),
        ];
        servers.extend(ports.nodes.into_iter().zip(self.nodes.iter().map(|mood| rpc::router(node(mood)))));
        for (listener, router) in servers {
            self.tasks.spawn(ports::serve(listener, router, self.shared.stop.clone()));
        }
    }

    /// Where the services are.
    #[must_use]
    pub const fn urls(&self) -> &Urls {
        &self.urls
    }

    /// The height to follow the chain from: the first block in which anything happens. There is an empty
    /// one before it.
    #[must_use]
    pub const fn first_block(&self) -> u64 {
        FIRST_BLOCK
    }

    /// An account with dollars, for trying things out.
    #[must_use]
    pub fn test_account(&self) -> &TestAccount {
        &self.shared.account
    }

    /// The hand on the venue: accounts, modes, faults, and what is really in a wallet.
    #[must_use]
    pub fn venue(&self) -> VenueHandle {
        VenueHandle::new(Arc::clone(&self.shared))
    }

    /// Who is who.
    #[must_use]
    pub fn truth(&self) -> Truth {
        self.truth.clone()
    }

    /// OrderFilled logs on the canonical chain so far.
    #[must_use]
    pub fn fills(&self) -> u64 {
        self.shared.read().chain.fills()
    }

    /// The newest block.
    #[must_use]
    pub fn head(&self) -> Head {
        let state = self.shared.read();
        let head = state.chain.head();
        Head {
            number: head.map_or(0, |block| block.number),
            hash: head.map_or_else(BlockHash::default, |block| BlockHash(block.hash)),
        }
    }

    /// When a block was told to subscribers, by the venue's clock; after a reorganisation, the one that replaced it.
    #[must_use]
    pub fn announced(&self, block: u64) -> Option<Timestamp> {
        self.shared.announced(block)
    }

    /// Every fill of the canonical chain as it is at this moment, in the chain's order, as the world made it.
    #[must_use]
    pub fn canonical_fills(&self) -> Vec<TruthFill> {
        truth::fills(&self.shared.read().chain)
    }

    /// Everything else of the canonical chain that makes, moves or ends positions, in the chain's order.
    #[must_use]
    pub fn canonical_ledger(&self) -> Vec<TruthEvent> {
        truth::ledger(&self.shared.read().chain)
    }

    /// While paused, no block comes: once this has returned, the chain changes only by [`reorg`](Self::reorg). The
    /// world's time goes on; the blocks it owes come together when the pause ends.
    pub fn pause(&self, pause: bool) {
        // Whoever is in the middle of adding blocks holds this lock.
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner) = pause;
    }

    /// Replaces the last `depth` blocks by others of the same heights, and tells subscribers. The first block
    /// stays; what goes deeper than the configured finality takes back what was final.
    pub fn reorg(&self, depth: usize) {
        // Told under the lock, or a block appended meanwhile would be told first.
        let mut state = self.shared.write();
        let step = state.chain.reorganise(depth);
        self.shared.tell(step, Vec::new());
    }

    /// From now on all nodes misbehave like this, each with chance of its own; the portal does not.
    pub fn set_faults(&self, faults: Faults) {
        for (mood, number) in self.nodes.iter().zip(0..) {
            mood.set(Faults { seed: faults.seed.wrapping_add(number), ..faults.clone() });
        }
    }

    /// From now on one node misbehaves like this: 0 is the first. A node that does not exist does not.
    pub fn set_faults_of(&self, node: usize, faults: Faults) {
        if let Some(mood) = self.nodes.get(node) {
            mood.set(faults);
        }
    }

    /// From now on the portal misbehaves like this. Withheld logs, limits, silence, notices and other ids are
    /// nothing it knows.
    pub fn set_portal_faults(&self, faults: Faults) {
        self.portal.set(faults);
    }

    /// Cuts every open WebSocket of every node, without a word of farewell.
    pub fn disconnect_all(&self) {
        self.nodes.iter().for_each(|mood| mood.cut());
    }

    /// Waits until everything has ended: after `stop`, or because something died.
    ///
    /// # Errors
    /// What died first. Everything else is stopped then.
    pub async fn wait(mut self) -> Result<(), DevnetError> {
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            self.shared.stop.cancel();
            let ended = ended.map_err(DevnetError::Task).and_then(|ended| ended);
            result = result.and(ended);
        }
        result
    }
}

/// Lets time run: a look at the clock for each block that is due.
async fn run(
    shared: Arc<Shared>,
    mut world: World,
    paused: Arc<Mutex<bool>>,
    settling: Duration,
) -> Result<(), DevnetError> {
    let interval = Duration::from_micros(world.interval().unsigned_abs().max(1_000));
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {
                let step = {
                    // Held while blocks are added, so that who pauses waits for those under way.
                    let paused = paused.lock().unwrap_or_else(PoisonError::into_inner);
                    if *paused {
                        continue;
                    }
                    let step = advance(&shared, &mut world);
                    if settling.is_zero() {
                        shared.tell(step, Vec::new());
                        continue;
                    }
                    step
                };
                // What every subscriber is told is made before the moment that they count from.
                step.added.iter().for_each(|block| {
                    block.bloom();
                });
                tokio::time::sleep(settling).await;
                shared.tell(step, Vec::new());
            }
        }
    }
}

/// Brings chain, board and venue up to the world's time, and tells what changed at the venue; the chain's step is to be
/// told. The world itself is moved outside the lock.
fn advance(shared: &Shared, world: &mut World) -> Step {
    let now = shared.now();
    let disputed = shared.write().board.take_disputed();
    world.put_off(&disputed);
    let mut blocks = world.advance(now);
    let mut state = shared.write();
    let State { chain, board, venue } = &mut *state;
    let moved: Vec<Trade> = blocks.iter().flat_map(|block| block.trades.iter().copied()).collect();
    if let Some(block) = blocks.first_mut() {
        // Before what else is in it: whoever traded did so before the market was answered.
        let settled = venue.broadcast(block.number, board, now);
        for one in &settled {
            world.feel(&one.gives, one.trade.as_ref(), now);
            block.trades.extend(one.trade);
        }
        block.txs.splice(0..0, settled.into_iter().map(|one| one.tx));
    }
    let mut changes = board.update(world, now, &blocks);
    let is_new = !blocks.is_empty();
    let added = blocks.into_iter().map(|block| chain.append(block)).collect();
    for change in &changes {
        if let Change::Answered { market } = change {
            venue.answer(market.id, board);
        }
    }
    if is_new {
        venue.world_moved(board, &moved, now);
        venue.confirm(chain, board, now);
    }
    let mut changed = venue.take_touched();
    changed.extend(board.take_moved());
    changes.extend(board.show(venue, changed));
    shared.tell(Step::default(), changes);
    Step { removed: Vec::new(), added }
}

/// Lets the venue do what is due between blocks.
async fn keep_venue(shared: Arc<Shared>) -> Result<(), DevnetError> {
    let mut ticks = tokio::time::interval(VENUE_TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {
                // Readers are not kept waiting for nothing.
                if !shared.read().venue.has_clocks() {
                    continue;
                }
                let now = shared.now();
                let mut state = shared.write();
                let State { board, venue, .. } = &mut *state;
                venue.tick(board, now);
                let changes = state.show_touched();
                shared.tell(Step::default(), changes);
            }
        }
    }
}
