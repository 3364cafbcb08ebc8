//! The simulated world keeps its promises: it repeats itself, nothing comes from nowhere, and only those
//! who are said to know anything do.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use alloy_primitives::{B256, keccak256};
use devnet::world::{Cast, NewBlock, World, WorldConfig};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fee, Fill, Payouts, Role, Side, Timestamp, TokenId, TxHash,
    Wallet,
};
use polygon::contracts::is_protocol_contract;
use polygon::decode::{Decoded, decode};
use polygon::log::RawLog;

const START: Timestamp = Timestamp::from_seconds(1_795_420_800);

fn config() -> WorldConfig {
    WorldConfig { speed: 1.0, wallets: 3_000, skilled: 40, history_days: 45, cast: Cast::Vivid }
}

/// A quarter of an hour of present, the past before it.
fn world(seed: u64) -> (World, Vec<NewBlock>) {
    let mut world = World::new(seed, config(), START);
    let blocks = world.advance(START.plus_micros(15 * Timestamp::MINUTE));
    (world, blocks)
}

fn digest(blocks: &[NewBlock]) -> B256 {
    let mut bytes = Vec::new();
    for block in blocks {
        bytes.extend(block.number.to_be_bytes());
        bytes.extend(block.at.micros().to_be_bytes());
        for log in block.txs.iter().flat_map(|tx| &tx.logs) {
            bytes.extend(log.address);
            log.topics.iter().for_each(|topic| bytes.extend(topic));
            bytes.extend(&log.data);
        }
    }
    keccak256(bytes)
}

/// What happened, in order, each with its block's time and transaction.
fn events(blocks: &[NewBlock]) -> Vec<(Timestamp, B256, ChainEvent)> {
    let mut events = Vec::new();
    for block in blocks {
        for tx in &block.txs {
            for log in &tx.logs {
                let raw = RawLog {
                    address: log.address,
                    topics: log.topics.clone().try_into().unwrap(),
                    data: log.data.clone(),
                    block_number: block.number,
                    block_hash: BlockHash(B256::ZERO),
                    block_timestamp: Some(block.at),
                    tx_hash: TxHash(tx.hash),
                    log_index: 0,
                    removed: false,
                };
                if let Decoded::Event(event) = decode(&raw).unwrap() {
                    events.push((block.at, tx.hash, event));
                }
            }
        }
    }
    events
}

#[test]
fn a_seed_is_a_world() {
    let [one, again, other] = [7, 7, 8].map(|seed| digest(&world(seed).1));
    assert_eq!(one, again);
    assert_ne!(one, other);
    // How often it is looked at does not matter.
    let mut slow = World::new(7, config(), START);
    let mut blocks = Vec::new();
    for second in 0..=15 * 60 {
        blocks.extend(slow.advance(START.plus_micros(second * 1_000_000)));
    }
    assert_eq!(digest(&blocks), one);
}

/// A past that is told is the one that is kept.
#[test]
fn a_past_can_be_told_instead() {
    let config = WorldConfig { wallets: 200, skilled: 8, history_days: 12, cast: Cast::Even, speed: 1.0 };
    let mut told = Vec::new();
    let mut teller = World::telling(7, config, START, |markets, block| {
        assert!(!markets.is_empty());
        told.push(block);
    });
    assert_eq!(teller.skilled().len(), 8);
    assert!(teller.advance(START.plus_micros(-1)).is_empty());
    let kept = World::new(7, config, START).advance(START.plus_micros(-1));
    assert_eq!(told, kept);
    assert!(told.iter().flat_map(NewBlock::facts).count() > 5_000);
}

