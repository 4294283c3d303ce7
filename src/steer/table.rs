//! The answer table: names and the steerings they point at, immutable, compiled whole, swapped whole.
//!
//! Why a swap costs what changed: the names depend on the fleet alone and are shared by all its tables; steerings stand
//! in chunks that are shared while nothing in them differs, and only services that a change touches are decided anew.

use std::sync::Arc;

use super::{
    Editions, Locator, Lookup, Steering, ZoneTable,
    decide::decide,
    facts::Facts,
    names::{Elsewhere, Names, Parts, Served},
    steering::Making,
    touched::{Uses, touched},
};
use crate::{
    judge::Orders,
    model::{Digest, EndpointId, Fleet, LastGood, NameHash, PoolId, ServiceIx, Snapshot, WhenNone},
};

/// Services in one chunk: a flip copies so many pointers for each chunk it touches.
const CHUNK: usize = 256;

/// What the DNS doors read. A clone is a few hundred pointers.
#[derive(Debug, Clone)]
pub struct AnswerTable {
    /// The snapshot's generation.
    pub generation: u64,
    /// The snapshot's digest.
    pub digest: Digest,
    fixed: Arc<Fixed>,
    /// What is said of each zone, with the serials of the editions.
    zones: Arc<[ZoneTable]>,
    /// What secondaries are given.
    editions: Arc<Editions>,
    steerings: Steerings,
    /// What it was compiled from, to see what the next one changes.
    snapshot: Arc<Snapshot>,
    /// What clients are located with.
    locator: Arc<Locator>,
}

/// What depends on the fleet alone.
#[derive(Debug)]
struct Fixed {
    names: Names,
    zones: Arc<[ZoneTable]>,
    uses: Uses,
    facts: Facts,
}

/// All services' steerings by place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Steerings(Box<[Arc<[Arc<Steering>]>]>);

impl Steerings {
    #[inline(always)]
    pub(super) fn of(&self, service: ServiceIx) -> &Steering {
        &self.0[service.index() / CHUNK][service.index() % CHUNK]
    }

    fn iter(&self) -> impl Iterator<Item = &Steering> {
        self.0.iter().flat_map(|chunk| chunk.iter()).map(Arc::as_ref)
    }

    /// With others at some places, in ascending order; chunks without any stay shared.
    fn with(&self, changed: Vec<(ServiceIx, Steering)>) -> Self {
        let mut chunks = self.0.clone();
        let mut changed = changed.into_iter().peekable();
        while let Some(chunk) = changed.peek().map(|(service, _)| service.index() / CHUNK) {
            let mut copy = chunks[chunk].to_vec();
            while let Some((service, steering)) = changed.next_if(|(service, _)| service.index() / CHUNK == chunk) {
                copy[service.index() % CHUNK] = Arc::new(steering);
            }
            chunks[chunk] = copy.into();
        }
        Self(chunks)
    }
}

/// The part of a table that depends on the fleet alone, which is nearly all the work of compiling another fleet: taken
/// from a table that was made to look at, for the one that is put in force.
#[derive(Debug, Clone)]
pub struct Ground {
    fleet: Digest,
    fixed: Arc<Fixed>,
}

/// Compiles a snapshot. Total: a valid fleet always compiles, and equal input gives an equal table.
///
/// `previous` makes it cheap and carries on what was last answered while healthy; `remembered` is that set from before
/// the start, for the services `previous` does not know.
#[must_use]
pub fn compile(snapshot: &Arc<Snapshot>, previous: Option<&AnswerTable>, remembered: &LastGood) -> AnswerTable {
    compile_on(None, snapshot, previous, remembered)
}

