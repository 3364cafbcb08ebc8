//! Markets in a real PostgreSQL: described, sketched, changed, and given their results.

use alloy_primitives::B256;
use sqlx::PgPool;

use super::*;
use crate::feed::{self, News, Wanted};
use crate::testing::TestDatabase;
use crate::{Connection, Store};

const CONDITION: &str = "0x182390641d3b1b47cc64274b9da290efd04221c586651ba190880713da6347d9";
const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

async fn store() -> (TestDatabase, Store, Connection) {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    let connection = store.connection().await.unwrap();
    (database, store, connection)
}

fn token(number: u64) -> TokenId {
    number.to_string().parse().unwrap()
}

fn market() -> Market {
    Market {
        condition: CONDITION.parse().unwrap(),
        title: "US-Iran nuclear deal before 2027?".to_owned(),
        slug: "us-iran-nuclear-deal-before-2027".to_owned(),
        event: "us-iran".to_owned(),
        category: Some("geopolitics".to_owned()),
        outcomes: vec!["Yes".to_owned(), "No".to_owned()],
        tokens: vec![token(11), token(12)],
        neg_risk: false,
        place: None,
        protocol_v2: false,
        tick: Tick::CENT,
        fee_rate_ppm: 0,
        end: Some(NOW),
        oracle: None,
    }
}

/// The same with what the order book alone knows of it.
fn drawn() -> Market {
    let condition = CONDITION.to_owned();
    Market {
        title: condition.clone(),
        slug: condition.clone(),
        event: condition,
        category: None,
        end: None,
        ..market()
    }
}

/// The markets the readers were told of, in order, each time as it is now.
async fn count_told(connection: &mut Connection) -> usize {
    let mut after = 0;
    let mut count = 0;
    // One at a time, because a reader is given a market once in a batch.
    loop {
        let items = feed::read(connection, after, i64::MAX, 1, Wanted::Facts).await.unwrap();
        let Some(item) = items.into_iter().next() else { return count };
        assert!(matches!(item.news, News::Market(_)));
        (after, count) = (item.seq, count + 1);
    }
}

async fn kept(connection: &mut Connection) -> Market {
    let newest = feed::newest(connection).await.unwrap();
    known_at(connection, newest).await.unwrap().remove(0)
}

