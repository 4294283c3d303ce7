//! Ballots: all standings of one vantage, as published.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{EndpointId, NodeId, OwnFault, ProviderId, RegionId, Target};

/// Whole and self-contained: a lost one heals with the next.
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
    /// Whether this node's own network has proven itself (DECIDING section 3, self-test).
    pub self_test: SelfTest,
    /// By id and not by position: configurations may differ for a while. A target without an entry has no vote.
    pub votes: BTreeMap<Target, Vote>,
    /// How long a probe takes from here until the first byte (or the connection) stands, smoothed, in microseconds.
    pub paths: BTreeMap<EndpointId, u32>,
    /// What its brakes let go and hold: whoever starts takes over what most have (DECIDING section 8).
    pub brakes: BrakeState,
}

/// What came of the brakes of a node, beside what is measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BrakeState {
    /// Removals are held, because nearly everything failed at once.
    pub frozen: bool,
    /// What has left by measurement: down in force but for orders. What is measured down and is not in here is held.
    pub out: BTreeSet<Target>,
    /// What left within the removal budget's time, and how long before this ballot.
    pub left: BTreeMap<EndpointId, Duration>,
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
