use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::layout::Layout;
use super::socket;

/// How long the operating system may take to connect to a socket: a server that hangs lets its queue fill up.
const CONNECT: Duration = Duration::from_secs(2);

/// What `postmaster.pid` in a cluster says, held against what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Postmaster {
    /// There is no such file: the last server ended in order.
    Absent,
    /// A server runs on the cluster.
    Alive {
        /// The folder of its socket.
        socket: PathBuf,
        /// Whether it accepts connections, as far as it has told.
        ready: bool,
        /// Whether the number in the file is its number for us too; in another container it is not.
        here: bool,
    },
    /// The file is a leftover, and PostgreSQL can see that by itself: nothing has the number.
    Stale,
    /// The file is a leftover that PostgreSQL would not start beside: it cannot be read, or its number
    /// belongs to a process that has ended but was not collected, or to a process of today that has nothing
    /// to do with it. Containers are full of both.
    Misleading,
}

/// What the process with some number is.
enum Process {
    /// There is none.
    None,
    /// It serves this cluster.
    Server,
    /// It is something else, or has ended and was not collected by its parent.
    Other,
}

impl Postmaster {
    /// Reads and judges the file in the cluster.
    pub(super) fn of(layout: &Layout) -> Postmaster {
        let Ok(text) = fs::read_to_string(file(&layout.cluster)) else {
            return Postmaster::Absent;
        };
        // The lines: number, data directory, start time, port, socket folder, address, shared memory, state.
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let (Some(Ok(pid)), Some(folder)) = (lines.first().map(|line| line.parse::<u32>()), lines.get(4))
        else {
            return Postmaster::Misleading;
        };
        let process = process(pid, &real(&layout.cluster));
        let here = matches!(process, Process::Server);
        // The socket decides, because only a living server listens on it, in whichever container it lives;
        // and there the same folder may have another path.
        let folders = [PathBuf::from(folder), layout.socket.clone()];
        let listening = folders.iter().find(|folder| listens(folder));
        if here || listening.is_some() {
            let [named, _] = &folders;
            let socket = listening.unwrap_or(named).clone();
            return Postmaster::Alive { socket, ready: lines.get(7) == Some(&"ready"), here };
        }
        match process {
            Process::None => Postmaster::Stale,
            Process::Other | Process::Server => Postmaster::Misleading,
        }
    }
}

/// PostgreSQL's own lock on a cluster.
pub(super) fn file(cluster: &Path) -> PathBuf {
    cluster.join("postmaster.pid")
}

fn listens(folder: &Path) -> bool {
    let path = folder.join(socket::FILE);
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        // The receiver is gone when it has waited long enough: then nobody wants the answer.
        let _ = sender.send(UnixStream::connect(path).is_ok());
    });
    // Nobody hangs up on a caller but a server that is there.
    receiver.recv_timeout(CONNECT).unwrap_or(true)
}

#[cfg(target_os = "linux")]
fn process(pid: u32, cluster: &Path) -> Process {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let Ok(stat) = fs::read_to_string(folder.join("stat")) else {
        return Process::None;
    };
    // The state follows the name, which stands in parentheses and may hold any character.
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    if matches!(state, Some('Z' | 'X')) {
        return Process::Other;
    }
    if serves(&folder, cluster) { Process::Server } else { Process::Other }
}

#[cfg(not(target_os = "linux"))]
fn process(pid: u32, cluster: &Path) -> Process {
    let output = std::process::Command::new("ps")
        .args(["-o", "stat=", "-o", "command=", "-p"])
        .arg(pid.to_string())
        .output();
    // Without an answer PostgreSQL's own judgement has to do.
    let Ok(output) = output else { return Process::None };
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if line.is_empty() {
        Process::None
    } else if !line.starts_with('Z') && line.contains(&*cluster.to_string_lossy()) {
        Process::Server
    } else {
        Process::Other
    }
}

/// Whether processes of an ended server still run on the cluster. Starting beside them would destroy it, and
/// it is the leftover file, about to be removed, by which PostgreSQL itself would notice.
#[cfg(target_os = "linux")]
pub(super) fn has_orphans(cluster: &Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.map(|entry| entry.path()).any(|folder| serves(&folder, cluster))
}

/// Elsewhere there is no cheap way to ask; the processes of an ended server notice and end within moments.
#[cfg(not(target_os = "linux"))]
pub(super) fn has_orphans(_cluster: &Path) -> bool {
    false
}

/// Every process of a server works in its cluster's folder; and so may somebody's shell.
#[cfg(target_os = "linux")]
fn serves(process: &Path, cluster: &Path) -> bool {
    fs::read_link(process.join("cwd")).is_ok_and(|folder| folder == cluster)
        && fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "postgres")
}

/// The cluster's path without links, as the operating system names it.
fn real(cluster: &Path) -> PathBuf {
    cluster.canonicalize().unwrap_or_else(|_| cluster.to_owned())
}
