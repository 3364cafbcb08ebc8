//! What is installed on this machine, for whoever asks before there is a data directory.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::binaries::{Binaries, Place, Search};
use super::download;
use super::error::ManagedError;

/// PostgreSQL's client `psql`: the newest that stands beside a server's programs, which is the one that knows
/// that server, else the first on the `PATH`. `None` where there is none.
///
/// It runs every server it finds for its version, and blocks the thread meanwhile. What a private server has
/// downloaded into its data directory is not looked at.
#[must_use]
pub fn psql() -> Option<PathBuf> {
    let path = std::env::var_os("PATH");
    let servers = search(path.as_deref()).map(|search| search.found).unwrap_or_default();
    choose_psql(servers, path.as_deref())
}

/// The major version that a new cluster gets on this machine: the newest installed, else the one downloaded.
///
/// Blocks the thread as [`psql`] does.
pub(super) fn major_of_new_cluster() -> Result<u32, ManagedError> {
    let search = search(std::env::var_os("PATH").as_deref())?;
    Ok(search.pick(None).map_or(download::MAJOR, |binaries| binaries.version.major))
}

fn search(path: Option<&OsStr>) -> Result<Search, ManagedError> {
    Ok(Search::look(&Place::installed(path), &Account::for_new_cluster()?))
}

fn choose_psql(mut servers: Vec<Binaries>, path: Option<&OsStr>) -> Option<PathBuf> {
    servers.sort_by_key(|binaries| Reverse(binaries.version));
    let beside = servers.into_iter().map(|binaries| binaries.folder);
    let on_path = path.into_iter().flat_map(std::env::split_paths).filter(|folder| folder.is_absolute());
    beside.chain(on_path).map(|folder| folder.join("psql")).find(|program| is_file(program))
}

fn is_file(program: &Path) -> bool {
    program.metadata().is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::binaries::Version;
    use super::*;

    #[test]
    fn the_newest_client_beside_a_server_comes_before_the_path() {
        let parent = tempfile::tempdir().unwrap();
        let folder = |name: &str| parent.path().join(name);
        let server = |major: u32| Binaries {
            folder: folder(&major.to_string()),
            version: Version { major, minor: 1 },
        };
        let servers = || [15, 17, 16].map(server).to_vec();
        for name in ["15", "16", "17", "empty", "path", "later"] {
            fs::create_dir(folder(name)).unwrap();
        }
        let path =
            std::env::join_paths(["relative".into(), folder("empty"), folder("path"), folder("later")]);
        let chosen = |servers| choose_psql(servers, Some(path.as_ref().unwrap()));
        assert_eq!(chosen(servers()), None);

        let install = |name: &str| fs::write(folder(name).join("psql"), "").unwrap();
        install("later");
        install("path");
        // A folder of that name is no program.
        fs::create_dir(folder("empty").join("psql")).unwrap();
        assert_eq!(chosen(servers()), Some(folder("path").join("psql")));
        install("15");
        install("16");
        assert_eq!(chosen(servers()), Some(folder("16").join("psql")), "the newest server has no client");
        assert_eq!(chosen(Vec::new()), Some(folder("path").join("psql")));
        assert_eq!(choose_psql(Vec::new(), None), None);
    }
}
