//! The ordinary life of orders.

use domain::{Closing, OrderEvent, Price, TimeInForce, Timestamp, Usd};

use crate::bench::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_and_its_sale_come_to_what_the_venue_says() {
    let mut bench = Bench::begin().await;
    let order = bench.buy_now(Usd::whole(20)).await;
    let id = order.get().id;
    bench.place(&order).await;
    bench.until_final(id).await;
    bench.assert_true();
    assert!(bench.portfolio.held(id).unwrap().shares().is_positive());

    let sale = bench.sell(id, Price::from_ppm(10_000).unwrap());
    let sold = sale.get().id;
    bench.place(&sale).await;
    bench.until_final(sold).await;
    bench.assert_true();
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_match_is_killed() {
    let mut bench = Bench::begin().await;
    // More than the best offer has, at no more than its price.
    let best = bench.book.asks[0];
    let stake = best.shares.at(best.price, domain::Rounding::Up) + Usd::whole(500);
    let order = bench.buy(stake.min(Usd::whole(4_000)), best.price, TimeInForce::Fak);
    let id = order.get().id;
    bench.place(&order).await;
    bench.until_final(id).await;
    let killed = |what: &OrderEvent| matches!(what, OrderEvent::Closed { why: Closing::Killed, .. });
    assert!(bench.told(id).iter().any(|news| killed(&news.what)), "{:?}", bench.told(id));
    bench.assert_true();
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rests_is_cancelled_when_asked() {
    let mut bench = Bench::begin().await;
    let until = service::clock::now().plus_micros(Timestamp::HOUR);
    let order = bench.buy(Usd::whole(20), Price::from_ppm(20_000).unwrap(), TimeInForce::Gtd { until });
    let id = order.get().id;
    bench.place(&order).await;
    bench
        .until("accepted", |bench| bench.portfolio.orders().any(|sent| sent.order.id == id && sent.accepted))
        .await;
    bench.live.cancel(id).await;
    bench.until_final(id).await;
    let cancelled = |what: &OrderEvent| matches!(what, OrderEvent::Closed { why: Closing::Cancelled, .. });
    assert!(bench.told(id).iter().any(|news| cancelled(&news.what)), "{:?}", bench.told(id));
    bench.assert_true();
    bench.end().await;
}
