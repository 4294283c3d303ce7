//! One process, one store: two writers of one folder would each believe in their own memory of it.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use nix::fcntl::{Flock, FlockArg};

use super::{StoreError, database::refused};

/// The file that is locked while a store is open. It holds the process's id, for people.
pub(super) const LOCK_FILE: &str = "wayshift.lock";

/// Held until dropped; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct StoreLock {
    _file: Flock<File>,
}

impl StoreLock {
    /// Takes the folder's lock or says who has it.
    pub(super) fn take(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(LOCK_FILE);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| refused(&path, &error))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut held) => {
                // The id is only for people: a full disk must not keep the store from opening.
                let _ = held.set_len(0).and_then(|()| held.rewind());
                let _ = writeln!(held, "{}", std::process::id());
                Ok(Self { _file: held })
            }
            Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                Err(StoreError::InUse { path: folder.display().to_string(), pid: text.trim().parse().ok() })
            }
            Err((_, errno)) => Err(refused(&path, &errno)),
        }
    }
}
