//! The last-known-good file: what a node starts and answers from when the database cannot be had (STATE rule 15).
//!
//! ```text
//! wayshift-snapshot 1
//! length 1834
//! sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! {"v":1,"at":"2026-11-23T07:30:00.000Z", ... }
//! ```
//!
//! Written beside, fsynced, renamed into place, the folder fsynced: at every moment there is a whole file, or the one
//! before it under `.prev`. Text, so that a person can read it at 03:00.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::model::Memory;

use super::{
    database::{folder, sync_folder},
    records::MemoryRecord,
    sum,
};

/// The file in the store's folder; beside it `.prev` and, while writing, `.tmp`.
pub const SNAPSHOT_FILE: &str = "last-good.snapshot";
/// The first line: magic and the file's format. The content's own version is in its JSON.
const MAGIC: &str = "wayshift-snapshot 1";
/// Largest file that is read: 10,000 overrides with the longest reasons and 100,000 verdicts fit. A larger one is not
/// ours, and is damaged.
pub const SNAPSHOT_SIZE_MAX: u64 = 64 << 20;

/// Which of the two files it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The newest.
    Current,
    /// The one before: the newest is damaged or gone.
    Previous,
}

/// What was found at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// A whole snapshot.
    Found {
        /// Its content.
        memory: Box<Memory>,
        /// From which file; [`Which::Previous`] is worth telling.
        from: Which,
    },
    /// There never was one.
    None,
    /// There are files, none of them whole; why, in words.
    Damaged(String),
}

/// Why a snapshot was not written; the one before is still there.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk refuses: full, read-only, gone.
    #[error("the snapshot file {path} was not written")]
    Disk {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// An older state cannot overwrite a newer one.
    #[error("the snapshot file holds generation {held} of the store; {offered} is older")]
    Older {
        /// What it holds.
        held: u64,
        /// What was offered.
        offered: u64,
    },
}

/// The snapshot file of one node. One owner writes it.
#[derive(Debug)]
pub struct SnapshotFile {
    path: PathBuf,
    /// Epoch and generation of the store in the current file; `None` while the current file is not known to be whole.
    held: Option<(String, u64)>,
}

