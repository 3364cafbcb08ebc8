//! The present: short markets, a block every second and a half, and now and then a panic.

use domain::{Side, Timestamp};

use super::World;
use super::dice::Dice;
use super::matching::{Order, Size};
use super::people::Kind;
use super::tx::Tx;

/// How many markets are open at any time, or one event fewer.
const OPEN_MARKETS: usize = 40;

/// A market lives between so many blocks: 15 to 60 seconds at speed 1, so that a demonstration of a minute
/// sees bets from their beginning to their end.
const LIFE: (i64, i64) = (10, 40);

/// A panic begins every so many blocks: about 25 seconds at speed 1.
const PANIC_EVERY: i64 = 17;

/// How many panic together.
const CROWD: usize = 8;

/// Blocks from the first purchase of the crowd to its last sale.
const PANIC_BLOCKS: i64 = 9;

/// Who has a turn in a block.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Closing,
    Opening,
    Panic,
    Skilled,
    Passers(Kind),
    Leavers,
    Tidying,
}

impl Turn {
    /// Its number, below 16.
    const fn number(self) -> u64 {
        match self {
            Self::Closing => 0,
            Self::Opening => 1,
            Self::Panic => 2,
            Self::Skilled => 3,
            Self::Leavers => 4,
            Self::Tidying => 5,
            Self::Passers(kind) => match kind {
                Kind::Skilled => 6,
                Kind::Degen => 7,
                Kind::Favourite => 8,
                Kind::Lottery => 9,
                Kind::Noise => 10,
                Kind::Maker => 11,
            },
        }
    }
}

/// A crowd that buys an outcome and loses its nerve.
#[derive(Clone, Debug)]
pub(crate) struct Panic {
    market: usize,
    outcome: usize,
    crowd: Vec<usize>,
    begins: i64,
}

/// Whether a kind of person trades at that price of the first outcome.
pub(super) fn tastes(kind: Kind, first: f64) -> bool {
    match kind {
        Kind::Skilled => (0.28..=0.72).contains(&first),
        Kind::Degen => (0.15..=0.85).contains(&first),
        Kind::Favourite => !(0.20..=0.80).contains(&first),
        Kind::Lottery => !(0.15..=0.85).contains(&first),
        Kind::Noise | Kind::Maker => (0.04..=0.96).contains(&first),
    }
}

impl World {
    /// The next block of the present.
    pub(super) fn live_block(&mut self, at: Timestamp) {
        self.turn(Turn::Closing, 0);
        let mut txs = self.close_due(at);
        self.turn(Turn::Opening, 0);
        txs.extend(self.open_fresh(at));
        self.turn(Turn::Panic, 0);
        txs.extend(self.panic(at));
        txs.extend(self.skilled_trades(at));
        // Some block gets many, some few.
        let crowd = [(Kind::Noise, 4.5), (Kind::Degen, 1.8), (Kind::Favourite, 0.9), (Kind::Lottery, 0.5)];
        for (kind, mean) in crowd {
            self.turn(Turn::Passers(kind), 0);
            for number in 1..=self.dice.poisson(mean).min(9) {
                self.turn(Turn::Passers(kind), number);
                txs.extend(self.passer_by(kind, at));
            }
        }
        self.turn(Turn::Leavers, 0);
        for number in 1..=self.dice.poisson(1.2).min(3) {
            self.turn(Turn::Leavers, number);
            txs.extend(self.leaver(at));
        }
        self.turn(Turn::Tidying, 0);
        if self.dice.chance(0.3)
            && let Some(id) = self.dice.pick(&self.open).copied()
        {
            txs.extend(self.tidy(id));
        }
        self.push_block(at, txs);
    }

    /// From here on chance is that of one turn in this block. Outsiders trade here too, and whom they get in the way of
    /// does something else; everybody else does what they would have done, so that a world of the same seed stays the
    /// same world to be compared with.
    fn turn(&mut self, turn: Turn, number: usize) {
        let block = self.live_blocks.unsigned_abs();
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        self.dice = Dice::of_turn(self.seed, (block << 8) | (turn.number() << 4) | (number & 15));
    }

    fn open_fresh(&mut self, at: Timestamp) -> Vec<Tx> {
        let mut txs = Vec::new();
        while self.open.len() < OPEN_MARKETS {
            // The first forty are of all ages, or they would all end together.
            let (low, high) = if self.live_blocks == 0 { (4, LIFE.1) } else { LIFE };
            let blocks = self.dice.moment(low, high);
            let closes = at.plus_micros(blocks * self.interval + self.dice.moment(0, self.interval));
            for id in self.invent(at, closes) {
                txs.extend(self.open(id));
            }
        }
        txs
    }

    /// At least every other block somebody who knows buys.
    fn skilled_trades(&mut self, at: Timestamp) -> Vec<Tx> {
        self.turn(Turn::Skilled, 0);
        let mut number = self.dice.poisson(1.2).min(4);
        if number == 0 && self.quiet_blocks > 0 {
            number = 1;
        }
        let mut txs = Vec::new();
        for number in 1..=number {
            self.turn(Turn::Skilled, number);
            txs.extend(self.passer_by(Kind::Skilled, at));
        }
        self.quiet_blocks = if txs.is_empty() { self.quiet_blocks + 1 } else { 0 };
        txs
    }

