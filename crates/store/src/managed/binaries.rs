use std::cmp::Reverse;
use std::error::Error;
use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::account::Account;
use super::command;

/// The oldest major version whose SQL the schema uses.
const OLDEST: u32 = 15;

/// How long a program may take to print its version.
const PROBE: Duration = Duration::from_secs(10);

/// The programs that a folder must have to be of use.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// A folder with PostgreSQL's server programs, which were run and told their version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    pub(super) version: Version,
}

/// A released version of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
}

/// What a search found, and what it has to say when that is not enough.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) found: Vec<Binaries>,
    pub(super) searched: Vec<String>,
}

impl Binaries {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Search {
    /// Looks into every place, running what it finds there as the user who will run the server: what
    /// that user cannot run is not found.
    pub(super) fn look(places: &[Place], account: &Account) -> Search {
        let mut search = Search { found: Vec::new(), searched: Vec::new() };
        let mut seen = Vec::new();
        for place in places {
            search.searched.push(place.to_string());
            for folder in place.folders() {
                // A link in /usr/local/bin leads to the folder that has the other programs beside it.
                let Ok(server) = folder.join("postgres").canonicalize() else {
                    continue;
                };
                let Some(folder) = server.parent().map(Path::to_owned) else {
                    continue;
                };
                if seen.contains(&folder) {
                    continue;
                }
                match probe(&folder, account) {
                    Ok(version) => search.found.push(Binaries { folder: folder.clone(), version }),
                    Err(reason) => search.searched.push(format!("{} ({reason})", folder.display())),
                }
                seen.push(folder);
            }
        }
        search
    }

    /// The newest of the found that can run the cluster of the major version `cluster`, or a new one.
    ///
    /// Of two folders with the same version the one searched first wins.
    pub(super) fn pick(&self, cluster: Option<u32>) -> Option<&Binaries> {
        self.found
            .iter()
            .filter(|binaries| {
                cluster.map_or(binaries.version.major >= OLDEST, |major| binaries.version.major == major)
            })
            .min_by_key(|binaries| Reverse(binaries.version))
    }

    /// The places searched, with the versions that were found and do not do.
    pub(super) fn report(&self) -> Vec<String> {
        let found = self.found.iter().map(|binaries| {
            let Version { major, minor } = binaries.version;
            format!("{} (version {major}.{minor})", binaries.folder.display())
        });
        self.searched.iter().cloned().chain(found).collect()
    }
}

/// One place to search: a folder, or the folders `parent/prefix*/suffix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Folder(PathBuf),
    Each { parent: PathBuf, prefix: &'static str, suffix: &'static str },
}

impl Place {
    /// Every place on this machine where packages put the server's programs, and our own downloads.
    pub(super) fn on_this_machine(data_dir: &Path, path: Option<&OsStr>) -> Vec<Place> {
        let mut places = Place::installed(path);
        places.push(Place::downloaded(data_dir));
        places
    }

    /// Every place on this machine where packages put the server's programs.
    pub(super) fn installed(path: Option<&OsStr>) -> Vec<Place> {
        let each = |parent: &str, prefix, suffix| Place::Each { parent: parent.into(), prefix, suffix };
        let mut places: Vec<Place> = Vec::new();
        for folder in path.iter().flat_map(std::env::split_paths).filter(|folder| folder.is_absolute()) {
            let place = Place::Folder(folder);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places.extend([
            each("/usr/lib/postgresql", "", "bin"),
            each("/usr", "pgsql-", "bin"),
            each("/opt/homebrew/opt", "postgresql@", "bin"),
            each("/usr/local/opt", "postgresql@", "bin"),
            Place::Folder("/opt/homebrew/bin".into()),
            Place::Folder("/usr/local/pgsql/bin".into()),
            each("/Applications/Postgres.app/Contents/Versions", "", "bin"),
        ]);
        places
    }

    /// Where [`download`](super::download) puts what it fetched.
    pub(super) fn downloaded(data_dir: &Path) -> Place {
        Place::Each { parent: data_dir.to_owned(), prefix: "postgresql-", suffix: "bin" }
    }

    fn folders(&self) -> Vec<PathBuf> {
        match self {
            Place::Folder(folder) => vec![folder.clone()],
            Place::Each { parent, prefix, suffix } => {
                let entries = fs::read_dir(parent).into_iter().flatten().flatten();
                let mut folders: Vec<PathBuf> = entries
                    .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()))
                    .map(|entry| entry.path().join(suffix))
                    .collect();
                folders.sort();
                folders
            }
        }
    }
}

impl Display for Place {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Place::Folder(folder) => write!(formatter, "{}", folder.display()),
            Place::Each { parent, prefix, suffix } => {
                write!(formatter, "{}/{prefix}*/{suffix}", parent.display())
            }
        }
    }
}

