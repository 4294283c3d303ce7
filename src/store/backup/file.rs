//! The file of a backup: there whole or not at all, never over another without being told to, and read the same way.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{
    super::{
        FIRST,
        database::sync_folder,
        records::{EntryRecord, LineRecord, RecordError, TitleRecord},
        sum,
    },
    Backup, Entry, Origin,
};

/// The first line: magic and the file's format. The records' own version is in their JSON.
const MAGIC: &str = "wayshift-backup ";
/// The format this program writes, and the newest it reads.
const FORMAT: u32 = 1;
/// Largest file that is read or written, in octets: 1,000,000 audit entries of the usual size fit. Beyond it a backup is
/// refused, and the audit is to be exported.
pub const BACKUP_SIZE_MAX: u64 = 1 << 30;

/// Why there is no backup; nothing was changed, and a file that was there is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The disk refuses.
    #[error("the backup {path} cannot be reached")]
    Disk {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Something has that name, and nobody said to replace it.
    #[error("{path} exists already")]
    Exists {
        /// Which file.
        path: String,
    },
    /// It is no backup, or not as it was written, or a newer program wrote it.
    #[error("{path} is no whole backup: {why}")]
    Damaged {
        /// Which file.
        path: String,
        /// In words.
        why: String,
    },
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Octets.
    pub size: u64,
    /// SHA-256 of the whole file, in hexadecimal: as `sha256sum` says it.
    pub sum: String,
}

