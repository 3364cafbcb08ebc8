//! A service that forgets everybody all the time, and is stopped and started at random, publishes what a history in
//! memory would have; what a reorganisation takes back and what comes late is as if it had always been so.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};
use decision::{Eligibility, History};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fact, Fee, Fill, Market, Payouts, Place, Role, Shares,
    Side, Tick, Timestamp, TokenId, TxHash, Usd, Wallet,
};
use orderflow_reputation::Reputation;
use store::facts::{Block, Point, Stretch, Writer};
use store::feed::{self, News, Wanted};
use store::scores::{self, HeldShares, Publication};
use store::states::{self, Reached};
use store::testing::TestDatabase;
use store::{Store, audit, facts, markets};

const ANYONE: Eligibility = Eligibility { decisions: 1, events: 1, active_days: 1 };
const MARKETS: u64 = 8;
/// Who loses all facts when the chain takes back a block.
const GONE: u64 = 500;
const GONE_AT: u64 = 55;
const SOURCE: &str = "http://node.example";

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn wallet(number: u64) -> Wallet {
    format!("0x{number:040x}").parse().unwrap()
}

fn condition(number: u64) -> ConditionId {
    ConditionId(B256::from(U256::from(number + 1)))
}

fn token(number: u64, outcome: u64) -> TokenId {
    TokenId(U256::from(100 + number * 2 + outcome))
}

fn market(number: u64) -> Market {
    Market {
        condition: condition(number),
        title: format!("Question {number}"),
        slug: format!("question-{number}"),
        event: format!("event {}", number / 2),
        category: None,
        outcomes: vec!["Yes".to_owned(), "No".to_owned()],
        tokens: vec![token(number, 0), token(number, 1)],
        neg_risk: false,
        place: None,
        protocol_v2: false,
        tick: Tick::CENT,
        fee_rate_ppm: 0,
        end: None,
        oracle: None,
    }
}

/// A block every five hours, so that days leave the window.
fn time(number: u64) -> Timestamp {
    Timestamp::from_seconds(1_780_000_000 + i64::try_from(number).unwrap() * 18_000)
}

fn hash(number: u64, branch: u8) -> BlockHash {
    let mut bytes = B256::from(U256::from(number));
    bytes.0[0] = branch;
    BlockHash(bytes)
}

fn fact(number: u64, branch: u8, log_index: u32, event: ChainEvent) -> Fact {
    let place = Place {
        block_number: number,
        block_hash: hash(number, branch),
        block_time: time(number),
        tx_hash: TxHash(B256::from(U256::from(number * 100 + u64::from(log_index)))),
        log_index,
    };
    Fact { place, event }
}

fn event(dice: &mut Dice) -> ChainEvent {
    let who = wallet(1 + dice.below(20));
    let which = dice.below(MARKETS);
    if dice.below(8) == 0 {
        return ChainEvent::Split { wallet: who, condition: condition(which), amount: Shares::whole(10) };
    }
    let micros = 1_000_000 + i64::try_from(dice.below(90_000_000)).unwrap();
    let ppm = 50_000 + i64::try_from(dice.below(900_000)).unwrap();
    ChainEvent::Fill(Fill {
        exchange: Exchange::V2,
        wallet: who,
        counterparty: wallet(99),
        role: if dice.below(2) == 0 { Role::Maker } else { Role::Taker },
        side: if dice.below(3) == 0 { Side::Sell } else { Side::Buy },
        token: token(which, dice.below(2)),
        shares: Shares::from_micros(micros),
        usd: Usd::from_micros(micros * ppm / 1_000_000),
        fee: Fee::Usd(Usd::from_micros(100)),
    })
}

/// A bet of somebody who has made no other, on a branch that does not last.
fn lost(side: Side) -> ChainEvent {
    ChainEvent::Fill(Fill {
        exchange: Exchange::V2,
        wallet: wallet(GONE),
        counterparty: wallet(99),
        role: Role::Taker,
        side,
        token: token(5, 0),
        shares: Shares::whole(20),
        usd: Usd::whole(if side == Side::Buy { 8 } else { 11 }),
        fee: Fee::NONE,
    })
}