/// In a world where knowledge is the only difference, only those who have some earn, and it does not show otherwise.
#[test]
fn in_an_even_world_knowledge_is_the_only_difference() {
    let config = WorldConfig { wallets: 1_000, skilled: 100, history_days: 60, cast: Cast::Even, speed: 1.0 };
    let mut world = World::new(4, config, START);
    let blocks = world.advance(START.plus_micros(-1));
    let records = records(&world, &blocks);
    let skilled: BTreeSet<Wallet> = world.skilled().into_iter().collect();
    let degens: BTreeSet<Wallet> = world.degens().into_iter().collect();
    let of = |chosen: &dyn Fn(&Wallet) -> bool| {
        let chosen = records.iter().filter(|(wallet, record)| chosen(wallet) && record.decisions > 0);
        pooled(chosen.map(|(_, record)| record)).0
    };
    let (knowing, careless) = (of(&|wallet| skilled.contains(wallet)), of(&|wallet| degens.contains(wallet)));
    assert!((0.12..0.30).contains(&knowing), "{knowing}");
    assert!((-0.10..0.0).contains(&careless), "{careless}");
    let crowd = of(&|wallet| !skilled.contains(wallet) && !degens.contains(wallet));
    assert!((-0.05..0.01).contains(&crowd), "{crowd}");
    assert!(records.values().filter(|record| record.decisions > 0).all(|record| record.days.len() >= 21));
}

/// What the world says it did is what its logs say, where these name somebody.
#[test]
fn deeds_are_what_the_logs_say() {
    let (_, blocks) = world(9);
    let told = blocks.iter().flat_map(|block| &block.txs).flat_map(|tx| &tx.deeds).map(|deed| &deed.event);
    let read: Vec<ChainEvent> = events(&blocks).into_iter().map(|(_, _, event)| event).collect();
    let of = |kind: fn(&ChainEvent) -> bool| read.iter().filter(move |event| kind(event));
    let fills = |event: &ChainEvent| matches!(event, ChainEvent::Fill(_));
    assert!(told.clone().filter(|event| fills(event)).eq(of(fills)));
    let answers = |event: &ChainEvent| matches!(event, ChainEvent::Resolution { .. });
    assert!(told.clone().filter(|event| answers(event)).eq(of(answers)));
    let births = |event: &ChainEvent| matches!(event, ChainEvent::Preparation { .. });
    assert!(told.clone().filter(|event| births(event)).eq(of(births)));
    let by_themselves = |event: &&ChainEvent| {
        matches!(event, ChainEvent::Split { wallet, .. } | ChainEvent::Merge { wallet, .. }
            if !is_protocol_contract(wallet.0))
    };
    let named: Vec<&ChainEvent> = read.iter().filter(by_themselves).collect();
    let told: Vec<&ChainEvent> = told.filter(by_themselves).collect();
    assert!(named.iter().all(|event| told.contains(event)));
    assert!(
        named.len() * 10 > told.len() * 4 && named.len() * 10 < told.len() * 8,
        "{} {}",
        named.len(),
        told.len()
    );
}

#[test]
fn blocks_follow_each_other() {
    let begun = Instant::now();
    let (world, blocks) = world(1);
    println!("made in {:?}", begun.elapsed());
    let fills = |blocks: &[NewBlock]| {
        events(blocks).iter().filter(|(_, _, event)| matches!(event, ChainEvent::Fill(_))).count()
    };
    let (past, live): (Vec<_>, Vec<_>) = blocks.iter().cloned().partition(|block| block.at < START);
    println!("{} past blocks, {} live, {} markets", past.len(), live.len(), world.markets().len());
    println!("{} past fills, {} live", fills(&past), fills(&live));
    for pair in blocks.windows(2) {
        assert_eq!(pair[1].number, pair[0].number + 1);
        assert!(pair[1].at >= pair[0].at);
    }
    assert!((10_000..40_000).contains(&past.len()));
    assert!((60_000..120_000).contains(&fills(&past)), "{}", fills(&past));
    assert_eq!(live.len(), 601, "one each second and a half");
    for block in live.windows(8) {
        assert!((8 * 10..8 * 60).contains(&fills(block)), "{}", fills(block));
    }
    let txs: Vec<B256> = blocks.iter().flat_map(|block| &block.txs).map(|tx| tx.hash).collect();
    assert_eq!(txs.iter().collect::<BTreeSet<_>>().len(), txs.len(), "no hash twice");
}

#[derive(Default)]
struct Ledger {
    held: BTreeMap<(TokenId, Wallet), i64>,
    totals: BTreeMap<TokenId, i64>,
}

impl Ledger {
    fn add(&mut self, token: TokenId, wallet: Wallet, micros: i64) {
        let held = self.held.entry((token, wallet)).or_default();
        *held += micros;
        assert!(*held >= 0, "{wallet} sold what it never had");
        *self.totals.entry(token).or_default() += micros;
    }
}

