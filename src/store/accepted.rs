//! The last configurations that were accepted, so that a node with a missing or bad file starts from one that worked.
//!
//! Each is a folder under `accepted/` whose name is the time, with the files as they were and a `manifest.json` that
//! says where they came from: at 03:00 a person copies one back with `cp`. Texts are kept as written. Secrets are by
//! reference in the language, so they are not in here; a literal one is the operator's choice and is in here too, which is why
//! everything is readable by its owner alone.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::model::Wall;

use super::{
    database::{folder, sync_folder},
    records::{RECORD_VERSION, RecordError, read, write},
    sum,
};

/// The folder in the store's folder.
pub const ACCEPTED_FOLDER: &str = "accepted";
/// How many are kept; the oldest goes.
pub const ACCEPTED_MAX: usize = 10;
const MANIFEST_FILE: &str = "manifest.json";
/// Octets of a file that are compared at a time.
const PIECE: usize = 64 << 10;

/// Why accepted configurations could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum AcceptedError {
    /// The disk refuses.
    #[error("the accepted configurations in {path} cannot be reached")]
    Disk {
        /// Where.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is not as it was written.
    #[error("the accepted configuration {name} is damaged: {why}")]
    Damaged {
        /// Which.
        name: String,
        /// In words.
        why: String,
    },
}

/// An accepted configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its folder's name; sorts by time.
    pub name: String,
    /// When it was accepted.
    pub at: Wall,
    /// The files with the paths they were read from, the main one first.
    pub files: Vec<(PathBuf, String)>,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    v: u32,
    at: Wall,
    files: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// Its name in this folder.
    name: String,
    /// Where it was read from.
    path: PathBuf,
    sha256: String,
}

/// The accepted configurations of one store.
#[derive(Debug, Clone)]
pub struct AcceptedFolder {
    path: PathBuf,
}

impl AcceptedFolder {
    /// Those under a store's folder; nothing is touched yet.
    #[must_use]
    pub fn new(store: &Path) -> Self {
        Self { path: store.join(ACCEPTED_FOLDER) }
    }

    /// Keeps a configuration, unless the newest is the same; `false` then. It is there whole or not at all. Each text is let
    /// go of once it is written, before the disk is waited for: texts are as large as all that is made of them.
    ///
    /// # Errors
    /// [`AcceptedError::Disk`]; those kept before are still there.
    pub fn save(&self, files: Vec<(PathBuf, String)>, at: Wall) -> Result<bool, AcceptedError> {
        folder(&self.path).map_err(|error| self.disk(io::Error::other(error)))?;
        let names = self.list()?;
        if let Some(newest) = names.first()
            && self.holds(newest, &files).unwrap_or(false)
        {
            return Ok(false);
        }
        self.add(files, at, names.first()).map_err(|source| self.disk(source))?;
        for old in self.list()?.iter().skip(ACCEPTED_MAX) {
            fs::remove_dir_all(self.path.join(old)).map_err(|source| self.disk(source))?;
        }
        Ok(true)
    }

    /// The newest that is whole, and what is wrong with those that are newer.
    ///
    /// # Errors
    /// [`AcceptedError::Disk`] if the folder cannot be read.
    pub fn newest(&self) -> Result<(Option<Accepted>, Vec<AcceptedError>), AcceptedError> {
        let mut problems = Vec::new();
        for name in self.list()? {
            match self.load(&name) {
                Ok(accepted) => return Ok((Some(accepted), problems)),
                Err(problem) => problems.push(problem),
            }
        }
        Ok((None, problems))
    }

