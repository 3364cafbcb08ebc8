//! The system under test on an Anvil chain.

use serde_json::json;
use tempfile::TempDir;

use crate::chain::Chain;
use crate::database::Database;
use crate::line::{Line, assert_same};
use crate::process::Process;

/// A listener at work.
pub(crate) struct Reader {
    database: Database,
    url: String,
    more: &'static [&'static str],
    folder: TempDir,
    /// None while it is dead.
    process: Option<Process>,
}

impl Reader {
    /// One that follows from the first block on.
    pub(crate) async fn follow(url: String, more: &'static [&'static str]) -> Self {
        let (database, folder) = (Database::create().await, tempfile::tempdir().unwrap());
        let mut reader = Self { database, url, more, folder, process: None };
        reader.start();
        reader
    }

    /// Kills it with SIGKILL.
    pub(crate) async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            assert!(process.kill().await, "it ended by itself");
        }
    }

    /// Starts it if it is dead.
    pub(crate) fn start(&mut self) {
        if self.process.is_none() {
            self.process = Some(start("listen", &self.database, &self.url, self.more, &self.folder));
        }
    }

    /// Waits until it is at the head, and compares; the fills taken back until now.
    pub(crate) async fn agrees_with(&mut self, chain: &Chain) -> Vec<Line> {
        let (number, hash) = chain.head().await;
        let database = &self.database;
        let process = self.process.as_mut().unwrap();
        process.until("the head", async || database.is_at(hash).await).await;
        assert_same("the fills", &chain.truth().await, &database.fills().await);
        let status = database.status().await;
        let said = [
            &status["complete_from"],
            &status["complete_to"],
            &status["holes"],
            &status["quarantine"]["logs"],
        ];
        assert_eq!(json!(said), json!([0, number, [], 0]), "{status:#}");
        database.orphans().await
    }
}

/// Reads as history what is final, and compares.
pub(crate) async fn history_agrees_with(chain: &Chain) {
    let (database, folder) = (Database::create().await, tempfile::tempdir().unwrap());
    start("backfill", &database, &chain.anvil.http(), &[], &folder).end().await;
    assert_same("the fills of history", &chain.truth().await, &database.fills().await);
}

fn start(task: &str, database: &Database, url: &str, more: &[&str], folder: &TempDir) -> Process {
    let arguments =
        ["child", task, "--database", database.url(), "--rpc", url, "--from", "0", "--poll", "100"];
    let arguments = arguments.iter().chain(&["--log", "info"]).chain(more);
    Process::start(arguments.map(|text| (*text).to_owned()).collect(), folder.path().join("log"))
}
