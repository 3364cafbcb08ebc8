//! What the venue's refusals lead to: for the order, and for everything that might be sent after it.

use std::time::Duration;

use decision::{Guard, VenueMode};
use devnet::{Mode, Trouble, VenueFault, VenueRoute};
use domain::{Closing, OrderEvent, Price, TimeInForce, Usd};
use orderflow_executor::live::{Objection, Rhythm};
use orderflow_executor::watch::{look, obey_kill};
use store::controls::{self, Lifted};
use store::halts::{self, HaltKind};

use crate::bench::{Bench, rhythm};

fn refused(status: u16, message: &str) -> Trouble {
    Trouble::Refused { status, message: message.to_owned() }
}

impl Bench {
    /// An order that meets this trouble; its number once nothing more can be learned of it.
    async fn meet(&mut self, trouble: Trouble, times: u32) -> i64 {
        let fault = VenueFault { route: Some(VenueRoute::PlaceOrder), trouble, times: Some(times) };
        self.venue.add_fault(fault);
        let id = self.try_once().await;
        self.venue.lift_faults();
        id
    }

    async fn try_once(&mut self) -> i64 {
        let order = self.buy_now(Usd::whole(10)).await;
        self.place(&order).await;
        self.until_final(order.get().id).await;
        order.get().id
    }

    /// A sale of a position at any price; its number once nothing more can be learned of it.
    async fn sell_all(&mut self, position: i64) -> i64 {
        let sale = self.sell(position, Price::from_ppm(10_000).unwrap());
        self.place(&sale).await;
        self.until_final(sale.get().id).await;
        sale.get().id
    }

    fn is_filled(&self, order: i64) -> bool {
        self.told(order).iter().any(|news| matches!(news.what, OrderEvent::Filled(_)))
    }

    fn is_rejected(&self, order: i64) -> bool {
        let rejected =
            |what: &OrderEvent| matches!(what, OrderEvent::Closed { why: Closing::Rejected { .. }, .. });
        self.told(order).iter().any(|news| rejected(&news.what)) && !self.is_filled(order)
    }
}

/// A restart, a busy venue, a queue that took too long: nothing was taken in, and the same bytes are taken later.
#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_waited_for() {
    let mut bench = Bench::begin().await;
    for trouble in [Trouble::Restarting, Trouble::RateLimited(1), refused(400, "order timed out")] {
        let order = bench.meet(trouble.clone(), 1).await;
        assert!(bench.is_filled(order), "{trouble:?}: {:?}", bench.told(order));
        bench.assert_true();
    }
    bench.end().await;
}

/// Refusals that concern this order alone end it, and the next goes out.
#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_one_order_ends_one_order() {
    let mut bench = Bench::begin().await;
    for trouble in [
        refused(400, "order 0x00 is invalid. Size (1) lower than the minimum: 5"),
        refused(400, "invalid amount for a marketable BUY order ($0.5), min size: $1"),
        refused(400, "not enough balance / allowance"),
        refused(400, "the market is not yet ready to process new orders"),
        refused(404, "market not found"),
        Trouble::SoftFailure("not enough balance / allowance".to_owned()),
    ] {
        let order = bench.meet(trouble.clone(), 1).await;
        assert!(bench.is_rejected(order), "{trouble:?}: {:?}", bench.told(order));
        bench.assert_true();
    }
    let order = bench.meet(refused(400, "no orders found to match with FAK order"), 1).await;
    let killed = |what: &OrderEvent| matches!(what, OrderEvent::Closed { why: Closing::Killed, .. });
    assert!(bench.told(order).iter().any(|news| killed(&news.what)));
    let order = bench.try_once().await;
    assert!(bench.is_filled(order));
    assert_eq!(bench.guards, [], "nothing else was halted");
    bench.end().await;
}

/// A wrong configuration stops everything; the next order is not even sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_stops_everything() {
    let mut bench = Bench::begin().await;
    let order = bench.meet(refused(400, "invalid signature"), 1).await;
    assert!(bench.is_rejected(order));
    bench.until("halted", |bench| bench.guards.contains(&Guard::Venue(VenueMode::Disabled))).await;
    let next = bench.try_once().await;
    assert!(bench.is_rejected(next), "{:?}", bench.told(next));
    assert!(bench.truth().orders.is_empty());
    bench.end().await;
}

