use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use super::account::Account;
use super::binaries::Binaries;
use super::cluster;
use super::command;
use super::error::ManagedError;
use super::layout::{Layout, prepare};
use super::postmaster::{self, Postmaster};
use super::socket;

/// How long a server may take until it accepts connections, recovery after a crash included.
const READY: Duration = Duration::from_secs(60);

/// How long a server may take to write everything down and end.
const STOP: Duration = Duration::from_secs(60);

/// How often a starting server is looked at.
const LOOK: Duration = Duration::from_millis(25);

/// How long to wait before starting again beside the remains of a killed server.
const AGAIN: Duration = Duration::from_millis(500);

/// How many starts are tried beside the remains of a killed server, whose processes need a moment to end.
const ATTEMPTS: u32 = 6;

/// How much of a log's end is quoted, in bytes.
const TAIL: u64 = 2_000;

/// Makes sure that a server runs on the cluster and accepts connections, and returns its socket's folder.
///
/// The caller holds the start lock.
pub(super) fn ensure_running(
    layout: &Layout,
    account: &Account,
    binaries: &Binaries,
) -> Result<PathBuf, ManagedError> {
    let begin = Instant::now();
    let mut attempts = 0;
    let mut unclean = false;
    let mut launched: Option<Launched> = None;
    while begin.elapsed() < READY {
        let state = Postmaster::of(layout);
        if let Postmaster::Alive { socket, ready: true, .. } = state {
            return Ok(socket);
        }
        if let Some(server) = &mut launched {
            let Some(status) = server.ended() else {
                thread::sleep(LOOK);
                continue;
            };
            launched = None;
            if !unclean || attempts == ATTEMPTS {
                return Err(ended(layout, status));
            }
            thread::sleep(AGAIN);
            continue;
        }
        match state {
            Postmaster::Alive { .. } => thread::sleep(LOOK),
            Postmaster::Misleading if postmaster::has_orphans(&layout.cluster) => thread::sleep(LOOK),
            Postmaster::Misleading => {
                let file = postmaster::file(&layout.cluster);
                fs::remove_file(&file).map_err(prepare(&file))?;
                unclean = true;
            }
            Postmaster::Stale | Postmaster::Absent => {
                unclean |= state == Postmaster::Stale;
                attempts += 1;
                launched = Some(launch(layout, account, binaries)?);
            }
        }
    }
    Err(ManagedError::NotReady { deadline: READY, log: layout.home.clone(), tail: log_tail(layout) })
}

/// Stops the server in order: open connections are ended, everything is written down. False says that it
/// was left running, because it is not ours to stop.
pub(super) fn stop(layout: &Layout, account: &Account, binaries: &Binaries) -> Result<bool, ManagedError> {
    let Postmaster::Alive { socket, here, .. } = Postmaster::of(layout) else {
        return Ok(true);
    };
    if !here {
        tracing::warn!("the private PostgreSQL runs in another container and is left running");
        return Ok(false);
    }
    let mut pg_ctl = account.command(binaries.program("pg_ctl"));
    pg_ctl.arg("stop").arg("-D").arg(&layout.cluster).args(["-m", "fast", "-w", "-t"]);
    pg_ctl.arg(STOP.as_secs().to_string());
    command::run(&mut pg_ctl, STOP + Duration::from_secs(5))?;
    socket::remove_short_folder(layout, &socket);
    Ok(true)
}

/// A server that this program started, collected when it ends, so that its number does not stay taken.
struct Launched(Option<Child>);

impl Launched {
    fn ended(&mut self) -> Option<ExitStatus> {
        self.0.as_mut().and_then(|child| child.try_wait().ok()).flatten()
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            thread::spawn(move || child.wait());
        }
    }
}

fn launch(layout: &Layout, account: &Account, binaries: &Binaries) -> Result<Launched, ManagedError> {
    let socket = socket::prepare_folder(layout, account)?;
    cluster::write_settings(layout)?;
    let said = File::create(&layout.startup_log).map_err(prepare(&layout.startup_log))?;
    let again = said.try_clone().map_err(prepare(&layout.startup_log))?;
    let program = binaries.program("postgres");
    let mut command = account.command(&program);
    command.arg("-D").arg(&layout.cluster);
    // What a test's server says stays in its startup log: a log of its own costs a process.
    let collector = if layout.throwaway.exists() { "off" } else { "on" };
    command.arg("-c").arg(format!("logging_collector={collector}"));
    for setting in ESSENTIALS {
        command.arg("-c").arg(setting);
    }
    for (setting, path) in [
        ("config_file", &layout.settings),
        ("unix_socket_directories", &socket),
        ("log_directory", &layout.log),
    ] {
        let mut value = std::ffi::OsString::from(format!("{setting}="));
        value.push(path);
        command.arg("-c").arg(value);
    }
    // The server is told to end by `pg_ctl` alone; when this program is killed it lives on for the next.
    let child =
        command.stdout(said).stderr(again).spawn().map_err(|source| ManagedError::Run { program, source })?;
    Ok(Launched(Some(child)))
}

/// The settings that must hold whatever the cluster's file says: no network, and logs that cannot fill the
/// disk (one file a weekday, overwritten a week later).
const ESSENTIALS: [&str; 8] = [
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "log_destination=stderr",
    "log_filename=postgresql-%a.log",
    "log_truncate_on_rotation=on",
    "log_rotation_age=1d",
    "log_rotation_size=0",
];

fn ended(layout: &Layout, status: ExitStatus) -> ManagedError {
    ManagedError::EndedWhileStarting { status, log: layout.home.clone(), tail: log_tail(layout) }
}

/// The ends of what the server said before and after it had opened its log.
fn log_tail(layout: &Layout) -> String {
    let entries = fs::read_dir(&layout.log).into_iter().flatten().flatten();
    let newest = entries
        .map(|entry| entry.path())
        .max_by_key(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok());
    let tails = [Some(layout.startup_log.clone()), newest].into_iter().flatten();
    let tails = tails.filter_map(|path| tail(&path));
    tails.collect::<Vec<_>>().join("\n")
}

fn tail(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
