//! What the API is given: each a handle to one room's part, none of them the room.

use std::sync::Arc;

use axum::extract::FromRef;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{auth::Keys, recent::Recent};
use crate::{
    clock::Clock,
    config::{Loaded, Problems},
    control::{Identity, Input},
    model::{Ballot, Company, EndpointId, Observation, Snapshot, Wall},
    steer::{Live, outlook::Plan},
    store::{ControlStore, journal::Journal},
    telemetry::http::HttpMetrics,
};

/// All of them; `node` fills it in. A handler takes only its part, through [`FromRef`].
#[derive(Clone)]
pub struct Handles {
    /// Who this node is.
    pub identity: Arc<Identity>,
    /// For ages and timers.
    pub clock: Clock,
    /// When the node began.
    pub started: Wall,
    /// The picture in force.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// All nodes, as this one sees them.
    pub company: watch::Receiver<Arc<Company>>,
    /// This node's newest ballot, for peers.
    pub ballot: watch::Receiver<Option<Arc<Ballot>>>,
    /// The answer table in force, to explain and to preview.
    pub live: Live,
    /// Overrides and audit.
    pub store: Arc<dyn ControlStore>,
    /// The orders of this node alone; none where nobody shares the store.
    pub local: Option<Arc<dyn ControlStore>>,
    /// Held while a change is decided and committed, see [`Turn`].
    pub turn: Turn,
    /// Last probe results.
    pub recent: Arc<Recent>,
    /// Events, past and as they come.
    pub journal: Arc<Journal>,
    /// Asks the node to read its configuration again.
    pub reload: mpsc::Sender<ReloadRequest>,
    /// Where pushed loads go: the controller.
    pub inbox: mpsc::Sender<Input>,
    /// Asks the node to probe now.
    pub probe: mpsc::Sender<ProbeRequest>,
    /// The configuration in effect.
    pub config: watch::Receiver<Arc<Loaded>>,
    /// How the node is.
    pub condition: watch::Receiver<Arc<Condition>>,
    /// All metrics.
    pub registry: Arc<Registry>,
    /// This room's own.
    pub metrics: Arc<HttpMetrics>,
    /// Tokens in force; the node replaces them at a reload.
    pub keys: Arc<Keys>,
    /// Cancelled when the API stops; streams end by it. [`super::Admin::run`] cancels it.
    pub stop: CancellationToken,
}

/// Whose turn it is to change overrides: those of this node go one by one, in the order they came, so that many writers
/// wait for each other instead of losing the store's compare-and-swap again and again. It makes nothing correct (other
/// nodes may share the store, whose fence decides); it makes it fair.
#[derive(Debug, Clone, Default)]
pub struct Turn(Arc<tokio::sync::Mutex<()>>);

impl Turn {
    /// Waits for it; it ends with the guard.
    pub(super) async fn take(&self) -> impl Drop + '_ {
        self.0.lock().await
    }
}

/// A person wants the configuration read again.
#[derive(Debug)]
pub struct ReloadRequest {
    /// The digest of the plan that was looked at: it passes the reload guard, and nothing else does.
    pub accept: Option<String>,
    /// Not the file, but the configuration that was accepted before the one in effect. The guard does not hold it:
    /// going back must not need anything at 3 a.m.
    pub previous: bool,
    /// Only to see what it would do, whether the guard holds it, and which fleet it has.
    pub look: bool,
    /// For the answer; if it is gone, nobody waits any more, and the reload happens all the same.
    pub reply: oneshot::Sender<Result<Reloaded, NotReloaded>>,
}

/// Why a reload changed nothing.
#[derive(Debug, Clone)]
pub enum NotReloaded {
    /// The configuration has errors.
    Problems(Problems),
    /// The guard holds it until somebody has looked at its plan.
    Guarded(Box<Plan>),
    /// The plan that was accepted is not that of this change.
    OtherPlan(Box<Plan>),
    /// This node tries one of a staged reload.
    Staged,
    /// No other configuration was accepted before the one in effect, or none that can still be read.
    NoPrevious,
}

/// What a reload did.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// What was in effect.
    pub before: Arc<Loaded>,
    /// What is now.
    pub after: Arc<Loaded>,
    /// Settings that differ and need a restart, in words: `dns.listen`.
    pub restart: Vec<String>,
}

/// A person wants an endpoint probed now, under all its checks, on all its addresses.
#[derive(Debug)]
pub struct ProbeRequest {
    /// Which.
    pub endpoint: EndpointId,
    /// For the results; empty when the endpoint has no check.
    pub reply: oneshot::Sender<Vec<Observation>>,
}

/// How the node is, as it knows itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// Every DNS door is bound.
    pub doors_bound: bool,
    /// A table answers.
    pub table_loaded: bool,
    /// Why the configuration in effect is not the file's, if so.
    pub config_stale: Option<String>,
    /// When the configuration was last accepted.
    pub config_since: Option<Wall>,
    /// Why the store takes no changes, if so.
    pub store_broken: Option<String>,
    /// What else a person should know, loudest first.
    pub banners: Vec<String>,
}

macro_rules! part {
    ($($field:ident: $type:ty),+ $(,)?) => {
        $(impl FromRef<Handles> for $type {
            fn from_ref(handles: &Handles) -> Self {
                handles.$field.clone()
            }
        })+
    };
}
part! {
    identity: Arc<Identity>,
    clock: Clock,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    company: watch::Receiver<Arc<Company>>,
    ballot: watch::Receiver<Option<Arc<Ballot>>>,
    live: Live,
    store: Arc<dyn ControlStore>,
    local: Option<Arc<dyn ControlStore>>,
    recent: Arc<Recent>,
    journal: Arc<Journal>,
    config: watch::Receiver<Arc<Loaded>>,
    reload: mpsc::Sender<ReloadRequest>,
    inbox: mpsc::Sender<Input>,
    probe: mpsc::Sender<ProbeRequest>,
    condition: watch::Receiver<Arc<Condition>>,
    registry: Arc<Registry>,
    metrics: Arc<HttpMetrics>,
    stop: CancellationToken,
}
