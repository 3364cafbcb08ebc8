//! What the venue knows at a moment: its markets, their books, and what changed since the moment before.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use domain::{ConditionId, Exchange, Price, Shares, Timestamp, TokenId, Usd, Wallet};

use crate::venue::{Depth, Venue};
use crate::world::{Ladder, NewBlock, SimMarket, Trade, World};

/// A market as the venue lists it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: usize,
    pub(crate) exchange: Exchange,
    pub(crate) condition: ConditionId,
    pub(crate) question_id: B256,
    pub(crate) tokens: [TokenId; 2],
    pub(crate) title: String,
    pub(crate) slug: String,
    pub(crate) event: (usize, String, String),
    pub(crate) category: &'static str,
    pub(crate) outcomes: [&'static str; 2],
    pub(crate) fee_rate_ppm: u32,
    pub(crate) opens: Timestamp,
    pub(crate) closes: Timestamp,
    /// Known once it is answered.
    pub(crate) winner: Option<usize>,
    /// Whether the answer that was proposed is disputed.
    pub(crate) is_disputed: bool,
    pub(crate) last_price: Option<Price>,
    pub(crate) volume: Usd,
    /// Who rests orders there.
    pub(crate) makers: Vec<(usize, Wallet)>,
    /// Its oracle, and the collateral its tokens hang on; `None` for Protocol V2.
    pub(crate) ctf: Option<(Address, Address)>,
    /// The price grid in millionths of a dollar.
    pub(crate) tick_ppm: u32,
    /// Milliseconds a taker's order is held before it is answered.
    pub(crate) hold_ms: u64,
    /// Seconds a taker's order waits after it is answered.
    pub(crate) seconds_delay: u32,
    /// The fewest shares of an order that rests or sells.
    pub(crate) least: Shares,
}

/// What a market demands of its orders, where somebody has set that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demands {
    pub(crate) least: Shares,
    pub(crate) hold_ms: u64,
    pub(crate) seconds_delay: u32,
}

/// The fewest shares, on every market unless somebody says otherwise.
const LEAST: Shares = Shares::whole(5);

/// The grid markets begin with.
const TICK_PPM: u32 = 10_000;

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Board {
    listed: Vec<Arc<Listed>>,
    ladders: HashMap<usize, Ladder>,
    /// Markets whose world's books have moved since they were shown.
    moved: Vec<usize>,
    /// What subscribers were told last, outside orders included.
    depths: HashMap<usize, Depth>,
    /// Grids that are no longer the first.
    ticks: HashMap<usize, u32>,
    demands: HashMap<usize, Demands>,
    /// Markets whose proposed answers are disputed.
    disputed: HashSet<usize>,
    /// Those of them that the world has not heard of.
    disputed_since: Vec<usize>,
    /// Whether takers wait where they do in earnest.
    taker_delays: bool,
    by_token: HashMap<TokenId, (usize, usize)>,
    by_condition: HashMap<ConditionId, usize>,
}

/// Something a subscriber of the market channel is told.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A book is another one now.
    Book { market: Arc<Listed>, before: Depth, after: Depth },
    /// The price grid is another one now.
    Tick { market: Arc<Listed>, before: u32 },
    /// Somebody traded.
    Trade { market: Arc<Listed>, trade: Trade },
    /// A market is answered.
    Answered { market: Arc<Listed> },
}

impl Listed {
    /// As it is listed first.
    pub(crate) fn of(market: &SimMarket) -> Self {
        Self {
            id: market.id,
            exchange: market.exchange,
            condition: market.condition,
            question_id: market.question_id,
            tokens: market.tokens,
            title: market.title.clone(),
            slug: market.slug.clone(),
            event: (market.event_id, market.event_slug.clone(), market.event_title.clone()),
            category: market.category,
            outcomes: market.outcomes,
            fee_rate_ppm: market.fee_rate_ppm,
            opens: market.opens,
            closes: market.closes,
            winner: market.closed.then_some(market.winner),
            is_disputed: false,
            last_price: market.last_price,
            volume: market.volume,
            makers: Vec::new(),
            ctf: market.ctf(),
            tick_ppm: TICK_PPM,
            hold_ms: 0,
            seconds_delay: 0,
            least: LEAST,
        }
    }

    pub(crate) fn protocol_v2(&self) -> bool {
        self.exchange == Exchange::V3
    }

    pub(crate) fn neg_risk(&self) -> bool {
        self.exchange == Exchange::V2NegRisk
    }

    /// What it shares with its siblings: the question's id without its number.
    pub(crate) fn neg_risk_market(&self) -> Option<B256> {
        let mut id = self.question_id;
        id[31] = 0;
        self.neg_risk().then_some(id)
    }
}

impl Board {
    pub(crate) fn all(&self) -> &[Arc<Listed>] {
        &self.listed
    }

    /// The market of a token, and which outcome it is.
    pub(crate) fn of_token(&self, token: TokenId) -> Option<(&Arc<Listed>, usize)> {
        let (id, outcome) = *self.by_token.get(&token)?;
        Some((self.listed.get(id)?, outcome))
    }

    pub(crate) fn of_condition(&self, condition: ConditionId) -> Option<&Arc<Listed>> {
        self.listed.get(*self.by_condition.get(&condition)?)
    }

    pub(crate) fn by_id(&self, id: usize) -> Option<&Arc<Listed>> {
        self.listed.get(id)
    }