/// The same, with a ground that was made ahead. One of another fleet is no help and does no harm.
#[must_use]
pub fn compile_on(
    ground: Option<Ground>,
    snapshot: &Arc<Snapshot>,
    previous: Option<&AnswerTable>,
    remembered: &LastGood,
) -> AnswerTable {
    let orders = Orders::new(&snapshot.fleet, &snapshot.overrides);
    let same = previous.filter(|previous| previous.snapshot.fleet.digest == snapshot.fleet.digest);
    let ahead = ground.filter(|ground| ground.fleet == snapshot.fleet.digest).map(|ground| ground.fixed);
    let fixed = same.map(|previous| Arc::clone(&previous.fixed)).or(ahead);
    let fixed = fixed.unwrap_or_else(|| Fixed::of(&snapshot.fleet));
    let mut compiling = Compiling { snapshot, orders, making: Making::new(snapshot, &fixed.facts) };
    let steerings = match (same, previous) {
        (Some(previous), _) => compiling.changed(previous),
        (None, Some(previous)) => {
            let mut known = remembered.clone();
            known.extend(previous.last_good());
            compiling.whole(&known)
        }
        (None, None) => compiling.whole(remembered),
    };
    let editions = previous.map(|previous| Arc::clone(&previous.editions)).unwrap_or_default();
    let zones = match same {
        Some(same) => Arc::clone(&same.zones),
        None => fixed.zones(&snapshot.fleet, &editions),
    };
    AnswerTable {
        generation: snapshot.generation,
        digest: snapshot.digest,
        fixed,
        zones,
        editions,
        steerings,
        snapshot: Arc::clone(snapshot),
        locator: previous.map(|previous| Arc::clone(&previous.locator)).unwrap_or_default(),
    }
}

impl Fixed {
    fn of(fleet: &Fleet) -> Arc<Self> {
        let (names, zones) = Names::build(fleet);
        Arc::new(Self { names, zones, uses: Uses::of(fleet), facts: Facts::of(fleet) })
    }

    /// The zones with the serials of their editions.
    fn zones(&self, fleet: &Fleet, editions: &Editions) -> Arc<[ZoneTable]> {
        if editions.is_empty() {
            return Arc::clone(&self.zones);
        }
        let both = self.zones.iter().zip(&fleet.zones);
        both.map(|(table, zone)| match editions.get(&zone.apex) {
            Some(edition) => table.at_serial(zone, edition.serial),
            None => table.clone(),
        })
        .collect()
    }
}

struct Compiling<'s> {
    snapshot: &'s Snapshot,
    orders: Orders<'s>,
    making: Making<'s>,
}

impl Compiling<'_> {
    fn whole(&mut self, remembered: &LastGood) -> Steerings {
        let snapshot = self.snapshot;
        let services = snapshot.fleet.services();
        let all: Vec<Arc<Steering>> = services
            .map(|(ix, service)| Arc::new(self.steering(ix, remembered.get(&service.id).map(Vec::as_slice))))
            .collect();
        Steerings(all.chunks(CHUNK).map(Arc::from).collect())
    }

    fn changed(&mut self, previous: &AnswerTable) -> Steerings {
        let fleet = &self.snapshot.fleet;
        let touched = touched(&previous.snapshot, self.snapshot, &previous.fixed.uses).into_iter();
        let changed = touched.filter_map(|service| {
            let before = previous.steerings.of(service);
            let steering = self.steering(service, before.good_by_id(fleet).as_deref());
            (steering != *before).then_some((service, steering))
        });
        previous.steerings.with(changed.collect())
    }

    fn steering(&mut self, service: ServiceIx, good: Option<&[(PoolId, EndpointId)]>) -> Steering {
        let good = good.filter(|_| self.snapshot.fleet.service(service).when_none == WhenNone::LastGood);
        let decision = decide(self.snapshot, &self.orders, service, good);
        self.making.steering(&decision, good)
    }
}

impl AnswerTable {
    /// The same with another locator: no decision depends on it, only where clients are when they ask.
    #[must_use]
    pub fn with_locator(self, locator: Arc<Locator>) -> Self {
        Self { locator, ..self }
    }

