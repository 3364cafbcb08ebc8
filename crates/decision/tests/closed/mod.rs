//! A world in which nothing comes from outside and nothing is lost: a few wallets that trade with each other in
//! every way the chain knows, while somebody else keeps the books.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};
use decision::Eligibility;
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fact, Fee, FeeKind, Fill, Market, NegRiskPlace, Payouts,
    Place, Role, Shares, Side, Tick, Timestamp, TokenId, TxHash, Usd, Wallet,
};
use proptest::prelude::*;

pub(crate) const ANYONE: Eligibility = Eligibility { decisions: 1, events: 1, active_days: 1 };
const WALLETS: u32 = 5;
/// What the exchange itself is called, where it stands opposite.
const EXCHANGE: u32 = 999;

pub(crate) fn wallet(number: u32) -> Wallet {
    format!("0x{number:040x}").parse().unwrap()
}

/// One of the world's markets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Stands alone; traded on the first exchange, whose purchase fees are shares.
    Old,
    /// Stands alone and divides the dollar in the end.
    Divided,
    /// One of three questions on the neg-risk adapter.
    Adapter(u8),
    /// One of the conditions of a Protocol V2 event, the last of which is made up.
    Module(u8),
}

const MARKETS: [Kind; 9] = [
    Kind::Old,
    Kind::Divided,
    Kind::Divided,
    Kind::Adapter(0),
    Kind::Adapter(1),
    Kind::Adapter(2),
    Kind::Module(0),
    Kind::Module(1),
    Kind::Module(2),
];

impl Kind {
    fn group(self) -> Option<(B256, u8)> {
        let mut id = [0; 32];
        match self {
            Self::Adapter(question) => {
                id[..31].fill(0xab);
                Some((B256::new(id), question))
            }
            Self::Module(question) => {
                (id[0], id[18]) = (2, 2);
                id[1..17].fill(0xcd);
                Some((B256::new(id), question))
            }
            Self::Old | Self::Divided => None,
        }
    }

    const fn exchange(self) -> Exchange {
        match self {
            Self::Old => Exchange::V1,
            Self::Divided => Exchange::V2,
            Self::Adapter(_) => Exchange::V2NegRisk,
            Self::Module(_) => Exchange::V3,
        }
    }
}

pub(crate) fn condition(market: usize) -> ConditionId {
    let mut id = [0; 32];
    if let Some((group, question)) = MARKETS[market].group()
        && matches!(MARKETS[market], Kind::Module(_))
    {
        id = group.0;
        id[30] = question;
    } else {
        id[30] = u8::try_from(market + 1).unwrap();
        id[31] = 1;
    }
    ConditionId(B256::new(id))
}

pub(crate) fn token(market: usize, outcome: usize) -> TokenId {
    TokenId(U256::from(100 * (market + 1) + outcome))
}

/// The description of one of the markets.
pub(crate) fn market(number: usize) -> Market {
    let place = match MARKETS[number] {
        Kind::Module(_) => NegRiskPlace::of_condition(condition(number)),
        kind => kind.group().map(|(market, question)| NegRiskPlace { market, question, questions: Some(3) }),
    };
    Market {
        condition: condition(number),
        title: String::new(),
        slug: String::new(),
        event: place.map_or_else(|| format!("alone-{number}"), |place| place.market.to_string()),
        category: None,
        outcomes: vec!["Yes".to_owned(), "No".to_owned()],
        tokens: vec![token(number, 0), token(number, 1)],
        neg_risk: matches!(MARKETS[number], Kind::Adapter(_)),
        place,
        protocol_v2: matches!(MARKETS[number], Kind::Module(_)),
        tick: Tick::CENT,
        fee_rate_ppm: 0,
        end: None,
        oracle: None,
    }
}

pub(crate) fn markets() -> Vec<Market> {
    (0..MARKETS.len()).map(market).collect()
}

/// What happened, and the books.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) facts: Vec<Fact>,
    /// Dollars of each wallet, fees paid.
    pub(crate) cash: BTreeMap<Wallet, i64>,
    /// Shares, by wallet, market and outcome.
    pub(crate) held: BTreeMap<(u32, usize, usize), i64>,
    /// Dollars and shares that the exchanges kept.
    pub(crate) fees: i64,
    fee_shares: BTreeMap<(usize, usize), i64>,
    results: BTreeMap<usize, Payouts>,
    minutes: i64,
}

/// What somebody wants to do; what is impossible becomes something else, or nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    kind: u8,
    who: u32,
    whom: u32,
    market: usize,
    outcome: usize,
    micros: i64,
    ppm: i64,
    fee_ppm: i64,
    set: u8,
    wait: i64,
}

pub(crate) fn wishes(most: usize) -> impl Strategy<Value = Vec<Wish>> {
    let who = (0u8..8, 0..WALLETS, 1..WALLETS, 0..MARKETS.len(), 0usize..2);
    let much = (1i64..200_000_000, 1i64..1_000_000, 0i64..60_000, 1u8..8, 0i64..400);
    let wish =
        (who, much).prop_map(|((kind, who, other, market, outcome), (micros, ppm, fee_ppm, set, wait))| {
            let whom = (who + other) % WALLETS;
            Wish { kind, who, whom, market, outcome, micros, ppm, fee_ppm, set, wait }
        });
    prop::collection::vec(wish, 1..most)
}