/// What the venue says of the address or of the configuration stops trading until a person lifts it: no restart and no
/// later word of the venue's does.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_venue_says_of_us_outlives_a_restart() {
    let mut bench = Bench::begin().await;
    for (message, kind) in [
        ("'0x0000000000000000000000000000000000000001' address banned", HaltKind::Banned),
        ("'0x0000000000000000000000000000000000000001' address in closed only mode", HaltKind::ClosedOnly),
        ("invalid signature", HaltKind::Configuration),
    ] {
        let held = bench.try_once().await;
        assert!(bench.is_filled(held), "{message}: {:?}", bench.told(held));
        let known = bench.truth().orders.len();
        let refused = bench.meet(refused(400, message), 1).await;
        assert!(bench.is_rejected(refused));
        let standing = halts::standing(&mut bench.store.connection().await.unwrap()).await.unwrap();
        assert_eq!(standing.iter().map(|halt| halt.kind).collect::<Vec<_>>(), [kind]);
        for restarts in 0..2 {
            // The venue's list of accounts that may only close does not have this one.
            look(&bench.store, &bench.settings(), &bench.live.handle(), &rhythm()).await;
            let next = bench.try_once().await;
            assert!(bench.is_rejected(next), "{message}, {restarts} restarts: {:?}", bench.told(next));
            bench.crash().await;
        }
        assert_eq!(bench.truth().orders.len(), known, "{message}: nothing was sent");

        // What is held can be sold, but not with a configuration that the venue does not take.
        if kind != HaltKind::Configuration {
            let sold = bench.sell_all(held).await;
            assert!(bench.is_filled(sold), "{message}: {:?}", bench.told(sold));
        }

        let lifted = controls::lift(&mut bench.store.connection().await.unwrap()).await.unwrap();
        assert_eq!(lifted, Lifted { was_killed: false, halts: 1 });
        bench.crash().await;
        let after = bench.try_once().await;
        assert!(bench.is_filled(after), "{message}: {:?}", bench.told(after));
    }
    bench.end().await;
}

/// Nobody could say where we are: nothing is opened, and what is held is sold all the same. From a place that is known to
/// be forbidden nothing is sent, also when the next look fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_look_at_the_place_stops_no_sale() {
    let mut bench = Bench::begin().await;
    let look = async |bench: &Bench| {
        look(&bench.store, &bench.settings(), &bench.live.handle(), &rhythm()).await;
    };
    let (first, second) = (bench.try_once().await, bench.try_once().await);
    assert!(bench.is_filled(first) && bench.is_filled(second));
    let broken = VenueFault { route: Some(VenueRoute::Geoblock), trouble: Trouble::Html, times: None };
    bench.venue.add_fault(broken.clone());
    look(&bench).await;
    let entry = bench.try_once().await;
    assert!(bench.is_rejected(entry), "{:?}", bench.told(entry));
    let sold = bench.sell_all(first).await;
    assert!(bench.is_filled(sold), "{:?}", bench.told(sold));

    bench.venue.lift_faults();
    bench.venue.set_geoblocked(true);
    look(&bench).await;
    bench.venue.add_fault(broken);
    look(&bench).await;
    let kept = bench.sell_all(second).await;
    assert!(bench.is_rejected(kept), "{:?}", bench.told(kept));

    bench.venue.lift_faults();
    bench.venue.set_geoblocked(false);
    look(&bench).await;
    let sold = bench.sell_all(second).await;
    assert!(bench.is_filled(sold), "{:?}", bench.told(sold));
    bench.end().await;
}

/// A person's word reaches the venue's desk while it runs.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_lifted_is_heard_of_without_a_restart() {
    let mut bench = Bench::begin().await;
    let watching = tokio::spawn(obey_kill(bench.store.clone(), bench.live.handle()));
    let order = bench.meet(refused(400, "invalid signature"), 1).await;
    assert!(bench.is_rejected(order));
    bench.until("halted", |bench| bench.guards.contains(&Guard::Venue(VenueMode::Disabled))).await;
    controls::lift(&mut bench.store.connection().await.unwrap()).await.unwrap();
    bench.until("lifted", |bench| bench.guards.last() == Some(&Guard::Venue(VenueMode::Normal))).await;
    let next = bench.try_once().await;
    assert!(bench.is_filled(next), "{:?}", bench.told(next));
    assert!(!watching.is_finished());
    watching.abort();
    bench.end().await;
}

