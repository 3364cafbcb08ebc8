//! Who trades before the engine: a million wallets of every tier in a thousand markets, of which few have most of the
//! trade, as in life; prices wander, and now and then one falls while many sell.

use std::collections::BTreeMap;

use domain::{
    Book, ConditionId, Exchange, Fee, Fill, Level, Market, Payouts, Price, Role, Shares, Side, Skill, Tick,
    Tier, Timestamp, TokenId, Usd, Verdict,
};

use crate::fold::world::{START, address, condition, mix, token};

/// When it begins.
pub(super) const BEGIN: Timestamp = Timestamp::from_seconds(START);
/// So many markets in a row are of one event.
const EVENT: u32 = 3;
/// Of so many fills one begins a fall, which takes as many fills of its market as the second number says.
const FALLS: (u32, u32) = (20_000, 60);

/// A market that is watched.
#[derive(Clone, Copy)]
struct Watched {
    number: u32,
    ppm: u32,
    /// Fills of the fall it is in.
    falling: u32,
}

/// The crowd.
pub(super) struct Crowd {
    random: u64,
    wallets: u32,
    watched: Vec<Watched>,
    /// By its number, a market's place among those watched.
    places: BTreeMap<TokenId, (usize, usize)>,
    opened: u32,
    rated: u32,
}

impl Crowd {
    pub(super) fn new(wallets: u32, markets: u32) -> Self {
        let mut crowd =
            Self { random: 7, wallets, watched: vec![], places: BTreeMap::new(), opened: markets, rated: 0 };
        for number in 0..markets {
            let ppm = 150_000 + crowd.below(700_000);
            crowd.watch(crowd.watched.len(), Watched { number, ppm, falling: 0 });
        }
        crowd
    }

    fn watch(&mut self, place: usize, market: Watched) {
        match self.watched.get_mut(place) {
            Some(before) => *before = market,
            None => self.watched.push(market),
        }
        for outcome in 0..2 {
            self.places.insert(token(market.number, outcome), (place, outcome as usize));
        }
    }

    /// A market's description.
    pub(super) fn market(&self, number: u32) -> Market {
        Market {
            condition: condition(number),
            title: format!("Market {number}"),
            slug: format!("market-{number}"),
            event: format!("event-{}", number / EVENT),
            category: None,
            outcomes: vec!["Yes".to_owned(), "No".to_owned()],
            tokens: vec![token(number, 0), token(number, 1)],
            neg_risk: false,
            place: None,
            protocol_v2: false,
            tick: Tick::CENT,
            fee_rate_ppm: 40_000,
            end: Some(BEGIN.plus_micros(10 * Timestamp::DAY)),
            oracle: None,
        }
    }

    /// What is believed of a wallet: one in fifty is a whale, one in five panics.
    pub(super) fn verdict(&mut self, wallet: u32) -> Verdict {
        let wobble = f64::from(self.below(100)) / 100.0;
        let (score, kappa) = match mix(u64::from(wallet)) % 50 {
            0 => (7.0 + 2.0 * wobble, 0.25),
            1..=10 => (2.9 * wobble, -0.1),
            _ => (3.0 + 3.9 * wobble, 0.0),
        };
        let skill = Skill { kappa, standard_error: 0.05 };
        Verdict {
            wallet: address(wallet),
            score,
            tier: Tier::of(score),
            skill,
            timing: None,
            median_cost: Some(Usd::whole(200)),
            is_copyable: !wallet.is_multiple_of(3),
        }
    }

    /// New verdicts of as many wallets.
    pub(super) fn pass(&mut self, count: u32) -> Vec<Verdict> {
        let first = self.rated;
        self.rated = (first + count) % self.wallets;
        (0..count).map(|step| self.verdict((first + step) % self.wallets)).collect()
    }

    /// The next fill: of ten, about four are of the busiest twenty markets.
    pub(super) fn fill(&mut self) -> Fill {
        let place = self.skewed(u32::try_from(self.watched.len()).unwrap_or(1)) as usize;
        let (begins, drift) = (self.below(FALLS.0) == 0, self.below(8_001));
        let market = &mut self.watched[place];
        if begins {
            market.falling = FALLS.1;
        }
        let falls = market.falling > 0;
        market.falling = market.falling.saturating_sub(1);
        let step = if falls { drift / 2 } else { drift };
        market.ppm = (market.ppm + step).saturating_sub(4_000).clamp(100_000, 900_000);
        let Watched { number, ppm, .. } = *market;
        let outcome = if falls { 0 } else { self.below(2) };
        let ppm = if outcome == 0 { ppm } else { 1_000_000 - ppm };
        let side = if falls || self.below(5) < 2 { Side::Sell } else { Side::Buy };
        // Most trades are small, and a few are not: dollars from 1 to 20,000, half of them below 4, one in seven above 500.
        let part = f64::from(self.below(1_000_000)) / 1e6;
        #[expect(clippy::cast_possible_truncation, reason = "from a million to twenty thousand millions")]
        let usd = (20_000_f64.powf(part * part * part) * 1e6) as i64;
        let shares = usd * 1_000_000 / i64::from(ppm);
        let wallet = if self.below(2) == 0 { self.skewed(self.wallets) } else { self.below(self.wallets) };
        Fill {
            exchange: Exchange::V2,
            wallet: address(wallet),
            counterparty: address(self.below(self.wallets)),
            role: if self.below(2) == 0 { Role::Maker } else { Role::Taker },
            side,
            token: token(number, outcome),
            shares: Shares::from_micros(shares),
            usd: Usd::from_micros(usd),
            fee: Fee::NONE,
        }
    }

    /// The book of a token: ten levels on each side.
    pub(super) fn book(&self, token: TokenId, at: Timestamp) -> Book {
        let ppm = self.places.get(&token).map_or(500_000, |(place, outcome)| {
            let ppm = self.watched[*place].ppm;
            if *outcome == 0 { ppm } else { 1_000_000 - ppm }
        });
        let cents = ppm / 10_000;
        let level = |cents: u32| {
            let price = Price::from_ppm(cents.clamp(1, 99) * 10_000).unwrap_or(Price::CENT);
            Level { price, shares: Shares::whole(2_000) }
        };
        let bids = (0..10).map(|step| level(cents.saturating_sub(step))).collect();
        let asks = (1..=10).map(|step| level(cents + step)).collect();
        Book::new(token, at, Tick::CENT, bids, asks)
    }

    /// A market's answer, and the market that takes its place.
    pub(super) fn answer(&mut self) -> (ConditionId, Payouts, Market) {
        let place = self.below(u32::try_from(self.watched.len()).unwrap_or(1)) as usize;
        let Watched { number, ppm, .. } = self.watched[place];
        for outcome in 0..2 {
            self.places.remove(&token(number, outcome));
        }
        let winner = usize::from(self.below(1_000_000) >= ppm);
        let payouts = Payouts::winner(winner, 2).unwrap_or_else(|| unreachable!("two outcomes"));
        let next = self.opened;
        self.opened += 1;
        self.watch(place, Watched { number: next, ppm: 500_000, falling: 0 });
        (condition(number), payouts, self.market(next))
    }

    /// Below `bound`, the low ones most often: each number as often as its inverse, about.
    fn skewed(&mut self, bound: u32) -> u32 {
        let part = f64::from(self.below(1 << 24)) / f64::from(1 << 24);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a count")]
        let number = (f64::from(bound).powf(part) - 1.0) as u32;
        number.min(bound - 1)
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        u32::try_from(((mix(self.random) >> 32) * u64::from(bound)) >> 32).unwrap_or(0)
    }
}
