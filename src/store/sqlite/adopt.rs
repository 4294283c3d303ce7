//! Bringing a database up to what the snapshot file remembers: a node must never start with less than it last had.
//!
//! The snapshot file is normally older than the database or as old. When it is newer, somebody replaced the file:
//!
//! | database | what happened | what is done |
//! |---|---|---|
//! | the same epoch, a lower generation | an older copy was put back, or its log was lost | it takes what the snapshot has, whole: the snapshot is a later state of it |
//! | another epoch | it was deleted, or another one put there | it keeps its own and takes what it lacks: what is in force stays in force until it ends |
//!
//! Both are an entry of the audit. A database remembers what it has taken from, so that a snapshot file that could not
//! be written since does not bring back what a person has ended.

use std::{collections::BTreeSet, path::Path};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::model::{Memory, Override, OverrideId, Wall};

use super::{
    super::{
        AuditDraft, StoreError,
        database::{classify, count, integer},
        orders::Orders,
    },
    apply, chain, seal,
};

/// How a database stood to the snapshot file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopted {
    /// It is the newer one, or there is nothing to compare with.
    Nothing,
    /// It was an older state of itself.
    Rewound {
        /// The generation it had.
        from: u64,
        /// Overrides that it lacked, or had otherwise.
        taken: usize,
        /// Overrides of it that had ended since.
        dropped: usize,
    },
    /// It was another database.
    Replaced {
        /// Overrides that it lacked, or had otherwise.
        taken: usize,
    },
}

/// Compares and takes what is missing, in the caller's transaction. The bound on overrides does not count here: what
/// was accepted is kept, and there can be no more than twice as many.
pub(super) fn adopt(
    db: &Connection,
    file: &Path,
    orders: &mut Orders,
    memory: &Memory,
    now: Wall,
) -> Result<Adopted, StoreError> {
    let told = |error: rusqlite::Error| classify(file, &error);
    if memory.epoch.is_empty() {
        return Ok(Adopted::Nothing);
    }
    let (known, word) = if memory.epoch == orders.epoch {
        (Some(orders.generation), "store.rewound")
    } else {
        (known(db, &memory.epoch).map_err(told)?, "store.replaced")
    };
    if known.is_some_and(|known| memory.store_generation <= known) {
        return Ok(Adopted::Nothing);
    }
    // A state that has gone on elsewhere is not brought up to it here: it takes no writes.
    seal::refuse(db, file)?;
    let from = orders.generation;
    let taken: Vec<Override> = memory
        .shared()
        .filter(|order| orders.all.get(&order.id).is_none_or(|held| **held != **order))
        .cloned()
        .collect();
    let adopted = if memory.epoch == orders.epoch {
        let remembered: BTreeSet<&OverrideId> = memory.shared().map(|order| &order.id).collect();
        let ended: Vec<OverrideId> = orders.all.keys().filter(|id| !remembered.contains(id)).cloned().collect();
        for id in &ended {
            apply::forget(db, orders, id).map_err(told)?;
        }
        Adopted::Rewound { from, taken: taken.len(), dropped: ended.len() }
    } else {
        db.execute(
            "INSERT OR REPLACE INTO adopted VALUES (?1, ?2)",
            params![memory.epoch, integer(memory.store_generation)],
        )
        .map_err(told)?;
        Adopted::Replaced { taken: taken.len() }
    };
    // Above both: whoever has seen either finds it moved on.
    orders.generation = from.max(memory.store_generation) + 1;
    db.execute("UPDATE meta SET generation = ?1", [integer(orders.generation)]).map_err(told)?;
    let ids: Vec<String> = taken.iter().map(|order| order.id.to_string()).collect();
    for order in taken {
        apply::put(db, orders, order).map_err(told)?;
    }
    chain::append(db, note(word, from, orders, memory, &ids, now)).map_err(told)?;
    Ok(adopted)
}

/// How far this database has taken from another.
fn known(db: &Connection, epoch: &str) -> rusqlite::Result<Option<u64>> {
    db.query_row("SELECT generation FROM adopted WHERE epoch = ?1", [epoch], |row| row.get(0).map(count)).optional()
}

fn note(word: &str, from: u64, orders: &Orders, memory: &Memory, taken: &[String], now: Wall) -> AuditDraft {
    let before = serde_json::json!({ "epoch": orders.epoch, "generation": from });
    let after = serde_json::json!({
        "epoch": orders.epoch,
        "generation": orders.generation,
        "snapshot": { "epoch": memory.epoch, "generation": memory.store_generation, "at": memory.at.to_string() },
        "taken": taken,
    });
    AuditDraft {
        at: now,
        actor: "node".into(),
        from: "start".into(),
        action: word.into(),
        target: "store".into(),
        before: Some(before.to_string()),
        after: Some(after.to_string()),
        reason: Some("the snapshot file is newer than the database".into()),
        request_id: String::new(),
    }
}
