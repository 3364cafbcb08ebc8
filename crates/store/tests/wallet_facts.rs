//! One wallet's past out of PostgreSQL: all that it did and what came of it, as of any place in the outbox, and
//! nothing of anybody else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use alloy_primitives::{Address, B256, U256};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fact, Fee, FeeKind, Fill, Market, NegRiskPlace, Payouts,
    Place, Role, Shares, Side, Tick, Timestamp, TokenId, TxHash, Usd, Wallet,
};
use store::facts::{self, Block, Point, Stretch, WalletFacts, Writer};
use store::testing::TestDatabase;
use store::{Store, audit, feed, markets, resume};

const SOURCE: &str = "http://node.example";
/// What the questions 6 and 7 share: an adapter's market, 31 bytes and a zero.
const GROUP: B256 = {
    let mut id = [7; 32];
    id[31] = 0;
    B256::new(id)
};

fn wallet(who: u8) -> Wallet {
    Wallet(Address::repeat_byte(who))
}

fn condition(number: u8) -> ConditionId {
    ConditionId(B256::repeat_byte(number))
}

fn token(number: u8, outcome: u8) -> TokenId {
    TokenId(U256::from(100 + u16::from(number) * 2 + u16::from(outcome)))
}

fn hash(number: u64) -> BlockHash {
    BlockHash(B256::from(U256::from(number)))
}

fn time(number: u64) -> Timestamp {
    Timestamp::from_seconds(1_780_000_000 + i64::try_from(number).unwrap())
}

/// Each is of its own event, but for the questions 6 and 7, of which at most one is answered with yes.
fn market(number: u8) -> Market {
    let place = number.checked_sub(6).filter(|question| *question < 2).map(|question| NegRiskPlace {
        market: GROUP,
        question,
        questions: Some(2),
    });
    Market {
        condition: condition(number),
        title: format!("Question {number}"),
        slug: format!("question-{number}"),
        event: place.map_or_else(|| format!("event-{number}"), |_| "group".to_owned()),
        category: None,
        outcomes: vec!["Yes".into(), "No".into()],
        tokens: vec![token(number, 0), token(number, 1)],
        neg_risk: place.is_some(),
        place,
        protocol_v2: false,
        tick: Tick::CENT,
        fee_rate_ppm: 0,
        end: None,
        oracle: None,
    }
}

fn fact(number: u64, log_index: u32, event: ChainEvent) -> Fact {
    let place = Place {
        block_number: number,
        block_hash: hash(number),
        block_time: time(number),
        tx_hash: TxHash(B256::from(U256::from(number * 1_000 + u64::from(log_index)))),
        log_index,
    };
    Fact { place, event }
}

fn block(number: u64, events: Vec<ChainEvent>) -> Block {
    Block {
        number,
        hash: hash(number),
        parent: Some(hash(number - 1)),
        time: time(number),
        learned: time(number),
        facts: (0..).zip(events).map(|(log, event)| fact(number, log, event)).collect(),
        unreadable: vec![],
    }
}

fn buy(who: u8, number: u8) -> ChainEvent {
    ChainEvent::Fill(Fill {
        exchange: Exchange::V2,
        wallet: wallet(who),
        counterparty: wallet(200),
        role: Role::Taker,
        side: Side::Buy,
        token: token(number, 0),
        shares: Shares::whole(50),
        usd: Usd::whole(20),
        fee: Fee::NONE,
    })
}

fn split(who: u8, number: u8) -> ChainEvent {
    ChainEvent::Split { wallet: wallet(who), condition: condition(number), amount: Shares::whole(5) }
}

fn merge(who: u8, number: u8) -> ChainEvent {
    ChainEvent::Merge { wallet: wallet(who), condition: condition(number), amount: Shares::whole(2) }
}

fn resolution(number: u8) -> ChainEvent {
    ChainEvent::Resolution { condition: condition(number), payouts: Payouts::winner(0, 2).unwrap() }
}

fn redemption(who: u8, condition: Option<ConditionId>, token: Option<TokenId>) -> ChainEvent {
    ChainEvent::Redemption { wallet: wallet(who), condition, token, payout: Usd::whole(50) }
}

fn refund(who: u8, number: u8) -> ChainEvent {
    ChainEvent::Fee {
        exchange: None,
        kind: FeeKind::Refunded,
        receiver: wallet(who),
        token: Some(token(number, 1)),
        micros: 77,
    }
}

fn conversion(who: u8) -> ChainEvent {
    ChainEvent::Conversion {
        wallet: wallet(who),
        market: GROUP,
        index_set: U256::from(1u8),
        amount: Shares::whole(3),
    }
}

fn derivable(event: B256) -> ChainEvent {
    ChainEvent::Derivable { event, yes: None }
}

fn stretch(blocks: &[Block]) -> Stretch<'_> {
    let (first, last) = (blocks.first().unwrap(), blocks.last().unwrap());
    Stretch {
        from: first.number,
        through: Point { number: last.number, hash: last.hash },
        blocks,
        source: SOURCE,
    }
}

