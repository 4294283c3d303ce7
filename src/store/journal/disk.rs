//! The journal's thread: writes what waits in batches, answers queries, comes back when the disk does.

use std::{
    path::{Path, PathBuf},
    sync::MutexGuard,
    time::Duration,
};

use rusqlite::Connection;

use crate::{
    clock::Clock,
    model::{Mono, Wall, ms},
    store::{
        StoreError,
        database::{self, Sync, classify, count, integer, refused},
    },
};

use super::{Keep, Query, Recorded, Shared, State, Trimmed, ring::Beginning, tables};

/// Most events in one transaction.
const BATCH_MAX: usize = 1_000;
/// Most rows that one pruning drops of a table, so that writing does not wait long for it.
const TRIM_MAX: usize = 5_000;
/// Most pages given back to the file system by one pruning (16 MiB).
const VACUUM_PAGES_MAX: u32 = 4_096;
/// How long a disk that refused is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The file, if it is open.
#[derive(Debug)]
pub(super) struct Disk {
    file: PathBuf,
    clock: Clock,
    db: Option<Connection>,
    reserved: u64,
    retry_at: Option<Mono>,
}

/// What the thread does next.
struct Turn {
    batch: Vec<Recorded>,
    queries: Vec<Query>,
    next: u64,
    closing: bool,
}

impl Disk {
    pub(super) fn new(file: PathBuf, clock: Clock) -> Self {
        Self { file, clock, db: None, reserved: 0, retry_at: None }
    }

    /// Opens the file and reads what the ring begins with.
    pub(super) fn open(&mut self, now: Wall) -> Result<Beginning, StoreError> {
        if let Some(folder) = self.file.parent() {
            database::folder(folder)?;
        }
        let first = |reserved: u64| {
            database::open(&self.file, Sync::Normal, tables::STEPS, |db| tables::fresh(db, reserved)).and_then(|db| {
                let beginning = tables::beginning(&db).map_err(|error| classify(&self.file, &error))?;
                Ok((db, beginning))
            })
        };
        let (db, beginning) = match first(0) {
            Err(StoreError::Damaged { .. }) => {
                move_aside(&self.file, now).map_err(|error| refused(&self.file, &error))?;
                // Above every number that was ever given: there were fewer events than milliseconds.
                first(now.0)?
            }
            other => other?,
        };
        self.reserved = beginning.next;
        self.db = Some(db);
        Ok(beginning)
    }

    /// Works until the journal is dropped and what waits is written, or cannot be.
    pub(super) fn run(mut self, shared: &Shared) {
        let _end = End(shared);
        loop {
            let turn = self.wait(shared);
            let failed = self.write(&turn, shared);
            for query in turn.queries {
                self.answer(query);
            }
            if turn.closing && (failed || turn.batch.is_empty()) {
                if !failed && let Some(db) = &self.db {
                    // Without it the numbers only go on further up.
                    let _ = tables::settle(db, turn.next.saturating_sub(1));
                }
                return;
            }
        }
    }

    fn wait(&mut self, shared: &Shared) -> Turn {
        let mut state = shared.lock();
        loop {
            let pause = self.retry_at.map(|at| at.since(self.clock.mono())).filter(|left| !left.is_zero());
            let work = !state.pending.is_empty() && pause.is_none();
            if work || state.closing || !state.queries.is_empty() {
                break;
            }
            state = match pause {
                Some(left) => shared.work.wait_timeout(state, left).unwrap_or_else(|p| p.into_inner()).0,
                None => shared.work.wait(state).unwrap_or_else(|p| p.into_inner()),
            };
        }
        take(&mut state)
    }

    /// Writes a batch; one that cannot be written waits again. `true`: it failed.
    fn write(&mut self, turn: &Turn, shared: &Shared) -> bool {
        if turn.batch.is_empty() {
            return false;
        }
        let made = self.reopen().and_then(|()| self.insert(&turn.batch, turn.next));
        let mut state = shared.lock();
        match made {
            Ok(()) => {
                self.retry_at = None;
                state.health.trouble = None;
                false
            }
            Err(error) => {
                self.retry_at = Some(self.clock.mono().plus(RETRY_AFTER));
                state.health.trouble = Some(error.to_string());
                put_back(&mut state, &turn.batch);
                true
            }
        }
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        if self.db.is_none() {
            self.open(Clock::wall())?;
        }
        Ok(())
    }

