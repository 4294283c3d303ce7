//! What compiling reads of a fleet again and again, worked out once for all its tables.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::Arc,
};

use crate::model::{Arm, EndpointIx, Fleet, Point, PoolIx, Service, ServiceIx, When, ms};

/// Without a check, TTLs shrink in steps of so many milliseconds.
const STEP_MS: u32 = 1_000;

/// All of it; depends on the fleet alone.
#[derive(Debug)]
pub(super) struct Facts {
    endpoints: Box<[Ground]>,
    pools: Box<[u64]>,
    steps: Box<[u32]>,
    rules: HashMap<ServiceIx, Box<[Arc<When>]>>,
    aliased: HashSet<ServiceIx>,
}

/// What picking needs to know of an endpoint beside what it is answered as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground {
    /// What rendezvous hashing knows it by: made of its id, so that all nodes agree and a reload moves nobody.
    pub(super) key: u64,
    /// Its provider; equal for endpoints of one provider.
    pub(super) provider: u32,
    /// Where its region lies.
    pub(super) point: Option<Point>,
}

impl Facts {
    pub(super) fn of(fleet: &Fleet) -> Self {
        let mut providers = HashMap::new();
        let points: HashMap<&str, Option<Point>> =
            fleet.regions.iter().map(|region| (region.id.as_str(), region.point())).collect();
        let endpoints = fleet.endpoints.iter().map(|endpoint| Ground {
            key: key(endpoint.id.as_str()),
            provider: numbered(&mut providers, endpoint.provider.as_str()),
            point: points.get(endpoint.region.as_str()).copied().flatten(),
        });
        let ruled = fleet.services().filter(|(_, service)| !service.rules.is_empty());
        let targets = |arm: &Arm| {
            let mut members = fleet.pool(arm.pool).members.iter();
            members.any(|member| fleet.endpoint(member.endpoint).target().is_some())
        };
        // Few fleets have any target; only theirs are searched.
        let any = fleet.endpoints.iter().any(|endpoint| endpoint.target().is_some());
        let aliased = fleet.services().filter(|(_, service)| any && fleet.arms(service).any(targets));
        let whens = |service: &Service| service.rules.iter().map(|rule| Arc::new(rule.when.clone())).collect();
        Self {
            endpoints: endpoints.collect(),
            pools: fleet.pools.iter().map(|pool| key(pool.id.as_str())).collect(),
            steps: fleet.services.iter().map(|service| step(fleet, service)).collect(),
            rules: ruled.map(|(ix, service)| (ix, whens(service))).collect(),
            aliased: aliased.map(|(ix, _)| ix).collect(),
        }
    }

    pub(super) fn endpoint(&self, ix: EndpointIx) -> &Ground {
        &self.endpoints[ix.index()]
    }

    /// What rendezvous hashing knows a pool by.
    pub(super) fn pool_key(&self, ix: PoolIx) -> u64 {
        self.pools[ix.index()]
    }

    /// In steps of so many milliseconds the TTLs of a service shrink: the shortest interval of its checks.
    pub(super) fn step(&self, service: ServiceIx) -> u32 {
        self.steps[service.index()]
    }

    /// Whether an endpoint of a service is another name.
    pub(super) fn has_targets(&self, service: ServiceIx) -> bool {
        self.aliased.contains(&service)
    }

    /// Whom the rules of a service are for, in order.
    pub(super) fn rules(&self, service: ServiceIx) -> &[Arc<When>] {
        self.rules.get(&service).map_or(&[], |rules| rules)
    }
}

fn numbered<T: Eq + Hash>(known: &mut HashMap<T, u32>, thing: T) -> u32 {
    let next = u32::try_from(known.len()).expect("fleets are bounded far below 2^32");
    *known.entry(thing).or_insert(next)
}

fn step(fleet: &Fleet, service: &Service) -> u32 {
    let subjects = fleet.arms(service).flat_map(|arm| arm.subjects.iter());
    let checks = subjects.filter_map(|subject| fleet.subject(*subject).check);
    let shortest = checks.map(|check| ms(fleet.check(check).interval)).min();
    shortest.map_or(STEP_MS, |shortest| u32::try_from(shortest).unwrap_or(u32::MAX).max(1))
}

/// FNV-1a over the id. The same on every node and in every version: whoever changes it moves every sticky client.
fn key(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn keys_are_those_of_every_node_and_version() {
        // Test vectors of the FNV reference code.
        assert_eq!(
            (key(""), key("a"), key("foobar")),
            (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c, 0x8594_4171_f739_67e8)
        );
    }
}
