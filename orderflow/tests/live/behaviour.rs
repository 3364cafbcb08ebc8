//! One set of rules for both venues: the same order meets the same book, on paper and in earnest, and the same becomes
//! of it: shares, dollars, fee, and how it ended. The world stands still meanwhile, so that it is the same book.

use std::time::Duration;

use decision::Sent;
use decision::risk::Approved;
use devnet::{Mode, Trouble, VenueFault, VenueRoute};
use domain::{Order, OrderEvent, OrderNews, Price, Rounding, Shares, TimeInForce, Timestamp, Usd};
use orderflow_executor::{Paper, Venue};
use polymarket::Clob;
use service::clock;

use crate::bench::Bench;

/// What became of an order.
#[derive(Debug, PartialEq, Eq)]
struct Fate {
    shares: Shares,
    usd: Usd,
    /// Why it stands no more; `None` where it rests.
    ending: Option<&'static str>,
}

fn fate(news: &[&OrderNews]) -> (Fate, Usd) {
    let mut fate = Fate { shares: Shares::ZERO, usd: Usd::ZERO, ending: None };
    let mut fee = Usd::ZERO;
    for news in news {
        match &news.what {
            OrderEvent::Filled(execution) => {
                fate.shares += execution.shares;
                fate.usd += execution.usd;
                fee += execution.fee;
            }
            OrderEvent::Closed { why, .. } => fate.ending = Some(why.name()),
            _ => {}
        }
    }
    (fate, fee)
}

fn on_paper(bench: &Bench, latency: Duration) -> Venue {
    Venue::Paper(Paper::new(Clob::new(&bench.devnet.urls().clob).unwrap(), latency))
}

impl Bench {
    /// Stops the world, and looks at the book as it will be until it goes on.
    pub(crate) async fn stand_still(&mut self) {
        let clob = Clob::new(&self.devnet.urls().clob).unwrap();
        loop {
            self.devnet.pause(true);
            // What was under way when it stopped has arrived.
            tokio::time::sleep(Duration::from_millis(100)).await;
            match clob.book(self.token()).await {
                Ok(book) if 2 <= book.asks.len() && !book.bids.is_empty() => {
                    self.book = book;
                    return;
                }
                _ => {
                    self.devnet.pause(false);
                    self.move_on().await;
                }
            }
        }
    }

    /// Hands an order over in earnest, as far as it gets there.
    async fn hand_over(&mut self, order: &Approved<Order>) {
        match self.commit(order).await {
            Ok(prepared) => self.live.send(prepared).await,
            Err(news) => self.tell(news).await,
        }
    }

    /// The same order on paper and in earnest: what becomes of it there is the same. If it rests, it is cancelled.
    async fn agree(&mut self, what: &str, order: &Approved<Order>) -> Fate {
        let id = order.get().id;
        let paper = on_paper(self, Duration::ZERO);
        let mut told = paper.place(order, clock::now()).await;
        let mut sent = Sent::new(order.get().clone());
        for news in &told {
            sent.take_in(&news.what);
        }
        let matches = sent.matches();
        self.hand_over(order).await;
        if sent.is_live() {
            self.until(what, |bench| {
                bench
                    .portfolio
                    .orders()
                    .any(|sent| sent.order.id == id && sent.accepted && matches <= sent.matches())
            })
            .await;
            told.extend(paper.cancel(&sent, clock::now()).await);
            self.live.cancel(id).await;
        }
        self.devnet.pause(false);
        self.until_final(id).await;
        let (fate_on_paper, fee_on_paper) = fate(&told.iter().collect::<Vec<_>>());
        let (fate_in_earnest, fee_in_earnest) = fate(&self.told(id));
        assert_eq!(fate_on_paper, fate_in_earnest, "{what}: {told:?} on paper, {:?}", self.told(id));
        // A fee is rounded once a match, and paper has no matches but the levels of the book.
        let apart = (fee_on_paper - fee_in_earnest).abs();
        assert!(apart <= Usd::from_micros(50), "{what}: {fee_on_paper} on paper, {fee_in_earnest}");
        self.assert_true();
        self.stand_still().await;
        fate_on_paper
    }

    fn at(&self, ppm: u32) -> Price {
        Price::from_ppm(ppm).unwrap().on_tick(self.book.tick, Rounding::Down)
    }
}

fn later() -> Timestamp {
    clock::now().plus_micros(Timestamp::HOUR)
}

