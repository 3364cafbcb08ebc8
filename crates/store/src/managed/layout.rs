use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::account::Account;
use super::error::ManagedError;

/// What lies where in the data directory.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The data directory itself, as a real path.
    pub(super) data_dir: PathBuf,
    /// All that concerns the server.
    pub(super) home: PathBuf,
    /// PostgreSQL's own data directory.
    pub(super) cluster: PathBuf,
    /// The server's settings.
    pub(super) settings: PathBuf,
    /// What the server says until its log is open.
    pub(super) startup_log: PathBuf,
    /// The server's log files.
    pub(super) log: PathBuf,
    /// The socket's folder, where its path is short enough.
    pub(super) socket: PathBuf,
    /// Names the socket's folder in use, for people and for the next start.
    pub(super) socket_record: PathBuf,
    /// Held exclusively by whoever starts or stops the server.
    pub(super) start_lock: PathBuf,
    /// Held shared by every program that uses the server.
    pub(super) users_lock: PathBuf,
    /// Says that the cluster was made without care for power cuts.
    pub(super) throwaway: PathBuf,
}

impl Layout {
    /// Creates the data directory where it is missing, and names what will be in it.
    pub(super) fn open(data_dir: &Path) -> Result<Layout, ManagedError> {
        let failed = |source| ManagedError::Prepare { path: data_dir.to_owned(), source };
        let wanted = std::path::absolute(data_dir).map_err(failed)?;
        let missing: Vec<&Path> = wanted.ancestors().take_while(|folder| !folder.exists()).collect();
        fs::create_dir_all(&wanted).map_err(failed)?;
        if geteuid().is_root() {
            // Under a strict umask root would have shut out the server's user from folders that are new.
            for folder in missing {
                add_passage(folder)?;
            }
        }
        let data_dir = wanted.canonicalize().map_err(failed)?;
        let home = data_dir.join("postgres");
        Ok(Layout {
            cluster: home.join("cluster"),
            settings: home.join("postgresql.conf"),
            startup_log: home.join("startup.log"),
            log: home.join("log"),
            socket: home.join("socket"),
            socket_record: home.join("socket-dir"),
            start_lock: home.join("start.lock"),
            users_lock: home.join("users.lock"),
            throwaway: home.join("throwaway"),
            home,
            data_dir,
        })
    }

    /// Makes sure that `account` can reach the data directory, and creates the server's folders in it.
    pub(super) fn admit(&self, account: &Account) -> Result<(), ManagedError> {
        if account.switched {
            if let Some(parent) = self.data_dir.parent()
                && let Some(closed) = first_closed(parent, account)?
            {
                return Err(ManagedError::ClosedAncestor {
                    closed,
                    data_dir: self.data_dir.clone(),
                    user: account.name.clone(),
                });
            }
            open_for_passing(&self.data_dir, account)?;
        }
        create_folder(&self.home, 0o755)?;
        if account.switched {
            open_for_passing(&self.home, account)?;
        }
        create_folder(&self.log, 0o700)?;
        account.own(&self.log)
    }
}

/// The outermost folder on the way to `path` that `account` may not enter.
pub(super) fn first_closed(path: &Path, account: &Account) -> Result<Option<PathBuf>, ManagedError> {
    let mut outermost = None;
    for folder in path.ancestors() {
        if !may_enter(folder, account)? {
            outermost = Some(folder.to_owned());
        }
    }
    Ok(outermost)
}

/// What the permission bits say: the owner's bit decides for the owner, the group's for the group, the
/// others' for all others. The account has no supplementary groups, because they are dropped with the uid.
fn may_enter(folder: &Path, account: &Account) -> Result<bool, ManagedError> {
    let metadata = fs::metadata(folder).map_err(prepare(folder))?;
    let bit = if metadata.uid() == account.uid {
        0o100
    } else if metadata.gid() == account.gid {
        0o010
    } else {
        0o001
    };
    Ok(metadata.mode() & bit != 0)
}

/// Lets everybody pass through a folder of ours, without letting them list it, if `account` may not.
fn open_for_passing(folder: &Path, account: &Account) -> Result<(), ManagedError> {
    if may_enter(folder, account)? {
        return Ok(());
    }
    add_passage(folder)
}

fn add_passage(folder: &Path) -> Result<(), ManagedError> {
    let mode = fs::metadata(folder).map_err(prepare(folder))?.mode() & 0o7777;
    fs::set_permissions(folder, Permissions::from_mode(mode | 0o011)).map_err(prepare(folder))
}

/// Creates one folder with exactly these permission bits, or keeps the one that is there.
pub(super) fn create_folder(path: &Path, mode: u32) -> Result<(), ManagedError> {
    match DirBuilder::new().mode(mode).create(path) {
        // The umask may have taken bits away.
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)).map_err(prepare(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(source) => Err(ManagedError::Prepare { path: path.to_owned(), source }),
    }
}

/// Turns what the operating system said about `path` into our error.
pub(super) fn prepare(path: &Path) -> impl FnOnce(io::Error) -> ManagedError + use<> {
    let path = path.to_owned();
    move |source| ManagedError::Prepare { path, source }
}
