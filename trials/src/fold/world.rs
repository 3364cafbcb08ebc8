//! A world that can be made as fast as it is looked at, and goes on as it began: the same number of people trade at
//! any time, each in a few markets for a while, and a market that has ended is followed by another one.
//!
//! Trade is as concentrated as it is in life: of a public tape of the 2022 US midterm markets it has the shares of the
//! busiest. Markets are all alike, which in life they are not.

use alloy_primitives::{Address, B256, U256};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fact, Fee, Fill, Market, NegRiskPlace, Payouts, Place,
    Role, Side, Tick, Timestamp, TokenId, TxHash, Usd, Wallet,
};

use super::crowd::{Crowd, Visit};
use super::draw::Draw;
pub(crate) use super::draw::mix;
use super::shares::Shares;

/// Fills a second: today's rhythm.
const RHYTHM: u64 = 50;
/// How many markets are open.
const OPEN: u32 = 5_000;
/// Of ten markets, four belong to an event of four that exclude each other.
const GROUP: u32 = 10;
const EXCLUSIVE: u32 = 4;
/// When it begins: 2026-01-01.
pub(crate) const START: i64 = 1_767_225_600;

/// A market that is open.
#[derive(Clone, Copy)]
struct Open {
    market: u32,
    left: u64,
    ppm: u32,
}

/// The source of the facts.
pub(crate) struct World {
    draw: Draw,
    crowd: Crowd,
    shares: Shares,
    fills: u64,
    markets: u32,
    quota: u64,
    open: Vec<Open>,
    /// How many markets have begun.
    opened: u32,
    made: u64,
}

impl World {
    /// A world where the busiest trade as much as in life.
    pub(crate) fn new(fills: u64, wallets: u32, markets: u32) -> Self {
        Self::of(Crowd::as_in_life(fills, wallets, OPEN.min(markets)), fills, wallets, markets)
    }

    /// A world where nearly all are alike: the hard case.
    pub(crate) fn even(fills: u64, wallets: u32, markets: u32) -> Self {
        Self::of(Crowd::even(fills, wallets, OPEN.min(markets)), fills, wallets, markets)
    }

    fn of(crowd: Crowd, fills: u64, wallets: u32, markets: u32) -> Self {
        let quota = (fills / u64::from(markets)).max(1);
        let (draw, shares) = (Draw::new(), Shares::new(wallets));
        let open = Vec::new();
        let mut world = Self { draw, crowd, shares, fills, markets, quota, open, opened: 0, made: 0 };
        for place in 0..OPEN.min(markets) {
            let ppm = 50_000 + world.draw.below(900_000);
            // They are of all ages, so that they do not end together.
            let left = 1 + quota * u64::from(place) / u64::from(OPEN.min(markets));
            world.open.push(Open { market: world.opened, left, ppm });
            world.opened += 1;
        }
        world
    }

    /// How much of the trade so far is whose.
    pub(crate) const fn shares(&self) -> &Shares {
        &self.shares
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
            let seat = self.crowd.next(self.made, &mut self.draw, |place| self.open[place as usize].market);
            let fill = self.trade(seat);
            let Visit { wallet, place, .. } = *self.crowd.visit_mut(seat);
            self.shares.count(wallet);
            self.made += 1;
            facts.push(fact(self.made, ChainEvent::Fill(fill)));
            self.age(place, facts);
        }
        self.made - before
    }

    /// The next fill of a visit: purchases, and now and then a sale of some of what was bought.
    fn trade(&mut self, seat: usize) -> Fill {
        let draw = &mut self.draw;
        let Visit { wallet, place, market, outcome, held, .. } = *self.crowd.visit_mut(seat);
        let step = draw.below(20_001);
        let open = &mut self.open[place as usize];
        open.ppm = (open.ppm + step).saturating_sub(10_000).clamp(20_000, 980_000);
        let ppm = i64::from(if outcome == 0 { open.ppm } else { 1_000_000 - open.ppm });
        let sells = held > 0 && draw.below(self.crowd.sellers()) == 0;
        let amount = if sells && draw.below(2) == 0 {
            held
        } else {
            let most = if sells { held.min(500_000_000) } else { 500_000_000 };
            1 + i64::from(draw.below(u32::try_from(most).unwrap_or(u32::MAX)))
        };
        self.crowd.visit_mut(seat).held += if sells { -amount } else { amount };
        let usd = Usd::from_micros(amount * ppm / 1_000_000);
        let role = if draw.below(2) == 0 { Role::Maker } else { Role::Taker };
        let other = self.crowd.counterparty(draw);
        let fee = if role == Role::Taker { Usd::from_micros(usd.micros() / 100) } else { Usd::ZERO };
        Fill {
            exchange: Exchange::V2,
            wallet: address(wallet),
            counterparty: address(other),
            role,
            side: if sells { Side::Sell } else { Side::Buy },
            token: token(market, outcome),
            shares: domain::Shares::from_micros(amount),
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
            let outcome = usize::from(self.draw.below(1_000_000) >= over.ppm);
            if let Some(payouts) = Payouts::winner(outcome, 2) {
                let event = ChainEvent::Resolution { condition: condition(over.market), payouts };
                facts.push(fact(self.made, event));
            }
        }
    }
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