    /// The names of all, newest first. Empty if nothing was ever accepted.
    ///
    /// # Errors
    /// [`AcceptedError::Disk`].
    pub fn list(&self) -> Result<Vec<String>, AcceptedError> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.disk(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|source| self.disk(source))?.file_name().to_string_lossy().into_owned();
            // Unfinished ones begin with a dot; strangers' files are left alone.
            if time_of(&name).is_some() {
                names.push(name);
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    /// One by its name.
    ///
    /// # Errors
    /// See [`AcceptedError`].
    pub fn load(&self, name: &str) -> Result<Accepted, AcceptedError> {
        let damaged = |why: String| AcceptedError::Damaged { name: name.into(), why };
        if time_of(name).is_none() {
            return Err(damaged("no accepted configuration has such a name".into()));
        }
        let folder = self.path.join(name);
        let text = |file: &str| fs::read_to_string(folder.join(file)).map_err(|error| format!("{file}: {error}"));
        let manifest = text(MANIFEST_FILE)
            .and_then(|text| read::<Manifest>(&text).map_err(|error: RecordError| error.to_string()))
            .map_err(damaged)?;
        let file = |entry: Entry| {
            // The name comes from a file: it must not lead out of the folder.
            if entry.name.contains('/') {
                return Err(format!("{} leads elsewhere", entry.name));
            }
            let text = text(&entry.name)?;
            let whole = sum(&text) == entry.sha256;
            if whole { Ok((entry.path, text)) } else { Err(format!("{} was changed", entry.name)) }
        };
        let files = manifest.files.into_iter().map(file).collect::<Result<_, _>>().map_err(damaged)?;
        Ok(Accepted { name: name.into(), at: manifest.at, files })
    }

    /// Whether one holds these files and is whole. They are compared piece by piece: zone files are large.
    fn holds(&self, name: &str, files: &[(PathBuf, String)]) -> io::Result<bool> {
        let folder = self.path.join(name);
        let manifest: Manifest = read(&fs::read_to_string(folder.join(MANIFEST_FILE))?).map_err(io::Error::other)?;
        if manifest.files.len() != files.len() {
            return Ok(false);
        }
        for (entry, (path, text)) in manifest.files.iter().zip(files) {
            let is_same = entry.path == *path && !entry.name.contains('/') && entry.sha256 == sum(text);
            if !(is_same && has(fs::File::open(folder.join(&entry.name))?, text.as_bytes())?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Written under another name, fsynced, then renamed.
    fn add(&self, files: Vec<(PathBuf, String)>, at: Wall, newest: Option<&String>) -> io::Result<()> {
        // A clock that was set back must not put the newest behind the one before.
        let after = newest.and_then(|name| time_of(name)).map_or(0, |last| last + 1);
        let name = name_of(Wall(at.0.max(after)));
        let fresh = self.path.join(format!(".{name}"));
        let _ = fs::remove_dir_all(&fresh);
        DirBuilder::new().mode(0o700).create(&fresh)?;
        let made = fill(&fresh, files, at).and_then(|()| fs::rename(&fresh, self.path.join(name)));
        if made.is_err() {
            let _ = fs::remove_dir_all(&fresh);
        }
        made?;
        sync_folder(&self.path)
    }

    fn disk(&self, source: io::Error) -> AcceptedError {
        AcceptedError::Disk { path: self.path.display().to_string(), source }
    }
}

fn fill(folder: &Path, files: Vec<(PathBuf, String)>, at: Wall) -> io::Result<()> {
    let mut entries = Vec::with_capacity(files.len());
    for (number, (path, text)) in files.into_iter().enumerate() {
        let base = path.file_name().map_or_else(|| "file".into(), |name| name.to_string_lossy());
        let name = format!("{number:02}-{base}");
        let sha256 = sum(&text);
        put(&folder.join(&name), text)?;
        entries.push(Entry { name, path, sha256 });
    }
    put(&folder.join(MANIFEST_FILE), write(&Manifest { v: RECORD_VERSION, at, files: entries }))?;
    sync_folder(folder)
}

/// Whether a file has these octets and no others.
fn has(mut file: fs::File, mut octets: &[u8]) -> io::Result<bool> {
    let mut piece = vec![0; PIECE];
    loop {
        let count = file.read(&mut piece)?;
        match octets.strip_prefix(&piece[..count]) {
            Some(_) if count == 0 => return Ok(octets.is_empty()),
            Some(rest) => octets = rest,
            None => return Ok(false),
        }
    }
}

fn put(path: &Path, text: String) -> io::Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    drop(text);
    file.sync_all()
}

/// `2026-11-23T07-30-00.000Z`: sorts by time, and needs no quotes in a shell.
fn name_of(at: Wall) -> String {
    at.to_string().replace(':', "-")
}

/// The time in milliseconds of a folder's name; `None` for a name that is not one of ours.
fn time_of(name: &str) -> Option<u64> {
    let (day, time) = name.split_once('T')?;
    let at: Wall = format!("{day}T{}", time.replace('-', ":")).parse().ok()?;
    (name_of(at) == name).then_some(at.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Vec<(PathBuf, String)> {
        vec![
            ("/etc/wayshift/wayshift.toml".into(), text.into()),
            ("/etc/wayshift/conf.d/wayshift.toml".into(), "# the same name".into()),
        ]
    }

    #[test]
    fn the_last_ten_are_kept_and_read_back_as_they_were() {
        let store = tempfile::tempdir().unwrap();
        let kept = AcceptedFolder::new(store.path());
        assert_eq!(kept.newest().unwrap().0, None);
        for at in 1..=12 {
            assert!(kept.save(files(&format!("n = {at}")), Wall(at)).unwrap());
        }
        assert!(!kept.save(files("n = 12"), Wall(13)).unwrap(), "the same again is not kept twice");
        let names = kept.list().unwrap();
        assert_eq!(
            (names.len(), names[0].as_str(), names[9].as_str()),
            (10, "1970-01-01T00-00-00.012Z", "1970-01-01T00-00-00.003Z")
        );
        let (newest, problems) = kept.newest().unwrap();
        let newest = newest.unwrap();
        assert_eq!((newest.files, newest.at, problems.len()), (files("n = 12"), Wall(12), 0));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_hide_the_newest() {
        let store = tempfile::tempdir().unwrap();
        let kept = AcceptedFolder::new(store.path());
        kept.save(files("first"), Wall(1000)).unwrap();
        kept.save(files("second"), Wall(10)).unwrap();
        let newest = kept.newest().unwrap().0.unwrap();
        assert_eq!((newest.files, newest.at), (files("second"), Wall(10)));
    }

    #[test]
    fn a_damaged_one_is_told_and_the_one_before_it_is_taken() {
        let store = tempfile::tempdir().unwrap();
        let kept = AcceptedFolder::new(store.path());
        for at in 1..=3 {
            kept.save(files(&format!("n = {at}")), Wall(at)).unwrap();
        }
        fs::write(kept.path.join("1970-01-01T00-00-00.003Z/00-wayshift.toml"), "n = 4").unwrap();
        fs::remove_file(kept.path.join("1970-01-01T00-00-00.002Z").join(MANIFEST_FILE)).unwrap();
        fs::create_dir(kept.path.join(".1970-01-01T00-00-00.009Z")).unwrap();
        fs::write(kept.path.join("README"), "mine").unwrap();
        let (newest, problems) = kept.newest().unwrap();
        assert_eq!((newest.unwrap().at, problems.len()), (Wall(1), 2));
        assert!(matches!(kept.load("../etc"), Err(AcceptedError::Damaged { .. })));
    }
}
