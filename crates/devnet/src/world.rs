//! The simulated world: people, markets, and what they write on the chain. Pure: no IO, no clock, and all
//! chance from one seed.
//!
//! First comes a past of many days in coarse blocks, in which everybody earned the record they deserve, then
//! a present in fast ones. Prices are calibrated by construction (a price of 30 cents comes true in 30 of 100
//! cases), so an edge exists only where the world gave somebody knowledge.

mod catalogue;
mod custody;
mod dice;
mod history;
mod ladder;
mod live;
mod market;
mod matching;
mod people;
mod tx;

use std::collections::VecDeque;

use alloy_primitives::B256;
use domain::{BlockHash, ChainEvent, Exchange, Fact, Payouts, Place, Shares, Timestamp, TxHash, Wallet};
use polygon::encode;

use self::catalogue::Event;
use self::custody::Redeemer;
pub(crate) use self::custody::{AUTO_REDEEMER, COLLATERAL_ADAPTER};
use self::dice::Dice;
pub use self::ladder::Ladder;
pub(crate) use self::ladder::{Rung, price};
use self::live::Panic;
pub use self::market::SimMarket;
pub use self::matching::Trade;
use self::matching::Way;
pub(crate) use self::matching::taker_fee;
pub use self::people::Cast;
use self::people::{Kind, People};
pub use self::tx::{Deed, Tx};

/// The height of the first block in which anything happens: a round number after every contract of the
/// venue was deployed. An empty one stands before it, for followers that want to know what they follow on.
pub const FIRST_BLOCK: u64 = 92_000_000;

/// For so long those who decide disputes think about one.
const VOTE: i64 = 4 * Timestamp::DAY;

/// How the world is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorldConfig {
    /// How much faster than life the present runs; at 1 a block takes a second and a half.
    pub speed: f64,
    /// How many trade, makers aside.
    pub wallets: usize,
    /// How many of them know more than the price; at most a quarter counts.
    pub skilled: usize,
    /// Days of past.
    pub history_days: u32,
    /// What they are like.
    pub cast: Cast,
}

/// A block before it has a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBlock {
    /// The height.
    pub number: u64,
    /// The time in whole seconds.
    pub at: Timestamp,
    /// The transactions in order.
    pub txs: Vec<Tx>,
    /// What the tape shows of them; left out of the past, which no tape replays.
    pub trades: Vec<Trade>,
}

impl NewBlock {
    /// What happened in it, as a reader of the chain would know it. The hash, which it does not have yet, is made
    /// of the height.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        let mut hash = [0u8; 32];
        hash[24..].copy_from_slice(&self.number.to_be_bytes());
        let mut logs_before = 0;
        let mut facts = Vec::new();
        for tx in &self.txs {
            facts.extend(tx.deeds.iter().map(|deed| Fact {
                place: Place {
                    block_number: self.number,
                    block_hash: BlockHash(B256::from(hash)),
                    block_time: self.at,
                    tx_hash: TxHash(tx.hash),
                    log_index: u32::try_from(logs_before + deed.log).unwrap_or(u32::MAX),
                },
                event: deed.event.clone(),
            }));
            logs_before += tx.logs.len();
        }
        facts
    }
}

/// The world.
#[derive(Debug)]
pub struct World {
    seed: u64,
    dice: Dice,
    /// Chance that decides by which way something happens, not what: apart, so that it changes no market.
    ways: Dice,
    people: People,
    markets: Vec<SimMarket>,
    /// Open markets, in the order they opened.
    open: Vec<usize>,
    events: usize,
    /// Blocks that are made but not yet handed out.
    ready: VecDeque<NewBlock>,
    next_number: u64,
    start: Timestamp,
    /// Microseconds between blocks of the present.
    interval: i64,
    /// How many blocks of the present there are.
    live_blocks: i64,
    panics: Vec<Panic>,
    /// The tape of the block in the making.
    tape: Vec<Trade>,
    quiet_blocks: u32,
}

impl World {
    /// A world whose present begins at `start`.
    #[must_use]
    pub fn new(seed: u64, config: WorldConfig, start: Timestamp) -> Self {
        let mut world = Self::unlived(seed, config, start);
        world.live_through_history(i64::from(config.history_days), &mut |_| {});
        world.ready.iter_mut().for_each(|block| block.trades = Vec::new());
        world
    }

