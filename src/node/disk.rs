//! What a node keeps on disk, opened: store, journal, snapshot file, accepted configurations. None of them can keep it
//! from answering.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{sync::watch, task::JoinHandle};

use super::{
    reload,
    shared::{self, Ails, Shared},
};
use crate::{
    config::{SourceFile, StoreSettings},
    model::{Memory, Wall},
    store::{
        BallotBus, ControlStore, StoreError,
        accepted::AcceptedFolder,
        detached::{self, Detached},
        held_back::HeldBack,
        journal::Journal,
        snapshot::{Loaded, SnapshotFile, Which},
        sqlite::{Adopted, Embedded},
    },
};

/// The folder, in the store's folder, of the orders of this node alone.
const LOCAL_FOLDER: &str = "local";

/// All of it, and what is wrong with it.
pub(super) struct Disk {
    /// Overrides and audit: embedded, or detached when the database is not to be had, or shared with other nodes.
    pub(super) store: Arc<dyn ControlStore>,
    /// Other nodes have it as well.
    pub(super) shared: bool,
    /// Orders of this node alone, for when the shared store is out of reach; none where nobody shares it, and detached
    /// when its database is not to be had.
    pub(super) local: Option<Arc<dyn ControlStore>>,
    /// The way of ballots that comes with a shared store.
    pub(super) bus: Option<Arc<dyn BallotBus>>,
    /// What is wrong with the store right now.
    pub(super) ails: Ails,
    /// Whether it is not followed until a person has decided.
    pub(super) held: watch::Receiver<bool>,
    /// The same, if it is the embedded one.
    pub(super) embedded: Option<Arc<Embedded>>,
    /// History.
    pub(super) journal: Arc<Journal>,
    /// What the last run remembered.
    pub(super) memory: Memory,
    /// Writes the snapshot file.
    pub(super) keeper: Arc<Keeper>,
    /// Accepted configurations.
    pub(super) accepted: AcceptedFolder,
    /// The configuration of this start is being kept there.
    pub(super) kept: Option<JoinHandle<()>>,
    /// The one that is not to be started from.
    pub(super) held_back: Arc<HeldBack>,
    /// Why the store takes no writes.
    pub(super) broken: Option<String>,
    /// What else a person should know: word and words.
    pub(super) notes: Vec<(&'static str, String)>,
}

impl Disk {
    /// Opens everything in the store's folder, and the shared store if there is one. `copies` are kept as accepted meanwhile:
    /// whoever waits for a disk leaves the processor to others.
    ///
    /// # Errors
    /// [`StoreError::InUse`] alone where the store is embedded: another process has it, and two may not. A shared one
    /// needs the folder besides.
    pub(super) async fn open(
        settings: &StoreSettings,
        copies: Option<Vec<SourceFile>>,
        now: Wall,
    ) -> Result<Self, StoreError> {
        let folder = &settings.path;
        let mut notes = Vec::new();
        let opened = match &settings.etcd {
            Some(etcd) => {
                let mut file = SnapshotFile::new(folder);
                let found = remembered(&mut file, &mut notes);
                let Shared { store, bus, ails, held } = shared::open(etcd, folder, found.as_ref(), now)?;
                Opened { store, bus, ails, held, embedded: None, broken: None, file, found }
            }
            None => embedded(folder, now, &mut notes).await?,
        };
        // Not before it is sure that the folder is this process's own.
        let accepted = AcceptedFolder::new(folder);
        let keeping = accepted.clone();
        let kept = copies.map(|copies| tokio::task::spawn_blocking(move || reload::keep(&keeping, copies, now)));
        let local = opened.bus.is_some().then(|| own(folder, opened.found.as_ref(), now, &mut notes));
        Ok(Self {
            local,
            store: opened.store,
            shared: opened.bus.is_some(),
            bus: opened.bus,
            ails: opened.ails,
            held: opened.held,
            embedded: opened.embedded,
            journal: Arc::new(Journal::open(folder, now)),
            memory: opened.found.unwrap_or_default(),
            keeper: Arc::new(Keeper { file: Mutex::new(opened.file), trouble: watch::Sender::new(None) }),
            accepted,
            kept,
            held_back: Arc::new(HeldBack::open(folder)),
            broken: opened.broken,
            notes,
        })
    }
}

/// The store of this node's own orders. Without its database what was ordered holds on, and nothing more is taken.
fn own(
    folder: &Path,
    memory: Option<&Memory>,
    now: Wall,
    notes: &mut Vec<(&'static str, String)>,
) -> Arc<dyn ControlStore> {
    match Embedded::open(&folder.join(LOCAL_FOLDER), now) {
        Ok(own) => Arc::new(own),
        Err(error) => {
            let why = super::with_source(&error);
            notes.push(("local-store", format!("no order can be made on this node alone: {why}")));
            Arc::new(Detached::of_this_node(memory, &error))
        }
    }
}

/// A store, and what was remembered before it was opened.
struct Opened {
    store: Arc<dyn ControlStore>,
    bus: Option<Arc<dyn BallotBus>>,
    ails: Ails,
    held: watch::Receiver<bool>,
    embedded: Option<Arc<Embedded>>,
    broken: Option<String>,
    file: SnapshotFile,
    found: Option<Memory>,
}

async fn embedded(folder: &Path, now: Wall, notes: &mut Vec<(&'static str, String)>) -> Result<Opened, StoreError> {
    let opened = Embedded::open(folder, now);
    if let Err(error @ StoreError::InUse { .. }) = opened {
        return Err(error);
    }
    let mut file = SnapshotFile::new(folder);
    let mut found = remembered(&mut file, notes);
    let opened = match (opened, &mut found) {
        (Ok(embedded), Some(memory)) => up_to(memory, embedded, now, notes).await,
        (opened, _) => opened,
    };
    match opened {
        Ok(embedded) => {
            let embedded = Arc::new(embedded);
            let store = Arc::clone(&embedded) as Arc<dyn ControlStore>;
            let trouble = embedded.trouble();
            let ails: Ails = Arc::new(move || {
                let why = trouble.borrow().clone();
                why.map(|why| ("store-refuses", format!("the store takes no changes: {why}"))).into_iter().collect()
            });
            let held = watch::channel(false).1;
            Ok(Opened { store, bus: None, ails, held, embedded: Some(embedded), broken: None, file, found })
        }
        Err(error) => {
            let broken = format!("{}; {}", super::with_source(&error), detached::AFTER);
            let store = Arc::new(Detached::new(found.as_ref(), &error).hold(folder)?);
            let ails: Ails = Arc::new(Vec::new);
            let held = watch::channel(false).1;
            Ok(Opened { store, bus: None, ails, held, embedded: None, broken: Some(broken), file, found })
        }
    }
}

/// What the snapshot file holds.
fn remembered(file: &mut SnapshotFile, notes: &mut Vec<(&'static str, String)>) -> Option<Memory> {
    match file.load() {
        Loaded::Found { memory, from } => {
            if from == Which::Previous {
                notes.push(("snapshot-previous", "the snapshot file is damaged; the one before it is used".into()));
            }
            Some(*memory)
        }
        Loaded::None => None,
        Loaded::Damaged(why) => {
            notes.push(("snapshot-damaged", format!("the snapshot file is damaged: {why}")));
            None
        }
    }
}

/// Makes the database hold what the snapshot file has newer, and the memory belong to that database: from then on the
/// database alone says which overrides there are. A database that cannot take it is not used; the snapshot is.
async fn up_to(
    memory: &mut Memory,
    embedded: Embedded,
    now: Wall,
    notes: &mut Vec<(&'static str, String)>,
) -> Result<Embedded, StoreError> {
    let note = match embedded.adopt(memory, now).await? {
        Adopted::Nothing => None,
        Adopted::Rewound { from, taken, dropped } => Some((
            "store-rewound",
            format!(
                "the database was an older one of itself (generation {from}, the snapshot file has {}): {taken} \
                 overrides were taken from the snapshot file, {dropped} that had ended were dropped; audit entries in \
                 between are lost",
                memory.store_generation
            ),
        )),
        Adopted::Replaced { taken } => Some((
            "store-replaced",
            format!(
                "the database is another than before: {taken} overrides were taken from the snapshot file and stay \
                 until they end; the audit begins with this database"
            ),
        )),
    };
    notes.extend(note);
    let durable = Arc::clone(&embedded.watch().borrow());
    (memory.epoch, memory.store_generation) = (durable.epoch.clone(), durable.generation);
    Ok(embedded)
}

/// The one writer of the snapshot file.
#[derive(Debug)]
pub(super) struct Keeper {
    file: Mutex<SnapshotFile>,
    trouble: watch::Sender<Option<String>>,
}

impl Keeper {
    /// Writes it; on disk when it returns. Trouble is shown and keeps the file there was.
    pub(super) fn save(&self, memory: &Memory) {
        let saved = self.file.lock().unwrap_or_else(PoisonError::into_inner).save(memory);
        let trouble = saved.err().map(|error| super::with_source(&error));
        self.trouble.send_if_modified(|known| {
            let changed = *known != trouble;
            if let (true, Some(why)) = (changed, &trouble) {
                tracing::error!(why, "the snapshot file is not written");
            }
            *known = trouble;
            changed
        });
    }

    /// Why the last write did not happen.
    #[must_use]
    pub(super) fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }
}
