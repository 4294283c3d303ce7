//! A backup becomes the embedded store of a folder that has none.
//!
//! It is made under another name and renamed when it is whole and on disk: a restore that is cut off leaves nothing that
//! a node would take for its store. The snapshot file stays as it is; a node that remembers a later state there than the
//! backup has brings the store up to it when it starts (see `adopt`).

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, params};

use super::{
    super::{
        AuditDraft, StoreError,
        backup::Backup,
        database::{self, Sync, classify, integer, refused, sync_folder},
        lock::StoreLock,
        sum,
    },
    DATABASE_FILE, chain, schema,
};

/// Makes the store. The audit says so, in an entry after those of the backup. The caller has asked
/// [`super::super::backup::check`].
///
/// # Errors
/// [`StoreError::InUse`]: a node runs there. [`StoreError::Refused`]: there is a store already, or a log of one, or the
/// disk says no. Nothing was changed.
pub fn restore(folder: &Path, backup: &Backup, audit: AuditDraft) -> Result<(), StoreError> {
    database::folder(folder)?;
    let _lock = StoreLock::take(folder)?;
    let file = folder.join(DATABASE_FILE);
    for (name, what) in [(file.clone(), "a store"), (beside(&file, "-wal"), "the log of a store")] {
        if fs::symlink_metadata(&name).is_ok() {
            let why = format!("{what} is there already; a restore replaces none: move it aside first");
            return Err(refused(&name, &why));
        }
    }
    let fresh = folder.join(format!("{DATABASE_FILE}.restoring"));
    let clean = || {
        for name in ["", "-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(beside(&fresh, name));
        }
    };
    clean();
    let made = make(&fresh, backup, audit).and_then(|()| {
        let put = fs::File::open(&fresh).and_then(|file| file.sync_all()).and_then(|()| fs::rename(&fresh, &file));
        put.and_then(|()| sync_folder(folder)).map_err(|error| refused(&file, &error))
    });
    clean();
    made
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn make(file: &Path, backup: &Backup, audit: AuditDraft) -> Result<(), StoreError> {
    let told = |error: rusqlite::Error| classify(file, &error);
    let mut db = database::open(file, Sync::Full, schema::STEPS, |db| {
        let (made, generation, sequence) = (backup.made.0, backup.generation, backup.head.0);
        let row = params![backup.epoch, integer(made), integer(generation), integer(sequence), backup.head.1];
        db.execute("INSERT INTO meta VALUES (1, ?1, ?2, ?3, ?4, ?5)", row).map(drop)
    })?;
    let tx = db.transaction().map_err(told)?;
    fill(&tx, backup).and_then(|()| chain::append(&tx, audit)).map_err(told)?;
    tx.commit().map_err(told)?;
    // Out of the log and without one: what is renamed is one file.
    db.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(told)?;
    db.close().map_err(|(_, error)| told(error))
}

fn fill(db: &Connection, backup: &Backup) -> rusqlite::Result<()> {
    for (id, record) in &backup.overrides {
        db.prepare_cached("INSERT INTO override VALUES (?1, ?2, ?3)")?.execute(params![id, record, sum(record)])?;
    }
    for entry in &backup.audit {
        let row = params![integer(entry.sequence), entry.record, entry.previous, entry.hash];
        db.prepare_cached("INSERT INTO audit VALUES (?1, ?2, ?3, ?4)")?.execute(row)?;
    }
    for kept in &backup.answers {
        let at = integer(kept.at.0);
        let row = params![kept.principal, kept.key, kept.fingerprint, at, kept.status, kept.body];
        db.prepare_cached("INSERT INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(row)?;
    }
    Ok(())
}
