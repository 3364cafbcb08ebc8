//! What prices are worth in PostgreSQL: to the bit, only where it changed, and nothing from later than a place.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use domain::{Category, Horizon, PriceMap, Timestamp};
use store::feed::{self, News, Wanted};
use store::testing::TestDatabase;
use store::{Store, recording, scores, worth};

fn hour(number: i64) -> Timestamp {
    Timestamp::from_seconds(1_780_000_000 + 3_600 * number)
}

/// A map with shifts that no decimal of six places holds.
fn map(seed: f64) -> PriceMap {
    let curve = |about: f64| {
        std::array::from_fn(|bin| (seed + about + f64::from(u8::try_from(bin).unwrap())).sin() / 20.0)
    };
    PriceMap::new([
        ((Category::Sports, Horizon::Day), curve(0.1)),
        ((Category::Other, Horizon::Longer), curve(0.7)),
    ])
}

/// A pass that found this; the item that tells of it.
async fn pass(store: &Store, as_of: Timestamp, map: &PriceMap) -> (bool, i64) {
    let mut transaction = store.begin().await.unwrap();
    let is_new = worth::publish(&mut transaction, as_of, map).await.unwrap();
    scores::tell(&mut transaction, as_of, as_of).await.unwrap();
    Store::commit(transaction).await.unwrap();
    (is_new, feed::newest(&mut store.connection().await.unwrap()).await.unwrap())
}

#[tokio::test]
async fn a_map_holds_from_its_item_on_until_the_next() {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    let (first, second) = (map(0.2), map(0.3));
    let (is_new, nothing) = pass(&store, hour(0), &PriceMap::default()).await;
    assert!(!is_new, "every price is worth itself before anything is learned");
    let (is_new, learned) = pass(&store, hour(1), &first).await;
    assert!(is_new);
    let (is_new, same) = pass(&store, hour(2), &first).await;
    assert!(!is_new, "what has not changed is not stored again");
    let (is_new, changed) = pass(&store, hour(3), &second).await;
    assert!(is_new);

    let mut connection = store.connection().await.unwrap();
    for (seq, held) in [
        (0, &PriceMap::default()),
        (nothing, &PriceMap::default()),
        (learned, &first),
        (same, &first),
        (changed, &second),
        (i64::MAX, &second),
    ] {
        assert_eq!(worth::known_at(&mut connection, seq).await.unwrap(), *held, "{seq}");
    }
    // The feed and the recording tell the same, each at its item, and nothing where nothing changed.
    let told = [(nothing, None), (learned, Some(&first)), (same, None), (changed, Some(&second))];
    let items = feed::read(&mut connection, 0, i64::MAX, 10, Wanted::Everything).await.unwrap();
    assert_eq!(items.len(), told.len());
    for (item, (seq, prices)) in items.iter().zip(told) {
        let expected = News::Scores { prices: prices.cloned().map(Box::new), verdicts: vec![] };
        assert_eq!((item.seq, &item.news), (seq, &expected));
        assert_eq!(recording::verdicts(&mut connection, seq).await.unwrap(), (prices.cloned(), vec![]));
    }
}

#[tokio::test]
async fn going_back_to_prices_that_are_worth_themselves_is_a_change() {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    pass(&store, hour(0), &map(0.5)).await;
    let (is_new, seq) = pass(&store, hour(1), &PriceMap::default()).await;
    assert!(is_new);
    let mut connection = store.connection().await.unwrap();
    assert_eq!(worth::known_at(&mut connection, seq).await.unwrap(), PriceMap::default());
}