#[tokio::test(flavor = "multi_thread")]
async fn at_once_or_not_at_all() {
    let mut bench = Bench::begin().await;
    bench.stand_still().await;
    let any = bench.at(990_000);

    // More than the best level has, at its price, and half a dollar beside the whole cents.
    let best = bench.book.asks[0];
    let stake = best.shares.at(best.price, Rounding::Up) + Usd::from_micros(50_005_000);
    let order = bench.buy(stake, best.price, TimeInForce::Fak);
    let part = bench.agree("more than there is", &order).await;
    assert_eq!((part.shares, part.ending), (best.shares, Some("KILLED")));

    let order = bench.buy(Usd::whole(25), bench.at(20_000), TimeInForce::Fak);
    let none = bench.agree("nobody sells so cheaply", &order).await;
    assert_eq!((none.shares, none.ending), (Shares::ZERO, Some("KILLED")));

    for (usd, ending) in [("0.99", "REJECTED"), ("1.009", "MATCHED")] {
        let order = bench.buy(usd.parse().unwrap(), any, TimeInForce::Fak);
        assert_eq!(bench.agree("about a dollar", &order).await.ending, Some(ending), "{usd}");
    }

    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_and_its_sale() {
    let mut bench = Bench::begin().await;
    bench.stand_still().await;
    let limit = bench.at(990_000);
    let order = bench.buy(Usd::whole(25), limit, TimeInForce::Fak);
    let position = order.get().id;
    let bought = bench.agree("a purchase", &order).await;
    assert!(bought.shares.is_positive() && bought.ending == Some("MATCHED"), "{bought:?}");

    let order = bench.sell(position, bench.at(10_000));
    let sold = bench.agree("a sale", &order).await;
    assert_eq!(sold.ending, Some("MATCHED"));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rests_and_what_must_not_match() {
    let mut bench = Bench::begin().await;
    bench.stand_still().await;
    let (low, until) = (bench.at(20_000), later());
    for force in [TimeInForce::Gtd { until }, TimeInForce::PostOnly { until }] {
        let order = bench.buy(Usd::whole(20), low, force);
        let rested = bench.agree("it rests", &order).await;
        assert_eq!((rested.shares, rested.ending), (Shares::ZERO, Some("CANCELLED")));
        let order = bench.buy("0.09".parse().unwrap(), low, force);
        assert_eq!(bench.agree("under five shares", &order).await.ending, Some("REJECTED"));
    }

    let best = bench.book.asks[0];
    let order = bench.buy(Usd::whole(20), best.price, TimeInForce::PostOnly { until });
    let crossing = bench.agree("it would match", &order).await;
    assert_eq!((crossing.shares, crossing.ending), (Shares::ZERO, Some("REJECTED")));

    let best = bench.book.asks[0];
    let stake = best.shares.at(best.price, Rounding::Up) + Usd::whole(50);
    let order = bench.buy(stake, best.price, TimeInForce::Gtd { until });
    let part = bench.agree("it takes what there is and rests", &order).await;
    assert_eq!((part.shares, part.ending), (best.shares, Some("CANCELLED")));

    // For so many shares, whatever they cost: what is cheaper than the limit buys no more of them.
    let (best, worst) = (bench.book.asks[0], bench.book.asks[1]);
    let order = bench.buy(Usd::whole(20), worst.price, TimeInForce::Gtd { until });
    let all = bench.agree("it takes all of it at once", &order).await;
    assert_eq!(all.ending, Some("MATCHED"));
    assert!(all.usd < Usd::whole(20) && best.price < worst.price, "{all:?}");
    bench.end().await;
}

/// After a restart the venue takes for a while only what rests.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_only_window_turns_takers_away() {
    let mut bench = Bench::begin().await;
    bench.stand_still().await;
    let any = bench.at(990_000);
    let restarting =
        VenueFault { route: Some(VenueRoute::Book), trouble: Trouble::Restarting, times: Some(1) };
    bench.venue.add_fault(restarting);
    let paper = on_paper(&bench, Duration::ZERO);
    let book = paper.quote(bench.token(), None, clock::now()).await;
    assert!(book.is_err(), "{book:?}");
    bench.venue.set_mode(Mode::PostOnly, None);

    let until = later();
    for (force, is_taken) in [(TimeInForce::Fak, false), (TimeInForce::PostOnly { until }, true)] {
        let limit = if is_taken { bench.at(20_000) } else { any };
        let order = bench.buy(Usd::whole(20), limit, force);
        let told = paper.place(&order, clock::now()).await;
        let rejected = fate(&told.iter().collect::<Vec<_>>()).0.ending == Some("REJECTED");
        assert_eq!(rejected, !is_taken, "{told:?}");
        bench.hand_over(&order).await;
        let id = order.get().id;
        if is_taken {
            bench
                .until("taken", |bench| {
                    bench.portfolio.orders().any(|sent| sent.order.id == id && sent.accepted)
                })
                .await;
            bench.live.cancel(id).await;
        }
        bench.until_final(id).await;
        let ending = fate(&bench.told(id)).0.ending;
        assert_eq!(ending, Some(if is_taken { "CANCELLED" } else { "REJECTED" }), "{:?}", bench.told(id));
    }
    bench.devnet.pause(false);
    bench.end().await;
}

/// An order on paper meets the book as it is when it arrives: what somebody took meanwhile is gone.
#[tokio::test(flavor = "multi_thread")]
async fn the_book_at_the_arrival_counts() {
    let mut bench = Bench::begin().await;
    bench.stand_still().await;
    let best = bench.book.asks[0];
    let ours = bench.buy(Usd::whole(20), best.price, TimeInForce::Fak);
    let prompt = on_paper(&bench, Duration::ZERO).place(&ours, clock::now()).await;
    assert_eq!(fate(&prompt.iter().collect::<Vec<_>>()).0.ending, Some("MATCHED"));

    // Somebody else is quicker, and takes all of it.
    let stake = best.shares.at(best.price, Rounding::Up) + Usd::whole(10);
    let theirs = bench.buy(stake, best.price, TimeInForce::Fak);
    let slow = on_paper(&bench, Duration::from_secs(2));
    let place = tokio::spawn(async move { slow.place(&ours, clock::now()).await });
    bench.hand_over(&theirs).await;
    let id = theirs.get().id;
    bench
        .until("they have it", |bench| {
            bench.told(id).iter().any(|news| matches!(news.what, OrderEvent::Filled(_)))
        })
        .await;
    let late = place.await.unwrap();
    let (late, _) = fate(&late.iter().collect::<Vec<_>>());
    assert_eq!((late.shares, late.ending), (Shares::ZERO, Some("KILLED")));
    bench.devnet.pause(false);
    bench.until_final(id).await;
    bench.end().await;
}

/// A market may ask for more shares than others, or for fewer.
#[tokio::test(flavor = "multi_thread")]
async fn a_markets_own_minimum_counts() {
    let mut bench = Bench::begin().await;
    bench.stand_still().await;
    let (token, condition) = (bench.token(), bench.market.condition);
    let (low, until) = (bench.at(20_000), later());
    let few: Usd = "0.04".parse().unwrap();
    let force = TimeInForce::Gtd { until };
    bench.venue.set_demands(token, Shares::whole(1), Duration::ZERO, 0).unwrap();
    // It is read beside the book, and so known a moment later.
    bench.live.book(token, Some(condition)).await.unwrap();
    let order = bench.buy(few, low, force);
    while bench.live.prepare(&order, Some(&bench.market)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(bench.agree("two shares where one is enough", &order).await.ending, Some("CANCELLED"));

    bench.venue.set_demands(bench.token(), Shares::whole(20), Duration::ZERO, 0).unwrap();
    for (stake, ending) in [("0.30", "REJECTED"), ("0.50", "CANCELLED")] {
        let order = bench.buy(stake.parse().unwrap(), low, force);
        assert_eq!(bench.agree("where twenty are asked for", &order).await.ending, Some(ending), "{stake}");
    }
    bench.end().await;
}

/// Where what takes is held back, an order on paper meets the book as it stands after that, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_waits_out_the_markets_delay() {
    let mut bench = Bench::begin().await;
    bench.stand_still().await;
    bench.venue.set_demands(bench.token(), Shares::whole(5), Duration::ZERO, 2).unwrap();
    let best = bench.book.asks[0];
    let ours = bench.buy(Usd::whole(20), best.price, TimeInForce::Fak);
    // Somebody else takes all of it, and was there first: it is still to be seen while theirs waits.
    let stake = best.shares.at(best.price, Rounding::Up) + Usd::whole(10);
    let theirs = bench.buy(stake, best.price, TimeInForce::Fak);
    bench.hand_over(&theirs).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let paper = on_paper(&bench, Duration::ZERO);
    let seen = paper.quote(bench.token(), None, clock::now()).await.unwrap();
    assert_eq!(seen.asks[0], best);
    let told = paper.place(&ours, clock::now()).await;
    let (late, _) = fate(&told.iter().collect::<Vec<_>>());
    assert_eq!((late.shares, late.ending), (Shares::ZERO, Some("KILLED")));
    bench.devnet.pause(false);
    bench.until_final(theirs.get().id).await;
    bench.end().await;
}

/// What waits out a delay cannot be cancelled, and what is left of it rests afterwards: it is cancelled then.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_outlasts_the_markets_delay() {
    let mut bench = Bench::begin().await;
    bench.stand_still().await;
    bench.venue.set_demands(bench.token(), Shares::whole(5), Duration::ZERO, 2).unwrap();
    let best = bench.book.asks[0];
    let stake = best.shares.at(best.price, Rounding::Up) + Usd::whole(50);
    let order = bench.buy(stake, best.price, TimeInForce::Gtd { until: later() });
    let id = order.get().id;
    bench.hand_over(&order).await;
    bench
        .until("taken in", |bench| bench.portfolio.orders().any(|sent| sent.order.id == id && sent.accepted))
        .await;
    bench.live.cancel(id).await;
    bench.until("cancelled", |bench| fate(&bench.told(id)).0.ending.is_some()).await;
    let (fate, _) = fate(&bench.told(id));
    assert_eq!((fate.shares, fate.ending), (best.shares, Some("CANCELLED")), "{:?}", bench.told(id));
    bench.devnet.pause(false);
    bench.until_final(id).await;
    bench.end().await;
}
