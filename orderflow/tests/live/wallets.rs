//! Every kind of wallet on every exchange: whatever signs and whatever ledger it is for, an order that is taken at once,
//! one that rests, one that must not match, and a sale come to what the venue's own ledger says.

use decision::risk::Approved;
use domain::{Closing, Exchange, Order, OrderEvent, Price, TimeInForce, Timestamp, Usd};
use orderflow_executor::reconcile::reconcile;
use polymarket::trading::WalletKind;
use service::clock;

use crate::bench::{Bench, exchange_of, rhythm};

impl Bench {
    async fn settle(&mut self, order: &Approved<Order>) -> i64 {
        let id = order.get().id;
        self.place(order).await;
        self.until_final(id).await;
        self.assert_true();
        id
    }

    /// An order that rests where nobody sells, until it is cancelled.
    async fn rest(&mut self, force: TimeInForce) {
        let order = self.buy(Usd::whole(20), Price::from_ppm(20_000).unwrap(), force);
        let id = order.get().id;
        self.place(&order).await;
        self.until("accepted", |bench| {
            bench.portfolio.orders().any(|sent| sent.order.id == id && sent.accepted)
        })
        .await;
        self.live.cancel(id).await;
        self.until_final(id).await;
        let cancelled = OrderEvent::Closed { why: Closing::Cancelled, matched: domain::Shares::ZERO };
        assert!(self.told(id).iter().any(|news| news.what == cancelled), "{:?}", self.told(id));
        self.assert_true();
    }
}

async fn trade(kind: WalletKind) {
    for exchange in [Exchange::V2, Exchange::V2NegRisk, Exchange::V3] {
        let mut bench = Bench::of(rhythm(), kind, Some(exchange)).await;
        assert_eq!(exchange_of(&bench.market), exchange);
        let until = clock::now().plus_micros(Timestamp::HOUR);

        let bought = bench.buy_now(Usd::whole(25)).await;
        let position = bench.settle(&bought).await;
        let held = bench.portfolio.held(position).unwrap().shares();
        assert!(held.is_positive(), "{kind:?} {exchange:?}");
        assert_eq!(bench.truth().shares.values().copied().collect::<Vec<_>>(), [held]);

        bench.rest(TimeInForce::Gtd { until }).await;
        bench.rest(TimeInForce::PostOnly { until }).await;
        // At a price at which somebody sells it would match, and must not.
        let ask = bench.book.best_ask().unwrap();
        let crossing = bench.buy(
            Usd::whole(20),
            Price::from_ppm(990_000.max(ask.ppm())).unwrap(),
            TimeInForce::PostOnly { until },
        );
        let refused = bench.settle(&crossing).await;
        let is_rejected =
            |what: &OrderEvent| matches!(what, OrderEvent::Closed { why: Closing::Rejected { .. }, .. });
        assert!(bench.told(refused).iter().any(|news| is_rejected(&news.what)), "{:?}", bench.told(refused));

        let sale = bench.sell(position, Price::from_ppm(10_000).unwrap());
        bench.settle(&sale).await;
        let found = reconcile(bench.live.handle().trader(), &bench.store).await.unwrap();
        assert_eq!(found.differences, [], "{kind:?} {exchange:?}");
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_account_trades_on_every_exchange() {
    trade(WalletKind::Eoa).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_trades_on_every_exchange() {
    trade(WalletKind::Proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_safe_trades_on_every_exchange() {
    trade(WalletKind::Safe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_wallet_trades_on_every_exchange() {
    trade(WalletKind::Deposit).await;
}
