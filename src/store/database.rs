//! Opening a SQLite file as we want it, and saying in words what is wrong with one.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use rusqlite::{Connection, ErrorCode, ffi};

use super::StoreError;

/// How much a power cut may take. A kill of the process takes nothing with either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    /// Nothing: every commit is on disk when it returns.
    Full,
    /// The last commits; never the file's consistency.
    Normal,
}

/// The folder of the store, made for its owner alone (0700) if it is not there.
pub(super) fn folder(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| refused(path, &error))
}

/// Opens or makes the file (0600) and brings its schema up to date: one step of `steps` for each `user_version`.
/// `fresh` runs inside the transaction that makes the schema of a new file.
///
/// # Errors
/// [`StoreError::Damaged`] if it is no database or `quick_check` finds a fault; [`StoreError::Refused`] if the disk
/// refuses, or another or a newer program made it.
pub(super) fn open(
    file: &Path,
    sync: Sync,
    steps: &[&str],
    fresh: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<Connection, StoreError> {
    // SQLite gives the files beside it the same permissions.
    OpenOptions::new().create(true).append(true).mode(0o600).open(file).map_err(|error| refused(file, &error))?;
    let mut db = Connection::open(file).map_err(|error| classify(file, &error))?;
    prepare(&mut db, file, sync, steps, fresh)?;
    // A new file's name is on disk before anything in it is promised.
    if let Some(folder) = file.parent() {
        sync_folder(folder).map_err(|error| refused(folder, &error))?;
    }
    Ok(db)
}

fn prepare(
    db: &mut Connection,
    file: &Path,
    sync: Sync,
    steps: &[&str],
    fresh: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<(), StoreError> {
    let told = |error: rusqlite::Error| classify(file, &error);
    // Another reader (a backup, `sqlite3`) may hold a lock for a moment.
    db.busy_timeout(std::time::Duration::from_secs(5)).map_err(told)?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(told)?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(told)?;
    // A file that is not ours is looked at and not touched.
    let done = usize::try_from(version).map_err(|_| damaged(file, format!("its schema version is {version}")))?;
    if done == 0 && tables != 0 {
        return Err(refused(file, &"another program made it"));
    }
    if steps.len() < done {
        let why = format!("a newer program made it: schema {done}, this one knows {}", steps.len());
        return Err(refused(file, &why));
    }
    if version == 0 && tables == 0 {
        // Only takes effect before the first table is made.
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(told)?;
    }
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(told)?;
    let level = match sync {
        Sync::Full => "FULL",
        Sync::Normal => "NORMAL",
    };
    db.pragma_update(None, "synchronous", level).map_err(told)?;
    // A burst leaves no big log behind (octets).
    db.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |_| Ok(())).map_err(told)?;
    // Deleted reasons and authors do not linger in free pages.
    db.pragma_update(None, "secure_delete", "FAST").map_err(told)?;
    db.pragma_update(None, "trusted_schema", false).map_err(told)?;
    db.set_prepared_statement_cache_capacity(64);

    let fault: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(told)?;
    if fault != "ok" {
        return Err(damaged(file, fault));
    }
    migrate(db, done, steps, fresh).map_err(told)
}

fn migrate(
    db: &mut Connection,
    done: usize,
    steps: &[&str],
    fresh: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    if done == steps.len() {
        return Ok(());
    }
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for step in &steps[done..] {
        tx.execute_batch(step)?;
    }
    if done == 0 {
        fresh(&tx)?;
    }
    tx.pragma_update(None, "user_version", integer(steps.len() as u64))?;
    tx.commit()?;
    // Out of the log into the file: a log that is lost later does not take the database's identity with it.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// A second connection to a file that is open already, for reading beside its writer.
pub(super) fn reader(file: &Path) -> Result<Connection, StoreError> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags).map_err(|error| classify(file, &error))?;
    db.busy_timeout(std::time::Duration::from_secs(5)).map_err(|error| classify(file, &error))?;
    Ok(db)
}

/// What a database's error means for the caller.
pub(super) fn classify(file: &Path, error: &rusqlite::Error) -> StoreError {
    let Some(code) = error.sqlite_error_code() else {
        // A column of another type, a text that is not UTF-8: not what we wrote.
        return damaged(file, error.to_string());
    };
    if matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) {
        return damaged(file, error.to_string());
    }
    let fsync = [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC];
    if error.sqlite_error().is_some_and(|full| fsync.contains(&full.extended_code)) {
        // The pages may or may not have reached the disk.
        return StoreError::Unknown(format!("the disk did not confirm the write of {}", file.display()));
    }
    // The file it shares between processes is the first to find no room, and has an error of its own.
    let shared = error.sqlite_error().is_some_and(|one| one.extended_code == ffi::SQLITE_IOERR_SHMSIZE);
    if code == ErrorCode::DiskFull || shared {
        return refused(file, &"the disk is full");
    }
    if code == ErrorCode::ReadOnly {
        return refused(file, &"it is read-only");
    }
    refused(file, error)
}

pub(super) fn refused(path: &Path, why: &impl ToString) -> StoreError {
    StoreError::Refused { path: path.display().to_string(), why: why.to_string() }
}

pub(super) fn damaged(path: &Path, why: impl ToString) -> StoreError {
    StoreError::Damaged { path: path.display().to_string(), why: why.to_string() }
}

/// A count as SQLite keeps it. Our counts never come near 2^63; one that did would stay there.
pub(super) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as we keep it; SQLite's are never negative where we wrote them.
pub(super) fn count(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or(0)
}

/// Makes a rename or a new file in a folder last through a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}