impl SnapshotFile {
    /// The file in this folder; nothing is touched yet.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join(SNAPSHOT_FILE), held: None }
    }

    /// Reads it, or else the one before it.
    pub fn load(&mut self) -> Loaded {
        let current = read(&self.path);
        if let Ok(Some(memory)) = current {
            self.held = Some((memory.epoch.clone(), memory.store_generation));
            return Loaded::Found { memory: Box::new(memory), from: Which::Current };
        }
        match (current, read(&self.beside("prev"))) {
            (_, Ok(Some(memory))) => Loaded::Found { memory: Box::new(memory), from: Which::Previous },
            (Ok(_), Ok(None)) => Loaded::None,
            (Err(why), Ok(None)) => Loaded::Damaged(why),
            (Ok(_), Err(why)) => Loaded::Damaged(format!("the previous one: {why}")),
            (Err(why), Err(before)) => Loaded::Damaged(format!("{why}; the previous one: {before}")),
        }
    }

    /// Replaces it; on disk when it returns. The one before is kept, if it was whole.
    ///
    /// # Errors
    /// See [`SnapshotError`]; the file there was is still in place.
    pub fn save(&mut self, memory: &Memory) -> Result<(), SnapshotError> {
        if let Some((epoch, held)) = &self.held
            && *epoch == memory.epoch
            && memory.store_generation < *held
        {
            return Err(SnapshotError::Older { held: *held, offered: memory.store_generation });
        }
        self.replace(memory).map_err(|source| SnapshotError::Disk { path: self.path.display().to_string(), source })?;
        self.held = Some((memory.epoch.clone(), memory.store_generation));
        Ok(())
    }

    fn replace(&self, memory: &Memory) -> io::Result<()> {
        let parent = self.path.parent().unwrap_or_else(|| Path::new("."));
        folder(parent).map_err(io::Error::other)?;
        let fresh = self.beside("tmp");
        let written = write(&fresh, &text(memory));
        if written.is_err() {
            // Half a file is of no use, and a full disk needs the room.
            let _ = fs::remove_file(&fresh);
        }
        written?;
        if self.held.is_some() {
            // A current file that is not known to be whole must not push out a previous one that may be.
            self.keep_previous()?;
        }
        fs::rename(&fresh, &self.path)?;
        sync_folder(parent)
    }

    /// Gives the current file a second name instead of another one, so that there is a current file at every moment a
    /// process may be killed.
    fn keep_previous(&self) -> io::Result<()> {
        let (second, previous) = (self.beside("link"), self.beside("prev"));
        fs::remove_file(&second).or_else(absent)?;
        match fs::hard_link(&self.path, &second) {
            Ok(()) => fs::rename(second, previous),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // A file system without links: for a moment the previous one alone has a name.
            Err(_) => fs::rename(&self.path, previous).or_else(absent),
        }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".");
        name.push(ending);
        name.into()
    }
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn text(memory: &Memory) -> String {
    let body = MemoryRecord::text(memory);
    format!("{MAGIC}\nlength {}\nsha256 {}\n{body}\n", body.len(), sum(&body))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// `None` if there is no file; else its content or what is wrong with it.
fn read(path: &Path) -> Result<Option<Memory>, String> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(SNAPSHOT_SIZE_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if SNAPSHOT_SIZE_MAX < bytes.len() as u64 {
        return Err(format!("it has more than {SNAPSHOT_SIZE_MAX} octets"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    parse(&text).map(Some)
}

fn parse(text: &str) -> Result<Memory, String> {
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (magic, length, checksum, body) = (line(), line(), line(), line());
    if magic != MAGIC {
        return Err(if magic.starts_with("wayshift-snapshot ") {
            "another version of this program wrote it".into()
        } else {
            "it is no snapshot file".into()
        });
    }
    let body = body.strip_suffix('\n').ok_or("it is cut off")?;
    if length != format!("length {}", body.len()) {
        return Err("its length is not as written".into());
    }
    if checksum != format!("sha256 {}", sum(body)) {
        return Err("its checksum does not match".into());
    }
    MemoryRecord::parse(body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::records::samples::{a_memory, plain_override};
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn memory(store_generation: u64) -> Memory {
        Memory {
            epoch: "e".into(),
            store_generation,
            overrides: vec![plain_override(store_generation)],
            ..Memory::default()
        }
    }

    fn found(loaded: Loaded) -> (u64, Which) {
        match loaded {
            Loaded::Found { memory, from } => (memory.store_generation, from),
            Loaded::None => panic!("there is none"),
            Loaded::Damaged(why) => panic!("damaged: {why}"),
        }
    }

    #[test]
    fn the_newest_is_read_and_the_one_before_when_that_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = SnapshotFile::new(folder.path());
        assert_eq!(file.load(), Loaded::None);
        file.save(&memory(1)).unwrap();
        file.save(&memory(2)).unwrap();
        assert_eq!(found(SnapshotFile::new(folder.path()).load()), (2, Which::Current));
        let mode = fs::metadata(&file.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        fs::write(&file.path, "wayshift-snapshot 1\nlength 3").unwrap();
        let mut again = SnapshotFile::new(folder.path());
        assert_eq!(found(again.load()), (1, Which::Previous));
        again.save(&memory(3)).unwrap();
        assert_eq!(found(SnapshotFile::new(folder.path()).load()), (3, Which::Current));
        fs::remove_file(&again.path).unwrap();
        assert_eq!(found(again.load()), (1, Which::Previous), "the damaged file did not become the previous one");
    }

    #[test]
    fn an_older_state_does_not_overwrite_a_newer_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = SnapshotFile::new(folder.path());
        file.save(&memory(5)).unwrap();
        let mut again = SnapshotFile::new(folder.path());
        again.load();
        assert!(matches!(again.save(&memory(4)), Err(SnapshotError::Older { held: 5, offered: 4 })));
        let anew = Memory { epoch: "f".into(), ..memory(0) };
        again.save(&anew).unwrap();
    }

    #[test]
    fn a_disk_that_refuses_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = SnapshotFile::new(folder.path());
        file.save(&memory(1)).unwrap();
        // A folder in the place of the new file: it cannot be opened for writing, whoever runs the test.
        fs::create_dir(file.beside("tmp")).unwrap();
        assert!(matches!(file.save(&memory(2)), Err(SnapshotError::Disk { .. })));
        assert_eq!(found(SnapshotFile::new(folder.path()).load()), (1, Which::Current));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_changed_or_cut_file_is_never_taken_for_whole(
            memory in a_memory(), at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>()
        ) {
            let whole = text(&memory);
            prop_assert_eq!(parse(&whole), Ok(memory));
            let mut bytes = whole.into_bytes();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(parse(&text).is_err(), "{}", text);
            }
        }
    }
}
