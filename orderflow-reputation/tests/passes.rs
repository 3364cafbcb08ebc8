//! The service against a real database: passes, whales in between, and beliefs found anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use alloy_primitives::{Address, B256, U256};
use decision::Eligibility;
use domain::{
    BlockHash, Category, ChainEvent, ConditionId, Exchange, Fact, Fee, Fill, Horizon, Market, Payouts, Place,
    PriceMap, Role, Shares, Side, Tick, Tier, Timestamp, TokenId, TxHash, Usd, Verdict, Wallet,
};
use orderflow_reputation::Reputation;
use store::facts::{self, Block, Point, Stretch, Writer};
use store::feed::{self, News, Wanted};
use store::testing::TestDatabase;
use store::{Store, markets, reports, scores, worth};

/// One closed decision on one day is enough to be rated.
const SOON: Eligibility = Eligibility { decisions: 1, events: 1, active_days: 1 };

/// A chain with a block an hour, and a market a number: each of an event of its own.
struct Chain {
    _database: TestDatabase,
    store: Store,
    writer: Writer,
    next: u64,
}

impl Chain {
    async fn begin() -> Self {
        let database = TestDatabase::create().await;
        let store = Store::over(database.pool()).await.unwrap();
        let writer = Writer::new(store.clone(), "test-listener");
        let mut connection = store.connection().await.unwrap();
        let described: Vec<Market> = (1..=9).map(market).collect();
        markets::learn(&mut connection, &described, time(0)).await.unwrap();
        drop(connection);
        Self { _database: database, store, writer, next: 1 }
    }

    /// Commits a block with these events.
    async fn block(&mut self, events: Vec<ChainEvent>) {
        let number = self.next;
        self.next += 1;
        let fact = |(log_index, event)| {
            let place = Place {
                block_number: number,
                block_hash: hash(number),
                block_time: time(number),
                tx_hash: TxHash(B256::from(U256::from(number))),
                log_index,
            };
            Fact { place, event }
        };
        let blocks = [Block {
            number,
            hash: hash(number),
            parent: Some(hash(number - 1)),
            time: time(number),
            learned: time(number),
            facts: (0..).zip(events).map(fact).collect(),
            unreadable: vec![],
        }];
        let stretch = Stretch {
            from: number,
            through: Point { number, hash: hash(number) },
            blocks: &blocks,
            source: "http://node.example",
        };
        let mut transaction = self.writer.begin(&blocks).await.unwrap();
        self.writer.commit(&mut transaction, &stretch).await.unwrap();
        Store::commit(transaction).await.unwrap();
    }

    /// A wallet buys the first outcome of a market at 40 cents, and ten hours later it wins or loses.
    async fn bet(&mut self, who: u8, number: u8, wins: bool) {
        self.block(vec![buy(who, number)]).await;
        self.next += 9;
        let payouts = Payouts::winner(usize::from(!wins), 2).unwrap();
        self.block(vec![ChainEvent::Resolution { condition: condition(number), payouts }]).await;
    }

    fn now(&self) -> Timestamp {
        time(self.next)
    }

    /// How often readers were told of verdicts, and the last ones they were told of.
    async fn told(&self) -> (usize, Vec<Verdict>) {
        let mut connection = self.store.connection().await.unwrap();
        let items = feed::read(&mut connection, 0, i64::MAX, 1_000, Wanted::Everything).await.unwrap();
        let scores = items.into_iter().filter_map(|item| match item.news {
            News::Scores { verdicts, .. } => Some(verdicts),
            _ => None,
        });
        let mut scores: Vec<Vec<Verdict>> = scores.collect();
        (scores.len(), scores.pop().unwrap_or_default())
    }

    async fn rated(&self) -> Vec<Verdict> {
        scores::rated(&mut self.store.connection().await.unwrap()).await.unwrap()
    }
}

fn time(number: u64) -> Timestamp {
    Timestamp::from_seconds(1_780_000_000 + 3_600 * i64::try_from(number).unwrap())
}

fn hash(number: u64) -> BlockHash {
    BlockHash(B256::from(U256::from(number)))
}