/// An account that may only close stops entries, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_only_account_opens_nothing() {
    let mut bench = Bench::begin().await;
    bench.venue.set_closed_only(bench.wallet().0, true).unwrap();
    let order = bench.try_once().await;
    assert!(bench.is_rejected(order));
    bench
        .until("no entries", |bench| {
            bench.guards.iter().any(|guard| matches!(guard, Guard::Reconcile(Some(_))))
        })
        .await;
    assert!(!bench.guards.iter().any(|guard| matches!(guard, Guard::Venue(_))));
    bench.end().await;
}

/// The venue's modes are told to the engine, and that they are over.
#[tokio::test(flavor = "multi_thread")]
async fn modes_are_told_and_end() {
    let mut bench = Bench::begin().await;
    for (mode, told) in [
        (Mode::PostOnly, VenueMode::PostOnly),
        (Mode::CancelOnly, VenueMode::CancelOnly),
        (Mode::Disabled, VenueMode::Disabled),
    ] {
        bench.guards.clear();
        bench.venue.set_mode(mode, Some(Duration::from_secs(1)));
        let order = bench.try_once().await;
        assert!(bench.is_rejected(order), "{mode:?}: {:?}", bench.told(order));
        bench.until("the mode", |bench| bench.guards.contains(&Guard::Venue(told))).await;
        bench.venue.set_mode(Mode::Open, None);
        // An order that is taken proves it over, whatever was said of how long.
        let order = bench.try_once().await;
        assert!(bench.is_filled(order));
        bench.until("its end", |bench| bench.guards.contains(&Guard::Venue(VenueMode::Normal))).await;
    }
    bench.assert_true();
    bench.end().await;
}

/// The grid changed under an order: its market is read again, and the next order is on the new grid.
#[tokio::test(flavor = "multi_thread")]
async fn another_grid_is_read() {
    let mut bench = Bench::begin().await;
    // On the grid of cents, and not on that of ten cents.
    let above = bench.book.best_ask().unwrap().ppm() + 100_000;
    let limit = above / 100_000 * 100_000 + 10_000;
    let order = bench.buy(Usd::whole(10), Price::from_ppm(limit).unwrap(), TimeInForce::Fak);
    let prepared = bench.commit(&order).await.unwrap();
    bench.venue.set_tick(bench.token(), 100_000).unwrap();
    bench.live.send(prepared).await;
    bench.until_final(order.get().id).await;
    assert!(bench.is_rejected(order.get().id), "{:?}", bench.told(order.get().id));
    bench.until("the new grid", |bench| bench.market.tick.ppm() == 100_000).await;
    bench.end().await;
}

/// What speaks against entries stops those that are decided already, and those that wait to be sent again.
#[tokio::test(flavor = "multi_thread")]
async fn an_objection_binds_what_is_decided_already() {
    let mut bench = Bench::begin().await;
    let pause =
        VenueFault { route: Some(VenueRoute::PlaceOrder), trouble: Trouble::RateLimited(2), times: Some(1) };
    bench.venue.add_fault(pause);
    let waiting = bench.buy_now(Usd::whole(10)).await;
    bench.place(&waiting).await;
    bench.until("refused once", |bench| !bench.guards.is_empty()).await;
    bench.live.handle().object(Objection::Difference, Some("the books disagree".to_owned())).await;
    bench.until_final(waiting.get().id).await;
    assert!(bench.is_rejected(waiting.get().id));
    let decided = bench.try_once().await;
    assert!(bench.is_rejected(decided));
    assert!(bench.truth().orders.is_empty());
    bench.end().await;
}

/// An entry that is sent long after it was decided is another entry than was decided.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_entry_is_not_sent() {
    let mut bench = Bench::with(Rhythm { young: Duration::ZERO, ..rhythm() }).await;
    let order = bench.try_once().await;
    assert!(bench.is_rejected(order));
    assert!(bench.truth().orders.is_empty());
    bench.end().await;
}
