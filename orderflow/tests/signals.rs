//! Signals and refusals as a person sees them: cards, stories, and what each came to.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod desk;

use desk::{Desk, json, stderr};
use std::process::Output;

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_are_cards_and_tell_their_story() {
    let desk = Desk::new().await;
    let totals = desk.replay();
    let cards = stdout(&desk.run(&["signals", "--top", "3"]));
    println!("{cards}");
    assert_eq!(cards.matches("WHALE SIGNAL #").count(), 3, "{cards}");
    for part in [
        "0x0000…0001",
        "/ 10 WHALE   win rate 100 % (break-even 50 %)   skill +",
        "whale paid 0.50 for $1,000",
    ] {
        assert!(cards.contains(part), "{part}: {cards}");
    }
    assert!(cards.contains("% / −100 %") && cards.contains("FILLED ") && cards.contains("WON $"), "{cards}");

    let signals = json(&desk.run(&["signals", "--json", "--top", "1000"]));
    let raised = totals["signals"]["follow_whale"].as_u64().unwrap();
    assert_eq!(signals.as_array().unwrap().len() as u64, raised);
    // Everything that was priced has come to something, because every market has resolved.
    let open = "SELECT count(*) FROM orderflow_judged WHERE payoff IS NULL";
    assert_eq!(desk.psql(open), "0");
    // What a position made is what its signal's outcome says, but for the rounding of levels.
    let apart = "SELECT count(*) FROM orderflow_outcomes o JOIN orderflow_positions p ON p.id = o.signal_id
                 WHERE abs(o.pnl_usd - p.pnl_usd) > 0.05 + 0.01 * abs(p.pnl_usd)";
    assert_eq!(desk.psql(apart), "0");
    // Verdicts are quoted as they were then: no record is later than its signal.
    let later = "SELECT count(*) FROM orderflow_signals WHERE (record->>'as_of')::timestamptz > created_at
                 OR record IS NULL";
    assert_eq!(desk.psql(later), "0");

    let id = signals[0]["id"].to_string();
    let story = stdout(&desk.run(&["why", &id]));
    println!("{story}");
    for part in [
        "WHALE SIGNAL #",
        "Decided",
        "Asks       0.51 × 2000",
        "Belief     p 0.",
        "Factors    win rate 10.0",
        "Outcome    a share paid $1.00",
        "Policy {",
    ] {
        assert!(story.contains(part), "{part}: {story}");
    }
    let told = json(&desk.run(&["why", &id, "--json"]));
    assert_eq!(told["evidence"]["asks"][0][0], 0.51);
    assert_eq!(told["policy"]["digest"], told["evidence"]["policy"]);
    assert!(told["evidence"]["coefficient"]["events"].as_u64().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_tell_theirs() {
    let desk = Desk::new().await;
    let folder = desk.path();
    let strict = desk
        .command(&["replay", folder.to_str().unwrap(), "--json"])
        .env("MIN_CONFIDENCE", "99")
        .output()
        .unwrap();
    assert_eq!(json(&strict)["signals"]["follow_whale"], 0);
    let refused = json(&desk.run(&["signals", "--refused", "--json"]));
    let name = refused[0]["name"].as_str().unwrap().to_owned();
    let story = stdout(&desk.run(&["why", &name]));
    println!("{story}");
    for part in [
        "REFUSED r",
        "confidence: confidence ",
        "minimum 0.99",
        "BUY ",
        "Outcome    a share paid $1.00",
        "Judgement",
    ] {
        assert!(story.contains(part), "{part}: {story}");
    }
    let told = json(&desk.run(&["why", &name, "--json"]));
    assert_eq!(told["figures"]["minimum"], 0.99);
    assert_eq!(told["result"]["payoff"], 1.0);
    assert!(told["result"]["pnl_usd"].is_null());
    assert!(stdout(&desk.run(&["signals", "--refused"])).contains(&name));
    for (asked, part) in [("r999999", "no refusal r999999"), ("77", "no signal #77"), ("x", "neither")] {
        let output = desk.run(&["why", asked]);
        assert!(!output.status.success() && stderr(&output).contains(part), "{}", stderr(&output));
    }
}
