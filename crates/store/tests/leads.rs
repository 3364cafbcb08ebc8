//! What a followed wallet gave up, and what was traded, as the executor finds it again after a restart or a
//! reorganisation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use alloy_primitives::{Address, B256, U256};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fact, Fee, Fill, Market, Place, Role, Shares, Side,
    SignalKind, Tick, Timestamp, TokenId, TxHash, Usd, Wallet,
};
use sqlx::raw_sql;
use store::facts::{Block, Point, Stretch, Writer};
use store::testing::TestDatabase;
use store::{Store, feed, markets, resume};

const CONDITION: ConditionId = ConditionId(B256::repeat_byte(9));

fn token(number: u64) -> TokenId {
    TokenId(U256::from(number))
}

fn whale() -> Wallet {
    Wallet(Address::repeat_byte(7))
}

fn hash(number: u64, branch: u8) -> BlockHash {
    let mut bytes = B256::from(U256::from(number));
    bytes.0[0] = branch;
    BlockHash(bytes)
}

fn time(number: u64) -> Timestamp {
    Timestamp::from_seconds(1_780_000_000 + i64::try_from(number).unwrap())
}

fn trade(wallet: Wallet, side: Side, of: u64, shares: i32) -> Fill {
    Fill {
        exchange: Exchange::V2,
        wallet,
        counterparty: Wallet(Address::repeat_byte(8)),
        role: Role::Taker,
        side,
        token: token(of),
        shares: Shares::whole(shares),
        usd: Usd::whole(shares / 2),
        fee: Fee::NONE,
    }
}

/// A block of one of two branches with these fills.
fn block(number: u64, branch: u8, fills: &[Fill]) -> Block {
    let fact = |(fill, log_index): (&Fill, u32)| Fact {
        place: Place {
            block_number: number,
            block_hash: hash(number, branch),
            block_time: time(number),
            tx_hash: TxHash(B256::from(U256::from(number))),
            log_index,
        },
        event: ChainEvent::Fill(*fill),
    };
    Block {
        number,
        hash: hash(number, branch),
        parent: Some(hash(number - 1, 0)),
        time: time(number),
        learned: time(number),
        facts: fills.iter().zip(0..).map(fact).collect(),
        unreadable: vec![],
    }
}

struct World {
    _database: TestDatabase,
    store: Store,
    writer: Writer,
}

impl World {
    /// A market of two outcomes, and an open position that follows the whale since block 10.
    async fn open() -> Self {
        let database = TestDatabase::create().await;
        let store = Store::over(database.pool()).await.unwrap();
        let market = Market {
            condition: CONDITION,
            title: "A market".to_owned(),
            slug: "a-market".to_owned(),
            event: "an-event".to_owned(),
            category: None,
            outcomes: vec!["Yes".to_owned(), "No".to_owned()],
            tokens: vec![token(10), token(11)],
            neg_risk: false,
            place: None,
            protocol_v2: false,
            tick: Tick::CENT,
            fee_rate_ppm: 0,
            end: None,
            oracle: None,
        };
        markets::learn(&mut store.connection().await.unwrap(), &[market], time(1)).await.unwrap();
        let sql = format!(
            "BEGIN;
             SET LOCAL session_replication_role = replica;
             INSERT INTO orderflow_signals
                 (id, created_at, followed_at, signal_type, wallet_address, reputation_score, trader_tier, skill_kappa,
                  skill_se, wallet_count, notional_usd, reference_price, condition_id, token_id, market_title, outcome,
                  confidence_model, win_probability, confidence, market_price, expected_price, limit_price,
                  kelly_fraction, kelly_applied, stake_usd, fee_rate)
             VALUES (1, to_timestamp({created}), to_timestamp({followed}), 'FOLLOW_WHALE', '{whale}', 8, 'WHALE', 0.1,
                     0.1, 1, 500, 0.5, '{CONDITION}', 10, 'A market', 'Yes', 'score', 0.8, 0.8, 0.5, 0.5, 0.5, 0.2,
                     0.1, 50, 0);
             INSERT INTO orderflow_positions
                 (id, opened_at, mode, condition_id, event, token_id, outcome_index, shares, cost_usd, fee_usd)
             VALUES (1, to_timestamp({created}), 'paper', '{CONDITION}', 'an-event', 10, 0, 100, 50, 0);
             COMMIT",
            created = time(10).seconds() + 3,
            followed = time(10).seconds(),
            whale = whale(),
        );
        raw_sql(sqlx::AssertSqlSafe(sql)).execute(&database.pool()).await.unwrap();
        let writer = Writer::new(store.clone(), "test-listener");
        Self { _database: database, store, writer }
    }

    async fn add(&mut self, block: Block) {
        let blocks = [block];
        let mut transaction = self.writer.begin(&blocks).await.unwrap();
        let through = Point { number: blocks[0].number, hash: blocks[0].hash };
        let stretch =
            Stretch { from: through.number, through, blocks: &blocks, source: "http://node.example" };
        self.writer.commit(&mut transaction, &stretch).await.unwrap();
        Store::commit(transaction).await.unwrap();
    }

