//! API credentials that the venue takes back while orders are on their way.

use std::time::Duration;

use decision::{Guard, VenueMode};
use devnet::{Trouble, VenueFault, VenueRoute};
use domain::{Closing, OrderEvent, Usd};

use orderflow_executor::watch::obey_kill;
use store::controls;

use crate::bench::Bench;

impl Bench {
    async fn send_one(&mut self) -> i64 {
        let order = self.buy_now(Usd::whole(10)).await;
        self.place(&order).await;
        self.until_final(order.get().id).await;
        order.get().id
    }

    fn got_some(&self, order: i64) -> bool {
        self.told(order).iter().any(|news| matches!(news.what, OrderEvent::Filled(_)))
    }

    fn rejection(&self, order: i64) -> String {
        let reason = self.told(order).iter().find_map(|news| match &news.what {
            OrderEvent::Closed { why: Closing::Rejected { reason }, .. } => Some(reason.clone()),
            _ => None,
        });
        reason.unwrap_or_else(|| panic!("{:?}", self.told(order)))
    }

    fn is_objected_to(&self, words: &str) -> bool {
        self.guards.iter().any(|guard| matches!(guard, Guard::Reconcile(Some(says)) if says.contains(words)))
    }
}

/// The venue takes the key back. What was signed for it ends here; others are derived, and with them the next order is
/// traded and followed to its end.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_were_taken_back_are_derived_again() {
    let mut bench = Bench::begin().await;
    let first = bench.send_one().await;
    assert!(bench.got_some(first));
    bench.venue.revoke_keys(bench.wallet().0);
    let refused = bench.send_one().await;
    assert!(
        bench.rejection(refused).contains("credentials that are no more"),
        "{}",
        bench.rejection(refused)
    );
    assert!(bench.is_objected_to("derived again"), "{:?}", bench.guards);
    let next = bench.send_one().await;
    assert!(bench.got_some(next), "{:?}", bench.told(next));
    assert!(!bench.guards.iter().any(|guard| matches!(guard, Guard::Venue(_))), "{:?}", bench.guards);
    bench.assert_true();
    bench.end().await;
}

/// Nothing is sent, and the venue is asked for what became of earlier orders all the same: that alone renews them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_followed_is_reason_enough() {
    let mut bench = Bench::begin().await;
    // Its trades cannot be read, and nothing is told of them: it has to be asked for.
    let silent = devnet::SocketFaults { missing: 1.0, ..devnet::SocketFaults::default() };
    bench.venue.set_socket_faults(silent);
    bench.venue.add_fault(VenueFault {
        route: Some(VenueRoute::Trades),
        trouble: Trouble::Html,
        times: None,
    });
    let order = bench.buy_now(Usd::whole(10)).await;
    bench.place(&order).await;
    while bench.truth().orders.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bench.venue.revoke_keys(bench.wallet().0);
    bench.venue.lift_faults();
    bench.until_final(order.get().id).await;
    assert!(bench.got_some(order.get().id));
    bench.assert_true();
    bench.end().await;
}

/// A refusal that has nothing to do with the key: the clock is read, and the same bytes are sent once more.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_known_are_kept() {
    let mut bench = Bench::begin().await;
    let trouble = Trouble::Refused { status: 401, message: "Unauthorized/Invalid api key".to_owned() };
    bench.venue.add_fault(VenueFault { route: Some(VenueRoute::PlaceOrder), trouble, times: Some(1) });
    let order = bench.send_one().await;
    assert!(bench.got_some(order), "{:?}", bench.told(order));
    bench.assert_true();
    bench.end().await;
}

/// No credentials are to be had: it is tried a few times, and then nothing more is sent until a person has looked.
#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_everything_stops() {
    let mut bench = Bench::begin().await;
    let watching = tokio::spawn(obey_kill(bench.store.clone(), bench.live.handle()));
    let trouble = Trouble::Refused { status: 401, message: "Invalid L1 Request headers".to_owned() };
    bench.venue.add_fault(VenueFault { route: Some(VenueRoute::Auth), trouble, times: None });
    bench.venue.revoke_keys(bench.wallet().0);
    let order = bench.send_one().await;
    assert!(bench.rejection(order).contains("not authorised"), "{}", bench.rejection(order));
    bench.until("halted", |bench| bench.guards.contains(&Guard::Venue(VenueMode::Disabled))).await;
    bench.until("why", |bench| bench.is_objected_to("hands out no others")).await;
    let next = bench.send_one().await;
    assert!(bench.rejection(next).starts_with("not sent"), "{}", bench.rejection(next));
    assert!(bench.truth().orders.is_empty());

    // The venue's trouble is over, and a person says so: credentials are derived again with the next order.
    bench.venue.lift_faults();
    controls::lift(&mut bench.store.connection().await.unwrap()).await.unwrap();
    bench.until("lifted", |bench| bench.guards.last() == Some(&Guard::Venue(VenueMode::Normal))).await;
    let signed_before = bench.send_one().await;
    assert!(bench.rejection(signed_before).contains("credentials that are no more"));
    let after = bench.send_one().await;
    assert!(bench.got_some(after), "{:?}", bench.told(after));
    watching.abort();
    bench.end().await;
}

/// Who stalls or breaks down has not said that we are nobody: credentials are asked for until somebody answers, and no
/// person has to come.
#[tokio::test(flavor = "multi_thread")]
async fn a_venue_that_is_away_stops_nothing_for_good() {
    let mut bench = Bench::begin().await;
    let trouble = Trouble::Refused { status: 503, message: "upstream".to_owned() };
    bench.venue.add_fault(VenueFault { route: Some(VenueRoute::Auth), trouble, times: Some(3) });
    bench.venue.revoke_keys(bench.wallet().0);
    let order = bench.send_one().await;
    assert_eq!(bench.venue.faults_left(), 0, "it was asked more often than a refusal may be heard");
    assert!(bench.rejection(order).contains("credentials that are no more"));
    let next = bench.send_one().await;
    assert!(bench.got_some(next), "{:?}", bench.told(next));
    assert!(!bench.guards.iter().any(|guard| matches!(guard, Guard::Venue(_))), "{:?}", bench.guards);
    bench.end().await;
}