    /// The same world, whose past is told block by block, with the markets there are, instead of being kept: a long
    /// past of many people does not fit into memory.
    pub fn telling(
        seed: u64,
        config: WorldConfig,
        start: Timestamp,
        mut tell: impl FnMut(&[SimMarket], NewBlock),
    ) -> Self {
        let mut world = Self::unlived(seed, config, start);
        world.live_through_history(i64::from(config.history_days), &mut |world| {
            for block in world.ready.drain(..) {
                tell(&world.markets, NewBlock { trades: Vec::new(), ..block });
            }
        });
        world
    }

    fn unlived(seed: u64, config: WorldConfig, start: Timestamp) -> Self {
        let mut dice = Dice::new(seed);
        let people = People::new(&mut dice, config.cast, config.wallets, config.skilled);
        let speed = if config.speed.is_finite() { config.speed.clamp(0.01, 100.0) } else { 1.0 };
        Self {
            seed,
            dice,
            ways: Dice::new(!seed),
            people,
            markets: Vec::new(),
            open: Vec::new(),
            events: 0,
            ready: VecDeque::new(),
            next_number: FIRST_BLOCK - 1,
            start,
            interval: dice::whole(1_500_000.0 / speed),
            live_blocks: 0,
            panics: Vec::new(),
            tape: Vec::new(),
            quiet_blocks: 0,
        }
    }

    /// All blocks up to `to` that have not been handed out yet.
    pub fn advance(&mut self, to: Timestamp) -> Vec<NewBlock> {
        while self.start.plus_micros(self.live_blocks * self.interval) <= to {
            let at = self.start.plus_micros(self.live_blocks * self.interval);
            self.live_block(at);
            self.live_blocks += 1;
        }
        let due = self.ready.iter().take_while(|block| block.at <= to).count();
        self.ready.drain(..due).collect()
    }

    /// Microseconds between blocks of the present.
    #[must_use]
    pub const fn interval(&self) -> i64 {
        self.interval
    }

    /// Every market there ever was, in the order of their ids.
    #[must_use]
    pub fn markets(&self) -> &[SimMarket] {
        &self.markets
    }

    /// The books of the open markets' first outcomes at `at`.
    #[must_use]
    pub fn ladders(&self, at: Timestamp) -> Vec<(usize, Ladder)> {
        self.open.iter().map(|id| (*id, Ladder::of(&self.markets[*id], at))).collect()
    }

    /// Those who know.
    #[must_use]
    pub fn skilled(&self) -> Vec<Wallet> {
        self.people.wallets(&self.people.skilled)
    }

    /// Those who know less than nothing.
    #[must_use]
    pub fn degens(&self) -> Vec<Wallet> {
        self.people.wallets(&self.people.degens)
    }

    /// Who rests orders in a market.
    #[must_use]
    pub(crate) fn makers_of(&self, market: usize) -> Vec<(usize, Wallet)> {
        let makers = self.markets.get(market).map(|market| market.makers.as_slice()).unwrap_or_default();
        makers.iter().map(|person| (*person, self.people.get(*person).wallet)).collect()
    }

    /// Outsiders traded with the world's people: shares changed hands, and the price feels it as it feels anybody.
    pub(crate) fn feel(
        &mut self,
        gives: &[(usize, usize, usize, i64)],
        trade: Option<&Trade>,
        at: Timestamp,
    ) {
        for (market, person, outcome, micros) in gives {
            if let Some(market) = self.markets.get_mut(*market) {
                market.give(*person, *outcome, *micros);
            }
        }
        if let Some((market, trade)) =
            trade.and_then(|trade| Some((self.markets.get_mut(trade.market)?, trade)))
        {
            matching::feel(market, trade, at);
        }
    }

    fn push_block(&mut self, at: Timestamp, txs: Vec<Tx>) {
        let at = Timestamp::from_seconds(at.seconds());
        let trades = std::mem::take(&mut self.tape);
        self.ready.push_back(NewBlock { number: self.next_number, at, txs, trades });
        self.next_number += 1;
    }

    /// Draws an event; its markets are there, but not open yet.
    fn invent(&mut self, opens: Timestamp, closes: Timestamp) -> std::ops::Range<usize> {
        let event = Event::draw(&mut self.dice, closes);
        let first = self.markets.len();
        let (id, makers) = (self.events, &self.people.makers);
        self.markets.extend(SimMarket::of_event(&mut self.dice, event, id, first, opens, closes, makers));
        self.events += 1;
        first..self.markets.len()
    }