#[test]
fn nothing_comes_from_nowhere() {
    let (world, blocks) = world(2);
    let tokens: BTreeMap<ConditionId, [TokenId; 2]> =
        world.markets().iter().map(|market| (market.condition, market.tokens)).collect();
    let mut ledger = Ledger::default();
    let mut kinds = BTreeSet::new();
    let deeds = blocks.iter().flat_map(|block| &block.txs).flat_map(|tx| &tx.deeds);
    for event in deeds.map(|deed| deed.event.clone()) {
        match event {
            ChainEvent::Fill(fill) => {
                kinds.insert(fill.exchange);
                assert!(!is_protocol_contract(fill.wallet.0));
                ledger.add(fill.token, fill.wallet, fill.share_change().micros());
            }
            ChainEvent::Split { wallet, condition, amount } => {
                assert!(!is_protocol_contract(wallet.0));
                tokens[&condition].iter().for_each(|token| ledger.add(*token, wallet, amount.micros()));
            }
            ChainEvent::Merge { wallet, condition, amount } => {
                assert!(!is_protocol_contract(wallet.0));
                tokens[&condition].iter().for_each(|token| ledger.add(*token, wallet, -amount.micros()));
            }
            _ => {}
        }
    }
    assert_eq!(kinds, BTreeSet::from([Exchange::V2, Exchange::V2NegRisk, Exchange::V3]));
    for [yes, no] in tokens.values() {
        // Shares of both outcomes are made and unmade only together.
        assert_eq!(ledger.totals.get(yes), ledger.totals.get(no));
    }
}

/// The rows of one match, as a transaction holds them.
#[test]
fn every_match_adds_up() {
    let (world, blocks) = world(3);
    let rates: BTreeMap<TokenId, u32> = world
        .markets()
        .iter()
        .flat_map(|market| market.tokens.map(|token| (token, market.fee_rate_ppm)))
        .collect();
    let mut by_tx: BTreeMap<B256, (Vec<Fill>, Vec<ChainEvent>)> = BTreeMap::new();
    for (_, tx, event) in events(&blocks) {
        let entry = by_tx.entry(tx).or_default();
        match event {
            ChainEvent::Fill(fill) => entry.0.push(fill),
            event @ (ChainEvent::Match { .. } | ChainEvent::Fee { .. }) => entry.1.push(event),
            _ => {}
        }
    }
    let (mut mints, mut merges, mut most_makers) = (0, 0, 0);
    for (fills, others) in by_tx.into_values().filter(|(fills, _)| !fills.is_empty()) {
        let (taker, makers) = fills.split_last().unwrap();
        assert_eq!(taker.role, Role::Taker);
        most_makers = most_makers.max(makers.len());
        let mut usd = 0;
        for maker in makers {
            assert_eq!((maker.role, maker.counterparty, maker.fee), (Role::Maker, taker.wallet, Fee::NONE));
            assert_eq!(maker.side == taker.side, maker.token != taker.token);
            usd += if maker.side == taker.side {
                maker.shares.micros() - maker.usd.micros()
            } else {
                maker.usd.micros()
            };
            mints += u32::from(maker.side == taker.side && taker.side == Side::Buy);
            merges += u32::from(maker.side == taker.side && taker.side == Side::Sell);
        }
        assert_eq!(usd, taker.usd.micros());
        assert_eq!(makers.iter().map(|maker| maker.shares.micros()).sum::<i64>(), taker.shares.micros());
        let (shares, price) = (taker.shares.to_f64(), taker.usd.to_f64() / taker.shares.to_f64());
        let fee = shares * f64::from(rates[&taker.token]) / 1e6 * price * (1.0 - price);
        let Fee::Usd(charged) = taker.fee else { panic!("{:?}", taker.fee) };
        assert!((charged.to_f64() - fee).abs() <= 0.000_005_1, "{charged} instead of {fee}");
        assert_eq!(charged.micros() % 10, 0);
        let told = others.iter().filter(|event| {
            matches!(event, ChainEvent::Match { wallet, shares, usd, .. }
                if (*wallet, *shares, *usd) == (taker.wallet, taker.shares, taker.usd))
        });
        assert_eq!(told.count(), 1);
        let fees = others.iter().filter(|event| matches!(event, ChainEvent::Fee { .. })).count();
        assert_eq!(fees, usize::from(charged.is_positive()));
    }
    assert!(mints > 1_000 && merges > 100 && most_makers >= 3, "{mints} {merges} {most_makers}");
}

