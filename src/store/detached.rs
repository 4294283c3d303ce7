//! A store without its database: serves what the snapshot file remembered, refuses every write and says why.
//!
//! Why it refuses instead of writing to a fresh database: what was accepted may still be in the damaged one, and a fresh
//! database that goes on from a snapshot would be an older state that overwrites a newer. A person decides, see
//! [`super::sqlite`].

use std::{path::Path, sync::Arc};

use tokio::sync::watch;

use crate::model::Memory;

use super::{
    AuditDraft, AuditEntry, Change, Committed, ControlStore, Durable, Idempotency, KeepKey, Later, Seen, StoreError,
    lock::StoreLock,
};

/// What ends it: nothing by itself, because a store is opened once.
pub const AFTER: &str = "once that is mended, start the node again";

/// Reads from memory; every write is the error that kept the database from opening.
#[derive(Debug)]
pub struct Detached {
    durable: watch::Sender<Arc<Durable>>,
    path: String,
    why: String,
    damaged: bool,
    /// Where the embedded store has gone, and whether it is there.
    sealed: Option<(String, bool)>,
    /// Only kept, so that it is let go of with the store.
    lock: Option<StoreLock>,
}

impl Detached {
    /// What a memory remembered (or nothing, where there is none), and the error of [`super::sqlite::Embedded::open`].
    #[must_use]
    pub fn new(memory: Option<&Memory>, error: &StoreError) -> Self {
        let durable = memory.map_or_else(Durable::default, |memory| Durable {
            epoch: memory.epoch.clone(),
            generation: memory.store_generation,
            overrides: memory.shared().cloned().collect(),
        });
        let (path, why, damaged) = match error {
            StoreError::Damaged { path, why } => (path.clone(), why.clone(), true),
            StoreError::Refused { path, why } => (path.clone(), why.clone(), false),
            StoreError::InUse { path, .. } => (path.clone(), error.to_string(), false),
            StoreError::Sealed { path, .. } => (path.clone(), error.to_string(), false),
            StoreError::Unknown(why)
            | StoreError::Away { why }
            | StoreError::Held { why }
            | StoreError::ReadOnly { why } => (String::new(), why.clone(), false),
            StoreError::Conflict { .. }
            | StoreError::NoOverride(_)
            | StoreError::KeyUsed(_)
            | StoreError::Full { .. } => (String::new(), error.to_string(), false),
        };
        let why = format!("{why}; {AFTER}");
        let sealed = if let StoreError::Sealed { destination, moved, .. } = error {
            Some((destination.clone(), *moved))
        } else {
            None
        };
        Self { durable: watch::Sender::new(Arc::new(durable)), path, why, damaged, sealed, lock: None }
    }

    /// Takes the folder like a store that opened: the snapshot file and the journal in it have one writer too. A disk
    /// that does not even let the lock file be opened is no reason to end.
    ///
    /// # Errors
    /// [`StoreError::InUse`]: another process is the node, this one ends.
    pub fn hold(mut self, folder: &Path) -> Result<Self, StoreError> {
        match StoreLock::take(folder) {
            Ok(lock) => self.lock = Some(lock),
            Err(used @ StoreError::InUse { .. }) => return Err(used),
            Err(_) => {}
        }
        Ok(self)
    }

    fn no<T: Send + 'static>(&self) -> Later<'_, Result<T, StoreError>> {
        let (path, why) = (self.path.clone(), self.why.clone());
        let error = match self.sealed.clone() {
            Some((destination, moved)) => StoreError::Sealed { path, destination, moved },
            None if self.damaged => StoreError::Damaged { path, why },
            None => StoreError::Refused { path, why },
        };
        Box::pin(std::future::ready(Err(error)))
    }
}

impl ControlStore for Detached {
    fn load(&self) -> Later<'_, Result<Arc<Durable>, StoreError>> {
        Box::pin(async { Ok(Arc::clone(&self.durable.borrow())) })
    }

    fn watch(&self) -> watch::Receiver<Arc<Durable>> {
        self.durable.subscribe()
    }

    fn commit(
        &self,
        _: Change,
        _: Seen,
        _: AuditDraft,
        _: Option<KeepKey>,
    ) -> Later<'_, Result<Committed, StoreError>> {
        self.no()
    }

    fn note(&self, _: AuditDraft) -> Later<'_, Result<(), StoreError>> {
        self.no()
    }

    fn kept(&self, _: String, _: String) -> Later<'_, Result<Option<Idempotency>, StoreError>> {
        self.no()
    }

    fn audit(&self, _: u64, _: usize) -> Later<'_, Result<Vec<AuditEntry>, StoreError>> {
        self.no()
    }

    fn verify_audit(&self) -> Later<'_, Result<Option<u64>, StoreError>> {
        self.no()
    }
}
