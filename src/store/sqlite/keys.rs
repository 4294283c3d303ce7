//! Idempotency keys: the answer that is repeated when a request comes again.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::model::{Wall, ms};

use super::super::{
    IDEMPOTENCY_KEPT, Idempotency,
    database::{count, integer},
};

/// Most keys kept for one principal. Beyond it that principal's oldest goes: nobody pushes out another's, and a
/// mutation is never refused for it.
pub const KEYS_PER_PRINCIPAL_MAX: usize = 10_000;

/// Most keys dropped for their age at once, so that no commit waits for a big clean-up.
const PRUNED_AT_ONCE: u64 = 1_000;

/// The answer kept under a key, however old.
pub(super) fn find(db: &Connection, principal: &str, key: &str) -> rusqlite::Result<Option<Idempotency>> {
    db.prepare_cached("SELECT fingerprint, at, status, body FROM idempotency WHERE principal = ?1 AND key = ?2")?
        .query_row(params![principal, key], |row| {
            Ok(Idempotency {
                principal: principal.into(),
                key: key.into(),
                fingerprint: row.get(0)?,
                at: Wall(count(row.get(1)?)),
                status: row.get(2)?,
                body: row.get(3)?,
            })
        })
        .optional()
}

/// Keeps an answer; one that was there is too old and is replaced.
pub(super) fn keep(db: &Connection, kept: &Idempotency) -> rusqlite::Result<()> {
    prune(db, kept.at)?;
    let held: i64 = db
        .prepare_cached("SELECT count(*) FROM idempotency WHERE principal = ?1")?
        .query_row([&kept.principal], |row| row.get(0))?;
    let over = count(held).saturating_sub(KEYS_PER_PRINCIPAL_MAX as u64 - 1);
    if 0 < over {
        db.prepare_cached(
            "DELETE FROM idempotency WHERE principal = ?1 AND key IN
                (SELECT key FROM idempotency WHERE principal = ?1 ORDER BY at LIMIT ?2)",
        )?
        .execute(params![kept.principal, integer(over)])?;
    }
    db.prepare_cached("INSERT OR REPLACE INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        kept.principal,
        kept.key,
        kept.fingerprint,
        integer(kept.at.0),
        kept.status,
        kept.body
    ])?;
    Ok(())
}

/// Drops some of those that are too old; how many.
pub(super) fn prune(db: &Connection, now: Wall) -> rusqlite::Result<u64> {
    // Not saturating: at the beginning of time nothing is too old yet.
    let Some(oldest) = now.0.checked_sub(ms(IDEMPOTENCY_KEPT)) else { return Ok(0) };
    let dropped = db
        .prepare_cached(
            "DELETE FROM idempotency WHERE (principal, key) IN
                (SELECT principal, key FROM idempotency WHERE at <= ?1 LIMIT ?2)",
        )?
        .execute(params![integer(oldest), integer(PRUNED_AT_ONCE)])?;
    Ok(dropped as u64)
}