    /// Opens a market: the chain learns of its condition, and its makers stock up.
    fn open(&mut self, id: usize) -> Vec<Tx> {
        self.open.push(id);
        let market = &mut self.markets[id];
        let mut txs = Vec::new();
        if let Some((oracle, _)) = market.ctf() {
            let mut tx = Tx { hash: self.dice.word(), ..Tx::default() };
            tx.tell(
                encode::condition_preparation(market.condition, oracle, market.question_id, 2),
                ChainEvent::Preparation { condition: market.condition, tokens: market.tokens },
            );
            txs.push(tx);
        }
        for maker in market.makers.clone() {
            if self.dice.chance(0.4) {
                let micros = self.dice.moment(2_000, 9_000) * domain::MICRO;
                let maker = (maker, way(&mut self.ways));
                txs.extend(matching::split(market, &self.people, &mut self.dice, maker, micros));
            }
        }
        txs
    }

    /// Puts off the answers of markets that are open: they are disputed.
    pub(crate) fn put_off(&mut self, disputed: &[usize]) {
        for id in disputed.iter().filter(|id| self.open.contains(id)) {
            self.markets[*id].closes = self.markets[*id].closes.plus_micros(VOTE);
        }
    }

    /// Answers every open market whose time has come, and pays some of the winners at once.
    fn close_due(&mut self, at: Timestamp) -> Vec<Tx> {
        let due: Vec<usize> = self.open.iter().copied().filter(|id| self.markets[*id].closes <= at).collect();
        self.open.retain(|id| !due.contains(id));
        due.into_iter().flat_map(|id| self.close(id)).collect()
    }

    fn close(&mut self, id: usize) -> Vec<Tx> {
        let Self { dice, ways, people, markets, .. } = self;
        let market = &mut markets[id];
        market.closed = true;
        let mut result = [0u64; 2];
        let mut txs = Vec::new();
        let log = match market.ctf() {
            Some((oracle, _)) => {
                result[market.winner] = 1;
                Some(encode::condition_resolution(market.condition, oracle, market.question_id, &result))
            }
            None => {
                result[market.winner] = 1_000_000;
                encode::condition_resolved(market.condition, &result)
            }
        };
        if let (Some(log), Some(payouts)) = (log, Payouts::new(result.to_vec())) {
            let mut tx = Tx { hash: dice.word(), ..Tx::default() };
            tx.tell(log, ChainEvent::Resolution { condition: market.condition, payouts });
            txs.push(tx);
        }
        for (person, held) in std::mem::take(&mut market.holders) {
            let person = people.get(person);
            let won = held[market.winner];
            if won > 0 && market.exchange == Exchange::V2 && person.kind != Kind::Maker && dice.chance(0.15) {
                let by = redeemer(ways);
                if let Some(mut tx) = custody::redeem(market, person.wallet, Shares::from_micros(won), by) {
                    tx.hash = dice.word();
                    txs.push(tx);
                }
            }
        }
        txs
    }

    /// Trades, if the book allows.
    fn trade(&mut self, id: usize, order: matching::Order, at: Timestamp) -> Option<Tx> {
        let market = &mut self.markets[id];
        let (tx, trade) = matching::execute(market, &self.people, &mut self.dice, order, at)?;
        self.tape.push(trade);
        Some(tx)
    }

    /// Lets a maker of a market turn pairs back into dollars.
    fn tidy(&mut self, id: usize) -> Option<Tx> {
        let maker = self.dice.pick(&self.markets[id].makers).copied()?;
        let maker = (maker, way(&mut self.ways));
        matching::merge(&mut self.markets[id], &self.people, &mut self.dice, maker)
    }

    /// What a person believes will win.
    fn belief(&mut self, person: usize, market: usize) -> usize {
        let winner = self.markets[market].winner;
        if self.dice.chance(self.people.get(person).accuracy) { winner } else { 1 - winner }
    }
}

/// Some reach the conditional tokens under their own name, some through the adapter.
fn way(ways: &mut Dice) -> Way {
    if ways.chance(0.4) { Way::Adapter } else { Way::Direct }
}

/// Who cares redeems; for who does not, somebody does.
fn redeemer(ways: &mut Dice) -> Redeemer {
    match ways.unit() {
        draw if draw < 0.4 => Redeemer::Automatic,
        draw if draw < 0.6 => Redeemer::Adapter,
        _ => Redeemer::Themselves,
    }
}
