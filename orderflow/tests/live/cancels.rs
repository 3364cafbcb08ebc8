//! Orders that somebody wants cancelled while nobody can say yet whether the venue has them.

use std::time::Duration;

use devnet::{SocketFaults, Trouble, VenueFault, VenueRoute};
use domain::{Closing, OrderEvent, Price, TimeInForce, Timestamp, Usd};
use service::clock;

use crate::bench::Bench;

/// Longer than the venue takes to refuse a cancel.
const WHILE: Duration = Duration::from_millis(500);

fn silent() -> SocketFaults {
    SocketFaults { missing: 1.0, ..SocketFaults::default() }
}

impl Bench {
    fn add(&self, route: VenueRoute, trouble: Trouble, times: Option<u32>) {
        self.venue.add_fault(VenueFault { route: Some(route), trouble, times });
    }
}

/// It is at the venue, and its answer is still out: the cancel that finds nothing to cancel says nothing about it.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_of_what_is_on_its_way_loses_no_match() {
    let mut bench = Bench::begin().await;
    bench.venue.set_socket_faults(silent());
    for trouble in [Trouble::HangAfter, Trouble::Slow(1_000)] {
        bench.add(VenueRoute::PlaceOrder, trouble, Some(1));
        let order = bench.buy_now(Usd::whole(10)).await;
        let id = order.get().id;
        bench.place(&order).await;
        bench.live.cancel(id).await;
        bench.until_final(id).await;
        bench.assert_true();
    }
    bench.end().await;
}

/// What is to be cancelled, and may never have arrived, is not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_cancelled_is_not_sent_again() {
    let mut bench = Bench::begin().await;
    bench.add(VenueRoute::PlaceOrder, Trouble::HangBefore, Some(1));
    let order = bench.buy_now(Usd::whole(10)).await;
    let id = order.get().id;
    bench.place(&order).await;
    bench.live.cancel(id).await;
    bench.until_final(id).await;
    let rejected =
        |what: &OrderEvent| matches!(what, OrderEvent::Closed { why: Closing::Rejected { .. }, .. });
    assert!(bench.told(id).iter().any(|news| rejected(&news.what)), "{:?}", bench.told(id));
    assert!(bench.truth().orders.is_empty());
    bench.assert_true();
    bench.end().await;
}

/// The venue matched it and said otherwise. Asked to cancel it, it says that there is nothing to cancel.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_no_doubt() {
    let mut bench = Bench::begin().await;
    bench.venue.set_socket_faults(silent());
    bench.add(VenueRoute::PlaceOrder, Trouble::ErrorAfter, Some(1));
    bench.add(VenueRoute::Order, Trouble::Html, None);
    bench.add(VenueRoute::Trades, Trouble::Html, None);
    let order = bench.buy_now(Usd::whole(10)).await;
    let id = order.get().id;
    bench.place(&order).await;
    // The doubt is there once the answer is.
    loop {
        let other = bench.buy_now(Usd::whole(10)).await;
        if bench.live.prepare(&other, Some(&bench.market)).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bench.live.cancel(id).await;
    tokio::time::sleep(WHILE).await;
    bench.venue.lift_faults();
    bench.until_final(id).await;
    assert_eq!(bench.truth().orders.len(), 1);
    bench.assert_true();
    bench.end().await;
}

/// Longer than the venue waits for a sign of life, by its own clock, which is faster here.
const SILENCE: Duration = Duration::from_secs(12);

/// What rests is kept in the book by signs of life, and cancelled there when nobody gives them any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_rests_outlives_no_service_that_is_silent() {
    let mut bench = Bench::begin().await;
    let until = clock::now().plus_micros(Timestamp::HOUR);
    let low = Price::from_ppm(20_000).unwrap();
    let order = bench.buy(Usd::whole(20), low, TimeInForce::PostOnly { until });
    let hash = bench.place(&order).await;
    let status = |bench: &Bench| bench.truth().orders.get(&hash).map(|(status, _)| status.name().to_owned());
    let accepted = |bench: &Bench, id| bench.told(id).iter().any(|news| news.what == OrderEvent::Accepted);
    bench.until("it rests", |bench| accepted(bench, order.get().id)).await;
    tokio::time::sleep(SILENCE).await;
    assert_eq!(status(&bench).as_deref(), Some("LIVE"), "it was kept alive");
    bench.add(VenueRoute::Heartbeat, Trouble::Html, None);
    for _ in 0..600 {
        if status(&bench).as_deref() != Some("LIVE") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bench.venue.lift_faults();
    bench.until_final(order.get().id).await;
    assert_ne!(status(&bench).as_deref(), Some("LIVE"));
    bench.end().await;
}

/// Several that are to be cancelled at once are cancelled in one request.
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_cancelled_together() {
    let mut bench = Bench::begin().await;
    let until = clock::now().plus_micros(Timestamp::HOUR);
    let mut ids = vec![];
    for cents in [1, 2, 3] {
        let limit = Price::from_ppm(cents * 10_000).unwrap();
        let order = bench.buy(Usd::whole(20), limit, TimeInForce::PostOnly { until });
        bench.place(&order).await;
        ids.push(order.get().id);
    }
    let accepted = |bench: &Bench, id| bench.told(id).iter().any(|news| news.what == OrderEvent::Accepted);
    bench.until("all rest", |bench| ids.iter().all(|id| accepted(bench, *id))).await;
    for id in &ids {
        bench.live.cancel(*id).await;
    }
    for id in &ids {
        bench.until_final(*id).await;
        let cancelled =
            |what: &OrderEvent| matches!(what, OrderEvent::Closed { why: Closing::Cancelled, .. });
        assert!(bench.told(*id).iter().any(|news| cancelled(&news.what)), "{:?}", bench.told(*id));
    }
    bench.assert_true();
    bench.end().await;
}