/// What people see, told or not.
async fn title_and_event(pool: &PgPool) -> (String, String) {
    sqlx::query_as("SELECT title, event FROM orderflow_markets").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_change_is_told_and_no_change_is_not() {
    let (_database, _store, mut connection) = store().await;
    let take_in = async |connection: &mut Connection, market: &Market| {
        learn(connection, std::slice::from_ref(market), NOW).await.unwrap()
    };
    let mut market = market();
    assert_eq!(take_in(&mut connection, &market).await, Learned { new: 1, changed: 0 });
    assert_eq!(take_in(&mut connection, &market).await, Learned::default());
    assert_eq!(count_told(&mut connection).await, 1);

    let changes: [fn(&mut Market); 6] = [
        |market| market.fee_rate_ppm = 70_000,
        |market| market.tick = Tick::from_ppm(1_000).unwrap(),
        |market| market.end = None,
        |market| market.category = Some("politics".to_owned()),
        |market| market.title.push('?'),
        |market| market.oracle = Some(Oracle::Disputed),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        change(&mut market);
        assert_eq!(take_in(&mut connection, &market).await, Learned { new: 0, changed: 1 });
        assert_eq!(count_told(&mut connection).await, number + 2);
        assert_eq!(kept(&mut connection).await, market);
    }

    // A source that says nothing of the oracle takes nothing back.
    let silent = Market { oracle: None, ..market.clone() };
    assert_eq!(take_in(&mut connection, &silent).await, Learned::default());
    assert_eq!(kept(&mut connection).await.oracle, Some(Oracle::Disputed));

    // What bets are grouped by, and what their tokens mean, no description changes any more.
    let other = Market { event: "other".to_owned(), outcomes: vec![], neg_risk: true, ..market.clone() };
    assert_eq!(take_in(&mut connection, &other).await, Learned::default());
    let renamed = Market { title: "Renamed".to_owned(), ..other };
    assert_eq!(take_in(&mut connection, &renamed).await, Learned { new: 0, changed: 1 });
    assert_eq!(kept(&mut connection).await, Market { title: renamed.title, ..market });
}

#[tokio::test]
async fn a_place_among_siblings_is_kept_and_only_gets_better() {
    let (_database, _store, mut connection) = store().await;
    let place = NegRiskPlace { market: B256::repeat_byte(7), question: 255, questions: None };
    let placed = |place| Market { neg_risk: true, place, ..market() };
    let take_in =
        async |connection: &mut Connection, market: Market| learn(connection, &[market], NOW).await.unwrap();
    take_in(&mut connection, placed(None)).await;
    assert_eq!(kept(&mut connection).await.place, None);
    let better = Learned { new: 0, changed: 1 };
    assert_eq!(take_in(&mut connection, placed(Some(place))).await, better);
    assert_eq!(kept(&mut connection).await.place, Some(place));
    let counted = NegRiskPlace { questions: Some(9), ..place };
    assert_eq!(take_in(&mut connection, placed(Some(counted))).await, better);
    assert_eq!(kept(&mut connection).await.place, Some(counted));
    // What says less, or otherwise, changes nothing.
    let other = NegRiskPlace { market: B256::repeat_byte(8), question: 1, questions: Some(3) };
    for lesser in [None, Some(place), Some(other)] {
        assert_eq!(take_in(&mut connection, placed(lesser)).await, Learned::default());
        assert_eq!(kept(&mut connection).await.place, Some(counted));
    }
}

#[tokio::test]
async fn a_sketch_is_seen_at_once_told_later_and_replaced_by_a_description() {
    let (database, _store, mut connection) = store().await;
    queue_unknown(&mut connection, &[token(11)]).await.unwrap();
    assert!(!sketch(&mut connection, &drawn(), NOW, false).await.unwrap());
    assert_eq!(title_and_event(&database.pool()).await, (CONDITION.to_owned(), String::new()));
    assert_eq!(count_told(&mut connection).await, 0);

    // Words that came once are not lost when they do not come again.
    let worded = Market { title: "Deal?".to_owned(), end: Some(NOW), ..drawn() };
    assert!(!sketch(&mut connection, &worded, NOW, false).await.unwrap());
    assert!(!sketch(&mut connection, &drawn(), NOW, false).await.unwrap());
    assert_eq!(title_and_event(&database.pool()).await, ("Deal?".to_owned(), String::new()));

    assert!(sketch(&mut connection, &drawn(), NOW, true).await.unwrap());
    assert!(!sketch(&mut connection, &drawn(), NOW, true).await.unwrap(), "nothing new");
    assert_eq!((count_told(&mut connection).await, kept(&mut connection).await), (1, worded));
    // A fee that changed is told, whoever asks for it.
    let dearer = Market { fee_rate_ppm: 40_000, ..drawn() };
    assert!(sketch(&mut connection, &dearer, NOW, false).await.unwrap());
    assert_eq!(count_told(&mut connection).await, 2);
    assert_eq!(due_unknown(&mut connection, 10).await.unwrap().len(), 1, "still asked for");

    let whole = [market()];
    assert_eq!(learn(&mut connection, &whole, NOW).await.unwrap(), Learned { new: 0, changed: 1 });
    assert_eq!((count_told(&mut connection).await, kept(&mut connection).await), (3, market()));
    assert_eq!(hurry_unknown(&mut connection).await.unwrap(), 0, "asked for no more");

    // A sketch replaces no description.
    assert!(!sketch(&mut connection, &dearer, NOW, true).await.unwrap());
    assert_eq!(kept(&mut connection).await, market());
}

#[tokio::test]
async fn a_description_of_an_untold_sketch_is_new_to_the_readers() {
    let (_database, _store, mut connection) = store().await;
    sketch(&mut connection, &drawn(), NOW, false).await.unwrap();
    let whole = [market()];
    assert_eq!(learn(&mut connection, &whole, NOW).await.unwrap(), Learned { new: 1, changed: 0 });
    assert_eq!((count_told(&mut connection).await, kept(&mut connection).await), (1, market()));
}

#[tokio::test]
async fn unknown_tokens_wait_longer_each_time_until_they_are_hurried() {
    let (database, _store, mut connection) = store().await;
    queue_unknown(&mut connection, &[token(1), token(2)]).await.unwrap();
    for attempts in 1..=14 {
        let due = due_unknown(&mut connection, 10).await.unwrap();
        assert_eq!(due.iter().map(|due| due.attempts).collect::<Vec<_>>(), [attempts, attempts]);
        assert!(due_unknown(&mut connection, 10).await.unwrap().is_empty(), "it was put off");
        let wait: f64 = sqlx::query_scalar(
            "SELECT max(extract(epoch FROM next_at - now()))::float8 FROM orderflow_unknown_tokens",
        )
        .fetch_one(&database.pool())
        .await
        .unwrap();
        let expected = (5.0 * 2f64.powi(i32::try_from(attempts).unwrap() - 1)).min(3_600.0);
        assert!((expected - 5.0..=expected).contains(&wait), "{wait} after {attempts}");
        assert_eq!(hurry_unknown(&mut connection).await.unwrap(), 2);
    }
    // Who has not been asked for yet goes before who was in vain.
    queue_unknown(&mut connection, &[token(3)]).await.unwrap();
    let due = due_unknown(&mut connection, 1).await.unwrap();
    assert_eq!((due[0].token, due[0].attempts), (token(3), 1));
}

#[tokio::test]
async fn prepared_conditions_are_found_by_any_of_their_tokens() {
    let (database, _store, mut connection) = store().await;
    sqlx::query("INSERT INTO orderflow_conditions VALUES ($1, '{11,12,21,22}')")
        .bind(CONDITION)
        .execute(&database.pool())
        .await
        .unwrap();
    let condition = CONDITION.parse().unwrap();
    let found = conditions_of_tokens(&mut connection, &[token(22), token(5)]).await.unwrap();
    assert_eq!(found, [(token(22), condition)]);
    assert!(conditions_of_tokens(&mut connection, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_markets_traded_lately_are_those_with_a_fill_in_the_newest_blocks_and_no_result() {
    let (database, _store, mut connection) = store().await;
    let condition = |number: u64| format!("{number:#066x}").parse().unwrap();
    for number in 1..=4 {
        let tokens = vec![token(number * 10), token(number * 10 + 1)];
        let market = Market { condition: condition(number), tokens, ..market() };
        learn(&mut connection, &[market], NOW).await.unwrap();
    }
    let pool = database.pool();
    for statement in [
        "INSERT INTO orderflow_blocks (block_hash, block_number, block_time)
         SELECT 'b' || number, number, now() FROM generate_series(1000, 1100) AS number",
        "INSERT INTO orderflow_tokens (token_id) VALUES (10), (21), (30), (40)",
        "INSERT INTO orderflow_wallets (address) VALUES ('a')",
        "SELECT orderflow_fills_partition(1000, true)",
        // The first long ago, the second and the third now, the fourth never; the third has a result.
        "INSERT INTO orderflow_fills
         SELECT 1, 1, 0, block, 0, w.id, w.id, t.id, 0, 0
         FROM (VALUES (1000, 10), (1099, 21), (1100, 30)) AS f (block, token)
         JOIN orderflow_tokens t ON t.token_id = f.token, orderflow_wallets w",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    sqlx::query("UPDATE orderflow_markets SET resolved_at = now() WHERE token_ids @> '{30}'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(traded_lately(&mut connection, 50).await.unwrap(), [condition(2)]);
    assert_eq!(traded_lately(&mut connection, 5_000).await.unwrap(), [condition(1), condition(2)]);
}
