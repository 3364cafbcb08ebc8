//! The commands that need no tape: decoding, the demonstration, the private database, the services.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A taker's purchase of 5 NO shares at 0.50 on exchange V2, block 85,050,371, as the chain holds it.
const LOG: &str = r#"{
  "address": "0xe111180000d2663c0091e4f400237545b87b996b",
  "topics": ["0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee",
             "0x0c970e909e59bc0632c4687337ae0c1b9a45ac8caa18d18d776d7d692a51b206",
             "0x000000000000000000000000d74b83e161d23ef17c6247d4b2f6be07160ced75",
             "0x000000000000000000000000e111180000d2663c0091e4f400237545b87b996b"],
  "data": "0x0000000000000000000000000000000000000000000000000000000000000000652cf356c83a6ec58a7c67b7cb861950fd77cede1f8b49aa6bade166f9ca811d00000000000000000000000000000000000000000000000000000000002625a000000000000000000000000000000000000000000000000000000000004c4b40000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
  "blockNumber": "0x511c403",
  "blockHash": "0x00000000000000000000000000000000000000000000000000000000000000aa",
  "transactionHash": "0x5a829009714d1e2b8e17383078b18f64ef195da5ccd056107ecf01c5a4737ed1",
  "logIndex": "0x101"
}"#;

fn orderflow(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderflow"));
    command.args(arguments).stdin(Stdio::null()).env_remove("DATABASE_URL").env_remove("ORDERFLOW_DATA_DIR");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn decode(input: &str) -> Output {
    let mut child = orderflow(&["decode", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_fill_decodes_to_its_own_wallet() {
    let output = decode(&format!("[{LOG}]"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let fill: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (key, value) in [
        ("kind", "fill"),
        ("exchange", "v2"),
        ("wallet", "0xd74b83e161d23ef17c6247d4b2f6be07160ced75"),
        ("counterparty", "0xe111180000d2663c0091e4f400237545b87b996b"),
        ("role", "taker"),
        ("side", "BUY"),
        ("token_id", "45763018441764333771124945243746174684578244015331389396782339063349542289693"),
        ("shares", "5"),
        ("usd", "2.5"),
        ("price", "0.5"),
        ("fee", "0"),
        ("fee_asset", "usd"),
    ] {
        assert_eq!(fill[key], value, "{key}");
    }
    assert_eq!((&fill["block"], &fill["log_index"]), (&85_050_371.into(), &257.into()));
}

#[test]
fn a_body_cut_short_is_undecodable_and_says_where() {
    let output =
        decode(&format!("[{}]", LOG.replace("00000000\",\n  \"blockNumber", "\",\n  \"blockNumber")));
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(log["kind"], "undecodable");
    assert!(log["error"].as_str().unwrap().contains("220 bytes"), "{log}");
    assert_eq!(log["log_index"], 257);
}

#[test]
fn what_is_no_log_is_a_clear_error() {
    for (input, part) in
        [("nonsense", "not JSON"), ("{}", "not an array"), (r#"[{"address": "0x12"}]"#, "`address`")]
    {
        let output = decode(input);
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(part), "{}", text(&output.stderr));
    }
}

/// The demonstration: history read over real sockets, wallets scored, whales followed, positions settled. Whales come by
/// chance, some two a minute: in this time one of them always does.
#[test]
fn the_demonstration_trades_and_finds_the_skilled() {
    let output = orderflow(&["demo", "--for", "150s", "--seed", "3", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["simulated"], true);
    let number = |pointer: &str| summary.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    assert!(number("/trades") > 50_000, "{summary}");
    assert!(number("/signals/follow_whale") > 0, "{summary}");
    assert!(number("/positions/opened") > 0, "{summary}");
    assert!(number("/positions/won") + number("/positions/lost") > 0, "{summary}");
    assert!(number("/by_score_7_and_more/found") > 20, "{summary}");
}

/// `orderflow db` leaves a private PostgreSQL running for `psql`, and stops it again.
#[test]
fn the_private_database_is_reachable_by_psql() {
    let folder = tempfile::tempdir().unwrap();
    let db =
        |arguments: &[&str]| orderflow(arguments).env("ORDERFLOW_DATA_DIR", folder.path()).output().unwrap();
    let output = db(&["db"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let url = text(&output.stdout).trim().to_owned();
    let psql = || {
        Command::new(store::managed::psql().unwrap())
            .args([&url, "-Atc", "SELECT count(*) FROM orderflow_trades"])
            .output()
            .unwrap()
    };
    assert_eq!(text(&psql().stdout).trim(), "0", "{}", text(&psql().stderr));
    assert!(db(&["db", "--stop"]).status.success());
    assert!(!psql().status.success());
}

/// Nobody answers at the node's address: `run` says so, keeps trying, names the demonstration, and still
/// ends in order when it is told to.
#[test]
fn an_unreachable_chain_is_retried_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = orderflow(&["run"])
        .env("ORDERFLOW_DATA_DIR", folder.path())
        .env("POLYGON_RPC_URL", "http://127.0.0.1:9/secret-key")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while !said.contains("orderflow demo") {
        said += &lines.next().unwrap().unwrap();
    }
    let asked = Instant::now();
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    said.extend(lines.map(Result::unwrap));
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(asked.elapsed() < Duration::from_secs(20));
    assert!(said.contains("http://127.0.0.1:9"), "{said}");
    assert!(!said.contains("secret-key"), "{said}");
}