/// A wallet's record as a follower of the chain would make it.
#[derive(Clone, Default)]
struct Record {
    /// Purchases as taker: shares, cost, won shares, and the sum of standard deviations.
    decisions: u32,
    edge: f64,
    deviation: f64,
    wins: u32,
    conditions: BTreeSet<ConditionId>,
    days: BTreeSet<i64>,
    smallest_usd: f64,
}

/// The records of all takers' purchases up to `until` on conditions answered by then.
fn records(world: &World, blocks: &[NewBlock]) -> BTreeMap<Wallet, Record> {
    let all = events(blocks);
    let mut payouts: BTreeMap<ConditionId, Payouts> = BTreeMap::new();
    for (_, _, event) in &all {
        if let ChainEvent::Resolution { condition, payouts: paid } = event {
            assert!(payouts.insert(*condition, paid.clone()).is_none(), "answered twice");
        }
    }
    let places: BTreeMap<TokenId, (ConditionId, usize)> = world
        .markets()
        .iter()
        .flat_map(|market| [0, 1].map(|outcome| (market.tokens[outcome], (market.condition, outcome))))
        .collect();
    let mut records: BTreeMap<Wallet, Record> = BTreeMap::new();
    for (at, _, event) in &all {
        let ChainEvent::Fill(fill) = event else { continue };
        let record = records.entry(fill.wallet).or_default();
        record.days.insert(at.day());
        let (condition, outcome) = places[&fill.token];
        let (Role::Taker, Side::Buy, Some(paid)) = (fill.role, fill.side, payouts.get(&condition)) else {
            continue;
        };
        let price = fill.price().unwrap().to_f64();
        record.smallest_usd =
            if record.decisions == 0 { f64::MAX } else { record.smallest_usd }.min(fill.usd.to_f64());
        record.decisions += 1;
        record.edge += paid.fraction(outcome) - price;
        record.deviation += (price * (1.0 - price)).sqrt();
        record.wins += u32::from(paid.fraction(outcome) > 0.5);
        record.conditions.insert(condition);
    }
    records
}

fn pooled<'a>(records: impl Iterator<Item = &'a Record>) -> (f64, f64) {
    let (edge, deviation, decisions) = records.fold((0.0, 0.0, 0.0), |sum, record| {
        (sum.0 + record.edge, sum.1 + record.deviation, sum.2 + f64::from(record.decisions))
    });
    (edge / deviation, edge / decisions)
}

#[test]
fn only_those_who_know_earn() {
    let (world, blocks) = world(4);
    let past: Vec<NewBlock> = blocks.into_iter().filter(|block| block.at < START).collect();
    let records = records(&world, &past);
    let skilled: BTreeSet<Wallet> = world.skilled().into_iter().collect();
    let degens: BTreeSet<Wallet> = world.degens().into_iter().collect();
    assert_eq!((skilled.len(), degens.len()), (40, 600));
    let event_of: BTreeMap<ConditionId, usize> =
        world.markets().iter().map(|market| (market.condition, market.event_id)).collect();

    let (kappa, _) =
        pooled(records.iter().filter(|(wallet, _)| skilled.contains(wallet)).map(|(_, record)| record));
    assert!((0.5..0.75).contains(&kappa), "skilled {kappa}");
    let (kappa, _) =
        pooled(records.iter().filter(|(wallet, _)| degens.contains(wallet)).map(|(_, record)| record));
    assert!((-0.6..-0.25).contains(&kappa), "degens {kappa}");
    let crowd = records.iter().filter(|(wallet, _)| !skilled.contains(wallet) && !degens.contains(wallet));
    let (kappa, edge) = pooled(crowd.clone().map(|(_, record)| record));
    assert!((-0.05..0.01).contains(&kappa) && edge.abs() < 0.02, "crowd {kappa} {edge}");

    for wallet in &skilled {
        let record = &records[wallet];
        let events: BTreeSet<usize> = record.conditions.iter().map(|condition| event_of[condition]).collect();
        assert!(record.decisions >= 60, "{} decisions", record.decisions);
        assert!(events.len() >= 25, "{} events", events.len());
        assert!(record.days.len() >= 21, "{} days", record.days.len());
        assert!(record.smallest_usd >= 600.0, "${}", record.smallest_usd);
        assert!(record.edge > 0.0, "somebody who knows lost");
    }
    // Luck and favourites: a raw win rate calls many winners who know nothing.
    let winners =
        crowd.filter(|(_, record)| record.decisions >= 10 && record.wins * 10 >= record.decisions * 7);
    assert!(winners.count() > 50);
    // Degens whose record can be judged, for those who fade them.
    let judged = records.iter().filter(|(wallet, record)| {
        degens.contains(wallet) && record.decisions >= 40 && record.days.len() >= 21
    });
    assert!(judged.count() >= 40);
}