    /// Somebody of that kind buys something to their taste.
    fn passer_by(&mut self, kind: Kind, at: Timestamp) -> Option<Tx> {
        let ids = match kind {
            Kind::Skilled => &self.people.skilled,
            Kind::Degen => &self.people.degens,
            Kind::Favourite => &self.people.favourites,
            Kind::Lottery => &self.people.lottery,
            Kind::Noise | Kind::Maker => &self.people.noise,
        };
        let person = self.dice.pick(ids).copied()?;
        let market = self.find_open(kind, person, at)?;
        let outcome = self.choose(person, market, at);
        let usd = self.stake(kind, self.people.get(person).typical_usd);
        let worse_by = u32::from(kind == Kind::Degen);
        let order = Order { person, outcome, side: Side::Buy, size: Size::Usd(usd), worse_by };
        self.trade(market, order, at)
    }

    /// An open market the person has no part in, at a price to their taste, that will live a little longer.
    fn find_open(&mut self, kind: Kind, person: usize, at: Timestamp) -> Option<usize> {
        for _ in 0..40 {
            let id = self.dice.pick(&self.open).copied()?;
            let market = &self.markets[id];
            let lives_on = market.closes.micros_since(at) > 3 * self.interval;
            if lives_on && tastes(kind, market.fair(at)) && !market.holders.contains_key(&person) {
                return Some(id);
            }
        }
        None
    }

    /// Somebody who holds something sells it.
    fn leaver(&mut self, at: Timestamp) -> Option<Tx> {
        let id = self.dice.pick(&self.open).copied()?;
        let market = &self.markets[id];
        let holders: Vec<(usize, usize)> = market
            .holders
            .iter()
            .filter(|(person, _)| !matches!(self.people.get(**person).kind, Kind::Maker | Kind::Skilled))
            .filter_map(|(person, held)| Some((*person, held.iter().position(|shares| *shares > 0)?)))
            .filter(|(person, _)| !self.panics.iter().any(|panic| panic.crowd.contains(person)))
            .collect();
        let (person, outcome) = self.dice.pick(&holders).copied()?;
        self.sell_all(id, person, outcome, at)
    }

    fn sell_all(&mut self, id: usize, person: usize, outcome: usize, at: Timestamp) -> Option<Tx> {
        let size = Size::Shares(self.markets[id].held(person, outcome));
        self.trade(id, Order { person, outcome, side: Side::Sell, size, worse_by: 0 }, at)
    }

    /// Begins panics and plays those under way: the crowd buys in two blocks, waits, and sells in four,
    /// and with each sale the price slips; the slip fades again as every pressure does.
    fn panic(&mut self, at: Timestamp) -> Vec<Tx> {
        let block = self.live_blocks;
        if block % PANIC_EVERY == 3 {
            self.begin_panic(at);
        }
        let mut txs = Vec::new();
        for panic in self.panics.clone() {
            let half = panic.crowd.len() / 2;
            match block - panic.begins {
                0 => txs.extend(self.crowd_buys(&panic, &panic.crowd[..half], at)),
                1 => txs.extend(self.crowd_buys(&panic, &panic.crowd[half..], at)),
                age @ 5..=8 => {
                    let turn = usize::try_from(age - 5).unwrap_or(0);
                    let sellers: Vec<usize> = panic.crowd.iter().skip(turn).step_by(4).copied().collect();
                    txs.extend(self.crowd_sells(&panic, &sellers, at));
                }
                _ => {}
            }
        }
        self.panics.retain(|panic| block - panic.begins < PANIC_BLOCKS);
        txs
    }

    fn begin_panic(&mut self, at: Timestamp) {
        let mut crowd = self.people.regular_degens.clone();
        if crowd.len() < CROWD {
            crowd.clone_from(&self.people.degens);
        }
        self.dice.shuffle(&mut crowd);
        for _ in 0..60 {
            let Some(id) = self.dice.pick(&self.open).copied() else { return };
            let outcome = self.dice.below(2);
            let market = &self.markets[id];
            let fair = if outcome == 0 { market.fair(at) } else { 1.0 - market.fair(at) };
            let lives_on = market.closes.micros_since(at) > (PANIC_BLOCKS + 4) * self.interval;
            if lives_on && (0.40..=0.70).contains(&fair) {
                let strangers = crowd.iter().filter(|person| !market.holders.contains_key(person));
                let crowd: Vec<usize> = strangers.take(CROWD).copied().collect();
                if crowd.len() == CROWD {
                    self.panics.push(Panic { market: id, outcome, crowd, begins: self.live_blocks });
                }
                return;
            }
        }
    }

    fn crowd_buys(&mut self, panic: &Panic, buyers: &[usize], at: Timestamp) -> Vec<Tx> {
        let mut txs = Vec::new();
        for person in buyers.iter().copied() {
            let size = Size::Usd(self.dice.between(260.0, 700.0));
            let order = Order { person, outcome: panic.outcome, side: Side::Buy, size, worse_by: 0 };
            txs.extend(self.trade(panic.market, order, at));
        }
        txs
    }

    fn crowd_sells(&mut self, panic: &Panic, sellers: &[usize], at: Timestamp) -> Vec<Tx> {
        let mut txs = Vec::new();
        for person in sellers.iter().copied() {
            txs.extend(self.sell_all(panic.market, person, panic.outcome, at));
            let slip = if panic.outcome == 0 { -0.075 } else { 0.075 };
            self.markets[panic.market].press(slip, at);
        }
        txs
    }
}
