//! The seal: a mark in the database itself that it is moved to another store and takes no writes any more.
//!
//! It is set by another process than the node, in a transaction of its own: what the node committed before is in what is
//! moved, and what it tries to commit afterwards is refused. Triggers hold it too, so that a program that does not know
//! of seals cannot write either.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::model::Wall;

use super::{
    super::{
        AuditDraft, StoreError,
        database::{self, Sync, classify, count, integer, refused},
    },
    DATABASE_FILE, chain, schema,
};

/// A seal, as it stands in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Since when.
    pub at: Wall,
    /// Where the state goes.
    pub destination: String,
    /// The epoch that it has there; nothing while it is on its way.
    pub moved: Option<String>,
}

/// The seal of the store in a folder.
///
/// # Errors
/// Those of the disk; [`StoreError::Refused`] if there is no store.
pub fn sealed(folder: &Path) -> Result<Option<Seal>, StoreError> {
    let file = there(folder)?;
    let db = database::reader(&file)?;
    read(&db).map_err(|error| classify(&file, &error))
}

/// Seals the store, if it is not sealed for the same destination already. The audit's last entry says so.
///
/// # Errors
/// [`StoreError::Sealed`]: for another destination. Those of the disk; nothing was changed.
pub fn seal(folder: &Path, destination: &str, audit: AuditDraft) -> Result<Seal, StoreError> {
    change(folder, |db, file| {
        let found = read(db).map_err(|error| classify(file, &error))?;
        match found {
            Some(seal) if seal.destination == destination => return Ok(seal),
            Some(_) => refuse(db, file)?,
            None => {}
        }
        let at = audit.at;
        let put = || {
            chain::append(db, audit)?;
            db.execute("INSERT INTO seal VALUES (1, ?1, ?2, NULL)", params![integer(at.0), destination])
        };
        put().map_err(|error: rusqlite::Error| classify(file, &error))?;
        Ok(Seal { at, destination: destination.into(), moved: None })
    })
}

/// Notes that the state has arrived.
///
/// # Errors
/// Those of the disk; nothing was changed.
pub fn moved(folder: &Path, epoch: &str) -> Result<(), StoreError> {
    change(folder, |db, file| {
        let noted = db.execute("UPDATE seal SET moved = ?1", [epoch]);
        noted.map(drop).map_err(|error| classify(file, &error))
    })
}

/// Takes the seal off a store that was not moved; whether there was one. The caller knows that nothing was made of it
/// elsewhere, and can no longer be.
///
/// # Errors
/// [`StoreError::Sealed`]: it was moved. Those of the disk; nothing was changed.
pub fn unseal(folder: &Path, audit: AuditDraft) -> Result<bool, StoreError> {
    change(folder, |db, file| {
        let told = |error: rusqlite::Error| classify(file, &error);
        match read(db).map_err(told)? {
            None => return Ok(false),
            Some(seal) if seal.moved.is_some() => refuse(db, file)?,
            Some(_) => {}
        }
        db.execute("DELETE FROM seal", []).map_err(told)?;
        chain::append(db, audit).map_err(told)?;
        Ok(true)
    })
}

/// An error where there is a seal.
pub(super) fn refuse(db: &Connection, file: &Path) -> Result<(), StoreError> {
    match read(db).map_err(|error| classify(file, &error))? {
        None => Ok(()),
        Some(seal) => Err(StoreError::Sealed {
            path: file.display().to_string(),
            destination: seal.destination,
            moved: seal.moved.is_some(),
        }),
    }
}

pub(super) fn read(db: &Connection) -> rusqlite::Result<Option<Seal>> {
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'seal'", [], |row| row.get(0))?;
    if tables == 0 {
        // A database that an older program made, and that was only looked at since.
        return Ok(None);
    }
    let seal = |row: &rusqlite::Row<'_>| {
        Ok(Seal { at: Wall(count(row.get(0)?)), destination: row.get(1)?, moved: row.get(2)? })
    };
    db.query_row("SELECT at, destination, moved FROM seal", [], seal).optional()
}

/// The database of the store in a folder, which must be there: opening would make one.
pub(super) fn there(folder: &Path) -> Result<std::path::PathBuf, StoreError> {
    let file = folder.join(DATABASE_FILE);
    match file.try_exists() {
        Ok(true) => Ok(file),
        Ok(false) => Err(refused(folder, &"there is no embedded store in this folder")),
        Err(error) => Err(refused(&file, &error)),
    }
}

fn change<T>(folder: &Path, act: impl FnOnce(&Connection, &Path) -> Result<T, StoreError>) -> Result<T, StoreError> {
    let file = there(folder)?;
    let mut db = database::open(&file, Sync::Full, schema::STEPS, |_| Ok(()))?;
    let told = |error: rusqlite::Error| classify(&file, &error);
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(told)?;
    let done = act(&tx, &file)?;
    tx.commit().map_err(told)?;
    Ok(done)
}
