//! Winners become dollars: on every exchange by the venue's own hand, to the micro-dollar; and where that hand rests, a
//! person is told what to do.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod session;

use std::time::Duration;

use devnet::SignatureType;
use domain::Usd;
use orderflow_executor::reconcile::{Findings, reconcile};
use serde_json::Value;
use session::{Kind, Running, Session};
use store::{controls, live};

/// A lot of small bets.
const STRATEGY: [&str; 40] = [
    // What is made up of whales has a median of its own.
    "--min-entry-of-median-pct",
    "0",
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
    "--max-signal-age-secs",
    "600",
    "--max-open-positions",
    "1000",
    "--max-position-usd",
    "20",
    "--min-position-usd",
    "5",
    "--bankroll-usd",
    "10000",
    "--daily-loss-limit-usd",
    "9000",
    "--max-spread-cents",
    "20",
    "--max-run-up-cents",
    "20",
    "--min-depth-multiple",
    "1",
    "--max-opposed-pct",
    "100",
    "--whale-exit-pct",
    "100",
    "--min-market-volume-usd",
    "0",
    "--max-entry-of-volume-pct",
    "100",
    "--min-taker-pct",
    "0",
];

/// On which exchanges winners are, that were paid or that were not.
fn exchanges(session: &Session, which: &str) -> Vec<String> {
    let found = session.psql(&format!(
        "SELECT DISTINCT CASE WHEN m.protocol = 2 THEN 'v3' WHEN m.neg_risk THEN 'v2-neg-risk' ELSE 'v2' END
         FROM orderflow_positions p JOIN orderflow_markets m USING (condition_id)
         WHERE p.ending = 'RESOLVED' AND p.proceeds_usd > p.sold_usd AND {which} ORDER BY 1"
    ));
    found.lines().map(str::to_owned).collect()
}

async fn until_everywhere(session: &Session, running: &mut Running, which: &str) {
    for _ in 0..1_200 {
        if exchanges(session, which) == ["v2", "v2-neg-risk", "v3"] {
            return;
        }
        running.assert_on().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{which}: {:?} after {:?}", exchanges(session, which), session.results().await);
}

/// How the winners stand as a person sees it: the words, each with how many there are.
fn shown(session: &Session, word: &str) -> usize {
    let output = session.command(&["positions", "--top", "10000", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let positions: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    positions.iter().filter(|position| position["redemption"].as_str() == Some(word)).count()
}

/// What the books say must be in the wallet.
async fn booked(session: &Session) -> (Usd, live::Account) {
    let connection = &mut session.store.connection().await.unwrap();
    let account = live::account(connection).await.unwrap();
    (live::opening(connection, session.wallet).await.unwrap().unwrap() + account.flow, account)
}

async fn compared(session: &Session) -> Findings {
    let trader = orderflow_executor::trader(&session.executor.venue).await.unwrap();
    reconcile(&trader, &session.store).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn winners_are_paid_on_every_exchange() {
    let wallet = SignatureType::Poly1271;
    let kind = Kind { mode: "live", wallet, strategy: &STRATEGY, is_believed: true };
    let session = Session::begin(kind).await;
    let mut running = session.run();
    until_everywhere(&session, &mut running, "p.redeemed_usd > 0").await;

    // The venue's hand rests: what wins from now on is somebody's to ask for.
    session.world.venue().set_auto_redeem(false);
    until_everywhere(&session, &mut running, "p.redeemed_at IS NULL").await;
    controls::set_paused(&mut session.store.connection().await.unwrap(), true).await.unwrap();
    session.until("everything is over", &mut running, |so_far| so_far.open == 0 && so_far.moving == 0).await;
    let found = compared(&session).await;
    assert!(found.is_compared && found.differences.is_empty(), "{found:?}");
    assert!(3 <= found.unpaid.len(), "{found:?}");
    let (cash, account) = booked(&session).await;
    let truth = session.truth();
    assert_eq!(cash, truth.cash);
    assert_eq!(account.unpaid, found.unpaid.iter().map(|winner| winner.payout).sum());
    assert_eq!(shown(&session, "AWAITED"), found.unpaid.len());
    // Ten minutes later nobody waits any longer.
    session.psql("UPDATE orderflow_positions SET closed_at = closed_at - interval '11 minutes' WHERE redeemed_at IS NULL");
    assert_eq!(shown(&session, "REDEEMABLE: redeem it at the venue"), found.unpaid.len());

    session.world.venue().set_auto_redeem(true);
    for _ in 0..600 {
        if booked(&session).await.1.unpaid == Usd::ZERO {
            break;
        }
        running.assert_on().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (cash, account) = booked(&session).await;
    let truth = session.truth();
    assert_eq!((cash, account.unpaid), (truth.cash, Usd::ZERO));
    // The shares that are left are losers, and every position's result is what its dollars came to.
    assert_eq!(session.results().await.pnl, truth.cash - truth.funded);
    assert_eq!(shown(&session, "REDEEMABLE: redeem it at the venue"), 0);
    assert!(6 <= shown(&session, "PAID"));
    running.end().await;
    session.end().await;
}
