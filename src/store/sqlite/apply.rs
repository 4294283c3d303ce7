//! One commit inside a transaction: the key, the generation, the override, the audit entry, the kept answer.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::model::{Mono, OVERRIDES_MAX, Override, OverrideId, Wall};

use super::{
    super::{
        AuditDraft, Change, Idempotency, KeepKey, Seen, StoreError,
        database::{classify, count, damaged, integer, refused},
        records::OverrideRecord,
        sum as digest,
    },
    chain, keys,
};

/// How long an override that has run out is still listed: people look for what just ended.
pub const EXPIRED_KEPT: Duration = Duration::from_secs(24 * 3600);

/// What a database holds of the durable state.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    pub(super) epoch: String,
    pub(super) generation: u64,
    /// Shared, because working copies of the whole are made for each commit.
    pub(super) all: BTreeMap<OverrideId, Arc<Override>>,
}

impl Orders {
    /// Reads all of it; a record that is not as it was written is damage.
    pub(super) fn read(db: &Connection, file: &Path) -> Result<Self, StoreError> {
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
            let order =
                OverrideRecord::parse(&record).map_err(|error| damaged(file, format!("override {id}: {error}")))?;
            all.insert(order.id.clone(), Arc::new(order));
        }
        Ok(Self { epoch, generation, all })
    }
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

/// When overrides were first seen to have run out, on the monotonic clock.
pub(super) type Ended = BTreeMap<OverrideId, Mono>;

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
        if let Some(kept) = keys::find(db, &key.principal, &key.key)?.filter(|kept| keys::young(kept, at)) {
            return Err(Stop::Decided(StoreError::KeyUsed(Box::new(kept))));
        }
    }
    let swapped = db
        .prepare_cached("UPDATE meta SET generation = generation + 1 WHERE generation = ?1")?
        .execute([integer(seen.0)])?;
    if swapped == 0 {
        return Err(Stop::Decided(StoreError::Conflict { current: orders.generation }));
    }
    orders.generation = seen.0 + 1;
    drop_ended(db, orders, ended, now)?;
    let entity = change_one(db, file, orders, change, at)?;
    chain::append(db, audit)?;
    if let Some(key) = key {
        let (status, body) = (key.reply)(&entity);
        let kept =
            Idempotency { principal: key.principal, key: key.key, fingerprint: key.fingerprint, at, status, body };
        keys::keep(db, &kept)?;
    }
    Ok(entity)
}

fn change_one(db: &Connection, file: &Path, orders: &mut Orders, change: Change, at: Wall) -> Result<Override, Stop> {
    match change {
        Change::Create(mut order) => {
            make_room(db, orders, at)?;
            if orders.all.contains_key(&order.id) {
                let why = format!("an override has the id {} already", order.id);
                return Err(Stop::Decided(refused(file, &why)));
            }
            order.generation = orders.generation;
            Ok(put(db, orders, order)?)
        }
        Change::Extend { id, expires } => {
            // One that has run out stays ended: nodes have let its endpoints return and remember it as over.
            let Some(order) = orders.all.get(&id).filter(|order| at < order.expires) else {
                return Err(Stop::Decided(StoreError::NoOverride(id)));
            };
            let order = Override { expires, generation: orders.generation, ..order.as_ref().clone() };
            Ok(put(db, orders, order)?)
        }
        Change::End { id } => {
            let Some(order) = orders.all.get(&id).filter(|order| at < order.expires).cloned() else {
                return Err(Stop::Decided(StoreError::NoOverride(id)));
            };
            forget(db, orders, &id)?;
            Ok(Arc::unwrap_or_clone(order))
        }
    }
}

pub(super) fn put(db: &Connection, orders: &mut Orders, order: Override) -> rusqlite::Result<Override> {
    let record = OverrideRecord::text(&order);
    let sum = digest(&record);
    db.prepare_cached("INSERT OR REPLACE INTO override VALUES (?1, ?2, ?3)")?.execute(params![
        order.id.to_string(),
        record,
        sum
    ])?;
    orders.all.insert(order.id.clone(), Arc::new(order.clone()));
    Ok(order)
}

pub(super) fn forget(db: &Connection, orders: &mut Orders, id: &OverrideId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM override WHERE id = ?1")?.execute([id.to_string()])?;
    orders.all.remove(id);
    Ok(())
}

/// At most [`OVERRIDES_MAX`], those that ran out included: when full, the ones that ran out first make room.
fn make_room(db: &Connection, orders: &mut Orders, at: Wall) -> Result<(), Stop> {
    if orders.all.len() < OVERRIDES_MAX {
        return Ok(());
    }
    let over = orders.all.values().filter(|order| order.expires <= at).min_by_key(|order| order.expires);
    match over.map(|order| order.id.clone()) {
        Some(id) => Ok(forget(db, orders, &id)?),
        None => Err(Stop::Decided(StoreError::Full { what: "the list of overrides", max: OVERRIDES_MAX })),
    }
}

/// Drops what was seen to be over for [`EXPIRED_KEPT`] of monotonic time: a clock that jumps forward for a while
/// does not lose an evacuation.
fn drop_ended(db: &Connection, orders: &mut Orders, ended: &Ended, now: Mono) -> rusqlite::Result<()> {
    let due = ended.iter().filter(|(_, since)| EXPIRED_KEPT <= now.since(**since));
    for (id, _) in due {
        forget(db, orders, id)?;
    }
    Ok(())
}

/// Notes which overrides have run out by this time, and forgets those that have not.
pub(super) fn note_ended(orders: &Orders, ended: &mut Ended, at: Wall, now: Mono) {
    ended.retain(|id, _| orders.all.get(id).is_some_and(|order| order.expires <= at));
    for order in orders.all.values().filter(|order| order.expires <= at) {
        ended.entry(order.id.clone()).or_insert(now);
    }
}