#[test]
fn the_present_is_lively() {
    let (world, blocks) = world(5);
    let live: Vec<NewBlock> = blocks.into_iter().filter(|block| block.at >= START).collect();
    let skilled: BTreeSet<Wallet> = world.skilled().into_iter().collect();
    let seconds = 15.0 * 60.0;
    let followed = events(&live)
        .into_iter()
        .filter(|(_, _, event)| {
            matches!(event, ChainEvent::Fill(fill) if skilled.contains(&fill.wallet)
                && fill.side == Side::Buy
                && fill.usd.to_f64() >= 600.0
                && (0.25..0.75).contains(&fill.price().unwrap().to_f64()))
        })
        .count();
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let pace = seconds / followed as f64;
    assert!(pace < 2.0, "a purchase worth following every {pace} seconds");
    let open = world.markets().iter().filter(|market| market.opens >= START && !market.closed).count();
    assert!((40..=43).contains(&open), "{open} open");
    for market in world.markets().iter().filter(|market| market.opens >= START.plus_micros(5_000_000)) {
        let life = market.closes.micros_since(market.opens);
        assert!((14_000_000..=62_000_000).contains(&life), "{life} µs");
    }
}

/// A panic: at least six degens sell the same token within ten seconds, and its price falls by eight cents.
#[test]
fn there_are_panics() {
    let (world, blocks) = world(6);
    let degens: BTreeSet<Wallet> = world.degens().into_iter().collect();
    let mut sales: BTreeMap<TokenId, Vec<(Timestamp, Wallet, f64)>> = BTreeMap::new();
    for (at, _, event) in events(&blocks) {
        if let ChainEvent::Fill(fill) = event
            && at >= START
            && fill.side == Side::Sell
            && degens.contains(&fill.wallet)
        {
            let price = fill.price().unwrap().to_f64();
            sales.entry(fill.token).or_default().push((at, fill.wallet, price));
        }
    }
    let panics = sales
        .values()
        .filter(|sales| {
            let crowd: BTreeSet<Wallet> = sales.iter().map(|sale| sale.1).collect();
            let high = sales.iter().map(|sale| sale.2).fold(0.0, f64::max);
            let low = sales.iter().map(|sale| sale.2).fold(1.0, f64::min);
            crowd.len() >= 6 && high - low >= 0.08
        })
        .count();
    assert!(panics >= 15, "{panics} panics in a quarter of an hour");
}

#[test]
fn odd_worlds_stand_too() {
    for (wallets, skilled, history_days, speed) in
        [(0, 0, 0, 1.0), (3, 40, 1, 0.0), (50, 10, 2, f64::NAN), (200, 200, 3, 20.0), (100, 5, 0, 1e9)]
    {
        let cast = if wallets % 100 == 0 { Cast::Even } else { Cast::Vivid };
        let mut world = World::new(1, WorldConfig { speed, wallets, skilled, history_days, cast }, START);
        let blocks = world.advance(START.plus_micros(20_000_000));
        assert!(!blocks.is_empty());
        assert_eq!(world.skilled().len(), skilled.min(wallets / 4));
        assert!(blocks.windows(2).all(|pair| pair[0].at <= pair[1].at));
    }
}
