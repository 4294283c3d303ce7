//! What must not be lost: overrides, audit, idempotency keys, events, verdict transitions; and what a node needs to
//! start without any of it: the snapshot file and the accepted configurations.
//!
//! Accepted means kept: [`ControlStore::commit`] returns after the fsync. A commit whose answer was lost may have
//! happened; idempotency keys make repeating it safe.

pub mod accepted;
pub mod backup;
pub mod ballots;
pub mod bus;
mod database;
pub mod detached;
mod epoch;
#[cfg(feature = "etcd")]
pub mod etcd;
pub mod held_back;
pub mod journal;
mod lock;
#[cfg(feature = "etcd")]
pub mod migrate;
mod orders;
pub mod records;
pub mod serials;
pub mod slips;
pub mod snapshot;
pub mod sqlite;
mod time;
mod worker;

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc};

use tokio::sync::watch;

pub use self::{
    epoch::continues,
    orders::EXPIRED_KEPT,
    slips::{Slip, Slips},
};

use crate::model::{Ballot, NodeId, Override, OverrideId, Presence, Wall};

/// A future of an object-safe method.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The durable state, whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Durable {
    /// The database's identity: a new one never passes for the old.
    pub epoch: String,
    /// Rises by one with each commit of a change.
    pub generation: u64,
    /// Overrides that have not ended, by id. Expired ones are dropped by the store some time after their end.
    pub overrides: Arc<[Override]>,
}

/// One mutation of the durable state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new override; its `generation` is set by the store.
    Create(Override),
    /// Another end.
    Extend {
        /// Which.
        id: OverrideId,
        /// The new end.
        expires: Wall,
    },
    /// Ended by a person.
    End {
        /// Which.
        id: OverrideId,
    },
}

/// The generation a change was decided on; it fails with [`StoreError::Conflict`] if the store has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen(pub u64);

/// Who did what, for the audit. JSON texts are kept as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditDraft {
    /// When.
    pub at: Wall,
    /// Who: `token:web-oncall`, `uid:1000`, `node`.
    pub actor: String,
    /// From where: an address, `unix`, or `signal`.
    pub from: String,
    /// The verb: `override.create`, `override.extend`, `override.end`, `config.reload`, `endpoint.probe` ...
    pub action: String,
    /// The thing: `override:ov_...`, `config`.
    pub target: String,
    /// Before, as JSON.
    pub before: Option<String>,
    /// After, as JSON.
    pub after: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The request's id.
    pub request_id: String,
}

/// An audit entry as kept: its hash covers its content and the hash before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// 1, 2, 3 ...
    pub sequence: u64,
    /// The content.
    pub draft: AuditDraft,
    /// SHA-256 of the entry before, in hexadecimal; 64 zeros for the first.
    pub previous: String,
    /// SHA-256 over `previous` and the content, in hexadecimal.
    pub hash: String,
}

/// An answer that is repeated when the same request comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key: principals do not share them.
    pub principal: String,
    /// The key as sent.
    pub key: String,
    /// SHA-256 of method, path and body, in hexadecimal.
    pub fingerprint: String,
    /// When; kept for [`IDEMPOTENCY_KEPT`].
    pub at: Wall,
    /// The status that was answered.
    pub status: u16,
    /// The body that was answered.
    pub body: String,
}

impl Idempotency {
    /// Whether it still counts.
    fn young(&self, now: Wall) -> bool {
        now < self.at.plus(IDEMPOTENCY_KEPT)
    }
}

/// How long idempotency keys are kept.
pub const IDEMPOTENCY_KEPT: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// What a commit did.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The state afterwards.
    pub durable: Arc<Durable>,
    /// The override that was created, extended or ended, as it is (or was at its end).
    pub entity: Override,
}

/// Builds the answer to keep under an idempotency key, inside the transaction, from what was committed: status and
/// body.
pub type Reply = Box<dyn FnOnce(&Override) -> (u16, String) + Send>;

/// An idempotency key that is to be kept with the commit.
pub struct KeepKey {
    /// See [`Idempotency`].
    pub principal: String,
    /// See [`Idempotency`].
    pub key: String,
    /// See [`Idempotency`].
    pub fingerprint: String,
    /// The answer.
    pub reply: Reply,
}

/// Why the store did not do it; variants by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Decide again on the newer state.
    #[error("the store has moved on to generation {current}")]
    Conflict {
        /// Where it is now.
        current: u64,
    },
    /// There is nothing to extend or end.
    #[error("no override has the id {0}")]
    NoOverride(OverrideId),
    /// The key is in use: repeat the kept answer or refuse another body.
    #[error("the idempotency key was used before")]
    KeyUsed(Box<Idempotency>),
    /// A bound was reached.
    #[error("{what} is full: at most {max}")]
    Full {
        /// What.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// The disk or the database refuses; nothing was changed.
    #[error("the database in {path} refuses: {why}")]
    Refused {
        /// Where.
        path: String,
        /// In words.
        why: String,
    },
    /// The database is damaged or gone; the node goes on from the snapshot file, and writes are refused.
    #[error("the database in {path} is damaged: {why}")]
    Damaged {
        /// Where.
        path: String,
        /// In words.
        why: String,
    },
    /// Another process has it open. Not a reason to start from the snapshot file: the other process is the node.
    #[error("the store in {path} is in use{}", .pid.map_or_else(String::new, |pid| format!(" by process {pid}")))]
    InUse {
        /// Where.
        path: String,
        /// Who, if it is known.
        pid: Option<u32>,
    },
    /// The shared store is out of reach; nothing was changed.
    #[error("the store is out of reach: {why}")]
    Away {
        /// In words.
        why: String,
    },
    /// The shared store is not the one this node knew, or an older state of it: what was in force stays in force, and
    /// nothing is written until a person has decided.
    #[error("the store takes no writes from here: {why}")]
    Held {
        /// In words.
        why: String,
    },
    /// This node's credentials let it read the shared store only: others take orders.
    #[error("this node may not write to the shared store: {why}")]
    ReadOnly {
        /// In words.
        why: String,
    },
    /// The embedded store is being moved to a shared one, or has been: one of the two takes writes, and it is not this
    /// one.
    #[error("the store in {path} is sealed: it {} {destination}", if *.moved { "was moved to" } else { "is being moved to" })]
    Sealed {
        /// Where.
        path: String,
        /// Where to.
        destination: String,
        /// It is there; else it is on its way, or the way was cut off.
        moved: bool,
    },
    /// It may have happened: repeat with the same idempotency key.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
}

