//! What configuration a node must not start from by itself: one that is being tried, or was rolled back. The file on disk
//! is the new one already, and a restart alone must not put it in force.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::model::Digest;

use super::{
    database::sync_folder,
    records::{RECORD_VERSION, read, rollout::digest, write},
};

/// The file in the store's folder.
const FILE: &str = "rollout.json";

/// The mark of a staged reload on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Which attempt.
    pub id: String,
    /// The fleet that is held back.
    pub fleet: Digest,
    /// This node has it in force, for now.
    pub applied: bool,
}

#[derive(Serialize, Deserialize)]
struct Record {
    v: u32,
    id: String,
    fleet: String,
    applied: bool,
}

/// The mark of one node, on disk before anything follows from it.
#[derive(Debug)]
pub struct HeldBack {
    path: PathBuf,
    mark: Mutex<Option<Mark>>,
}

impl HeldBack {
    /// Of a store's folder. What cannot be read is no mark.
    #[must_use]
    pub fn open(store: &Path) -> Self {
        let path = store.join(FILE);
        let mark = fs::read_to_string(&path).ok().and_then(|text| {
            let Record { v: _, id, fleet, applied } = read(&text).ok()?;
            Some(Mark { id, fleet: digest(&fleet).ok()?, applied })
        });
        Self { path, mark: Mutex::new(mark) }
    }

    /// The mark there is.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another mark, or none. On disk when it returns.
    ///
    /// # Errors
    /// Of the disk; what held before holds.
    pub fn set(&self, mark: Option<Mark>) -> io::Result<()> {
        let mut known = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == mark {
            return Ok(());
        }
        match &mark {
            Some(mark) => {
                let fleet = data_encoding::HEXLOWER.encode(&mark.fleet.0);
                let record = Record { v: RECORD_VERSION, id: mark.id.clone(), fleet, applied: mark.applied };
                let next = self.path.with_extension("json.next");
                let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
                file.write_all(write(&record).as_bytes())?;
                file.sync_all()?;
                fs::rename(next, &self.path)?;
            }
            None => match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            },
        }
        if let Some(folder) = self.path.parent() {
            sync_folder(folder)?;
        }
        *known = mark;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_there_after_a_restart_until_it_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let held = HeldBack::open(folder.path());
        assert_eq!(held.mark(), None);
        held.set(None).unwrap();
        let mark = Mark { id: "01K".into(), fleet: Digest([7; 32]), applied: true };
        held.set(Some(mark.clone())).unwrap();
        assert_eq!(HeldBack::open(folder.path()).mark(), Some(mark));
        held.set(None).unwrap();
        assert_eq!(HeldBack::open(folder.path()).mark(), None);
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(HeldBack::open(folder.path()).mark(), None, "what cannot be read holds nothing back");
    }
}