fn wallet(who: u8) -> Wallet {
    Wallet(Address::repeat_byte(who))
}

fn condition(number: u8) -> ConditionId {
    ConditionId(B256::repeat_byte(number))
}

fn token(number: u8, outcome: u8) -> TokenId {
    TokenId(U256::from(100 + u16::from(number) * 2 + u16::from(outcome)))
}

fn market(number: u8) -> Market {
    Market {
        condition: condition(number),
        title: format!("Question {number}"),
        slug: format!("question-{number}"),
        event: format!("event-{number}"),
        category: None,
        outcomes: vec!["Yes".into(), "No".into()],
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

fn buy(who: u8, number: u8) -> ChainEvent {
    ChainEvent::Fill(Fill {
        exchange: Exchange::V2,
        wallet: wallet(who),
        counterparty: wallet(200),
        role: Role::Taker,
        side: Side::Buy,
        token: token(number, 0),
        shares: Shares::whole(50_000),
        usd: Usd::whole(20_000),
        fee: Fee::NONE,
    })
}

#[tokio::test]
async fn whom_a_result_concerns_is_told_of_at_once_and_everybody_else_at_the_pass() {
    let mut chain = Chain::begin().await;
    let mut reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
    chain.bet(1, 1, true).await;
    chain.bet(2, 5, false).await;
    reputation.catch_up(i64::MAX).await.unwrap();
    // Nobody has been rated yet: that is what a pass is for.
    assert_eq!(reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(), 0);
    reputation.publish(chain.now(), chain.now()).await.unwrap();
    assert_eq!(chain.rated().await[0].tier, Tier::Whale);
    let (told, _) = chain.told().await;

    chain.bet(1, 2, true).await;
    chain.bet(3, 3, true).await;
    chain.bet(4, 4, false).await;
    // Nothing has ended for this one.
    chain.block(vec![buy(5, 6)]).await;
    reputation.catch_up(i64::MAX).await.unwrap();
    assert_eq!(reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(), 3);
    let (again, verdicts) = chain.told().await;
    let who: Vec<Wallet> = verdicts.iter().map(|verdict| verdict.wallet).collect();
    assert_eq!((again, who), (told + 1, vec![wallet(1), wallet(3), wallet(4)]));
    // What has been told is not told again.
    chain.block(vec![]).await;
    assert_eq!(reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(), 0);
    // Nor after a crash in between, whatever came since; and the pass is made as if there had been none.
    chain.block(vec![buy(6, 7)]).await;
    let mut reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
    reputation.catch_up(i64::MAX).await.unwrap();
    assert_eq!(reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(), 0);

    let pass = reputation.publish(chain.now(), chain.now()).await.unwrap();
    assert_eq!((pass.verdicts, pass.wallets), (5, 6));
    assert_eq!(chain.rated().await.len(), 4);
}

/// However few fit into memory, everybody who holds what a result is about has a new verdict at once, who was saved and
/// forgotten before it came as well as who bought with the facts before it; and it is the verdict of the pass behind it.
#[tokio::test]
async fn every_holder_of_a_result_has_a_new_verdict_at_once() {
    let rooms = [0, 20_000, usize::MAX];
    for (memory, crashes) in rooms.into_iter().flat_map(|memory| [(memory, false), (memory, true)]) {
        let mut chain = Chain::begin().await;
        let mut reputation = Reputation::resume_within(chain.store.clone(), SOON, memory).await.unwrap();
        chain.bet(200, 9, true).await;
        chain.block((1..=40).map(|who| buy(who, 1)).collect()).await;
        reputation.catch_up(i64::MAX).await.unwrap();
        reputation.publish(chain.now(), chain.now()).await.unwrap();

        let mut events: Vec<ChainEvent> = (41..=60).map(|who| buy(who, 1)).collect();
        events.push(buy(100, 2));
        chain.block(events).await;
        let payouts = Payouts::winner(1, 2).unwrap();
        chain.block(vec![ChainEvent::Resolution { condition: condition(1), payouts }]).await;
        reputation.catch_up(i64::MAX).await.unwrap();
        // After a crash as well, whether the result was saved by then or not.
        if crashes {
            reputation = Reputation::resume_within(chain.store.clone(), SOON, memory).await.unwrap();
            reputation.catch_up(i64::MAX).await.unwrap();
        }
        assert_eq!(
            reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(),
            60,
            "{memory} {crashes}"
        );
        let (_, at_once) = chain.told().await;
        assert_eq!(
            at_once.iter().map(|verdict| verdict.wallet).collect::<Vec<_>>(),
            (1..=60).map(wallet).collect::<Vec<_>>()
        );
        assert!(at_once.iter().all(|verdict| verdict.tier != Tier::Unrated));
        // Nobody is told of twice, and the pass finds the same.
        chain.block(vec![]).await;
        assert_eq!(reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(), 0);
        let pass = reputation.publish(chain.now(), chain.now()).await.unwrap();
        assert_eq!(pass.verdicts, 61);
        let (_, at_pass) = chain.told().await;
        assert_eq!(at_pass, at_once);
    }
}

#[tokio::test]
async fn a_whale_that_is_none_any_more_is_told_of_at_once() {
    let mut chain = Chain::begin().await;
    let mut reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
    chain.bet(1, 1, true).await;
    reputation.catch_up(i64::MAX).await.unwrap();
    reputation.publish(chain.now(), chain.now()).await.unwrap();
    // Whoever takes over after a crash knows who was a whale.
    let mut reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
    for number in 2..=6 {
        chain.bet(1, number, false).await;
    }
    reputation.catch_up(i64::MAX).await.unwrap();
    assert_eq!(reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(), 1);
    let (_, verdicts) = chain.told().await;
    assert!(verdicts[0].score < 6.5 && verdicts[0].tier != Tier::Whale, "{verdicts:?}");
    assert_eq!(reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(), 0);
}

#[tokio::test]
async fn whoever_loses_all_fills_is_told_to_be_rated_no_more() {
    let mut chain = Chain::begin().await;
    let mut reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
    chain.bet(1, 1, true).await;
    let stays = chain.next - 1;
    chain.bet(2, 2, true).await;
    reputation.catch_up(i64::MAX).await.unwrap();
    reputation.publish(chain.now(), chain.now()).await.unwrap();
    assert_eq!(chain.rated().await.len(), 2);
    // Nothing is audited here, so that everything is folded anew.
    let point = Point { number: stays, hash: hash(stays) };
    let mut transaction = chain.store.begin().await.unwrap();
    chain.writer.revert(&mut transaction, point, chain.now()).await.unwrap();
    Store::commit(transaction).await.unwrap();
    reputation.catch_up(i64::MAX).await.unwrap();
    assert!(reputation.is_outdated());
    let later = chain.now().plus_micros(Timestamp::MINUTE);
    reputation.publish(later, later).await.unwrap();
    let (_, told) = chain.told().await;
    let tiers: Vec<(Wallet, Tier)> = told.iter().map(|verdict| (verdict.wallet, verdict.tier)).collect();
    assert_eq!(tiers, [(wallet(1), Tier::Whale), (wallet(2), Tier::Unrated)]);
    assert_eq!(chain.rated().await.iter().map(|verdict| verdict.wallet).collect::<Vec<_>>(), [wallet(1)]);
    // That is said once.
    reputation.rebuild().await.unwrap();
    let later = later.plus_micros(Timestamp::MINUTE);
    assert_eq!(reputation.publish(later, later).await.unwrap().verdicts, 1);
}

/// However little there is room for, those whom results concern are told of between passes.
#[tokio::test]
async fn who_was_forgotten_is_told_of_at_once() {
    let mut chain = Chain::begin().await;
    let mut reputation = Reputation::resume_within(chain.store.clone(), SOON, 0).await.unwrap();
    chain.bet(1, 1, true).await;
    reputation.catch_up(i64::MAX).await.unwrap();
    reputation.publish(chain.now(), chain.now()).await.unwrap();
    chain.bet(2, 2, true).await;
    chain.bet(3, 3, false).await;
    reputation.catch_up(i64::MAX).await.unwrap();
    assert_eq!(reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(), 2);
    let (_, verdicts) = chain.told().await;
    assert_eq!(verdicts.iter().map(|verdict| verdict.wallet).collect::<Vec<_>>(), [wallet(2), wallet(3)]);
    chain.block(vec![]).await;
    assert_eq!(reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(), 0);
    let pass = reputation.publish(chain.now(), chain.now()).await.unwrap();
    assert_eq!((pass.verdicts, pass.wallets), (2, 3));
}

/// What was told before it was saved is known nowhere but in what was told: when the chain takes back the result behind
/// it, before or after a crash, everybody hears that it was not so.
#[tokio::test]
async fn a_result_that_is_taken_back_was_told_in_vain() {
    for crashes in [false, true] {
        let mut chain = Chain::begin().await;
        let mut reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
        chain.bet(1, 1, true).await;
        chain.block(vec![buy(2, 2), buy(3, 2)]).await;
        let stays = chain.next - 1;
        reputation.catch_up(i64::MAX).await.unwrap();
        reputation.publish(chain.now(), chain.now()).await.unwrap();
        assert_eq!(chain.rated().await.iter().map(|verdict| verdict.wallet).collect::<Vec<_>>(), [wallet(1)]);

        let payouts = Payouts::winner(0, 2).unwrap();
        chain.block(vec![ChainEvent::Resolution { condition: condition(2), payouts }]).await;
        reputation.catch_up(i64::MAX).await.unwrap();
        assert_eq!(reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(), 2);
        assert_eq!(chain.rated().await.len(), 3);

        if crashes {
            reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
        }
        let point = Point { number: stays, hash: hash(stays) };
        let mut transaction = chain.store.begin().await.unwrap();
        chain.writer.revert(&mut transaction, point, chain.now()).await.unwrap();
        Store::commit(transaction).await.unwrap();
        reputation.catch_up(i64::MAX).await.unwrap();
        assert!(reputation.is_outdated());
        let later = chain.now().plus_micros(Timestamp::MINUTE);
        reputation.publish(later, later).await.unwrap();
        assert_eq!(chain.rated().await.iter().map(|verdict| verdict.wallet).collect::<Vec<_>>(), [wallet(1)]);
        let (_, told) = chain.told().await;
        let tiers: Vec<_> = told.iter().map(|verdict| (verdict.wallet, verdict.tier)).collect();
        assert!(tiers.contains(&(wallet(2), Tier::Unrated)) && tiers.contains(&(wallet(3), Tier::Unrated)));
        assert!(!reputation.is_outdated());
    }
}

#[tokio::test]
async fn what_was_forgotten_is_found_anew() {
    let mut chain = Chain::begin().await;
    let mut reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
    for number in 1..=3 {
        chain.bet(number, number, number != 2).await;
    }
    reputation.catch_up(i64::MAX).await.unwrap();
    let now = chain.now();
    reputation.publish(now, now).await.unwrap();
    let before = chain.rated().await;
    // Under other rules nobody is told of anything before the first pass, and then of everybody.
    let strict = Eligibility { decisions: 2, ..SOON };
    let mut other = Reputation::resume(chain.store.clone(), strict).await.unwrap();
    let later = now.plus_micros(Timestamp::MINUTE);
    assert!(other.is_outdated());
    assert_eq!(other.publish_at_once(later, later).await.unwrap(), 0);
    // A resumed service has nothing to say; a rebuilt one says everything again, and it is the same.
    let mut again = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
    let later = now.plus_micros(Timestamp::MINUTE);
    assert_eq!(again.publish(later, later).await.unwrap().verdicts, 0);
    again.rebuild().await.unwrap();
    let later = later.plus_micros(Timestamp::MINUTE);
    assert_eq!(again.publish(later, later).await.unwrap().verdicts, 3);
    assert_eq!(chain.rated().await, before);
}

/// A whale whose every fill the chain took back is nobody's whale any more, and is one again when they come back.
#[tokio::test]
async fn a_whale_without_facts_falls_and_can_rise_again() {
    let mut chain = Chain::begin().await;
    let mut reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
    chain.bet(2, 1, true).await;
    let before = chain.next - 1;
    chain.bet(1, 2, true).await;
    reputation.catch_up(i64::MAX).await.unwrap();
    reputation.publish(chain.now(), chain.now()).await.unwrap();
    let rated = chain.rated().await;
    assert_eq!(rated.iter().filter(|verdict| verdict.tier == Tier::Whale).count(), 2, "{rated:?}");

    let to = Point { number: before, hash: hash(before) };
    let mut transaction = chain.store.begin().await.unwrap();
    chain.writer.revert(&mut transaction, to, chain.now()).await.unwrap();
    Store::commit(transaction).await.unwrap();
    reputation.catch_up(i64::MAX).await.unwrap();
    chain.next += 1;
    reputation.publish(chain.now(), chain.now()).await.unwrap();
    let (_, verdicts) = chain.told().await;
    let tiers: Vec<(Wallet, Tier)> = verdicts.iter().map(|verdict| (verdict.wallet, verdict.tier)).collect();
    assert_eq!(tiers, [(wallet(1), Tier::Unrated), (wallet(2), Tier::Whale)]);
    assert_eq!(chain.rated().await.len(), 1);

    // The same bet with the same result makes the same verdict, which must be told although it was told before.
    chain.bet(1, 2, true).await;
    reputation.catch_up(i64::MAX).await.unwrap();
    assert_eq!(reputation.publish_at_once(chain.now(), chain.now()).await.unwrap(), 1);
    let (_, verdicts) = chain.told().await;
    assert_eq!((verdicts[0].wallet, verdicts[0].tier), (wallet(1), Tier::Whale));
}

/// A fact that came while a pass was made was not part of it, although it was known by the pass's own moment.
#[tokio::test]
async fn a_fact_of_the_same_instant_is_not_one_of_the_verdicts() {
    let mut chain = Chain::begin().await;
    let mut reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
    chain.bet(1, 1, true).await;
    reputation.catch_up(i64::MAX).await.unwrap();
    let instant = chain.now();
    chain.block(vec![buy(1, 2)]).await;
    reputation.publish(instant, instant).await.unwrap();

    let mut connection = chain.store.connection().await.unwrap();
    let row = reports::wallet(&mut connection, wallet(1), None).await.unwrap().unwrap();
    let folded = row["folded_seq"].as_i64().unwrap();
    let of_verdict = facts::of_wallet(&mut connection, wallet(1), folded).await.unwrap();
    assert_eq!(of_verdict.facts.len(), 2, "{of_verdict:?}");
    let by_time = feed::newest_by(&mut connection, instant).await.unwrap();
    let known_by_then = facts::of_wallet(&mut connection, wallet(1), by_time).await.unwrap();
    assert_eq!(known_by_then.facts.len(), 3, "its time alone does not tell it apart");
    drop(connection);

    // So does a verdict between two passes say what it was made of.
    chain.bet(1, 3, true).await;
    reputation.catch_up(i64::MAX).await.unwrap();
    let instant = chain.now();
    chain.block(vec![buy(1, 4)]).await;
    assert_eq!(reputation.publish_at_once(instant, instant).await.unwrap(), 1);
    let mut connection = chain.store.connection().await.unwrap();
    let row = reports::wallet(&mut connection, wallet(1), None).await.unwrap().unwrap();
    let folded = row["folded_seq"].as_i64().unwrap();
    let of_verdict = facts::of_wallet(&mut connection, wallet(1), folded).await.unwrap();
    assert_eq!(of_verdict.facts.len(), 5, "{of_verdict:?}");
}

/// Two services see the same; one of them is away for some hours, and says afterwards what the other one said meanwhile.
#[tokio::test]
async fn missed_hours_are_made_up() {
    let mut told = vec![];
    for is_away in [false, true] {
        let mut chain = Chain::begin().await;
        let mut reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
        chain.bet(1, 1, true).await;
        reputation.catch_up(i64::MAX).await.unwrap();
        // Passes are made between two blocks.
        let first = chain.now().plus_micros(-Timestamp::HOUR / 2);
        reputation.publish(first, first).await.unwrap();
        for hour in 1..=6 {
            let events = vec![
                buy(2, 1 + hour),
                ChainEvent::Resolution {
                    condition: condition(1 + hour),
                    payouts: Payouts::winner(usize::from(hour % 2), 2).unwrap(),
                },
            ];
            chain.block(events).await;
            if !is_away {
                reputation.catch_up(i64::MAX).await.unwrap();
                let at = first.plus_micros(i64::from(hour) * Timestamp::HOUR);
                reputation.publish(at, at).await.unwrap();
            }
        }
        let last = first.plus_micros(6 * Timestamp::HOUR);
        if is_away {
            let mut again = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
            assert_eq!(again.make_up(last, Timestamp::HOUR).await.unwrap(), 5);
            again.catch_up(i64::MAX).await.unwrap();
            again.publish(last, last).await.unwrap();
        }
        let mut connection = chain.store.connection().await.unwrap();
        let items = feed::read(&mut connection, 0, i64::MAX, 1_000, Wanted::Everything).await.unwrap();
        let scores = items.into_iter().filter_map(|item| match item.news {
            News::Scores { verdicts, prices } => Some((verdicts, prices)),
            _ => None,
        });
        told.push(scores.collect::<Vec<_>>());
    }
    assert_eq!(told[0].len(), 7);
    assert_eq!(told[0], told[1]);
}

/// What prices were worth is told with the pass that learned it: of days that were over by then, and only where that
/// differs from before. Who learns it anew finds the same.
#[tokio::test]
async fn what_prices_are_worth_is_told_with_the_pass_that_learned_it() {
    let mut chain = Chain::begin().await;
    let mut reputation = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
    let mut known = vec![];
    for number in 1..=3 {
        chain.bet(7, number, true).await;
        for _ in 0..2 {
            let newest = feed::newest(&mut chain.store.connection().await.unwrap()).await.unwrap();
            reputation.catch_up(newest).await.unwrap();
            let now = chain.now().plus_micros(i64::try_from(known.len()).unwrap());
            reputation.publish(now, now).await.unwrap();
            let newest = feed::newest(&mut chain.store.connection().await.unwrap()).await.unwrap();
            let map = worth::known_at(&mut chain.store.connection().await.unwrap(), newest).await.unwrap();
            known.push((newest, map));
        }
        // A day goes by before the next one.
        chain.next += 30;
    }
    let of_item = async |seq| {
        let mut connection = chain.store.connection().await.unwrap();
        store::recording::verdicts(&mut connection, seq).await.unwrap().0
    };
    // Forty cents paid a dollar once, twice, three times: what they were worth rises from pass to pass.
    let fair = |map: &PriceMap| map.fair(0.40, Category::Other, Horizon::Longer);
    let seen: Vec<f64> = known.iter().step_by(2).map(|(_, map)| fair(map)).collect();
    assert!((seen[0] - 0.40).abs() < 1e-12, "the day is not over: {seen:?}");
    assert!(seen[0] < seen[1] && seen[1] < seen[2], "{seen:?}");
    for pair in known.chunks(2) {
        assert_eq!(pair[0].1, pair[1].1, "nothing was learned in between");
    }
    assert_eq!(of_item(known[4].0).await.as_ref(), Some(&known[4].1));
    assert_eq!(known[5].0, known[4].0, "a pass that found nothing new tells nothing");
    // Another process that folds it all anew has nothing new to tell of prices.
    let mut again = Reputation::resume(chain.store.clone(), SOON).await.unwrap();
    again.rebuild().await.unwrap();
    let now = chain.now().plus_micros(99);
    again.publish(now, now).await.unwrap();
    let newest = feed::newest(&mut chain.store.connection().await.unwrap()).await.unwrap();
    assert!(known[5].0 < newest, "its verdicts are told");
    assert_eq!(of_item(newest).await, None, "what prices are worth is what was known before");
    let mut connection = chain.store.connection().await.unwrap();
    assert_eq!(worth::known_at(&mut connection, newest).await.unwrap(), known[5].1);
}