/// Durable, linear: embedded SQLite or etcd.
pub trait ControlStore: Send + Sync {
    /// The state now.
    fn load(&self) -> Later<'_, Result<Arc<Durable>, StoreError>>;
    /// The newest state, whole.
    fn watch(&self) -> watch::Receiver<Arc<Durable>>;
    /// Override, audit entry and idempotency key in one transaction, on disk when it returns.
    fn commit(
        &self,
        change: Change,
        seen: Seen,
        audit: AuditDraft,
        key: Option<KeepKey>,
    ) -> Later<'_, Result<Committed, StoreError>>;
    /// An audit entry of something that is not an override.
    fn note(&self, audit: AuditDraft) -> Later<'_, Result<(), StoreError>>;
    /// The answer kept under a key, if it is young enough.
    fn kept(&self, principal: String, key: String) -> Later<'_, Result<Option<Idempotency>, StoreError>>;
    /// Audit entries with a sequence below `before` (all: `u64::MAX`), newest first.
    fn audit(&self, before: u64, limit: usize) -> Later<'_, Result<Vec<AuditEntry>, StoreError>>;
    /// A slip as it stands in the store now; one that was never written has revision 0.
    fn slip(&self, name: String) -> Later<'_, Result<Slip, StoreError>> {
        let _ = name;
        Box::pin(async { Err(alone()) })
    }
    /// Writes a slip with its audit entry in one transaction, if it still has the revision it was read at;
    /// [`StoreError::Conflict`] otherwise.
    fn write_slip(
        &self,
        name: String,
        seen: u64,
        text: String,
        audit: AuditDraft,
    ) -> Later<'_, Result<(), StoreError>> {
        let _ = (name, seen, text, audit);
        Box::pin(async { Err(alone()) })
    }
    /// The newest slips, whole; empty where the store is one node's own.
    fn slips(&self) -> watch::Receiver<Arc<Slips>> {
        watch::channel(Arc::default()).1
    }
    /// Whether this node may write here, as far as it knows.
    fn takes_orders(&self) -> watch::Receiver<bool> {
        watch::channel(true).1
    }
    /// Makes a held store go on from what this node knows: a person has decided. `None` tells only what it would do.
    fn adopt(&self, audit: Option<AuditDraft>) -> Later<'_, Result<Adoption, StoreError>> {
        let _ = audit;
        let why = "this store is not held: the embedded one takes what it lacks by itself, at its start".into();
        Box::pin(async move { Err(StoreError::Refused { path: "the store".into(), why }) })
    }
    /// Whether the whole audit chain holds; the sequence of the first entry that does not.
    fn verify_audit(&self) -> Later<'_, Result<Option<u64>, StoreError>>;
}

/// What a store without other nodes says to what only several need.
fn alone() -> StoreError {
    StoreError::Refused { path: "the store".into(), why: "it is this node's own, no other shares it".into() }
}

/// What adopting a store does to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// The epoch and generation that were found; none in an empty store.
    pub found: Option<(String, u64)>,
    /// Those it goes on with.
    pub next: (String, u64),
    /// Overrides that it lacked, or had otherwise: this node's are taken.
    pub taken: Vec<OverrideId>,
    /// Overrides of it that had ended since, or that it alone has of an older state.
    pub dropped: Vec<OverrideId>,
    /// How many it has afterwards.
    pub overrides: usize,
}

/// Ephemeral, lossy by contract: in-process, or leases in etcd.
pub trait BallotBus: Send + Sync {
    /// Replaces this node's ballot.
    fn publish(&self, ballot: Ballot);
    /// Replaces what this node says of itself.
    fn introduce(&self, presence: Presence);
    /// The newest of each node, this one's own included: what is in here of its own has come back to it.
    fn watch(&self) -> watch::Receiver<Arc<Voices>>;
}

/// What was heard, by node: the newest of each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Voices {
    /// How they vote. Shared, because a ballot of a large fleet is large and all are handed on when one changes.
    pub ballots: BTreeMap<NodeId, Arc<Ballot>>,
    /// What they say of themselves.
    pub presences: BTreeMap<NodeId, Arc<Presence>>,
}

/// What stands before the first entry of an audit.
const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An audit entry's hash: it covers the hash before it, the sequence, and the record exactly as it is kept.
fn link(previous: &str, sequence: u64, record: &str) -> String {
    sum(&format!("{previous}\n{sequence}\n{record}"))
}

/// SHA-256 of a text, in hexadecimal.
fn sum(text: &str) -> String {
    use sha2::Digest as _;
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(text.as_bytes()))
}
