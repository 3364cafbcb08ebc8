//! How a wallet's number is explained: what is stored, what its facts come to, now and at any earlier time.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod desk;

use std::process::Output;

use desk::{Desk, json, stderr, tape, wallet};
use serde_json::Value;

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// The first markets of the tape, and what they came to.
fn beginning(markets: usize) -> (String, String) {
    let (trades, resolutions) = tape();
    let first = |text: &str, lines: usize| -> String {
        text.lines().take(1 + lines).map(|line| format!("{line}\n")).collect()
    };
    (first(&trades, 11 * markets), first(&resolutions, markets))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_explained_down_to_its_markets() {
    let desk = Desk::new().await;
    desk.replay();
    let shown = stdout(&desk.run(&["wallet", &wallet(1)]));
    println!("{shown}");
    for part in [
        wallet(1).as_str(),
        "WHALE since 2022-",
        "Win rate        40 %  40 of 40 decisions won, 100.0 %",
        "50.0 % would have broken even",
        "P(κ > 0)",
        "of even-money bets",
        "Best markets",
        "$1,000.00",
        "1 decision ",
        "Result by day, 2022-01-01 to 2022-02-12",
        "last $40,000.00",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("apart"), "the facts come to what was stored: {shown}");
    let loser = stdout(&desk.run(&["wallet", &wallet(2)]));
    assert!(
        loser.contains("DEGEN") && loser.contains("Worst markets") && loser.contains("-$1,000.00"),
        "{loser}"
    );
    println!("{}", stdout(&desk.run(&["wallet", &wallet(10)])));
    println!("{}", stdout(&desk.run(&["wallets"])));
    for who in [1, 2, 10, 11, 17].map(wallet) {
        let text = stdout(&desk.run(&["wallet", &who]));
        assert!(widest(&text) <= 100, "{text}");
        let whole = json(&desk.run(&["wallet", &who, "--json"]));
        assert_eq!(whole["pnl_difference_usd"], 0.0, "{whole}");
        assert_eq!(whole["folded_pnl_usd"].as_f64(), whole["total_pnl_usd"].as_f64());
        assert_eq!(whole["equity"]["last_usd"].as_f64(), whole["total_pnl_usd"].as_f64());
        assert_eq!(whole["factors"].as_array().unwrap().len(), 5);
        assert_eq!(whole["missing"], Value::Null);
        assert_eq!(whole["flags"].as_array().unwrap().is_empty(), whole["is_copyable"] == true, "{whole}");
    }
}

/// What was believed at a time is the same whether one asks then or later, to the last figure.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_believed_does_not_change_afterwards() {
    let desk = Desk::new().await;
    let (trades, resolutions) = beginning(20);
    desk.write("trades.csv", &trades);
    desk.write("resolutions.csv", &resolutions);
    desk.replay();
    let ask = |at: &str| -> Vec<Value> {
        let explained = |who: u32| json(&desk.run(&["wallet", &wallet(who), "--at", at, "--json"]));
        [1, 2, 10, 11].map(explained).to_vec()
    };
    let days = ["2022-01-10T11:00:00Z", "2022-01-15", "2022-01-20T22:30:00Z", "2022-01-20"];
    let then: Vec<Vec<Value>> = days.iter().map(|at| ask(at)).collect();
    assert_ne!(then[0], then[2]);
    assert!(then.iter().flatten().all(|whole| whole["pnl_difference_usd"] == 0.0), "{then:?}");
    assert_eq!(then[0][0]["as_of"], "2022-01-10T11:00:00+00:00");
    assert_eq!(then[0][0]["total_pnl_usd"], 9_000.0);
    assert_eq!(then[0][0]["equity"]["last_day"], "2022-01-10");

    let (trades, resolutions) = tape();
    desk.write("trades.csv", &trades);
    desk.write("resolutions.csv", &resolutions);
    desk.replay();
    let later: Vec<Vec<Value>> = days.iter().map(|at| ask(at)).collect();
    for (later, then) in later.iter().flatten().zip(then.iter().flatten()) {
        for (name, value) in then.as_object().unwrap() {
            assert_eq!(&later[name], value, "{name} of {} as of {}", then["wallet_address"], then["as_of"]);
        }
        assert_eq!(later, then);
    }
    assert_eq!(json(&desk.run(&["wallet", &wallet(1), "--json"]))["total_pnl_usd"], 40_000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_says_why() {
    let desk = Desk::new().await;
    desk.replay();
    for (arguments, part) in [
        (vec![wallet(4_000)], "has not traded here"),
        (vec![wallet(1), "--at".to_owned(), "2021-12-31".to_owned()], "nothing was believed about"),
        (vec![wallet(1), "--at".to_owned(), "yesterday".to_owned()], "`yesterday` is neither a time"),
        (vec![wallet(1), "--at".to_owned(), "2022-02-30".to_owned()], "is neither a time"),
        (vec!["0x12".to_owned()], "0x12"),
    ] {
        let mut whole = vec!["wallet"];
        whole.extend(arguments.iter().map(String::as_str));
        let output = desk.run(&whole);
        assert!(!output.status.success() && stderr(&output).contains(part), "{part}: {}", stderr(&output));
    }
    let tier = desk.run(&["wallets", "--tier", "KING"]);
    assert!(!tier.status.success() && stderr(&tier).contains("WHALE"), "{}", stderr(&tier));
}

/// Wallets without enough history are explained too, with what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn an_unrated_wallet_is_told_what_it_lacks() {
    let desk = Desk::new().await;
    let folder = desk.path();
    let stricter = |arguments: &[&str]| {
        desk.command(arguments).env("MIN_RATED_DECISIONS", "60").env("MIN_RATED_DAYS", "40").output().unwrap()
    };
    json(&stricter(&["replay", folder.to_str().unwrap(), "--json"]));
    let shown = stdout(&stricter(&["wallet", &wallet(1)]));
    assert!(shown.contains("UNRATED, as of"), "{shown}");
    let missing = "40 of 60 closed decisions (missing), 40 of 3 events, 40 of 40 days with a trade";
    assert!(shown.contains(missing) && widest(&shown) <= 100, "{shown}");
    let whole = json(&stricter(&["wallet", &wallet(1), "--json"]));
    assert_eq!(whole["missing"]["decisions"], serde_json::json!({"has": 40, "needs": 60}));
    // Of unrated wallets only the newest verdict is kept, and that it is missing is said as it is.
    let early = stricter(&["wallet", &wallet(1), "--at", "2022-01-05"]);
    assert!(!early.status.success() && stderr(&early).contains("nothing was believed"), "{}", stderr(&early));
    assert_eq!(stdout(&stricter(&["wallets"])).trim(), "no such wallet yet");
    assert_eq!(json(&stricter(&["wallets", "--tier", "unrated", "--json"])).as_array().unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn wallets_are_listed_by_score_and_filtered() {
    let desk = Desk::new().await;
    desk.replay();
    let list = |arguments: &[&str]| -> Vec<Value> {
        let whole = [&["wallets", "--json"], arguments].concat();
        json(&desk.run(&whole)).as_array().unwrap().clone()
    };
    let scores: Vec<f64> = list(&[]).iter().map(|row| row["reputation_score"].as_f64().unwrap()).collect();
    assert!(scores.len() == 10 && scores.is_sorted_by(|one, next| one >= next), "{scores:?}");
    let whales = list(&["--tier", "WHALE"]);
    assert!(whales.iter().any(|row| row["wallet_address"] == wallet(1).as_str()));
    assert!(whales.iter().all(|row| row["trader_tier"] == "WHALE"));
    let count = |condition: &str| {
        desk.psql(&format!("SELECT count(*) FROM orderflow_rated_wallets WHERE {condition}")).parse::<usize>()
    };
    assert_eq!(Ok(list(&["--copyable"]).len()), count("is_copyable"));
    assert_eq!(Ok(list(&["--verified"]).len()), count("is_verified"));
    assert_eq!(
        Ok(list(&["--copyable", "--tier", "WHALE"]).len()),
        count("is_copyable AND trader_tier = 'WHALE'")
    );
    assert_eq!(list(&["--top", "2"]).len(), 2);
    assert!(widest(&stdout(&desk.run(&["wallets"]))) <= 100);
    // The stored evidence is whole for everybody, in the newest verdict and in every one before.
    for table in ["orderflow_wallet_stats", "orderflow_score_history"] {
        let holes = format!(
            "SELECT count(*) FROM {table} WHERE calibrated_score IS NULL OR is_copyable IS NULL OR flags IS NULL
                OR decisions_30d IS NULL OR win_rate_score IS NULL OR skill_probability IS NULL"
        );
        assert_eq!(desk.psql(&holes), "0", "{table}");
    }
    let same = "SELECT count(*) FROM orderflow_wallet_stats s JOIN orderflow_score_history h USING (wallet_address, as_of)
                WHERE to_jsonb(s) - 'updated_at' <> to_jsonb(h)";
    assert_eq!(desk.psql(same), "0");
}