/// How everything ends: who wins among the siblings, and how the dollar is divided.
pub(crate) fn ends() -> impl Strategy<Value = (usize, usize, u64, bool)> {
    (0usize..3, 0usize..3, 0u64..=1_000_000, any::<bool>())
}

impl World {
    pub(crate) fn of(wishes: &[Wish], (adapter, module, ppm, redeems): (usize, usize, u64, bool)) -> Self {
        let mut world = Self::default();
        for wish in wishes {
            world.minutes += wish.wait;
            world.grant(wish);
        }
        world.minutes += 10;
        world.resolve(0, vec![u64::from(ppm > 500_000), u64::from(ppm <= 500_000)]);
        world.resolve(1, vec![ppm, 1_000_000 - ppm]);
        world.resolve(2, vec![1, 1]);
        for question in 0..3 {
            world.resolve(3 + question, vec![u64::from(question == adapter), u64::from(question != adapter)]);
        }
        world.end_module(module);
        if redeems {
            world.redeem();
        }
        world
    }

    /// A wallet's shares, what the result pays for them included.
    pub(crate) fn shares_of(&self, who: u32, market: usize, outcome: usize) -> i64 {
        self.held.get(&(who, market, outcome)).copied().unwrap_or(0)
    }

    /// What the result pays, not yet rounded: millionths of a dollar, as a fraction.
    pub(crate) fn pays(&self, market: usize, outcome: usize) -> f64 {
        self.results.get(&market).map_or(0.0, |payouts| payouts.fraction(outcome))
    }

    /// All fees, those in shares with what the shares paid.
    pub(crate) fn all_fees(&self) -> i64 {
        let paid = |(&(market, outcome), micros): (&(usize, usize), &i64)| {
            self.results[&market].pays(outcome, Shares::from_micros(*micros)).micros()
        };
        self.fees + self.fee_shares.iter().map(paid).sum::<i64>()
    }

