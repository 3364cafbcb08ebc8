//! On paper, too, nothing is opened while nobody can say what a book looks like, or while the clocks are apart: the venue
//! really does not answer here, and its clock is really off.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[expect(dead_code, reason = "others run the service itself")]
mod session;

use std::time::Duration;

use decision::{Guard, Guards, Policy};
use devnet::{SignatureType, Trouble, VenueFault, VenueRoute};
use domain::TimeInForce;
use orderflow_executor::live::LiveNews;
use orderflow_executor::{Executor, Paper, Venue};
use polymarket::Clob;
use session::{Kind, Session};

/// More candidates than anybody would want with money.
const STRATEGY: [&str; 28] = [
    "--confidence-model",
    "score",
    "--min-confidence",
    "50",
    "--min-whale-trade-usd",
    "1",
    "--min-minutes-to-end",
    "0",
    "--follow-ultra-short",
    "true",
    "--max-open-positions",
    "1000",
    "--max-slippage-pct",
    "50",
    "--max-run-up-cents",
    "20",
    "--max-opposed-pct",
    "100",
    "--max-spread-cents",
    "20",
    "--min-depth-multiple",
    "1",
    "--min-market-volume-usd",
    "0",
    "--max-entry-of-volume-pct",
    "100",
    "--min-taker-pct",
    "0",
];

/// An executor on paper, as the service runs it, which stops for a book of three seconds.
struct Desk {
    session: Session,
    executor: Executor,
    policy: Policy,
    measured: Vec<LiveNews>,
}

impl Desk {
    async fn begin() -> Self {
        let kind = Kind { mode: "paper", wallet: SignatureType::Eoa, strategy: &STRATEGY, is_believed: true };
        let session = Session::begin(kind).await;
        let mut policy: Policy = session.executor.strategy.policy();
        policy.limits.max_book_age = 3_000_000;
        let clob = Clob::with_timeout(&session.world.urls().clob, Duration::from_secs(2)).unwrap();
        let (paper, watch) = Paper::new(clob, Duration::ZERO).watched();
        tokio::spawn(watch.run(Duration::from_secs(1)));
        let executor =
            Executor::resume(session.store.clone(), policy.clone(), Venue::Paper(paper)).await.unwrap();
        Self { session, executor, policy, measured: vec![] }
    }

    /// Trades on until something is counted.
    async fn until_counted(&mut self, what: &str) {
        for _ in 0..600 {
            self.executor.catch_up().await.unwrap();
            let told = tokio::time::timeout(Duration::from_millis(100), self.executor.news()).await;
            if let Ok(told) = told {
                let told = told.unwrap();
                self.measured.push(told.clone());
                self.executor.hear(told).await.unwrap();
            }
            if self.count(what) > 0 {
                return;
            }
        }
        let said = self.session.psql("SELECT reason, count(*) FROM orderflow_refusals GROUP BY reason");
        panic!("never: {what}\n{said}");
    }

    fn is_stale(&self, news: &LiveNews) -> bool {
        let LiveNews::Guard(guard @ Guard::Books { .. }) = news else { return false };
        Guards::is_failed(guard, &self.policy.limits, TimeInForce::Fak)
    }

    fn count(&self, what: &str) -> i64 {
        self.session.psql(&format!("SELECT count(*) FROM {what}")).parse().unwrap()
    }

    /// Candidates are judged by what they are, and ordered or refused for that.
    async fn until_judged_again(&mut self) {
        let since = self.session.psql("SELECT now()");
        let judged = format!(
            "(SELECT created_at FROM orderflow_orders
              UNION ALL SELECT created_at FROM orderflow_refusals
              WHERE reason NOT IN ('stale_book', 'no_book', 'clock_skew', 'unknown_market')) AS judged
             WHERE created_at > '{since}'"
        );
        self.until_counted(&judged).await;
    }

    /// What is refused for a reason after the newest order.
    fn refused(&self, reason: &str) -> String {
        let since = self.session.psql("SELECT coalesce(max(id), 0) FROM orderflow_refusals");
        format!("orderflow_refusals WHERE reason = '{reason}' AND id > {since}")
    }

    fn orders_from_now(&self) -> String {
        let since = self.session.psql("SELECT coalesce(max(id), 0) FROM orderflow_orders");
        format!("orderflow_orders WHERE id > {since}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_stops_where_earnest_would() {
    let mut desk = Desk::begin().await;
    let venue = desk.session.world.venue();
    desk.until_counted("orderflow_orders").await;

    // Nobody answers about books: there is none to decide with, and their age is told as in earnest.
    let silent = VenueFault { route: Some(VenueRoute::Book), trouble: Trouble::Html, times: None };
    venue.add_fault(silent);
    let (orders, missing) = (desk.orders_from_now(), desk.refused("no_book"));
    desk.until_counted(&missing).await;
    while !desk.measured.iter().any(|news| desk.is_stale(news)) {
        let missing = desk.refused("no_book");
        desk.until_counted(&missing).await;
    }
    assert_eq!(desk.count(&orders), 0, "nothing is ordered without a book");
    venue.lift_faults();
    desk.until_judged_again().await;

    // The venue's clock is off.
    venue.set_clock_ahead(20_000_000);
    let skewed = desk.refused("clock_skew");
    desk.until_counted(&skewed).await;
    venue.set_clock_ahead(0);
    desk.until_judged_again().await;
    let Desk { session, executor, .. } = desk;
    drop(executor);
    session.end().await;
}
