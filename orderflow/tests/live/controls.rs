//! What a person asks for while the executor waits for the world.

use std::time::Duration;

use devnet::{Trouble, VenueFault, VenueRoute};
use domain::{Position, Price, Purpose, Shares, TokenId, Usd};
use orderflow_executor::{Executor, Paper, Venue};
use polymarket::Clob;
use store::recording::{self, Step};
use store::{Store, controls, journal, signals};

use crate::bench::{Bench, policy};

impl Bench {
    /// Holds ten shares of a token on paper, in an event of its own.
    async fn hold(&mut self, token: TokenId) -> i64 {
        let price = Price::from_ppm(500_000).unwrap();
        let order = self.buy(Usd::whole(50), price, domain::TimeInForce::Fak).get().clone();
        let position = Position {
            id: order.position,
            opened: order.at,
            condition: order.condition,
            event: order.event.clone(),
            token,
            outcome: self.market.outcome_index(token).unwrap(),
            bought: Shares::whole(10),
            spent: Usd::whole(5),
            sold: Shares::ZERO,
            proceeds: Usd::ZERO,
            fee: Usd::ZERO,
        };
        assert_eq!(order.purpose, Purpose::Enter);
        let mut transaction = self.store.begin().await.unwrap();
        signals::signal(&mut transaction, &self.signal(&order)).await.unwrap();
        journal::position(&mut transaction, &position, "paper").await.unwrap();
        Store::commit(transaction).await.unwrap();
        order.position
    }

    /// What a person asked for and the engine was told, by name.
    async fn heard(&self) -> Vec<String> {
        let steps = recording::read(&mut self.store.connection().await.unwrap(), 0, 1_000).await.unwrap();
        let names = steps.into_iter().filter_map(|recorded| match recorded.step {
            Step::Control(said) => Some(said.name),
            _ => None,
        });
        names.collect()
    }

    async fn is_open(&self, position: i64) -> bool {
        let open = store::resume::books(&mut self.store.connection().await.unwrap(), i64::MAX, "paper").await;
        open.unwrap().positions.iter().any(|kept| kept.position.id == position && kept.ended.is_none())
    }
}

/// The book of one position never comes. The other is closed all the same, and its end is committed while the executor
/// still waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_close_waits_for_no_other_book() {
    let mut bench = Bench::begin().await;
    let deep = bench.token();
    let other = bench.market.tokens.iter().copied().find(|token| *token != deep).unwrap();
    let (stuck, wanted) = (bench.hold(other).await, bench.hold(deep).await);
    // The first look at the clock asks for the books of all that is held, in their order.
    bench.venue.add_fault(VenueFault {
        route: Some(VenueRoute::Book),
        trouble: Trouble::HangBefore,
        times: Some(1),
    });
    let patience = Duration::from_secs(300);
    let clob = Clob::with_timeout(&bench.devnet.urls().clob, patience).unwrap();
    let venue = Venue::Paper(Paper::new(clob, Duration::ZERO));
    let mut executor = Executor::resume(bench.store.clone(), policy(), venue).await.unwrap();
    let working = tokio::spawn(async move { executor.catch_up().await.map(|()| executor) });
    // It waits: what is asked for before that would be asked first.
    while 0 < bench.venue.faults_left() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(
        controls::request_close(&mut bench.store.connection().await.unwrap(), Some(wanted)).await.unwrap()
    );
    for _ in 0..300 {
        if !bench.is_open(wanted).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let books = store::resume::books(&mut bench.store.connection().await.unwrap(), i64::MAX, "paper").await;
    assert!(!bench.is_open(wanted).await, "the close waits for the book that never comes: {books:#?}");
    assert!(!working.is_finished() && bench.is_open(stuck).await);
    let (_, requests) = controls::wishes(&mut bench.store.connection().await.unwrap()).await.unwrap();
    assert_eq!(requests, [], "it is obeyed, and committed to be");

    // A pause and a kill are heard there as well.
    controls::set_paused(&mut bench.store.connection().await.unwrap(), true).await.unwrap();
    controls::kill(&mut bench.store.connection().await.unwrap(), "a drill").await.unwrap();
    bench.venue.lift_faults();
    let mut executor = working.await.unwrap().unwrap();
    // It may have been told so late that nothing came of it that was to be committed.
    executor.catch_up().await.unwrap();
    assert_eq!(bench.heard().await, ["close", "pause", "kill"]);
    assert!(bench.is_open(stuck).await, "neither sells what is held");
    bench.end().await;
}