    fn insert(&mut self, batch: &[Recorded], next: u64) -> Result<(), StoreError> {
        let Some(db) = &mut self.db else { return Err(refused(&self.file, &"it is not open")) };
        let mut reserved = self.reserved;
        let mut write = || -> rusqlite::Result<()> {
            let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            if tables::runs_short(reserved, next) {
                reserved = tables::reserve(&tx, next)?;
            }
            batch.iter().try_for_each(|recorded| tables::insert(&tx, recorded))?;
            tx.commit()
        };
        let made = write().map_err(|error| classify(&self.file, &error));
        if matches!(made, Err(StoreError::Damaged { .. })) {
            // Opening it again moves it aside.
            self.db = None;
        } else if made.is_ok() {
            self.reserved = reserved;
        }
        made
    }

    fn answer(&self, query: Query) {
        let told = |error: rusqlite::Error| classify(&self.file, &error);
        let db = self.db.as_ref().ok_or_else(|| refused(&self.file, &"it is not open"));
        // Whoever asked may have gone.
        match query {
            Query::Events { filter, answer } => {
                drop(answer.send(db.and_then(|db| tables::select(db, &filter).map_err(told))));
            }
            Query::Transitions { filter, answer } => {
                drop(answer.send(db.and_then(|db| tables::transitions(db, &filter).map_err(told))));
            }
            Query::Trim { now, keep, answer } => {
                drop(answer.send(db.and_then(|db| trim(db, now, keep).map_err(told))));
            }
        }
    }
}

/// Tells the owner however the thread ends.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().end("its thread has ended");
    }
}

/// A query sees everything that was appended before it: while one waits, all that waits is taken with it.
fn take(state: &mut MutexGuard<'_, State>) -> Turn {
    let size = if state.queries.is_empty() { BATCH_MAX.min(state.pending.len()) } else { state.pending.len() };
    Turn {
        batch: state.pending.drain(..size).collect(),
        queries: state.queries.drain(..).collect(),
        next: state.ring.next(),
        closing: state.closing,
    }
}

fn put_back(state: &mut MutexGuard<'_, State>, batch: &[Recorded]) {
    let room = super::PENDING_MAX.saturating_sub(state.pending.len());
    let lost = batch.len().saturating_sub(room);
    state.health.dropped += lost as u64;
    for recorded in batch[lost..].iter().rev() {
        state.pending.push_front(recorded.clone());
    }
}

/// The file and SQLite's two beside it; they belong together.
fn move_aside(file: &Path, now: Wall) -> std::io::Result<()> {
    let name = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    for part in ["", "-wal", "-shm"] {
        let from = name(part);
        if from.exists() {
            std::fs::rename(from, name(&format!(".damaged-{}{part}", now.0)))?;
        }
    }
    Ok(())
}

fn trim(db: &Connection, now: Wall, keep: Keep) -> rusqlite::Result<Trimmed> {
    let oldest = |kept: Duration| integer(now.0.saturating_sub(ms(kept)));
    let by_age = |table: &str, kept: Duration| {
        let text = format!(
            "DELETE FROM {table} WHERE seq IN (SELECT seq FROM {table} WHERE at < ?1 ORDER BY at LIMIT {TRIM_MAX})"
        );
        db.execute(&text, [oldest(kept)])
    };
    let by_number = |table: &str| {
        let text = format!("DELETE FROM {table} WHERE seq IN (SELECT seq FROM {table} ORDER BY seq LIMIT {TRIM_MAX})");
        db.execute(&text, [])
    };
    let mut events = by_age("event", keep.events)?;
    let mut transitions = by_age("transition", keep.transitions)?;
    let mut more = events == TRIM_MAX || transitions == TRIM_MAX;
    if keep.max_size < used(db)? {
        // Events first; transitions only once no event is left.
        let dropped = by_number("event")?;
        events += dropped;
        if dropped == 0 {
            transitions += by_number("transition")?;
        }
        more |= keep.max_size < used(db)?;
    }
    let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES_MAX})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(Trimmed { events: events as u64, transitions: transitions as u64, more: more && 0 < events + transitions })
}

/// Octets of pages in use.
fn used(db: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get(0)).map(count);
    Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
}