struct World {
    _database: TestDatabase,
    store: Store,
    writer: Writer,
}

impl World {
    async fn begin() -> Self {
        let database = TestDatabase::create().await;
        let store = Store::over(database.pool()).await.unwrap();
        let writer = Writer::new(store.clone(), "test-listener");
        Self { _database: database, store, writer }
    }

    async fn describe(&self, numbers: &[u8]) {
        let described: Vec<Market> = numbers.iter().map(|number| market(*number)).collect();
        markets::learn(&mut self.store.connection().await.unwrap(), &described, time(0)).await.unwrap();
    }

    async fn commit(&mut self, blocks: &[Block]) {
        let (mut transaction, _) = self.writer.begin(blocks).await.unwrap();
        self.writer.commit(&mut transaction, &stretch(blocks)).await.unwrap();
        Store::commit(transaction).await.unwrap();
    }

    async fn newest(&self) -> i64 {
        feed::newest(&mut self.store.connection().await.unwrap()).await.unwrap()
    }

    /// What was known of a wallet at a place: where and what happened, and which questions were described.
    async fn known(&self, who: u8, until: i64) -> (Vec<Fact>, Vec<ConditionId>) {
        let mut connection = self.store.connection().await.unwrap();
        let WalletFacts { facts, markets } =
            facts::of_wallet(&mut connection, wallet(who), until).await.unwrap();
        (facts, markets.into_iter().map(|market| market.condition).collect())
    }
}

#[tokio::test]
async fn all_that_a_wallet_did_and_what_came_of_it_is_found_and_nothing_else() {
    let mut world = World::begin().await;
    world.describe(&[1, 2, 3, 4, 5, 6, 7, 8, 9]).await;
    let blocks = [
        block(10, vec![buy(1, 1), buy(2, 8), split(1, 2), split(2, 9)]),
        block(11, vec![merge(1, 2), refund(1, 3), refund(2, 8), conversion(1)]),
        block(12, vec![resolution(1), resolution(9), redemption(1, Some(condition(4)), None)]),
        block(
            13,
            vec![redemption(1, None, Some(token(5, 0))), derivable(GROUP), derivable(B256::repeat_byte(99))],
        ),
        block(14, vec![resolution(7), resolution(8), resolution(5)]),
    ];
    world.commit(&blocks).await;
    let newest = world.newest().await;
    let own = |log: u32, number: usize| blocks[number - 10].facts[log as usize].clone();
    let expected = [
        own(0, 10),
        own(2, 10),
        own(0, 11),
        own(1, 11),
        own(3, 11),
        own(0, 12),
        own(2, 12),
        own(0, 13),
        own(1, 13),
        own(0, 14),
        own(2, 14),
    ];
    let (facts, markets) = world.known(1, newest).await;
    assert_eq!(facts, expected, "in the order in which it happened");
    // Of what it converted in, both questions.
    assert_eq!(markets, [1, 2, 3, 4, 5, 6, 7].map(condition));

    let (facts, markets) = world.known(2, newest).await;
    let expected = [own(1, 10), own(3, 10), own(2, 11), own(1, 12), own(1, 14)];
    assert_eq!((facts.as_slice(), markets.as_slice()), (&expected[..], &[8, 9].map(condition)[..]));
    assert_eq!(world.known(3, newest).await, (vec![], vec![]));

    // Block by block: each is an item behind the nine descriptions.
    for (told, last) in (1i64..).zip(&blocks) {
        let known = world.known(1, newest - 5 + told).await.0;
        let until: Vec<&Fact> = known.iter().filter(|fact| last.number < fact.place.block_number).collect();
        assert!(until.is_empty(), "after {}: {until:?}", last.number);
        let of_before = expected_until(&facts_of(&world, 1, newest).await, last.number);
        assert_eq!(known, of_before);
    }
}

async fn facts_of(world: &World, who: u8, until: i64) -> Vec<Fact> {
    world.known(who, until).await.0
}

fn expected_until(facts: &[Fact], number: u64) -> Vec<Fact> {
    facts.iter().filter(|fact| fact.place.block_number <= number).cloned().collect()
}

#[tokio::test]
async fn a_description_counts_from_when_it_was_told() {
    let mut world = World::begin().await;
    world.commit(&[block(10, vec![buy(1, 1), conversion(1)]), block(11, vec![resolution(1)])]).await;
    let before = world.newest().await;
    // Nobody knows yet of which question the token is, and so not that it has a result.
    let (facts, markets) = world.known(1, before).await;
    assert_eq!((facts.len(), markets.len()), (2, 0));
    world.describe(&[1, 7]).await;
    assert_eq!(world.known(1, before).await, (facts, markets));
    assert_eq!(world.known(1, before + 1).await.1, [condition(1)]);
    let (facts, markets) = world.known(1, world.newest().await).await;
    assert_eq!((facts.len(), markets), (3, vec![condition(1), condition(7)]));
}