    async fn revert(&self, to: u64) {
        let mut transaction = self.store.begin().await.unwrap();
        let to_point = Point { number: to, hash: hash(to, 0) };
        self.writer.revert(&mut transaction, to_point, time(to)).await.unwrap();
        Store::commit(transaction).await.unwrap();
    }

    async fn newest(&self) -> i64 {
        feed::newest(&mut self.store.connection().await.unwrap()).await.unwrap()
    }

    /// What the whale has given up at a place in the outbox.
    async fn left(&self, seq: i64) -> Shares {
        let exits = resume::exits(&mut self.store.connection().await.unwrap(), seq).await.unwrap();
        assert_eq!(exits.len(), 1);
        exits[0].left
    }
}

/// A sale whose block was replaced, and that came again in another, is one sale.
#[tokio::test]
async fn a_sale_that_was_taken_back_and_came_again_counts_once() {
    let mut world = World::open().await;
    let other = Wallet(Address::repeat_byte(3));
    // What it sold before it was followed is not given up.
    world.add(block(9, 0, &[trade(whale(), Side::Sell, 10, 500)])).await;
    world.add(block(10, 0, &[trade(whale(), Side::Buy, 10, 1_000)])).await;
    let followed = world.newest().await;
    assert_eq!(world.left(followed).await, Shares::ZERO);
    world.add(block(11, 0, &[trade(whale(), Side::Sell, 10, 100), trade(other, Side::Sell, 10, 700)])).await;
    world.add(block(12, 0, &[trade(whale(), Side::Buy, 11, 50), trade(whale(), Side::Buy, 10, 900)])).await;
    let newest = world.newest().await;
    assert_eq!(world.left(newest).await, Shares::whole(150));
    // As it was known then.
    assert_eq!(world.left(followed).await, Shares::ZERO);

    world.revert(11).await;
    assert_eq!(world.left(world.newest().await).await, Shares::whole(100));
    world.add(block(12, 1, &[trade(whale(), Side::Buy, 11, 50)])).await;
    assert_eq!(world.left(world.newest().await).await, Shares::whole(150));
}

/// Each match is counted once, as its taker's, and what was taken back is not counted.
#[tokio::test]
async fn what_was_traded_is_told_by_the_quarter_of_an_hour() {
    let mut world = World::open().await;
    let maker = Fill { role: Role::Maker, ..trade(whale(), Side::Buy, 10, 400) };
    world.add(block(10, 0, &[trade(whale(), Side::Sell, 10, 400), maker])).await;
    world.add(block(11, 0, &[trade(whale(), Side::Buy, 11, 60)])).await;
    let known = world.newest().await;
    world.add(block(12, 0, &[trade(whale(), Side::Buy, 11, 6_000)])).await;
    let newest = world.newest().await;
    let volumes = async |seq, since| {
        let mut connection = world.store.connection().await.unwrap();
        let mut found = resume::volumes(&mut connection, seq, since).await.unwrap();
        found.sort_by_key(|(token, ..)| *token);
        assert!(found.iter().all(|(_, at, usd, shares)| {
            at.micros() % (Timestamp::HOUR / 4) == 0
                && *at <= time(12)
                && *shares == Shares::from_micros(2 * usd.micros())
        }));
        found.into_iter().map(|(token, _, usd, _)| (token, usd)).collect::<Vec<_>>()
    };
    let (yes, no) = (token(10), token(11));
    assert_eq!(volumes(known, time(9)).await, [(yes, Usd::whole(200)), (no, Usd::whole(30))]);
    assert_eq!(volumes(newest, time(9)).await, [(yes, Usd::whole(200)), (no, Usd::whole(3_030))]);
    assert_eq!(volumes(newest, time(12)).await, [(no, Usd::whole(3_000))]);
    world.revert(11).await;
    assert_eq!(volumes(newest, time(9)).await, [(yes, Usd::whole(200)), (no, Usd::whole(30))]);
}

/// How far a panic had moved the price is told again to the last digit; a signal from before it was kept has none.
#[tokio::test]
async fn what_a_panic_moved_the_price_by_is_told_again() {
    let world = World::open().await;
    let mut connection = world.store.connection().await.unwrap();
    let exits = resume::exits(&mut connection, 0).await.unwrap();
    assert_eq!((exits[0].kind, exits[0].drop), (SignalKind::FollowWhale, None));
    for drop in [0.6 - 0.49, 1.0 / 3.0, 0.1] {
        let sql = format!(
            "UPDATE orderflow_signals
             SET signal_type = 'FADE_DEGEN', market_price = 0.495, evidence = '{{\"drop\": {drop}}}'"
        );
        raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await.unwrap();
        let exits = resume::exits(&mut connection, 0).await.unwrap();
        assert_eq!((exits[0].kind, exits[0].drop), (SignalKind::FadeDegen, Some(drop)));
        assert_eq!(exits[0].market.to_string(), "0.495");
    }
}