    /// The same with other editions for secondaries: their serials stand in the SOA of every answer.
    #[must_use]
    pub fn with_editions(self, editions: Arc<Editions>) -> Self {
        let zones = self.fixed.zones(&self.snapshot.fleet, &editions);
        Self { zones, editions, ..self }
    }

    /// What secondaries are given.
    #[must_use]
    pub fn editions(&self) -> &Arc<Editions> {
        &self.editions
    }

    /// What clients are located with.
    #[must_use]
    pub fn locator(&self) -> &Arc<Locator> {
        &self.locator
    }

    #[inline(always)]
    fn parts(&self) -> Parts<'_> {
        Parts { zones: &self.zones, steerings: &self.steerings }
    }

    /// What stands at a name, given as one uncompressed name in lower case with its root octet. The type asked matters
    /// only for DS, which belongs to the zone above a cut.
    #[must_use]
    pub fn lookup(&self, name_lower_wire: &[u8], kind: u16) -> Lookup<'_> {
        self.fixed.names.lookup(self.parts(), NameHash::of(name_lower_wire), name_lower_wire, kind)
    }

    /// The same for a name whose hash is known, because it was taken while the name was read, as far as it is served
    /// itself.
    ///
    /// # Errors
    ///
    /// What [`Self::elsewhere`] goes on with.
    #[inline(always)]
    pub fn served(&self, hash: u64, name_lower_wire: &[u8], kind: u16) -> Result<Served<'_>, Elsewhere> {
        self.fixed.names.served(self.parts(), hash, name_lower_wire, kind)
    }

    /// The rest of a look-up that [`Self::served`] began, for the same name and type.
    #[must_use]
    pub fn elsewhere(&self, elsewhere: Elsewhere, name_lower_wire: &[u8], kind: u16) -> Lookup<'_> {
        self.fixed.names.elsewhere(self.parts(), elsewhere, name_lower_wire, kind)
    }

    /// The deepest of our zones at or above a name.
    #[must_use]
    pub fn zone_of(&self, name_lower_wire: &[u8]) -> Option<&ZoneTable> {
        self.fixed.names.zone_of(&self.zones, name_lower_wire)
    }

    /// What a service answers.
    #[must_use]
    pub fn steering(&self, service: ServiceIx) -> &Steering {
        self.steerings.of(service)
    }

    /// For each service with `when_none_healthy = "last-good"` the last set it answered while healthy; to be persisted
    /// and handed to [`compile`] after a restart.
    #[must_use]
    pub fn last_good(&self) -> LastGood {
        let fleet = &self.snapshot.fleet;
        let steerings = self.steerings.iter();
        steerings.filter_map(|steering| Some((steering.service().clone(), steering.good_by_id(fleet)?))).collect()
    }

    /// What of it depends on the fleet alone.
    #[must_use]
    pub fn ground(&self) -> Ground {
        Ground { fleet: self.snapshot.fleet.digest, fixed: Arc::clone(&self.fixed) }
    }

    /// What it was compiled from.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The services whose steerings are not the same; `None` if the tables are of different fleets.
    pub(super) fn differing(&self, other: &Self) -> Option<Vec<ServiceIx>> {
        let chunks = || self.steerings.0.iter().zip(&other.steerings.0).enumerate();
        let differing = chunks().filter(|(_, (a, b))| !Arc::ptr_eq(a, b)).flat_map(|(chunk, (a, b))| {
            let pairs = a.iter().zip(b.iter()).enumerate().filter(|(_, (a, b))| !Arc::ptr_eq(a, b));
            pairs.map(move |(place, _)| ServiceIx::new(chunk * CHUNK + place))
        });
        Arc::ptr_eq(&self.fixed, &other.fixed).then(|| differing.collect())
    }

    /// Our zones.
    #[must_use]
    pub fn zones(&self) -> &[ZoneTable] {
        &self.zones
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
        self.fixed.names.count()
    }

    /// How many of them belong to services.
    #[must_use]
    pub fn steered_names(&self) -> usize {
        self.fixed.names.steered()
    }
}

#[cfg(test)]
mod tests;