/// Writes a backup (0600): beside, fsynced, renamed, the folder fsynced.
///
/// # Errors
/// See [`BackupError`].
pub fn save(backup: &Backup, path: &Path, replace: bool) -> Result<Saved, BackupError> {
    let disk = |source| BackupError::Disk { path: path.display().to_string(), source };
    let exists = || BackupError::Exists { path: path.display().to_string() };
    if !replace && fs::symlink_metadata(path).is_ok() {
        return Err(exists());
    }
    let text = text(backup);
    let size = text.len() as u64;
    if BACKUP_SIZE_MAX < size {
        let why = format!("it would have {size} octets, at most {BACKUP_SIZE_MAX} are read back");
        return Err(BackupError::Damaged { path: path.display().to_string(), why });
    }
    let name = path.file_name().ok_or_else(|| disk(io::Error::other("it is no name of a file")))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let fresh = folder.join(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let made = put(&fresh, &text).and_then(|()| match replace {
        true => fs::rename(&fresh, path),
        false => named(&fresh, path),
    });
    if let Err(error) = made {
        let _ = fs::remove_file(&fresh);
        return Err(if error.kind() == io::ErrorKind::AlreadyExists { exists() } else { disk(error) });
    }
    sync_folder(folder).map_err(disk)?;
    Ok(Saved { size, sum: sum(&text) })
}

/// A link does not take the place of what somebody else has put there meanwhile, as a rename does.
fn named(fresh: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(fresh, path) {
        Ok(()) => fs::remove_file(fresh),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // A file system without links.
        Err(_) if fs::symlink_metadata(path).is_err() => fs::rename(fresh, path),
        Err(error) => Err(error),
    }
}

fn put(path: &PathBuf, text: &str) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Reads a backup, whole or not at all. What it holds is still to be asked: [`super::check()`].
///
/// # Errors
/// See [`BackupError`].
pub fn load(path: &Path) -> Result<Backup, BackupError> {
    let disk = |source| BackupError::Disk { path: path.display().to_string(), source };
    let damaged = |why: String| BackupError::Damaged { path: path.display().to_string(), why };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(disk)?;
    file.take(BACKUP_SIZE_MAX + 1).read_to_end(&mut bytes).map_err(disk)?;
    if BACKUP_SIZE_MAX < bytes.len() as u64 {
        return Err(damaged(format!("it has more than {BACKUP_SIZE_MAX} octets")));
    }
    let text = String::from_utf8(bytes).map_err(|_| damaged("it is no text".into()))?;
    parse(&text).map_err(damaged)
}

fn text(backup: &Backup) -> String {
    let Backup { made, from, epoch, generation, overrides, audit, head, answers } = backup;
    let title = TitleRecord {
        sequence: head.0,
        hash: head.1.clone(),
        overrides: overrides.len(),
        answers: answers.len(),
        ..TitleRecord::new(*made, from.word().into(), epoch.clone(), *generation)
    };
    let mut body = title.text();
    body.push('\n');
    let orders = overrides.iter().map(|(id, record)| LineRecord::Override { id: id.clone(), record: record.clone() });
    let entries = audit.iter().map(|entry| LineRecord::Entry(EntryRecord::from(entry)));
    let answers = answers.iter().map(|kept| LineRecord::Answer(kept.into()));
    for line in orders.chain(entries).chain(answers) {
        body.push_str(&line.text());
        body.push('\n');
    }
    format!("{MAGIC}{FORMAT}\nlength {}\nsha256 {}\n{body}", body.len(), sum(&body))
}

fn parse(text: &str) -> Result<Backup, String> {
    let mut lines = text.splitn(4, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let format = next().strip_prefix(MAGIC).ok_or("it does not begin as one")?;
    match format.parse::<u32>() {
        Ok(FORMAT) => {}
        Ok(newer) if FORMAT < newer => {
            return Err(format!("a newer program wrote it: format {newer}, this one reads {FORMAT}"));
        }
        Ok(_) | Err(_) => return Err("it does not begin as one".into()),
    }
    let length = next().strip_prefix("length ").and_then(|n| n.parse::<usize>().ok()).ok_or("its length is missing")?;
    let digest = next().strip_prefix("sha256 ").ok_or("its checksum is missing")?;
    let body = next();
    if body.len() != length {
        return Err(format!("it has {} octets of {length}: it was cut or changed", body.len()));
    }
    if sum(body) != digest {
        return Err("its checksum does not hold: it was changed".into());
    }
    read(body)
}

fn read(body: &str) -> Result<Backup, String> {
    let mut lines = body.split_terminator('\n');
    let said = |error: RecordError| error.to_string();
    let title = TitleRecord::parse(lines.next().unwrap_or_default()).map_err(said)?;
    let from = [Origin::Embedded, Origin::Etcd].into_iter().find(|origin| origin.word() == title.from);
    let mut backup = Backup {
        made: title.made,
        from: from.ok_or_else(|| format!("it comes from a store called `{}`", title.from))?,
        epoch: title.epoch,
        generation: title.generation,
        overrides: std::collections::BTreeMap::new(),
        audit: Vec::new(),
        head: (title.sequence, title.hash),
        answers: Vec::new(),
    };
    for (number, line) in lines.enumerate() {
        let line = LineRecord::parse(line).map_err(|error| format!("line {}: {error}", number + 5))?;
        match line {
            LineRecord::Override { id, record } => {
                if let Some(_twice) = backup.overrides.insert(id.clone(), record) {
                    return Err(format!("override {id} is in it twice"));
                }
            }
            LineRecord::Entry(entry) => backup.audit.push(entry.into()),
            LineRecord::Answer(kept) => backup.answers.push(kept.into()),
        }
    }
    let there = (backup.overrides.len(), backup.audit.len() as u64, backup.answers.len());
    if there != (title.overrides, title.sequence, title.answers) {
        return Err("what is in it is not as much as it says".into());
    }
    if backup.audit.is_empty() && backup.head.1 != FIRST {
        return Err("its audit is empty, and has a head".into());
    }
    Ok(backup)
}

impl From<&Entry> for EntryRecord {
    fn from(entry: &Entry) -> Self {
        let Entry { sequence, generation, attempt, previous, hash, record } = entry.clone();
        Self { sequence, generation, attempt, previous, hash, record }
    }
}

impl From<EntryRecord> for Entry {
    fn from(record: EntryRecord) -> Self {
        let EntryRecord { sequence, generation, attempt, previous, hash, record } = record;
        Self { sequence, generation, attempt, previous, hash, record }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::{super::samples::backup, *};

    #[test]
    fn what_was_written_is_read_back_and_nothing_is_overwritten_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("night.backup");
        let saved = save(&backup(3), &path, false).unwrap();
        assert_eq!(load(&path).unwrap(), backup(3));
        let bytes = fs::read(&path).unwrap();
        assert_eq!((saved.size, saved.sum), (bytes.len() as u64, sum(std::str::from_utf8(&bytes).unwrap())));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(save(&backup(1), &path, false), Err(BackupError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), bytes);
        save(&backup(1), &path, true).unwrap();
        assert_eq!(load(&path).unwrap(), backup(1));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn newer_and_strange_files_are_refused_in_words() {
        let whole = text(&backup(1));
        let body = whole.splitn(4, '\n').nth(3).unwrap();
        let sealed = |body: &str| format!("{MAGIC}1\nlength {}\nsha256 {}\n{body}", body.len(), sum(body));
        let check = |text: &str, expected: &str| {
            let why = parse(text).unwrap_err();
            assert!(why.contains(expected), "{why} and not {expected}");
        };
        check(&whole.replacen("backup 1", "backup 2", 1), "a newer program wrote it: format 2");
        check(&whole.replacen("backup 1", "backup 0", 1), "does not begin as one");
        check("", "does not begin as one");
        check(&sealed(&body.replacen("{\"v\":1", "{\"v\":9", 1)), "version 9");
        check(&sealed(&body.replacen("embedded", "consul", 1)), "`consul`");
        check(&sealed(&format!("{body}{{\"colour\":{{}}}}\n")), "colour");
        check(&sealed(&format!("{body}{}\n", body.lines().nth(1).unwrap())), "twice");
        check(&sealed(&body.replacen("\"answers\":1", "\"answers\":2", 1)), "as much as it says");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn a_changed_or_cut_file_is_never_taken_for_whole(
            overrides in 0_u64..4, at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>()
        ) {
            let mut bytes = text(&backup(overrides)).into_bytes();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(parse(&text).is_err(), "{}", text);
            }
        }

        #[test]
        fn no_text_makes_reading_panic(text in ".{0,300}") {
            let _ = (parse(&text), read(&text));
        }
    }
}
