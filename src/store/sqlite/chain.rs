//! The audit: entries that are only ever added, each with a hash over its content and the hash before it.
//!
//! A changed, removed or inserted entry breaks the chain from there on. Entries cut off at the end are noticed because
//! the head's sequence and hash are kept apart. Whoever can write the file can forge both: keep a copy of the head
//! elsewhere where that matters.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{
    AuditDraft, AuditEntry, FIRST, StoreError,
    database::{classify, count, damaged, integer},
    link,
    records::AuditRecord,
};

fn head(db: &Connection) -> rusqlite::Result<(u64, String)> {
    db.prepare_cached("SELECT audit_sequence, audit_hash FROM meta")?
        .query_row([], |row| Ok((count(row.get(0)?), row.get(1)?)))
}

/// Adds an entry inside the caller's transaction.
pub(super) fn append(db: &Connection, draft: AuditDraft) -> rusqlite::Result<()> {
    let (last, previous) = head(db)?;
    let sequence = last + 1;
    let record = AuditRecord::text(draft);
    let hash = link(&previous, sequence, &record);
    db.prepare_cached("INSERT INTO audit VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        integer(sequence),
        record,
        previous,
        hash
    ])?;
    db.prepare_cached("UPDATE meta SET audit_sequence = ?1, audit_hash = ?2")?
        .execute(params![integer(sequence), hash])?;
    Ok(())
}

/// Entries below `before`, newest first.
pub(super) fn page(db: &Connection, file: &Path, before: u64, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
    let rows = || -> rusqlite::Result<Vec<Row>> {
        db.prepare_cached(
            "SELECT sequence, record, previous, hash FROM audit WHERE sequence < ?1 ORDER BY sequence DESC LIMIT ?2",
        )?
        .query_map(params![integer(before), integer(limit as u64)], Row::of)?
        .collect()
    };
    let entry = |row: Row| {
        let draft = AuditRecord::parse(&row.record)
            .map_err(|error| damaged(file, format!("audit entry {}: {error}", row.sequence)))?;
        Ok(AuditEntry { sequence: row.sequence, draft, previous: row.previous, hash: row.hash })
    };
    rows().map_err(|error| classify(file, &error))?.into_iter().map(entry).collect()
}

/// How many of the oldest entries were made before a time. Entries are in the order of their making, so it stops at
/// the first younger one; a clock that was set back makes the count a little too small.
pub(super) fn older_than(db: &Connection, at: crate::model::Wall) -> rusqlite::Result<u64> {
    let first_younger = db
        .prepare_cached(
            "SELECT sequence FROM audit WHERE ?1 <= json_extract(record, '$.at') ORDER BY sequence LIMIT 1",
        )?
        .query_row([at.to_string()], |row| row.get(0).map(count))
        .optional()?;
    Ok(match first_younger {
        Some(sequence) => sequence.saturating_sub(1),
        None => head(db)?.0,
    })
}

struct Row {
    sequence: u64,
    record: String,
    previous: String,
    hash: String,
}

impl Row {
    fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { sequence: count(row.get(0)?), record: row.get(1)?, previous: row.get(2)?, hash: row.get(3)? })
    }
}

/// How far verifying has come.
pub(super) struct Walk {
    sequence: u64,
    hash: String,
}

impl Default for Walk {
    fn default() -> Self {
        Self { sequence: 0, hash: FIRST.into() }
    }
}

/// What a step of verifying found.
pub(super) enum Stepped {
    /// So far it holds.
    On(Walk),
    /// All of it holds.
    Whole,
    /// The first entry that does not.
    Broken(u64),
}

impl Walk {
    /// Verifies some more entries. Sequence, previous hash and own hash must be what they have to be.
    pub(super) fn step(mut self, db: &Connection, file: &Path, limit: usize) -> Result<Stepped, StoreError> {
        let told = |error: rusqlite::Error| classify(file, &error);
        // One read transaction: the head and the entries are of one moment.
        let tx = db.unchecked_transaction().map_err(told)?;
        let mut statement = tx
            .prepare_cached(
                "SELECT sequence, record, previous, hash FROM audit WHERE ?1 < sequence ORDER BY sequence LIMIT ?2",
            )
            .map_err(told)?;
        let mut rows =
            statement.query_map(params![integer(self.sequence), integer(limit as u64)], Row::of).map_err(told)?;
        let mut read = 0;
        loop {
            let expected = self.sequence + 1;
            let row = match rows.next() {
                None => break,
                Some(Ok(row)) => row,
                // A text that cannot be read is a broken entry, not a reason to know nothing.
                Some(Err(error)) if error.sqlite_error_code().is_none() => return Ok(Stepped::Broken(expected)),
                Some(Err(error)) => return Err(told(error)),
            };
            let holds = row.sequence == expected
                && row.previous == self.hash
                && row.hash == link(&self.hash, expected, &row.record);
            if !holds {
                return Ok(Stepped::Broken(expected));
            }
            self = Self { sequence: expected, hash: row.hash };
            read += 1;
        }
        if read == limit {
            return Ok(Stepped::On(self));
        }
        let whole = head(&tx).map_err(told)? == (self.sequence, self.hash);
        Ok(if whole { Stepped::Whole } else { Stepped::Broken(self.sequence + 1) })
    }
}
