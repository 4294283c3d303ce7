//! Whether this node's own network has proven itself (DECIDING section 3, self-test): a probe of an endpoint outside
//! its own provider and region passed within two intervals; of any endpoint, if none is outside.

use super::Identity;
use crate::model::{Check, EndpointIx, Fleet, Mono, Observation, Outcome, SelfTest};

#[derive(Debug, Default)]
pub(super) struct Proof {
    outside_exists: bool,
    any_until: Mono,
    outside_until: Mono,
}

impl Proof {
    pub(super) fn reload(&mut self, fleet: &Fleet, me: &Identity) {
        let checked = fleet.subjects.iter().filter(|subject| subject.check.is_some());
        self.outside_exists = checked.into_iter().any(|subject| outside(fleet, me, subject.endpoint));
    }

    /// Takes in a result. An inverted check that "fails" has been answered, and that is what proves a network.
    pub(super) fn observe(&mut self, fleet: &Fleet, me: &Identity, at: EndpointIx, check: &Check, seen: &Observation) {
        if !matches!(seen.outcome, Outcome::Pass | Outcome::Complaint(_)) {
            return;
        }
        let until = seen.at.mono.plus(check.interval * 2);
        self.any_until = self.any_until.max(until);
        if outside(fleet, me, at) {
            self.outside_until = self.outside_until.max(until);
        }
    }

    /// A node that knows no other cannot prove anything.
    pub(super) fn state(&self, alone: bool, now: Mono) -> SelfTest {
        match (alone, now < self.until()) {
            (true, _) => SelfTest::Unprovable,
            (false, true) => SelfTest::Passed,
            (false, false) => SelfTest::Failed,
        }
    }

    /// When what was proven runs out.
    pub(super) fn until(&self) -> Mono {
        if self.outside_exists { self.outside_until } else { self.any_until }
    }
}

fn outside(fleet: &Fleet, me: &Identity, endpoint: EndpointIx) -> bool {
    let endpoint = fleet.endpoint(endpoint);
    me.region.as_ref() != Some(&endpoint.region) && me.provider.as_ref() != Some(&endpoint.provider)
}
