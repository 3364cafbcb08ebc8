//! A world that can be made as fast as it is looked at, and goes on as it began: the same number of people trade at
//! any time, each in one market for a while, and a market that has ended is followed by another one.

use alloy_primitives::{Address, B256, U256};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fact, Fee, Fill, Market, NegRiskPlace, Payouts, Place,
    Role, Shares, Side, Tick, Timestamp, TokenId, TxHash, Usd, Wallet,
};

/// Fills a second: today's rhythm.
const RHYTHM: u64 = 50;
/// How many trade in one market at a time, and how many markets are open.
const SESSIONS: usize = 30_000;
const OPEN: u32 = 5_000;
/// Of ten markets, four belong to an event of four that exclude each other.
const GROUP: u32 = 10;
const EXCLUSIVE: u32 = 4;
/// When it begins: 2026-01-01.
pub(crate) const START: i64 = 1_767_225_600;

/// Somebody who trades in one market for a while.
#[derive(Clone, Copy)]
struct Session {
    wallet: u32,
    /// The place among the open markets, and which market it was when the session began.
    place: u32,
    market: u32,
    outcome: u32,
    left: u32,
    held: i64,
}

/// A market that is open.
#[derive(Clone, Copy)]
struct Open {
    market: u32,
    left: u64,
    ppm: u32,
}

/// The source of the facts.
pub(crate) struct World {
    random: u64,
    fills: u64,
    wallets: u32,
    markets: u32,
    quota: u64,
    sessions: Vec<Session>,
    open: Vec<Open>,
    /// How many sessions and markets have begun.
    begun: u64,
    opened: u32,
    made: u64,
}

impl World {
    pub(crate) fn new(fills: u64, wallets: u32, markets: u32) -> Self {
        let quota = (fills / u64::from(markets)).max(1);
        let mut world = Self {
            random: 0x9e37_79b9_7f4a_7c15,
            fills,
            wallets,
            markets,
            quota,
            sessions: Vec::new(),
            open: Vec::new(),
            begun: 0,
            opened: 0,
            made: 0,
        };
        for place in 0..OPEN.min(markets) {
            let ppm = 50_000 + world.below(900_000);
            // They are of all ages, so that they do not end together.
            let left = 1 + quota * u64::from(place) / u64::from(OPEN.min(markets));
            world.open.push(Open { market: world.opened, left, ppm });
            world.opened += 1;
        }
        for _ in 0..SESSIONS {
            let session = world.session();
            world.sessions.push(session);
        }
        world
    }

    /// What is known of the markets.
    pub(crate) fn markets(&self) -> impl Iterator<Item = Market> {
        let life = self.fills / RHYTHM * u64::from(OPEN) / u64::from(self.markets.max(1));
        (0..self.markets).map(move |number| {
            let (group, place) = (number / GROUP, number % GROUP);
            let is_exclusive = place < EXCLUSIVE;
            let from_start = u64::from(number.saturating_sub(OPEN)) * life / u64::from(OPEN) + life;
            let event = if is_exclusive { format!("event-{group}") } else { format!("market-{number}") };
            Market {
                condition: condition(number),
                title: format!("Market {number}"),
                slug: format!("market-{number}"),
                event,
                category: None,
                outcomes: vec!["Yes".to_owned(), "No".to_owned()],
                tokens: vec![token(number, 0), token(number, 1)],
                neg_risk: is_exclusive,
                place: is_exclusive.then(|| NegRiskPlace {
                    market: B256::from(U256::from(group + 1) << 8),
                    question: u8::try_from(place).unwrap_or(0),
                    questions: u8::try_from(EXCLUSIVE).ok(),
                }),
                protocol_v2: false,
                tick: Tick::CENT,
                fee_rate_ppm: 0,
                end: Some(moment(from_start * RHYTHM)),
                oracle: None,
            }
        })
    }

    /// Adds as many facts, or fewer at the end. How many of them are fills.
    pub(crate) fn fill(&mut self, facts: &mut Vec<Fact>, count: usize) -> u64 {
        let before = self.made;
        while facts.len() < count && self.made < self.fills {
            let number = usize::try_from(self.below(30_000)).unwrap_or(0);
            let session = self.sessions[number];
            if session.left == 0 || self.open[session.place as usize].market != session.market {
                self.sessions[number] = self.session();
            }
            let fill = self.trade(number);
            let place = self.sessions[number].place;
            self.made += 1;
            facts.push(fact(self.made, ChainEvent::Fill(fill)));
            self.age(place, facts);
        }
        self.made - before
    }

