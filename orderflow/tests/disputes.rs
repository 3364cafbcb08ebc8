//! A dispute on its whole way: Gamma tells of it, the listener hears it, the executor leaves what it holds there, and the
//! venue buys it.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod session;

use std::time::Duration;

use devnet::SignatureType;
use session::{Kind, Running, Session};

/// More trades than anybody would want with money, and nothing that leaves a position but its end and a dispute.
const STRATEGY: [&str; 28] = [
    // What is made up of whales has a median of its own.
    "--min-entry-of-median-pct",
    "0",
    "--confidence-model",
    "score",
    "--min-confidence",
    "50",
    "--min-whale-trade-usd",
    "50",
    "--min-minutes-to-end",
    "0",
    "--max-signal-age-secs",
    "600",
    "--max-open-positions",
    "50",
    "--max-position-usd",
    "100",
    "--bankroll-usd",
    "10000",
    "--min-market-volume-usd",
    "0",
    "--max-entry-of-volume-pct",
    "100",
    "--min-taker-pct",
    "0",
    "--max-opposed-pct",
    "100",
    "--whale-exit-pct",
    "100",
];

/// A position that was sold because of a dispute, whose sale is at its end.
const SOLD: &str =
    "SELECT count(*) FROM orderflow_positions p JOIN orderflow_orders o ON o.position_id = p.id
                    WHERE o.purpose = 'DISPUTE' AND o.side = 'SELL' AND o.is_final AND p.ending = 'SOLD'";

/// Disputes whatever is held, until something is sold for it. Markets of this world live for seconds, so that some are
/// answered before anybody can dispute them.
async fn dispute_until_sold(session: &Session, running: &mut Running) {
    for _ in 0..1_200 {
        let held = session.psql("SELECT token_id FROM orderflow_positions WHERE status = 'OPEN'");
        for token in held.lines() {
            session.world.venue().dispute(token.parse().unwrap()).unwrap();
        }
        if session.psql(SOLD) != "0" {
            return;
        }
        running.assert_on().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("nothing was sold: {:?}", session.results().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_gamma_tells_of_is_an_exit_at_the_venue() {
    let kind = Kind { mode: "live", wallet: SignatureType::Safe, strategy: &STRATEGY, is_believed: true };
    let session = Session::begin(kind).await;
    let mut running = session.run();
    session.until("a position", &mut running, |so_far| 0 < so_far.open).await;
    assert_eq!(session.psql("SELECT count(*) FROM orderflow_orders WHERE purpose = 'DISPUTE'"), "0");
    dispute_until_sold(&session, &mut running).await;
    // What was sold is what the venue has of it, order for order.
    let hashes = session.psql(
        "SELECT s.order_hash FROM orderflow_signed_orders s JOIN orderflow_orders o ON o.id = s.order_id
         WHERE o.purpose = 'DISPUTE' AND o.is_final AND EXISTS
             (SELECT FROM orderflow_executions e WHERE e.order_id = o.id AND e.status = 'CONFIRMED')",
    );
    let truth = session.truth();
    assert!(!hashes.is_empty());
    for hash in hashes.lines() {
        assert!(truth.orders.keys().any(|known| known.to_string() == hash), "{hash}");
    }
    // A person sees why.
    let shown = session.command(&["positions", "--top", "10000", "--json"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let positions: Vec<serde_json::Value> = serde_json::from_slice(&shown.stdout).unwrap();
    assert!(positions.iter().any(|position| position["leaving"] == "DISPUTE"), "{positions:?}");
    running.end().await;
    session.end().await;
}