fn block(number: u64, branch: u8) -> Block {
    let mut dice = Dice(number * 7 + u64::from(branch));
    let mut facts: Vec<Fact> = (0..1 + u32::try_from(dice.below(5)).unwrap())
        .map(|log| fact(number, branch, log, event(&mut dice)))
        .collect();
    if (number, branch) == (GONE_AT, 0) {
        facts.extend(
            (60..).zip([Side::Buy, Side::Sell]).map(|(log, side)| fact(number, branch, log, lost(side))),
        );
    }
    if number.is_multiple_of(20) {
        let payouts = Payouts::winner(usize::from(number.is_multiple_of(3)), 2).unwrap();
        let event = ChainEvent::Resolution { condition: condition(number / 20 - 1), payouts };
        facts.push(fact(number, branch, 50, event));
    }
    Block {
        number,
        hash: hash(number, branch),
        parent: None,
        time: time(number),
        learned: time(number),
        facts,
        unreadable: vec![],
    }
}

struct World {
    database: TestDatabase,
    store: Store,
    writer: Writer,
}

impl World {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let store = Store::over(database.pool()).await.unwrap();
        let writer = Writer::new(store.clone(), "test-listener");
        Self { database, store, writer }
    }

    async fn learn(&self, number: u64) {
        let mut transaction = self.store.begin().await.unwrap();
        markets::learn(&mut transaction, &[market(number)], time(1)).await.unwrap();
        Store::commit(transaction).await.unwrap();
    }

    async fn commit(&mut self, block: Block) {
        let blocks = [block];
        let mut transaction = self.writer.begin(&blocks).await.unwrap();
        self.writer.commit(&mut transaction, &stretch(&blocks)).await.unwrap();
        Store::commit(transaction).await.unwrap();
    }

    async fn newest(&self) -> i64 {
        feed::newest(&mut self.store.connection().await.unwrap()).await.unwrap()
    }

    /// Everything published, as text.
    async fn published(&self, statement: &'static str) -> Vec<String> {
        sqlx::query_scalar(statement).fetch_all(&self.database.pool()).await.unwrap()
    }
}

fn stretch(blocks: &[Block]) -> Stretch<'_> {
    let last = blocks.last().unwrap();
    Stretch {
        from: blocks.first().unwrap().number,
        through: Point { number: last.number, hash: last.hash },
        blocks,
        source: SOURCE,
    }
}

const STATS: &str =
    "SELECT (to_jsonb(s) - 'updated_at')::text FROM orderflow_wallet_stats s ORDER BY wallet_address";
const HISTORY: &str = "SELECT h::text FROM orderflow_score_history h ORDER BY wallet_address, as_of";
const HELD: &str = "SELECT (to_jsonb(p) - 'updated_at' - 'save')::text FROM orderflow_wallet_positions p
     WHERE (shares, cost_usd, realized_pnl_usd) <> (0, 0, 0) ORDER BY wallet_address, token_id";
/// What does not depend on when it was looked at.
const SUMS: &str = "SELECT concat_ws(' ', wallet_address, total_pnl_usd, total_volume_usd, total_trades,
            closed_decisions, winning_decisions, distinct_events, active_days)
     FROM orderflow_wallet_stats WHERE (total_pnl_usd, total_trades, closed_decisions) <> (0, 0, 0)
     ORDER BY wallet_address";

/// What a history in memory publishes.
struct InMemory {
    history: History,
    seq: i64,
}

impl InMemory {
    async fn catch_up(&mut self, world: &World) {
        let mut connection = world.store.connection().await.unwrap();
        for item in feed::read(&mut connection, self.seq, i64::MAX, 10_000, Wanted::Facts).await.unwrap() {
            self.seq = item.seq;
            match item.news {
                News::Block(facts) => self.history.apply_batch(&facts),
                News::Market(market) => self.history.learn(&market),
                other => panic!("{other:?}"),
            }
        }
    }

