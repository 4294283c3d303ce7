//! What a node remembers across a restart, beside the configuration: the content of the snapshot file.

use std::{collections::BTreeMap, time::Duration};

use super::{
    EndpointId, Health, NodeId, Override, OverrideId, PeerUrl, PoolId, ProviderId, RegionId, ServiceId, Target, Wall,
};

/// For each service the endpoints of the last answer set that was healthy, with their pool, in answer order.
pub type LastGood = BTreeMap<ServiceId, Vec<(PoolId, EndpointId)>>;

/// The last known good state of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// When it was written.
    pub at: Wall,
    /// The snapshot's generation; a starting node goes on from it, so that it never goes back.
    pub generation: u64,
    /// The store's epoch (a new database has a new one) and generation that the overrides belong to.
    pub epoch: String,
    /// See `epoch`.
    pub store_generation: u64,
    /// Overrides in force or planned.
    pub overrides: Vec<Override>,
    /// Verdicts in force.
    pub verdicts: BTreeMap<Target, Remembered>,
    /// Overrides that have run out while the store still lists them, with that end: a clock that is set back does not
    /// revive them.
    pub ended: BTreeMap<OverrideId, Wall>,
    /// The other nodes, so that a restarted one does not take itself for the only one.
    pub known: BTreeMap<NodeId, Known>,
    /// Delays of recovery, of targets that have one.
    pub delays: BTreeMap<Target, Delays>,
    /// The brakes of the fleet.
    pub braked: Braked,
    /// Drains and downs that ended so lately that a failback or ramp may still reach what they covered, and how long
    /// before `at` that was.
    pub lately: Vec<(Override, Duration)>,
    /// For `when_none_healthy = "last-good"`.
    pub last_good: LastGood,
}

impl Memory {
    /// The overrides that belong to the store; those that are local are in a store of their own.
    pub fn shared(&self) -> impl Iterator<Item = &Override> {
        self.overrides.iter().filter(|order| !order.local)
    }
}

/// A verdict as remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// What was measured.
    pub measured: Health,
    /// What was in force.
    pub health: Health,
    /// Since when.
    pub since: Wall,
}

/// What delays a target's recovery, in times that are left or that have passed: monotonic clocks end with a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delays {
    /// How long ago it came back.
    pub returned: Option<Duration>,
    /// It waits until a person restores it (`resume = "manual"`).
    pub awaits_resume: bool,
    /// It changed of late.
    pub flap: Option<Flapped>,
}

/// The brakes of the fleet as remembered; what they hold up is what was measured down and was in force all the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Braked {
    /// Removals were held, because nearly everything had failed at once.
    pub frozen: bool,
    /// What had left within the time of the removal budget, and how long ago.
    pub left: Vec<(EndpointId, Duration)>,
}

/// Changes of late as remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flapped {
    /// Of the hold; zero if there is none.
    pub left: Duration,
    /// Holds in a row.
    pub times: u8,
    /// How long ago the changes were that count towards the next hold, oldest first.
    pub changes: Vec<Duration>,
    /// How long ago the last change was.
    pub calm: Duration,
}

/// Another node as remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Where it stands.
    pub region: Option<RegionId>,
    /// At whose place.
    pub provider: Option<ProviderId>,
    /// When it was last heard.
    pub heard: Wall,
    /// Where its admin API was, for ballots by the direct way while the store is out of reach.
    pub admin: Vec<PeerUrl>,
}
