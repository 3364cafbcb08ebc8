//! A session against the simulated world, live and on paper, with restarts, a reorganisation and people who interfere;
//! and every decision of it made again from what was recorded: the same, row for row, where orders are answered as they
//! were; and judged the same, candidate for candidate, where they are answered by the rules of paper trading instead.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod session;

use std::process::Output;

use devnet::SignatureType;
use orderflow_executor::rehearsal::{Answers, Rehearsal, rehearse};
use session::{Kind, Session};
use store::controls;
use store::recording::Compared;

/// What both venues are told: more trades, and less patience, than anybody would want with money.
const STRATEGY: [&str; 22] = [
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
];

async fn rehearsed(session: &Session, answers: Answers) -> Rehearsal {
    rehearse(&session.store, &session.executor.strategy.policy(), answers).await.unwrap()
}

/// The same as a person asks for it.
fn replay(session: &Session, more: &[&str]) -> Output {
    session.command(&[&["replay", "--decisions", "--json"], &STRATEGY[..], more].concat())
}

fn table<'a>(rehearsal: &'a Rehearsal, name: &str) -> &'a Compared {
    rehearsal.tables.iter().find(|table| table.name == name).unwrap()
}

fn stored(rehearsal: &Rehearsal, name: &str) -> i64 {
    table(rehearsal, name).stored
}

/// What was judged of the market: the whole signal but for its stake, and every refusal but for those of limits.
const JUDGED: [&str; 2] = ["signals but for their stakes", "refusals of candidates"];

/// The same events lead to the same judgements with orders that are filled by the rules of paper trading, for the whole of
/// the session: every signal and every refusal of a candidate, with its moment and all its numbers. Fills are others, so
/// that stakes, limits and exits may be; nothing of these is claimed.
async fn assert_judged_alike(session: &Session, mode: &str) {
    let on_paper = rehearsed(session, Answers::OnPaper).await;
    assert!(on_paper.is_same(), "{on_paper:#?}");
    for name in JUDGED {
        let judged = table(&on_paper, name);
        assert!(0 < judged.stored && judged.must_be_same, "{name}: {judged:?}");
    }
    // It is not what the venue said that was told once more.
    let matches = table(&on_paper, "matches");
    assert!(0 < matches.again && !matches.must_be_same, "{matches:?}");
    if mode == "live" {
        assert_eq!((matches.missing, matches.new), (matches.stored, matches.again), "{matches:?}");
    }
}

/// Trades for a while with everything that makes an engine begin anew, and compares while it still trades.
async fn trade(mode: &'static str) {
    let wallet = SignatureType::Safe;
    let kind = Kind { mode, wallet, strategy: &STRATEGY, is_believed: false };
    let session = Session::begin(kind).await;
    let mut running = session.run();
    session.until("the first orders", &mut running, |so_far| 2 <= so_far.filled).await;
    running.end().await;
    let before = session.results().await.orders;
    let mut running = session.run();
    session.until("more orders", &mut running, |so_far| before < so_far.orders).await;
    session.world.reorg(2);
    let before = session.results().await.orders;
    session.until("orders on the other branch", &mut running, |so_far| before < so_far.orders).await;
    let connection = &mut session.store.connection().await.unwrap();
    controls::set_paused(connection, true).await.unwrap();
    controls::request_close(connection, None).await.unwrap();
    session.until("everything is over", &mut running, |so_far| so_far.open == 0 && so_far.moving == 0).await;

    // It still runs, and nobody minds.
    let rehearsal = rehearsed(&session, Answers::AsRecorded).await;
    assert!(rehearsal.is_same(), "{rehearsal:#?}");
    assert!(3 <= rehearsal.beginnings, "{rehearsal:?}");
    for name in ["signals", "refusals", "orders", "matches", "positions", "exits", "limits"] {
        assert!(0 < stored(&rehearsal, name), "{name}: {rehearsal:?}");
    }
    // What was believed started from what prices are worth, as passes had found it by then.
    let count = |from: &str| session.psql(&format!("SELECT count(*) FROM {from}")).parse::<i64>().unwrap();
    assert!(0 < count("orderflow_price_maps"));
    assert!(0 < count("orderflow_judged WHERE evidence->'fair_price' <> evidence->'market_price'"));
    running.end().await;
    // On paper nobody at the venue heard of it, and in earnest of nothing that was not decided.
    let sent = i64::try_from(session.truth().orders.len()).unwrap();
    let orders = session.results().await.orders;
    assert!(if mode == "live" { (1..=orders).contains(&sent) } else { sent == 0 }, "{sent} of {orders}");
    let rehearsal = rehearsed(&session, Answers::AsRecorded).await;
    assert_judged_alike(&session, mode).await;

    let told = replay(&session, &[]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["same"], true);
    assert_eq!(told["tables"][0]["stored"], stored(&rehearsal, "signals"));
    // Other settings are another strategy, and a row that somebody changed is found.
    let other = replay(&session, &["--kelly-fraction", "0.2"]);
    assert!(!other.status.success() && String::from_utf8_lossy(&other.stderr).contains("settings"));
    session.psql("UPDATE orderflow_signals SET stake_usd = stake_usd + 0.000001 WHERE id = 1");
    let changed = rehearsed(&session, Answers::AsRecorded).await;
    let signals = &changed.tables[0];
    assert_eq!((signals.missing, signals.new), (1, 1), "{changed:?}");
    assert!(!replay(&session, &[]).status.success());
    // A stake depends on what is held; what was believed of the market does not.
    assert!(replay(&session, &["--on-paper"]).status.success());
    session.psql("UPDATE orderflow_signals SET win_probability = win_probability / 2 WHERE id = 1");
    assert!(!replay(&session, &["--on-paper"]).status.success());
    session.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_live_is_decided_again() {
    trade("live").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_on_paper_is_decided_again() {
    trade("paper").await;
}
