use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::error::ManagedError;

/// How often a taken lock is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// Takes the lock on `path` alone, waiting for others up to `deadline`.
///
/// The operating system drops the lock with the file, however the program ends.
pub(super) fn exclusive(path: &Path, deadline: Duration) -> Result<File, ManagedError> {
    acquire(path, deadline, File::try_lock)
}

/// Takes the lock on `path` together with others, waiting for a lone holder up to `deadline`.
pub(super) fn shared(path: &Path, deadline: Duration) -> Result<File, ManagedError> {
    acquire(path, deadline, File::try_lock_shared)
}

/// Gives a shared lock back and says whether nobody else holds one.
pub(super) fn was_last(path: &Path, users: &File) -> Result<bool, ManagedError> {
    let failed = |source| ManagedError::Lock { path: path.to_owned(), source };
    // Unlocking rather than closing: a child that another thread is starting right now may hold a
    // copy of the descriptor for a moment, and the lock belongs to all copies.
    users.unlock().map_err(failed)?;
    match users.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn acquire(
    path: &Path,
    deadline: Duration,
    attempt: fn(&File) -> Result<(), TryLockError>,
) -> Result<File, ManagedError> {
    let failed = |source| ManagedError::Lock { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    let begin = Instant::now();
    loop {
        match attempt(&file) {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
            Err(TryLockError::WouldBlock) if begin.elapsed() > deadline => {
                return Err(ManagedError::Locked { path: path.to_owned(), deadline });
            }
            Err(TryLockError::WouldBlock) => thread::sleep(RETRY),
        }
    }
}
