//! The shared store: overrides, audit and kept answers in etcd (3.4 or newer), for nodes in several regions.
//!
//! | file | does |
//! |---|---|
//! | `line` | asks one member at a time |
//! | `keys` | names keys |
//! | `picture` | the state at one revision, and the next |
//! | `fence` | what may follow what |
//! | `core` | what the others share; the swap |
//! | `list`, `watcher` | reading: whole, and from there on |
//! | `commit`, `kept`, `slip` | writing |
//! | `rights` | whether it may |
//! | `adopt` | a person's decision where nothing is followed |
//! | `chain` | the audit |
//! | `bus` | ballots, under leases |
//! | `visit`, `fill` | from outside a node: copied, and filled where it is empty |
//!
//! Nothing here is needed to answer: what was in force stays in force while etcd is away, and what etcd says is taken
//! over only if it is newer than what this node knew (`fence`). An etcd that has gone back, or is another, is not
//! followed and not written to: [`Contact::Held`].

mod adopt;
pub mod bus;
mod chain;
mod commit;
mod core;
mod fence;
mod fill;
mod kept;
mod keys;
mod line;
mod list;
mod picture;
mod rights;
mod slip;
mod visit;
mod watcher;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use etcd_client::GetOptions;
use tokio::{
    sync::{Mutex, watch},
    task::JoinSet,
};

use crate::model::{Memory, PrivateKey, Secret, Wall};

pub use self::visit::{Standing, Visit};
use self::{bus::LeasedBus, commit::Desk, core::Core};
use super::{
    Adoption, AuditDraft, AuditEntry, Change, Committed, ControlStore, Durable, Idempotency, KeepKey, Later, Seen,
    Slip, Slips, StoreError, database, lock::StoreLock, records::HeadRecord,
};

/// Most audit entries of one page.
const AUDIT_PAGE_MAX: usize = super::sqlite::AUDIT_PAGE_MAX;

/// Where etcd is and who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Members in the order they are asked, the nearest first; at least one.
    pub endpoints: Vec<String>,
    /// What all keys begin with: one for each fleet.
    pub prefix: String,
    /// For `https` endpoints.
    pub tls: Option<Tls>,
    /// User and password.
    pub user: Option<(String, Secret)>,
}

/// Whom to trust and how to show who we are. Files are read with each connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The authority that signed the members' certificates; the machine's own trust anchors by default.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key, in PEM.
    pub identity: Option<(PathBuf, PrivateKey)>,
}

/// How this node stands to etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// Its state is followed.
    Made,
    /// It is not, for the moment; what was in force stays in force. In words why.
    Lost(Arc<str>),
    /// What is there may not be followed: another state, an older one, one that does not fit. Nothing is written until
    /// a person has decided. In words why.
    Held(Arc<str>),
}

/// etcd behind [`ControlStore`]. Dropping it ends its tasks and lets go of the folder.
pub struct Etcd {
    core: Arc<Core>,
    desk: Mutex<Desk>,
    bus: Arc<LeasedBus>,
    _tasks: JoinSet<()>,
    _lock: StoreLock,
}

