//! What is measured of the world while it runs in earnest: a channel that is really lost, a venue whose clock is really
//! off, and a book of which the channel says nothing more.

use std::time::Duration;

use decision::{Guard, Guards, Limits};
use domain::{Book, Price, TimeInForce, Timestamp, Usd};
use orderflow_executor::watch::{look, watch};
use polymarket::Clob;
use service::clock;

use crate::bench::{Bench, rhythm};

impl Bench {
    /// The book as the desk has it.
    async fn kept(&self) -> Book {
        self.live.book(self.token(), None).await.unwrap()
    }

    async fn at_venue(&self) -> Book {
        Clob::new(&self.devnet.urls().clob).unwrap().book(self.token()).await.unwrap()
    }

    /// Adds a bid of ours to the book.
    async fn bid(&mut self) {
        let until = clock::now().plus_micros(Timestamp::HOUR);
        let order = self.buy(Usd::whole(20), Price::from_ppm(20_000).unwrap(), TimeInForce::Gtd { until });
        let id = order.get().id;
        self.place(&order).await;
        self.until("it rests", |bench| {
            bench.portfolio.orders().any(|sent| sent.order.id == id && sent.accepted)
        })
        .await;
    }
}

fn levels(book: &Book) -> (&[domain::Level], &[domain::Level]) {
    (&book.bids, &book.asks)
}

/// Whether what was measured stops entries under limits of this kind.
fn stops(guard: &Guard, limits: &Limits) -> bool {
    Guards::is_failed(guard, limits, TimeInForce::Fak)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_lost_stops_entries_until_it_is_back() {
    let mut bench = Bench::begin().await;
    let limits = Limits { max_book_age: 1_000_000, ..Limits::default() };
    bench.kept().await;
    let watching = tokio::spawn(watch(bench.store.clone(), bench.settings(), bench.live.handle(), rhythm()));
    bench.venue.set_channels_shut(true);
    let is_stale = |guard: &Guard| matches!(guard, Guard::Books { .. }) && stops(guard, &limits);
    bench.until("its age", |bench| bench.guards.iter().any(is_stale)).await;
    bench.venue.set_channels_shut(false);
    bench.until("back", |bench| bench.guards.last() == Some(&Guard::Books { age: 0 })).await;
    assert!(!watching.is_finished());
    watching.abort();
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_stops_entries() {
    let mut bench = Bench::begin().await;
    let is_skewed = |guard: &Guard| matches!(guard, Guard::Clock { .. }) && stops(guard, &Limits::default());
    for ahead in [20_000_000, -20_000_000] {
        bench.guards.clear();
        bench.venue.set_clock_ahead(ahead);
        look(&bench.store, &bench.settings(), &bench.live.handle(), &rhythm()).await;
        bench.until("the skew", |bench| bench.guards.iter().any(is_skewed)).await;
    }
    bench.venue.set_clock_ahead(0);
    bench.guards.clear();
    look(&bench.store, &bench.settings(), &bench.live.handle(), &rhythm()).await;
    bench.until("none", |bench| bench.guards.contains(&Guard::Clock { skew: 0 })).await;
    bench.end().await;
}

/// The connection stands, and the channel says nothing more of one token, whose book changes. It is found out beside
/// everything else, and what the channel says of it later counts no more; or, where nobody found out, before it is used.
#[tokio::test(flavor = "multi_thread")]
async fn a_book_of_which_nothing_is_heard_is_read_again() {
    let mut bench = Bench::begin().await;
    let quiet = rhythm().quiet;
    bench.stand_still().await;
    let first = loop {
        let kept = bench.kept().await;
        if levels(&kept) == levels(&bench.at_venue().await) {
            break kept;
        }
    };
    bench.venue.set_frozen(bench.token(), true);
    bench.bid().await;
    let changed = bench.at_venue().await;
    assert_ne!(levels(&first), levels(&changed));

    // Who asks after a while is not told what was heard long ago.
    tokio::time::sleep(2 * quiet).await;
    assert_eq!(levels(&bench.kept().await), levels(&changed));

    bench.bid().await;
    tokio::time::sleep(quiet).await;
    bench.live.handle().refresh_books().await;
    let changed = bench.at_venue().await;
    assert_eq!(levels(&bench.kept().await), levels(&changed));

    // It speaks again, of a book that it has not told all of.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    bench.venue.set_frozen(bench.token(), false);
    bench.bid().await;
    for _ in 0..20 {
        assert_eq!(levels(&bench.kept().await), levels(&bench.at_venue().await));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // A channel that is opened anew tells all of it.
    bench.venue.cut_sockets();
    loop {
        let kept = bench.kept().await;
        if levels(&kept) == levels(&bench.at_venue().await) {
            break;
        }
    }
    bench.devnet.pause(false);
    bench.end().await;
}
