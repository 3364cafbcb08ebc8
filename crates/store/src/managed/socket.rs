use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::error::ManagedError;
use super::layout::{Layout, create_folder, first_closed, prepare};

/// The port number, which on a socket is only a part of the file's name.
pub(super) const PORT: u16 = 5432;

/// The socket's file in its folder.
pub(super) const FILE: &str = ".s.PGSQL.5432";

/// The longest path of a socket: `sun_path` has 108 bytes on Linux and 104 on macOS, one of them the final
/// zero.
const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// How many names are tried for a short folder where others have taken ours.
const NAMES: u32 = 8;

/// Chooses and creates the folder of the socket, which only the server's user and root can enter: being
/// able to enter it is the right to connect.
///
/// That is a folder of the data directory, or one in the temporary directory where the path would be too
/// long for a socket.
pub(super) fn prepare_folder(layout: &Layout, account: &Account) -> Result<PathBuf, ManagedError> {
    let folder = if fits(&layout.socket) {
        create_folder(&layout.socket, 0o700)?;
        account.own(&layout.socket)?;
        layout.socket.clone()
    } else {
        short_folder(layout, account)?
    };
    clear(&folder)?;
    fs::write(&layout.socket_record, folder.as_os_str().as_bytes())
        .map_err(prepare(&layout.socket_record))?;
    Ok(folder)
}

/// Removes the short folder when the server has ended. The one in the data directory stays.
pub(super) fn remove_short_folder(layout: &Layout, folder: &Path) {
    if folder != layout.socket {
        // A leftover of a killed server may still be in it: then it stays for the next start.
        let _ = fs::remove_dir(folder);
    }
}

/// Whether a socket in this folder can be bound, and named in a connection URL, where libpq reads a comma as
/// the end of the first host.
fn fits(folder: &Path) -> bool {
    let text = folder.to_str().unwrap_or("");
    let plain = !text.is_empty() && !text.chars().any(|c| c.is_control() || ",\"'\\".contains(c));
    plain && text.len() + 1 + FILE.len() <= LONGEST
}

fn short_folder(layout: &Layout, account: &Account) -> Result<PathBuf, ManagedError> {
    let recorded = fs::read_to_string(&layout.socket_record).ok().map(PathBuf::from);
    let mut hasher = DefaultHasher::new();
    layout.data_dir.hash(&mut hasher);
    let hash = hasher.finish();
    let named = [std::env::temp_dir(), PathBuf::from("/tmp")].into_iter().flat_map(|parent| {
        (0..NAMES).map(move |number| parent.join(format!("orderflow-{hash:016x}-{number}")))
    });
    let mut reason = String::from("none was tried");
    for folder in recorded.into_iter().chain(named).filter(|folder| fits(folder)) {
        match claim(&folder, account)? {
            None => return Ok(folder),
            Some(refused) => reason = format!("{} {refused}", folder.display()),
        }
    }
    Err(ManagedError::SocketFolder { reason })
}

/// Creates a folder in a directory that everybody may write to, or says why not. A folder that is there
/// already counts only if it is the server's user's own, closed to others, and no link: anybody could have put
/// it there.
fn claim(folder: &Path, account: &Account) -> Result<Option<String>, ManagedError> {
    let Some(parent) = folder.parent().filter(|parent| parent.is_dir()) else {
        return Ok(Some("has no parent folder".to_owned()));
    };
    if account.switched && first_closed(parent, account)?.is_some() {
        return Ok(Some(format!("cannot be entered by the user {}", account.name)));
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => account.own(folder).map(|()| None),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let metadata = fs::symlink_metadata(folder).map_err(prepare(folder))?;
            let ours = metadata.is_dir() && metadata.uid() == account.uid && metadata.mode() & 0o777 == 0o700;
            Ok((!ours).then(|| "is somebody else's, or open to others".to_owned()))
        }
        Err(error) => Ok(Some(format!("cannot be created: {error}"))),
    }
}

/// Removes what a killed server left. It is known by now that no server listens, and PostgreSQL would take
/// the number in the leftover lock file for a living server's if another process has it today.
fn clear(folder: &Path) -> Result<(), ManagedError> {
    for name in [FILE.to_owned(), format!("{FILE}.lock")] {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(ManagedError::Prepare { path, source }),
        }
    }
    Ok(())
}

/// The URL of a database behind the socket in `folder`, for libpq and sqlx alike.
///
/// The host in the query wins over the one in front, which is there because neither takes a URL without.
/// Port and TLS mode are spelled out so that `PGPORT` and `PGSSLMODE` in the environment change nothing.
pub(super) fn url(folder: &Path, user: &str, database: &str) -> String {
    format!(
        "postgresql://{}@localhost:{PORT}/{}?host={}&sslmode=disable",
        percent_encode(user.as_bytes()),
        percent_encode(database.as_bytes()),
        percent_encode(folder.as_os_str().as_bytes()),
    )
}

fn percent_encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgConnectOptions;

    use super::*;

    #[test]
    fn a_folder_fits_up_to_the_last_byte() {
        let longest = format!("/{}", "d".repeat(LONGEST - 2 - FILE.len()));
        assert!(fits(Path::new(&longest)));
        assert!(!fits(Path::new(&format!("{longest}d"))));
        assert!(fits(Path::new("/Users/me/Library/Application Support/orderflow")));
        assert!(!fits(Path::new("/a,b")));
    }

    #[test]
    fn the_url_survives_what_folders_and_databases_are_called() {
        let url = url(Path::new("/tmp/a b+c%&?#/\u{e9}"), "order@flow", "x/y z");
        let options: PgConnectOptions = url.parse().unwrap();
        assert_eq!(options.get_socket().unwrap(), Path::new("/tmp/a b+c%&?#/\u{e9}"));
        assert_eq!(options.get_username(), "order@flow");
        assert_eq!(options.get_database(), Some("x/y z"));
        assert_eq!(options.get_port(), PORT);
    }
}
