//! `orderflow evidence`: two simulated pasts and what the scores make of them, by one command with a seed.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn evidence(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderflow"));
    command.args(["evidence", "--wallets", "200", "--days", "60"]).args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = evidence(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_seed_gives_the_same_answer_to_the_byte() {
    for form in [&["--json"][..], &[]] {
        let [one, again, other] =
            ["7", "7", "8"].map(|seed| evidence(&[&["--seed", seed], form].concat()).stdout);
        assert!(!one.is_empty());
        assert_eq!(one, again);
        assert_ne!(one, other);
    }
}

#[test]
fn planted_skill_is_found_and_luck_is_not() {
    let found = json(&["--seed", "3", "--skilled", "15"]);
    let number = |pointer: &str| found.pointer(pointer).and_then(Value::as_f64).unwrap();
    assert_eq!((number("/planted/planted"), number("/nobody/planted")), (30.0, 0.0));
    // Everybody trades enough to be judged, the two worlds alike.
    assert!(number("/planted/eligible") > 190.0 && number("/nobody/eligible") > 190.0, "{found}");
    let area = |measure: &str| number(&format!("/planted/auc/{measure}/area"));
    assert!(area("kappa") > 0.75 && area("kappa") > area("as_spec"), "{found}");
    assert!(area("kappa") > area("win_rate") && area("calibrated") > 0.75, "{found}");
    assert!(number("/planted/auc/kappa/error") > 0.0);
    assert!(found.pointer("/nobody/auc/kappa").unwrap().is_null(), "nobody to rank above anybody: {found}");
    // Luck and favourites make whales as asked for, and nobody sure.
    assert!(number("/nobody/passed/as_spec_whale/share") > 0.03, "{found}");
    assert!(number("/nobody/passed/sure_and_copyable/share") <= 0.01, "{found}");
    assert_eq!(found["holds"], true);
    // Before anything is shrunken, luck does what luck does: else the world would be unfair, or dull.
    assert!((0.002..0.09).contains(&number("/nobody/passed/z_one_in_twenty/share")), "{found}");
}

#[test]
fn without_planting_both_worlds_are_the_same() {
    let found = json(&["--skilled", "0"]);
    assert_eq!(found["planted"], found["nobody"]);
    assert_eq!(found["planted"]["planted_eligible"], 0);
    let table = String::from_utf8(evidence(&["--skilled", "0"]).stdout).unwrap();
    assert!(table.contains("SIMULATED") && table.contains("nobody knows anything"), "{table}");
    assert!(!table.contains("puts the right one first"), "{table}");
}

#[test]
fn what_cannot_be_planted_is_refused() {
    for skilled in ["26", "-1", "NaN", "many"] {
        let output = evidence(&[&format!("--skilled={skilled}")]);
        assert!(!output.status.success() && output.stdout.is_empty(), "{skilled}");
    }
}
