//! The answer table: names and the steerings they point at, immutable, compiled whole, swapped whole.
//!
//! Why a swap costs what changed: the names depend on the fleet alone and are shared by all its tables; steerings stand
//! in chunks that are shared while nothing in them differs.

use std::sync::Arc;

use super::{Lookup, Steering, ZoneTable, decide::decide, names::Names};
use crate::{
    judge::Orders,
    model::{Digest, LastGood, ServiceIx, Snapshot},
};

/// Services in one chunk: a flip copies so many pointers for each chunk it touches.
const CHUNK: usize = 256;

/// What the DNS doors read.
#[derive(Debug)]
pub struct AnswerTable {
    /// The snapshot's generation.
    pub generation: u64,
    /// The snapshot's digest.
    pub digest: Digest,
    names: Arc<Names>,
    steerings: Steerings,
}

/// All services' steerings by place.
#[derive(Debug, Clone)]
pub(super) struct Steerings(Box<[Arc<[Arc<Steering>]>]>);

impl Steerings {
    pub(super) fn of(&self, service: ServiceIx) -> &Steering {
        &self.0[service.index() / CHUNK][service.index() % CHUNK]
    }
}

/// Compiles a snapshot. Total: a valid fleet always compiles.
#[must_use]
pub fn compile(snapshot: &Arc<Snapshot>, _previous: Option<&AnswerTable>, _remembered: &LastGood) -> AnswerTable {
    let fleet = &snapshot.fleet;
    let orders = Orders::new(fleet, &snapshot.overrides);
    let all: Vec<Arc<Steering>> = (fleet.services())
        .map(|(service, _)| Arc::new(Steering::new(fleet, &decide(snapshot, &orders, service, None))))
        .collect();
    AnswerTable {
        generation: snapshot.generation,
        digest: snapshot.digest,
        names: Arc::new(Names::build(fleet)),
        steerings: Steerings(all.chunks(CHUNK).map(Arc::from).collect()),
    }
}

impl AnswerTable {
    /// What stands at a name, given as one uncompressed name in lower case with its root octet. The type asked matters
    /// only for DS, which belongs to the zone above a cut.
    #[must_use]
    pub fn lookup(&self, name_lower_wire: &[u8], kind: u16) -> Lookup<'_> {
        self.names.lookup(&self.steerings, name_lower_wire, kind)
    }

    /// The deepest of our zones at or above a name.
    #[must_use]
    pub fn zone_of(&self, name_lower_wire: &[u8]) -> Option<&ZoneTable> {
        self.names.zone_of(name_lower_wire)
    }

    /// Our zones.
    #[must_use]
    pub fn zones(&self) -> &[ZoneTable] {
        self.names.zones()
    }

    /// How many turns a door keeps; each service has one slot for each family.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.services() * 2
    }

    /// How many services there are.
    #[must_use]
    pub fn services(&self) -> usize {
        self.steerings.0.iter().map(|chunk| chunk.len()).sum()
    }

    /// How many names there are, empty non-terminals included.
    #[must_use]
    pub fn names(&self) -> usize {
        self.names.count()
    }

    /// How many of them belong to services.
    #[must_use]
    pub fn steered_names(&self) -> usize {
        self.names.steered()
    }
}