    fn session(&mut self) -> Session {
        self.begun += 1;
        // Everybody has a turn, and as often somebody of the few who trade much: a third of these come from the
        // first twenty-seventh of all wallets.
        let wallet = if self.begun.is_multiple_of(2) {
            let turn = (self.begun / 2).wrapping_mul(2_654_435_761) % u64::from(self.wallets);
            u32::try_from(turn).unwrap_or(0)
        } else {
            let part = f64::from(self.below(1 << 24)) / f64::from(1 << 24);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a count")]
            let number = (part * part * part * f64::from(self.wallets)) as u32;
            number
        };
        let place = self.below(OPEN.min(self.markets));
        let market = self.open[place as usize].market;
        let (outcome, left) = (self.below(2), 1 + self.below(9));
        Session { wallet, place, market, outcome, left, held: 0 }
    }

    /// The next fill of a session: purchases, and one in four sells some of what was bought.
    fn trade(&mut self, number: usize) -> Fill {
        let Session { wallet, place, market, outcome, held, .. } = self.sessions[number];
        let step = self.below(20_001);
        let open = &mut self.open[place as usize];
        open.ppm = (open.ppm + step).saturating_sub(10_000).clamp(20_000, 980_000);
        let ppm = i64::from(if outcome == 0 { open.ppm } else { 1_000_000 - open.ppm });
        let sells = held > 0 && self.below(4) == 0;
        let amount = if sells && self.below(2) == 0 {
            held
        } else {
            let most = if sells { held.min(500_000_000) } else { 500_000_000 };
            1 + i64::from(self.below(u32::try_from(most).unwrap_or(u32::MAX)))
        };
        let session = &mut self.sessions[number];
        session.held += if sells { -amount } else { amount };
        session.left -= 1;
        let usd = Usd::from_micros(amount * ppm / 1_000_000);
        let role = if self.below(2) == 0 { Role::Maker } else { Role::Taker };
        let other = self.below(self.wallets);
        let fee = if role == Role::Taker { Usd::from_micros(usd.micros() / 100) } else { Usd::ZERO };
        Fill {
            exchange: Exchange::V2,
            wallet: address(wallet),
            counterparty: address(other),
            role,
            side: if sells { Side::Sell } else { Side::Buy },
            token: token(market, outcome),
            shares: Shares::from_micros(amount),
            usd,
            fee: Fee::Usd(fee),
        }
    }

    /// A market that has had its fills ends, and another one takes its place while there are any.
    fn age(&mut self, place: u32, facts: &mut Vec<Fact>) {
        let open = &mut self.open[place as usize];
        open.left -= 1;
        if open.left > 0 {
            return;
        }
        let over = *open;
        let is_last = self.opened == self.markets;
        let (market, ppm) = if is_last { (over.market, over.ppm) } else { (self.opened, 500_000) };
        *open = Open { market, left: self.quota, ppm };
        if !is_last {
            self.opened += 1;
            let outcome = usize::from(self.below(1_000_000) >= over.ppm);
            if let Some(payouts) = Payouts::winner(outcome, 2) {
                let event = ChainEvent::Resolution { condition: condition(over.market), payouts };
                facts.push(fact(self.made, event));
            }
        }
    }

    /// SplitMix64, whose upper half is scaled.
    fn below(&mut self, bound: u32) -> u32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        u32::try_from(((mix(self.random) >> 32) * u64::from(bound)) >> 32).unwrap_or(0)
    }
}

pub(crate) const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn moment(fills: u64) -> Timestamp {
    Timestamp::from_seconds(START + i64::try_from(fills / RHYTHM).unwrap_or(i64::MAX / 2))
}

fn fact(number: u64, event: ChainEvent) -> Fact {
    let place = Place {
        block_number: number / (2 * RHYTHM),
        block_hash: BlockHash(B256::ZERO),
        block_time: moment(number),
        tx_hash: TxHash(B256::ZERO),
        log_index: u32::try_from(number % (2 * RHYTHM)).unwrap_or(0),
    };
    Fact { place, event }
}

/// An address that looks like one: all of its bits differ from its neighbours'.
pub(crate) fn address(number: u32) -> Wallet {
    let mut bytes = [0; 20];
    for (part, seed) in bytes.chunks_mut(8).zip(0u64..) {
        let word = mix(u64::from(number) | seed << 32).to_be_bytes();
        part.copy_from_slice(&word[..part.len()]);
    }
    Wallet(Address::from(bytes))
}

pub(crate) fn token(market: u32, outcome: u32) -> TokenId {
    let seed = u64::from(2 * market + outcome) | 1 << 40;
    TokenId(U256::from_limbs([mix(seed), mix(seed ^ 1 << 41), mix(seed ^ 1 << 42), mix(seed ^ 1 << 43)]))
}

pub(crate) fn condition(market: u32) -> ConditionId {
    ConditionId(B256::from(U256::from(mix(u64::from(market) | 1 << 44)) << 128 | U256::from(market)))
}
