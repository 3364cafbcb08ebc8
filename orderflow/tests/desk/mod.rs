//! A recorded tape, a database, and the commands on both.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder of its own with a tape, and a database of its own on the tests' server.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
    pub(crate) database: store::testing::TestDatabase,
}

/// Settings under which a small tape has whales.
const NAIVE: [(&str, &str); 6] = [
    ("CONFIDENCE_MODEL", "score"),
    ("MIN_RATED_DECISIONS", "3"),
    ("MIN_RATED_EVENTS", "3"),
    ("MIN_RATED_DAYS", "2"),
    // Nobody trades on this tape but those it is about.
    ("MIN_MARKET_VOLUME_USD", "0"),
    ("MAX_ENTRY_OF_VOLUME_PCT", "100"),
];

impl Desk {
    pub(crate) async fn new() -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
            database: store::testing::TestDatabase::create().await,
        };
        let (trades, resolutions) = tape();
        desk.write("trades.csv", &trades);
        desk.write("resolutions.csv", &resolutions);
        desk
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).unwrap();
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderflow"));
        command.args(arguments).env("DATABASE_URL", self.database.url()).envs(NAIVE).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn replay(&self) -> Value {
        json(&self.run(&["replay", self.path().to_str().unwrap(), "--json"]))
    }

    pub(crate) fn psql(&self, statement: &str) -> String {
        let output = Command::new(store::managed::psql().unwrap())
            .args([self.database.url(), "-v", "ON_ERROR_STOP=1", "-Atc", statement])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

pub(crate) fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn wallet(number: u32) -> String {
    format!("0x{number:040x}")
}

/// Forty markets, each of which resolves a day after it trades. Wallet 1 always buys the winner at 0.50 with
/// $1,000; wallet 2 always the loser; a crowd trades on both sides.
pub(crate) fn tape() -> (String, String) {
    let mut trades = "timestamp,wallet,market,outcome,side,shares,usd\n".to_owned();
    let mut resolutions = "market,outcomes,winner,resolved_at\n".to_owned();
    for market in 0..40u32 {
        let (month, day) = (1 + market / 28, 1 + market % 28);
        let winner = if market % 3 == 0 { "No" } else { "Yes" };
        let loser = if winner == "No" { "Yes" } else { "No" };
        let mut trade = |minute: u32, who: u32, outcome: &str, side: &str, shares: u32, usd: u32| {
            let at = format!("2022-{month:02}-{day:02}T10:{minute:02}:00Z");
            writeln!(trades, "{at},{},market_{market},{outcome},{side},{shares},{usd}", wallet(who)).unwrap();
        };
        for crowd in 0..8u32 {
            let outcome = if crowd % 2 == 0 { "Yes" } else { "No" };
            trade(crowd, 10 + crowd, outcome, "BUY", 100 + crowd, 50 + crowd);
        }
        trade(20, 1, winner, "BUY", 2_000, 1_000);
        trade(25, 2, loser, "BUY", 2_000, 1_000);
        trade(40, 10, "Yes", "SELL", 50, 27);
        let at = format!("2022-{month:02}-{day:02}T22:00:00Z");
        writeln!(resolutions, "market_{market},Yes|No,{winner},{at}").unwrap();
    }
    (trades, resolutions)
}
