//! Listener, backfill and executor as processes of their own, to be killed as an operating system kills.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(25);
/// What a process says that finds its role taken: the server has not noticed yet that who had it is dead.
const ROLE_TAKEN: &str = "is already running";
/// How much of its log is shown of a process that failed.
const SHOWN: usize = 12_000;

/// A process of the tested system.
pub(crate) struct Process {
    arguments: Vec<String>,
    log: PathBuf,
    running: tokio::process::Child,
}

impl Process {
    /// Starts `trials` with these arguments; what it says goes to a file.
    pub(crate) fn start(arguments: Vec<String>, log: PathBuf) -> Self {
        let running = spawn(&arguments, &log);
        Self { arguments, log, running }
    }

    /// Whether it has ended well. One that found its role taken is started again, as a supervisor would.
    ///
    /// # Panics
    /// If it has failed.
    pub(crate) fn has_ended(&mut self) -> bool {
        let Some(status) = self.running.try_wait().unwrap() else { return false };
        if status.success() {
            return true;
        }
        let said = self.said();
        assert!(said.contains(ROLE_TAKEN), "{:?} ended with {status}:\n{said}", self.arguments);
        self.running = spawn(&self.arguments, &self.log);
        false
    }

    /// Waits until it has ended well.
    pub(crate) async fn end(mut self) {
        let begun = Instant::now();
        while !self.has_ended() {
            assert!(
                begun.elapsed() < PATIENCE,
                "{:?} does not come to its end:\n{}",
                self.arguments,
                self.said()
            );
            sleep(LOOK).await;
        }
    }

    /// Waits until `holds`, while it runs.
    pub(crate) async fn until(&mut self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let begun = Instant::now();
        while !holds().await {
            assert!(!self.has_ended(), "{:?} ended by itself", self.arguments);
            let is_late = begun.elapsed() > PATIENCE;
            assert!(!is_late, "{:?} does not come to {what}:\n{}", self.arguments, self.said());
            sleep(LOOK).await;
        }
    }

    /// Kills it with SIGKILL; whether it still ran.
    pub(crate) async fn kill(mut self) -> bool {
        if self.has_ended() {
            return false;
        }
        self.running.start_kill().unwrap();
        let status: ExitStatus = self.running.wait().await.unwrap();
        !status.success()
    }

    /// The end of its log.
    pub(crate) fn said(&self) -> String {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        said[said.floor_char_boundary(said.len().saturating_sub(SHOWN))..].to_owned()
    }
}

fn spawn(arguments: &[String], log: &PathBuf) -> tokio::process::Child {
    let log = File::create(log).unwrap();
    tokio::process::Command::new(env!("CARGO_BIN_EXE_trials"))
        .args(arguments)
        // A backtrace would push what it said out of what is looked at.
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
