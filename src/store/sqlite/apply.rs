//! One commit inside a transaction: the key, the generation, the override, the audit entry, the kept answer.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::model::{Mono, Override, OverrideId};

use super::{
    super::{
        AuditDraft, Change, Idempotency, KeepKey, Seen, StoreError,
        database::{classify, count, damaged, integer},
        orders::{Ended, Orders},
        records::OverrideRecord,
        sum as digest,
    },
    chain, keys,
};

/// Reads all of it; a record that is not as it was written is damage.
pub(super) fn read(db: &Connection, file: &Path) -> Result<Orders, StoreError> {
    let told = |error: rusqlite::Error| classify(file, &error);
    let (epoch, generation) = db
        .query_row("SELECT epoch, generation FROM meta", [], |row| Ok((row.get(0)?, count(row.get(1)?))))
        .optional()
        .map_err(told)?
        .ok_or_else(|| damaged(file, "it has no identity"))?;
    let mut statement = db.prepare("SELECT id, record, sum FROM override").map_err(told)?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))
        .map_err(told)?;
    let mut all = BTreeMap::new();
    for row in rows {
        let (id, record, sum) = row.map_err(told)?;
        if digest(&record) != sum {
            return Err(damaged(file, format!("override {id} is not as it was written")));
        }
        let order = OverrideRecord::parse(&record).map_err(|error| damaged(file, format!("override {id}: {error}")))?;
        all.insert(order.id.clone(), Arc::new(order));
    }
    Ok(Orders { epoch, generation, all })
}

/// Why a commit was not made.
pub(super) enum Stop {
    /// It was decided so; the others of the batch go on.
    Decided(StoreError),
    /// The database fails; the whole batch is given up.
    Broken(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error)
    }
}

/// What one commit is made of.
pub(super) struct Request {
    pub(super) change: Change,
    pub(super) seen: Seen,
    pub(super) audit: AuditDraft,
    pub(super) key: Option<KeepKey>,
}

/// Makes one commit. `orders` is a working copy that the caller throws away if this stops.
pub(super) fn commit(
    db: &Connection,
    file: &Path,
    orders: &mut Orders,
    ended: &Ended,
    now: Mono,
    request: Request,
) -> Result<Override, Stop> {
    let Request { change, seen, audit, key } = request;
    let at = audit.at;
    if let Some(key) = &key {
        // Before the generation is looked at: a request that comes again always finds the store moved on - by itself.
        if let Some(kept) = keys::find(db, &key.principal, &key.key)?.filter(|kept| kept.young(at)) {
            return Err(Stop::Decided(StoreError::KeyUsed(Box::new(kept))));
        }
    }
    let swapped = db
        .prepare_cached("UPDATE meta SET generation = generation + 1 WHERE generation = ?1")?
        .execute([integer(seen.0)])?;
    if swapped == 0 {
        return Err(Stop::Decided(StoreError::Conflict { current: orders.generation }));
    }
    let due = ended.due(orders, now, usize::MAX);
    let effect =
        orders.decide(&due, change, at).map_err(|nothing| Stop::Decided(nothing.told(&file.display().to_string())))?;
    for id in &effect.forgotten {
        forget(db, orders, id)?;
    }
    if let Some(order) = &effect.put {
        put(db, orders, order.clone())?;
    }
    orders.generation = seen.0 + 1;
    let entity = effect.entity;
    chain::append(db, audit)?;
    if let Some(key) = key {
        let (status, body) = (key.reply)(&entity);
        let kept =
            Idempotency { principal: key.principal, key: key.key, fingerprint: key.fingerprint, at, status, body };
        keys::keep(db, &kept)?;
    }
    Ok(entity)
}

pub(super) fn put(db: &Connection, orders: &mut Orders, order: Override) -> rusqlite::Result<()> {
    let record = OverrideRecord::text(&order);
    let sum = digest(&record);
    db.prepare_cached("INSERT OR REPLACE INTO override VALUES (?1, ?2, ?3)")?.execute(params![
        order.id.to_string(),
        record,
        sum
    ])?;
    orders.all.insert(order.id.clone(), Arc::new(order));
    Ok(())
}

pub(super) fn forget(db: &Connection, orders: &mut Orders, id: &OverrideId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM override WHERE id = ?1")?.execute([id.to_string()])?;
    orders.all.remove(id);
    Ok(())
}