fn probe(folder: &Path, account: &Account) -> Result<Version, String> {
    if let Some(absent) = PROGRAMS.iter().find(|program| !folder.join(program).exists()) {
        return Err(format!("has no {absent}"));
    }
    let output =
        command::run(account.command(folder.join("postgres")).arg("--version"), PROBE).map_err(|error| {
            match error.source() {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            }
        })?;
    parse_version(&output).ok_or_else(|| format!("not a release: {output}"))
}

/// Reads `postgres (PostgreSQL) 17.5 (Debian 17.5-1)`. A pre-release (`18beta1`, `19devel`) is none: its
/// files cannot be opened by the release that follows.
fn parse_version(output: &str) -> Option<Version> {
    let number = output.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()?;
    let (major, minor) = number.split_once('.')?;
    Some(Version { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn install(folder: &Path, version: &str) {
        fs::create_dir_all(folder).unwrap();
        for program in PROGRAMS {
            let path = folder.join(program);
            fs::write(&path, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn look(parent: &Path, places: &[Place]) -> Search {
        // The server's user has to reach the programs.
        fs::set_permissions(parent, Permissions::from_mode(0o711)).unwrap();
        Search::look(places, &Account::choose(&parent.join("cluster")).unwrap())
    }

    #[test]
    fn versions_are_read_and_pre_releases_are_none() {
        let version = |major, minor| Some(Version { major, minor });
        assert_eq!(parse_version("postgres (PostgreSQL) 17.5"), version(17, 5));
        assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), version(15, 18));
        assert_eq!(parse_version("postgres (PostgreSQL) 9.6.24"), None);
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), None);
        assert_eq!(parse_version("postgres (PostgreSQL) 19devel"), None);
        assert_eq!(parse_version("pg_ctl (PostgreSQL) 17.5"), None);
        assert_eq!(parse_version(""), None);
    }

    #[test]
    fn the_newest_wins_unless_a_cluster_needs_its_own() {
        let parent = tempfile::tempdir().unwrap();
        let each = Place::Each { parent: parent.path().to_owned(), prefix: "pg-", suffix: "bin" };
        for version in ["14.9", "15.2", "16.10", "16.9", "18beta1"] {
            install(&parent.path().join(format!("pg-{version}/bin")), version);
        }
        let search = look(parent.path(), &[each]);
        let picked = |cluster| search.pick(cluster).map(|binaries| binaries.folder.clone());
        let folder = |name: &str| Some(parent.path().canonicalize().unwrap().join(name).join("bin"));
        assert_eq!(picked(None), folder("pg-16.10"));
        assert_eq!(picked(Some(15)), folder("pg-15.2"));
        assert_eq!(picked(Some(14)), folder("pg-14.9"));
        assert_eq!(picked(Some(17)), None);
        let report = search.report().join("\n");
        assert!(report.contains("pg-*/bin") && report.contains("18beta1"), "{report}");
    }

    #[test]
    fn nothing_older_than_the_schema_needs_is_taken_for_a_new_cluster() {
        let parent = tempfile::tempdir().unwrap();
        install(&parent.path().join("bin"), "14.9");
        let search = look(parent.path(), &[Place::Folder(parent.path().join("bin"))]);
        assert_eq!(search.pick(None), None);
        assert!(search.report().iter().any(|line| line.ends_with("(version 14.9)")), "{search:?}");
    }

    #[test]
    fn a_link_leads_to_the_folder_with_the_other_programs() {
        let parent = tempfile::tempdir().unwrap();
        let (real, links) = (parent.path().join("real"), parent.path().join("links"));
        install(&real, "17.5");
        fs::create_dir(&links).unwrap();
        std::os::unix::fs::symlink(real.join("postgres"), links.join("postgres")).unwrap();
        let search = look(parent.path(), &[Place::Folder(links), Place::Folder(real.clone())]);
        let [found] = &*search.found else { panic!("{search:?}") };
        assert_eq!(found.folder, real.canonicalize().unwrap());
    }

    #[test]
    fn a_folder_that_is_incomplete_or_cannot_be_run_is_reported() {
        let parent = tempfile::tempdir().unwrap();
        let (partial, broken) = (parent.path().join("partial"), parent.path().join("broken"));
        install(&partial, "17.5");
        fs::remove_file(partial.join("initdb")).unwrap();
        install(&broken, "17.5");
        fs::write(broken.join("postgres"), "#!/bin/sh\necho no library >&2; exit 127\n").unwrap();
        let search = look(parent.path(), &[Place::Folder(partial), Place::Folder(broken)]);
        assert!(search.found.is_empty(), "{search:?}");
        let report = search.report().join("\n");
        assert!(report.contains("has no initdb") && report.contains("no library"), "{report}");
    }
}
