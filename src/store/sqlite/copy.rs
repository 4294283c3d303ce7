//! A copy of the embedded store at one moment, taken beside the node that writes it.
//!
//! One read transaction sees one commit and nothing of the next, so no writer waits for it and it waits for none.

use std::{collections::BTreeMap, path::Path};

use rusqlite::Connection;

use crate::model::Wall;

use super::{
    super::{
        Idempotency, StoreError,
        backup::{self, Backup, Entry, Origin},
        database::{self, classify, count, damaged, refused},
        records::AuditRecord,
        sum,
    },
    schema, seal,
};

/// Copies the store in a folder, whether a node runs on it or not. What was copied is still to be asked:
/// [`backup::check`].
///
/// # Errors
/// [`StoreError::Refused`]: there is none, or a newer program made it, or the disk says no. [`StoreError::Damaged`]: what
/// is wrong with it.
pub fn copy(folder: &Path, now: Wall) -> Result<Backup, StoreError> {
    let file = seal::there(folder)?;
    let db = opened(&file)?;
    let told = |error: rusqlite::Error| classify(&file, &error);
    let tx = db.unchecked_transaction().map_err(told)?;
    let (epoch, generation, head) = tx
        .query_row("SELECT epoch, generation, audit_sequence, audit_hash FROM meta", [], |row| {
            Ok((row.get(0)?, count(row.get(1)?), (count(row.get(2)?), row.get(3)?)))
        })
        .map_err(told)?;
    let overrides = overrides(&tx, &file)?;
    let mut audit = entries(&tx).map_err(told)?;
    let raised = |entry: &Entry| AuditRecord::parse(&entry.record).is_ok_and(|draft| backup::raises(&draft.action));
    let raised: Vec<bool> = audit.iter().map(raised).collect();
    backup::counted(&mut audit, &raised, generation);
    let answers = answers(&tx).map_err(told)?;
    Ok(Backup { made: now, from: Origin::Embedded, epoch, generation, overrides, audit, head, answers })
}

/// What SQLite itself finds wrong with the file, page by page; nothing if it is whole.
///
/// # Errors
/// As [`copy`].
pub fn faults(folder: &Path) -> Result<Option<String>, StoreError> {
    let file = seal::there(folder)?;
    let db = opened(&file)?;
    let told = |error: rusqlite::Error| classify(&file, &error);
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(told)?;
    Ok((found != "ok").then_some(found))
}

fn opened(file: &Path) -> Result<Connection, StoreError> {
    let db = database::reader(file)?;
    let told = |error: rusqlite::Error| classify(file, &error);
    let version: u64 = db.pragma_query_value(None, "user_version", |row| row.get(0).map(count)).map_err(told)?;
    if version == 0 {
        return Err(damaged(file, "no store was ever made in it"));
    }
    if (schema::STEPS.len() as u64) < version {
        let why = format!("a newer program made it: schema {version}, this one knows {}", schema::STEPS.len());
        return Err(refused(file, &why));
    }
    Ok(db)
}

fn overrides(db: &Connection, file: &Path) -> Result<BTreeMap<String, String>, StoreError> {
    let rows = || -> rusqlite::Result<Vec<(String, String, String)>> {
        db.prepare("SELECT id, record, sum FROM override")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect()
    };
    let mut all = BTreeMap::new();
    for (id, record, kept) in rows().map_err(|error| classify(file, &error))? {
        if sum(&record) != kept {
            return Err(damaged(file, format!("override {id} is not as it was written")));
        }
        all.insert(id, record);
    }
    Ok(all)
}

fn entries(db: &Connection) -> rusqlite::Result<Vec<Entry>> {
    db.prepare("SELECT sequence, record, previous, hash FROM audit ORDER BY sequence")?
        .query_map([], |row| {
            Ok(Entry {
                sequence: count(row.get(0)?),
                generation: 0,
                attempt: String::new(),
                record: row.get(1)?,
                previous: row.get(2)?,
                hash: row.get(3)?,
            })
        })?
        .collect()
}

fn answers(db: &Connection) -> rusqlite::Result<Vec<Idempotency>> {
    db.prepare("SELECT principal, key, fingerprint, at, status, body FROM idempotency ORDER BY principal, key")?
        .query_map([], |row| {
            Ok(Idempotency {
                principal: row.get(0)?,
                key: row.get(1)?,
                fingerprint: row.get(2)?,
                at: Wall(count(row.get(3)?)),
                status: row.get(4)?,
                body: row.get(5)?,
            })
        })?
        .collect()
}
