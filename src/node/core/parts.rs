//! What a control loop is given, and the ends of it that others hold.

use std::sync::{Arc, atomic::AtomicU64};

use tokio::sync::{mpsc, watch};

use super::super::recall::Recall;
use crate::{
    clock::Clock,
    control::{Identity, Input},
    model::{Ballot, Company, Duties, Event, Fleet, Memory, Mono, Process, Snapshot, Tempi},
    steer::{Editions, Live, Locator},
    store::{BallotBus, Durable},
    telemetry::control::ControlMetrics,
};

/// What a control loop is made of.
pub(in crate::node) struct CoreParts {
    /// Who decides.
    pub(in crate::node) identity: Identity,
    /// What this process is, where others share its store: it says so to them.
    pub(in crate::node) process: Option<Process>,
    /// What exists at the start.
    pub(in crate::node) fleet: Arc<Fleet>,
    /// What was remembered.
    pub(in crate::node) memory: Memory,
    /// Time.
    pub(in crate::node) clock: Clock,
    /// The other vantages' ballots, and where ours goes.
    pub(in crate::node) bus: Arc<dyn BallotBus>,
    /// The durable state.
    pub(in crate::node) durable: watch::Receiver<Arc<Durable>>,
    /// The orders of this node alone; none where nobody shares the store.
    pub(in crate::node) local: Option<watch::Receiver<Arc<Durable>>>,
    /// Whether this node may write to the shared store: it says so to others.
    pub(in crate::node) takes_orders: watch::Receiver<bool>,
    /// Whether the store is not what it was, and a person has to decide.
    pub(in crate::node) held: watch::Receiver<bool>,
    /// Called with what happened, in order.
    pub(in crate::node) announce: Box<dyn FnMut(Vec<Event>) + Send>,
    /// What clients are located with; the table in force follows it.
    pub(in crate::node) locator: watch::Receiver<Arc<Locator>>,
    /// What secondaries are given; the table in force follows it.
    pub(in crate::node) editions: watch::Receiver<Arc<Editions>>,
    /// Counts verdicts and how long failovers take.
    pub(in crate::node) metrics: Arc<ControlMetrics>,
    /// Writes the snapshot file. Called before overrides of a newer store generation are announced, so that "applied"
    /// means: survives a restart with the database gone.
    pub(in crate::node) persist: Box<dyn FnMut(&Memory) + Send>,
}

/// The ends of a control loop that others hold.
#[derive(Clone)]
pub(in crate::node) struct CoreHandle {
    /// Observations and reloads go in here.
    pub(in crate::node) inbox: mpsc::Sender<Input>,
    /// The newest picture.
    pub(in crate::node) snapshot: watch::Receiver<Arc<Snapshot>>,
    /// What the doors read.
    pub(in crate::node) live: Live,
    /// How soon targets are probed again.
    pub(in crate::node) tempi: watch::Receiver<Arc<Tempi>>,
    /// Which endpoints are probed from here.
    pub(in crate::node) duties: watch::Receiver<Arc<Duties>>,
    /// Who else is there, at most a second old.
    pub(in crate::node) company: watch::Receiver<Arc<Company>>,
    /// This node's newest ballot.
    pub(in crate::node) ballot: watch::Receiver<Option<Arc<Ballot>>>,
    /// What to write into the snapshot file.
    pub(in crate::node) memory: watch::Receiver<Arc<Recall>>,
    /// How often deciding or compiling has panicked.
    pub(in crate::node) panics: Arc<AtomicU64>,
    /// Beats with every turn of the loop.
    pub(in crate::node) beat: watch::Receiver<Mono>,
    /// The editions whose serials are answered.
    pub(in crate::node) editions: watch::Receiver<Arc<Editions>>,
}