    async fn publish(&mut self, world: &World, at: Timestamp) {
        let verdicts = self.history.pass(at);
        let held: Vec<HeldShares> = self.history.moved().into_iter().map(held).collect();
        let mut transaction = world.store.begin().await.unwrap();
        let publication = Publication { as_of: at, learned: at, folded: self.seq };
        if scores::write(&mut transaction, publication, &verdicts).await.unwrap() > 0 {
            scores::tell(&mut transaction, at, at).await.unwrap();
        }
        let reached = Reached { seq: self.seq, block: Some(0), is_behind: false, settled: u64::MAX };
        let saving = states::begin_save(&mut transaction, reached).await.unwrap();
        saving.held(&mut transaction, &held).await.unwrap();
        saving.end(&mut transaction).await.unwrap();
        Store::commit(transaction).await.unwrap();
    }
}

fn held(position: decision::reputation::WalletPosition) -> HeldShares {
    HeldShares {
        wallet: position.wallet,
        token: position.token,
        shares: position.holding.shares,
        cost: position.holding.cost,
        realized: position.holding.realized,
    }
}

#[tokio::test]
async fn a_service_that_forgets_and_restarts_publishes_what_one_in_memory_does() {
    let (mut paged, mut whole) = (World::new().await, World::new().await);
    let mut reference = InMemory { history: History::new(ANYONE), seq: 0 };
    let mut service = Reputation::resume_within(paged.store.clone(), ANYONE, 0).await.unwrap();
    let mut dice = Dice(5);
    for number in 1..=180u64 {
        // Some markets are described long after they were traded.
        if (number - 1).is_multiple_of(9) && (number - 1) / 9 < MARKETS {
            paged.learn((number - 1) / 9).await;
            whole.learn((number - 1) / 9).await;
        }
        paged.commit(block(number, 0)).await;
        whole.commit(block(number, 0)).await;
        if dice.below(4) == 0 {
            service.catch_up(i64::MAX).await.unwrap();
        }
        if dice.below(6) == 0 {
            // Whatever was not saved is folded again.
            service = Reputation::resume_within(paged.store.clone(), ANYONE, 0).await.unwrap();
        }
        if dice.below(9) == 0 || number == 180 {
            let at = time(number).plus_micros(Timestamp::HOUR);
            service.catch_up(i64::MAX).await.unwrap();
            reference.catch_up(&whole).await;
            let pass = service.publish(at, at).await.unwrap();
            reference.publish(&whole, at).await;
            assert_eq!(paged.published(HELD).await, whole.published(HELD).await, "at {number}");
            assert_eq!(paged.published(STATS).await, whole.published(STATS).await, "at {number}");
            assert_eq!(pass.wallets, reference.history.wallets());
        }
    }
    let history = paged.published(HISTORY).await;
    assert!(history.len() > 100, "{}", history.len());
    assert_eq!(history, whole.published(HISTORY).await);
}

/// The facts of the chain as it is in the end, in memory.
async fn anew(world: &World) -> (BTreeMap<Wallet, String>, Vec<String>) {
    let mut history = History::new(ANYONE);
    (0..MARKETS).for_each(|number| history.learn(&market(number)));
    let mut connection = world.store.connection().await.unwrap();
    let blocks = facts::in_chain_order(&mut connection, None, i64::MAX, 10_000).await.unwrap();
    let all: Vec<Fact> = blocks.into_iter().flat_map(|(_, facts)| facts).collect();
    history.apply_batch(&all);
    let target = World::new().await;
    InMemory { history, seq: 0 }.publish(&target, time(500)).await;
    let sums = target.published(SUMS).await;
    let by_wallet = sums.into_iter().map(|row| (row.split(' ').next().unwrap().parse().unwrap(), row));
    (by_wallet.collect(), target.published(HELD).await)
}

async fn assert_as_if_anew(world: &World) {
    let (sums, held) = anew(world).await;
    assert_eq!(world.published(SUMS).await, sums.into_values().collect::<Vec<_>>());
    assert_eq!(world.published(HELD).await, held);
}

