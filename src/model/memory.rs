//! What a node remembers across a restart, beside the configuration: the content of the snapshot file.

use std::collections::BTreeMap;

use super::{EndpointId, Health, Override, PoolId, ServiceId, Target, Wall};

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
    /// For `when_none_healthy = "last-good"`.
    pub last_good: LastGood,
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
