//! Steering by distance needs places to measure from and to.

use std::collections::BTreeSet;

use crate::model::{Arm, Steer};

use super::{Build, LISTED_MAX};
use crate::config::report::{Place, Raw};

impl Build<'_, '_> {
    /// That at least one endpoint of these pools is somewhere, where the distance to it decides.
    pub(super) fn placed(&mut self, arms: &[Arm], steer: Steer, at: Place) {
        if !by_distance(steer) || arms.is_empty() || arms.iter().any(|arm| self.is_placed(arm)) {
            return;
        }
        let members = arms.iter().filter_map(|arm| self.parts.pools.get(arm.pool.index()));
        let members = members.flat_map(|pool| &pool.members).take(LISTED_MAX);
        let regions: BTreeSet<&str> = members
            .filter_map(|member| Some(self.parts.endpoints.get(member.endpoint.index())?.region.as_str()))
            .collect();
        let regions = Vec::from_iter(regions).join(", ");
        self.report().add(
            Raw::error("E029", format!("`{steer}` needs places, and no region of these pools has one"))
                .at(at, "nothing here is nearer than anything else")
                .note(format!("regions without `at`: {regions}"))
                .hint("write [region] us-east = { at = [38.9, -77.0] }"),
        );
    }

    /// Looked up once for each pool: a small text can name large pools in many services.
    fn is_placed(&mut self, arm: &Arm) -> bool {
        let ix = arm.pool.index();
        if let Some(Some(known)) = self.placed_pools.get(ix) {
            return *known;
        }
        let members = self.parts.pools.get(ix).map_or(&[][..], |pool| &pool.members);
        let found = members.iter().any(|member| {
            let endpoint = self.parts.endpoints.get(member.endpoint.index());
            endpoint.is_some_and(|endpoint| self.regions.by_id.get(endpoint.region.as_str()) == Some(&true))
        });
        if self.placed_pools.len() <= ix {
            self.placed_pools.resize(ix + 1, None);
        }
        self.placed_pools[ix] = Some(found);
        found
    }
}

/// Whether a pool is chosen by where the client is. `fastest` takes the client's nearest region for it.
pub(in crate::config) fn by_distance(steer: Steer) -> bool {
    match steer {
        Steer::Nearest | Steer::Fastest => true,
        Steer::Failover
        | Steer::Weighted
        | Steer::RoundRobin
        | Steer::Random
        | Steer::LeastConnections
        | Steer::All => false,
    }
}
