//! The state machine of a node: `step(now, inputs) -> Step`. Pure; owned by one task, driven by `node` and by the
//! simulator alike.

use std::sync::Arc;

use crate::model::{Ballot, Event, Fleet, Mono, NodeId, Observation, Override, ProviderId, RegionId, Snapshot, Tempi};

/// Who this node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub node: NodeId,
    /// Where it stands.
    pub region: Option<RegionId>,
    /// At whose place.
    pub provider: Option<ProviderId>,
}

/// What a node learns.
#[derive(Debug, Clone)]
pub enum Input {
    /// A probe of ours ended.
    Observed(Observation),
    /// A peer's ballot arrived (its own included; that one is ignored).
    Heard(Ballot),
    /// The durable state as the store has it now: all overrides, whole. An older generation of the same epoch is
    /// ignored.
    Shared {
        /// The database's identity.
        epoch: String,
        /// Rises with each commit.
        generation: u64,
        /// All of them, held or planned.
        overrides: Arc<[Override]>,
    },
    /// The configuration was replaced.
    Reloaded(Arc<Fleet>),
}

/// What follows.
#[derive(Debug, Default)]
#[must_use]
pub struct Step {
    /// The new picture, if anything that counts changed.
    pub snapshot: Option<Arc<Snapshot>>,
    /// The ballot to publish, if it changed or its renewal is due.
    pub ballot: Option<Ballot>,
    /// How soon targets are probed again, if that changed.
    pub tempi: Option<Arc<Tempi>>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// When to step again without any input: an override begins or ends, a ballot ages, a timer runs out.
    pub wake_at: Option<Mono>,
}