    fn grant(&mut self, wish: &Wish) {
        let Wish { who, whom, market, outcome, micros, .. } = *wish;
        let other = 1 - outcome;
        let has = |world: &Self, who, outcome| world.shares_of(who, market, outcome);
        match wish.kind {
            0 => self.split(who, market, micros),
            1 => {
                let pairs = has(self, who, 0).min(has(self, who, 1)).min(micros);
                if pairs > 0 {
                    self.merge(who, market, pairs);
                }
            }
            2 => self.convert(wish),
            // Complementary, if there is anything to sell.
            3 | 4 if has(self, whom, outcome) > 0 => {
                let micros = micros.min(has(self, whom, outcome));
                let usd = micros * wish.ppm / 1_000_000;
                self.trade(who, wish, Side::Buy, outcome, micros, usd, Role::Taker);
                self.trade(whom, wish, Side::Sell, outcome, micros, usd, Role::Maker);
            }
            // Merged by the exchange, if both have something to sell.
            5 if has(self, who, outcome).min(has(self, whom, other)) > 0 => {
                let micros = micros.min(has(self, who, outcome)).min(has(self, whom, other));
                let usd = micros * wish.ppm / 1_000_000;
                self.trade(who, wish, Side::Sell, outcome, micros, usd, Role::Taker);
                self.trade(whom, wish, Side::Sell, other, micros, micros - usd, Role::Maker);
            }
            // Minted by the exchange.
            _ => {
                let usd = micros * wish.ppm / 1_000_000;
                self.trade(who, wish, Side::Buy, outcome, micros, usd, Role::Taker);
                self.trade(whom, wish, Side::Buy, other, micros, micros - usd, Role::Maker);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a fill has as many parts")]
    fn trade(
        &mut self,
        who: u32,
        wish: &Wish,
        side: Side,
        outcome: usize,
        micros: i64,
        usd: i64,
        role: Role,
    ) {
        let kind = MARKETS[wish.market];
        let is_buy = side == Side::Buy;
        let in_shares = kind == Kind::Old && is_buy;
        let fee = (if in_shares { micros } else { usd }) * wish.fee_ppm / 1_000_000;
        let fill = Fill {
            exchange: kind.exchange(),
            wallet: wallet(who),
            counterparty: wallet(EXCHANGE),
            role,
            side,
            token: token(wish.market, outcome),
            shares: Shares::from_micros(micros),
            usd: Usd::from_micros(usd),
            fee: if in_shares {
                Fee::Shares(Shares::from_micros(fee))
            } else {
                Fee::Usd(Usd::from_micros(fee))
            },
        };
        self.happen(ChainEvent::Fill(fill));
        self.pay(who, if is_buy { -usd } else { usd });
        self.give(who, wish.market, outcome, if is_buy { micros } else { -micros });
        // The first exchange takes the most that was allowed, and gives back a part in the same breath.
        let back = if kind == Kind::Old { fee * 2 / 3 } else { 0 };
        if in_shares {
            self.give(who, wish.market, outcome, back - fee);
            *self.fee_shares.entry((wish.market, outcome)).or_default() += fee - back;
        } else {
            self.pay(who, back - fee);
            self.fees += fee - back;
        }
        if back > 0 {
            let token = in_shares.then(|| token(wish.market, outcome));
            let receiver = wallet(who);
            self.happen(ChainEvent::Fee {
                exchange: None,
                kind: FeeKind::Refunded,
                receiver,
                token,
                micros: back,
            });
        }
    }

    fn split(&mut self, who: u32, market: usize, micros: i64) {
        let amount = Shares::from_micros(micros);
        self.happen(ChainEvent::Split { wallet: wallet(who), condition: condition(market), amount });
        self.pay(who, -micros);
        (0..2).for_each(|outcome| self.give(who, market, outcome, micros));
    }

    fn merge(&mut self, who: u32, market: usize, micros: i64) {
        let amount = Shares::from_micros(micros);
        self.happen(ChainEvent::Merge { wallet: wallet(who), condition: condition(market), amount });
        self.pay(who, micros);
        (0..2).for_each(|outcome| self.give(who, market, outcome, -micros));
    }

    fn convert(&mut self, wish: &Wish) {
        let Some((group, question)) = MARKETS[wish.market].group() else { return };
        let is_adapter = matches!(MARKETS[wish.market], Kind::Adapter(_));
        let first = wish.market - usize::from(question);
        // The module converts one question at a time.
        let set = if is_adapter { usize::from(wish.set) } else { 1 << question };
        let against = |number: usize| set & (1 << number) != 0;
        let members: Vec<usize> = (0..3).filter(|number| against(*number)).collect();
        // What is missing is split first.
        for number in &members {
            if self.shares_of(wish.who, first + number, 1) <= 0 {
                self.split(wish.who, first + number, wish.micros);
            }
        }
        let least = members.iter().map(|number| self.shares_of(wish.who, first + number, 1)).min().unwrap();
        let micros = least.min(wish.micros);
        self.happen(ChainEvent::Conversion {
            wallet: wallet(wish.who),
            market: group,
            index_set: U256::from(set),
            amount: Shares::from_micros(micros),
        });
        self.pay(wish.who, micros * (i64::try_from(members.len()).unwrap() - 1));
        for number in 0..3 {
            let (outcome, change) = if against(number) { (1, -micros) } else { (0, micros) };
            self.give(wish.who, first + number, outcome, change);
        }
    }

    fn resolve(&mut self, market: usize, numerators: Vec<u64>) {
        let payouts = Payouts::new(numerators).unwrap();
        self.happen(ChainEvent::Resolution { condition: condition(market), payouts: payouts.clone() });
        self.results.insert(market, payouts);
    }

    /// The module tells one result and lets the others follow; of the made-up answer it tells only that it is the
    /// one, after the others are told to be wrong.
    fn end_module(&mut self, winner: usize) {
        let (event, _) = MARKETS[6].group().unwrap();
        if winner == 2 {
            self.resolve(6, vec![0, 1_000_000]);
            self.resolve(7, vec![0, 1_000_000]);
            self.happen(ChainEvent::Derivable { event, yes: Some(condition(8)) });
        } else {
            self.resolve(6 + winner, vec![1_000_000, 0]);
            self.happen(ChainEvent::Derivable { event, yes: None });
        }
        for question in 0..3 {
            self.results.insert(6 + question, Payouts::winner(usize::from(question != winner), 2).unwrap());
        }
    }

    /// Some collect what they won. It changes nothing.
    fn redeem(&mut self) {
        for ((who, market, _), _) in self.held.clone().into_iter().filter(|((who, ..), _)| who % 2 == 0) {
            let due = (0..2).map(|outcome| {
                let shares = Shares::from_micros(self.shares_of(who, market, outcome));
                self.results[&market].pays(outcome, shares)
            });
            let payout = due.sum();
            let is_first = !self.facts.iter().any(|fact| {
                matches!(&fact.event, ChainEvent::Redemption { wallet: of, condition: Some(which), .. }
                    if *of == wallet(who) && *which == condition(market))
            });
            if is_first {
                let condition = Some(condition(market));
                self.happen(ChainEvent::Redemption { wallet: wallet(who), condition, token: None, payout });
            }
        }
    }

    fn happen(&mut self, event: ChainEvent) {
        let place = Place {
            block_number: u64::try_from(self.minutes).unwrap(),
            block_hash: BlockHash::default(),
            block_time: Timestamp::from_micros(self.minutes * Timestamp::MINUTE),
            tx_hash: TxHash::default(),
            log_index: u32::try_from(self.facts.len()).unwrap(),
        };
        self.facts.push(Fact { place, event });
    }

    fn pay(&mut self, who: u32, micros: i64) {
        *self.cash.entry(wallet(who)).or_default() += micros;
    }

    fn give(&mut self, who: u32, market: usize, outcome: usize, micros: i64) {
        *self.held.entry((who, market, outcome)).or_default() += micros;
    }
}
