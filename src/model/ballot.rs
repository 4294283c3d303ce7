//! Ballots: all standings of one vantage, as published.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{EndpointId, Mono, NodeId, OwnFault, ProviderId, RegionId, Target};

/// Whole and self-contained: a lost one heals with the next. What is large in it is shared with the ballot before while it
/// is the same, so that a renewal costs the same however large the fleet is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// Who votes.
    pub node: NodeId,
    /// Where: one region, one vote.
    pub region: Option<RegionId>,
    /// At whose place, for the provider cap.
    pub provider: Option<ProviderId>,
    /// Rises with each ballot of this node; freshness is the arrival of a higher one.
    pub sequence: u64,
    /// What the sender's monotonic clock showed. Only differences from other times of the same ballot mean anything.
    pub clock: Mono,
    /// Whether this node's own network has proven itself (DECIDING section 3, self-test).
    pub self_test: SelfTest,
    /// By id and not by position: configurations may differ for a while. A target without an entry has no vote.
    pub votes: Arc<BTreeMap<Target, Vote>>,
    /// How long a probe takes from here until the first byte (or the connection) stands, smoothed, in microseconds.
    pub paths: Arc<BTreeMap<EndpointId, u32>>,
    /// What its brakes let go and hold: whoever starts takes over what most have (DECIDING section 8).
    pub brakes: Arc<BrakeState>,
}

/// What came of the brakes of a node, beside what is measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BrakeState {
    /// Removals are held, because nearly everything failed at once.
    pub frozen: bool,
    /// What has left by measurement: down in force but for orders.
    pub out: Out,
    /// What left within the removal budget's time, and when by the sender's clock ([`Ballot::clock`]).
    pub left: BTreeMap<EndpointId, Mono>,
}

impl BrakeState {
    /// Whether a target that is measured down has left there. `down`: how many targets are, where that is asked.
    #[must_use]
    pub fn let_go(&self, target: &Target, down: usize) -> bool {
        match &self.out {
            Out::These(out) => out.contains(target),
            Out::AllBut { held, down: there } => down <= *there && !held.contains(target),
        }
    }
}

/// What has left by measurement, told by what is rarer: when a region has failed, thousands are out and few are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// These. What else is measured down is held.
    These(BTreeSet<Target>),
    /// All that are measured down but these. Whoever has measured more down than the sender had knows of a failure on
    /// which the sender had not decided, and learns nothing from it.
    AllBut {
        /// What is held.
        held: BTreeSet<Target>,
        /// How many were measured down.
        down: usize,
    },
}

impl Default for Out {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

/// What a node knows of its own network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SelfTest {
    /// Something beyond this node answered lately.
    Passed,
    /// Nothing did.
    Failed,
    /// Nothing can prove or refute it: a single node without anchors.
    #[default]
    Unprovable,
}

/// One vantage's debounced opinion of one target, as others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// It passes.
    Up {
        /// It works, with a complaint.
        degraded: bool,
        /// It has failed since the last pass, not often enough to be down.
        wavers: bool,
    },
    /// It fails.
    Down,
    /// The fault is the node's own; counts for neither side.
    Abstain(OwnFault),
}
