//! A program that uses the server, in a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use store::managed::{Durability, ManagedPostgres, ManagedSettings};

/// Set for the process that [`program`] runs in.
const DATA_DIR: &str = "ORDERFLOW_TEST_DATA_DIR";

/// Set in a process that has no network.
const OFFLINE: &str = "ORDERFLOW_TEST_OFFLINE";

/// Whether this is the process that [`run_offline`] made.
pub(crate) fn is_offline() -> bool {
    std::env::var_os(OFFLINE).is_some()
}

/// Runs one of these tests again in a process whose proxy nobody answers at: there may be a network here, or
/// a firewall that lets requests wait.
pub(crate) fn run_offline(test: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(OFFLINE, "1");
    for proxy in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(proxy, "http://127.0.0.1:1");
    }
    let output = command.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{complained}");
}

/// A program that starts a server, prints its URL and waits for the end of its input: these tests' own
/// executable, told to run [`program`] only.
pub(crate) struct Program {
    pub(crate) child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) url: String,
}

/// What a [`Program`] does: other tests start this executable anew with a data directory. Without one there is
/// nothing to do.
#[tokio::test]
async fn program() {
    let Some(data_dir) = std::env::var_os(DATA_DIR).map(PathBuf::from) else {
        return;
    };
    let settings = ManagedSettings { data_dir, durability: Durability::Throwaway };
    let managed = ManagedPostgres::start(&settings).await.unwrap();
    println!("\nURL {}", managed.url("orderflow"));
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    println!("\nLEFT {:?}", managed.stop().await.unwrap());
}

impl Program {
    pub(crate) fn command() -> Command {
        Program::at(&std::env::current_exe().unwrap())
    }

    pub(crate) fn at(executable: &Path) -> Command {
        let mut command = Command::new(executable);
        command.args(["--exact", "program::program", "--nocapture"]);
        command
    }

    pub(crate) fn start(command: &mut Command, data_dir: &Path) -> Program {
        command.env(DATA_DIR, data_dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let url = line_after("URL ", &mut output);
        Program { child, output, url }
    }

    /// Ends its input and returns what it says about the server.
    pub(crate) fn finish(mut self) -> String {
        drop(self.child.stdin.take());
        let left = line_after("LEFT ", &mut self.output);
        // It must be able to say the rest, too.
        self.output.read_to_end(&mut Vec::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
        left
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

fn line_after(mark: &str, output: &mut BufReader<ChildStdout>) -> String {
    let line = output.lines().map(|line| line.unwrap()).find(|line| line.starts_with(mark));
    line.expect("the program ended too early")[mark.len()..].to_owned()
}
