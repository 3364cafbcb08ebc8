use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::unistd::{Gid, Uid, User, getegid, geteuid};

use super::command;
use super::error::ManagedError;

/// How long a command that does nothing may take.
const CHECK: Duration = Duration::from_secs(10);

/// The operating system's user who runs the server.
///
/// An ordinary user runs it as himself. PostgreSQL refuses to run as root, so root hands it to an
/// unprivileged user; the cluster, its log and its socket belong to that user then.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) name: String,
    /// Whether this is another user than the one who runs this program.
    pub(super) switched: bool,
}

impl Account {
    /// Chooses the user for the cluster in `cluster`, which need not exist yet.
    ///
    /// An existing cluster keeps its owner, so that root can go on with what an ordinary user began.
    pub(super) fn choose(cluster: &Path) -> Result<Account, ManagedError> {
        let me = geteuid();
        let owner = match std::fs::metadata(cluster) {
            Ok(metadata) => Some(Uid::from_raw(metadata.uid())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => {
                return Err(ManagedError::Prepare { path: cluster.to_owned(), source });
            }
        };
        match owner {
            Some(owner) if owner != me && !me.is_root() => Err(ManagedError::ForeignCluster {
                path: cluster.to_owned(),
                owner: owner.as_raw(),
                user: me.as_raw(),
            }),
            owner => Account::going_on(owner),
        }
    }

    /// The user for a cluster that nobody has made yet.
    pub(super) fn for_new_cluster() -> Result<Account, ManagedError> {
        Account::going_on(None)
    }

    /// Root goes on as `owner`, if there is one; everybody else as himself.
    fn going_on(owner: Option<Uid>) -> Result<Account, ManagedError> {
        let me = geteuid();
        if !me.is_root() {
            return Ok(Account {
                uid: me.as_raw(),
                gid: getegid().as_raw(),
                name: look_up(User::from_uid(me))?.map_or_else(|| me.to_string(), |user| user.name),
                switched: false,
            });
        }
        let user = match owner.filter(|owner| !owner.is_root()) {
            Some(owner) => Some(look_up(User::from_uid(owner))?.map_or_else(
                || (owner, Gid::from_raw(owner.as_raw()), owner.to_string()),
                |user| (user.uid, user.gid, user.name),
            )),
            None => unprivileged()?.map(|user| (user.uid, user.gid, user.name)),
        };
        let (uid, gid, name) = user.ok_or(ManagedError::NoUnprivilegedUser)?;
        Ok(Account { uid: uid.as_raw(), gid: gid.as_raw(), name, switched: true })
    }

    /// A command that runs as this user, in a folder everybody may enter, away from the terminal's
    /// Ctrl-C, and with nothing of the caller's PostgreSQL environment, which would redirect it.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null()).process_group(0);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        // Messages are quoted to the user and version lines are parsed: one language for both.
        command.env("LC_ALL", "C");
        if self.switched {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Makes sure that commands can run as this user at all: root in a container may lack that right.
    pub(super) fn check(&self) -> Result<(), ManagedError> {
        match command::run(self.command("/bin/sh").args(["-c", ":"]), CHECK) {
            Err(ManagedError::Run { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
                Err(ManagedError::SwitchUser { user: self.name.clone(), source })
            }
            // Whatever else is wrong with the shell does not concern the server.
            _ => Ok(()),
        }
    }

    /// Gives a file or folder we made to this user.
    pub(super) fn own(&self, path: &Path) -> Result<(), ManagedError> {
        if !self.switched {
            return Ok(());
        }
        chown(path, Some(self.uid), Some(self.gid))
            .map_err(|source| ManagedError::Prepare { path: path.to_owned(), source })
    }
}

fn unprivileged() -> Result<Option<User>, ManagedError> {
    for name in ["postgres", "nobody"] {
        let found = look_up(User::from_name(name))?.filter(|user| !user.uid.is_root());
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn look_up(answer: nix::Result<Option<User>>) -> Result<Option<User>, ManagedError> {
    answer.map_err(|errno| ManagedError::LookUpUser(io::Error::from(errno)))
}
