//! The tables. A step is never changed once it was released; a change is a further step.

use rusqlite::{Connection, params};

use crate::model::Wall;

use super::super::{FIRST, database::integer};

/// One step for each `user_version`.
///
/// Records are JSON texts (see `records.rs`), readable with `json_extract` in the common `sqlite3`. Times in columns are
/// milliseconds since 1970.
pub(super) const STEPS: &[&str] = &[
    "
    -- One row: the database's identity and how far it has come.
    CREATE TABLE meta (
        one            INTEGER PRIMARY KEY CHECK (one = 1),
        epoch          TEXT    NOT NULL,
        created        INTEGER NOT NULL,
        generation     INTEGER NOT NULL,
        audit_sequence INTEGER NOT NULL,
        audit_hash     TEXT    NOT NULL
    ) STRICT;
    -- sum: SHA-256 of record. SQLite does not notice a flipped bit in a text; a moved expiry must be noticed.
    CREATE TABLE override (
        id     TEXT PRIMARY KEY,
        record TEXT NOT NULL,
        sum    TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY,
        record   TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash     TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
    CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
    CREATE TABLE idempotency (
        principal   TEXT    NOT NULL,
        key         TEXT    NOT NULL,
        fingerprint TEXT    NOT NULL,
        at          INTEGER NOT NULL,
        status      INTEGER NOT NULL,
        body        TEXT    NOT NULL,
        PRIMARY KEY (principal, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX idempotency_by_time ON idempotency (at);
",
    "
    -- Other databases whose overrides this one has taken over from a snapshot file, and up to which generation.
    CREATE TABLE adopted (
        epoch      TEXT    PRIMARY KEY,
        generation INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    -- At most one row: where the store is moved to, and once it is there, the epoch it has there. While it is here
    -- nothing of the state changes, whichever program has the file open.
    CREATE TABLE seal (
        one         INTEGER PRIMARY KEY CHECK (one = 1),
        at          INTEGER NOT NULL,
        destination TEXT    NOT NULL,
        moved       TEXT
    ) STRICT;
    CREATE TRIGGER sealed_meta BEFORE UPDATE ON meta WHEN EXISTS (SELECT 1 FROM seal)
        BEGIN SELECT RAISE(ABORT, 'the store is sealed'); END;
    CREATE TRIGGER sealed_put BEFORE INSERT ON override WHEN EXISTS (SELECT 1 FROM seal)
        BEGIN SELECT RAISE(ABORT, 'the store is sealed'); END;
    CREATE TRIGGER sealed_delete BEFORE DELETE ON override WHEN EXISTS (SELECT 1 FROM seal)
        BEGIN SELECT RAISE(ABORT, 'the store is sealed'); END;
    CREATE TRIGGER sealed_update BEFORE UPDATE ON override WHEN EXISTS (SELECT 1 FROM seal)
        BEGIN SELECT RAISE(ABORT, 'the store is sealed'); END;
    CREATE TRIGGER sealed_audit BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM seal)
        BEGIN SELECT RAISE(ABORT, 'the store is sealed'); END;
",
];

/// The row of a new database. Its epoch is a ULID, so no two databases ever share one.
pub(super) fn fresh(db: &Connection, now: Wall) -> rusqlite::Result<()> {
    let mut chance = [0; 16];
    getrandom::fill(&mut chance).expect("the system gives chance once it has booted");
    let epoch = ulid::Ulid::from_parts(now.0, u128::from_be_bytes(chance)).to_string();
    db.execute("INSERT INTO meta VALUES (1, ?1, ?2, 0, 0, ?3)", params![epoch, integer(now.0), FIRST])?;
    Ok(())
}