impl Etcd {
    /// Begins to follow etcd; never waits for it. What the snapshot file remembers is what etcd has to go on from. The
    /// folder holds this node's snapshot file and journal: one process has it.
    ///
    /// # Errors
    /// [`StoreError::InUse`] and [`StoreError::Refused`], of the folder.
    pub fn open(settings: Settings, folder: &Path, memory: Option<&Memory>, now: Wall) -> Result<Self, StoreError> {
        database::folder(folder)?;
        let lock = StoreLock::take(folder)?;
        let core = Arc::new(Core::new(settings, memory, now));
        let bus = Arc::new(LeasedBus::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(watcher::run(Arc::clone(&core)));
        tasks.spawn(rights::run(Arc::clone(&core)));
        tasks.spawn(bus::write(Arc::clone(&core), Arc::clone(&bus)));
        tasks.spawn(bus::read(Arc::clone(&core), Arc::clone(&bus)));
        let home = Arc::clone(&core);
        tasks.spawn(async move { home.line.home(home.keys.head()).await });
        Ok(Self { core, desk: Mutex::default(), bus, _tasks: tasks, _lock: lock })
    }

    /// How this node stands to etcd.
    #[must_use]
    pub fn contact(&self) -> watch::Receiver<Contact> {
        self.core.contact()
    }

    /// Whether what is there is not followed until a person has decided.
    #[must_use]
    pub fn held(&self) -> watch::Receiver<bool> {
        self.core.is_held()
    }

    /// What a person should know of the state in etcd, although it is followed: overrides that cannot be read.
    #[must_use]
    pub fn trouble(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.core.trouble()
    }

    /// Ballots by the same line.
    #[must_use]
    pub fn bus(&self) -> Arc<LeasedBus> {
        Arc::clone(&self.bus)
    }

    /// The state as it is now in etcd, not as it was last heard of.
    async fn newest(&self) -> Result<Arc<Durable>, StoreError> {
        let core = &self.core;
        core.writable()?;
        let floor = core.seen();
        let answer = core.line.get(&core.keys.head(), GetOptions::new()).await;
        let answer = answer.map_err(|trouble| core.away(&trouble))?;
        let head = answer.kvs().first().and_then(|kv| HeadRecord::parse(list::text(kv).ok()?).ok());
        if let (Some(head), Some(picture)) = (head, core.picture()) {
            core.check(answer.header(), floor, &head.epoch).map_err(|why| core.held(why))?;
            let there = (picture.head.epoch == head.epoch && head.generation <= picture.head.generation)
                || watcher::reached(core, &head.epoch, head.generation).await;
            if there {
                return Ok(Arc::clone(&core.durable().borrow()));
            }
        }
        commit::newest(core).await?;
        Ok(Arc::clone(&core.durable().borrow()))
    }
}

impl ControlStore for Etcd {
    fn load(&self) -> Later<'_, Result<Arc<Durable>, StoreError>> {
        Box::pin(self.newest())
    }

    fn watch(&self) -> watch::Receiver<Arc<Durable>> {
        self.core.durable()
    }

    fn commit(
        &self,
        change: Change,
        seen: Seen,
        audit: AuditDraft,
        key: Option<KeepKey>,
    ) -> Later<'_, Result<Committed, StoreError>> {
        Box::pin(async move {
            // One at a time: writers of one process would only make each other's transactions fail.
            let mut desk = self.desk.lock().await;
            commit::commit(&self.core, &mut desk, change, seen, audit, key).await
        })
    }

    fn note(&self, audit: AuditDraft) -> Later<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut desk = self.desk.lock().await;
            commit::note(&self.core, &mut desk, audit).await
        })
    }

    fn kept(&self, principal: String, key: String) -> Later<'_, Result<Option<Idempotency>, StoreError>> {
        Box::pin(async move {
            let (_, kept) = kept::look(&self.core, Some((&principal, &key))).await?;
            Ok(kept.filter(|kept| kept.young(self.core.time.now())))
        })
    }

    fn audit(&self, before: u64, limit: usize) -> Later<'_, Result<Vec<AuditEntry>, StoreError>> {
        Box::pin(chain::page(&self.core, before, limit.min(AUDIT_PAGE_MAX)))
    }

    fn slip(&self, name: String) -> Later<'_, Result<Slip, StoreError>> {
        Box::pin(slip::read(&self.core, name))
    }

    fn write_slip(
        &self,
        name: String,
        seen: u64,
        text: String,
        audit: AuditDraft,
    ) -> Later<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut desk = self.desk.lock().await;
            slip::write_slip(&self.core, &mut desk, (name, seen, text), audit).await
        })
    }

    fn slips(&self) -> watch::Receiver<Arc<Slips>> {
        self.core.slips()
    }

    fn takes_orders(&self) -> watch::Receiver<bool> {
        self.core.may_write()
    }

    fn adopt(&self, audit: Option<AuditDraft>) -> Later<'_, Result<Adoption, StoreError>> {
        Box::pin(async move {
            let _desk = self.desk.lock().await;
            adopt::by(&self.core, audit).await
        })
    }

    fn verify_audit(&self) -> Later<'_, Result<Option<u64>, StoreError>> {
        Box::pin(chain::verify(&self.core))
    }
}

impl std::fmt::Debug for Etcd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Etcd").field("contact", &*self.core.contact().borrow()).finish_non_exhaustive()
    }
}
