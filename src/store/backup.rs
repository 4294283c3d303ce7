//! A backup: overrides, audit and kept answers of one moment, out of either store, in one file.
//!
//! ```text
//! wayshift-backup 1
//! length 18340
//! sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! {"v":1,"made":"2026-11-23T07:30:00.000Z","from":"embedded","epoch":"01JD8ZK...","generation":7, ... }
//! {"override":{"id":"ov_01JD...","record":"{...}"}}
//! {"entry":{"sequence":1, ... }}
//! {"answer":{ ... }}
//! ```
//!
//! | file | does |
//! |---|---|
//! | `check` | says whether what was copied can be what a store had |
//! | `file` | the file: written beside and renamed, read whole or not at all |
//!
//! Why a format of its own and not SQLite's file: it is the same for both stores, it holds one moment and no log beside
//! it, a person can read it, and whoever restores it need not open a database that a stranger made. The audit is a chain
//! and each override has its entry there, so a changed backup does not pass; one that was forged with all its sums does,
//! which is why [`Saved::sum`] is worth keeping elsewhere.

mod check;
mod file;

use std::collections::BTreeMap;

use crate::model::Wall;

use super::{
    AuditDraft, Idempotency, StoreError,
    records::{AuditRecord, OverrideRecord},
};

pub use self::{
    check::{Finding, check},
    file::{BACKUP_SIZE_MAX, BackupError, Saved, load, save},
};

/// Which store it was copied from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// One node's own.
    Embedded,
    /// The one that nodes share.
    Etcd,
}

impl Origin {
    /// As it stands in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Etcd => "etcd",
        }
    }
}

/// One moment of a store, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// When it was copied.
    pub made: Wall,
    /// Out of which kind of store.
    pub from: Origin,
    /// The state's identity.
    pub epoch: String,
    /// How far it had come.
    pub generation: u64,
    /// By id: each override's record, as it is kept.
    pub overrides: BTreeMap<String, String>,
    /// The audit, from its first entry on.
    pub audit: Vec<Entry>,
    /// The audit's head as the store keeps it beside: sequence and hash.
    pub head: (u64, String),
    /// Answers kept under idempotency keys.
    pub answers: Vec<Idempotency>,
}

/// An entry of the audit, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// 1, 2, 3 ...
    pub sequence: u64,
    /// The state's generation afterwards. The embedded store does not keep it: it is counted from the actions there.
    pub generation: u64,
    /// Which attempt made it; only the shared store knows.
    pub attempt: String,
    /// The hash of the entry before.
    pub previous: String,
    /// See [`super::AuditEntry`].
    pub hash: String,
    /// The record that was hashed.
    pub record: String,
}

impl Backup {
    /// The overrides, read.
    ///
    /// # Errors
    /// [`StoreError::Damaged`]: one is not readable. In what passed [`check()`] all are.
    pub fn orders(&self) -> Result<Vec<crate::model::Override>, StoreError> {
        let read = |(id, text): (&String, &String)| {
            OverrideRecord::parse(text).map_err(|error| StoreError::Damaged {
                path: "the backup".into(),
                why: format!("override {id}: {error}"),
            })
        };
        self.overrides.iter().map(read).collect()
    }

    /// The audit, read: sequence, generation, content.
    ///
    /// # Errors
    /// As [`Backup::orders`].
    pub fn drafts(&self) -> Result<Vec<(u64, u64, AuditDraft)>, StoreError> {
        let read = |entry: &Entry| {
            let draft = AuditRecord::parse(&entry.record).map_err(|error| StoreError::Damaged {
                path: "the backup".into(),
                why: format!("audit entry {}: {error}", entry.sequence),
            })?;
            Ok((entry.sequence, entry.generation, draft))
        };
        self.audit.iter().map(read).collect()
    }
}

/// What an audit entry's action does to the generation.
pub(super) fn raises(action: &str) -> bool {
    let of_store = ["store.rewound", "store.replaced", "store.adopt", "store.migrate"];
    matches!(action, "override.create" | "override.extend" | "override.end") || of_store.contains(&action)
}

/// Fills in generations where the store keeps none: from the newest on, one less for each entry that raised it.
pub(super) fn counted(audit: &mut [Entry], actions: &[bool], newest: u64) {
    let mut generation = newest;
    for (entry, raised) in audit.iter_mut().zip(actions).rev() {
        entry.generation = generation;
        generation = generation.saturating_sub(u64::from(*raised));
    }
}

#[cfg(test)]
pub(super) mod samples;
