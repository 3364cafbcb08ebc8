//! The three services in earnest against the simulated world: whales are found and followed with orders at its venue, and
//! in the end the books come to what the venue's own ledger says, to the micro-dollar.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod session;

use std::time::Duration;

use devnet::SignatureType;
use domain::Usd;
use orderflow_executor::reconcile::reconcile;
use serde_json::{Value, json};
use session::{Kind, Running, Session};
use store::live;

/// More trades than anybody would want with money.
const STRATEGY: [&str; 16] = [
    "--confidence-model",
    "score",
    "--min-confidence",
    "50",
    "--min-whale-trade-usd",
    "100",
    "--min-minutes-to-end",
    "0",
    "--min-market-volume-usd",
    "0",
    "--max-entry-of-volume-pct",
    "100",
    "--min-taker-pct",
    "0",
    "--max-signal-age-secs",
    "600",
];

/// Whether the books and the venue say the same; what they say where they do not.
async fn compared(session: &Session) -> Result<(), String> {
    let connection = &mut session.store.connection().await.unwrap();
    let account = live::account(connection).await.unwrap();
    let opening = live::opening(connection, session.wallet).await.unwrap().unwrap();
    let truth = session.truth();
    let is_still = account.moving.is_empty() && account.unpaid == Usd::ZERO;
    if !is_still || opening + account.flow != truth.cash {
        return Err(format!("{opening} and {account:?} in the books, {truth:?} at the venue"));
    }
    let trader = orderflow_executor::trader(&session.executor.venue).await.unwrap();
    let found = reconcile(&trader, &session.store).await.unwrap();
    if found.differences.is_empty() { Ok(()) } else { Err(format!("{found:?}")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_come_to_what_the_venue_says() {
    let kind = Kind { mode: "live", wallet: SignatureType::Eoa, strategy: &STRATEGY, is_believed: false };
    let session = Session::begin(kind).await;
    let mut running = session.run();
    session.until("orders", &mut running, |so_far| 2 <= so_far.orders).await;

    // No more entries: what is on its way comes to its end, and then both sides must say the same.
    assert_eq!(answer(&session, &["pause"]), json!({"paused": true}));
    let mut last = Ok(());
    for _ in 0..600 {
        last = compared(&session).await;
        if last.is_ok() {
            break;
        }
        running.assert_on().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(last, Ok(()));
    // Each order that was decided is one that was signed, and a person finds the positions.
    let sent: i64 = session.psql("SELECT count(*) FROM orderflow_signed_orders").parse().unwrap();
    assert!((1..=session.results().await.orders).contains(&sent), "{sent}");
    let shown = session.command(&["positions", "--json"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let compared = answer(&session, &["reconcile"]);
    assert_eq!(compared["differences"], json!([]), "{compared}");
    let checks = answer(&session, &["doctor"]);
    assert!(checks.as_array().unwrap().iter().all(|check| check["green"] == true), "{checks}");
    stop_and_go(&session, &mut running).await;
    running.end().await;
    session.end().await;
}

/// The service hears a person who sells everything, stops everything, and lets it go on.
async fn stop_and_go(session: &Session, running: &mut Running) {
    let held: i64 =
        session.psql("SELECT count(*) FROM orderflow_positions WHERE status = 'OPEN'").parse().unwrap();
    assert_eq!(answer(session, &["close", "--all"])["closing"], 0 < held);
    if 0 < held {
        heard(
            session,
            running,
            "SELECT count(*) > 0 FROM orderflow_steps WHERE detail->>'name' = 'close_all'",
        )
        .await;
    }
    assert_eq!(answer(session, &["kill", "a drill"]), json!({"killed": "a drill"}));
    heard(session, running, "SELECT count(*) > 0 FROM orderflow_steps WHERE detail->>'name' = 'kill'").await;
    assert_eq!(answer(session, &["lift"]), json!({"was_killed": true, "halts": 0}));
    heard(session, running, "SELECT count(*) > 0 FROM orderflow_steps WHERE detail->>'name' = 'lift'").await;
    assert_eq!(answer(session, &["resume"]), json!({"paused": false}));
    heard(session, running, "SELECT count(*) > 0 FROM orderflow_steps WHERE detail->>'name' = 'resume'")
        .await;
}

/// What a command says to a script.
fn answer(session: &Session, arguments: &[&str]) -> Value {
    let output = session.command(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until something holds.
async fn heard(session: &Session, running: &mut Running, question: &str) {
    for _ in 0..600 {
        if session.psql(question) == "t" {
            return;
        }
        running.assert_on().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never: {question}");
}