#[tokio::test]
async fn what_came_late_counts_from_when_it_came() {
    let mut world = World::begin().await;
    world.describe(&[1, 2]).await;
    let whole = [
        block(10, vec![buy(1, 1), buy(1, 2), split(1, 2), split(2, 1)]),
        block(11, vec![buy(2, 1), resolution(1), resolution(2)]),
    ];
    let mut told = whole.clone();
    told[0].facts.retain(|fact| [0, 3].contains(&fact.place.log_index));
    told[1].facts.retain(|fact| fact.place.log_index != 1);
    world.commit(&told).await;
    let before = world.newest().await;
    audit::heal(&mut world.writer, &stretch(&whole)).await.unwrap();
    let healed = world.newest().await;
    assert_eq!(healed, before + 2, "a late item for each of the blocks");

    let logs = |facts: &[Fact]| -> Vec<(u64, u32)> {
        facts.iter().map(|fact| (fact.place.block_number, fact.place.log_index)).collect()
    };
    assert_eq!(logs(&facts_of(&world, 1, before).await), [(10, 0)]);
    assert_eq!(logs(&facts_of(&world, 1, before + 1).await), [(10, 0), (10, 1), (10, 2), (11, 2)]);
    assert_eq!(logs(&facts_of(&world, 1, healed).await), [(10, 0), (10, 1), (10, 2), (11, 1), (11, 2)]);
    assert_eq!(logs(&facts_of(&world, 2, before).await), [(10, 3), (11, 0)]);
}

#[tokio::test]
async fn history_counts_from_when_it_was_read() {
    let mut world = World::begin().await;
    world.describe(&[1, 2]).await;
    world.commit(&[block(20, vec![buy(1, 1)]), block(21, vec![resolution(1)])]).await;
    let before = world.newest().await;
    let mut history = Writer::new(world.store.clone(), "test-history");
    let settled = [block(5, vec![buy(1, 2), split(1, 2), buy(2, 2)]), block(6, vec![resolution(2)])];
    history.history(&stretch(&settled)).await.unwrap();
    let numbers = |facts: &[Fact]| -> Vec<u64> { facts.iter().map(|fact| fact.place.block_number).collect() };
    assert_eq!(numbers(&facts_of(&world, 1, before).await), [20, 21]);
    assert_eq!(world.known(2, before).await, (vec![], vec![]));
    assert_eq!(numbers(&facts_of(&world, 1, before + 1).await), [5, 5, 6, 20, 21]);
    assert_eq!(numbers(&facts_of(&world, 2, before + 1).await), [5, 6]);
}

/// What the chain took back is nobody's, and counts again from when it came back.
#[tokio::test]
async fn what_was_taken_back_is_left_out() {
    let mut world = World::begin().await;
    world.describe(&[1]).await;
    let blocks = [block(10, vec![buy(1, 1)]), block(11, vec![split(1, 1), resolution(1)])];
    world.commit(&blocks).await;
    let newest = world.newest().await;
    let mut transaction = world.store.begin().await.unwrap();
    let to = Point { number: 10, hash: hash(10) };
    world.writer.revert(&mut transaction, to, time(12)).await.unwrap();
    Store::commit(transaction).await.unwrap();
    assert_eq!(facts_of(&world, 1, newest).await, blocks[0].facts);
    world.commit(&blocks[1..]).await;
    assert_eq!(facts_of(&world, 1, newest).await, blocks[0].facts, "it was told again, behind this place");
    assert_eq!(facts_of(&world, 1, world.newest().await).await.len(), 3);
}

#[tokio::test]
async fn what_some_wallets_traded_between_two_moments_is_found_and_nothing_else() {
    let mut world = World::begin().await;
    world.commit(&[block(1, vec![buy(1, 1)]), block(2, vec![buy(1, 2), buy(2, 1), buy(3, 1)])]).await;
    let then = world.newest().await;
    world.commit(&[block(3, vec![buy(2, 3)]), block(4, vec![buy(1, 4)])]).await;
    let found = async |seq, wanted: &[u8]| -> Vec<(Wallet, TokenId, Timestamp)> {
        let mut connection = world.store.connection().await.unwrap();
        let wallets = wanted.iter().map(|who| wallet(*who));
        let fills = resume::fills_of(&mut connection, seq, (time(2), time(4)), wallets).await.unwrap();
        fills.into_iter().map(|(fill, at)| (fill.wallet, fill.token, at)).collect()
    };
    let first = [(wallet(1), token(2, 0), time(2)), (wallet(2), token(1, 0), time(2))];
    assert_eq!(found(i64::MAX, &[1, 2]).await, [&first[..], &[(wallet(2), token(3, 0), time(3))]].concat());
    assert_eq!(found(then, &[1, 2, 99]).await, first, "and nothing that was not known at the place");
    assert_eq!(found(i64::MAX, &[]).await, []);
}
