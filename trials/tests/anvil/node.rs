//! Anvil, Foundry's node: found on the machine, or installed from npm into a cache of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

/// The package, whose program lies in an optional one for each platform.
const PACKAGE: &str = "@foundry-rs/anvil@1.7.1";
/// What Anvil says once it serves.
const LISTENING: &str = "Listening on ";

/// A node that mines when it is told to.
pub(crate) struct Anvil {
    _process: Child,
    address: String,
    client: reqwest::Client,
}

impl Anvil {
    /// Starts one at a free port that says it is Polygon.
    pub(crate) async fn start() -> Self {
        let mut process = tokio::process::Command::new(program())
            .args(["--port", "0", "--chain-id", "137", "--no-mining", "--slots-in-an-epoch", "1"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = timeout(Duration::from_secs(30), async {
            loop {
                let line = lines.next_line().await.unwrap().expect("Anvil ends before it serves");
                if let Some(address) = line.strip_prefix(LISTENING) {
                    return address.to_owned();
                }
            }
        });
        let address = address.await.expect("Anvil does not serve");
        // Whatever else it says must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { _process: process, address, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    /// Its address over HTTP.
    pub(crate) fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address over WebSocket.
    pub(crate) fn ws(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Asks it something that it must know.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.client.post(self.http()).json(&question).send().await.unwrap();
        let mut answer: Value = answer.json().await.unwrap();
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }
}

/// The program: the one on the path, or the one that npm brings. It is looked for once, whoever needs it first.
fn program() -> &'static Path {
    static FOUND: LazyLock<PathBuf> = LazyLock::new(find);
    &FOUND
}

fn find() -> PathBuf {
    let is_there = |program: &Path| {
        Command::new(program).arg("--version").output().is_ok_and(|done| done.status.success())
    };
    let on_path = PathBuf::from("anvil");
    if is_there(&on_path) {
        return on_path;
    }
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("anvil");
    if let Some(installed) = installed(&cache) {
        return installed;
    }
    std::fs::create_dir_all(&cache).unwrap();
    let npm = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
        .args([cache.as_os_str(), PACKAGE.as_ref()])
        .output();
    let said = match npm {
        Ok(done) => String::from_utf8_lossy(&done.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    installed(&cache).unwrap_or_else(|| {
        panic!(
            "this test needs Anvil: install Foundry (https://getfoundry.sh) so that `anvil` is on the PATH, or \
             npm, with which the test installs {PACKAGE} by itself. npm says: {said}"
        )
    })
}

/// The program in the package for this platform, which alone npm unpacks.
fn installed(cache: &Path) -> Option<PathBuf> {
    let packages = cache.join("node_modules/@foundry-rs").read_dir().ok()?;
    packages.flatten().map(|package| package.path().join("bin/anvil")).find(|program| program.is_file())
}
