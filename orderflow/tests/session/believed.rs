//! What is believed of wallets where nobody has had the time to find out.

use devnet::Devnet;
use domain::{Category, Horizon, PriceMap, Timestamp};
use service::clock;
use store::scores::{self, Publication};
use store::testing::whale;
use store::{Store, worth};

/// Those who know are whales from the beginning, and prices are worth a little less than they are.
pub(crate) async fn publish(world: &Devnet, store: &Store) {
    let as_of = clock::now().plus_micros(-Timestamp::HOUR);
    let believed: Vec<_> = world.truth().skilled.into_iter().map(|wallet| whale(wallet, as_of)).collect();
    let mut transaction = store.begin().await.unwrap();
    let publication = Publication { as_of, learned: as_of, folded: 0 };
    scores::write(&mut transaction, publication, &believed).await.unwrap();
    let about =
        Category::ALL.into_iter().flat_map(|category| Horizon::ALL.map(|horizon| (category, horizon)));
    let map = PriceMap::new(about.map(|about| (about, [-1.0 / 300.0; PriceMap::BINS])));
    assert!(worth::publish(&mut transaction, as_of, &map).await.unwrap());
    scores::tell(&mut transaction, as_of, as_of).await.unwrap();
    Store::commit(transaction).await.unwrap();
}
