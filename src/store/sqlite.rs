//! The embedded store: SQLite in one file, one writer thread, every commit on disk before it is answered.
//!
//! | file in the folder (0700) | holds |
//! |---|---|
//! | `wayshift.db` (0600), and SQLite's `-wal` and `-shm` | overrides, audit, idempotency keys |
//! | `wayshift.lock` | the id of the process that has it open |
//!
//! A damaged file is never deleted, renamed or replaced by this program: a fresh one in its place would be an older
//! state that overwrites a newer. [`Embedded::open`] says [`StoreError::Damaged`], the node goes on from the snapshot
//! file with a [`super::detached::Detached`], and a person decides: restore a backup, or move the file aside
//! (`wayshift.db.damaged-<time>`) and start anew, which gives the store another epoch.
//!
//! A disk that fills up while it runs refuses commits one by one and takes them again when there is room.

mod adopt;
mod apply;
mod chain;
pub mod copy;
mod keys;
mod restore;
mod schema;
pub mod seal;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use crate::model::{Memory, Wall};

use super::{
    AuditDraft, AuditEntry, Change, Committed, ControlStore, Durable, Idempotency, KeepKey, Later, Seen, StoreError,
    database::{self, Sync},
    lock::StoreLock,
    time::Time,
    worker::Worker,
};

pub use self::{adopt::Adopted, keys::KEYS_PER_PRINCIPAL_MAX, restore::restore, writer::Pruned};
use self::{
    apply::Request,
    writer::{Job, Writer},
};

/// The database's file in the store's folder.
pub const DATABASE_FILE: &str = "wayshift.db";
/// Commits and notes that may wait; beyond it whoever asks waits as well.
pub const QUEUE_MAX: usize = 256;
/// Most audit entries of one page, and of one step of verifying.
pub const AUDIT_PAGE_MAX: usize = 1000;

/// A reading job.
type Read = Box<dyn FnOnce(&Connection) + Send>;

/// SQLite behind [`ControlStore`]. Dropping it finishes what was accepted and lets go of the folder.
#[derive(Debug)]
pub struct Embedded {
    file: PathBuf,
    durable: watch::Receiver<Arc<Durable>>,
    trouble: watch::Receiver<Option<Arc<str>>>,
    time: Arc<Time>,
    // Fields are dropped in order: both threads have ended before the lock goes.
    writer: Worker<Job>,
    reader: Worker<Read>,
    _lock: StoreLock,
}

impl Embedded {
    /// Opens the store in a folder, or makes it.
    ///
    /// # Errors
    /// [`StoreError::InUse`]: another process has it. [`StoreError::Damaged`], [`StoreError::Refused`] (full or read-only
    /// disk, permissions, a newer program's file): nothing was changed, start from the snapshot file.
    pub fn open(path: &Path, now: Wall) -> Result<Self, StoreError> {
        database::folder(path)?;
        let lock = StoreLock::take(path)?;
        let file = path.join(DATABASE_FILE);
        let db = database::open(&file, Sync::Full, schema::STEPS, |db| schema::fresh(db, now))?;
        let time = Arc::new(Time::new(now));
        let (writer, (durable, trouble)) = Writer::new(db, file.clone(), Arc::clone(&time))?;
        let reading = database::reader(&file)?;
        let started = |error: std::io::Error| database::refused(&file, &error);
        let writer = Worker::start("store-writer", QUEUE_MAX, |jobs| writer.run(jobs)).map_err(started)?;
        let reader = Worker::start("store-reader", QUEUE_MAX, move |mut jobs| {
            while let Some(job) = jobs.blocking_recv() {
                let job: Read = job;
                job(&reading);
            }
        })
        .map_err(started)?;
        Ok(Self { file, durable, trouble, time, writer, reader, _lock: lock })
    }

    /// Why the last write was refused by the disk or the database; `None` once one succeeds. For banner and event.
    #[must_use]
    pub fn trouble(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.trouble.clone()
    }

    /// Compares with what the snapshot file remembers and takes over what is newer there, see [`Adopted`]. To be asked
    /// once, before anybody reads from the store.
    ///
    /// # Errors
    /// Those of the disk; nothing was changed, and the snapshot file is the newer state.
    pub async fn adopt(&self, memory: &Memory, now: Wall) -> Result<Adopted, StoreError> {
        let memory = Box::new(memory.clone());
        self.write(|answer| Job::Adopt { memory, now, answer }).await
    }

    /// Drops idempotency keys that are too old and counts audit entries made before `audit_kept_since`. Those are kept:
    /// audit is never dropped before it was exported, and this version does not export.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn prune(&self, now: Wall, audit_kept_since: Wall) -> Result<Pruned, StoreError> {
        self.write(|answer| Job::Prune { now, audit_kept_since, answer }).await
    }

    async fn write<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        if !self.writer.send(job(answer)).await {
            return Err(database::refused(&self.file, &"its writer has ended"));
        }
        let gone = |_| Err(StoreError::Unknown(format!("the writer of {} ended in between", self.file.display())));
        answered.await.unwrap_or_else(gone)
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Read = Box::new(move |db| {
            // Whoever asked may have gone.
            let _ = answer.send(read(db));
        });
        let ended = || database::refused(&self.file, &"its reader has ended");
        if !self.reader.send(job).await {
            return Err(ended());
        }
        answered.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl ControlStore for Embedded {
    fn load(&self) -> Later<'_, Result<Arc<Durable>, StoreError>> {
        // One process has the file, and what is watched was written after its commit: memory is the truth.
        Box::pin(async { Ok(Arc::clone(&self.durable.borrow())) })
    }

    fn watch(&self) -> watch::Receiver<Arc<Durable>> {
        self.durable.clone()
    }

    fn commit(
        &self,
        change: Change,
        seen: Seen,
        audit: AuditDraft,
        key: Option<KeepKey>,
    ) -> Later<'_, Result<Committed, StoreError>> {
        let request = Box::new(Request { change, seen, audit, key });
        Box::pin(self.write(move |answer| Job::Commit { request, answer }))
    }

    fn note(&self, audit: AuditDraft) -> Later<'_, Result<(), StoreError>> {
        Box::pin(self.write(move |answer| Job::Note { audit, answer }))
    }

    fn kept(&self, principal: String, key: String) -> Later<'_, Result<Option<Idempotency>, StoreError>> {
        let (file, now) = (self.file.clone(), self.time.now());
        Box::pin(self.read(move |db| {
            let kept = keys::find(db, &principal, &key).map_err(|error| database::classify(&file, &error))?;
            Ok(kept.filter(|kept| kept.young(now)))
        }))
    }

    fn audit(&self, before: u64, limit: usize) -> Later<'_, Result<Vec<AuditEntry>, StoreError>> {
        let file = self.file.clone();
        Box::pin(self.read(move |db| chain::page(db, &file, before, limit.min(AUDIT_PAGE_MAX))))
    }

    fn verify_audit(&self) -> Later<'_, Result<Option<u64>, StoreError>> {
        Box::pin(async {
            // Step by step, so that other readers get their turn in between.
            let mut walk = chain::Walk::default();
            loop {
                let file = self.file.clone();
                match self.read(move |db| walk.step(db, &file, AUDIT_PAGE_MAX)).await? {
                    chain::Stepped::On(further) => walk = further,
                    chain::Stepped::Whole => return Ok(None),
                    chain::Stepped::Broken(sequence) => return Ok(Some(sequence)),
                }
            }
        })
    }
}