    /// Whether a market has a book.
    pub(crate) fn is_open(&self, id: usize) -> bool {
        self.ladders.contains_key(&id)
    }

    /// What the world rests in the book of a market's first outcome; only open markets have one.
    pub(crate) fn ladder(&self, market: usize) -> Option<&Ladder> {
        self.ladders.get(&market)
    }

    /// The book of an outcome as everybody sees it.
    pub(crate) fn depth(&self, market: usize, outcome: usize) -> Option<Depth> {
        let first = self.depths.get(&market)?;
        Some(if outcome == 0 { first.clone() } else { first.mirrored() })
    }

    pub(crate) fn new(taker_delays: bool) -> Self {
        Self { taker_delays, ..Self::default() }
    }

    /// Takes over what the world is now, and says what is new; books come after, with [`Self::show`].
    pub(crate) fn update(&mut self, world: &World, at: Timestamp, blocks: &[NewBlock]) -> Vec<Change> {
        let mut changes = Vec::new();
        for market in &world.markets()[self.listed.len()..] {
            for (outcome, token) in market.tokens.into_iter().enumerate() {
                self.by_token.insert(token, (market.id, outcome));
            }
            self.by_condition.insert(market.condition, market.id);
            self.listed.push(Arc::new(self.listing(world, market)));
        }
        for trade in blocks.iter().flat_map(|block| &block.trades) {
            self.refresh(world, trade.market);
            let market = Arc::clone(&self.listed[trade.market]);
            changes.push(Change::Trade { market, trade: *trade });
        }
        let mut ladders = HashMap::new();
        for (id, after) in world.ladders(at) {
            let before = self.ladders.remove(&id);
            if before.as_ref() != Some(&after) {
                self.moved.push(id);
            }
            ladders.insert(id, after);
        }
        // Whose book is gone has been answered.
        for id in std::mem::replace(&mut self.ladders, ladders).into_keys() {
            self.depths.remove(&id);
            self.refresh(world, id);
            changes.push(Change::Answered { market: Arc::clone(&self.listed[id]) });
        }
        changes
    }

    /// The markets whose world's books have moved since this was asked last.
    pub(crate) fn take_moved(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.moved)
    }

    /// Shows the books of some markets as they are now, and says which are others.
    pub(crate) fn show(&mut self, venue: &Venue, markets: impl IntoIterator<Item = usize>) -> Vec<Change> {
        let mut changes = Vec::new();
        for id in markets {
            let (Some(market), Some(after)) = (self.listed.get(id), venue.depth(self, id)) else { continue };
            let market = Arc::clone(market);
            let before = self.depths.insert(id, after.clone()).unwrap_or_default();
            if before != after {
                changes.push(Change::Book { market, before, after });
            }
        }
        changes
    }

    /// Gives a market another price grid.
    pub(crate) fn set_tick(&mut self, id: usize, tick_ppm: u32) -> Option<Change> {
        let listed = self.listed.get_mut(id)?;
        let before = listed.tick_ppm;
        *listed = Arc::new(Listed { tick_ppm, ..Listed::clone(listed) });
        self.ticks.insert(id, tick_ppm);
        (before != tick_ppm).then(|| Change::Tick { market: Arc::clone(listed), before })
    }

    /// Sets what a market demands of its orders.
    pub(crate) fn demand(&mut self, id: usize, demands: Demands) {
        let Demands { least, hold_ms, seconds_delay } = demands;
        if let Some(listed) = self.listed.get_mut(id) {
            *listed = Arc::new(Listed { least, hold_ms, seconds_delay, ..Listed::clone(listed) });
            self.demands.insert(id, demands);
        }
    }

    /// The markets that were disputed since this was asked last.
    pub(crate) fn take_disputed(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.disputed_since)
    }

    /// Disputes a market's answer: it is traded on until it is given.
    pub(crate) fn dispute(&mut self, id: usize) {
        if let Some(listed) = self.listed.get_mut(id) {
            *listed = Arc::new(Listed { is_disputed: true, ..Listed::clone(listed) });
            if self.disputed.insert(id) {
                self.disputed_since.push(id);
            }
        }
    }

    fn refresh(&mut self, world: &World, id: usize) {
        if let Some(market) = world.markets().get(id)
            && id < self.listed.len()
        {
            self.listed[id] = Arc::new(self.listing(world, market));
        }
    }

    fn listing(&self, world: &World, market: &SimMarket) -> Listed {
        // As the venue has it: a moment where prices follow a feed, longer where the court is seen sooner than the
        // screen.
        let (hold_ms, seconds_delay) = match (self.taker_delays, market.category) {
            (true, "crypto") if market.outcomes[0] == "Up" => (50, 0),
            (true, "sports") => (0, 1),
            _ => (0, 0),
        };
        let demands = self.demands.get(&market.id).copied();
        let Demands { least, hold_ms, seconds_delay } =
            demands.unwrap_or(Demands { least: LEAST, hold_ms, seconds_delay });
        let makers = world.makers_of(market.id);
        let tick_ppm = self.ticks.get(&market.id).copied().unwrap_or(TICK_PPM);
        let is_disputed = self.disputed.contains(&market.id);
        Listed { makers, tick_ppm, is_disputed, hold_ms, seconds_delay, least, ..Listed::of(market) }
    }
}