async fn started() -> (World, Reputation) {
    let mut world = World::new().await;
    for number in 0..MARKETS {
        world.learn(number).await;
    }
    // Up to block 30 everything is confirmed.
    for number in 1..=30 {
        world.commit(block(number, 0)).await;
    }
    let all: Vec<Block> = (1..=30).map(|number| block(number, 0)).collect();
    audit::heal(&mut world.writer, &stretch(&all)).await.unwrap();
    let mut service = Reputation::resume_within(world.store.clone(), ANYONE, 0).await.unwrap();
    service.catch_up(i64::MAX).await.unwrap();
    for number in 31..=60 {
        world.commit(block(number, 0)).await;
        service.catch_up(i64::MAX).await.unwrap();
    }
    service.publish(time(61), time(61)).await.unwrap();
    assert_as_if_anew(&world).await;
    (world, service)
}

const STATS_TIER: &str = "SELECT trader_tier FROM orderflow_wallet_stats WHERE wallet_address = $1";
const HISTORY_TIER: &str =
    "SELECT trader_tier FROM orderflow_score_history WHERE wallet_address = $1 ORDER BY as_of DESC LIMIT 1";

/// The tier of who lost everything.
async fn tier_of(world: &World, statement: &'static str) -> Option<String> {
    sqlx::query_scalar(statement)
        .bind(wallet(GONE).to_string())
        .fetch_optional(&world.database.pool())
        .await
        .unwrap()
}

async fn oldest_save(world: &World) -> i64 {
    sqlx::query_scalar("SELECT min(save) FROM orderflow_wallet_saves")
        .fetch_one(&world.database.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_reorganisation_takes_back_what_it_touched_and_no_more() {
    let (mut world, mut service) = started().await;
    let oldest = oldest_save(&world).await;
    let mut transaction = world.store.begin().await.unwrap();
    world.writer.revert(&mut transaction, Point { number: 52, hash: hash(52, 0) }, time(62)).await.unwrap();
    Store::commit(transaction).await.unwrap();
    for number in 53..=63 {
        world.commit(block(number, 1)).await;
    }
    assert!(tier_of(&world, STATS_TIER).await.is_some_and(|tier| tier != "UNRATED"));
    service.catch_up(i64::MAX).await.unwrap();
    assert!(service.is_outdated());
    // Nothing was folded anew.
    assert_eq!(oldest_save(&world).await, oldest);
    drop(service);
    let mut service = Reputation::resume(world.store.clone(), ANYONE).await.unwrap();
    assert!(service.is_outdated());
    service.catch_up(i64::MAX).await.unwrap();
    service.publish(time(64), time(64)).await.unwrap();
    assert!(!service.is_outdated());
    assert_as_if_anew(&world).await;
    // Whoever acts on verdicts hears that there is nothing left of this one.
    assert_eq!(tier_of(&world, STATS_TIER).await.as_deref(), Some("UNRATED"));
    assert_eq!(tier_of(&world, HISTORY_TIER).await.as_deref(), Some("UNRATED"));
}

#[tokio::test]
async fn a_late_fact_is_folded_where_it_belongs() {
    let (mut world, mut service) = started().await;
    let mut blocks: Vec<Block> = (31..=60).map(|number| block(number, 0)).collect();
    let mut dice = Dice(77);
    blocks[9].facts.push(fact(40, 0, 60, event(&mut dice)));
    let differences = audit::heal(&mut world.writer, &stretch(&blocks)).await.unwrap();
    assert_eq!(differences.missing, 1);
    service.catch_up(i64::MAX).await.unwrap();
    service.publish(time(64), time(64)).await.unwrap();
    assert_as_if_anew(&world).await;
}

#[tokio::test]
async fn what_is_confirmed_and_changes_all_the_same_is_folded_anew() {
    let (mut world, mut service) = started().await;
    let mut blocks: Vec<Block> = (1..=30).map(|number| block(number, 0)).collect();
    let mut dice = Dice(78);
    blocks[2].facts.push(fact(3, 0, 60, event(&mut dice)));
    assert_eq!(audit::heal(&mut world.writer, &stretch(&blocks)).await.unwrap().missing, 1);
    service.catch_up(world.newest().await).await.unwrap();
    service.publish(time(64), time(64)).await.unwrap();
    assert_as_if_anew(&world).await;
    service.rebuild().await.unwrap();
    service.publish(time(65), time(65)).await.unwrap();
    assert_as_if_anew(&world).await;
}
