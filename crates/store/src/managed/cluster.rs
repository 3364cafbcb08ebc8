use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::Durability;
use super::account::Account;
use super::binaries::Binaries;
use super::command;
use super::error::ManagedError;
use super::layout::{Layout, create_folder, prepare};

/// The superuser of the cluster, and the user of every connection.
pub(super) const SUPERUSER: &str = "orderflow";

/// How long creating a cluster may take; a second is usual.
const INITDB: Duration = Duration::from_secs(120);

/// The beginning of the name of a cluster that is being made.
const UNFINISHED: &str = "cluster.new-";

/// The major version that made the cluster, or none where there is no cluster yet.
pub(super) fn major(layout: &Layout) -> Option<u32> {
    fs::read_to_string(layout.cluster.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Refuses to keep lasting data in a cluster that was made for a test.
pub(super) fn check_durability(layout: &Layout, durability: Durability) -> Result<(), ManagedError> {
    match durability {
        Durability::Durable if layout.throwaway.exists() => {
            Err(ManagedError::ThrowawayCluster { path: layout.home.clone() })
        }
        Durability::Durable | Durability::Throwaway => Ok(()),
    }
}

/// Creates the cluster. It appears under its name only when it is complete, so that a crash in between
/// leaves nothing that looks like a database.
pub(super) fn create(
    layout: &Layout,
    account: &Account,
    binaries: &Binaries,
    durability: Durability,
) -> Result<(), ManagedError> {
    remove_unfinished(layout);
    let unfinished = layout.home.join(format!("{UNFINISHED}{}", std::process::id()));
    create_folder(&unfinished, 0o700)?;
    account.own(&unfinished)?;
    let mut initdb = account.command(binaries.program("initdb"));
    initdb.arg("-D").arg(&unfinished).args(["-U", SUPERUSER, "-E", "UTF8", "--locale=C"]).args([
        "--data-checksums",
        "--auth-local=trust",
        "--auth-host=reject",
        "--no-instructions",
    ]);
    if durability == Durability::Throwaway {
        initdb.arg("--no-sync");
        fs::write(&layout.throwaway, "").map_err(prepare(&layout.throwaway))?;
    }
    command::run(&mut initdb, INITDB)?;
    fs::rename(&unfinished, &layout.cluster).map_err(prepare(&layout.cluster))
}

/// Writes the settings file that is the user's to change, unless it is there.
///
/// It stands beside the cluster rather than in it, where it is found more easily and where root does not
/// write into a folder of an unprivileged user, who could have put a link in its place.
pub(super) fn write_settings(layout: &Layout) -> Result<(), ManagedError> {
    if layout.settings.exists() {
        return Ok(());
    }
    let tunables = if layout.throwaway.exists() { THROWAWAY } else { DURABLE };
    // Complete or not there: half of it would be taken for the user's wish.
    let unfinished = layout.settings.with_extension("conf.new");
    fs::write(&unfinished, format!("{HEAD}{tunables}"))
        .and_then(|()| fs::set_permissions(&unfinished, Permissions::from_mode(0o644)))
        .and_then(|()| fs::rename(&unfinished, &layout.settings))
        .map_err(prepare(&layout.settings))
}

/// What an earlier attempt left. An attempt that was killed may have its `initdb` still running, hence the
/// number in the name, and no complaint when a folder cannot be removed.
fn remove_unfinished(layout: &Layout) {
    for entry in fs::read_dir(&layout.home).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The beginning of every settings file: what `initdb` found out about the machine comes first.
const HEAD: &str = "\
# Settings of the private PostgreSQL, written once and yours to change; read when the server starts.
include 'cluster/postgresql.conf'
timezone = 'UTC'
log_timezone = 'UTC'
shared_buffers = 64MB
";

const DURABLE: &str = "\
max_connections = 100
synchronous_commit = on
";

const THROWAWAY: &str = "\
# Fast, and lost with the power.
max_connections = 200
fsync = off
full_page_writes = off
synchronous_commit = off
max_wal_size = 256MB
";
