//! Orders of which the venue said nothing, or not the truth.

use devnet::{Settlement, SocketFaults, Trouble, VenueFault, VenueRoute};
use domain::{OrderEvent, Usd};

use crate::bench::Bench;

fn once(route: VenueRoute, trouble: Trouble) -> VenueFault {
    VenueFault { route: Some(route), trouble, times: Some(1) }
}

/// The answer is lost in every way an answer can be: what was matched is found, what was not is sent again, and
/// nothing is bought twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_unknown_fate_is_found_or_sent_again_and_never_bought_twice() {
    let troubles = [
        Trouble::ErrorAfter,
        Trouble::ErrorBefore,
        Trouble::HangAfter,
        Trouble::HangBefore,
        Trouble::CutAfter,
        Trouble::CutBefore,
        Trouble::Half,
        Trouble::Html,
        Trouble::WrongOrderId,
        Trouble::MissingOrderId,
        Trouble::Duplicated,
    ];
    // Each part in a world of its own: markets do not last for ever.
    for part in troubles.chunks(4) {
        let mut bench = Bench::begin().await;
        for trouble in part {
            bench.venue.add_fault(once(VenueRoute::PlaceOrder, trouble.clone()));
            let order = bench.buy_now(Usd::whole(10)).await;
            let id = order.get().id;
            let hash = bench.place(&order).await;
            bench.until_final(id).await;
            bench.venue.lift_faults();
            let truth = bench.truth();
            assert!(truth.orders.contains_key(&hash), "{trouble:?}: {:?}", bench.told(id));
            bench.assert_true();
        }
        assert_eq!(bench.truth().orders.len(), part.len());
        bench.end().await;
    }
}

/// While nobody knows what became of an order, no other is signed in its market.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_in_a_market_of_doubt() {
    let mut bench = Bench::begin().await;
    bench.venue.add_fault(once(VenueRoute::PlaceOrder, Trouble::ErrorAfter));
    bench.venue.add_fault(VenueFault { route: Some(VenueRoute::Order), trouble: Trouble::Html, times: None });
    bench.venue.set_socket_faults(SocketFaults { missing: 1.0, ..SocketFaults::default() });
    let order = bench.buy_now(Usd::whole(10)).await;
    let first = order.get().id;
    bench.place(&order).await;
    // The doubt is there once the answer is.
    let other = loop {
        let other = bench.buy_now(Usd::whole(10)).await;
        if let Err(news) = bench.live.prepare(&other, Some(&bench.market)).await {
            break news;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(matches!(other.what, OrderEvent::Closed { .. }), "{other:?}");
    bench.venue.lift_faults();
    bench.venue.set_socket_faults(SocketFaults::default());
    bench.until_final(first).await;
    bench.assert_true();
    bench.end().await;
}

/// Its transaction fails for good: shares, dollars and fee are ours again, exactly.
#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_never_settles_is_taken_back() {
    let mut bench = Bench::begin().await;
    bench.venue.plan_settlements([Settlement::Failed]);
    let order = bench.buy_now(Usd::whole(25)).await;
    let id = order.get().id;
    bench.place(&order).await;
    bench.until_final(id).await;
    assert!(bench.told(id).iter().any(|news| matches!(news.what, OrderEvent::Failed(_))));
    assert_eq!(bench.portfolio.open().count(), 0);
    bench.assert_true();
    bench.end().await;
}

/// The channel of our orders brings nothing, everything twice, or is cut: REST tells the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_fails_loses_nothing() {
    let mut bench = Bench::begin().await;
    for faults in [
        SocketFaults { missing: 1.0, ..SocketFaults::default() },
        SocketFaults { duplicated: 1.0, ..SocketFaults::default() },
        SocketFaults { missing: 0.5, duplicated: 0.5, delay_ms: 200 },
    ] {
        bench.venue.set_socket_faults(faults);
        let order = bench.buy_now(Usd::whole(10)).await;
        let id = order.get().id;
        bench.place(&order).await;
        bench.venue.cut_sockets();
        bench.until_final(id).await;
        bench.assert_true();
    }
    bench.end().await;
}

/// The process ends between the commit and the sending, and right after the sending.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_each_order_is_sent_once() {
    let mut bench = Bench::begin().await;
    let unsent = bench.buy_now(Usd::whole(10)).await;
    let _never_sent = bench.commit(&unsent).await.unwrap();
    bench.crash().await;
    bench.until_final(unsent.get().id).await;
    bench.assert_true();

    let sent = bench.buy_now(Usd::whole(10)).await;
    bench.place(&sent).await;
    bench.crash().await;
    bench.until_final(sent.get().id).await;
    bench.assert_true();
    assert_eq!(bench.truth().orders.len(), 2);
    bench.end().await;
}

/// It was decided and committed together with another's bytes, and the process ended before it had any of its own.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_an_order_without_bytes_is_over() {
    let mut bench = Bench::begin().await;
    let unsigned = bench.buy_now(Usd::whole(10)).await;
    bench.record(&unsigned, None).await;
    bench.crash().await;
    bench.until_final(unsigned.get().id).await;
    assert!(bench.truth().orders.is_empty());
    bench.assert_true();
    bench.end().await;
}
